//! The history of one row.
//!
//! Entries of the row are found by kind and key. What ended it without naming it (a TRUNCATE, the
//! detaching of its partition) is what auditspine.removals() finds.

use std::ffi::CStr;

use auditspine_core::canonical::{Numbers, canonicalize, write_string};
use auditspine_core::hash::Sink;
use pgrx::{IntoDatum, pg_sys};

use crate::capture::audited::{self, Audited};
use crate::capture::row_spec::Spec;
use crate::error::Failure;
use crate::ledger::catalog::expect_privileges;
use crate::ledger::flush;
use crate::ledger::owner::as_owner;
use crate::ledger::visibility::Sight;
use crate::pg::arena::DatumArena;
use crate::pg::query;
use crate::pg::relation::OpenRelation;
use crate::pg::result_rows::RowStore;

const COLUMNS: usize = 12;

const HISTORY: &CStr = c"
WITH own AS (
    SELECT a.* FROM ONLY auditspine.audit_chain a
    WHERE a.event_kind = $1 AND a.event_pk = $2 AND a.op IN ('I', 'U', 'D')
      AND ($3::int4[] IS NULL OR a.chain_id = ANY ($3))
), version AS (
    SELECT own.*, lag(op) OVER w AS old_op, lag(xid) OVER w AS old_xid, lag(payload) OVER w AS old
    FROM own WINDOW w AS (ORDER BY seq)
), ended AS (
    SELECT DISTINCT ON (last.seq) r.* FROM auditspine.removals($1) r CROSS JOIN LATERAL (
        SELECT own.seq, own.op, own.layout FROM own WHERE own.seq < r.seq ORDER BY own.seq DESC LIMIT 1) last
    WHERE last.op <> 'D' AND (r.op = 'T' AND r.payload_hash = sha256('null')
                              OR r.payload -> 'layouts' @> to_jsonb(last.layout))
    ORDER BY last.seq, r.seq
), entry AS (
    SELECT seq, op, appended_at, db_user, actor, context, xid, chain_id, layout, payload_hash, payload,
           CASE WHEN (op = 'U' AND old_op IN ('I', 'U') OR op = 'I' AND old_op = 'D' AND old_xid = xid)
                     AND jsonb_typeof(payload) = 'object' AND jsonb_typeof(old) = 'object'
                THEN (SELECT coalesce(jsonb_object_agg(name, CASE
                             WHEN NOT old ? name THEN jsonb_build_object('new', payload -> name)
                             WHEN NOT payload ? name THEN jsonb_build_object('old', old -> name)
                             ELSE jsonb_build_object('old', old -> name, 'new', payload -> name) END), '{}')
                      FROM jsonb_object_keys(old || payload) name
                      WHERE old -> name IS DISTINCT FROM payload -> name) END AS changed
    FROM version
    UNION ALL
    SELECT seq, op, appended_at, db_user, actor, context, xid, chain_id, layout, payload_hash, payload, NULL
    FROM ONLY auditspine.audit_chain WHERE event_kind = $1 AND event_pk = $2 AND op = 'A'
      AND ($3::int4[] IS NULL OR chain_id = ANY ($3))
    UNION ALL
    SELECT seq, op, appended_at, db_user, actor, context, xid, chain_id, layout, payload_hash, payload, NULL
    FROM ended
)
SELECT e.seq, e.op, e.appended_at, e.db_user, e.actor, e.context, e.xid, c.name, e.layout, e.payload_hash,
       e.payload, e.changed
FROM entry e LEFT JOIN ONLY auditspine.chain c USING (chain_id) ORDER BY e.seq";

const LAST_ATTACHED: &CStr = c"
SELECT event_pk, jsonb_array_length(CASE WHEN jsonb_typeof(payload -> 'pk') = 'array'
                                         THEN payload -> 'pk' ELSE '[]' END)
FROM ONLY auditspine.audit_chain
WHERE event_kind = 'auditspine.attach' AND op = 'S' AND payload ->> 'table' = $1
ORDER BY seq DESC LIMIT 1";

/// How a table's rows are named in the chain.
struct Naming {
    kind: Vec<u8>,
    /// Number of key columns.
    parts: usize,
}

/// Puts the entries of one row, oldest first, into the function's result. `key` holds the texts of
/// the key's columns; `None` is NULL. Pending events of the transaction are linked first.
///
/// Raises 42704 if the table was never audited, 22023 for another number of key columns than the
/// table's, 22004 for a null.
pub fn history(target: pg_sys::Oid, key: &[Option<Vec<u8>>], rows: &mut RowStore) {
    expect_privileges();
    // What ended the row stands in the main chain, and has to be told of to those who see another.
    let chains = match Sight::of_caller() {
        Sight::Whole => None,
        Sight::Of(chains) => chains.into_keys().collect::<Vec<i32>>().into_datum(),
    };
    flush::flush();
    let table = OpenRelation::table(target, pg_sys::AccessShareLock);
    let naming = naming(&table);
    let key = event_pk(&table, &naming, key);
    let mut arena = DatumArena::default();
    let arguments = [
        (pg_sys::TEXTOID, Some(arena.varlena(&naming.kind))),
        (pg_sys::TEXTOID, Some(arena.varlena(&key))),
        (pg_sys::INT4ARRAYOID, chains),
    ];
    as_owner(|| {
        query::run(HISTORY, &arguments, |row| {
            if let Ok(row) = <[_; COLUMNS]>::try_from(row.all()) {
                rows.put(row);
            }
        })
    });
}

fn naming(table: &OpenRelation) -> Naming {
    if let Some(Audited {
        kind, declaration, ..
    }) = audited::of(table).into_iter().next()
    {
        let parts = match &declaration.pk {
            Some(columns) => columns.len(),
            None => Spec::resolve(table, &declaration).key.len(),
        };
        return Naming { kind, parts };
    }
    let name = table.qualified();
    let mut arena = DatumArena::default();
    let argument = (pg_sys::TEXTOID, Some(arena.varlena(name.as_bytes())));
    let mut found = None;
    as_owner(|| {
        query::run(LAST_ATTACHED, &[argument], |row| {
            if let (Some(kind), Some(parts)) = (row.bytes(0), row.int4(1)) {
                found = Some(Naming {
                    kind,
                    parts: usize::try_from(parts).unwrap_or(0),
                });
            }
        })
    });
    found.unwrap_or_else(|| {
        Failure::NotAudited.raise(
            format!("table {name} is not audited"),
            "attach it with audit_attach(), or name a table that is: see auditspine.audited_table",
        )
    })
}

/// The key as entries have it.
fn event_pk(table: &OpenRelation, naming: &Naming, key: &[Option<Vec<u8>>]) -> Vec<u8> {
    let texts: Vec<&[u8]> = key
        .iter()
        .zip(1..)
        .map(|(text, at)| {
            text.as_deref().unwrap_or_else(|| {
                Failure::NullElement.raise(
                    format!("part {at} of the key is null"),
                    "a row whose key is null cannot be named in the audit chain",
                )
            })
        })
        .collect();
    match texts[..] {
        [text] if naming.parts == 1 => text.to_vec(),
        [array] => composed(array).unwrap_or_else(|| wrong_parts(table, naming, 1)),
        _ if texts.len() == naming.parts => {
            let mut json = Vec::new();
            for (at, text) in texts.into_iter().enumerate() {
                json.put_byte(if at == 0 { b'[' } else { b',' });
                write_string(text, &mut json);
            }
            json.put_byte(b']');
            json
        }
        _ => wrong_parts(table, naming, texts.len()),
    }
}

/// A key of several columns that the caller has composed already: a JSON array, made canonical.
fn composed(text: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(text.len());
    canonicalize(text, Numbers::Exact, &mut json).ok()?;
    json.starts_with(b"[").then_some(json)
}

fn wrong_parts(table: &OpenRelation, naming: &Naming, given: usize) -> ! {
    let plural = |count| if count == 1 { "" } else { "s" };
    Failure::InvalidValue.raise(
        format!(
            "the key of table {} has {} column{}, but {given} text{} given",
            table.qualified(),
            naming.parts,
            plural(naming.parts),
            if given == 1 { " was" } else { "s were" },
        ),
        "pass the text of each key column, in the order of the key, or one JSON array of texts",
    )
}
