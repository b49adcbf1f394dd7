//! Roots of evidence spines.

use auditspine_core::spine::SpineRoot;
use pgrx::datum::Internal;
use pgrx::prelude::*;

use crate::error::Failure;
use crate::pg::aggregate::{self, Caller};
use crate::pg::sqltypes::{TextArg, TextArrayArg, TextResult};

/// The root of a spine whose segments have these hashes, in order: SHA-256 of the concatenated
/// texts, in lower-case hex; null if there are none. An element is 64 lower-case hex digits, with or
/// without `sha256:`; others raise 22023, a null 22004, a nested array 22023.
#[pg_extern(name = "spine_root_hash", immutable, strict, parallel_safe)]
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
#[pg_extern(immutable, parallel_safe)]
fn spine_root_accum(state: Internal, hash: Option<TextArg>, caller: Caller) -> Internal {
    aggregate::advance(&caller, state, |root: &mut SpineRoot| push(root, hash))
}

/// Result of the aggregate `spine_root_hash(text)`.
#[pg_extern(immutable, parallel_safe)]
fn spine_root_final(state: Internal, caller: Caller) -> Option<TextResult> {
    aggregate::finish(&caller, state, root_text)
}

extension_sql!(
    "CREATE AGGREGATE spine_root_hash(text) (
    SFUNC = spine_root_accum,
    STYPE = internal,
    FINALFUNC = spine_root_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE spine_root_hash(text) IS
    'root of an evidence spine; say ORDER BY inside: spine_root_hash(result_hash ORDER BY idx)';
",
    name = "spine_root_aggregate",
    requires = [spine_root_accum, spine_root_final]
);

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
