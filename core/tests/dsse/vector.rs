//! The published vector (protocol.md of DSSE), and everything near it. It is looked for in
//! `../shared/vectors/dsse` beside the repository.

use auditspine_core::dsse::{
    Algorithm, Envelope, KeySet, Malformed, Outcome, PublicKey, Verification, pae, verify,
};
use serde_json::Value;

use crate::signer::{self, Signer};

struct Vector {
    payload_type: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
    key: PublicKey,
    document: Value,
}

/// The vector; says so where it is absent.
fn vector() -> Option<Vector> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/vectors/dsse/vectors.json"
    );
    let Ok(text) = std::fs::read(path) else {
        eprintln!("SKIPPED: no test vectors at {path}");
        return None;
    };
    let document: Value = serde_json::from_slice(&text).unwrap();
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    let envelope = Envelope::parse(document["envelope"].to_string().as_bytes()).unwrap();
    // The point, of decimal numbers.
    let point = [&decimal(&text("x"))[..], &decimal(&text("y"))].concat();
    let head = hex::decode("3059301306072a8648ce3d020106082a8648ce3d03010703420004").unwrap();
    Some(Vector {
        payload_type: text("payloadType"),
        payload: text("payload_utf8").into_bytes(),
        signature: envelope.signatures()[0].bytes.clone(),
        key: PublicKey::from_pem(&signer::pem(&[head, point].concat())).unwrap(),
        document,
    })
}

/// A number of 256 bits, big-endian.
fn decimal(digits: &str) -> [u8; 32] {
    let mut number = [0; 32];
    for digit in digits.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in number.iter_mut().rev() {
            carry += u32::from(*byte) * 10;
            *byte = carry as u8;
            carry >>= 8;
        }
    }
    number
}

fn held(vector: &Vector, payload_type: &str, payload: &[u8], signature: &[u8]) -> Verification {
    let json = signer::envelope(payload_type, payload, &[(None, signature)]);
    let envelope = Envelope::parse(json.as_bytes()).unwrap();
    verify(&envelope, &KeySet::new([vector.key.clone()]), 1).unwrap()
}

#[test]
fn the_published_vector_verifies() {
    let Some(vector) = vector() else { return };
    assert_eq!(
        pae(&vector.payload_type, &vector.payload),
        vector.document["pae_utf8"].as_str().unwrap().as_bytes()
    );
    let json = vector.document["envelope"].to_string();
    let envelope = Envelope::parse(json.as_bytes()).unwrap();
    assert_eq!(envelope.payload_type(), vector.payload_type);
    assert_eq!(envelope.payload(), vector.payload);
    assert_eq!(
        envelope.pae(),
        pae(envelope.payload_type(), envelope.payload())
    );
    assert_eq!(vector.key.algorithm(), Algorithm::EcdsaP256);
    let verification = verify(&envelope, &KeySet::new([vector.key.clone()]), 1).unwrap();
    assert!(verification.ok());
    assert_eq!(verification.verified, [vector.key.fingerprint()]);
    assert_eq!(
        verification.signatures[0].outcome,
        Outcome::Verified(vector.key.fingerprint())
    );
}

#[test]
fn the_published_key_signs_the_published_signature() {
    let Some(vector) = vector() else { return };
    // RFC 6979 leaves no choice.
    let secret = decimal(vector.document["d"].as_str().unwrap());
    let signer = Signer::EcdsaP256(p256::ecdsa::SigningKey::from_slice(&secret).unwrap());
    assert_eq!(signer.public(), vector.key);
    assert_eq!(
        signer.sign(&vector.payload_type, &vector.payload),
        vector.signature
    );
}

/// Each bit of `bytes`, flipped.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    })
}

#[test]
fn each_bit_of_the_payload_counts() {
    let Some(vector) = vector() else { return };
    for payload in flipped(&vector.payload) {
        let found = held(&vector, &vector.payload_type, &payload, &vector.signature);
        assert!(!found.ok(), "{payload:?}");
        assert_eq!(found.signatures[0].outcome, Outcome::NotVerified);
    }
}

#[test]
fn each_bit_of_the_type_counts() {
    let Some(vector) = vector() else { return };
    let mut texts = 0;
    for payload_type in flipped(vector.payload_type.as_bytes()) {
        // JSON holds no other bytes than those of text.
        let Ok(payload_type) = String::from_utf8(payload_type) else {
            continue;
        };
        texts += 1;
        let found = held(&vector, &payload_type, &vector.payload, &vector.signature);
        assert!(!found.ok(), "{payload_type:?}");
        assert_eq!(found.signatures[0].outcome, Outcome::NotVerified);
    }
    assert_eq!(texts, 29 * 7);
}

#[test]
fn each_bit_of_the_signature_counts() {
    let Some(vector) = vector() else { return };
    for signature in flipped(&vector.signature) {
        let found = held(&vector, &vector.payload_type, &vector.payload, &signature);
        assert!(!found.ok(), "{signature:?}");
        assert_eq!(found.signatures[0].outcome, Outcome::NotVerified);
    }
}

#[test]
fn what_is_cut_or_moved_between_type_and_payload_is_refused() {
    let Some(vector) = vector() else { return };
    for length in 0..vector.signature.len() {
        let signature = &vector.signature[..length];
        let found = held(&vector, &vector.payload_type, &vector.payload, signature);
        assert_eq!(
            found.signatures[0].outcome,
            Outcome::Malformed(Malformed::Length { bytes: length })
        );
    }
    let (kind, payload) = (&vector.payload_type, &vector.payload);
    for (kind, payload) in [
        // The same bytes in a row, were it not for the lengths.
        (format!("{kind} 11 hello"), b"world".to_vec()),
        (
            kind[..kind.len() - 1].to_owned(),
            [b"d", &payload[..]].concat(),
        ),
        (kind.clone(), payload[..10].to_vec()),
        (kind.clone(), [payload.as_slice(), b"\n"].concat()),
        (kind.clone(), Vec::new()),
    ] {
        let found = held(&vector, &kind, &payload, &vector.signature);
        assert_eq!(found.signatures[0].outcome, Outcome::NotVerified, "{kind}");
    }
}
