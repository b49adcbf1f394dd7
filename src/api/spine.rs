//! Roots and ids of evidence spines, their tables, and building them. SQL: sql/spine.sql.

use auditspine_core::spine::{self as formulas, SpineRoot};
use pgrx::datum::Internal;
use pgrx::prelude::*;

use crate::error::Failure;
use crate::pg::aggregate::{self, Caller};
use crate::pg::sqltypes::{JsonbArg, TextArg, TextArrayArg, TextResult};
use crate::spine::build::{Decision, Outcome, build, expect_text, expect_verdict};
use crate::spine::schema;

/// The root of a spine whose segments have these hashes, in order: SHA-256 of the concatenated
/// texts, in lower-case hex; null if there are none. An element is 64 lower-case hex digits, with or
/// without `sha256:`; others raise 22023, a null 22004, a nested array 22023.
#[pg_extern(sql = false)]
fn spine_root_hash_array(hashes: TextArrayArg) -> Option<TextResult> {
    if hashes.dimensions() > 1 {
        Failure::InvalidValue.raise(
            format!(
                "the hashes of a spine form an array of {} dimensions",
                hashes.dimensions()
            ),
            "Pass an array of one dimension, in the order of the segments.",
        );
    }
    let mut root = SpineRoot::new();
    for element in hashes.elements() {
        push(&mut root, element);
    }
    root_text(&root)
}

/// Transition of the aggregate `spine_root_hash(text)`.
#[pg_extern(sql = false)]
fn spine_root_accum(state: Internal, hash: Option<TextArg>, caller: Caller) -> Internal {
    aggregate::advance(&caller, state, |root: &mut SpineRoot| push(root, hash))
}

/// Result of the aggregate `spine_root_hash(text)`.
#[pg_extern(sql = false)]
fn spine_root_final(state: Internal, caller: Caller) -> Option<TextResult> {
    aggregate::finish(&caller, state, root_text)
}

fn push(root: &mut SpineRoot, element: Option<TextArg>) {
    const FORM: &str = "An element is a SHA-256 digest as 64 lower-case hex digits, with or without \
                        'sha256:' before them.";
    let Some(element) = element else {
        Failure::NullElement.raise(
            format!("element {} of the spine is null", root.elements() + 1),
            FORM,
        );
    };
    if let Err(error) = root.push(&element.as_str()) {
        Failure::InvalidValue.raise(error.to_string(), FORM);
    }
}

fn root_text(root: &SpineRoot) -> Option<TextResult> {
    root.finish().map(|text| TextResult(text.into_bytes()))
}

/// The id of a spine: SHA-256 of the canonical JSON array of the four, in lower-case hex.
#[pg_extern(sql = false)]
fn spine_id(
    artifact_id: TextArg,
    vuln_id: TextArg,
    policy_profile_id: TextArg,
    root_hash: TextArg,
) -> TextResult {
    let id = formulas::spine_id(
        &artifact_id.as_str(),
        &vuln_id.as_str(),
        &policy_profile_id.as_str(),
        &root_hash.as_str(),
    );
    TextResult(id.to_string().into_bytes())
}

/// The id of a segment: SHA-256 of the canonical JSON array of the five, in lower-case hex.
#[pg_extern(sql = false)]
fn segment_id(
    spine_id: TextArg,
    idx: i32,
    segment_type: TextArg,
    input_hash: TextArg,
    result_hash: TextArg,
) -> TextResult {
    let id = formulas::segment_id(
        &spine_id.as_str(),
        idx,
        &segment_type.as_str(),
        &input_hash.as_str(),
        &result_hash.as_str(),
    );
    TextResult(id.to_string().into_bytes())
}

/// Creates the tables of spines in a schema, audited; answers `created` or `unchanged`.
#[pg_extern(sql = false)]
fn create_proof_spine_schema(schema: Option<TextArg>) -> &'static str {
    schema::create(&expect_schema(schema))
}

fn expect_schema(schema: Option<TextArg>) -> String {
    let Some(schema) = schema else {
        Failure::NullElement.raise("the schema is null", "leave it out for schema scanner");
    };
    schema.as_str().into_owned()
}

/// Writes a spine with its segments, in the place of the current one of that decision; answers its id.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn create_spine(
    artifact_id: Option<TextArg>,
    vuln_id: Option<TextArg>,
    policy_profile_id: Option<TextArg>,
    verdict: Option<TextArg>,
    scan_run_id: Option<TextArg>,
    segments: Option<JsonbArg>,
    verdict_reason: Option<TextArg>,
    schema: Option<TextArg>,
) -> TextResult {
    let text = |argument: Option<TextArg>| argument.map(|text| text.as_str().into_owned());
    let expect = |name: &str, argument: Option<TextArg>| expect_text(name, text(argument));
    let decision = Decision {
        artifact_id: expect("artifact_id", artifact_id),
        vuln_id: expect("vuln_id", vuln_id),
        policy_profile_id: expect("policy_profile_id", policy_profile_id),
    };
    let outcome = Outcome {
        verdict: expect("verdict", verdict),
        verdict_reason: text(verdict_reason),
        scan_run_id: expect("scan_run_id", scan_run_id),
    };
    expect_verdict(&outcome.verdict);
    let Some(segments) = segments else {
        Failure::NullElement.raise("segments is null", "pass an array of segments");
    };
    let schema = expect_schema(schema);
    TextResult(build(&schema, &decision, &outcome, &segments).into_bytes())
}
