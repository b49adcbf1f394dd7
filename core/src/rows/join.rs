//! Bringing together entries and rows of one key: a grace hash join.
//!
//! Records are dealt by their key's digest to a fixed number of parts, and written to tapes once they
//! take too much memory. Then one part after the other is joined: its latest entry of each key goes to
//! a table, and its rows are looked up there. A part with too many keys for that is dealt again,
//! by further bits of the digest.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem::size_of;

use super::join_record::{EntryRecord, KeyDigest, RowRecord};
use super::pile::{Pile, Room, Storage, Tape};
use super::removals::Removals;

/// What does not agree, as far as the records tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The row has not the hash that its last entry recorded.
    Differs {
        /// The last entry of the key.
        entry: EntryRecord,
        /// The row.
        row: RowRecord,
    },
    /// The last entry says that there is a row, and there is none.
    Missing {
        /// The last entry of the key.
        entry: EntryRecord,
    },
    /// There is a row, and no entry that says so.
    Unrecorded {
        /// The row.
        row: RowRecord,
        /// The last entry of the key, if it has any: the row was deleted, or taken away with others;
        /// or another row of this key was met before.
        last: Option<EntryRecord>,
        /// Whether another row of this key was met before.
        second: bool,
    },
}

/// What records do not tell.
pub struct How<'a> {
    /// Of a key whose last entry by number is not the last by time: whether the one that is counts. It is given the
    /// last by time and the last by number.
    pub settle: &'a mut dyn FnMut(&EntryRecord, &EntryRecord) -> bool,
    /// Whether equal hashes mean equal rows: both were taken from the same columns.
    pub comparable: &'a dyn Fn(&EntryRecord, &RowRecord) -> bool,
}

/// Parts that records are dealt to, as a power of two.
const PART_BITS: u32 = 5;
/// How often a part can be dealt again: by then all bits are used.
const MAX_LEVEL: u32 = u64::BITS / PART_BITS - 1;
/// Outcomes handed over at once, at most.
const BATCH: usize = 16 * 1024;
/// Bytes of a table's slot and of the entry that it is for: a slot of the hash table may be more than twice as many
/// as there are keys.
const BYTES_PER_KEY: usize =
    size_of::<EntryRecord>() + (size_of::<(KeyDigest, Known)>() + 1) * 16 / 7;
/// While a table is dealt again, the parts get one in so many of the bytes that it is given.
const SHARE_OF_DEALING: usize = 4;

/// The join: entries and rows are added in any order, then [`Join::finish`] compares them.
pub struct Join<S: Storage> {
    storage: S,
    parts: Parts<S::Tape>,
}

impl<S: Storage> Join<S> {
    /// A join that keeps about `budget` bytes in memory.
    pub fn new(storage: S, budget: usize) -> Join<S> {
        Join {
            storage,
            parts: Parts::new(budget, 0),
        }
    }

    /// Adds what an entry says of its key.
    #[inline]
    pub fn add_entry(&mut self, entry: EntryRecord) {
        self.parts.add_entry(entry, &mut self.storage);
    }

    /// Adds a row.
    #[inline]
    pub fn add_row(&mut self, row: RowRecord) {
        self.parts.add_row(row, &mut self.storage);
    }

    /// Compares, and hands over what does not agree, some outcomes at a time. Rows of one table come
    /// neither in order nor all at once.
    pub fn finish(self, removals: &Removals, show: &mut dyn FnMut(&mut Vec<Outcome>)) {
        let how = How {
            settle: &mut |_, _| false,
            comparable: &|_, _| true,
        };
        self.finish_in_doubt(removals, how, show);
    }

    /// As [`Join::finish`], where the records do not tell everything.
    pub fn finish_in_doubt(
        mut self,
        removals: &Removals,
        how: How<'_>,
        show: &mut dyn FnMut(&mut Vec<Outcome>),
    ) {
        let mut outcomes = Outcomes {
            batch: Vec::new(),
            settle: how.settle,
            comparable: how.comparable,
            show,
        };
        self.parts.join(&mut self.storage, removals, &mut outcomes);
        outcomes.hand_over();
    }
}

struct Outcomes<'a> {
    batch: Vec<Outcome>,
    settle: &'a mut dyn FnMut(&EntryRecord, &EntryRecord) -> bool,
    comparable: &'a dyn Fn(&EntryRecord, &RowRecord) -> bool,
    show: &'a mut dyn FnMut(&mut Vec<Outcome>),
}

impl Outcomes<'_> {
    fn put(&mut self, outcome: Outcome) {
        self.batch.push(outcome);
        if self.batch.len() >= BATCH {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            (self.show)(&mut self.batch);
            self.batch.clear();
        }
    }
}

struct Part<T> {
    entries: Pile<EntryRecord, T>,
    rows: Pile<RowRecord, T>,
}

struct Parts<T> {
    all: Vec<Part<T>>,
    budget: usize,
    room: Room,
    level: u32,
}

impl<T: Tape> Parts<T> {
    fn new(budget: usize, level: u32) -> Parts<T> {
        let part = |_| Part {
            entries: Pile::new(),
            rows: Pile::new(),
        };
        Parts {
            all: (0..1 << PART_BITS).map(part).collect(),
            budget,
            room: Room::new(budget),
            level,
        }
    }

    /// Which part a key belongs to. The hash tables go by the other half of the digest.
    #[inline]
    fn of(&self, key: KeyDigest) -> usize {
        (key.1 >> (self.level * PART_BITS)) as usize & ((1 << PART_BITS) - 1)
    }

    #[inline]
    fn add_entry(&mut self, entry: EntryRecord, storage: &mut impl Storage<Tape = T>) {
        let part = self.of(entry.key);
        self.all[part].entries.push(&entry, &mut self.room);
        self.spill_if_due(storage);
    }

    #[inline]
    fn add_row(&mut self, row: RowRecord, storage: &mut impl Storage<Tape = T>) {
        let part = self.of(row.key);
        self.all[part].rows.push(&row, &mut self.room);
        self.spill_if_due(storage);
    }

    #[inline]
    fn spill_if_due(&mut self, storage: &mut impl Storage<Tape = T>) {
        if self.room.is_exceeded() {
            self.spill(storage);
        }
    }

    fn spill(&mut self, storage: &mut impl Storage<Tape = T>) {
        for part in &mut self.all {
            part.entries.spill(storage, &self.room);
            part.rows.spill(storage, &self.room);
        }
        self.room.clear();
    }

    fn join(
        mut self,
        storage: &mut impl Storage<Tape = T>,
        removals: &Removals,
        outcomes: &mut Outcomes<'_>,
    ) {
        if self.room.was_cleared() {
            // Memory is for the tables from now on.
            self.spill(storage);
            self.room = Room::new(0);
        }
        for part in self.all {
            join_part(
                part,
                &self.room,
                (self.budget, self.level),
                storage,
                removals,
                outcomes,
            );
        }
    }
}

/// What is known of a key: its last entry, by its number in the table, and whether a row was met.
#[derive(Clone, Copy)]
struct Known {
    at: usize,
    met: bool,
}

/// Of keys whose last entry by number is not the last by time: the latter, so far.
type Later = HashMap<KeyDigest, EntryRecord, BuildHasherDefault<DigestHasher>>;

/// Takes in another entry of a key.
#[inline]
fn take_in(latest: &mut EntryRecord, entry: EntryRecord, later: &mut Later) {
    let last = *latest;
    if (entry.seq, entry.at) >= (last.seq, last.at) {
        *latest = entry;
        if last.at > entry.at {
            keep_later(last, later);
        }
    } else if entry.at > last.at {
        keep_later(entry, later);
    }
}

#[cold]
fn keep_later(entry: EntryRecord, later: &mut Later) {
    let known = later.entry(entry.key).or_insert(entry);
    if entry.at > known.at {
        *known = entry;
    }
}

/// A digest is as random as a hash need be.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    #[inline]
    fn write_u64(&mut self, half: u64) {
        if self.0 == 0 {
            self.0 = half;
        }
    }
}

/// The last entry of each key.
#[derive(Default)]
struct Table {
    index: HashMap<KeyDigest, Known, BuildHasherDefault<DigestHasher>>,
    entries: Vec<EntryRecord>,
    later: Later,
}

impl Table {
    fn with_room_for(keys: usize) -> Table {
        let mut table = Table::default();
        table.index.reserve(keys);
        table.entries.reserve_exact(keys);
        table
    }

    #[inline]
    fn add(&mut self, entry: EntryRecord) {
        let at = self.entries.len();
        let known = self
            .index
            .entry(entry.key)
            .or_insert(Known { at, met: false });
        if known.at == at {
            self.entries.push(entry);
        } else {
            take_in(&mut self.entries[known.at], entry, &mut self.later);
        }
    }

    /// Deals the entries to parts, with little memory until it has given its own back.
    fn deal<T: Tape>(
        self,
        budget: usize,
        level: u32,
        storage: &mut impl Storage<Tape = T>,
    ) -> Parts<T> {
        let mut parts = Parts::new(budget, level);
        parts.room = Room::new(budget / SHARE_OF_DEALING);
        drop(self.index);
        let later = self.later.into_values();
        for entry in self.entries.into_iter().chain(later) {
            parts.add_entry(entry, storage);
        }
        parts.room.extend_to(budget);
        parts
    }

    /// Asks of keys whose last entry by number is not the last by time which of these counts.
    fn settle(&mut self, outcomes: &mut Outcomes<'_>) {
        for (key, by_time) in std::mem::take(&mut self.later) {
            // An entry with a greater number and time may have come since.
            if let Some(known) = self.index.get(&key)
                && let latest = &mut self.entries[known.at]
                && by_time.at > latest.at
                && (outcomes.settle)(&by_time, latest)
            {
                *latest = by_time;
            }
        }
    }
}

fn join_part<T: Tape>(
    part: Part<T>,
    room: &Room,
    (budget, level): (usize, u32),
    storage: &mut impl Storage<Tape = T>,
    removals: &Removals,
    outcomes: &mut Outcomes<'_>,
) {
    let most = budget / BYTES_PER_KEY;
    let Part { entries, rows } = part;
    let mut table = Table::with_room_for(entries.count().min(most));
    // Once the table would be too large, the part is dealt again.
    let mut smaller: Option<Parts<T>> = None;
    entries.drain(room, |entry| {
        if let Some(parts) = &mut smaller {
            return parts.add_entry(entry, storage);
        }
        table.add(entry);
        if table.entries.len() > most && level < MAX_LEVEL {
            let full = std::mem::take(&mut table);
            smaller = Some(full.deal(budget, level + 1, storage));
        }
    });
    if let Some(mut parts) = smaller {
        rows.drain(room, |row| parts.add_row(row, storage));
        return parts.join(storage, removals, outcomes);
    }
    table.settle(outcomes);
    let Table {
        mut index, entries, ..
    } = table;
    let alive = |entry: &EntryRecord| entry.alive && !removals.cover(entry.seq, entry.layout);
    rows.drain(room, |row| {
        let unrecorded =
            |last: Option<EntryRecord>, second| Outcome::Unrecorded { row, last, second };
        let known = index.get_mut(&row.key);
        match known.map(|known| (entries[known.at], &mut known.met)) {
            None => outcomes.put(unrecorded(None, false)),
            Some((last, _)) if !alive(&last) => outcomes.put(unrecorded(Some(last), false)),
            Some((last, met)) if *met => outcomes.put(unrecorded(Some(last), true)),
            Some((entry, met)) => {
                *met = true;
                if entry.hash != row.hash || !(outcomes.comparable)(&entry, &row) {
                    outcomes.put(Outcome::Differs { entry, row });
                }
            }
        }
    });
    for known in index.values() {
        let entry = entries[known.at];
        if !known.met && alive(&entry) {
            outcomes.put(Outcome::Missing { entry });
        }
    }
}
