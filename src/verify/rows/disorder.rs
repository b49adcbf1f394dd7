//! Entries whose numbers contradict the order in which they were linked, and what of it concerns a table's rows.

use std::collections::HashSet;

use auditspine_core::order::{Group, Order, StepBack, proves_of_row};
use auditspine_core::rows::{EntryRecord, RowFindingKind};

use crate::ledger::order::{self, Found};
use crate::verify::rows::entries;
use crate::verify::rows::judge::Judge;
use crate::verify::rows::report::Finding;
use crate::verify::rows::target::{Source, Target};

/// Entries about the table whose numbers tell another order than that in which they were linked, or that
/// share a number.
pub fn disputed(order: Order, sources: &[Source]) -> Vec<Found> {
    let mut disputed = Vec::new();
    for (from, to) in order.doubtful() {
        disputed.extend(
            order::find(from, to)
                .into_iter()
                .filter(|found| sources.iter().any(|source| source.kind == found.event_kind)),
        );
    }
    disputed
}

/// Entries that are the last of their rows by number, and cannot have been linked last.
#[derive(Default)]
pub struct Doubts {
    steps: Option<Vec<StepBack>>,
    /// The last number that was drawn, or a later one.
    drawn: Option<i64>,
    /// Numbers of entries that were told of before.
    known: HashSet<i64>,
    told: Vec<(EntryRecord, EntryRecord)>,
    more: u64,
}

/// Doubts about rows that are told one by one.
const MOST_DOUBTS: usize = 1000;

impl Doubts {
    /// None yet. `drawn` is the last number that was drawn, or a later one; `known` has the numbers of entries that were
    /// told of before.
    pub fn new(drawn: Option<i64>, known: HashSet<i64>) -> Doubts {
        Doubts {
            drawn,
            known,
            ..Doubts::default()
        }
    }

    /// Whether the last entry of a row by time counts, and not the last by number.
    pub fn counts(&mut self, by_time: &EntryRecord, by_number: &EntryRecord) -> bool {
        let group = |entry: &EntryRecord| Group {
            seq: entry.seq,
            at: entry.at,
        };
        let steps = self
            .steps
            .get_or_insert_with(|| order::steps(i64::MIN, i64::MAX));
        let counts = self.drawn.is_some_and(|drawn| by_number.seq > drawn)
            || proves_of_row(&group(by_time), &group(by_number), steps);
        if self.known.contains(&by_number.seq) || self.known.contains(&by_time.seq) {
            return counts;
        }
        if counts && self.told.len() < MOST_DOUBTS {
            self.told.push((*by_time, *by_number));
        } else if counts {
            self.more += 1;
        }
        counts
    }

    /// Tells of them.
    pub fn tell(self, target: &Target, judge: &mut Judge<'_>) {
        let mut tell = |entry: &EntryRecord, what: String| {
            let evidence = judge.entries.fetch(entry.place);
            (judge.put)(Finding {
                seq: Some(entry.seq),
                key: evidence.and_then(|evidence| evidence.key),
                ..Finding::of_table(RowFindingKind::OrderDisputed, &target.name, what)
            });
        };
        for (by_time, by_number) in &self.told {
            let what = format!(
                "the last entry of the row by number was linked before one with seq {}, which counts: the \
                 sequence was set when one of them was numbered",
                by_time.seq
            );
            tell(by_number, what);
        }
        if let Some((_, entry)) = self.told.last().filter(|_| self.more > 0) {
            tell(entry, format!("so it is with {} more rows", self.more));
        }
    }
}

/// Tells of entries that are disputed, and of those beyond what was drawn.
pub fn tell_disputed(
    target: &Target,
    disputed: &[Found],
    pass: &entries::Pass,
    judge: &mut Judge<'_>,
) {
    let mut tell = |seq: i64, key: Option<&[u8]>, what: String| {
        (judge.put)(Finding {
            seq: Some(seq),
            key: key.map(<[u8]>::to_vec),
            ..Finding::of_table(RowFindingKind::OrderDisputed, &target.name, what)
        });
    };
    for found in disputed {
        let what = found.detail.clone().unwrap_or_else(|| {
            "another entry has the same seq: the sequence was set back".to_owned()
        });
        tell(
            found.seq,
            found.event_pk.as_deref().map(str::as_bytes),
            what,
        );
    }
    for (seq, key) in &pass.ahead {
        let what =
            "the entry's seq is beyond what auditspine.audit_seq has drawn, so it does not count";
        tell(*seq, Some(key), what.to_owned());
    }
    if let Some((seq, _)) = pass.ahead.first().filter(|_| pass.more_ahead > 0) {
        tell(
            *seq,
            None,
            format!("{} more entries are beyond what was drawn", pass.more_ahead),
        );
    }
}
