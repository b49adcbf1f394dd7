//! What became of a spine, written to proof_spine_history.

use std::ffi::CStr;

use crate::pg::spine_trigger_call::{Event, Fired};

const CREATED: &str = "
    INSERT INTO {}.proof_spine_history (spine_id, event, detail)
    VALUES ($1, 'created', pg_catalog.jsonb_build_object(
        'artifact_id', $2, 'vuln_id', $3, 'policy_profile_id', $4, 'verdict', $5, 'root_hash', $6, 'scan_run_id', $7))";
const SUPERSEDED: &str = "
    INSERT INTO {}.proof_spine_history (spine_id, event, detail)
    VALUES ($1, 'superseded', pg_catalog.jsonb_build_object('superseded_by', $2))";
/// Segments may all be valid in a spine that is not: only both together count as verified.
const VERIFICATION: &str = "
    INSERT INTO {}.proof_spine_history (spine_id, event, detail)
    VALUES ($1, CASE WHEN coalesce($2, 'Verified') = 'Verified' AND $3::boolean THEN 'verified' ELSE 'invalidated' END,
            pg_catalog.jsonb_build_object(
                'status', $2, 'all_segments_valid', $3::boolean, 'invalid_segment_ids', $4::text[],
                'verifier_version', $5))";

/// Writes an event: `created` of a new spine, `superseded` of one whose place was taken, or `verified` or
/// `invalidated` as its row in the cache says (`verification`).
pub fn history(fired: &Fired) {
    let (statement, columns): (_, &[&CStr]) = match (fired.argument().as_str(), fired.event()) {
        ("created", Event::Insert) => (
            CREATED,
            &[
                c"spine_id",
                c"artifact_id",
                c"vuln_id",
                c"policy_profile_id",
                c"verdict",
                c"root_hash",
                c"scan_run_id",
            ],
        ),
        ("superseded", Event::Update) => (SUPERSEDED, &[c"spine_id", c"superseded_by_spine_id"]),
        ("verification", Event::Insert | Event::Update) => (
            VERIFICATION,
            &[
                c"spine_id",
                c"status",
                c"all_segments_valid",
                c"invalid_segment_ids",
                c"verifier_version",
            ],
        ),
        _ => fired.misplaced(),
    };
    let values: Vec<Option<String>> = columns.iter().map(|name| fired.new_row(name)).collect();
    let arguments: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
    fired.run(statement, &arguments);
}
