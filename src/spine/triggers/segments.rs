//! Segments that come and go: their links, and how many a spine has.

use super::shown;
use crate::error::Failure;
use crate::pg::trigger_call::Operation;
use crate::spine::triggers::fired::Fired;

/// The first new segment that does not continue the one before it. LIMIT keeps the lookup by index.
const BROKEN: &str = "
    SELECT n.spine_id::text, n.idx::text, n.prev_segment_hash::text, before.result_hash::text, before.found
    FROM new_rows AS n
    LEFT JOIN LATERAL (
        SELECT p.result_hash, 'found'::text AS found FROM {}.proof_segments AS p
        WHERE p.spine_id = n.spine_id AND p.idx = n.idx - 1 LIMIT 1) AS before ON n.idx > 0
    WHERE CASE WHEN n.idx > 0 THEN before.found IS NULL OR n.prev_segment_hash IS DISTINCT FROM before.result_hash
               ELSE n.prev_segment_hash IS NOT NULL END
    ORDER BY n.spine_id COLLATE \"C\", n.idx LIMIT 1";

/// Raises 23514 unless each new segment has number 0 and no `prev_segment_hash`, or continues one that is
/// there: whatever the order of the rows.
pub fn links(fired: &Fired<'_>) {
    if fired.event() != Operation::Insert || fired.transitions() != (false, true) {
        fired.misplaced();
    }
    let broken = fired.run(BROKEN, &[]);
    let Some([Some(spine), Some(idx), prev, expected, found]) = broken.first().map(Vec::as_slice)
    else {
        return;
    };
    let prev = shown(prev.as_deref());
    if idx == "0" {
        Failure::BrokenLink.raise(
            format!("segment 0 of spine {spine} has prev_segment_hash {prev}, and is the first"),
            "prev_segment_hash of the first segment is null",
        );
    }
    let before = idx.parse::<i64>().unwrap_or_default() - 1;
    if found.is_none() {
        Failure::BrokenLink.raise(
            format!("segment {idx} of spine {spine} has no segment {before} before it"),
            "idx counts from 0 without a gap; insert the segments of a spine in order, or all at once",
        );
    }
    Failure::BrokenLink.raise(
        format!(
            "segment {idx} of spine {spine} has prev_segment_hash {prev}, and result_hash of segment \
             {before} is {}",
            shown(expected.as_deref())
        ),
        "prev_segment_hash is the result_hash of the segment before, as it is written there",
    )
}

/// In one order, so that two statements which change several spines do not deadlock.
const INSERTED: &str = "
    SELECT n.spine_id::text, count(*)::text FROM new_rows AS n
    GROUP BY n.spine_id ORDER BY n.spine_id COLLATE \"C\"";
const DELETED: &str = "
    SELECT o.spine_id::text, (- count(*))::text FROM old_rows AS o
    GROUP BY o.spine_id ORDER BY o.spine_id COLLATE \"C\"";
const MOVED: &str = "
    SELECT c.spine_id::text, sum(c.by)::text
    FROM (SELECT spine_id, 1 AS by FROM new_rows UNION ALL SELECT spine_id, -1 FROM old_rows) AS c
    GROUP BY c.spine_id HAVING sum(c.by) <> 0 ORDER BY c.spine_id COLLATE \"C\"";

/// Relative, not counted anew: so those who write segments of one spine at the same time add up, and what
/// was changed behind the triggers' back stays to be found.
const ADD: &str = "
    UPDATE {}.proof_spines SET segment_count = segment_count + $2::integer WHERE spine_id = $1";
const EMPTIED: &str = "UPDATE {}.proof_spines SET segment_count = 0 WHERE segment_count <> 0";

/// Adds the segments that came to their spines' `segment_count`, and takes off those that went.
pub fn count(fired: &Fired<'_>) {
    let changes = match (fired.event(), fired.transitions()) {
        (Operation::Insert, (_, true)) => INSERTED,
        (Operation::Delete, (true, _)) => DELETED,
        (Operation::Update, (true, true)) => MOVED,
        (Operation::Truncate, _) => {
            fired.run(EMPTIED, &[]);
            return;
        }
        _ => fired.misplaced(),
    };
    for change in fired.run(changes, &[]) {
        if let [Some(spine), Some(by)] = change.as_slice() {
            fired.run(ADD, &[Some(spine), Some(by)]);
        }
    }
}
