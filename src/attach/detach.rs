//! Detaching, also what is attached according to the record only.

use pgrx::datum::DatumWithOid;
use pgrx::{Spi, pg_sys};

use super::{ddl, entries, kinds_in_use};
use crate::error::Failure;
use crate::pg::audited::{members, root_of};
use crate::pg::owner::as_owner;
use crate::pg::relation::OpenRelation;
use crate::pg::row::with_plain_names;
use crate::pg::state::broken;
use crate::pg::{flush, table};

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
    let mut kinds: Vec<String> = Vec::new();
    for kind in state.iter().flat_map(ddl::Member::kinds) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    ddl::drop_all(&state);
    if kinds.is_empty() {
        // The triggers may have been dropped without us; what is recorded still says attached.
        kinds = recorded_kinds(&members, &name);
        if !kinds.is_empty() {
            pgrx::notice!("table {name} had lost its triggers");
        }
    }
    if kinds.is_empty() {
        pgrx::notice!("table {name} is not audited");
    }
    for kind in &kinds {
        entries::detached(&name, kind);
    }
    !kinds.is_empty()
}

/// Records that a kind is not audited any more, whose table is gone; whether it was.
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
    flush::flush();
    let table = last_table(kind);
    match &table {
        Some(table) => entries::detached(table, kind),
        None => pgrx::notice!("kind \"{kind}\" is not audited"),
    }
    table.is_some()
}

/// Kinds under which tables were recorded, by their layouts or by name, and not detached since.
fn recorded_kinds(members: &[pg_sys::Oid], name: &str) -> Vec<String> {
    flush::flush();
    let in_use = kinds_in_use();
    let members: Vec<i64> = members.iter().map(|oid| i64::from(oid.to_u32())).collect();
    let kinds = texts(
        "SELECT DISTINCT kind FROM ( \
             SELECT kind FROM auditspine.layout WHERE relation::oid::bigint = ANY ($1) \
             UNION ALL \
             SELECT event_pk FROM auditspine.audit_chain \
             WHERE event_kind = 'auditspine.attach' AND op = 'S' AND payload ->> 'table' = $2 \
         ) AS recorded (kind) ORDER BY kind",
        &[members.into(), name.into()],
    );
    kinds
        .into_iter()
        .filter(|kind| in_use.iter().all(|(_, used)| used != kind))
        .filter(|kind| last_table(kind).is_some())
        .collect()
}

/// The table that a kind was recorded for last, unless it was detached since.
fn last_table(kind: &str) -> Option<String> {
    let table = texts(
        "WITH said AS ( \
             SELECT seq, event_kind, payload ->> 'table' AS table_name FROM auditspine.audit_chain \
             WHERE event_kind IN ('auditspine.attach', 'auditspine.detach') \
               AND event_pk = $1 AND op = 'S' \
             UNION ALL \
             SELECT seq, event_kind, payload ->> 'table' \
             FROM auditspine.layout AS l JOIN auditspine.audit_chain AS e ON event_pk = layout_id::text \
             WHERE l.kind = $1 AND event_kind = 'auditspine.layout' AND op = 'S' \
         ), last AS (SELECT * FROM said ORDER BY seq DESC LIMIT 1) \
         SELECT coalesce((SELECT table_name FROM said WHERE event_kind = 'auditspine.attach' \
                          ORDER BY seq DESC LIMIT 1), table_name, '') \
         FROM last WHERE event_kind <> 'auditspine.detach'",
        &[kind.into()],
    );
    table.into_iter().next()
}

/// What a query says that reads the audit's own tables, whatever the caller may read.
fn texts(query: &str, arguments: &[DatumWithOid<'_>]) -> Vec<String> {
    let rows = as_owner(|| {
        Spi::connect_mut(|client| {
            let rows = client.update(query, None, arguments)?;
            rows.filter_map(|row| row.get::<String>(1).transpose())
                .collect::<Result<Vec<_>, _>>()
        })
    });
    rows.unwrap_or_else(|error| broken(format!("the audit's tables could not be read: {error}")))
}
