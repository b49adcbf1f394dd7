//! The history of one row.
//!
//! Entries of the row are found by kind and key, those from before the key changed by what the row was called
//! then, as far as its present name tells. What ended it without naming it (a TRUNCATE, the
//! detaching of its partition) is what auditspine.removals() finds.

use std::ffi::{CStr, CString};

use auditspine_core::canonical::{Numbers, canonicalize, write_string};
use auditspine_core::hash::Sink;
use auditspine_core::short_text;
use pgrx::{IntoDatum, pg_sys};

use crate::capture::audited::{self, Audited};
use crate::capture::row_spec::Spec;
use crate::error::Failure;
use crate::ledger::catalog::expect_privileges;
use crate::ledger::flush;
use crate::ledger::key_index::places;
use crate::ledger::owner::as_owner;
use crate::ledger::visibility::Sight;
use crate::pg::arena::DatumArena;
use crate::pg::query;
use crate::pg::relation::{OpenRelation, name_of};
use crate::pg::result_rows::RowStore;
use crate::pg::row_json::with_plain_names;
use crate::verify::rows::older::OlderNames;

const COLUMNS: usize = 12;

/// Entries of kind $1 and the keys $2, by their places.
const BY_PLACE: &str = "
    SELECT a.* FROM auditspine.places_of($1, $2::text[]) p CROSS JOIN LATERAL (
        SELECT a.* FROM ONLY auditspine.audit_chain a
        WHERE a.chain_id = p.chain_id AND a.lane = p.lane AND a.pos = p.pos OFFSET 0) a
    WHERE a.event_kind = $1 AND a.event_pk = ANY ($2)";
/// The same, until the extension is updated from 0.4.0.
const BY_KEY: &str = "SELECT a.* FROM ONLY auditspine.audit_chain a WHERE a.event_kind = $1 AND a.event_pk = ANY ($2)";

/// The query whose first common table expressions are those entries.
fn over_entries(rest: &str) -> CString {
    let found = if places::is_installed() {
        BY_PLACE
    } else {
        BY_KEY
    };
    CString::new(format!("WITH found AS ({found}){rest}")).unwrap_or_default()
}

const HISTORY: &str = ", named AS (
    SELECT a.* FROM unnest($2::text[], $4::int8[], $5::int8[]) n(pk, since, until) JOIN found a
        ON a.event_pk = n.pk AND a.seq >= n.since AND a.seq <= n.until
    WHERE $3::int4[] IS NULL OR a.chain_id = ANY ($3)
), own AS (
    SELECT * FROM named WHERE op IN ('I', 'U', 'D')
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
    FROM named WHERE op = 'A'
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
    /// Their attribute numbers, if all of them are there.
    key: Option<Vec<i16>>,
}

/// Puts the entries of one row, oldest first, into the function's result. `key` holds the texts of
/// the key's columns; `None` is NULL. Pending events of the transaction are linked first.
///
/// Raises 42704 if the table was never audited, 22023 for another number of key columns than the
/// table's, 22004 for a null.
pub fn history(target: pg_sys::Oid, key: &[Option<Vec<u8>>], rows: &mut RowStore) {
    // Names are looked for as they were recorded, whatever the session wants to have quoted.
    with_plain_names(|| history_plainly(target, key, rows));
}

fn history_plainly(target: pg_sys::Oid, key: &[Option<Vec<u8>>], rows: &mut RowStore) {
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
    let (mut names, mut since, mut until) = (Vec::new(), Vec::new(), Vec::new());
    for named in names_of(&table, &naming, &key) {
        let short = short_text::shorten(&named.name).into_owned();
        // As it stood in entries up to 0.4, however long.
        let whole = (short != named.name).then_some(named.name);
        for name in [Some(short), whole].into_iter().flatten() {
            names.push(String::from_utf8_lossy(&name).into_owned());
            since.push(named.since);
            until.push(named.until);
        }
    }
    let mut arena = DatumArena::default();
    let arguments = [
        (pg_sys::TEXTOID, Some(arena.varlena(&naming.kind))),
        (pg_sys::TEXTARRAYOID, names.into_datum()),
        (pg_sys::INT4ARRAYOID, chains),
        (pg_sys::INT8ARRAYOID, since.into_datum()),
        (pg_sys::INT8ARRAYOID, until.into_datum()),
    ];
    as_owner(|| {
        query::run(&over_entries(HISTORY), &arguments, |row| {
            if let Ok(row) = <[_; COLUMNS]>::try_from(row.all()) {
                rows.put(row);
            }
        })
    });
}

/// What the row was called in the entries from one number to another.
struct Named {
    name: Vec<u8>,
    since: i64,
    until: i64,
}

const LAYOUTS: &CStr = c"SELECT FROM ONLY auditspine.layout WHERE kind = $1 LIMIT 2";

const FIRST_OP: &str = "
SELECT op = 'I' FROM found WHERE op IN ('I', 'U', 'D') AND seq >= $3 ORDER BY seq LIMIT 1";

/// All names of the row that has this key now. Where the present one does not tell an earlier one, it is looked
/// for as it is.
fn names_of(table: &OpenRelation, naming: &Naming, key: &[u8]) -> Vec<Named> {
    let mut all = vec![Named {
        name: key.to_vec(),
        since: i64::MIN,
        until: i64::MAX,
    }];
    let mut arena = DatumArena::default();
    let kind = (pg_sys::TEXTOID, Some(arena.varlena(&naming.kind)));
    let Some(columns) = &naming.key else {
        return all;
    };
    // While there is one layout, there is one key.
    if as_owner(|| query::run(LAYOUTS, &[kind], |_| {})) < 2 {
        return all;
    }
    let mut older = OlderNames::of_all(&String::from_utf8_lossy(&naming.kind));
    older.add_key(table, columns);
    for called in older.called(key) {
        let Some(last) = all.last_mut() else { break };
        // From the first entry on that has the name of the epoch behind.
        last.since = called.until.saturating_add(1);
        let from = last.since;
        let earlier = match called.name {
            // Several rows had it: it is this one's if this was there already.
            Some(_) if called.names_others && begins_with_insert(&kind, key, from) => {
                break;
            }
            Some(name) => name,
            None => key.to_vec(),
        };
        all.push(Named {
            name: earlier,
            since: i64::MIN,
            until: called.until,
        });
    }
    all
}

/// Whether the first entry of this name, from one on, says that the row came.
fn begins_with_insert(kind: &query::Argument, name: &[u8], from: i64) -> bool {
    let short = short_text::shorten(name).into_owned();
    let names = [&short[..], name].map(|name| String::from_utf8_lossy(name).into_owned());
    let arguments = [
        *kind,
        (pg_sys::TEXTARRAYOID, names.to_vec().into_datum()),
        (pg_sys::INT8OID, from.into_datum()),
    ];
    let mut came = false;
    as_owner(|| {
        query::run(&over_entries(FIRST_OP), &arguments, |row| {
            came = row.bool(0).unwrap_or(false)
        });
    });
    came
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
        let key = match &declaration.pk {
            Some(names) => numbers(table, names),
            None => table.key_of_identity(),
        };
        return Naming { kind, parts, key };
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
                    key: None,
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

/// The attribute numbers of columns, if all of them are there.
fn numbers(table: &OpenRelation, names: &[String]) -> Option<Vec<i16>> {
    let attributes = table.attributes();
    let number = |name: &String| {
        let mut all = attributes.iter().filter(|column| !column.attisdropped);
        let column = all.find(|column| name_of(&column.attname) == name.as_bytes())?;
        Some(column.attnum)
    };
    names.iter().map(number).collect()
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
