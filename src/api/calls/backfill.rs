//! What PostgreSQL calls of histories and backfills, with its raw calling convention.

use pgrx::pg_sys;

use crate::backfill;
use crate::ledger::key_index::{fill, places};
use crate::pg::sql_function::{FunctionCall, sql_functions};
use crate::verify::history;

sql_functions! {
    pg_finfo_auditspine_history auditspine_history = history;
    pg_finfo_auditspine_places_of auditspine_places_of = places_of;
    pg_finfo_auditspine_index_history auditspine_index_history = index_history;
    pg_finfo_auditspine_backfill auditspine_backfill = backfill;
}

/// SQL: `audit_history(target regclass, VARIADIC key text[]) RETURNS TABLE (…)`.
fn history(call: &FunctionCall) {
    let key: Vec<Option<Vec<u8>>> = call
        .texts(1)
        .elements()
        .into_iter()
        .map(|text| text.map(|text| text.0.to_vec()))
        .collect();
    let target = call.oid(0).unwrap_or(pg_sys::InvalidOid);
    history::history(target, &key, &mut call.rows());
}

/// SQL: `auditspine.places_of(kind text, keys text[]) RETURNS TABLE (…)`.
fn places_of(call: &FunctionCall) {
    let kind = call.bytes(0).unwrap_or_default().to_vec();
    let keys = call.texts(1).elements().into_iter().flatten();
    let keys: Vec<Vec<u8>> = keys.map(|key| key.0.to_vec()).collect();
    places::rows(&kind, &keys, &mut call.rows());
}

/// SQL: `index_history(rebuild boolean) RETURNS bigint`.
fn index_history(call: &FunctionCall) -> pg_sys::Datum {
    fill::by_hand(call.is_true(0)).into()
}

/// SQL: `PROCEDURE audit_backfill(target regclass, batch_size integer)`.
fn backfill(call: &FunctionCall) {
    backfill::backfill(call.oid(0), call.int4(1), !call.may_commit());
}
