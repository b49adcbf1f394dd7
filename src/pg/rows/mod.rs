//! Verifying the rows of a table: what each is now against what its last entry recorded.
//!
//! One snapshot serves for entries and rows, which are committed together, so they agree under it. The
//! entries of the kind are read once, then the rows; both become records of a fixed size that are
//! joined by key in bounded memory (`auditspine_core::rows`). What does not agree is read again.

mod entries;
mod entry_points;
mod judge;
mod leaf;
mod output;
mod receiver;
mod recorded;
mod report;
mod target;

use std::collections::HashSet;

use auditspine_core::rows::{Join, KeyHasher, Layouts, Place, RowFindingKind};
use pgrx::pg_sys;

pub use recorded::Recorded;
pub use report::{Finding, TableReport};

use self::entries::EntryFetcher;
use self::judge::Judge;
use self::leaf::Leaf;
use self::target::Target;
use crate::pg::audited;
use crate::pg::layouts::KIND as LAYOUT_KIND;
use crate::pg::spill::TempFiles;
use crate::pg::state::state;
use crate::pg::verify::{CurrentSnapshot, expect_select};

/// How much a caller wants to know of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Kind, table, entry and hashes.
    Brief,
    /// Key and content besides.
    Evidence,
}

/// Least memory for records, in bytes; `work_mem` if that is more.
const LEAST_MEMORY: usize = 16 * 1024 * 1024;
/// Rows without a key that are told one by one; of the others only the number.
const MOST_KEYLESS: usize = 1000;

/// Verifies the rows of a table under every kind that it is audited under, and hands every finding to
/// `sink`. A partition stands for the partitioned table.
///
/// Needs SELECT on auditspine.audit_chain. Raises 42704 for a table that is not audited.
pub fn verify(
    relation: pg_sys::Oid,
    detail: Detail,
    sink: &mut dyn FnMut(Finding),
) -> Vec<TableReport> {
    expect_select(state().audit_chain);
    let _snapshot = CurrentSnapshot::push();
    verify_recorded(relation, &Recorded::read(), detail, sink)
}

/// As [`verify`], under the active snapshot and with what the system's entries say under it; for
/// callers that verify many tables.
pub fn verify_recorded(
    relation: pg_sys::Oid,
    recorded: &Recorded,
    detail: Detail,
    sink: &mut dyn FnMut(Finding),
) -> Vec<TableReport> {
    target::targets(relation, recorded)
        .iter()
        .map(|target| verify_target(target, recorded, detail, sink))
        .collect()
}

fn verify_target(
    target: &Target,
    recorded: &Recorded,
    detail: Detail,
    sink: &mut dyn FnMut(Finding),
) -> TableReport {
    let mut report = TableReport {
        table: target.name.clone(),
        kind: target.kind.clone(),
        ..TableReport::default()
    };
    let mut counted = TableReport::default();
    let mut put = |finding: Finding| {
        counted.count(&finding);
        sink(finding);
    };
    let leaves = audited::leaves(target.root, pg_sys::AccessShareLock);
    target.check_triggers(&leaves, recorded, &mut put);
    let not_ours = target.check_sharing(&leaves, recorded, &mut put);
    let mut layouts = Layouts::default();
    for layout in &recorded.layouts {
        if layout.kind == target.kind && !not_ours.contains(&layout.id) {
            layouts.add(layout.clone());
        }
    }
    let hasher = KeyHasher::new();
    let mut join = Join::new(TempFiles::new(), memory());
    let pass = entries::read(target.kind.as_bytes(), &hasher, &not_ours, &mut |entry| {
        join.add_entry(entry);
    });
    report.entries = pass.entries;
    let mut fetcher = EntryFetcher::new();
    let removals = removals(target, recorded, &pass, &mut fetcher, &mut put);
    tell_lost_layouts(target, recorded, &layouts, &pass, &mut put);
    let mut leaves: Vec<Leaf> = leaves
        .into_iter()
        .map(|oid| Leaf::open(oid, &target.declaration, &layouts))
        .collect();
    let mut keyless: Vec<(u32, Place)> = Vec::new();
    for (number, leaf) in leaves.iter_mut().enumerate() {
        let number = number as u32;
        report.rows += leaf.scan(
            number,
            &hasher,
            &mut |row| join.add_row(row),
            &mut |place| {
                if keyless.len() < MOST_KEYLESS {
                    keyless.push((number, place));
                }
            },
        );
    }
    let mut judge = Judge {
        leaves,
        layouts: &layouts,
        entries: fetcher,
        shows_content: judge::may_see(target.root),
        wants_evidence: detail == Detail::Evidence,
        put: &mut put,
        table: &target.name,
    };
    for (leaf, place) in keyless {
        judge.keyless(leaf, place);
    }
    join.finish(&removals, &mut |outcomes| judge.judge(outcomes));
    TableReport {
        edited: counted.edited,
        deleted: counted.deleted,
        unrecorded: counted.unrecorded,
        unverifiable: counted.unverifiable,
        findings: counted.findings,
        first_bad_seq: counted.first_bad_seq,
        ..report
    }
}

/// What TRUNCATEs and detached partitions took away.
fn removals(
    target: &Target,
    recorded: &Recorded,
    pass: &entries::Pass,
    fetcher: &mut EntryFetcher,
    put: &mut dyn FnMut(Finding),
) -> auditspine_core::rows::Removals {
    let mut altered = Vec::new();
    let mut removals = entries::removals(&pass.truncated, fetcher, &mut altered);
    for partition in &recorded.partitions {
        if partition.kind == target.kind {
            for layout in &partition.layouts {
                removals.remove_layout(partition.seq, *layout);
            }
        }
    }
    let mut tell = |seq, what: String| {
        put(Finding {
            seq: Some(seq),
            ..Finding::of_table(RowFindingKind::RecordAltered, &target.name, what)
        });
    };
    for seq in altered {
        tell(
            seq,
            "the payload of a TRUNCATE's entry is not what its hash says".to_owned(),
        );
    }
    for entry in &recorded.altered {
        if entry.event_kind != LAYOUT_KIND && entry.event_pk == target.kind {
            tell(
                entry.seq,
                format!("entry of kind {}: {}", entry.event_kind, entry.what),
            );
        }
    }
    removals
}

/// Layouts that entries name and no entry tells, or none that can be trusted.
fn tell_lost_layouts(
    target: &Target,
    recorded: &Recorded,
    layouts: &Layouts,
    pass: &entries::Pass,
    put: &mut dyn FnMut(Finding),
) {
    let mut told = HashSet::new();
    for (id, first) in &pass.layouts {
        if layouts.get(*id).is_some() || !told.insert(*id) {
            continue;
        }
        let pk = id.to_string();
        let altered = recorded
            .altered
            .iter()
            .find(|entry| entry.event_kind == LAYOUT_KIND && entry.event_pk == pk);
        let (kind, seq, what) = match altered {
            Some(entry) => (RowFindingKind::LayoutAltered, entry.seq, entry.what),
            None => (
                RowFindingKind::LayoutMissing,
                *first,
                "no entry tells it, although entries name it",
            ),
        };
        put(Finding {
            seq: Some(seq),
            layout: Some(*id),
            ..Finding::of_table(kind, &target.name, format!("layout {id}: {what}"))
        });
    }
}

fn memory() -> usize {
    // SAFETY: reads a setting, in kB.
    let work_mem = unsafe { pg_sys::work_mem };
    LEAST_MEMORY.max(usize::try_from(work_mem).unwrap_or_default() * 1024)
}
