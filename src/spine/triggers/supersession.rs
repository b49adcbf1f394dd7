//! Which spine took the place of which: written once, within one decision, never in a circle.

use super::shown;
use crate::error::Failure;
use crate::ledger::text_rows::Texts;
use crate::pg::trigger_call::Operation;
use crate::spine::triggers::fired::Fired;

const DECISION: &str = "
    SELECT s.artifact_id::text, s.vuln_id::text, s.policy_profile_id::text, s.superseded_by_spine_id::text
    FROM {}.proof_spines AS s WHERE s.spine_id = $1";
/// Under a lock that keeps others from superseding it: of two transactions that would close a circle, one
/// waits for the other and sees it, or fails (40001 if its snapshot is older, 40P01 if both wait).
const LOCKED: &str = "
    SELECT s.artifact_id::text, s.vuln_id::text, s.policy_profile_id::text, s.superseded_by_spine_id::text
    FROM {}.proof_spines AS s WHERE s.spine_id = $1 FOR SHARE";

/// Raises 55000 if the spine was superseded already, 23514 if what supersedes it is of another decision
/// or is superseded, at whatever distance, by the spine itself.
///
/// A spine that is not there yet is passed over at first, since a new one comes after the old one has
/// made room; the deferred trigger and the foreign key see to it at the end.
pub fn supersession(fired: &Fired<'_>) {
    let event = fired.event();
    if !matches!(event, Operation::Insert | Operation::Update) {
        fired.misplaced();
    }
    let Some(id) = fired.new_row(c"spine_id") else {
        return;
    };
    let target = fired.new_row(c"superseded_by_spine_id");
    if event == Operation::Update
        && let Some(before) = fired.old(c"superseded_by_spine_id")
        && target.as_ref() != Some(&before)
    {
        Failure::AlreadySuperseded.raise(
            format!(
                "spine {id} is superseded by {before}, and superseded_by_spine_id cannot become {}",
                shown(target.as_deref())
            ),
            "it is written once; supersede the current spine of the decision",
        );
    }
    let Some(target) = target else { return };
    // As it is now: at the end of the transaction it may be another, or gone.
    let now = fired.run(DECISION, &[Some(&id)]);
    let Some(own) = now.first().filter(|row| row[3].as_deref() == Some(&target)) else {
        return;
    };
    let locked = fired.run(LOCKED, &[Some(&target)]);
    let Some(other) = locked.first() else { return };
    if own[..3] != other[..3] {
        let name = |row: &Texts| {
            row[..3]
                .iter()
                .map(|text| shown(text.as_deref()))
                .collect::<Vec<_>>()
                .join(", ")
        };
        Failure::OtherDecision.raise(
            format!(
                "spine {id} is on ({}), and cannot be superseded by {target}, which is on ({})",
                name(own),
                name(other)
            ),
            "a spine is superseded by one of the same artifact, vulnerability and policy",
        );
    }
    expect_end(fired, &id, &target, other[3].clone());
}

/// Follows the spines that supersede the target to the current one.
fn expect_end(fired: &Fired<'_>, id: &str, target: &str, mut next: Option<String>) {
    let mut seen = vec![target.to_owned()];
    while let Some(at) = next {
        if at == id {
            Failure::SupersessionCycle.raise(
                format!("spine {id} cannot be superseded by {target}, which it supersedes"),
                "a spine is superseded by a newer one",
            );
        }
        if seen.contains(&at) {
            return;
        }
        pgrx::check_for_interrupts!();
        let row = fired.run(LOCKED, &[Some(&at)]);
        seen.push(at);
        next = row.into_iter().next().and_then(|row| row[3].clone());
    }
}
