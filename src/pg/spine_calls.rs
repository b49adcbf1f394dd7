//! What PostgreSQL calls to verify spines, with its raw calling convention.

use pgrx::{IntoDatum, pg_guard, pg_sys};

use super::arena::DatumArena;
use super::entry_points::entry_point;
use super::srf::RowStore;
use super::varlena::Varlena;
use crate::error::Failure;
use crate::spine::verify::{self, Finding, Report, Request, Which};

entry_point!(pg_finfo_auditspine_verify_spine);
entry_point!(pg_finfo_auditspine_verify_spines);
entry_point!(pg_finfo_auditspine_spine_findings);

/// A text argument; `None` if it is null.
///
/// # Safety
/// `fcinfo` must be that of a function declared with a text there.
unsafe fn text(fcinfo: pg_sys::FunctionCallInfo, at: usize) -> Option<String> {
    // SAFETY: the caller's; arguments outlive the call.
    unsafe {
        let datum = pgrx::fcinfo::pg_getarg_datum(fcinfo, at)?;
        Some(String::from_utf8_lossy(&Varlena::packed(datum)).into_owned())
    }
}

/// The arguments `(spine_id text, schema text, …)`, neither of them null.
///
/// # Safety
/// As for [`text`].
unsafe fn spine_and_schema(fcinfo: pg_sys::FunctionCallInfo) -> (String, String) {
    // SAFETY: the caller's.
    let (spine, schema) = unsafe { (text(fcinfo, 0), text(fcinfo, 1)) };
    let Some(spine) = spine else {
        Failure::NullElement.raise("the spine's id is null", "pass the id of one spine")
    };
    (spine, expect_schema(schema))
}

fn expect_schema(schema: Option<String>) -> String {
    schema.unwrap_or_else(|| {
        Failure::NullElement.raise(
            "the schema is null",
            "name the schema that has the tables of spines, or leave it out for scanner",
        )
    })
}

/// The boolean argument `record`, null being false; raises 25006 where nothing can be written.
///
/// # Safety
/// `fcinfo` must be that of a function declared with a boolean there.
unsafe fn record(fcinfo: pg_sys::FunctionCallInfo, at: usize, command: &std::ffi::CStr) -> bool {
    // SAFETY: the caller's; raises, or returns.
    unsafe {
        let record =
            pgrx::fcinfo::pg_getarg_datum(fcinfo, at).is_some_and(|datum| datum.value() != 0);
        if record {
            pg_sys::PreventCommandIfReadOnly(command.as_ptr());
        }
        record
    }
}

/// SQL: `verify_spine(spine_id text, schema text, record boolean) RETURNS TABLE (…)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_spine(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let ((spine, schema), record, mut rows) = unsafe {
        (
            spine_and_schema(fcinfo),
            record(fcinfo, 2, c"verify_spine(record => true)"),
            RowStore::begin(fcinfo),
        )
    };
    let request = Request {
        which: Which::One(&spine),
        schema: &schema,
        record,
    };
    verify::verify(&request, &mut |report, _| put(&mut rows, &report));
    pg_sys::Datum::from(0usize)
}

/// SQL: `verify_spines("where" text, schema text, record boolean) RETURNS TABLE (…)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_spines(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (condition, schema, record, mut rows) = unsafe {
        (
            text(fcinfo, 0),
            expect_schema(text(fcinfo, 1)),
            record(fcinfo, 2, c"verify_spines(record => true)"),
            RowStore::begin(fcinfo),
        )
    };
    let request = Request {
        which: Which::Where(condition.as_deref()),
        schema: &schema,
        record,
    };
    verify::verify(&request, &mut |report, _| put(&mut rows, &report));
    pg_sys::Datum::from(0usize)
}

fn put(rows: &mut RowStore, report: &Report) {
    let mut arena = DatumArena::default();
    let mut text = |text: &str| Some(arena.varlena(text.as_bytes()));
    rows.put([
        text(&report.spine_id),
        Some(report.ok.into()),
        text(report.status.text()),
        Some(report.root_ok.into()),
        Some(report.ids_ok.into()),
        Some(report.links_ok.into()),
        Some(report.rows_ok.into()),
        Some(report.all_segments_valid.into()),
        Some(report.segments.into()),
        report.invalid_segment_ids.clone().into_datum(),
        Some(report.findings.into()),
        report.first.as_deref().and_then(&mut text),
        report.superseded_by.as_deref().and_then(&mut text),
        text(report.cache),
    ]);
}

/// SQL: `spine_findings(spine_id text, schema text) RETURNS TABLE (…)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_spine_findings(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let ((spine, schema), mut rows) =
        unsafe { (spine_and_schema(fcinfo), RowStore::begin(fcinfo)) };
    let request = Request {
        which: Which::One(&spine),
        schema: &schema,
        record: false,
    };
    verify::verify(&request, &mut |report, findings| {
        for finding in findings {
            put_finding(&mut rows, &report.spine_id, &finding);
        }
    });
    pg_sys::Datum::from(0usize)
}

fn put_finding(rows: &mut RowStore, spine_id: &str, finding: &Finding) {
    let mut arena = DatumArena::default();
    let mut text = |text: &str| Some(arena.varlena(text.as_bytes()));
    rows.put([
        text(spine_id),
        finding.idx.map(pg_sys::Datum::from),
        finding.segment_id.as_deref().and_then(&mut text),
        text(finding.finding),
        finding.seq.map(pg_sys::Datum::from),
        finding.expected.as_deref().and_then(&mut text),
        finding.found.as_deref().and_then(&mut text),
        text(&finding.detail),
    ]);
}
