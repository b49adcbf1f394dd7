//! Attaching tables to the audit and detaching them: plain triggers, which dumps carry, and an entry
//! that says so.

mod ddl;
mod detach;
mod entries;
mod partitions;
mod target;

use std::collections::HashSet;

use pgrx::pg_sys;

use crate::declaration::{ChainOf, Declaration};
use crate::error::Failure;
use crate::pg::audited::{members, root_of};
use crate::pg::relation::OpenRelation;
use crate::pg::row::with_plain_names;
use crate::pg::spec::Spec;
use crate::pg::{audited, chains, lane, present, recorded, registry, table};
use ddl::Policy;

pub use detach::{detach, detach_kind};
pub use partitions::follow;

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
    drop(table);
    let members = members(target, LOCK);
    for member in &members[1..] {
        target::expect_auditable_partition(*member);
    }
    let kind = policy.kind().to_owned();
    expect_free(&kind, &members);

    let before = ddl::state(&members);
    let answer = if policy.is_in_force(&before) {
        pgrx::notice!("table {name} is audited with these options already");
        "unchanged"
    } else {
        ddl::drop_all(&before);
        policy.create(&members);
        // Recorded now, so that the first writers find their layout.
        let key = resolve_leaves(target, &policy.declaration, |spec, _| {
            spec.layout_id();
        });
        entries::attached(&name, &policy, &key);
        if before.iter().any(ddl::Member::has_triggers) {
            "replaced"
        } else {
            "attached"
        }
    };
    if request.backfill {
        backfill(target, &policy.declaration, &name);
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

fn backfill(target: pg_sys::Oid, declaration: &Declaration, name: &str) {
    let (mut rows, mut skipped) = (0, 0);
    resolve_leaves(target, declaration, |spec, table| {
        let known = recorded::Recorded::of(spec);
        let counts = present::record_rows(table, spec, |key| known.is_alive(key));
        rows += counts.0;
        skipped += counts.1;
    });
    pgrx::notice!("table {name}: {rows} rows recorded, {skipped} were recorded already");
    entries::backfilled(
        name,
        declaration.kind.as_deref().unwrap_or_default(),
        rows,
        skipped,
    );
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

/// The tables that have a row trigger of ours, and its kind.
fn kinds_in_use() -> Vec<(pg_sys::Oid, String)> {
    registry::triggers_of(ddl::append_function())
        .into_iter()
        .filter(|trigger| trigger.for_row)
        .filter_map(|trigger| {
            let declaration = crate::declaration::try_parse(&trigger.arguments).ok()?;
            let kind = declaration
                .kind
                .or_else(|| table::name_of_oid(root_of(trigger.relation)))?;
            Some((trigger.relation, kind))
        })
        .collect()
}

/// The chain of a declaration that names one, checked to exist.
fn expect_chain(chain: &ChainOf) {
    if let ChainOf::Named(name) = chain {
        chains::expect(name.as_bytes());
    }
}
