//! What PostgreSQL calls to verify spines, with its raw calling convention.

use pgrx::{IntoDatum, pg_sys};

use crate::error::Failure;
use crate::pg::arena::DatumArena;
use crate::pg::result_rows::RowStore;
use crate::pg::session;
use crate::pg::sql_function::{FunctionCall, sql_functions};
use crate::spine::verify::{self, Finding, Report, Request, Which};

sql_functions! {
    pg_finfo_auditspine_verify_spine auditspine_verify_spine = verify_spine;
    pg_finfo_auditspine_verify_spines auditspine_verify_spines = verify_spines;
    pg_finfo_auditspine_spine_findings auditspine_spine_findings = spine_findings;
}

/// The arguments `(spine_id text, schema text, …)`, neither of them null.
fn spine_and_schema(call: &FunctionCall) -> (String, String) {
    let Some(spine) = call.text(0) else {
        Failure::NullElement.raise("the spine's id is null", "pass the id of one spine")
    };
    (spine, expect_schema(call.text(1)))
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
fn record(call: &FunctionCall, at: usize, command: &std::ffi::CStr) -> bool {
    let record = call.is_true(at);
    if record {
        session::expect_writable(command);
    }
    record
}

/// SQL: `verify_spine(spine_id text, schema text, record boolean) RETURNS TABLE (…)`.
fn verify_spine(call: &FunctionCall) {
    let ((spine, schema), record, mut rows) = (
        spine_and_schema(call),
        record(call, 2, c"verify_spine(record => true)"),
        call.rows(),
    );
    let request = Request {
        which: Which::One(&spine),
        schema: &schema,
        record,
    };
    verify::verify(&request, &mut |report, _| put(&mut rows, &report));
}

/// SQL: `verify_spines("where" text, schema text, record boolean) RETURNS TABLE (…)`.
fn verify_spines(call: &FunctionCall) {
    let (condition, schema, record, mut rows) = (
        call.text(0),
        expect_schema(call.text(1)),
        record(call, 2, c"verify_spines(record => true)"),
        call.rows(),
    );
    let request = Request {
        which: Which::Where(condition.as_deref()),
        schema: &schema,
        record,
    };
    verify::verify(&request, &mut |report, _| put(&mut rows, &report));
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
fn spine_findings(call: &FunctionCall) {
    let ((spine, schema), mut rows) = (spine_and_schema(call), call.rows());
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
