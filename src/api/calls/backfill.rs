//! What PostgreSQL calls of histories and backfills, with its raw calling convention.

use pgrx::pg_sys;

use crate::backfill;
use crate::pg::sql_function::{FunctionCall, sql_functions};
use crate::verify::history;

sql_functions! {
    pg_finfo_auditspine_history auditspine_history = history;
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

/// SQL: `PROCEDURE audit_backfill(target regclass, batch_size integer)`.
fn backfill(call: &FunctionCall) {
    backfill::backfill(call.oid(0), call.int4(1), !call.may_commit());
}
