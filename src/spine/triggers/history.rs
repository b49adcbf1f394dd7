//! What became of a spine, written to proof_spine_history.

use std::ffi::CStr;

use crate::pg::trigger_call::Operation;
use crate::spine::triggers::fired::Fired;

/// By the clock, so that the order of what one transaction does to a spine is told.
const CREATED: &str = "
    INSERT INTO {}.proof_spine_history (spine_id, action, actor, reason, occurred_at_utc, detail)
    VALUES ($1, 'created', session_user, 'Spine created', pg_catalog.clock_timestamp(), pg_catalog.jsonb_build_object(
        'artifact_id', $2, 'vuln_id', $3, 'policy_profile_id', $4, 'verdict', $5, 'root_hash', $6, 'scan_run_id', $7))";
const SUPERSEDED: &str = "
    INSERT INTO {}.proof_spine_history (spine_id, action, actor, reason, occurred_at_utc, detail)
    VALUES ($1, 'superseded', session_user, 'Superseded by ' || $2, pg_catalog.clock_timestamp(),
            pg_catalog.jsonb_build_object('superseded_by', $2))";
/// Segments may all be valid in a spine that is not: only both together count as verified.
const VERIFICATION: &str = "
    INSERT INTO {}.proof_spine_history (spine_id, action, actor, reason, occurred_at_utc, detail)
    SELECT $1, CASE WHEN v.good THEN 'verified' ELSE 'invalidated' END, session_user,
           pg_catalog.format('%s by verifier %s', coalesce($2, CASE WHEN v.good THEN 'Verified' ELSE 'Invalid' END), $5),
           pg_catalog.clock_timestamp(),
           pg_catalog.jsonb_build_object(
               'status', $2, 'all_segments_valid', $3::boolean, 'invalid_segment_ids', $4::text[],
               'verifier_version', $5)
    FROM (SELECT coalesce($2, 'Verified') = 'Verified' AND $3::boolean) AS v (good)";

/// Writes what a row of the spines (`spine`) or of the cache (`verification`) tells: that a spine was created,
/// or superseded for the first time; that it was verified, or invalidated.
pub fn history(fired: &Fired<'_>) {
    let (statement, columns): (_, &[&CStr]) = match (fired.argument().as_str(), fired.event()) {
        ("spine", Operation::Insert) => (
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
        ("spine", Operation::Update) => {
            let is_news = fired.old(c"superseded_by_spine_id").is_none()
                && fired.new_row(c"superseded_by_spine_id").is_some();
            if !is_news {
                return;
            }
            (SUPERSEDED, &[c"spine_id", c"superseded_by_spine_id"])
        }
        ("verification", Operation::Insert | Operation::Update) => (
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
