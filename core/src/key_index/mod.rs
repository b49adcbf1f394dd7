//! The index of entries by key that histories are read through: sorted runs of fixed-size items, packed into pages.
//!
//! It is no part of the commit path. Runs are made of what has come since the last one, and merged by size, so an
//! item is written a few times in all. What an item leads to is looked at again, so two keys of one digest cost
//! time only.

mod marks;
mod merge;
mod page;
mod tiers;

pub use marks::{Mark, bound};
pub use merge::{Merge, NotSorted};
pub use page::{ITEMS, PackedPage, WIDTH, pack};
pub use tiers::{FAN_IN, level, to_merge};

use crate::hash::{Hash, HashSink, Sink};

/// An entry: the digest of its kind and key, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// As [`key_of`] says.
    pub key: i64,
    /// Number of its chain.
    pub chain_id: i32,
    /// Its lane.
    pub lane: i16,
    /// Its position in the lane.
    pub pos: i64,
}

/// The first 8 bytes of SHA-256 over kind, a zero byte and key; without zero byte and key for an entry that has none.
/// Kinds are texts, so none of them has a zero byte in it.
pub fn key_of(kind: &[u8], pk: Option<&[u8]>) -> i64 {
    let mut text = HashSink::new();
    text.put(kind);
    if let Some(pk) = pk {
        text.put_byte(0);
        text.put(pk);
    }
    let (Hash(digest), _) = text.finish();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// The digest of a run, page by page.
pub struct RunDigest(HashSink);

impl RunDigest {
    /// Of no page yet.
    pub fn new() -> RunDigest {
        RunDigest(HashSink::new())
    }

    /// Takes in the next page: all that its row holds.
    pub fn page(&mut self, last_key: i64, number: i32, items: &[u8]) {
        self.0.put(&last_key.to_be_bytes());
        self.0.put(&number.to_be_bytes());
        self.0.put(&(items.len() as u64).to_be_bytes());
        self.0.put(items);
    }

    /// SHA-256 of all pages.
    pub fn finish(self) -> Hash {
        self.0.finish().0
    }
}

impl Default for RunDigest {
    fn default() -> RunDigest {
        RunDigest::new()
    }
}
