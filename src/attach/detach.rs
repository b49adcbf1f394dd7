//! Detaching, also what is attached according to the record only.

use pgrx::pg_sys;

use super::{ddl, ended, entries, kinds_in_use};
use crate::attach::history_of_attach;
use crate::capture::audited::{members, root_of};
use crate::error::Failure;
use crate::pg::relation::OpenRelation;
use crate::pg::row_json::with_plain_names;
use crate::pg::table;

/// Drops all triggers of ours from a table and its partitions; whether there was anything to detach.
pub fn detach(target: pg_sys::Oid) -> bool {
    with_plain_names(|| detach_plainly(target))
}

fn detach_plainly(target: pg_sys::Oid) -> bool {
    if !table::exists(target) {
        Failure::UnknownTable.raise(
            format!("there is no table with oid {}", target.to_u32()),
            "for a table that is gone: audit_detach_kind(kind)",
        );
    }
    table::expect_owner(target);
    // What DROP TRIGGER takes: taken first, so that it is not raised later.
    let lock = pg_sys::AccessExclusiveLock;
    let open = OpenRelation::table(target, lock);
    let name = open.qualified();
    if open.is_partition() {
        Failure::NotAuditable.raise(
            format!("table {name} is a partition and cannot be detached from the audit by itself"),
            format!(
                "detach the partitioned table {}, or take the partition out of it: \
                 ALTER TABLE … DETACH PARTITION",
                ddl::qualified(root_of(target))
            ),
        );
    }
    drop(open);
    let members = members(target, lock);
    let state = ddl::state(&members);
    let mut kinds = ddl::kinds(&state);
    let recorded = history_of_attach::kinds_of(&members, &name);
    let ended = (!kinds.is_empty() || !recorded.is_empty()).then(|| ended::verify(target));
    ddl::drop_all(&state);
    if kinds.is_empty() {
        // The triggers may have been dropped without us; what is recorded still says attached.
        kinds = recorded;
        if !kinds.is_empty() {
            pgrx::notice!("table {name} had lost its triggers");
        }
    }
    if kinds.is_empty() {
        pgrx::notice!("table {name} is not audited");
    }
    for kind in &kinds {
        if let Some(ended) = &ended {
            ended.warn(&name, kind);
        }
        let findings = ended.as_ref().map_or(Some(0), |ended| ended.findings(kind));
        entries::detached(&name, kind, findings);
    }
    !kinds.is_empty()
}

/// Records that a kind is not audited any more, whose table is gone, or that it was meant to end although its
/// rows were not in order; whether there was anything to record.
pub fn detach_kind(kind: &str) -> bool {
    if let Some((relation, _)) = kinds_in_use().into_iter().find(|(_, used)| used == kind) {
        let name = ddl::qualified(relation);
        Failure::KindInUse.raise(
            format!("kind \"{kind}\" is that of table {name}, which is audited"),
            format!(
                "detach the table: SELECT audit_detach({})",
                pgrx::spi::quote_literal(&name)
            ),
        );
    }
    let table =
        history_of_attach::table_of(kind).or_else(|| history_of_attach::ended_not_in_order(kind));
    match &table {
        Some(table) => entries::detached(table, kind, Some(0)),
        None => pgrx::notice!("kind \"{kind}\" is not audited"),
    }
    table.is_some()
}
