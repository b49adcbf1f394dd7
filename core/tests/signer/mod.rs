//! Keys that sign, for tests: made of a seed, so that every run has the same.

use auditspine_core::dsse::{PublicKey, pae};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;

pub enum Signer {
    Ed25519(ed25519_dalek::SigningKey),
    EcdsaP256(p256::ecdsa::SigningKey),
}

impl Signer {
    pub fn ed25519(seed: u8) -> Signer {
        Signer::Ed25519(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))
    }

    pub fn ecdsa(seed: u8) -> Signer {
        Signer::EcdsaP256(p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    /// SubjectPublicKeyInfo (RFC 8410, RFC 5480), put together by hand: not by the code under test.
    pub fn der(&self) -> Vec<u8> {
        let (head, key) = match self {
            Signer::Ed25519(key) => (
                "302a300506032b6570032100",
                key.verifying_key().as_bytes().to_vec(),
            ),
            Signer::EcdsaP256(key) => (
                "3059301306072a8648ce3d020106082a8648ce3d030107034200",
                key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            ),
        };
        [hex::decode(head).unwrap(), key].concat()
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::from_pem(&pem(&self.der())).unwrap()
    }

    /// 64 bytes over the pre-authentication encoding; of ECDSA, r and s.
    pub fn sign(&self, payload_type: &str, payload: &[u8]) -> Vec<u8> {
        let message = pae(payload_type, payload);
        match self {
            Signer::Ed25519(key) => key.sign(&message).to_bytes().to_vec(),
            Signer::EcdsaP256(key) => {
                let signature: p256::ecdsa::Signature =
                    p256::ecdsa::signature::Signer::sign(key, &message);
                signature.to_bytes().to_vec()
            }
        }
    }
}

pub fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

/// The JSON of an envelope.
pub fn envelope(
    payload_type: &str,
    payload: &[u8],
    signatures: &[(Option<&str>, &[u8])],
) -> String {
    let signatures: Vec<_> = signatures
        .iter()
        .map(|(keyid, bytes)| match keyid {
            Some(keyid) => serde_json::json!({"keyid": keyid, "sig": STANDARD.encode(bytes)}),
            None => serde_json::json!({"sig": STANDARD.encode(bytes)}),
        })
        .collect();
    serde_json::json!({
        "payload": STANDARD.encode(payload),
        "payloadType": payload_type,
        "signatures": signatures,
    })
    .to_string()
}
