//! Bringing together entries and rows of one key: a grace hash join.
//!
//! Records are dealt by their key's digest to a fixed number of parts, and written to tapes once they
//! take too much memory. Then one part after the other is joined: its latest entry of each key goes to
//! a hash table, and its rows are looked up there. A part with too many keys for that is dealt again,
//! by further bits of the digest.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem::size_of;

use super::join_record::{EntryRecord, KeyDigest, Record, RowRecord};
use super::removals::Removals;

/// Makes tapes. What fails unwinds.
pub trait Storage {
    /// What it makes.
    type Tape: Tape;

    /// An empty tape.
    fn tape(&mut self) -> Self::Tape;
}

/// Bytes outside of memory: written one after the other, then read from the beginning.
pub trait Tape {
    /// Appends.
    fn write(&mut self, bytes: &[u8]);
    /// Goes back to the beginning; only [`Tape::read`] follows.
    fn rewind(&mut self);
    /// Fills the buffer with the next bytes, less than all of it only at the end; returns how many.
    fn read(&mut self, buffer: &mut [u8]) -> usize;
}

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
/// Bytes read from a tape at once, about.
const READ_BYTES: usize = 64 * 1024;

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
        let part = self.parts.of(entry.key);
        self.parts.used += self.parts.all[part].entries.push(entry);
        self.parts.spill_if_due(&mut self.storage);
    }

    /// Adds a row.
    #[inline]
    pub fn add_row(&mut self, row: RowRecord) {
        let part = self.parts.of(row.key);
        self.parts.used += self.parts.all[part].rows.push(row);
        self.parts.spill_if_due(&mut self.storage);
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

/// Records of one kind and part: in memory, and before them on a tape.
struct Pile<R, T> {
    records: Vec<R>,
    tape: Option<T>,
    count: usize,
}

impl<R: Record, T: Tape> Pile<R, T> {
    fn new() -> Pile<R, T> {
        Pile {
            records: Vec::new(),
            tape: None,
            count: 0,
        }
    }

    /// Adds a record; returns how many bytes of memory that took.
    #[inline]
    fn push(&mut self, record: R) -> usize {
        self.count += 1;
        let before = self.records.capacity();
        self.records.push(record);
        (self.records.capacity() - before) * size_of::<R>()
    }

    /// Writes all that is in memory to the tape.
    fn spill(&mut self, storage: &mut impl Storage<Tape = T>, scratch: &mut Vec<u8>) {
        let records = std::mem::take(&mut self.records);
        if records.is_empty() {
            return;
        }
        let tape = self.tape.get_or_insert_with(|| storage.tape());
        for some in records.chunks(READ_BYTES / R::BYTES) {
            scratch.clear();
            some.iter().for_each(|record| record.encode(scratch));
            tape.write(scratch);
        }
    }

    /// Shows every record in the order in which they were added.
    fn drain(self, scratch: &mut Vec<u8>, mut show: impl FnMut(R)) {
        if let Some(mut tape) = self.tape {
            tape.rewind();
            scratch.clear();
            scratch.resize(READ_BYTES / R::BYTES * R::BYTES, 0);
            loop {
                let read = tape.read(scratch);
                scratch[..read]
                    .chunks_exact(R::BYTES)
                    .for_each(|bytes| show(R::decode(bytes)));
                if read < scratch.len() {
                    break;
                }
            }
        }
        self.records.into_iter().for_each(show);
    }
}

struct Part<T> {
    entries: Pile<EntryRecord, T>,
    rows: Pile<RowRecord, T>,
}

struct Parts<T> {
    all: Vec<Part<T>>,
    budget: usize,
    used: usize,
    level: u32,
    spilled: bool,
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
            used: 0,
            level,
            spilled: false,
        }
    }

    /// Which part a key belongs to. The hash tables go by the other half of the digest.
    #[inline]
    fn of(&self, key: KeyDigest) -> usize {
        (key.1 >> (self.level * PART_BITS)) as usize & ((1 << PART_BITS) - 1)
    }

    #[inline]
    fn spill_if_due(&mut self, storage: &mut impl Storage<Tape = T>) {
        if self.used > self.budget {
            self.spill(storage);
        }
    }

    fn spill(&mut self, storage: &mut impl Storage<Tape = T>) {
        let mut scratch = Vec::new();
        for part in &mut self.all {
            part.entries.spill(storage, &mut scratch);
            part.rows.spill(storage, &mut scratch);
        }
        self.used = 0;
        self.spilled = true;
    }

    fn join(
        mut self,
        storage: &mut impl Storage<Tape = T>,
        removals: &Removals,
        outcomes: &mut Outcomes<'_>,
    ) {
        if self.spilled {
            // Memory is for the tables from now on.
            self.spill(storage);
        }
        for part in self.all {
            join_part(part, self.budget, self.level, storage, removals, outcomes);
        }
    }
}

/// The last entry of a key.
struct Latest {
    entry: EntryRecord,
    met: bool,
}

/// Of keys whose last entry by number is not the last by time: the latter, so far.
type Later = HashMap<KeyDigest, EntryRecord, BuildHasherDefault<DigestHasher>>;

/// Takes in another entry of a key.
#[inline]
fn take_in(latest: &mut Latest, entry: EntryRecord, later: &mut Later) {
    let last = latest.entry;
    if (entry.seq, entry.at) >= (last.seq, last.at) {
        latest.entry = entry;
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

type Table = HashMap<KeyDigest, Latest, BuildHasherDefault<DigestHasher>>;

fn join_part<T: Tape>(
    part: Part<T>,
    budget: usize,
    level: u32,
    storage: &mut impl Storage<Tape = T>,
    removals: &Removals,
    outcomes: &mut Outcomes<'_>,
) {
    const SLOT: usize = size_of::<(KeyDigest, Latest)>() + 1;
    let mut scratch = Vec::new();
    let mut table = Table::default();
    let mut later = Later::default();
    // Once the table would be too large, the part is dealt again.
    let mut smaller: Option<Parts<T>> = None;
    let Part { entries, rows } = part;
    table.reserve(entries.count.min(budget / SLOT / 2));
    entries.drain(&mut scratch, |entry| {
        if let Some(parts) = &mut smaller {
            let at = parts.of(entry.key);
            parts.used += parts.all[at].entries.push(entry);
            parts.spill_if_due(storage);
            return;
        }
        let latest = table
            .entry(entry.key)
            .or_insert(Latest { entry, met: false });
        take_in(latest, entry, &mut later);
        // One that is full would grow to twice its size.
        let full = table.len() == table.capacity();
        if full && 2 * table.len() * SLOT > budget && level < MAX_LEVEL {
            let mut parts = Parts::new(budget, level + 1);
            let kept = std::mem::take(&mut table).into_values();
            let later = std::mem::take(&mut later).into_values();
            for entry in kept.map(|latest| latest.entry).chain(later) {
                let at = parts.of(entry.key);
                parts.used += parts.all[at].entries.push(entry);
                parts.spill_if_due(storage);
            }
            smaller = Some(parts);
        }
    });
    if let Some(mut parts) = smaller {
        rows.drain(&mut scratch, |row| {
            let at = parts.of(row.key);
            parts.used += parts.all[at].rows.push(row);
            parts.spill_if_due(storage);
        });
        return parts.join(storage, removals, outcomes);
    }
    for (key, by_time) in later {
        // An entry with a greater number and time may have come since.
        if let Some(latest) = table.get_mut(&key)
            && by_time.at > latest.entry.at
            && (outcomes.settle)(&by_time, &latest.entry)
        {
            latest.entry = by_time;
        }
    }
    let alive = |entry: &EntryRecord| entry.alive && !removals.cover(entry.seq, entry.layout);
    rows.drain(&mut scratch, |row| {
        let unrecorded =
            |last: Option<EntryRecord>, second| Outcome::Unrecorded { row, last, second };
        match table.get_mut(&row.key) {
            None => outcomes.put(unrecorded(None, false)),
            Some(latest) if !alive(&latest.entry) => {
                outcomes.put(unrecorded(Some(latest.entry), false));
            }
            Some(latest) if latest.met => outcomes.put(unrecorded(Some(latest.entry), true)),
            Some(latest) => {
                latest.met = true;
                let (entry, comparable) = (latest.entry, outcomes.comparable);
                if entry.hash != row.hash || !comparable(&entry, &row) {
                    outcomes.put(Outcome::Differs {
                        entry: latest.entry,
                        row,
                    });
                }
            }
        }
    });
    for latest in table.values() {
        if !latest.met && alive(&latest.entry) {
            outcomes.put(Outcome::Missing {
                entry: latest.entry,
            });
        }
    }
}
