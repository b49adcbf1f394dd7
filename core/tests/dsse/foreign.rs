//! Signatures that other programs made.

use auditspine_core::dsse::{Envelope, KeySet, Malformed, Outcome, PublicKey, verify};

/// Each over the payload of the published vector, by OpenSSL 3.0: key and signature.
const ED25519: [&str; 2] = [
    "MCowBQYDK2VwAyEAyxFGRXJtoldqwagrSZ6JQkuk+vM6kNQf5j6so5nQjB4=",
    "whYotmtK/RgMzrdQnNmJOicJbZGxCTpxLn8sxyuaVdxshaP/y+dALI9TTudkTkLW1ASofh5bHZ6N932CmBukCg==",
];
const ECDSA_DER: [&str; 2] = [
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMMIRHInoym1C7z5EI3FcJaviD1AegpZ1iVBTZ6TZccQp1U6XxM4nB0DvoTf4GQ3w8cGW6W/792/e8LARX3W5Ww==",
    "MEYCIQDU6iDbp6GOi9A6VWubaNvKVQOjHp0fBcboS343p+JDNAIhAOYmnyAaqFvdARi5E6a5RVYhRgT4ZpX2cOMzuP1QiRf+",
];
/// By a key on P-384, which cannot be had here.
const P384_DER: &str = "MGYCMQCe+ovJaI7gaFPIk0t98BZIDSnmIOYgAbl3Agh6mK+UtbZri1c2ZCxMZUx2OW5/dGECMQDlEDsj8jIZK9cP24pOKfWIu8nOy223Sfk5SF2G77FdsO1nsWTbx6zQrvu8qp6q6aY=";

fn key(base64: &str) -> PublicKey {
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----");
    PublicKey::from_pem(&pem).unwrap()
}

fn envelope(signatures: &[&str]) -> Envelope {
    let signatures = signatures.iter().map(|sig| (None, *sig));
    Envelope::from_parts(
        "http://example.com/HelloWorld",
        "aGVsbG8gd29ybGQ",
        signatures,
    )
    .unwrap()
}

#[test]
fn signatures_by_openssl_verify() {
    let envelope = envelope(&[P384_DER, ECDSA_DER[1], ED25519[1]]);
    let keys = [key(ED25519[0]), key(ECDSA_DER[0])];
    let found = verify(&envelope, &KeySet::new(keys.clone()), 2).unwrap();
    assert!(found.ok());
    let [ed25519, ecdsa] = keys.map(|key| key.fingerprint());
    assert_eq!(found.verified, [ecdsa, ed25519]);
    let outcomes: Vec<_> = found.signatures.iter().map(|s| s.outcome).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Malformed(Malformed::Der),
            Outcome::Verified(ecdsa),
            Outcome::Verified(ed25519)
        ]
    );
}
