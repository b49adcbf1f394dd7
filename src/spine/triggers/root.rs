//! The root of a spine's segments, and the id of its decision.

use auditspine_core::spine::{SpineRoot, spine_id};

use crate::error::Failure;
use crate::pg::trigger_call::Operation;
use crate::spine::checks;
use crate::spine::triggers::fired::Fired;

const SPINE: &str = "
    SELECT s.artifact_id::text, s.vuln_id::text, s.policy_profile_id::text, s.root_hash::text
    FROM {}.proof_spines AS s WHERE s.spine_id = $1";
const RESULTS: &str = "
    SELECT g.result_hash::text FROM {}.proof_segments AS g WHERE g.spine_id = $1 ORDER BY g.idx";

/// Raises 23514 unless the spine that the row is, or belongs to, has the root of its segments and the id
/// of its decision; a spine that is gone by now has neither.
pub fn root(fired: &Fired<'_>) {
    let event = fired.event();
    if !matches!(event, Operation::Insert | Operation::Update) {
        fired.misplaced();
    }
    let spine = fired.new_row(c"spine_id");
    if event == Operation::Update {
        let before = fired.old(c"spine_id");
        if before != spine {
            check(fired, before.as_deref());
        }
    }
    check(fired, spine.as_deref());
}

fn check(fired: &Fired<'_>, spine: Option<&str>) {
    let Some(id) = spine else { return };
    if checks::covers(fired.schema(), id, fired.command()) {
        return;
    }
    let now = checks::now();
    let found = fired.run(SPINE, &[Some(id)]);
    let Some([Some(artifact), Some(vuln), Some(profile), Some(root)]) =
        found.first().map(Vec::as_slice)
    else {
        return;
    };
    let mut expected = SpineRoot::new();
    for result in fired.run(RESULTS, &[Some(id)]) {
        let result = result.into_iter().next().flatten().unwrap_or_default();
        if let Err(error) = expected.push(&result) {
            Failure::WrongRoot.raise(format!("spine {id} has no root: {error}"), DERIVED);
        }
    }
    match expected.finish() {
        None => Failure::WrongRoot.raise(
            format!("spine {id} has no segments"),
            "insert a spine and its segments in one transaction; create_spine() does so",
        ),
        Some(expected_root) if expected_root != *root => Failure::WrongRoot.raise(
            format!(
                "root_hash of spine {id} is {root}, and that of its segments (there are {}) is {expected_root}",
                expected.elements()
            ),
            DERIVED,
        ),
        Some(_) => {}
    }
    let expected_id = spine_id(artifact, vuln, profile, root).to_string();
    if expected_id != id {
        Failure::WrongSpineId.raise(
            format!(
                "spine_id is {id}, and that of artifact \"{artifact}\", vulnerability \"{vuln}\", policy \
                 \"{profile}\" and root {root} is {expected_id}"
            ),
            DERIVED,
        );
    }
    checks::passed(fired.schema(), id, now);
}

const DERIVED: &str = "root_hash is spine_root_hash(result_hash ORDER BY idx), and spine_id is \
                       spine_id(artifact_id, vuln_id, policy_profile_id, root_hash); create_spine() derives both";
