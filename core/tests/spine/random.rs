//! Spines of any length, signed by any keys: as they are built they verify, and no single change of
//! what they say goes unnoticed.

use auditspine_core::hash::Hash;
use proptest::prelude::*;

use super::support::{Naming, Segment, Spine, TYPES, trusting};
use crate::signer::Signer;

fn naming() -> impl Strategy<Value = Naming> {
    prop_oneof![
        Just(Naming::Fingerprint),
        Just(Naming::Own),
        Just(Naming::None)
    ]
}

fn signers() -> impl Strategy<Value = Vec<(bool, u8, Naming)>> {
    prop::collection::vec((any::<bool>(), 1..50_u8, naming()), 1..4)
}

fn make(signers: &[(bool, u8, Naming)]) -> Vec<(Signer, Naming)> {
    let make = |(is_ecdsa, seed, naming): &(bool, u8, Naming)| match is_ecdsa {
        true => (Signer::ecdsa(*seed), *naming),
        false => (Signer::ed25519(*seed), *naming),
    };
    signers.iter().map(make).collect()
}

#[derive(Clone, Debug)]
enum Change {
    SpineText(u8, String),
    Count(i32),
    RemoveSegment,
    RepeatSegment,
    SwapWithNext,
    Idx(i32),
    Type(usize),
    Column(u8, String),
    FlipPayload(prop::sample::Index, u8),
    FlipSignature(prop::sample::Index, u8),
    CutSignature(prop::sample::Index),
    PayloadType(String),
    OtherSigner,
}

fn change() -> impl Strategy<Value = Change> {
    use Change::*;
    prop_oneof![
        (0..6_u8, ".{0,8}").prop_map(|(column, text)| SpineText(column, text)),
        (-2..9_i32).prop_map(Count),
        Just(RemoveSegment),
        Just(RepeatSegment),
        Just(SwapWithNext),
        any::<i32>().prop_map(Idx),
        (-2..9_i32).prop_map(Idx),
        (0..6_usize).prop_map(Type),
        (0..5_u8, ".{0,8}").prop_map(|(column, text)| Column(column, text)),
        (any::<prop::sample::Index>(), 0..8_u8).prop_map(|(at, bit)| FlipPayload(at, bit)),
        (any::<prop::sample::Index>(), 0..8_u8).prop_map(|(at, bit)| FlipSignature(at, bit)),
        any::<prop::sample::Index>().prop_map(CutSignature),
        ".{1,8}".prop_map(PayloadType),
        Just(OtherSigner),
    ]
}

/// Makes the change at a segment; whether it changes anything.
fn apply(spine: &mut Spine, at: usize, change: &Change) -> bool {
    // A digest as often as any text.
    let text = |text: &str| match text.len() % 2 {
        0 => Hash::of(text.as_bytes()).to_string(),
        _ => text.to_owned(),
    };
    let set = |column: &mut String, value: String| std::mem::replace(column, value) != *column;
    let segment: &mut Segment = &mut spine.segments[at];
    match change {
        Change::SpineText(column, value) => {
            // Of verdicts, only what is none is found here; the others, the chain finds.
            let column = match column {
                0 => &mut spine.spine_id,
                1 => &mut spine.artifact_id,
                2 => &mut spine.vuln_id,
                3 => &mut spine.policy_profile_id,
                4 => &mut spine.verdict,
                _ => &mut spine.root_hash,
            };
            set(column, text(value))
        }
        Change::Count(count) => std::mem::replace(&mut spine.segment_count, *count) != *count,
        Change::RemoveSegment => {
            spine.segments.remove(at);
            true
        }
        Change::RepeatSegment => {
            let again = segment.clone();
            spine.segments.push(again);
            true
        }
        Change::SwapWithNext => {
            let next = (at + 1) % spine.segments.len();
            let (here, there) = (spine.segments[at].idx, spine.segments[next].idx);
            (spine.segments[at].idx, spine.segments[next].idx) = (there, here);
            here != there
        }
        Change::Idx(idx) => std::mem::replace(&mut segment.idx, *idx) != *idx,
        Change::Type(other) => set(&mut segment.segment_type, TYPES[*other].into()),
        Change::Column(column, value) => {
            let column = match column {
                0 => &mut segment.segment_id,
                1 => &mut segment.segment_type,
                2 => &mut segment.input_hash,
                3 => &mut segment.result_hash,
                _ => {
                    let value = Some(text(value));
                    let before = std::mem::replace(&mut segment.prev_segment_hash, value);
                    return before != segment.prev_segment_hash;
                }
            };
            set(column, text(value))
        }
        Change::FlipPayload(byte, bit) => {
            let byte = byte.index(segment.payload.len());
            segment.payload[byte] ^= 1 << bit;
            true
        }
        Change::FlipSignature(byte, bit) => {
            let signature = &mut segment.signatures[0].1;
            let byte = byte.index(signature.len());
            signature[byte] ^= 1 << bit;
            true
        }
        Change::CutSignature(length) => {
            let signature = &mut segment.signatures[0].1;
            let length = length.index(signature.len());
            signature.truncate(length);
            true
        }
        Change::PayloadType(other) => set(&mut segment.payload_type, other.clone()),
        Change::OtherSigner => {
            segment.sign(&[(&Signer::ed25519(99), Naming::Own)]);
            true
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn spines_verify_until_anything_is_changed(
        length in 1..6_usize,
        signers in signers(),
        at in any::<prop::sample::Index>(),
        change in change(),
    ) {
        let signers = make(&signers);
        let trust = trusting(signers.iter().map(|(signer, _)| signer));
        let named: Vec<_> = signers.iter().map(|(signer, naming)| (signer, *naming)).collect();
        let mut spine = Spine::new(length, &named);
        let judgement = spine.judge(&trust);
        prop_assert!(judgement.ok(), "{:?}", judgement.findings);

        prop_assume!(apply(&mut spine, at.index(length), &change));
        let judgement = spine.judge(&trust);
        prop_assert!(!judgement.ok(), "{change:?} goes unnoticed");
        prop_assert_ne!(judgement.status, auditspine_core::spine::Status::Verified);
    }
}
