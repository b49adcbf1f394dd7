//! Signatures against sets of keys.

use auditspine_core::dsse::{
    Envelope, KeySet, Malformed, Outcome, PublicKey, ThresholdError, Verification, pae, verify,
};
use auditspine_core::hash::Hash;
use curve25519_dalek::Scalar;
use ed25519_dalek::Verifier as _;
use p256::ecdsa::{RecoveryId, VerifyingKey};
use sha2::Sha512;

use crate::signer::{self, Signer};

const TYPE: &str = "application/x";
const PAYLOAD: &[u8] = b"evidence";

fn envelope(signatures: &[(Option<&str>, &[u8])]) -> Envelope {
    Envelope::parse(signer::envelope(TYPE, PAYLOAD, signatures).as_bytes()).unwrap()
}

fn keys<'a>(signers: impl IntoIterator<Item = &'a Signer>) -> KeySet {
    signers.into_iter().map(Signer::public).collect()
}

fn outcomes(verification: &Verification) -> Vec<Outcome> {
    verification.signatures.iter().map(|s| s.outcome).collect()
}

/// What the one signature is worth under these keys.
fn outcome(signature: &[u8], keys: &KeySet) -> Outcome {
    let found = verify(&envelope(&[(None, signature)]), keys, 1).unwrap();
    assert_eq!(
        found.ok(),
        matches!(found.signatures[0].outcome, Outcome::Verified(_))
    );
    found.signatures[0].outcome
}

#[test]
fn both_algorithms_beside_each_other() {
    let signers = [
        Signer::ed25519(1),
        Signer::ecdsa(1),
        Signer::ed25519(2),
        Signer::ecdsa(2),
    ];
    let all = keys(&signers);
    for (signer, key) in signers.iter().zip(all.keys()) {
        let signature = signer.sign(TYPE, PAYLOAD);
        assert_eq!(
            outcome(&signature, &all),
            Outcome::Verified(key.fingerprint())
        );
        let others = keys(signers.iter().filter(|other| other.public() != *key));
        assert_eq!(outcome(&signature, &others), Outcome::NotVerified);
    }
}

#[test]
fn signatures_swapped_between_envelopes_are_refused() {
    for signer in [Signer::ed25519(1), Signer::ecdsa(1)] {
        let set = keys([&signer]);
        for (kind, payload) in [(TYPE, b"other".as_slice()), ("other", PAYLOAD)] {
            let signature = signer.sign(kind, payload);
            assert_eq!(outcome(&signature, &set), Outcome::NotVerified);
        }
    }
}

#[test]
fn each_bit_of_an_ed25519_signature_counts() {
    let signer = Signer::ed25519(1);
    let signature = signer.sign(TYPE, PAYLOAD);
    for bit in 0..512 {
        let mut signature = signature.clone();
        signature[bit / 8] ^= 1 << (bit % 8);
        let expected = match outcome(&signature, &keys([&signer])) {
            // The order has 253 bits: with one of the upper three set, the number is too large.
            found @ Outcome::Malformed(Malformed::NotReduced) if bit >= 508 => found,
            _ => Outcome::NotVerified,
        };
        assert_eq!(outcome(&signature, &keys([&signer])), expected, "bit {bit}");
    }
}

#[test]
fn a_key_counts_once() {
    let (a, b) = (Signer::ed25519(1), Signer::ecdsa(1));
    let set = keys([&a, &b, &a]);
    assert_eq!(set.keys().len(), 2);
    let [key_a, key_b] = [&a, &b].map(|signer| signer.public().fingerprint());
    let (sig_a, sig_b) = (a.sign(TYPE, PAYLOAD), b.sign(TYPE, PAYLOAD));
    // The same signature again; and another by the same key, made of the first without it.
    let high = {
        let low = p256::ecdsa::Signature::from_slice(&sig_b).unwrap();
        p256::ecdsa::Signature::from_scalars(low.r().to_bytes(), (-*low.s()).to_bytes())
            .unwrap()
            .to_bytes()
    };
    assert_ne!(high.as_slice(), sig_b);
    let envelope = envelope(&[
        (None, &sig_b),
        (None, &sig_b),
        (Some("x"), &high),
        (None, &sig_a),
    ]);
    let found = verify(&envelope, &set, 2).unwrap();
    assert!(found.ok());
    let again = Outcome::Repeated {
        fingerprint: key_b,
        first: 0,
    };
    assert_eq!(
        outcomes(&found),
        [
            Outcome::Verified(key_b),
            again,
            again,
            Outcome::Verified(key_a)
        ]
    );
    assert_eq!(found.verified, [key_b, key_a]);

    let json = signer::envelope(
        TYPE,
        PAYLOAD,
        &[(None, &sig_b), (None, &sig_b), (None, &high)],
    );
    let found = verify(&Envelope::parse(json.as_bytes()).unwrap(), &set, 2).unwrap();
    assert!(!found.ok());
    assert_eq!(found.verified, [key_b]);
}

#[test]
fn thresholds_must_be_possible() {
    let (a, b) = (Signer::ed25519(1), Signer::ed25519(2));
    let signatures = [a.sign(TYPE, PAYLOAD), b.sign(TYPE, PAYLOAD)];
    let envelope = envelope(&[(None, &signatures[0]), (None, &signatures[1])]);
    assert_eq!(verify(&envelope, &keys([&a]), 0), Err(ThresholdError::Zero));
    assert_eq!(
        verify(&envelope, &keys([&a, &a]), 2),
        Err(ThresholdError::TooHigh {
            threshold: 2,
            keys: 1
        })
    );
    assert!(verify(&envelope, &KeySet::default(), 1).is_err());
    let others = [Signer::ed25519(3), Signer::ed25519(4)];
    for (signers, threshold, ok) in [
        (vec![&a, &b], 2, true),
        (vec![&a, &others[0]], 2, false),
        (vec![&a, &others[0]], 1, true),
        (vec![&others[0], &others[1]], 1, false),
    ] {
        let found = verify(&envelope, &keys(signers), threshold).unwrap();
        assert_eq!((found.ok(), found.threshold), (ok, threshold));
    }
}

#[test]
fn a_keyid_decides_nothing() {
    let signers = [Signer::ed25519(1), Signer::ecdsa(1)];
    let set = keys(&signers);
    let [named_a, named_b] = [0, 1].map(|at: usize| set.keys()[at].fingerprint());
    for (signer, own) in signers.iter().zip([named_a, named_b]) {
        let good = signer.sign(TYPE, PAYLOAD);
        let bad = signer.sign(TYPE, b"other");
        for keyid in [
            None,
            Some(named_a.to_string()),
            Some(named_b.to_string()),
            Some("x".into()),
        ] {
            let envelope = envelope(&[(keyid.as_deref(), &good), (keyid.as_deref(), &bad)]);
            let found = verify(&envelope, &set, 1).unwrap();
            assert_eq!(
                outcomes(&found),
                [Outcome::Verified(own), Outcome::NotVerified]
            );
            let named = keyid.as_ref().filter(|keyid| *keyid != "x").cloned();
            assert_eq!(found.signatures[1].named.map(|key| key.to_string()), named);
            assert_eq!(found.signatures[1].keyid, keyid);
        }
    }
}

#[test]
fn malformed_signatures_are_told_from_bad_ones() {
    use Malformed::*;
    let (ed25519, ecdsa) = (Signer::ed25519(1), Signer::ecdsa(1));
    let raw = ecdsa.sign(TYPE, PAYLOAD);
    let der = p256::ecdsa::Signature::from_slice(&raw)
        .unwrap()
        .to_der()
        .as_bytes()
        .to_vec();
    let only = keys([&ecdsa]);
    let key = ecdsa.public().fingerprint();
    assert_eq!(outcome(&der, &only), Outcome::Verified(key));
    let order =
        hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let der_of = |r: &[u8], s: &[u8]| {
        let integer = |number: &[u8]| [&[2, number.len() as u8], number].concat();
        let both = [integer(r), integer(s)].concat();
        [&[0x30, both.len() as u8], &both[..]].concat()
    };
    let (zero, one) = ([0; 32], {
        let mut one = [0; 32];
        one[31] = 1;
        one
    });
    for (signature, reason) in [
        (Vec::new(), Length { bytes: 0 }),
        (raw[..63].to_vec(), Length { bytes: 63 }),
        ([&raw[..], b"\x00"].concat(), Length { bytes: 65 }),
        ([&zero[..], &raw[32..]].concat(), OutOfRange),
        ([&raw[..32], &zero[..]].concat(), OutOfRange),
        ([&order[..], &raw[32..]].concat(), OutOfRange),
        ([&raw[..32], &order[..]].concat(), OutOfRange),
        (vec![0xff; 64], OutOfRange),
        (der[..der.len() - 1].to_vec(), Der),
        ([&der[..], b"\x00"].concat(), Der),
        (vec![0x30], Der),
        (der_of(&[0], &[1]), OutOfRange),
        (der_of(&[1], &[0]), OutOfRange),
        (der_of(&[&[0], &order[..]].concat(), &[1]), OutOfRange),
        // Negative; with a needless zero; of 33 bytes.
        (der_of(&[0x80], &[1]), Der),
        (der_of(&[0, 1], &[1]), Der),
        (der_of(&[1; 33], &[1]), Der),
    ] {
        assert_eq!(
            outcome(&signature, &only),
            Outcome::Malformed(reason),
            "{signature:02x?}"
        );
    }
    assert_eq!(outcome(&der_of(&[1], &[1]), &only), Outcome::NotVerified);
    assert_eq!(outcome(&[one, one].concat(), &only), Outcome::NotVerified);

    // The same signature in another form, by adding the order of the group to its number.
    let order =
        hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut signature = ed25519.sign(TYPE, PAYLOAD);
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry as u8;
        carry >>= 8;
    }
    let only = keys([&ed25519]);
    assert_eq!(outcome(&signature, &only), Outcome::Malformed(NotReduced));
    assert_eq!(
        outcome(&der, &only),
        Outcome::Malformed(Length { bytes: der.len() })
    );

    // With keys of both kinds, the one that comes closest says why.
    let both = keys([&ed25519, &ecdsa]);
    assert_eq!(outcome(&[0; 64], &both), Outcome::NotVerified);
    assert_eq!(outcome(&der[..60], &both), Outcome::Malformed(Der));
}

#[test]
fn ed25519_is_strict() {
    // With R the neutral element, a signature needs no nonce: RFC 8032 lets it pass, and whoever makes
    // one gives the key away. Strict verification refuses it.
    let signer = Signer::ed25519(1);
    let Signer::Ed25519(key) = &signer else {
        unreachable!()
    };
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let message = pae(TYPE, PAYLOAD);
    let hashed = [&neutral, key.verifying_key().as_bytes(), message.as_slice()].concat();
    let challenge = Scalar::hash_from_bytes::<Sha512>(&hashed);
    let number = challenge * key.to_scalar();
    let signature = [neutral, number.to_bytes()].concat();

    let parsed = ed25519_dalek::Signature::from_slice(&signature).unwrap();
    assert!(key.verifying_key().verify(&message, &parsed).is_ok());
    assert_eq!(outcome(&signature, &keys([&signer])), Outcome::NotVerified);
}

/// A key under which `signature` is good, whatever it is: ECDSA keys can be made to fit.
fn fitting(signature: &p256::ecdsa::Signature) -> Option<PublicKey> {
    let digest = Hash::of(&pae(TYPE, PAYLOAD));
    let id = RecoveryId::new(false, false);
    let key = VerifyingKey::recover_from_prehash(&digest.0, signature, id).ok()?;
    let head = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
    let point = key.to_sec1_point(false);
    Some(PublicKey::from_der(&[&head, point.as_bytes()].concat()).unwrap())
}

#[test]
fn sixty_four_bytes_may_be_either_form() {
    // The DER of two numbers of 29 bytes is as long as r and s are.
    let mut found = 0;
    for low in 1..=40 {
        let mut bytes = [0x11; 64];
        bytes[..4].copy_from_slice(&[0x30, 62, 2, 29]);
        bytes[20] = low;
        bytes[33..35].copy_from_slice(&[2, 29]);
        let as_der = p256::ecdsa::Signature::from_der(&bytes).unwrap();
        let as_raw = p256::ecdsa::Signature::from_slice(&bytes).unwrap();
        assert_ne!(as_der, as_raw);
        for form in [as_der, as_raw] {
            // Every other number is no x of the curve.
            let Some(key) = fitting(&form) else { continue };
            let verified = Outcome::Verified(key.fingerprint());
            assert_eq!(outcome(&bytes, &KeySet::new([key])), verified);
            found |= if form == as_der { 1 } else { 2 };
        }
        // Well-formed either way, so not malformed.
        assert_eq!(
            outcome(&bytes, &keys([&Signer::ecdsa(1)])),
            Outcome::NotVerified
        );
        if found == 3 {
            return;
        }
    }
    panic!("no key found for both forms");
}
