//! What PostgreSQL calls, with its raw calling convention.

use pgrx::{PgLogLevel, PgSqlErrorCode, pg_guard, pg_sys};

use crate::error::Failure;
use crate::pg::arena::DatumArena;
use crate::pg::entry_points::entry_point;
use crate::pg::srf::RowStore;
use crate::verify::adopted::{Adopted, Finding, adopt, findings, verify};

entry_point!(pg_finfo_auditspine_adopt_chain);
entry_point!(pg_finfo_auditspine_verify_adopted);
entry_point!(pg_finfo_auditspine_adopted_findings);

/// The first argument, a regclass.
///
/// # Safety
/// `fcinfo` must be that of a function declared with it.
unsafe fn expect_table(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Oid {
    // SAFETY: the caller's.
    let table = unsafe { pgrx::fcinfo::pg_getarg_datum(fcinfo, 0) };
    match table.map(|datum| pg_sys::Oid::from(datum.value() as u32)) {
        Some(oid) if oid != pg_sys::InvalidOid => oid,
        _ => {
            Failure::NullElement.raise("the table is null", "pass the table's name: 'schema.table'")
        }
    }
}

/// SQL: `adopt_chain(target regclass, again boolean) RETURNS TABLE (…)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_adopt_chain(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits; raises, or returns.
    let (target, again, mut rows) = unsafe {
        pg_sys::PreventCommandIfReadOnly(c"adopt_chain()".as_ptr());
        let again =
            pgrx::fcinfo::pg_getarg_datum(fcinfo, 1).is_some_and(|datum| datum.value() != 0);
        (expect_table(fcinfo), again, RowStore::begin(fcinfo))
    };
    let Adopted { outcome, anchor } = adopt(target, again);
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
    pg_sys::Datum::from(0usize)
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
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_adopted(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (target, mut rows) = unsafe { (expect_table(fcinfo), RowStore::begin(fcinfo)) };
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
    pg_sys::Datum::from(0usize)
}

/// SQL: `adopted_findings(target regclass) RETURNS TABLE (…)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_adopted_findings(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (target, mut rows) = unsafe { (expect_table(fcinfo), RowStore::begin(fcinfo)) };
    let mut arena = DatumArena::default();
    findings(target, &mut |finding: Finding| {
        rows.put([
            finding.seq.map(pg_sys::Datum::from),
            Some(arena.varlena(finding.finding.as_bytes())),
            Some(arena.varlena(finding.detail.as_bytes())),
            finding.expected.map(|hash| arena.varlena(&hash.0)),
            finding.found.as_deref().map(|bytes| arena.varlena(bytes)),
            Some(finding.anchored.into()),
        ]);
        arena.clear();
    });
    pg_sys::Datum::from(0usize)
}
