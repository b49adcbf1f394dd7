//! Why something is no key that can be used here.

use std::error::Error;
use std::fmt;

/// Why a text is no public key that can be used here. What the text itself holds is shown only where
/// it cannot be a private key given by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The text has more than [`MAX_PEM`](super::MAX_PEM) bytes.
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// No line `-----BEGIN …-----`.
    NotPem,
    /// Something else than a public key: a private key, a certificate, a key not in SPKI form.
    Label {
        /// What `-----BEGIN` says.
        label: String,
    },
    /// More than one key.
    SeveralKeys {
        /// How many.
        keys: usize,
    },
    /// Text before or after the key.
    TextOutside,
    /// Damaged PEM (RFC 7468); what is wrong.
    Pem(String),
    /// Not the DER of a SubjectPublicKeyInfo (RFC 5280 section 4.1), or bytes behind it; what is
    /// wrong.
    Der(String),
    /// A key of another algorithm than Ed25519 and ECDSA.
    Algorithm {
        /// Its name, or its object identifier.
        name: String,
    },
    /// An elliptic curve other than P-256.
    Curve {
        /// Its name, or its object identifier.
        name: String,
    },
    /// The algorithm's parameters are not what its specification asks for.
    Parameters {
        /// Of which algorithm.
        algorithm: &'static str,
    },
    /// The key's bytes are no point of the curve, or not in a form that is accepted.
    Point {
        /// Of which algorithm.
        algorithm: &'static str,
    },
    /// An Ed25519 key of small order: one signature by it is good for many payloads.
    Weak,
}

impl Error for KeyError {}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use KeyError::*;
        match self {
            TooLarge { bytes } => {
                write!(f, "key of {bytes} bytes, more than {}", super::MAX_PEM)
            }
            NotPem => write!(f, "key is not PEM: no line \"-----BEGIN PUBLIC KEY-----\""),
            Label { label } => write!(f, "PEM is of a {label:?}, not of a \"PUBLIC KEY\""),
            SeveralKeys { keys } => write!(f, "PEM of {keys} keys, not of one"),
            TextOutside => write!(f, "text outside of the PEM of the key"),
            Pem(reason) => write!(f, "PEM of the key is damaged: {reason}"),
            Der(reason) => write!(f, "key is not a SubjectPublicKeyInfo: {reason}"),
            Algorithm { name } => write!(f, "key of {name}, not of Ed25519 or ECDSA P-256"),
            Curve { name } => write!(f, "key on the curve {name}, not on P-256"),
            Parameters { algorithm } => write!(f, "wrong parameters of the {algorithm} key"),
            Point { algorithm } => write!(f, "{algorithm} key is no valid point of its curve"),
            Weak => write!(f, "Ed25519 key is weak: a point of small order"),
        }
    }
}
