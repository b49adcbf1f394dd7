//! Any text may be given for an envelope or a key: it is read or refused, and what is read is what is
//! verified.

use auditspine_core::dsse::{
    Binding, Envelope, IN_TOTO, KeySet, MAX_SIGNATURES, Outcome, PublicKey, binds, pae, verify,
};
use auditspine_core::hash::Hash;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use crate::signer::{self, Signer};

/// What holds of every envelope that was read.
fn consistent(envelope: &Envelope) -> bool {
    let (kind, payload) = (envelope.payload_type(), envelope.payload());
    envelope.pae() == pae(kind, payload)
        && envelope.payload_digest() == Hash::of(payload)
        && (1..=MAX_SIGNATURES).contains(&envelope.signatures().len())
}

/// Bytes of a text replaced, removed or doubled.
fn edited(text: &str, edits: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, what, byte) in edits {
        let at = at.index(bytes.len());
        match what {
            0 => bytes[at] = *byte,
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, *byte),
            _ => bytes.insert(at, b"{}[]\",:\\"[usize::from(byte % 8)]),
        }
    }
    bytes
}

fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 0..4)
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Envelope::parse(&bytes).is_err());
        prop_assert!(PublicKey::from_der(&bytes).is_err());
        prop_assert!(PublicKey::from_pem(&String::from_utf8_lossy(&bytes)).is_err());
        let other = Hash::of(b"other").to_string();
        prop_assert!(!binds(IN_TOTO, &bytes, &other).ok());
        prop_assert_eq!(binds(IN_TOTO, &bytes, &Hash::of(&bytes).to_string()), Binding::Payload);
    }

    #[test]
    fn edited_envelopes_are_read_as_they_verify(edits in edits()) {
        let json = r#"{"payload":"aGVsbG8=","payloadType":"t","signatures":[{"sig":"c2ln","keyid":"k"}],"x":[1]}"#;
        match Envelope::parse(&edited(json, &edits)) {
            Ok(envelope) => prop_assert!(consistent(&envelope)),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn edited_keys_are_refused_or_have_one_fingerprint(edits in edits(), is_ecdsa: bool) {
        let signer = if is_ecdsa { Signer::ecdsa(1) } else { Signer::ed25519(1) };
        let pem = String::from_utf8_lossy(&edited(&signer.public().to_pem(), &edits)).into_owned();
        if let Ok(key) = PublicKey::from_pem(&pem) {
            prop_assert_eq!(key.fingerprint(), Hash::of(key.to_der()));
            prop_assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        }
    }

    #[test]
    fn every_form_of_base64_is_the_same_payload(
        payload in prop::collection::vec(any::<u8>(), 0..100),
        kind in ".{1,20}",
    ) {
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&payload);
            let envelope = Envelope::from_parts(&kind, &text, [(None, text.as_str())]).unwrap();
            prop_assert_eq!(envelope.payload(), payload.as_slice());
            prop_assert_eq!(&envelope.signatures()[0].bytes, &payload);
            prop_assert_eq!(envelope.payload_type(), &kind);
            prop_assert!(consistent(&envelope));
            let json = signer::envelope(&kind, &payload, &[(None, &payload)]);
            prop_assert_eq!(Envelope::parse(json.as_bytes()), Ok(envelope));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Neither the order of keys nor any keyid changes whose a signature is.
    #[test]
    fn whose_a_signature_is_depends_on_nothing_else(
        order in Just((0..4).collect::<Vec<usize>>()).prop_shuffle(),
        by in prop::collection::vec((0..6_usize, 0..7_usize), 1..5),
        payload in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        // The last two are not in the set.
        let signers = [
            Signer::ed25519(1), Signer::ecdsa(1), Signer::ed25519(2), Signer::ecdsa(2),
            Signer::ed25519(3), Signer::ecdsa(3),
        ];
        let prints = signers.each_ref().map(|signer| signer.public().fingerprint());
        let set: KeySet = order.iter().map(|at| signers[*at].public()).collect();
        let keyids = by.iter().map(|(_, named)| prints.get(*named).map(Hash::to_string));
        let keyids: Vec<_> = keyids.collect();
        let bytes: Vec<_> = by.iter().map(|(by, _)| signers[*by].sign("t", &payload)).collect();
        let signatures: Vec<_> = keyids.iter().map(Option::as_deref)
            .zip(bytes.iter().map(Vec::as_slice)).collect();
        let json = signer::envelope("t", &payload, &signatures);
        let found = verify(&Envelope::parse(json.as_bytes()).unwrap(), &set, 1).unwrap();
        let firsts: Vec<_> = (0..6).map(|key| by.iter().position(|(by, _)| *by == key)).collect();
        let mut distinct = Vec::new();
        for (at, (report, (by, named))) in found.signatures.iter().zip(&by).enumerate() {
            let expected = match firsts[*by] {
                _ if *by >= 4 => Outcome::NotVerified,
                Some(first) if first < at => Outcome::Repeated { fingerprint: prints[*by], first },
                _ => {
                    distinct.push(prints[*by]);
                    Outcome::Verified(prints[*by])
                }
            };
            prop_assert_eq!(report.outcome, expected);
            let known = prints.get(*named).filter(|_| *named < 4);
            prop_assert_eq!(report.named.as_ref(), known);
        }
        prop_assert_eq!(found.ok(), !distinct.is_empty());
        prop_assert_eq!(found.verified, distinct);
    }
}
