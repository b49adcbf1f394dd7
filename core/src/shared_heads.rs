//! Ends of lanes in memory that many processes share.
//!
//! A table of slots, each a few atomic words, without locks: whoever writes a slot first makes its version odd, and
//! even again when done; who finds it odd, or loses that race, goes without. The table is a cache: a slot that is not
//! there costs its user a search, and one that is there must be the end of its lane.
//!
//! What keeps it so is the protocol of its users. Whoever appends to a lane holds the lane's lock. Under it he
//! [takes](SharedHeads::take) the lane's slot, which empties it, before he appends; and he
//! [puts](SharedHeads::put) the new end there when that is committed and seen by all, before he gives the lock back.
//! So between two appends that are committed there is either the end that the first one left, or nothing: an append
//! that fails, is prepared, or whose process dies leaves nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::hash::Hash;

/// The lane whose end a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaneKey {
    /// The file that the entries are in: numbers of its tablespace, its database, and itself.
    pub file: [u32; 3],
    /// Number of the chain.
    pub chain_id: i32,
    /// Lane within the chain.
    pub lane: i16,
}

/// The end of a lane, and where it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneEnd {
    /// Position of the last entry.
    pub pos: i64,
    /// Its number.
    pub seq: i64,
    /// What the next entry's `prev_hash` is.
    pub chain_hash: Hash,
    /// Its page in the file.
    pub block: u32,
    /// Its number on the page.
    pub offset: u16,
    /// Where the page was in memory; a hint.
    pub buffer: i32,
}

/// Words of a slot that are in use: its version, four of the key and the place, then the end itself.
const WORDS: usize = 11;

/// Room for the end of one lane. All zeros is an empty one.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Slot([AtomicU64; 16]);

/// Where one slot is as good as another for a key.
const WAYS: usize = 4;

/// How often it is tried to have a slot that others write, which takes them some nanoseconds: at once, and then for
/// some seconds.
const SPINS: u32 = 1000;
const PATIENCE: u32 = SPINS + 5000;

/// Somebody stopped while writing a slot, or the table holds what nobody can have put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck;

/// A table of slots that processes share.
#[derive(Clone, Copy, Debug)]
pub struct SharedHeads<'a>(&'a [Slot]);

impl<'a> SharedHeads<'a> {
    /// A table in these slots. All who share it agree on their number, a power of two and at least 4.
    pub fn new(slots: &'a [Slot]) -> SharedHeads<'a> {
        debug_assert!(slots.len().is_power_of_two() && slots.len() >= WAYS);
        SharedHeads(slots)
    }

    /// Takes the end of a lane out of the table. The caller holds the lane.
    ///
    /// An error if somebody who is writing the slot does not get on with it: then the end may still be there, and
    /// nobody must use the table any more.
    pub fn take(&self, key: &LaneKey) -> Result<Option<LaneEnd>, Stuck> {
        let mut found = None;
        for slot in self.set(key) {
            if let Some(end) = slot.take(key)? {
                // Nobody puts one there twice.
                if found.replace(end).is_some() {
                    return Err(Stuck);
                }
            }
        }
        Ok(found)
    }

    /// Puts the end of a lane there, perhaps in the place of another lane's. The caller holds the lane, and has
    /// [taken](SharedHeads::take) what was there before he appended to it.
    pub fn put(&self, key: &LaneKey, end: &LaneEnd) {
        let set = self.set(key);
        let free = set.iter().find(|slot| slot.is_empty());
        // Any other will do: the positions of a lane do not repeat a pattern for long.
        let other = &set[end.pos as usize % WAYS];
        if let Some(own) = free.unwrap_or(other).own() {
            own.put(key, end);
        }
    }

    /// Empties the slots of all lanes in a database. A slot that is being written at this moment may be left.
    pub fn forget(&self, database: u32) {
        for slot in self.0 {
            // Looked at again once it is ours.
            if slot.database() == database
                && let Some(own) = slot.own()
                && slot.database() == database
            {
                own.take();
            }
        }
    }

    /// The slots that a lane's end may be in.
    fn set(&self, key: &LaneKey) -> &'a [Slot] {
        let lane = (key.chain_id as u32 as u64) << 16 | key.lane as u16 as u64;
        let file = u64::from(key.file[2]) << 32 | u64::from(key.file[1]);
        // Fibonacci hashing: the upper bits are as good as any.
        let hash = (lane ^ file.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let sets = self.0.len() / WAYS;
        let first = hash as usize % sets * WAYS;
        &self.0[first..first + WAYS]
    }
}

impl Slot {
    /// Takes the end of this lane, if it is here. Others may hold the slot for a moment for the sake of lanes that
    /// were here before, and leave it as it is: it takes waiting to know.
    fn take(&self, key: &LaneKey) -> Result<Option<LaneEnd>, Stuck> {
        for attempt in 0..PATIENCE {
            if !self.is_of(key) {
                return Ok(None);
            }
            if let Some(own) = self.own() {
                return Ok(self.is_of(key).then(|| own.take()));
            }
            match attempt {
                0..SPINS => std::hint::spin_loop(),
                // It was interrupted in the middle: let it go on.
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        Err(Stuck)
    }

    fn load(&self, at: usize) -> u64 {
        self.0[at].load(Ordering::Relaxed)
    }

    fn is_of(&self, key: &LaneKey) -> bool {
        let [file, entries] = words_of(key);
        self.load(1) == file
            && self.load(2) == entries
            && self.load(3) == place_of(key, self.load(3))
    }

    fn is_empty(&self) -> bool {
        self.load(1) == 0
    }

    fn database(&self) -> u32 {
        self.load(1) as u32
    }

    /// Makes the slot the caller's own until that is dropped; `None` if another has it.
    fn own(&self) -> Option<Own<'_>> {
        let version = self.0[0].load(Ordering::Relaxed);
        let odd = version | 1;
        let is_ours = version != odd
            && self.0[0]
                .compare_exchange(version, odd, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        // Not `then_some`: what that makes ahead would be dropped, and give the slot of another free.
        is_ours.then(|| Own { slot: self, odd })
    }
}

/// Tablespace and database; file and chain.
fn words_of(key: &LaneKey) -> [u64; 2] {
    [
        u64::from(key.file[0]) << 32 | u64::from(key.file[1]),
        u64::from(key.file[2]) << 32 | u64::from(key.chain_id as u32),
    ]
}

/// The lane, put into a word that holds the entry's number on its page and a hint beside it.
fn place_of(key: &LaneKey, word: u64) -> u64 {
    word & !0xffff | u64::from(key.lane as u16)
}

/// A slot that nobody else writes, or takes from.
struct Own<'a> {
    slot: &'a Slot,
    odd: u64,
}

impl Own<'_> {
    fn take(self) -> LaneEnd {
        let word = |at: usize| self.slot.load(at);
        let mut hash = Hash::ZERO;
        for (part, at) in hash.0.chunks_exact_mut(8).zip(7..WORDS) {
            part.copy_from_slice(&word(at).to_ne_bytes());
        }
        let end = LaneEnd {
            pos: word(5) as i64,
            seq: word(6) as i64,
            chain_hash: hash,
            block: word(4) as u32,
            offset: (word(3) >> 16) as u16,
            buffer: (word(3) >> 32) as i32,
        };
        self.set(1, 0);
        end
    }

    fn put(self, key: &LaneKey, end: &LaneEnd) {
        let [file, entries] = words_of(key);
        let place = u64::from(end.buffer as u32) << 32 | u64::from(end.offset) << 16;
        self.set(1, file);
        self.set(2, entries);
        self.set(3, place_of(key, place));
        self.set(4, u64::from(end.block));
        self.set(5, end.pos as u64);
        self.set(6, end.seq as u64);
        for (part, at) in end.chain_hash.0.chunks_exact(8).zip(7..WORDS) {
            let mut word = [0; 8];
            word.copy_from_slice(part);
            self.set(at, u64::from_ne_bytes(word));
        }
    }

    fn set(&self, at: usize, word: u64) {
        self.slot.0[at].store(word, Ordering::Relaxed);
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.slot.0[0].store(self.odd.wrapping_add(1), Ordering::Release);
    }
}
