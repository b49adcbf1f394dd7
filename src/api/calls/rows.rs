//! What SQL calls, with PostgreSQL's raw calling convention.

use pgrx::pg_sys;

use crate::error::Failure;
use crate::pg::sql_function::{FunctionCall, sql_functions};
use crate::verify::rows::output;
use crate::verify::rows::{Detail, Request, Rows};

sql_functions! {
    pg_finfo_auditspine_verify_table auditspine_verify_table = verify_table;
    pg_finfo_auditspine_verify_table_findings auditspine_verify_table_findings = verify_table_findings;
    pg_finfo_auditspine_verify_table_of_chain auditspine_verify_table_of_chain = verify_table_of_chain;
    pg_finfo_auditspine_verify_table_of_chain_findings auditspine_verify_table_of_chain_findings = verify_table_of_chain_findings;
}

/// Arguments, as SQL gives them.
struct Arguments {
    target: pg_sys::Oid,
    since: Option<i64>,
    chain: Option<Vec<u8>>,
}

impl Arguments {
    /// `(target regclass, since bigint)`, and `chain text` where the function has it.
    fn of(call: &FunctionCall, has_chain: bool) -> Arguments {
        let Some(target) = call.oid(0) else {
            Failure::InvalidValue.raise(
                "the table is null",
                "name the table: SELECT * FROM verify_table('…')",
            );
        };
        let chain = if has_chain { call.bytes(2) } else { None };
        Arguments {
            target,
            since: call.int8(1),
            chain: chain.map(<[u8]>::to_vec),
        }
    }

    fn request(&self, detail: Detail) -> Request<'_> {
        Request {
            relation: self.target,
            rows: self.since.map_or(Rows::All, Rows::Since),
            chain: self.chain.as_deref(),
            detail,
        }
    }
}

/// SETOF auditspine.table_verdict.
fn verdicts(call: &FunctionCall, has_chain: bool) {
    let arguments = Arguments::of(call, has_chain);
    output::reports(&arguments.request(Detail::Brief), &mut call.rows());
}

/// SETOF auditspine.table_finding.
fn findings(call: &FunctionCall, has_chain: bool) {
    let arguments = Arguments::of(call, has_chain);
    output::findings(&arguments.request(Detail::Evidence), &mut call.rows());
}

/// SQL: `verify_table(target regclass, since bigint)`, as it was before 0.4.0.
fn verify_table(call: &FunctionCall) {
    verdicts(call, false);
}

/// SQL: `verify_table_findings(target regclass, since bigint)`, as it was before 0.4.0.
fn verify_table_findings(call: &FunctionCall) {
    findings(call, false);
}

/// SQL: `verify_table(target regclass, since bigint, chain text)`.
fn verify_table_of_chain(call: &FunctionCall) {
    verdicts(call, true);
}

/// SQL: `verify_table_findings(target regclass, since bigint, chain text)`.
fn verify_table_of_chain_findings(call: &FunctionCall) {
    findings(call, true);
}
