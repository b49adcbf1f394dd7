//! What logical replication brings for the extension's own tables is kept out.
//!
//! A publication FOR ALL TABLES has the publisher's auditspine tables in it. Its entries belong to its
//! own chains: here they would stand between ours, take their places and stop the apply worker.

use std::cell::Cell;

use pgrx::{PgLogLevel, PgSqlErrorCode, pg_sys};

use crate::error::Failure;
use crate::pg::session;
use crate::pg::sql_function::{FunctionCall, sql_functions};
use crate::pg::trigger_call::{Call, Operation};

sql_functions! {
    pg_finfo_auditspine_keep_replicated_out auditspine_keep_replicated_out = keep_replicated_out;
}

thread_local! {
    static TOLD: Cell<bool> = const { Cell::new(false) };
}

const HINT: &str = "let the publication list its tables, without those of schema auditspine";

/// SQL: `auditspine.keep_replicated_out() RETURNS trigger`.
fn keep_replicated_out(call: &FunctionCall) -> pg_sys::Datum {
    judge(&call.trigger(
        "auditspine.keep_replicated_out",
        "it is a trigger of the extension's own tables",
    ))
}

/// The row that is to be written; none if it is replicated.
fn judge(call: &Call<'_>) -> pg_sys::Datum {
    let (data, operation) = (call.data(), call.operation());
    if !session::is_logical_worker() {
        let row = if operation == Operation::Update {
            data.tg_newtuple
        } else {
            data.tg_trigtuple
        };
        return pg_sys::Datum::from(row);
    }
    let table = call.table();
    if operation == Operation::Truncate {
        // A statement cannot be passed over.
        Failure::StateIsAppendOnly.raise(
            format!("TRUNCATE of auditspine.{table} is refused to logical replication"),
            format!("ALTER SUBSCRIPTION … SKIP passes over it; {HINT}"),
        );
    }
    if !TOLD.replace(true) {
        pgrx::pg_sys::panic::ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            format!(
                "rows that logical replication brings for auditspine.{table} and the extension's other tables are kept out"
            ),
            "auditspine",
        )
        .set_hint(HINT)
        .report(PgLogLevel::WARNING);
    }
    pg_sys::Datum::null()
}
