//! What the record says of tables and kinds, whatever their triggers say.

use pgrx::datum::DatumWithOid;
use pgrx::{Spi, pg_sys};

use crate::attach::kinds_in_use;
use crate::error::broken;
use crate::ledger::flush;
use crate::ledger::owner::as_owner;

/// Kinds under which tables were recorded, by their layouts or by name, and not detached since.
pub fn kinds_of(members: &[pg_sys::Oid], name: &str) -> Vec<String> {
    flush::flush();
    let in_use = kinds_in_use();
    let kinds = texts(
        "SELECT DISTINCT kind FROM ( \
             SELECT kind FROM ONLY auditspine.layout WHERE relation::pg_catalog.oid::bigint OPERATOR(pg_catalog.=) ANY ($1) \
             UNION ALL \
             SELECT event_pk FROM ONLY auditspine.audit_chain \
             WHERE event_kind OPERATOR(pg_catalog.=) 'auditspine.attach' AND op OPERATOR(pg_catalog.=) 'S' \
               AND (payload OPERATOR(pg_catalog.->>) 'table'::pg_catalog.text) OPERATOR(pg_catalog.=) $2 \
         ) AS recorded (kind) ORDER BY kind",
        &[numbers(members).into(), name.into()],
    );
    kinds
        .into_iter()
        .filter(|kind| in_use.iter().all(|(_, used)| used != kind))
        .filter(|kind| table_of(kind).is_some())
        .collect()
}

/// The table that a kind was recorded for last, unless it was detached since.
pub fn table_of(kind: &str) -> Option<String> {
    flush::flush();
    let table = texts(
        "WITH said AS ( \
             SELECT seq, event_kind, payload OPERATOR(pg_catalog.->>) 'table'::pg_catalog.text AS table_name \
             FROM ONLY auditspine.audit_chain \
             WHERE event_kind OPERATOR(pg_catalog.=) ANY ('{auditspine.attach,auditspine.detach}'::pg_catalog.text[]) \
               AND event_pk OPERATOR(pg_catalog.=) $1 AND op OPERATOR(pg_catalog.=) 'S' \
             UNION ALL \
             SELECT seq, event_kind, payload OPERATOR(pg_catalog.->>) 'table'::pg_catalog.text \
             FROM ONLY auditspine.layout AS l JOIN ONLY auditspine.audit_chain AS e \
               ON event_pk OPERATOR(pg_catalog.=) layout_id::pg_catalog.text \
             WHERE l.kind OPERATOR(pg_catalog.=) $1 AND event_kind OPERATOR(pg_catalog.=) 'auditspine.layout' \
               AND op OPERATOR(pg_catalog.=) 'S' \
         ), last AS (SELECT * FROM said ORDER BY seq DESC LIMIT 1) \
         SELECT coalesce((SELECT table_name FROM said WHERE event_kind OPERATOR(pg_catalog.=) 'auditspine.attach' \
                          ORDER BY seq DESC LIMIT 1), table_name, '') \
         FROM last WHERE event_kind OPERATOR(pg_catalog.<>) 'auditspine.detach'",
        &[kind.into()],
    );
    table.into_iter().next()
}

/// The table of a kind whose last entry about it says that it ended while its rows were not in order.
pub fn ended_not_in_order(kind: &str) -> Option<String> {
    flush::flush();
    let table = texts(
        "SELECT CASE WHEN payload OPERATOR(pg_catalog.?) 'findings' AND event_kind OPERATOR(pg_catalog.=) 'auditspine.detach' \
                     THEN payload OPERATOR(pg_catalog.->>) 'table' END \
         FROM ONLY auditspine.audit_chain \
         WHERE event_kind OPERATOR(pg_catalog.=) ANY ('{auditspine.attach,auditspine.detach}') \
           AND event_pk OPERATOR(pg_catalog.=) $1 AND op OPERATOR(pg_catalog.=) 'S' ORDER BY seq DESC LIMIT 1",
        &[kind.into()],
    );
    table.into_iter().next()
}

/// The layouts that are recorded under a kind: of a table and its partitions, and of other tables.
pub fn layouts_of(kind: &str, members: &[pg_sys::Oid]) -> (Vec<i32>, Vec<i32>) {
    let layouts = |own: &str| {
        let ids = texts(
            "SELECT layout_id::pg_catalog.text FROM ONLY auditspine.layout \
             WHERE kind OPERATOR(pg_catalog.=) $1 \
               AND (relation::pg_catalog.oid::bigint OPERATOR(pg_catalog.=) ANY ($2)) OPERATOR(pg_catalog.=) $3::boolean ORDER BY layout_id",
            &[kind.into(), numbers(members).into(), own.into()],
        );
        ids.iter().filter_map(|id| id.parse().ok()).collect()
    };
    (layouts("true"), layouts("false"))
}

/// Whether rows may have been recorded under this kind: nobody records one without a layout, or did so without being
/// attached, except by a trigger made by hand.
pub fn is_recorded(kind: &str) -> bool {
    let query = "SELECT 'some' WHERE EXISTS (SELECT FROM ONLY auditspine.layout WHERE kind OPERATOR(pg_catalog.=) $1) \
                 OR EXISTS (SELECT FROM ONLY auditspine.audit_chain \
                            WHERE event_kind OPERATOR(pg_catalog.=) 'auditspine.attach' AND event_pk OPERATOR(pg_catalog.=) $1 \
                              AND op OPERATOR(pg_catalog.=) 'S')";
    !texts(query, &[kind.into()]).is_empty()
}

fn numbers(oids: &[pg_sys::Oid]) -> Vec<i64> {
    oids.iter().map(|oid| i64::from(oid.to_u32())).collect()
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
