//! What signatures are worth: trusted, untrusted, bad.

use auditspine_core::spine::{FindingKind, Judgement, Standing, Status, TrustStore, TrustedKey};

use super::support::{Naming, Segment, Spine, TIME, kinds, trusting};
use crate::signer::Signer;

use FindingKind::*;

/// A spine signed by one key throughout.
fn signed_by(signer: &Signer, naming: Naming) -> Spine {
    Spine::new(3, &[(signer, naming)])
}

fn statuses(judgement: &Judgement) -> Vec<Status> {
    judgement.segments.iter().map(|s| s.status).collect()
}

fn everywhere(kind: FindingKind) -> Vec<(FindingKind, Option<i32>)> {
    (0..3).map(|idx| (kind, Some(idx))).collect()
}

#[test]
fn keys_that_do_not_count_make_a_spine_untrusted() {
    let signer = Signer::ed25519(1);
    let with = |change: fn(&mut TrustedKey)| {
        let mut key = TrustedKey::always(signer.public());
        change(&mut key);
        TrustStore::new([key])
    };
    for (trust, kind, standing) in [
        (
            with(|key| key.revoked_at = Some(TIME)),
            KeyRevoked,
            Standing::Revoked,
        ),
        (
            with(|key| key.revoked_at = Some(i64::MAX)),
            KeyRevoked,
            Standing::Revoked,
        ),
        (
            with(|key| key.valid_from = Some(TIME + 1)),
            KeyNotYetValid,
            Standing::NotYetValid,
        ),
        (
            with(|key| key.valid_until = Some(TIME)),
            KeyExpired,
            Standing::Expired,
        ),
    ] {
        for naming in [Naming::Fingerprint, Naming::Own, Naming::None] {
            let judgement = signed_by(&signer, naming).judge(&trust);
            assert_eq!(kinds(&judgement), everywhere(kind));
            assert_eq!(statuses(&judgement), [Status::Untrusted; 3]);
            assert_eq!(judgement.status, Status::Untrusted);
            assert_eq!(judgement.segments[0].signers[0].standing, standing);
            assert_eq!(judgement.invalid_segment_ids().count(), 0);
            assert!(!judgement.ok() && !judgement.all_segments_valid());
            assert!(judgement.root_ok() && judgement.ids_ok() && judgement.links_ok());
        }
    }
    let trust = with(|key| {
        key.valid_from = Some(TIME);
        key.valid_until = Some(TIME + 1);
    });
    assert!(signed_by(&signer, Naming::None).judge(&trust).ok());
}

#[test]
fn keys_that_are_not_known() {
    let (known, unknown) = (Signer::ecdsa(1), Signer::ecdsa(2));
    let trust = trusting([&known]);
    for naming in [Naming::Fingerprint, Naming::Own] {
        let judgement = signed_by(&unknown, naming).judge(&trust);
        assert_eq!(kinds(&judgement), everywhere(KeyUnknown));
        assert_eq!(judgement.status, Status::Untrusted);
        let keyid = naming.keyid(&unknown);
        assert_eq!(judgement.findings[0].found, keyid);
        assert_eq!(judgement.segments[0].signers, []);
    }
    // Without a keyid, it could be by the known key, and then is bad; unless no key is known.
    let judgement = signed_by(&unknown, Naming::None).judge(&trust);
    assert_eq!(kinds(&judgement), everywhere(SignatureInvalid));
    assert_eq!(judgement.status, Status::Invalid);
    for naming in [Naming::Fingerprint, Naming::Own, Naming::None] {
        let judgement = signed_by(&unknown, naming).judge(&TrustStore::default());
        assert_eq!(kinds(&judgement), everywhere(KeyUnknown));
        assert_eq!(judgement.status, Status::Untrusted);
    }
    // One that takes the name of a known key is no better for it.
    let mut spine = signed_by(&unknown, Naming::None);
    for segment in &mut spine.segments {
        segment.signatures[0].0 = Naming::Fingerprint.keyid(&known);
    }
    let judgement = spine.judge(&trust);
    assert_eq!(kinds(&judgement), everywhere(SignatureInvalid));
    assert_eq!(judgement.status, Status::Invalid);
}

#[test]
fn bad_signatures_are_told_from_unknown_keys() {
    type Damage = fn(&mut Segment);
    let damages: [(Damage, FindingKind); 5] = [
        (|segment| segment.signatures[0].1[5] ^= 4, SignatureInvalid),
        (|segment| segment.payload_type.push('x'), SignatureInvalid),
        (|segment| segment.payload.push(b' '), SignatureInvalid),
        (
            |segment| segment.signatures[0].1.truncate(60),
            SignatureMalformed,
        ),
        (
            |segment| segment.signatures[0].1.clear(),
            SignatureMalformed,
        ),
    ];
    for signer in [Signer::ed25519(1), Signer::ecdsa(1)] {
        let trust = trusting([&signer, &Signer::ed25519(7), &Signer::ecdsa(7)]);
        for naming in [Naming::Fingerprint, Naming::Own, Naming::None] {
            for (damage, kind) in damages {
                // The second is a Statement, which a space does not change, but its type does.
                let mut spine = signed_by(&signer, naming);
                damage(&mut spine.segments[1]);
                let judgement = spine.judge(&trust);
                let signature = kinds(&judgement)
                    .into_iter()
                    .filter(|(kind, _)| *kind != ResultNotBound)
                    .collect::<Vec<_>>();
                assert_eq!(signature, [(kind, Some(1))], "{naming:?}");
                assert_eq!(
                    statuses(&judgement),
                    [Status::Verified, Status::Invalid, Status::Verified]
                );
                assert_eq!(judgement.status, Status::Partial);
                assert_eq!(
                    judgement.invalid_segment_ids().collect::<Vec<_>>(),
                    [spine.segments[1].segment_id.as_str()]
                );
            }
        }
    }
}

#[test]
fn a_name_of_ones_own_is_known_by_the_other_segments_only() {
    // With no good signature left under that name, nobody can tell whose it is.
    let signer = Signer::ed25519(1);
    let trust = trusting([&signer]);
    let mut spine = signed_by(&signer, Naming::Own);
    for segment in &mut spine.segments {
        segment.signatures[0].1[0] ^= 1;
    }
    let judgement = spine.judge(&trust);
    assert_eq!(kinds(&judgement), everywhere(KeyUnknown));
    assert_eq!(judgement.status, Status::Untrusted);
    // Unless the key is known under it; which makes nothing good.
    let alias = Naming::Own.keyid(&signer);
    let trust = TrustStore::new([TrustedKey {
        alias: alias.clone(),
        ..TrustedKey::always(signer.public())
    }]);
    let judgement = spine.judge(&trust);
    assert_eq!(kinds(&judgement), everywhere(SignatureInvalid));
    assert_eq!(judgement.status, Status::Invalid);
    let other = TrustStore::new([TrustedKey {
        alias,
        ..TrustedKey::always(Signer::ed25519(2).public())
    }]);
    let judgement = signed_by(&signer, Naming::Own).judge(&other);
    assert_eq!(judgement.status, Status::Invalid);
}

#[test]
fn several_signatures_of_one_segment() {
    let (a, b, unknown) = (Signer::ed25519(1), Signer::ecdsa(1), Signer::ed25519(2));
    let revoked = Signer::ecdsa(3);
    let trust = TrustStore::new([
        TrustedKey::always(a.public()),
        TrustedKey::always(b.public()),
        TrustedKey {
            revoked_at: Some(TIME),
            ..TrustedKey::always(revoked.public())
        },
    ]);
    let (f, own) = (Naming::Fingerprint, Naming::Own);
    let judge = |signers: &[(&Signer, Naming)], bad: &[usize]| {
        let mut spine = signed_by(&a, f);
        spine.segments[1].sign(signers);
        for at in bad {
            spine.segments[1].signatures[*at].1[9] ^= 1;
        }
        let judgement = spine.judge(&trust);
        let found: Vec<_> = judgement.findings.iter().map(|f| f.kind).collect();
        assert!(judgement.findings.iter().all(|f| f.idx == Some(1)));
        (judgement.segments[1].status, judgement.status, found)
    };
    use Status::{Invalid, Partial, Untrusted, Verified};
    // One trusted key suffices, and who else has signed does not matter.
    for others in [
        vec![(&b, f)],
        vec![(&unknown, f)],
        vec![(&revoked, f)],
        vec![(&unknown, own)],
        vec![(&a, f)],
    ] {
        for signers in [
            [&[(&a, f)], &others[..]].concat(),
            [&others[..], &[(&a, f)]].concat(),
        ] {
            assert_eq!(judge(&signers, &[]), (Verified, Verified, vec![]));
        }
    }
    // A bad one beside it does.
    assert_eq!(
        judge(&[(&a, f), (&b, f)], &[1]),
        (Partial, Partial, vec![SignatureInvalid])
    );
    assert_eq!(
        judge(&[(&a, f), (&b, f)], &[0, 1]),
        (Invalid, Partial, vec![SignatureInvalid; 2])
    );
    assert_eq!(judge(&[(&unknown, f), (&b, f)], &[1]).0, Invalid);
    assert_eq!(
        judge(&[(&revoked, f), (&unknown, f)], &[]),
        (Untrusted, Partial, vec![KeyRevoked, KeyUnknown])
    );
    assert_eq!(
        judge(&[(&revoked, f), (&b, f)], &[1]),
        (Invalid, Partial, vec![SignatureInvalid, KeyRevoked])
    );
}

#[test]
fn a_spine_is_what_its_segments_are() {
    let (a, unknown) = (Signer::ed25519(1), Signer::ed25519(2));
    let trust = trusting([&a]);
    use Status::{Invalid, Partial, Untrusted, Verified};
    for (wanted, status) in [
        ([Verified, Verified, Verified], Verified),
        ([Verified, Untrusted, Verified], Partial),
        ([Verified, Invalid, Invalid], Partial),
        ([Verified, Untrusted, Invalid], Partial),
        ([Untrusted, Untrusted, Untrusted], Untrusted),
        ([Untrusted, Invalid, Untrusted], Invalid),
        ([Invalid, Invalid, Invalid], Invalid),
    ] {
        let mut spine = signed_by(&a, Naming::Fingerprint);
        for (segment, status) in spine.segments.iter_mut().zip(wanted) {
            match status {
                Untrusted => segment.sign(&[(&unknown, Naming::Fingerprint)]),
                Invalid => segment.signatures[0].1[0] ^= 1,
                _ => {}
            }
        }
        let judgement = spine.judge(&trust);
        assert_eq!(statuses(&judgement), wanted);
        assert_eq!(judgement.status, status, "{wanted:?}");
        assert_eq!(judgement.ok(), status == Verified);
        assert_eq!(judgement.all_segments_valid(), status == Verified);
    }
}
