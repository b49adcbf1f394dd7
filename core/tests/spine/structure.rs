//! Damage to rows: each kind is found, where it is, and told from the others.

use auditspine_core::hash::Hash;
use auditspine_core::spine::{FindingKind, Judgement, Status, TrustStore, joined_spine_id};

use super::support::{Naming, Spine, kinds, trusting};
use crate::signer::Signer;

use FindingKind::*;

fn sample() -> (Spine, TrustStore) {
    let (a, b) = (Signer::ed25519(1), Signer::ecdsa(1));
    let spine = Spine::new(6, &[(&a, Naming::Fingerprint), (&b, Naming::Fingerprint)]);
    (spine, trusting([&a, &b]))
}

/// The judgement of a spine that was damaged, and the findings that it must have.
#[track_caller]
fn damaged(damage: impl FnOnce(&mut Spine), expected: &[(FindingKind, Option<i32>)]) -> Judgement {
    let (mut spine, trust) = sample();
    damage(&mut spine);
    let judgement = spine.judge(&trust);
    assert_eq!(kinds(&judgement), expected, "{:#?}", judgement.findings);
    assert!(!judgement.ok());
    judgement
}

fn invalid(judgement: &Judgement) -> Vec<i32> {
    let ids: Vec<&str> = judgement.invalid_segment_ids().collect();
    let is_invalid = |status| status == Status::Invalid;
    let of_reports = judgement.segments.iter().filter(|s| is_invalid(s.status));
    let (from_reports, idx): (Vec<&str>, Vec<i32>) =
        of_reports.map(|s| (s.segment_id.as_str(), s.idx)).unzip();
    assert_eq!(ids, from_reports);
    idx
}

#[test]
fn a_spine_by_the_formulas_is_verified_in_any_order() {
    let (mut spine, trust) = sample();
    let judgement = spine.judge(&trust);
    assert_eq!(kinds(&judgement), []);
    assert!(judgement.ok() && judgement.root_ok() && judgement.ids_ok() && judgement.links_ok());
    assert!(judgement.all_segments_valid());
    assert_eq!(judgement.status, Status::Verified);
    assert_eq!(judgement.segments.len(), 6);
    for (segment, key) in judgement.segments.iter().zip(trust.keys().iter().cycle()) {
        assert_eq!(segment.status, Status::Verified);
        assert_eq!(segment.signers[0].fingerprint, key.key.fingerprint());
    }
    spine.segments.reverse();
    spine.segments.swap(1, 3);
    assert_eq!(spine.judge(&trust), judgement);
}

/// The spine under an id of texts put together, its segments called and counted otherwise.
fn joined(spine: &mut Spine, from: i32) {
    let id = joined_spine_id(
        &spine.artifact_id,
        &spine.vuln_id,
        &spine.policy_profile_id,
        &spine.root_hash,
    );
    spine.spine_id = id.to_string();
    for segment in &mut spine.segments {
        segment.idx += from;
        segment.segment_id = format!("mine {}", segment.idx);
    }
}

#[test]
fn builders_may_call_and_count_segments_as_they_like() {
    let digest = b"pkg:deb/xCVE-2026-1strict";
    let (mut spine, trust) = sample();
    let root = spine.root_hash.clone();
    let texts = [&digest[..], root.as_bytes()].concat();
    for (from, prefix) in [(0, ""), (1, ""), (0, "sha256:"), (1, "sha256:")] {
        (spine, _) = sample();
        joined(&mut spine, from);
        assert_eq!(spine.spine_id, Hash::of(&texts).to_string());
        spine.spine_id.insert_str(0, prefix);
        let judgement = spine.judge(&trust);
        assert_eq!(kinds(&judgement), [], "from {from}");
        assert_eq!(judgement.status, Status::Verified);
    }
    // A root with its algorithm before it, which the id is of.
    (spine, _) = sample();
    spine.root_hash.insert_str(0, "sha256:");
    joined(&mut spine, 0);
    assert!(spine.judge(&trust).ok());
}

#[test]
fn what_is_missing_of_such_a_spine_is_missed() {
    let with = |from: i32, at: usize| {
        move |spine: &mut Spine| {
            joined(spine, from);
            spine.segments.remove(at);
        }
    };
    let count = (SegmentCount, None);
    let root = (RootMismatch, None);
    damaged(with(0, 0), &[count, (SegmentMissing, Some(0)), root]);
    damaged(
        with(1, 0),
        &[
            count,
            (SegmentMissing, Some(0)),
            (SegmentExtra, Some(6)),
            root,
        ],
    );
    damaged(with(1, 2), &[count, (SegmentMissing, Some(3)), root]);
    damaged(with(1, 5), &[count, (TailMissing, Some(6)), root]);
    // From 1, the first has nothing before it either.
    damaged(
        |spine| {
            joined(spine, 1);
            spine.segments[0].prev_segment_hash = Some(spine.segments[0].result_hash.clone());
        },
        &[(SegmentMissing, Some(0)), (SegmentExtra, Some(6))],
    );
    // Nor from 2, nor where the id is that of the arrays.
    let moved = |spine: &mut Spine| joined(spine, 2);
    damaged(
        moved,
        &[
            (SegmentMissing, Some(0)),
            (SegmentExtra, Some(6)),
            (SegmentExtra, Some(7)),
            (LinkBroken, Some(2)),
        ],
    );
    let judgement = damaged(
        |spine| {
            let id = spine.spine_id.clone();
            joined(spine, 1);
            spine.spine_id = id;
        },
        &[
            (SegmentMissing, Some(0)),
            (SegmentExtra, Some(6)),
            (LinkBroken, Some(1)),
            (SegmentIdMismatch, Some(1)),
            (SegmentIdMismatch, Some(2)),
            (SegmentIdMismatch, Some(3)),
            (SegmentIdMismatch, Some(4)),
            (SegmentIdMismatch, Some(5)),
            (SegmentIdMismatch, Some(6)),
        ],
    );
    assert_eq!(judgement.status, Status::Invalid);
    // What the id is of cannot be moved from one text to the next unseen, but for where they meet.
    damaged(
        |spine| {
            joined(spine, 0);
            spine.vuln_id = "CVE-2026-2".into();
        },
        &[
            (SpineIdMismatch, None),
            (SegmentIdMismatch, Some(0)),
            (SegmentIdMismatch, Some(1)),
            (SegmentIdMismatch, Some(2)),
            (SegmentIdMismatch, Some(3)),
            (SegmentIdMismatch, Some(4)),
            (SegmentIdMismatch, Some(5)),
        ],
    );
}

/// Many spines may be judged at once, by one store.
#[test]
fn stores_are_shared_by_threads() {
    let (spine, trust) = sample();
    let expected = spine.judge(&trust);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(spine.judge(&trust), expected));
        }
    });
}

#[test]
fn the_spine_itself() {
    for damage in [
        |spine: &mut Spine| spine.artifact_id.push('x'),
        |spine: &mut Spine| spine.vuln_id.clear(),
        |spine: &mut Spine| spine.policy_profile_id = "lax".into(),
    ] {
        let found = damaged(damage, &[(SpineIdMismatch, None)]);
        assert!(!found.ids_ok() && found.root_ok() && found.links_ok());
        assert!(found.all_segments_valid());
        assert_eq!(found.status, Status::Invalid);
    }
    let found = damaged(
        |spine| spine.verdict = "Fixed".into(),
        &[(UnknownVerdict, None)],
    );
    assert_eq!(found.findings[0].found.as_deref(), Some("Fixed"));
    assert_eq!(found.status, Status::Invalid);

    let (spine, _) = sample();
    let other = Hash::of(b"other").to_string();
    let expected = [(SpineIdMismatch, None), (RootMismatch, None)];
    let found = damaged(|spine| spine.root_hash = other.clone(), &expected);
    assert!(!found.root_ok() && !found.ids_ok());
    assert_eq!(found.findings[1].expected, Some(spine.root_hash.clone()));
    assert_eq!(found.findings[1].found, Some(other.clone()));

    // All segments name the spine.
    let mut expected = vec![(SpineIdMismatch, None)];
    expected.extend((0..6).map(|idx| (SegmentIdMismatch, Some(idx))));
    let found = damaged(|spine| spine.spine_id = other.clone(), &expected);
    assert_eq!(found.findings[0].expected, Some(spine.spine_id));
    assert_eq!(invalid(&found), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn segments_missing_or_too_many() {
    let count = (SegmentCount, None);
    let root = (RootMismatch, None);
    let found = damaged(
        |spine| drop(spine.segments.drain(2..4)),
        &[count, (SegmentMissing, Some(2)), root],
    );
    assert_eq!(found.findings[1].detail, "segments 2 to 3 are missing");
    assert_eq!(found.status, Status::Invalid);
    assert!(!found.links_ok() && found.ids_ok() && found.all_segments_valid());

    let found = damaged(
        |spine| drop(spine.segments.remove(0)),
        &[count, (SegmentMissing, Some(0)), root],
    );
    assert_eq!(found.findings[1].detail, "segment 0 is missing");
    damaged(
        |spine| drop(spine.segments.pop()),
        &[count, (TailMissing, Some(5)), root],
    );
    // As a count that follows deletions does: only the root knows.
    damaged(
        |spine| {
            spine.segments.pop();
            spine.segment_count = 5;
        },
        &[root],
    );
    damaged(
        |spine| spine.segment_count = 4,
        &[count, (SegmentExtra, Some(4)), (SegmentExtra, Some(5))],
    );
    damaged(
        |spine| spine.segment_count = 7,
        &[count, (TailMissing, Some(6))],
    );
    let found = damaged(
        |spine| {
            let again = spine.segments[3].clone();
            spine.segments.push(again);
        },
        &[count, (SegmentDuplicate, Some(3)), root],
    );
    assert_eq!(found.segments.len(), 7);
    damaged(
        |spine| spine.segments[5].idx = i32::MAX,
        &[
            (SegmentMissing, Some(5)),
            (SegmentExtra, Some(i32::MAX)),
            (SegmentIdMismatch, Some(i32::MAX)),
        ],
    );
    damaged(
        |spine| spine.segments[0].idx = i32::MIN,
        &[
            (SegmentExtra, Some(i32::MIN)),
            (SegmentMissing, Some(0)),
            (SegmentIdMismatch, Some(i32::MIN)),
        ],
    );
    let found = damaged(|spine| spine.segments.clear(), &[(NoSegments, None)]);
    assert!(!found.root_ok() && !found.links_ok() && !found.all_segments_valid());
    assert_eq!(found.status, Status::Invalid);
}

#[test]
fn links() {
    let other = Hash::of(b"other").to_string();
    let (spine, _) = sample();
    let found = damaged(
        |spine| spine.segments[3].prev_segment_hash = Some(other.clone()),
        &[(LinkBroken, Some(3))],
    );
    let finding = &found.findings[0];
    assert_eq!(
        finding.expected.as_ref(),
        Some(&spine.segments[2].result_hash)
    );
    assert_eq!(finding.found, Some(other.clone()));
    assert_eq!(
        finding.segment_id.as_ref(),
        Some(&spine.segments[3].segment_id)
    );
    assert_eq!(invalid(&found), [3]);
    assert!(!found.links_ok() && found.root_ok() && found.ids_ok());
    assert_eq!(found.status, Status::Invalid);

    let found = damaged(
        |spine| spine.segments[0].prev_segment_hash = Some(other.clone()),
        &[(LinkBroken, Some(0))],
    );
    assert_eq!(invalid(&found), [0]);
    for idx in 1..6_usize {
        let expected = [(LinkBroken, Some(idx as i32))];
        let found = damaged(
            |spine| spine.segments[idx].prev_segment_hash = None,
            &expected,
        );
        assert_eq!(found.findings[0].found, None);
        assert!(found.findings[0].expected.is_some());
    }
}

#[test]
fn a_result_that_was_changed_breaks_four_things_and_blames_one_segment() {
    let other = Hash::of(b"other").to_string();
    let found = damaged(
        |spine| spine.segments[2].result_hash = other.clone(),
        &[
            (RootMismatch, None),
            (SegmentIdMismatch, Some(2)),
            (ResultNotBound, Some(2)),
            (LinkBroken, Some(3)),
        ],
    );
    assert_eq!(invalid(&found), [2]);
    assert!(!found.root_ok() && !found.ids_ok() && !found.links_ok());
    assert_eq!(found.status, Status::Invalid);

    let found = damaged(
        |spine| spine.segments[2].result_hash = "no digest".into(),
        &[
            (RootMismatch, None),
            (SegmentIdMismatch, Some(2)),
            (Malformed, Some(2)),
            (ResultNotBound, Some(2)),
            (LinkBroken, Some(3)),
        ],
    );
    assert!(
        found.findings[0].detail.contains("element 3"),
        "{:?}",
        found.findings[0]
    );
}

#[test]
fn whoever_recomputes_all_hashes_still_lacks_the_signature() {
    let (spine, trust) = sample();
    let mut forged = Spine::new(6, &[(&Signer::ed25519(9), Naming::Fingerprint)]);
    for (segment, original) in forged.segments.iter_mut().zip(&spine.segments) {
        segment.signatures = original.signatures.clone();
    }
    // The same results and so the same signatures, but for one.
    assert_eq!(forged.judge(&trust), spine.judge(&trust));
    forged.segments[1].payload.push(b' ');
    let found = forged.judge(&trust);
    assert_eq!(kinds(&found), [(SignatureInvalid, Some(1))]);
    assert_eq!(found.status, Status::Partial);
}

#[test]
fn columns_of_one_segment() {
    let other = Hash::of(b"other").to_string();
    let at = Some(4);
    let id = (SegmentIdMismatch, at);
    type Damage<'a> = &'a dyn Fn(&mut super::support::Segment);
    let cases: [(Damage, Vec<_>); 7] = [
        (&|segment| segment.segment_id = other.clone(), vec![id]),
        (&|segment| segment.segment_type = "Match".into(), vec![id]),
        (
            &|segment| segment.segment_type = "match".into(),
            vec![id, (UnknownSegmentType, at)],
        ),
        (&|segment| segment.input_hash = other.clone(), vec![id]),
        (
            &|segment| segment.input_hash = other.to_uppercase(),
            vec![id, (Malformed, at)],
        ),
        (
            &|segment| segment.raw_envelope = Some("{\"payload\":\"\"}".into()),
            vec![(EnvelopeUnreadable, at)],
        ),
        (
            &|segment| {
                segment.payload = b"something else that the same key has signed".to_vec();
                segment.sign(&[(&Signer::ed25519(1), Naming::Fingerprint)]);
            },
            vec![(ResultNotBound, at)],
        ),
    ];
    for (damage, expected) in cases {
        let found = damaged(|spine| damage(&mut spine.segments[4]), &expected);
        assert_eq!(invalid(&found), [4]);
        assert_eq!(found.status, Status::Partial);
        assert!(found.root_ok() && found.links_ok() && !found.all_segments_valid());
        assert_eq!(found.ids_ok(), !expected.contains(&id));
        let finding = &found.findings[0];
        assert_eq!(
            finding.segment_id,
            Some(found.segments[4].segment_id.clone())
        );
    }
}

#[test]
fn envelopes_that_were_swapped() {
    let found = damaged(
        |spine| {
            let (left, right) = spine.segments.split_at_mut(3);
            let (a, b) = (&mut left[1], &mut right[0]);
            std::mem::swap(&mut a.payload, &mut b.payload);
            std::mem::swap(&mut a.payload_type, &mut b.payload_type);
            std::mem::swap(&mut a.signatures, &mut b.signatures);
        },
        &[(ResultNotBound, Some(1)), (ResultNotBound, Some(3))],
    );
    assert_eq!(invalid(&found), [1, 3]);
    assert_eq!(found.status, Status::Partial);
}
