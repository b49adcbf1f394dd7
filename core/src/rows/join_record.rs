//! What is kept of an entry and of a row while they are compared.

use std::hash::{BuildHasher, RandomState};

use crate::hash::Hash;

/// A key's text, digested to 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyDigest(pub u64, pub u64);

/// Digests keys. Each hasher has random secrets of its own: nobody can prepare two keys that share a
/// digest.
#[derive(Default)]
pub struct KeyHasher(RandomState, RandomState);

impl KeyHasher {
    /// A hasher with new secrets.
    pub fn new() -> KeyHasher {
        KeyHasher::default()
    }

    /// The digest of a key's text.
    #[inline]
    pub fn digest(&self, key: &[u8]) -> KeyDigest {
        KeyDigest(self.0.hash_one(key), self.1.hash_one(key))
    }
}

/// Where a tuple is: block and offset of its table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Number of the block.
    pub block: u32,
    /// Number of the item in it.
    pub offset: u16,
}

/// An entry that says what became of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRecord {
    /// The key.
    pub key: KeyDigest,
    /// The entry's number: of the entries of one key the one with the greatest counts.
    pub seq: i64,
    /// When it was linked, in microseconds: of entries of one key the order is that of `seq`, since a row
    /// is locked until its entry is committed.
    pub at: i64,
    /// The layout that the row was hashed under.
    pub layout: Option<i32>,
    /// The entry's `payload_hash`.
    pub hash: Hash,
    /// Where the entry is in its table.
    pub place: Place,
    /// Whether the row is there afterwards: the entry tells of an INSERT or UPDATE.
    pub alive: bool,
}

/// A row as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRecord {
    /// The key.
    pub key: KeyDigest,
    /// Hash of the row under its table's present layout.
    pub hash: Hash,
    /// Where the row is in its table.
    pub place: Place,
    /// Which of the tables (partitions) that is.
    pub leaf: u32,
}

/// A record as bytes of a fixed number.
pub(super) trait Record: Copy {
    const BYTES: usize;

    /// Writes the record to the first [`Self::BYTES`] bytes of `out`, which are that many.
    fn encode(&self, out: &mut [u8]);
    /// The record in the first [`Self::BYTES`] bytes of `bytes`, which are that many.
    fn decode(bytes: &[u8]) -> Self;
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_at(N);
        self.0 = rest;
        let mut bytes = [0; N];
        bytes.copy_from_slice(head);
        bytes
    }

    fn key(&mut self) -> KeyDigest {
        KeyDigest(
            u64::from_le_bytes(self.take()),
            u64::from_le_bytes(self.take()),
        )
    }

    fn place(&mut self) -> Place {
        Place {
            block: u32::from_le_bytes(self.take()),
            offset: u16::from_le_bytes(self.take()),
        }
    }
}

struct Writer<'a>(&'a mut [u8]);

impl<'a> Writer<'a> {
    /// Of a record's bytes, with what both kinds begin with.
    #[inline]
    fn begin(out: &'a mut [u8], key: KeyDigest, hash: &Hash, place: Place) -> Writer<'a> {
        let mut writer = Writer(out);
        writer.put(key.0.to_le_bytes());
        writer.put(key.1.to_le_bytes());
        writer.put(hash.0);
        writer.put(place.block.to_le_bytes());
        writer.put(place.offset.to_le_bytes());
        writer
    }

    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let (head, rest) = std::mem::take(&mut self.0).split_at_mut(N);
        head.copy_from_slice(&bytes);
        self.0 = rest;
    }
}

impl Record for EntryRecord {
    const BYTES: usize = 16 + 32 + 6 + 8 + 8 + 4 + 1;

    #[inline]
    fn encode(&self, out: &mut [u8]) {
        let mut out = Writer::begin(&mut out[..Self::BYTES], self.key, &self.hash, self.place);
        out.put(self.seq.to_le_bytes());
        out.put(self.at.to_le_bytes());
        out.put(self.layout.unwrap_or_default().to_le_bytes());
        out.put([u8::from(self.alive) | u8::from(self.layout.is_some()) << 1]);
    }

    fn decode(bytes: &[u8]) -> EntryRecord {
        let mut reader = Reader(bytes);
        let key = reader.key();
        let hash = Hash(reader.take());
        let place = reader.place();
        let seq = i64::from_le_bytes(reader.take());
        let at = i64::from_le_bytes(reader.take());
        let layout = i32::from_le_bytes(reader.take());
        let [flags] = reader.take();
        EntryRecord {
            key,
            seq,
            at,
            layout: (flags & 2 != 0).then_some(layout),
            hash,
            place,
            alive: flags & 1 != 0,
        }
    }
}

impl Record for RowRecord {
    const BYTES: usize = 16 + 32 + 6 + 4;

    #[inline]
    fn encode(&self, out: &mut [u8]) {
        let mut out = Writer::begin(&mut out[..Self::BYTES], self.key, &self.hash, self.place);
        out.put(self.leaf.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> RowRecord {
        let mut reader = Reader(bytes);
        RowRecord {
            key: reader.key(),
            hash: Hash(reader.take()),
            place: reader.place(),
            leaf: u32::from_le_bytes(reader.take()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_a_tape() {
        for (layout, alive, seq) in [
            (None, true, i64::MIN),
            (Some(-3), false, 7),
            (Some(0), true, i64::MAX),
        ] {
            let entry = EntryRecord {
                key: KeyDigest(1, u64::MAX),
                seq,
                at: seq.rotate_left(7),
                layout,
                hash: Hash([7; 32]),
                place: Place {
                    block: u32::MAX,
                    offset: 3,
                },
                alive,
            };
            let mut bytes = [0; EntryRecord::BYTES];
            entry.encode(&mut bytes);
            assert_eq!(EntryRecord::decode(&bytes), entry);
        }
        let row = RowRecord {
            key: KeyDigest(u64::MAX, 2),
            hash: Hash([9; 32]),
            place: Place {
                block: 5,
                offset: u16::MAX,
            },
            leaf: 77,
        };
        let mut bytes = [0; RowRecord::BYTES];
        row.encode(&mut bytes);
        assert_eq!(RowRecord::decode(&bytes), row);
    }

    #[test]
    fn two_hashers_differ() {
        let (one, other) = (KeyHasher::new(), KeyHasher::new());
        assert_eq!(one.digest(b"42"), one.digest(b"42"));
        assert_ne!(one.digest(b"42"), one.digest(b"43"));
        assert_ne!(one.digest(b"42"), other.digest(b"42"));
        let KeyDigest(a, b) = one.digest(b"42");
        assert_ne!(a, b);
    }
}
