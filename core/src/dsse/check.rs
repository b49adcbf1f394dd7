//! One signature against one key.

use std::cell::OnceCell;
use std::fmt;

use p256::ecdsa::signature::hazmat::PrehashVerifier;

use super::key::{Point, PublicKey};
use crate::hash::Hash;

/// Why bytes cannot be a signature by a key of its algorithm, whatever was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// Not as long as any signature: those of Ed25519 have 64 bytes; those of ECDSA P-256 have 64,
    /// or are DER.
    Length {
        /// How many bytes it has.
        bytes: usize,
    },
    /// It begins like the DER of an ECDSA signature, but is not that: a SEQUENCE of two positive
    /// INTEGERs of at most 32 bytes and nothing else (RFC 3279 section 2.2.3).
    Der,
    /// A number of an ECDSA signature is zero, or not below the order of P-256.
    OutOfRange,
    /// The number of an Ed25519 signature is not below the order of the group (RFC 8032 section
    /// 5.1.7): another form of a signature, made without the key.
    NotReduced,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Length { bytes } => {
                write!(f, "{bytes} bytes, as no signature of the keys' algorithms")
            }
            Malformed::Der => f.write_str("begins like DER, but is no ECDSA signature in DER"),
            Malformed::OutOfRange => {
                f.write_str("a number of the ECDSA signature is zero or too large")
            }
            Malformed::NotReduced => {
                f.write_str("the number of the Ed25519 signature is too large")
            }
        }
    }
}

/// What a key says of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Good,
    /// It may be a signature, but not by this key, or not of this.
    Bad,
    Malformed(Malformed),
}

/// What is signed; its digest is computed once for all keys that ask for it.
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    digest: OnceCell<Hash>,
}

impl<'a> Message<'a> {
    pub fn new(bytes: &'a [u8]) -> Message<'a> {
        Message {
            bytes,
            digest: OnceCell::new(),
        }
    }
}

/// Checks `signature` over `message` by `key`.
pub(super) fn check(message: &Message<'_>, key: &PublicKey, signature: &[u8]) -> Check {
    match &key.point {
        Point::Ed25519(point) => ed25519(message, point, signature),
        Point::EcdsaP256(point) => ecdsa(message, point, signature),
    }
}

fn ed25519(message: &Message<'_>, point: &ed25519_dalek::VerifyingKey, signature: &[u8]) -> Check {
    let Ok(bytes) = <&[u8; 64]>::try_from(signature) else {
        return Check::Malformed(Malformed::Length {
            bytes: signature.len(),
        });
    };
    if !is_reduced(&bytes[32..]) {
        return Check::Malformed(Malformed::NotReduced);
    }
    // Strict: neither R nor the key of small order, so that a signature speaks of one payload.
    match point.verify_strict(message.bytes, &ed25519_dalek::Signature::from_bytes(bytes)) {
        Ok(()) => Check::Good,
        Err(_) => Check::Bad,
    }
}

/// Whether a number, little-endian, is below the order of the group (RFC 8032 section 5.1). The
/// crate refuses others too; asked for here, since it does not say why it refuses.
fn is_reduced(number: &[u8]) -> bool {
    const ORDER: [u8; 32] = [
        0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0xde, 0xf9, 0xde, 0xa2, 0xf7,
        0x9c, 0xd6, 0x58, 0x12, 0x63, 0x1a, 0x5c, 0xf5, 0xd3, 0xed,
    ];
    number.iter().rev().lt(ORDER.iter())
}

/// Signatures with a large `s` are accepted: whoever has one of the two forms can make the other, but
/// entries of a chain hash the envelope as it is, so neither can stand for the other.
fn ecdsa(message: &Message<'_>, point: &p256::ecdsa::VerifyingKey, signature: &[u8]) -> Check {
    let is_good = |signature: &p256::ecdsa::Signature| {
        let digest = message.digest.get_or_init(|| Hash::of(message.bytes));
        point.verify_prehash(&digest.0, signature).is_ok()
    };
    // r and s of 32 bytes each, as IEEE P1363 has them. By chance such bytes may look like DER, and
    // DER may have 64 bytes: both are tried.
    let raw = match signature.len() {
        64 => match p256::ecdsa::Signature::from_slice(signature) {
            Ok(parsed) if is_good(&parsed) => return Check::Good,
            Ok(_) => Check::Bad,
            Err(_) => Check::Malformed(Malformed::OutOfRange),
        },
        bytes => Check::Malformed(Malformed::Length { bytes }),
    };
    const SEQUENCE: u8 = 0x30;
    if signature.first() != Some(&SEQUENCE) {
        return raw;
    }
    let der = match p256::ecdsa::DerSignature::from_bytes(signature) {
        Ok(der) => match p256::ecdsa::Signature::try_from(der) {
            Ok(parsed) if is_good(&parsed) => return Check::Good,
            Ok(_) => Check::Bad,
            Err(_) => Check::Malformed(Malformed::OutOfRange),
        },
        Err(_) => Check::Malformed(Malformed::Der),
    };
    match der {
        // Of 64 bytes, the raw form is the likelier one.
        Check::Malformed(_) if signature.len() == 64 => raw,
        der => der,
    }
}
