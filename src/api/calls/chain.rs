//! Functions that PostgreSQL calls with its raw calling convention: triggers, and what returns rows of
//! our own types.

use pgrx::pg_sys;

use crate::pg::sql_function::{FunctionCall, sql_functions};

use crate::attach;
use crate::auditor;
use crate::capture::trigger::{self, TIMING_HINT};
use crate::ledger::append_event::{self, ByHand};
use crate::ledger::{dropping, head};
use crate::verify::all;
use crate::verify::links::{self, Request};

sql_functions! {
    pg_finfo_auditspine_append_trigger auditspine_append_trigger = append_trigger;
    pg_finfo_auditspine_append_by_hand auditspine_append_by_hand = append_by_hand;
    pg_finfo_auditspine_refuse_change auditspine_refuse_change = refuse_change;
    pg_finfo_auditspine_distrust_heads auditspine_distrust_heads = distrust_heads;
    pg_finfo_auditspine_refuse_audited_change auditspine_refuse_audited_change = refuse_audited_change;
    pg_finfo_auditspine_auditor_policies auditspine_auditor_policies = auditor_policies;
    pg_finfo_auditspine_on_ddl auditspine_on_ddl = on_ddl;
    pg_finfo_auditspine_on_drop auditspine_on_drop = on_drop;
    pg_finfo_auditspine_on_dropped auditspine_on_dropped = on_dropped;
    pg_finfo_auditspine_verify_chain auditspine_verify_chain = verify_chain;
    pg_finfo_auditspine_chain_findings auditspine_chain_findings = chain_findings;
    pg_finfo_auditspine_verify_all auditspine_verify_all = verify_all;
}

/// SQL: `audit_chain_append() RETURNS trigger`.
fn append_trigger(call: &FunctionCall) {
    trigger::capture(&call.trigger("audit_chain_append", TIMING_HINT));
}

/// SQL: `audit_chain_append(kind text, pk text, payload jsonb, chain text) RETURNS
/// auditspine.audit_chain`.
fn append_by_hand(call: &FunctionCall) -> pg_sys::Datum {
    append_event::by_hand(&ByHand {
        kind: call.aligned(0),
        pk: call.aligned(1),
        payload: call.aligned(2),
        chain: call.aligned(3),
    })
}

/// SQL: `auditspine.refuse_change() RETURNS trigger`.
fn refuse_change(call: &FunctionCall) {
    call.trigger("auditspine.refuse_change", TIMING_HINT)
        .refuse()
}

/// SQL: `auditspine.distrust_heads() RETURNS trigger`.
fn distrust_heads(call: &FunctionCall) {
    call.trigger("auditspine.distrust_heads", TIMING_HINT);
    head::distrust();
}

/// SQL: `audit_refuse_change() RETURNS trigger`.
fn refuse_audited_change(call: &FunctionCall) {
    call.trigger("audit_refuse_change", TIMING_HINT)
        .refuse_audited()
}

/// SQL: `auditspine.auditor_policies() RETURNS trigger`.
fn auditor_policies(call: &FunctionCall) {
    call.trigger("auditspine.auditor_policies", TIMING_HINT);
    auditor::make_policies();
}

/// SQL: `auditspine.on_ddl() RETURNS event_trigger`.
fn on_ddl(call: &FunctionCall) {
    let command = call.command();
    // Its triggers may be switched off, to insert into it next.
    if command.alters_table_called(c"audit_chain") {
        head::distrust();
    }
    attach::follow(&command);
}

/// SQL: `auditspine.on_drop() RETURNS event_trigger`. That it is called has the library loaded, whose hook is told
/// of all that is dropped.
fn on_drop(call: &FunctionCall) {
    dropping::expect_schema_stays(&call.command());
}

/// SQL: `auditspine.on_dropped() RETURNS event_trigger`.
fn on_dropped(call: &FunctionCall) {
    attach::follow_dropped(&call.command());
}

/// Arguments `(chain text, start_seq bigint, end_seq bigint)`.
fn request(call: &FunctionCall) -> Request<'_> {
    Request {
        chain: call.bytes(0),
        start: call.int8(1).unwrap_or(1),
        end: call.int8(2),
    }
}

/// SQL: `verify_chain(…) RETURNS SETOF auditspine.chain_verdict`.
fn verify_chain(call: &FunctionCall) {
    links::verdicts(&request(call), &mut call.rows());
}

/// SQL: `chain_findings(…) RETURNS SETOF auditspine.chain_finding`.
fn chain_findings(call: &FunctionCall) {
    links::findings(&request(call), &mut call.rows());
}

/// SQL: `verify_all(since text) RETURNS TABLE (…)`.
fn verify_all(call: &FunctionCall) {
    all::verify_all(call.bytes(0), &mut call.rows());
}
