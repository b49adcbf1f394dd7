//! Verifying only some rows: those that entries from some `seq` on tell of, or those with given keys.

use std::collections::HashMap;

use auditspine_core::rows::{EntryRecord, KeyDigest, KeyHasher, Outcome, RowRecord};

use crate::verify::rows::entries::{self, Entries, Entry, Which};
use crate::verify::rows::lookup::{KeyIndex, key_index};
use crate::verify::rows::partition::Partition;

/// Some keys, and the latest entry of each.
pub struct Touched {
    latest: HashMap<Vec<u8>, (KeyDigest, Option<EntryRecord>)>,
    /// What the pass over the entries found.
    pub pass: entries::Pass,
}

/// With more keys than this the whole table is read: not much slower, and in bounded memory.
const MOST_KEYS: usize = 50_000;

/// Reads the entries from `start` on; `None` if the whole table is to be read.
pub fn touched(about: Entries<'_>, start: i64, hasher: &KeyHasher) -> Option<Touched> {
    read(about, Which::Since(start), HashMap::new(), hasher)
}

/// Reads the entries of some keys; `None` if the whole table is to be read.
pub fn of_keys(about: Entries<'_>, keys: &[Vec<u8>], hasher: &KeyHasher) -> Option<Touched> {
    let latest = keys
        .iter()
        .map(|key| (key.clone(), (hasher.digest(key), None)))
        .collect();
    read(about, Which::OfKeys(keys), latest, hasher)
}

fn read(
    about: Entries<'_>,
    which: Which<'_>,
    mut latest: HashMap<Vec<u8>, (KeyDigest, Option<EntryRecord>)>,
    hasher: &KeyHasher,
) -> Option<Touched> {
    if latest.len() > MOST_KEYS {
        return None;
    }
    let (mut too_many, mut in_doubt) = (false, false);
    let mut room = MOST_KEYS - latest.len();
    let pass = entries::read(
        about,
        which,
        hasher,
        &mut |Entry { key, record, .. }| match latest.get_mut(key) {
            Some((_, Some(known)))
                if (known.seq > record.seq) != (known.at > record.at) && known.at != record.at =>
            {
                in_doubt = true;
            }
            Some((_, Some(known))) if known.seq > record.seq => {}
            Some((_, known)) => *known = Some(record),
            None if room == 0 => too_many = true,
            None => {
                room -= 1;
                latest.insert(key.to_vec(), (record.key, Some(record)));
            }
        },
    );
    (!too_many && !in_doubt && pass.truncated.is_empty()).then_some(Touched { latest, pass })
}

impl Touched {
    /// Looks up the rows of these keys; shows what does not agree, and returns how many rows there are.
    /// `None`, and nothing is shown, if the whole table is to be read.
    pub fn outcomes(&self, leaves: &mut [Partition]) -> Option<(u64, Vec<Outcome>)> {
        let indexes: Vec<KeyIndex> = leaves
            .iter()
            .map(|leaf| key_index(leaf.relation(), &leaf.spec.key))
            .collect::<Option<_>>()?;
        let current: Vec<Option<i32>> = leaves.iter().map(|leaf| leaf.current_layout).collect();
        let mut outcomes = Vec::new();
        let mut rows = 0;
        for (key, (digest, entry)) in &self.latest {
            pgrx::check_for_interrupts!();
            let mut of_key: Vec<RowRecord> = Vec::new();
            for (number, (leaf, index)) in leaves.iter_mut().zip(&indexes).enumerate() {
                let found = index.find(leaf, number as u32, (key, *digest), &mut |row| {
                    of_key.push(row);
                });
                found.ok()?;
            }
            rows += of_key.len() as u64;
            compare(entry.as_ref(), &of_key, &current, &mut outcomes);
        }
        Some((rows, outcomes))
    }
}

/// Whether equal hashes of an entry and a row were taken from the same columns. Others may be called the same by now.
pub fn are_comparable(entry: &EntryRecord, row: &RowRecord, current: &[Option<i32>]) -> bool {
    entry.layout.is_none() || entry.layout == current.get(row.leaf as usize).copied().flatten()
}

fn compare(
    entry: Option<&EntryRecord>,
    rows: &[RowRecord],
    current: &[Option<i32>],
    outcomes: &mut Vec<Outcome>,
) {
    let alive = entry.filter(|entry| entry.alive);
    let others = match (alive, rows.split_first()) {
        (Some(entry), None) => {
            outcomes.push(Outcome::Missing { entry: *entry });
            return;
        }
        (Some(entry), Some((row, others))) => {
            if row.hash != entry.hash || !are_comparable(entry, row, current) {
                outcomes.push(Outcome::Differs {
                    entry: *entry,
                    row: *row,
                });
            }
            others
        }
        (None, _) => rows,
    };
    outcomes.extend(others.iter().map(|row| Outcome::Unrecorded {
        row: *row,
        last: entry.copied(),
        second: alive.is_some(),
    }));
}
