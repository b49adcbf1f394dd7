//! What PostgreSQL calls of heads and publications, with its raw calling convention.

use crate::error::Failure;
use crate::ledger::heads;
use crate::pg::sql_function::{FunctionCall, sql_functions};
use crate::publish::verify::{self, Source};
use crate::publish::write;

sql_functions! {
    pg_finfo_auditspine_chain_heads auditspine_chain_heads = chain_heads;
    pg_finfo_auditspine_publish_head auditspine_publish_head = publish_head;
    pg_finfo_auditspine_verify_publication auditspine_verify_publication = verify_publication;
    pg_finfo_auditspine_publication_findings auditspine_publication_findings = publication_findings;
    pg_finfo_auditspine_verify_publication_file auditspine_verify_publication_file = verify_publication_file;
    pg_finfo_auditspine_publication_file_findings auditspine_publication_file_findings = publication_file_findings;
}

/// The first argument, a text that must not be null.
fn expect_text<'a>(call: &'a FunctionCall, what: &str) -> &'a [u8] {
    call.bytes(0).unwrap_or_else(|| {
        Failure::NullElement.raise(
            format!("{what} to be verified is null"),
            "a verdict on nothing would be a good one; find out why there is none",
        )
    })
}

/// SQL: `chain_heads(chain text) RETURNS SETOF auditspine.chain_head`.
fn chain_heads(call: &FunctionCall) {
    heads::rows(call.bytes(0), &mut call.rows());
}

/// SQL: `publish_head(chain text) RETURNS TABLE (heads bigint, published_at timestamptz, file text)`.
fn publish_head(call: &FunctionCall) {
    write::publish(call.bytes(0), &mut call.rows());
}

/// SQL: `verify_publication(lines text) RETURNS SETOF auditspine.publication_verdict`.
fn verify_publication(call: &FunctionCall) {
    let lines = expect_text(call, "the text");
    verify::verdict(&Source::Text(lines), &mut call.rows());
}

/// SQL: `publication_findings(lines text) RETURNS SETOF auditspine.publication_finding`.
fn publication_findings(call: &FunctionCall) {
    let lines = expect_text(call, "the text");
    verify::findings(&Source::Text(lines), &mut call.rows());
}

/// SQL: `verify_publication_file(path text) RETURNS SETOF auditspine.publication_verdict`.
fn verify_publication_file(call: &FunctionCall) {
    let path = expect_text(call, "the path of the file");
    verify::verdict(&Source::File(path), &mut call.rows());
}

/// SQL: `publication_file_findings(path text) RETURNS SETOF auditspine.publication_finding`.
fn publication_file_findings(call: &FunctionCall) {
    let path = expect_text(call, "the path of the file");
    verify::findings(&Source::File(path), &mut call.rows());
}
