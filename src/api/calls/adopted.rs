//! What PostgreSQL calls, with its raw calling convention.

use pgrx::{PgLogLevel, PgSqlErrorCode, pg_sys};

use crate::error::Failure;
use crate::pg::arena::DatumArena;
use crate::pg::session;
use crate::pg::sql_function::{FunctionCall, sql_functions};
use crate::verify::adopted::{Adopted, Finding, adopt, findings, verify};

sql_functions! {
    pg_finfo_auditspine_adopt_chain auditspine_adopt_chain = adopt_chain;
    pg_finfo_auditspine_verify_adopted auditspine_verify_adopted = verify_adopted;
    pg_finfo_auditspine_adopted_findings auditspine_adopted_findings = adopted_findings;
}

/// The first argument, a regclass.
fn expect_table(call: &FunctionCall) -> pg_sys::Oid {
    match call.oid(0) {
        Some(oid) if oid != pg_sys::InvalidOid => oid,
        _ => {
            Failure::NullElement.raise("the table is null", "pass the table's name: 'schema.table'")
        }
    }
}

/// SQL: `adopt_chain(target regclass, again boolean) RETURNS TABLE (…)`.
fn adopt_chain(call: &FunctionCall) {
    session::expect_writable(c"adopt_chain()");
    let (target, mut rows) = (expect_table(call), call.rows());
    let Adopted { outcome, anchor } = adopt(target, call.is_true(1));
    let summary = &anchor.summary;
    let table = &anchor.table;
    match outcome {
        "unchanged" => tell(
            PgLogLevel::NOTICE,
            format!("table {table} is as it was adopted; nothing was recorded"),
            "verify_adopted() verifies it at any time",
        ),
        "changed" => tell(
            PgLogLevel::WARNING,
            format!("table {table} is not as it was adopted; nothing was recorded"),
            "see verify_adopted() and adopted_findings(); adopt_chain(…, again => true) anchors it as it is now",
        ),
        _ if summary.breaks > 0 => tell(
            PgLogLevel::WARNING,
            format!(
                "the chain in table {table} has {} break{}, which the anchor tells",
                summary.breaks,
                if summary.breaks == 1 { "" } else { "s" }
            ),
            "see adopted_findings()",
        ),
        _ => {}
    }
    let mut arena = DatumArena::default();
    rows.put([
        Some(arena.varlena(outcome.as_bytes())),
        Some(arena.varlena(table.as_bytes())),
        Some(arena.varlena(anchor.variant.to_string().as_bytes())),
        Some((summary.count as i64).into()),
        summary.first_seq.map(pg_sys::Datum::from),
        summary.last_seq.map(pg_sys::Datum::from),
        summary.head.map(|head| arena.varlena(&head.0)),
        Some(arena.varlena(&summary.digest.0)),
        Some((summary.breaks as i64).into()),
    ]);
}

fn tell(level: PgLogLevel, message: String, hint: &str) {
    let code = match level {
        PgLogLevel::WARNING => PgSqlErrorCode::ERRCODE_WARNING,
        _ => PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
    };
    pg_sys::panic::ErrorReport::new(code, message, "auditspine")
        .set_hint(hint.to_owned())
        .report(level);
}

/// SQL: `verify_adopted(target regclass) RETURNS TABLE (…)`.
fn verify_adopted(call: &FunctionCall) {
    let (target, mut rows) = (expect_table(call), call.rows());
    let report = verify(target, &mut |_| {});
    let mut arena = DatumArena::default();
    let big = |value: u64| Some(pg_sys::Datum::from(value as i64));
    rows.put([
        Some(arena.varlena(report.table.as_bytes())),
        Some(report.ok().into()),
        report.anchor_seq.map(pg_sys::Datum::from),
        big(report.anchored),
        big(report.entries),
        big(report.appended),
        big(report.breaks),
        big(report.new_breaks),
        big(report.changes),
    ]);
}

/// SQL: `adopted_findings(target regclass) RETURNS TABLE (…)`.
fn adopted_findings(call: &FunctionCall) {
    let (target, mut rows) = (expect_table(call), call.rows());
    let mut arena = DatumArena::default();
    findings(target, &mut |finding: Finding| {
        rows.put([
            finding.seq.map(pg_sys::Datum::from),
            Some(arena.varlena(finding.kind.label().as_bytes())),
            Some(arena.varlena(finding.detail.as_bytes())),
            finding.expected.map(|hash| arena.varlena(&hash.0)),
            finding.found.as_deref().map(|bytes| arena.varlena(bytes)),
            Some(finding.anchored.into()),
        ]);
        arena.clear();
    });
}
