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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(point: Point) -> impl Fn(&[u8], &str) -> Check {
        move |message, signature| {
            let (message, signature) = (Message::new(message), hex::decode(signature).unwrap());
            match &point {
                Point::Ed25519(point) => ed25519(&message, point, &signature),
                Point::EcdsaP256(point) => ecdsa(&message, point, &signature),
            }
        }
    }

    /// RFC 8032 section 7.1, tests 1 to 3.
    #[test]
    fn signatures_of_rfc_8032() {
        for (public, message, signature) in [
            (
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                b"".as_slice(),
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                b"\x72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                b"\xaf\x82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ] {
            let bytes: [u8; 32] = hex::decode(public).unwrap().try_into().unwrap();
            let key = key(Point::Ed25519(
                ed25519_dalek::VerifyingKey::from_bytes(&bytes).unwrap(),
            ));
            assert_eq!(key(message, signature), Check::Good, "{public}");
            assert_eq!(key(b"other", signature), Check::Bad, "{public}");
        }
    }

    /// RFC 6979 appendix A.2.5, SHA-256; the `s` of the first is a large one.
    #[test]
    fn signatures_of_rfc_6979() {
        let point = hex::decode(concat!(
            "04",
            "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
            "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
        ));
        let key = key(Point::EcdsaP256(
            p256::ecdsa::VerifyingKey::from_sec1_bytes(&point.unwrap()).unwrap(),
        ));
        let sample = concat!(
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        );
        let test = concat!(
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
            "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        );
        assert_eq!(key(b"sample", sample), Check::Good);
        assert_eq!(key(b"test", test), Check::Good);
        assert_eq!(key(b"sample", test), Check::Bad);
    }

    #[test]
    fn numbers_below_the_order_are_reduced() {
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de14").unwrap();
        let mut number = [0; 32];
        number[..16].copy_from_slice(&order);
        number[31] = 0x10;
        assert!(!is_reduced(&number));
        number[0] -= 1;
        assert!(is_reduced(&number));
        number[31] = 0x11;
        assert!(!is_reduced(&number));
        assert!(is_reduced(&[0; 32]) && !is_reduced(&[0xff; 32]));
    }
}
