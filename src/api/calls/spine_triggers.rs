//! Triggers of ProofSpines, as PostgreSQL calls them. What they do: [`crate::spine::triggers`].

use pgrx::pg_sys;

use crate::pg::sql_function::{FunctionCall, sql_functions};
use crate::spine::triggers;
use crate::spine::triggers::fired::{self, Fired, Level};

sql_functions! {
    pg_finfo_auditspine_spine_count auditspine_spine_count = spine_count;
    pg_finfo_auditspine_segment_links auditspine_segment_links = segment_links;
    pg_finfo_auditspine_segment_count auditspine_segment_count = segment_count;
    pg_finfo_auditspine_spine_root auditspine_spine_root = spine_root;
    pg_finfo_auditspine_spine_supersession auditspine_spine_supersession = spine_supersession;
    pg_finfo_auditspine_spine_history auditspine_spine_history = spine_history;
}

/// SQL: `proof_spine_count() RETURNS trigger`: a new spine has no segments yet, whatever its row says.
fn spine_count(call: &FunctionCall) -> pg_sys::Datum {
    let call = call.trigger("proof_spine_count", fired::HINT);
    fired::with_number(&call, c"segment_count", 0)
}

fn fired<'a>(call: &'a FunctionCall, function: &'static str, level: Level) -> Fired<'a> {
    let call = call.trigger(function, fired::HINT);
    Fired::new(call, function, level)
}

/// SQL: `proof_segment_links() RETURNS trigger`.
fn segment_links(call: &FunctionCall) {
    triggers::links(&fired(call, "proof_segment_links", Level::Statement));
}

/// SQL: `proof_segment_count() RETURNS trigger`.
fn segment_count(call: &FunctionCall) {
    triggers::count(&fired(call, "proof_segment_count", Level::Statement));
}

/// SQL: `proof_spine_root() RETURNS trigger`.
fn spine_root(call: &FunctionCall) {
    triggers::root(&fired(call, "proof_spine_root", Level::Row));
}

/// SQL: `proof_spine_supersession() RETURNS trigger`.
fn spine_supersession(call: &FunctionCall) {
    triggers::supersession(&fired(call, "proof_spine_supersession", Level::Row));
}

/// SQL: `proof_spine_history() RETURNS trigger`.
fn spine_history(call: &FunctionCall) {
    triggers::history(&fired(call, "proof_spine_history", Level::Row));
}
