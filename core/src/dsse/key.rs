//! Public keys: from PEM, and their names.

use std::fmt;

use pem_rfc7468::{Decoder, LineEnding};
use spki::der::asn1::{AnyRef, BitStringRef};
use spki::der::{Decode, Encode};
use spki::{AlgorithmIdentifier, ObjectIdentifier, SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};

use super::key_error::KeyError;
use super::shown;
use crate::hash::Hash;

/// How many bytes of PEM are read; keys that can be used have less than 200.
pub const MAX_PEM: usize = 16 * 1024;

const LABEL: &str = "PUBLIC KEY";

/// RFC 8410 section 3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 5480 section 2.1.1.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// RFC 5480 section 2.1.1.1.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// Names of what is refused, for messages.
const NAMES: [(&str, &str); 17] = [
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.113549.1.1.10", "RSASSA-PSS"),
    ("1.2.840.10040.4.1", "DSA"),
    ("1.2.840.113549.1.3.1", "Diffie-Hellman"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.111", "X448"),
    ("1.3.101.113", "Ed448"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
    ("1.2.840.10045.3.1.1", "P-192"),
    ("1.3.132.0.33", "P-224"),
    ("1.3.132.0.34", "P-384"),
    ("1.3.132.0.35", "P-521"),
    ("1.3.132.0.10", "secp256k1"),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
    ("1.2.156.10197.1.301", "SM2"),
];

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032), without prehashing.
    Ed25519,
    /// ECDSA (FIPS 186-5) over P-256 with SHA-256.
    EcdsaP256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Algorithm; 2] = [Algorithm::Ed25519, Algorithm::EcdsaP256];

    /// Stable name: `ed25519`, `ecdsa-p256-sha256`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Ed25519 => "ed25519",
            Algorithm::EcdsaP256 => "ecdsa-p256-sha256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A key as the curves' arithmetic wants it.
#[derive(Clone, Debug)]
pub(super) enum Point {
    Ed25519(ed25519_dalek::VerifyingKey),
    EcdsaP256(p256::ecdsa::VerifyingKey),
}

/// A public key that can be used here, ready to check signatures: its point is decompressed once.
/// Keys are equal if their fingerprints are.
#[derive(Clone)]
pub struct PublicKey {
    pub(super) point: Point,
    der: Vec<u8>,
    fingerprint: Hash,
}

impl PublicKey {
    /// Reads one SubjectPublicKeyInfo (RFC 5280 section 4.1) in PEM (RFC 7468 section 13), of
    /// Ed25519 (RFC 8410) or of ECDSA P-256 (RFC 5480, the point compressed or not). Lines may be of
    /// any length, end in any way, and be indented; nothing may stand around them.
    ///
    /// An Ed25519 key must be canonical (RFC 8032 section 5.1.3) and not of small order.
    pub fn from_pem(pem: &str) -> Result<PublicKey, KeyError> {
        PublicKey::from_der(&unwrap(pem)?)
    }

    /// As [`from_pem`](Self::from_pem), of the DER inside.
    pub fn from_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        let info = SubjectPublicKeyInfoRef::from_der(der)
            .map_err(|error| KeyError::Der(error.to_string()))?;
        let bytes = info
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| KeyError::Der("the key's bits are not whole bytes".into()))?;
        match info.algorithm.oid {
            ED25519 => ed25519(info.algorithm.parameters, bytes),
            EC => ecdsa(info.algorithm.parameters, bytes),
            other => Err(KeyError::Algorithm { name: name(other) }),
        }
    }

    fn new(
        point: Point,
        algorithm: AlgorithmIdentifier<ObjectIdentifier>,
        bytes: &[u8],
    ) -> Result<PublicKey, KeyError> {
        let failed = |error: spki::der::Error| KeyError::Der(error.to_string());
        let der = SubjectPublicKeyInfo {
            algorithm,
            subject_public_key: BitStringRef::from_bytes(bytes).map_err(failed)?,
        }
        .to_der()
        .map_err(failed)?;
        Ok(PublicKey {
            point,
            fingerprint: Hash::of(&der),
            der,
        })
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        match self.point {
            Point::Ed25519(_) => Algorithm::Ed25519,
            Point::EcdsaP256(_) => Algorithm::EcdsaP256,
        }
    }

    /// The key's one name: SHA-256 of its SubjectPublicKeyInfo in DER, in the form that
    /// `openssl pkey -pubin -outform DER` writes by default. A P-256 point is uncompressed there,
    /// whatever it was in the PEM.
    pub fn fingerprint(&self) -> Hash {
        self.fingerprint
    }

    /// The DER that the fingerprint is taken of.
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }

    /// The same in PEM: lines of 64 characters, each with a line feed.
    pub fn to_pem(&self) -> String {
        // Cannot fail: the label is one, and the length far from overflow.
        pem_rfc7468::encode_string(LABEL, LineEnding::LF, &self.der).unwrap_or_default()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.fingerprint)
    }
}

/// The DER inside of PEM. Lines are put into the one form that the strict decoder takes.
fn unwrap(pem: &str) -> Result<Vec<u8>, KeyError> {
    if pem.len() > MAX_PEM {
        return Err(KeyError::TooLarge { bytes: pem.len() });
    }
    let lines: Vec<&str> = pem
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let begins = |line: &&&str| line.starts_with("-----BEGIN ");
    match lines.iter().filter(begins).count() {
        0 => return Err(KeyError::NotPem),
        1 => {}
        keys => return Err(KeyError::SeveralKeys { keys }),
    }
    let [first, body @ .., last] = lines.as_slice() else {
        return Err(KeyError::Pem("the last line is missing".into()));
    };
    let Some(label) = first.strip_prefix("-----BEGIN ") else {
        return Err(KeyError::TextOutside);
    };
    let label = label.strip_suffix("-----").unwrap_or(label);
    if label != LABEL {
        let label = shown(label);
        return Err(KeyError::Label { label });
    }
    let ends = |line: &&str| line.starts_with("-----END ");
    if !ends(last) {
        return Err(match body.iter().any(ends) {
            true => KeyError::TextOutside,
            false => KeyError::Pem("the last line is not \"-----END PUBLIC KEY-----\"".into()),
        });
    }
    let one_line = [first, "\n", &body.concat(), "\n", last, "\n"].concat();
    let damaged = |error: pem_rfc7468::Error| KeyError::Pem(error.to_string());
    let mut decoder = Decoder::new_detect_wrap(one_line.as_bytes()).map_err(damaged)?;
    let mut der = Vec::new();
    decoder.decode_to_end(&mut der).map_err(damaged)?;
    Ok(der)
}

fn ed25519(parameters: Option<AnyRef<'_>>, bytes: &[u8]) -> Result<PublicKey, KeyError> {
    let algorithm = "Ed25519";
    if parameters.is_some() {
        return Err(KeyError::Parameters { algorithm });
    }
    let invalid = KeyError::Point { algorithm };
    let Ok(bytes) = <&[u8; 32]>::try_from(bytes) else {
        return Err(invalid);
    };
    let Ok(point) = ed25519_dalek::VerifyingKey::from_bytes(bytes) else {
        return Err(invalid);
    };
    if point.is_weak() {
        return Err(KeyError::Weak);
    }
    // One point, one key: y below the prime, and no sign on x = 0.
    if point.to_edwards().compress().as_bytes() != bytes {
        return Err(invalid);
    }
    let algorithm = AlgorithmIdentifier {
        oid: ED25519,
        parameters: None,
    };
    PublicKey::new(Point::Ed25519(point), algorithm, bytes)
}

fn ecdsa(parameters: Option<AnyRef<'_>>, bytes: &[u8]) -> Result<PublicKey, KeyError> {
    let algorithm = "ECDSA";
    // A curve must be named (RFC 5480 section 2.1.1): its numbers could be those of a forger.
    let curve: ObjectIdentifier = match parameters.map(AnyRef::decode_as) {
        Some(Ok(curve)) => curve,
        _ => return Err(KeyError::Parameters { algorithm }),
    };
    if curve != P256 {
        return Err(KeyError::Curve { name: name(curve) });
    }
    // RFC 5480 section 2.2 has these forms alone; SEC 1 others.
    let point = match bytes {
        [0x02..=0x04, ..] => p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).ok(),
        _ => None,
    };
    let Some(point) = point else {
        return Err(KeyError::Point { algorithm });
    };
    let algorithm = AlgorithmIdentifier {
        oid: EC,
        parameters: Some(P256),
    };
    let bytes = point.to_sec1_point(false);
    PublicKey::new(Point::EcdsaP256(point), algorithm, bytes.as_bytes())
}

fn name(identifier: ObjectIdentifier) -> String {
    let identifier = identifier.to_string();
    let known = NAMES.iter().find(|(known, _)| *known == identifier);
    known.map_or(identifier, |(_, name)| (*name).to_owned())
}
