//! Pages: items in order, one behind the other.

use super::Item;

/// Bytes of an item.
pub const WIDTH: usize = 22;

/// Most items of a page: two of these fit a page of PostgreSQL's, with what a row needs beside them.
pub const ITEMS: usize = 180;

/// The bytes of items.
pub fn pack(items: &[Item]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(items.len() * WIDTH);
    for item in items {
        bytes.extend_from_slice(&item.key.to_be_bytes());
        bytes.extend_from_slice(&item.chain_id.to_be_bytes());
        bytes.extend_from_slice(&item.lane.to_be_bytes());
        bytes.extend_from_slice(&item.pos.to_be_bytes());
    }
    bytes
}

/// The items of a page, in place.
#[derive(Clone, Copy, Debug)]
pub struct PackedPage<'a>(&'a [[u8; WIDTH]]);

impl<'a> PackedPage<'a> {
    /// `None` for bytes that are no whole number of items.
    pub fn new(bytes: &'a [u8]) -> Option<PackedPage<'a>> {
        let (items, rest) = bytes.as_chunks::<WIDTH>();
        rest.is_empty().then_some(PackedPage(items))
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All items.
    pub fn items(self) -> impl Iterator<Item = Item> + 'a {
        self.0.iter().map(unpack)
    }

    /// Those of one key, and whether more can follow on the next page.
    pub fn of_key(self, key: i64) -> (impl Iterator<Item = Item> + 'a, bool) {
        let start = self.0.partition_point(|bytes| unpack(bytes).key < key);
        let end = start + self.0[start..].partition_point(|bytes| unpack(bytes).key <= key);
        let more = end == self.0.len();
        (self.0[start..end].iter().map(unpack), more)
    }
}

fn unpack(bytes: &[u8; WIDTH]) -> Item {
    let mut rest = &bytes[..];
    Item {
        key: i64::from_be_bytes(take(&mut rest)),
        chain_id: i32::from_be_bytes(take(&mut rest)),
        lane: i16::from_be_bytes(take(&mut rest)),
        pos: i64::from_be_bytes(take(&mut rest)),
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let mut taken = [0; N];
    if let Some((first, rest)) = bytes.split_first_chunk::<N>() {
        taken = *first;
        *bytes = rest;
    }
    taken
}
