//! The signatures of an envelope, held against a set of keys.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use super::check::{Check, Malformed, Message, check};
use super::envelope::Envelope;
use super::key::PublicKey;
use crate::hash::Hash;

/// Distinct keys, ready to check any number of envelopes.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<PublicKey>,
    places: HashMap<Hash, usize>,
}

impl KeySet {
    /// The keys in their order; one given again changes nothing.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> KeySet {
        let mut set = KeySet::default();
        for key in keys {
            set.insert(key);
        }
        set
    }

    /// Adds a key, and gives its place in [`keys`](Self::keys); where it is known already, that.
    pub fn insert(&mut self, key: PublicKey) -> usize {
        let next = self.keys.len();
        let place = *self.places.entry(key.fingerprint()).or_insert(next);
        if place == next {
            self.keys.push(key);
        }
        place
    }

    /// The distinct keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The place of the key with this fingerprint.
    pub fn place(&self, fingerprint: &Hash) -> Option<usize> {
        self.places.get(fingerprint).copied()
    }

    /// The place of the key that a `keyid` names, by the key's fingerprint: 64 hex digits, with or
    /// without `sha256:` before them, upper or lower case. Keyids can be anything, and most signers
    /// have conventions of their own.
    pub fn named(&self, keyid: &str) -> Option<usize> {
        const PREFIX: &str = "sha256:";
        let digits = match keyid.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &keyid[PREFIX.len()..],
            _ => keyid,
        };
        let mut fingerprint = Hash::ZERO;
        hex::decode_to_slice(digits, &mut fingerprint.0).ok()?;
        self.place(&fingerprint)
    }
}

impl FromIterator<PublicKey> for KeySet {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> KeySet {
        KeySet::new(keys)
    }
}

/// What was found of one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is good, under the key with this fingerprint.
    Verified(Hash),
    /// It is good, but an earlier signature is by the same key, and a key counts once.
    Repeated {
        /// Fingerprint of the key.
        fingerprint: Hash,
        /// Place of the earlier signature in the envelope, from 0.
        first: usize,
    },
    /// It may be a signature, but under none of the keys.
    NotVerified,
    /// It is no signature that any of the keys could have made.
    Malformed(Malformed),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Verified(fingerprint) => write!(f, "good, by key {fingerprint}"),
            Outcome::Repeated { fingerprint, first } => write!(
                f,
                "good, but signatures[{first}] is by key {fingerprint} too"
            ),
            Outcome::NotVerified => f.write_str("good under none of the keys"),
            Outcome::Malformed(reason) => write!(f, "malformed: {reason}"),
        }
    }
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureReport {
    /// The envelope's hint of the key. It decides nothing.
    pub keyid: Option<String>,
    /// Fingerprint of the key that the hint names, if it is one of the keys.
    pub named: Option<Hash>,
    /// What was found.
    pub outcome: Outcome,
}

/// What was found of an envelope's signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How many distinct keys must have signed.
    pub threshold: usize,
    /// Fingerprints of the distinct keys that have signed, in the order of their signatures.
    pub verified: Vec<Hash>,
    /// Each signature, in the order of the envelope.
    pub signatures: Vec<SignatureReport>,
}

impl Verification {
    /// Whether enough keys have signed.
    pub fn ok(&self) -> bool {
        self.verified.len() >= self.threshold
    }
}

/// A threshold that no envelope, or every one, would meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThresholdError {
    /// It is zero: an envelope would need no signature.
    Zero,
    /// There are fewer distinct keys.
    TooHigh {
        /// As asked for.
        threshold: usize,
        /// How many distinct keys there are.
        keys: usize,
    },
}

impl Error for ThresholdError {}

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ThresholdError::Zero => f.write_str("threshold is 0"),
            ThresholdError::TooHigh { threshold, keys } => {
                write!(f, "threshold is {threshold}, but distinct keys are {keys}")
            }
        }
    }
}

/// Whether so many of the keys can be asked for, without an envelope.
pub fn check_threshold(threshold: usize, keys: &KeySet) -> Result<(), ThresholdError> {
    match (threshold, keys.keys.len()) {
        (0, _) => Err(ThresholdError::Zero),
        (_, keys) if threshold > keys => Err(ThresholdError::TooHigh { threshold, keys }),
        _ => Ok(()),
    }
}

/// Holds every signature of the envelope against the keys (DSSE protocol.md, "Protocol"); `threshold`
/// is of distinct keys, 1 to as many as there are. A signature counts for one key, a key once. The
/// `keyid` only says which key is tried first. At most
/// [`MAX_SIGNATURES`](super::MAX_SIGNATURES) times as many checks are made as there are keys.
pub fn verify(
    envelope: &Envelope,
    keys: &KeySet,
    threshold: usize,
) -> Result<Verification, ThresholdError> {
    check_threshold(threshold, keys)?;
    let checker = Checker::new(envelope, keys);
    let mut signers: HashMap<usize, usize> = HashMap::new();
    let mut verified = Vec::new();
    let mut reports = Vec::with_capacity(envelope.signatures().len());
    for (at, signature) in envelope.signatures().iter().enumerate() {
        let named = signature.keyid.as_deref().and_then(|id| keys.named(id));
        let outcome = match checker.find(&signature.bytes, named) {
            Candidate::Good(place) => {
                let fingerprint = keys.keys[place].fingerprint();
                match *signers.entry(place).or_insert(at) {
                    first if first == at => {
                        verified.push(fingerprint);
                        Outcome::Verified(fingerprint)
                    }
                    first => Outcome::Repeated { fingerprint, first },
                }
            }
            Candidate::Bad => Outcome::NotVerified,
            Candidate::Malformed(reason) => Outcome::Malformed(reason),
        };
        reports.push(SignatureReport {
            keyid: signature.keyid.clone(),
            named: named.map(|place| keys.keys[place].fingerprint()),
            outcome,
        });
    }
    Ok(Verification {
        threshold,
        verified,
        signatures: reports,
    })
}

/// What all keys together say of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// Good under the key at this place.
    Good(usize),
    Bad,
    Malformed(Malformed),
}

/// Checks signatures of one envelope.
pub(crate) struct Checker<'a> {
    message: Message<'a>,
    keys: &'a KeySet,
}

impl<'a> Checker<'a> {
    pub fn new(envelope: &'a Envelope, keys: &'a KeySet) -> Checker<'a> {
        Checker {
            message: Message::new(envelope.pae()),
            keys,
        }
    }

    /// The key that made a signature; the one at `first` is tried first, then the others in order.
    /// If there is none, the key that comes closest says why.
    pub fn find(&self, signature: &[u8], first: Option<usize>) -> Candidate {
        let others = (0..self.keys.keys.len()).filter(|place| Some(*place) != first);
        let mut malformed = None;
        let mut is_bad = false;
        for place in first.into_iter().chain(others) {
            match check(&self.message, &self.keys.keys[place], signature) {
                Check::Good => return Candidate::Good(place),
                Check::Bad => is_bad = true,
                // A wrong length says least.
                Check::Malformed(reason) => {
                    if matches!(malformed, None | Some(Malformed::Length { .. })) {
                        malformed = Some(reason);
                    }
                }
            }
        }
        match malformed {
            Some(reason) if !is_bad => Candidate::Malformed(reason),
            _ => Candidate::Bad,
        }
    }
}
