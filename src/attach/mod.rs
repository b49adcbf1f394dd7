//! Attaching tables to the audit and detaching them: plain triggers, which dumps carry, and an entry
//! that says so.

mod ddl;
mod detach;
mod dropped;
mod ended;
mod entries;
mod heirs;
pub mod history_of_attach;
mod partitions;
mod rebaseline;
mod target;

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use pgrx::pg_sys;

use crate::backfill::recorded::{Lookup, Recorded};
use crate::capture::audited;
use crate::capture::audited::{members, root_of};
use crate::capture::declaration::{ChainOf, Declaration};
use crate::capture::existing_rows;
use crate::capture::row_spec::Spec;
use crate::error::Failure;
use crate::ledger::key_index::finder::Tail;
use crate::ledger::{chains, flush, lane};
use crate::pg::relation::OpenRelation;
use crate::pg::row_json::with_plain_names;
use crate::pg::snapshot::ActiveSnapshot;
use crate::pg::{registry, session, table};
use crate::verify::rows::older::OlderNames;
use ddl::Policy;

pub use detach::{detach, detach_kind};
pub use partitions::{follow, follow_dropped};
pub use rebaseline::rebaseline;

/// What `audit_attach()` is asked for; names and texts as given.
pub struct Request {
    /// Kind of the events; by default the table's name.
    pub kind: Option<String>,
    /// Chain that events go to.
    pub chain: Option<String>,
    /// Columns that name the chain.
    pub chain_by: Option<Vec<String>>,
    /// Key columns; by default the primary key.
    pub pk: Option<Vec<String>>,
    /// `hash` or `full`.
    pub payload: Option<String>,
    /// Columns left out of hash and payload.
    pub exclude: Option<Vec<String>>,
    /// Whether an UPDATE that leaves the hash as it was is no event.
    pub skip_unchanged: bool,
    /// Whether UPDATE, DELETE and TRUNCATE are refused.
    pub append_only: bool,
    /// Whether the rows that are there are recorded.
    pub backfill: bool,
}

/// Keeps writers, other attachments and new partitions out, and readers not.
const LOCK: u32 = pg_sys::ShareRowExclusiveLock;

/// Attaches a table, or a partitioned table with all its partitions; answers `attached`, `replaced` or
/// `unchanged`.
pub fn attach(target: pg_sys::Oid, request: &Request) -> &'static str {
    with_plain_names(|| attach_plainly(target, request))
}

fn attach_plainly(target: pg_sys::Oid, request: &Request) -> &'static str {
    target::expect_auditable(target);
    let table = OpenRelation::table(target, LOCK);
    // Anew: it may have become a partition while we waited for the lock.
    target::check_auditable(&table);
    let policy = Policy {
        declaration: target::declaration(&table, request),
        append_only: request.append_only,
    };
    let name = table.qualified();
    let partitioned = table.kind() == pg_sys::RELKIND_PARTITIONED_TABLE;
    drop(table);
    let members = members(target, LOCK);
    for member in &members[1..] {
        target::expect_auditable_partition(*member, &name);
    }
    let kind = policy.kind().to_owned();
    expect_free(&kind, &members);

    let before = ddl::state(&members);
    flush::flush();
    let is_known = ddl::kinds(&before).contains(&kind) || history_of_attach::is_recorded(&kind);
    let answer = if policy.is_in_force(&before) {
        pgrx::notice!("table {name} is audited with these options already");
        "unchanged"
    } else {
        let left = take_over(&kind, &name, &members, &before);
        // Before their triggers go, by which the rows' kinds are known.
        let ended = (!left.kinds.is_empty()).then(|| ended::verify(target));
        ddl::drop_all(&before);
        policy.create(&members);
        // Recorded now, so that the first writers find their layout.
        let key = resolve_leaves(target, &policy.declaration, |spec, _| {
            spec.layout_id();
        });
        if partitioned {
            ddl::warn_of_privileges(target, &name, policy.append_only);
        }
        ddl::warn_of_children(target, &registry::inheritors(target));
        left.tell(&name, &kind, ended.as_ref());
        entries::attached(&name, &policy, &key);
        if before.iter().any(ddl::Member::has_triggers) {
            "replaced"
        } else {
            "attached"
        }
    };
    if request.backfill {
        let rows = backfill(target, &policy.declaration, &name, is_known);
        if rows.0 > 0 || answer != "unchanged" {
            entries::backfilled(&name, &kind, rows.0, rows.1);
        }
    }
    answer
}

/// Calls `each` for every table that holds rows, resolved; returns the names of the key's columns.
fn resolve_leaves(
    target: pg_sys::Oid,
    declaration: &Declaration,
    mut each: impl FnMut(&Spec, &OpenRelation),
) -> Vec<String> {
    let table = OpenRelation::table(target, LOCK);
    let key = Spec::resolve(&table, declaration).key_names().to_vec();
    drop(table);
    for leaf in audited::leaves(target, LOCK) {
        let table = OpenRelation::table(leaf, LOCK);
        each(&Spec::resolve(&table, declaration), &table);
    }
    key
}

/// Records the rows that are there and not recorded yet; how many, and how many were recorded already. `is_known` says
/// that some may be.
fn backfill(
    target: pg_sys::Oid,
    declaration: &Declaration,
    name: &str,
    is_known: bool,
) -> (u64, u64) {
    let kind = declaration.kind.as_deref().unwrap_or_default();
    flush::flush();
    let mut known = is_known.then(|| {
        let mut older = OlderNames::of(kind);
        resolve_leaves(target, declaration, |spec, table| older.add(table, spec));
        let tail = Rc::new(RefCell::new(Tail::new(kind.as_bytes())));
        let mut lookup = Lookup::open(kind.as_bytes(), &tail);
        session::next_command();
        let snapshot = lookup.begin(ActiveSnapshot::push_latest);
        (lookup, older, snapshot)
    });
    let (mut rows, mut skipped) = (0, 0);
    resolve_leaves(target, declaration, |spec, table| {
        let recipes = known
            .as_ref()
            .map(|(_, older, _)| older.recipes(table, spec));
        let counts = existing_rows::record_rows(table, spec, |key, row| {
            let Some(((known, older, _), recipes)) = known.as_mut().zip(recipes.as_deref()) else {
                return Some(b'I');
            };
            match known.find_row(key, older.newest(), recipes, spec, row) {
                // One whose older name cannot be read may have been edited: audit_rebaseline() verifies it first.
                Recorded::Present | Recorded::Unknown => None,
                Recorded::Never | Recorded::Gone => Some(b'I'),
            }
        });
        rows += counts.0;
        skipped += counts.1;
    });
    if let Some((mut known, _, snapshot)) = known {
        known.rest();
        drop(snapshot);
        known.close();
    }
    pgrx::notice!("table {name}: {rows} rows recorded, {skipped} were recorded already");
    (rows, skipped)
}

/// Raises 42710 if another table is audited under this kind: their rows' histories would be one.
fn expect_free(kind: &str, members: &[pg_sys::Oid]) {
    // Two transactions that attach tables under one kind do so one after the other.
    lane::lock_kind(kind.as_bytes());
    let ours: HashSet<_> = members.iter().copied().collect();
    for (relation, taken) in kinds_in_use() {
        if taken == kind && !ours.contains(&relation) {
            Failure::KindTaken.raise(
                format!(
                    "kind \"{kind}\" is that of table {} already",
                    OpenRelation::table(relation, pg_sys::AccessShareLock).qualified()
                ),
                "name another with kind => '…', such as the table's name with its schema",
            );
        }
    }
}

/// What is to be told before a table is attached under a kind: the kinds that it leaves, and the layouts
/// of other tables that had the kind before.
struct Left {
    kinds: Vec<String>,
    layouts: Vec<i32>,
}

/// Raises 55000 if the kind is recorded as that of another table, which is gone and was never detached:
/// its rows would seem to be deleted ones of this table.
fn take_over(kind: &str, name: &str, members: &[pg_sys::Oid], before: &[ddl::Member]) -> Left {
    let mut kinds = ddl::kinds(before);
    if kinds.iter().any(|old| old == kind) {
        kinds.retain(|old| old != kind);
        return Left {
            kinds,
            layouts: Vec::new(),
        };
    }
    let (own, mut layouts) = history_of_attach::layouts_of(kind, members);
    if let Some(table) = history_of_attach::table_of(kind) {
        if own.is_empty() && table != name {
            Failure::KindStillRecorded.raise(
                format!(
                    "kind \"{kind}\" is recorded as that of table {table}, which was not detached"
                ),
                format!(
                    "if that table is gone for good: SELECT audit_detach_kind({})",
                    pgrx::spi::quote_literal(kind)
                ),
            );
        }
        // Not detached: what is missing of it is to be found.
        layouts.clear();
    }
    Left { kinds, layouts }
}

impl Left {
    fn tell(&self, name: &str, kind: &str, ended: Option<&ended::Ended>) {
        for old in &self.kinds {
            if let Some(ended) = ended {
                ended.warn(name, old);
            }
            let findings = ended.map_or(Some(0), |ended| ended.findings(old));
            entries::detached(name, old, findings);
        }
        if !self.layouts.is_empty() {
            entries::partition_detached(name, kind, &self.layouts);
        }
    }
}

/// The tables that have a row trigger of ours, and its kind.
fn kinds_in_use() -> Vec<(pg_sys::Oid, String)> {
    registry::triggers_of(ddl::append_function())
        .into_iter()
        .filter(|trigger| trigger.for_row)
        .filter_map(|trigger| {
            let declaration = crate::capture::declaration::try_parse(&trigger.arguments).ok()?;
            let kind = declaration
                .kind
                .or_else(|| table::name_of_oid(root_of(trigger.relation)))?;
            Some((trigger.relation, kind))
        })
        .collect()
}

/// The chain of a declaration that names one, checked to exist, and to be none of a tenant's.
fn expect_chain(chain: &ChainOf) {
    if let ChainOf::Named(name) = chain {
        chains::expect_operators(name.as_bytes());
    }
}
