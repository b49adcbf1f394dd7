//! The segments as a whole: all there, once, linked, and hashed into the root.

use super::finding::{Finding, FindingKind};
use super::root::SpineRoot;
use super::rows::{SegmentRow, SpineRow};
use super::{joined_spine_id, spine_id, vocabulary::Verdict};
use crate::hash::Hash;

/// How the ids of a spine are made, which its `spine_id` tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// Of canonical arrays: `spine_id` and each `segment_id`; `idx` counts from 0.
    Arrays,
    /// `spine_id` of texts put together; `segment_id` is its builder's own, and `idx` counts from 0 or 1.
    Joined,
    /// `spine_id` is of neither sort.
    Neither,
}

impl Ids {
    pub fn of(spine: &SpineRow<'_>) -> Ids {
        let make = |id: fn(&str, &str, &str, &str) -> Hash| {
            id(
                spine.artifact_id,
                spine.vuln_id,
                spine.policy_profile_id,
                spine.root_hash,
            )
            .to_string()
        };
        if make(spine_id) == spine.spine_id {
            Ids::Arrays
        } else if make(joined_spine_id) == bare(spine.spine_id) {
            Ids::Joined
        } else {
            Ids::Neither
        }
    }
}

/// The digits of a digest that may have its algorithm before it.
fn bare(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

/// Where `idx` starts to count. What has a segment before it is not the first.
pub(super) fn start(ids: Ids, segments: &[&SegmentRow<'_>]) -> i32 {
    match segments.first() {
        Some(first) if ids == Ids::Joined && first.idx == 1 => {
            i32::from(first.prev_segment_hash.is_none())
        }
        _ => 0,
    }
}

/// What is wrong with the spine as a whole; `segments` are in order of `idx`.
pub(super) fn findings(
    spine: &SpineRow<'_>,
    segments: &[&SegmentRow<'_>],
    ids: Ids,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if ids == Ids::Neither {
        let id = spine_id(
            spine.artifact_id,
            spine.vuln_id,
            spine.policy_profile_id,
            spine.root_hash,
        );
        let detail = "spine_id is not that of artifact, vulnerability, profile and root";
        findings.push(
            Finding::new(FindingKind::SpineIdMismatch, detail)
                .expected(id)
                .found(spine.spine_id),
        );
    }
    if Verdict::parse(spine.verdict).is_none() {
        let verdicts: Vec<_> = Verdict::ALL.iter().map(|verdict| verdict.text()).collect();
        let detail = format!("the verdict is none of {}", verdicts.join(", "));
        findings.push(Finding::new(FindingKind::UnknownVerdict, detail).found(spine.verdict));
    }
    if segments.is_empty() {
        let detail = "the spine has no segments";
        findings.push(
            Finding::new(FindingKind::NoSegments, detail)
                .expected(spine.segment_count)
                .found("0"),
        );
        return findings;
    }
    places(spine, segments, start(ids, segments), &mut findings);
    root(spine, segments, &mut findings);
    findings
}

/// Whether each `idx` from 0 to `segment_count - 1` is there once, and no other.
fn places(
    spine: &SpineRow<'_>,
    segments: &[&SegmentRow<'_>],
    start: i32,
    findings: &mut Vec<Finding>,
) {
    let count = i64::from(spine.segment_count);
    if i64::try_from(segments.len()) != Ok(count) {
        let detail = format!("segment_count is {count}, segments are {}", segments.len());
        findings.push(
            Finding::new(FindingKind::SegmentCount, detail)
                .expected(segments.len())
                .found(&count.to_string()),
        );
    }
    // In 64 bits, since idx may be the largest of 32.
    let start = i64::from(start);
    let end = start + count;
    let mut next = start;
    for segment in segments {
        let idx = i64::from(segment.idx);
        if idx > next {
            findings.push(missing(FindingKind::SegmentMissing, next, idx - 1));
        }
        // Behind a negative idx nothing is duplicated but itself.
        if idx >= 0 && idx < next {
            let detail = format!("a second segment has idx {idx}");
            findings.push(of(
                segment,
                Finding::new(FindingKind::SegmentDuplicate, detail),
            ));
        }
        if idx < 0 || idx >= end {
            let detail = format!("idx {idx} is not within a spine of {count} segments");
            findings.push(of(segment, Finding::new(FindingKind::SegmentExtra, detail)));
        }
        next = next.max(idx + 1);
    }
    if next < end {
        findings.push(missing(FindingKind::TailMissing, next, end - 1));
    }
}

fn missing(kind: FindingKind, first: i64, last: i64) -> Finding {
    let detail = match last - first {
        0 => format!("segment {first} is missing"),
        _ => format!("segments {first} to {last} are missing"),
    };
    // `first` is at most the largest idx, or below segment_count: both have 32 bits.
    Finding::new(kind, detail).at(i32::try_from(first).unwrap_or(i32::MAX))
}

fn root(spine: &SpineRow<'_>, segments: &[&SegmentRow<'_>], findings: &mut Vec<Finding>) {
    let mut root = SpineRoot::new();
    for segment in segments {
        if let Err(error) = root.push(segment.result_hash) {
            let detail = format!("the segments have no root: {error}");
            findings.push(Finding::new(FindingKind::RootMismatch, detail).found(spine.root_hash));
            return;
        }
    }
    let root = root.finish().unwrap_or_default();
    if root != bare(spine.root_hash) {
        let detail = "root_hash is not that of the segments' result_hash in order";
        findings.push(
            Finding::new(FindingKind::RootMismatch, detail)
                .expected(root)
                .found(spine.root_hash),
        );
    }
}

/// What is wrong with the link from the segment at `at` to the one before it.
pub(super) fn link(segments: &[&SegmentRow<'_>], at: usize, start: i32) -> Option<Finding> {
    let segment = segments[at];
    let found = segment.prev_segment_hash;
    let broken = |detail: String| {
        let finding = of(segment, Finding::new(FindingKind::LinkBroken, detail));
        match found {
            Some(found) => finding.found(found),
            None => finding,
        }
    };
    if segment.idx <= start {
        return found
            .is_some()
            .then(|| broken("prev_segment_hash of the first segment is not null".into()));
    }
    let before = segment.idx - 1;
    let mut predecessors = predecessors(segments, at).peekable();
    let Some(first) = predecessors.peek().copied() else {
        // What it was is unknown, but something.
        return found
            .is_none()
            .then(|| broken("prev_segment_hash is null, but the segment is not the first".into()));
    };
    let continues = |at: usize| Some(segments[at].result_hash) == found;
    if predecessors.any(continues) {
        return None;
    }
    let detail = format!("prev_segment_hash is not the result_hash of segment {before}");
    Some(broken(detail).expected(segments[first].result_hash))
}

/// Where the segments with the `idx` before that at `at` are.
pub(super) fn predecessors(segments: &[&SegmentRow<'_>], at: usize) -> impl Iterator<Item = usize> {
    let wanted = segments[at].idx.checked_sub(1);
    let start = segments[..at].partition_point(|segment| Some(segment.idx) < wanted);
    (start..at).take_while(move |place| Some(segments[*place].idx) == wanted)
}

/// A finding at a segment.
pub(super) fn of(segment: &SegmentRow<'_>, mut finding: Finding) -> Finding {
    finding.idx = Some(segment.idx);
    finding.segment_id = Some(segment.segment_id.to_owned());
    finding
}
