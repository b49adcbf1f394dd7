//! Verifying the rows of a table: what each is now against what its last entry recorded.
//!
//! One snapshot serves for entries and rows, which are committed together, so they agree under it. The
//! entries of the kind are read once, then the rows; both become records of a fixed size that are
//! joined by key in bounded memory (`auditspine_core::rows`). What does not agree is read again.

pub mod by_content;
pub mod cells;
pub mod chains;
pub mod disorder;
pub mod entries;
pub mod in_force;
pub mod judge;
pub mod keyless;
pub mod lookup;
pub mod moved_on;
pub mod older;
pub mod output;
pub mod partition;
pub mod recorded;
pub mod renamed;
pub mod report;
pub mod since;
pub mod system_entries;
pub mod target;

use std::collections::{BTreeMap, HashSet};

use auditspine_core::rows::{
    EntryRecord, How, Join, KeyEpochs, KeyHasher, Layouts, Renamed, RowFindingKind,
};
use pgrx::pg_sys;

use crate::pg::session;

pub use crate::verify::rows::in_force::unaudited_children;
pub use crate::verify::rows::recorded::{Ended, Recorded, Tracked};
pub use crate::verify::rows::report::{Finding, TableReport};
pub use crate::verify::rows::target::is_audited;

use crate::capture::audited;
use crate::ledger::catalog::state;
use crate::ledger::snapshot::CurrentSnapshot;
use crate::pg::privilege::expect_select;
use crate::pg::row_json::with_plain_names;
use crate::pg::spill::TempFiles;
use crate::verify::links::drawn;
use crate::verify::rows::chains::ChainFilter;
use crate::verify::rows::disorder::{Doubts, disputed, tell_disputed};
use crate::verify::rows::entries::{Entries, EntryFetcher, Which};
use crate::verify::rows::judge::Judge;
use crate::verify::rows::keyless::Keyless;
use crate::verify::rows::partition::Partition;
use crate::verify::rows::system_entries::{removals, tell_lost_layouts};
use crate::verify::rows::target::{Source, Target};

/// How much a caller wants to know of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Kind, table, entry and hashes.
    Brief,
    /// Key and content besides.
    Evidence,
}

/// Least memory for records, in bytes; `work_mem` if that is more.
const LEAST_MEMORY: usize = 8 * 1024 * 1024;

/// Which rows a caller wants to know of. Where they cannot be told apart (a TRUNCATE, a trigger that is
/// off, very many keys, keys that cannot be looked up), all rows are verified nevertheless.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// All of them.
    All,
    /// Those that entries from this `seq` on tell of.
    Since(i64),
    /// Those with these keys, as `event_pk` has them.
    WithKeys(&'a [Vec<u8>]),
}

/// What a caller wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The table; a partition stands for the partitioned table.
    pub relation: pg_sys::Oid,
    /// Which of its rows.
    pub rows: Rows<'a>,
    /// The chain that its rows are recorded in; `None` for all that the caller may see.
    pub chain: Option<&'a [u8]>,
    /// How much is told of findings.
    pub detail: Detail,
}

/// Verifies the rows of a table under every kind that it is audited under, and hands every finding to
/// `sink`.
///
/// Needs SELECT on auditspine.audit_chain. Raises 42704 for a table that is not audited, and for a chain
/// that does not exist or that the caller may not see.
pub fn verify(request: &Request<'_>, sink: &mut dyn FnMut(Finding)) -> Vec<TableReport> {
    let _snapshot = CurrentSnapshot::push();
    verify_recorded(request, &Recorded::read(), sink)
}

/// As [`verify`], under the active snapshot and with what the system's entries say under it; for
/// callers that verify many tables.
pub fn verify_recorded(
    request: &Request<'_>,
    recorded: &Recorded,
    sink: &mut dyn FnMut(Finding),
) -> Vec<TableReport> {
    // Names are held against recorded ones, whatever the session wants to have quoted.
    with_plain_names(|| verify_plainly(request, recorded, sink))
}

fn verify_plainly(
    request: &Request<'_>,
    recorded: &Recorded,
    sink: &mut dyn FnMut(Finding),
) -> Vec<TableReport> {
    expect_select(state().audit_chain);
    let targets = target::targets(request.relation, recorded);
    let Some(chains) = ChainFilter::of(request.chain) else {
        return Vec::new();
    };
    let mut out_of_force = target::out_of_force(&targets, recorded);
    targets
        .iter()
        .map(|target| {
            // They are the table's, so the first of its kinds tells of them.
            let ended = std::mem::take(&mut out_of_force);
            verify_target(target, &ended, request, &chains, recorded, sink)
        })
        .collect()
}

fn verify_target(
    target: &Target,
    out_of_force: &[Tracked],
    request: &Request<'_>,
    chains: &ChainFilter,
    recorded: &Recorded,
    sink: &mut dyn FnMut(Finding),
) -> TableReport {
    chains.expect_any_of(target);
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
    let latest = moved_on::moved_on(&target.relations(&leaves, recorded)).then(|| {
        let snapshot = CurrentSnapshot::push_latest();
        (Recorded::read(), snapshot)
    });
    let recorded = latest.as_ref().map_or(recorded, |(recorded, _)| recorded);
    let mut unrecorded = false;
    target.check_triggers(&leaves, recorded, &mut |finding| {
        unrecorded = true;
        put(finding);
    });
    for tracked in out_of_force {
        put(Finding::of_table(
            RowFindingKind::TriggerMissing,
            &target.name,
            format!(
                "entries say that it is audited under kind \"{}\", which no trigger records: what had that kind is not \
                 accounted for; audit_detach_kind() says that this was meant",
                tracked.kind
            ),
        ));
    }
    // Of what was done since the trigger is off, entries tell nothing.
    let rows = match request.rows {
        Rows::Since(_) if unrecorded => Rows::All,
        rows => rows,
    };
    let sources = target.sources(&leaves, recorded, &mut put);
    let mut layouts = Layouts::default();
    for layout in &recorded.layouts {
        let has = |source: &Source| source.kind == layout.kind && source.has(layout.id);
        if sources.iter().any(has) {
            layouts.add(layout.clone());
        }
    }
    layouts.skips_now(target.declaration.skip_unchanged);
    for attachment in &recorded.attachments {
        let skips = attachment.declaration.skip_unchanged;
        layouts.declare(&attachment.kind, attachment.seq, skips);
    }
    let mut judge = Judge {
        leaves: leaves
            .into_iter()
            .map(|oid| Partition::open(oid, &target.declaration, &layouts, chains))
            .collect(),
        layouts: &layouts,
        entries: EntryFetcher::new(),
        shows_content: judge::may_see(target.root),
        wants_evidence: request.detail == Detail::Evidence,
        put: &mut put,
        table: &target.name,
        unwatched: BTreeMap::new(),
        partly: 0,
    };
    let hasher = KeyHasher::new();
    let from = recorded.baseline(&target.kind).unwrap_or(i64::MIN);
    let entries = Entries {
        sources: &sources,
        chains,
        drawn: drawn(),
        from,
    };
    let mut epochs =
        KeyEpochs::of(layouts.iter(), &recorded.declared_keys(&target.kind)).since(from);
    for leaf in &judge.leaves {
        epochs.add_present(&leaf.present, &leaf.spec.key);
    }
    let renamed = judge
        .leaves
        .iter()
        .find_map(|leaf| leaf.renames_chains(&layouts, from).map(str::to_owned));
    if let Some(column) = renamed {
        let what = format!(
            "values of column \"{column}\", which names the chain of a row, are written otherwise than when rows \
             were recorded (a label of an enum was renamed, for one): which rows belong to one chain cannot be \
             told, so verify the whole table; audit_rebaseline() begins anew"
        );
        let kind = RowFindingKind::RowUnverifiable;
        (judge.put)(Finding::of_table(kind, &target.name, what));
        drop(judge);
        return TableReport {
            unverifiable: counted.unverifiable,
            findings: counted.findings,
            first_bad_seq: counted.first_bad_seq,
            ..report
        };
    }
    let partial = renamed::is_told_by_newest(&epochs, rows)
        .then(|| some(target, entries, rows, recorded, &hasher, &mut judge))
        .flatten();
    (report.rows, report.entries) =
        partial.unwrap_or_else(|| all(target, entries, recorded, &epochs, &hasher, &mut judge));
    let partly = judge.tell_unwatched();
    drop(judge);
    TableReport {
        edited: counted.edited,
        deleted: counted.deleted,
        unrecorded: counted.unrecorded,
        unverifiable: counted.unverifiable + partly,
        bad: counted.bad,
        findings: counted.findings,
        first_bad_seq: counted.first_bad_seq,
        ..report
    }
}

/// Verifies all rows; returns how many rows and entries there are.
fn all(
    target: &Target,
    about: Entries<'_>,
    recorded: &Recorded,
    epochs: &KeyEpochs,
    hasher: &KeyHasher,
    judge: &mut Judge<'_>,
) -> (u64, u64) {
    let mut join = Join::new(TempFiles::new(), memory());
    let mut names = (epochs.count() > 1).then(|| Renamed::new(epochs));
    let mut pass = entries::read(about, Which::All, hasher, &mut |entry| match &mut names {
        None => join.add_entry(entry.record),
        Some(names) => names.add_entry(entry.key, entry.record, entry.came),
    });
    let disputed = disputed(std::mem::take(&mut pass.order), about.sources);
    tell_disputed(target, &disputed, &pass, judge);
    let mut told: HashSet<i64> = disputed.iter().map(|found| found.seq).collect();
    told.extend(pass.ahead.iter().map(|(seq, _)| *seq));
    let removals = removals(target, recorded, &pass, judge);
    tell_lost_layouts(target, recorded, &pass, judge);
    let mut doubts = Doubts::new(about.drawn, told);
    let mut settle =
        |by_time: &EntryRecord, by_number: &EntryRecord| doubts.counts(by_time, by_number);
    let current: Vec<Option<i32>> = judge
        .leaves
        .iter()
        .map(|leaf| leaf.current_layout)
        .collect();
    let how = How {
        settle: &mut settle,
        comparable: &|entry, row| since::are_comparable(entry, row, &current),
    };
    let mut keyless = Keyless::default();
    let rows = match names {
        Some(names) => renamed::verify(names, epochs, &removals, how, &mut keyless, judge),
        None => {
            let mut rows = 0;
            for (number, leaf) in judge.leaves.iter_mut().enumerate() {
                let number = number as u32;
                rows += leaf.scan(number, hasher, &mut |row| join.add_row(row), &mut |place| {
                    keyless.add(number, place);
                });
            }
            join.finish_in_doubt(&removals, how, &mut |outcomes| {
                judge.judge(outcomes);
            });
            rows
        }
    };
    keyless.tell(target, judge);
    doubts.tell(target, judge);
    (rows, pass.entries)
}

/// Verifies some rows; `None` if all must be.
fn some(
    target: &Target,
    about: Entries<'_>,
    rows: Rows<'_>,
    recorded: &Recorded,
    hasher: &KeyHasher,
    judge: &mut Judge<'_>,
) -> Option<(u64, u64)> {
    let (start, mut touched) = match rows {
        Rows::All => return None,
        Rows::Since(start) => (start, since::touched(about, start, hasher)?),
        Rows::WithKeys(keys) => (i64::MIN, since::of_keys(about, keys, hasher)?),
    };
    // Which entry is the last one takes the others to tell.
    let order = std::mem::take(&mut touched.pass.order);
    if !touched.pass.ahead.is_empty() || !order.doubtful().is_empty() {
        return None;
    }
    let left = |partition: &recorded::PartitionDetached| {
        partition.kind == target.kind && partition.seq >= start
    };
    if recorded.partitions.iter().any(left) {
        return None;
    }
    let (rows, mut outcomes) = touched.outcomes(&mut judge.leaves)?;
    tell_lost_layouts(target, recorded, &touched.pass, judge);
    judge.judge(&mut outcomes);
    Some((rows, touched.pass.entries))
}

fn memory() -> usize {
    LEAST_MEMORY.max(usize::try_from(session::work_mem()).unwrap_or_default() * 1024)
}
