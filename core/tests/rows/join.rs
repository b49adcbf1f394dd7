//! The join, held against a naive one, whatever its memory.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use auditspine_core::hash::Hash;
use auditspine_core::rows::{
    EntryRecord, Join, KeyDigest, KeyHasher, Outcome, Place, Removals, RowRecord, Storage, Tape,
};
use proptest::prelude::*;

/// Tapes in memory, which count what is written and check the order of calls.
#[derive(Clone, Default)]
struct Shelf {
    written: Rc<Cell<usize>>,
}

struct Reel {
    bytes: Vec<u8>,
    at: Option<usize>,
    written: Rc<Cell<usize>>,
}

impl Storage for Shelf {
    type Tape = Reel;

    fn tape(&mut self) -> Reel {
        Reel {
            bytes: Vec::new(),
            at: None,
            written: self.written.clone(),
        }
    }
}

impl Tape for Reel {
    fn write(&mut self, bytes: &[u8]) {
        assert_eq!(self.at, None, "written after it was rewound");
        self.bytes.extend_from_slice(bytes);
        self.written.set(self.written.get() + bytes.len());
    }

    fn rewind(&mut self) {
        self.at = Some(0);
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let at = self.at.expect("read before it was rewound");
        let length = buffer.len().min(self.bytes.len() - at);
        buffer[..length].copy_from_slice(&self.bytes[at..at + length]);
        self.at = Some(at + length);
        length
    }
}

fn place(number: usize) -> Place {
    Place {
        block: number as u32,
        offset: 1,
    }
}

fn sort_key(outcome: &Outcome) -> (u8, Place, Place) {
    match outcome {
        Outcome::Differs { entry, row } => (0, entry.place, row.place),
        Outcome::Missing { entry } => (1, entry.place, entry.place),
        Outcome::Unrecorded { row, .. } => (2, row.place, row.place),
    }
}

fn joined(
    entries: &[EntryRecord],
    rows: &[RowRecord],
    removals: &Removals,
    budget: usize,
) -> (Vec<Outcome>, usize) {
    let shelf = Shelf::default();
    let mut join = Join::new(shelf.clone(), budget);
    // In any order: rows may come before entries.
    let (early, late) = rows.split_at(rows.len() / 2);
    early.iter().for_each(|row| join.add_row(*row));
    entries.iter().for_each(|entry| join.add_entry(*entry));
    late.iter().for_each(|row| join.add_row(*row));
    let mut outcomes = Vec::new();
    join.finish(removals, &mut |batch| outcomes.append(batch));
    outcomes.sort_by_key(sort_key);
    (outcomes, shelf.written.get())
}

/// The same by maps, in a few lines.
fn naive(entries: &[EntryRecord], rows: &[RowRecord], removals: &Removals) -> Vec<Outcome> {
    let mut latest: BTreeMap<KeyDigest, EntryRecord> = BTreeMap::new();
    for entry in entries {
        let known = latest.entry(entry.key).or_insert(*entry);
        if entry.seq >= known.seq {
            *known = *entry;
        }
    }
    let alive = |entry: &EntryRecord| entry.alive && !removals.cover(entry.seq, entry.layout);
    let mut met = Vec::new();
    let mut outcomes = Vec::new();
    for row in rows {
        let last = latest.get(&row.key).copied();
        match last {
            Some(entry) if alive(&entry) && !met.contains(&row.key) => {
                met.push(row.key);
                if entry.hash != row.hash {
                    outcomes.push(Outcome::Differs { entry, row: *row });
                }
            }
            _ => outcomes.push(Outcome::Unrecorded {
                row: *row,
                last,
                second: last.is_some_and(|entry| alive(&entry)),
            }),
        }
    }
    for entry in latest.values() {
        if alive(entry) && !met.contains(&entry.key) {
            outcomes.push(Outcome::Missing { entry: *entry });
        }
    }
    outcomes.sort_by_key(sort_key);
    outcomes
}

fn entry() -> impl Strategy<Value = (u16, u8, Option<u8>, bool)> {
    (
        0..300u16,
        0..3u8,
        proptest::option::of(0..4u8),
        proptest::bool::weighted(0.8),
    )
}

proptest! {
    #[test]
    fn agrees_with_a_naive_join(
        told in proptest::collection::vec(entry(), 0..600),
        there in proptest::collection::vec((0..300u16, 0..3u8), 0..400),
        gone in proptest::collection::vec((0..600i64, proptest::option::of(0..4u8)), 0..4),
        budget in prop_oneof![Just(0usize), 1..40_000usize, Just(1 << 30)],
        order in any::<u64>(),
    ) {
        let hasher = KeyHasher::new();
        let digest = |key: u16| hasher.digest(&key.to_le_bytes());
        let mut entries: Vec<EntryRecord> = told.iter().enumerate().map(|(at, (key, content, layout, alive))| EntryRecord {
            key: digest(*key),
            seq: at as i64,
            at: at as i64,
            layout: layout.map(i32::from),
            hash: Hash([*content; 32]),
            place: place(at),
            alive: *alive,
        }).collect();
        // Entries do not come in the order of their numbers.
        let turn = if entries.is_empty() { 0 } else { order as usize % entries.len() };
        entries.rotate_left(turn);
        let rows: Vec<RowRecord> = there.iter().enumerate().map(|(at, (key, content))| RowRecord {
            key: digest(*key),
            hash: Hash([*content; 32]),
            place: place(at),
            leaf: (at % 3) as u32,
        }).collect();
        let mut removals = Removals::default();
        for (seq, layout) in gone {
            match layout {
                Some(layout) => removals.remove_layout(seq, layout.into()),
                None => removals.remove_all(seq),
            }
        }
        let (outcomes, _) = joined(&entries, &rows, &removals, budget);
        prop_assert_eq!(outcomes, naive(&entries, &rows, &removals));
    }
}

#[test]
fn what_fits_is_not_written_and_what_does_not_is() {
    let hasher = KeyHasher::new();
    let count = 20_000usize;
    let entries: Vec<EntryRecord> = (0..count)
        .map(|at| EntryRecord {
            key: hasher.digest(&at.to_le_bytes()),
            seq: at as i64,
            at: at as i64,
            layout: Some(1),
            hash: Hash::of(&at.to_le_bytes()),
            place: place(at),
            alive: true,
        })
        .collect();
    let mut rows: Vec<RowRecord> = entries
        .iter()
        .map(|entry| RowRecord {
            key: entry.key,
            hash: entry.hash,
            place: entry.place,
            leaf: 0,
        })
        .collect();
    let none = Removals::default();
    let (outcomes, written) = joined(&entries, &rows, &none, 64 * 1024 * 1024);
    assert_eq!((outcomes.len(), written), (0, 0));
    // So little that parts are dealt again, twice.
    for budget in [1_000_000, 100_000, 3_000] {
        let (outcomes, written) = joined(&entries, &rows, &none, budget);
        assert_eq!(outcomes, []);
        assert!(written > count * 50, "{written} bytes");
    }
    rows[777].hash.0[31] ^= 1;
    rows.remove(10_000);
    let (outcomes, _) = joined(&entries, &rows, &none, 10_000);
    assert!(matches!(outcomes[0], Outcome::Differs { row, .. } if row.place == place(777)));
    assert!(matches!(outcomes[1], Outcome::Missing { entry } if entry.seq == 10_000));
    assert_eq!(outcomes.len(), 2);
}

#[test]
fn one_key_changed_for_ever_takes_no_room() {
    let hasher = KeyHasher::new();
    let key = hasher.digest(b"42");
    let entries: Vec<EntryRecord> = (0..50_000)
        .map(|at| EntryRecord {
            key,
            seq: at,
            at,
            layout: None,
            hash: Hash::of(&at.to_le_bytes()),
            place: place(at as usize),
            alive: at % 2 == 1,
        })
        .collect();
    let row = RowRecord {
        key,
        hash: Hash::of(&49_999_i64.to_le_bytes()),
        place: place(0),
        leaf: 0,
    };
    let none = Removals::default();
    assert_eq!(joined(&entries, &[row], &none, 5_000).0, []);
    let (outcomes, _) = joined(&entries, &[row, row], &none, 5_000);
    assert!(matches!(
        outcomes[..],
        [Outcome::Unrecorded { second: true, .. }]
    ));
}
