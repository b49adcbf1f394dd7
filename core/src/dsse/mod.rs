//! Signed evidence: DSSE envelopes, the keys that sign them, and what a signed payload speaks of.
//!
//! What is signed is the pre-authentication encoding of the payload's type and bytes
//! (`DSSEv1`, protocol.md of <https://github.com/secure-systems-lab/dsse>, version 1.0.2):
//!
//! ```text
//! "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload
//! ```
//!
//! with lengths in decimal digits, of bytes. So the JSON around a payload is never authenticated, nor
//! needs to be canonical.
//!
//! - [`Envelope`]: read from JSON, or made from parts; owns the very bytes that signatures are over.
//! - [`PublicKey`]: Ed25519 or ECDSA P-256, from PEM; named by its [fingerprint](PublicKey::fingerprint).
//! - [`KeySet`] and [`verify()`]: which signatures of an envelope are good, under which keys.
//! - [`binds`]: whether a payload speaks of a digest.

mod binding;
mod check;
mod envelope;
mod error;
mod key;
mod key_error;
mod members;
mod verify;

pub use binding::{Binding, IN_TOTO, MAX_SUBJECTS, STATEMENTS, Unbound, binds};
pub use check::Malformed;
pub use envelope::{
    Envelope, MAX_DEPTH, MAX_ENVELOPE, MAX_SIGNATURE, MAX_SIGNATURES, Signature, pae,
};
pub use error::EnvelopeError;
pub use key::{Algorithm, MAX_PEM, PublicKey};
pub use key_error::KeyError;
pub(crate) use verify::{Candidate, Checker};
pub use verify::{
    KeySet, Outcome, SignatureReport, ThresholdError, Verification, check_threshold, verify,
};

/// What a message shows of a value, in characters.
const SHOWN: usize = 60;

/// As much of a value as a message shows.
fn shown(value: &str) -> String {
    let mut rest = value.chars();
    let mut shown: String = rest.by_ref().take(SHOWN).collect();
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}
