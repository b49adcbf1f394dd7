//! Verifying only the rows that entries from some `seq` on tell of.

use std::collections::HashMap;

use auditspine_core::rows::{EntryRecord, KeyHasher, Outcome, RowRecord};

use super::entries::{self, Entry};
use super::leaf::Leaf;
use super::lookup::{KeyIndex, key_index};
use super::target::Source;

/// The latest entry of each key that was touched.
pub struct Touched {
    latest: HashMap<Vec<u8>, EntryRecord>,
    /// What the pass over the entries found.
    pub pass: entries::Pass,
}

/// With more keys than this the whole table is read: not much slower, and in bounded memory.
const MOST_KEYS: usize = 50_000;

/// Reads the entries from `start` on; `None` if the whole table is to be read.
pub fn touched(sources: &[Source], start: i64, hasher: &KeyHasher) -> Option<Touched> {
    let mut latest: HashMap<Vec<u8>, EntryRecord> = HashMap::new();
    let mut too_many = false;
    let pass = entries::read(
        sources,
        Some(start),
        hasher,
        &mut |Entry { key, record }| {
            too_many |= latest.len() >= MOST_KEYS;
            if too_many {
                return;
            }
            match latest.get_mut(key) {
                Some(known) if known.seq > record.seq => {}
                Some(known) => *known = record,
                None => {
                    latest.insert(key.to_vec(), record);
                }
            }
        },
    );
    (!too_many && pass.truncated.is_empty()).then_some(Touched { latest, pass })
}

impl Touched {
    /// Looks up the rows of these keys; shows what does not agree, and returns how many rows there are.
    /// `None`, and nothing is shown, if the whole table is to be read.
    pub fn outcomes(&self, leaves: &mut [Leaf]) -> Option<(u64, Vec<Outcome>)> {
        let indexes: Vec<KeyIndex> = leaves
            .iter()
            .map(|leaf| key_index(leaf.relation(), &leaf.spec.key))
            .collect::<Option<_>>()?;
        let mut outcomes = Vec::new();
        let mut rows = 0;
        for (key, entry) in &self.latest {
            pgrx::check_for_interrupts!();
            let mut of_key: Vec<RowRecord> = Vec::new();
            for (number, (leaf, index)) in leaves.iter_mut().zip(&indexes).enumerate() {
                let found = index.find(leaf, number as u32, (key, entry.key), &mut |row| {
                    of_key.push(row);
                });
                found.ok()?;
            }
            rows += of_key.len() as u64;
            compare(entry, &of_key, &mut outcomes);
        }
        Some((rows, outcomes))
    }
}

fn compare(entry: &EntryRecord, rows: &[RowRecord], outcomes: &mut Vec<Outcome>) {
    let (first, others) = match rows.split_first() {
        None => {
            if entry.alive {
                outcomes.push(Outcome::Missing { entry: *entry });
            }
            return;
        }
        Some((first, others)) if entry.alive => (Some(first), others),
        Some(_) => (None, rows),
    };
    if let Some(row) = first
        && row.hash != entry.hash
    {
        outcomes.push(Outcome::Differs {
            entry: *entry,
            row: *row,
        });
    }
    outcomes.extend(others.iter().map(|row| Outcome::Unrecorded {
        row: *row,
        last: Some(*entry),
        second: entry.alive,
    }));
}
