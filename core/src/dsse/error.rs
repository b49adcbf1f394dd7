//! Why something is no envelope.

use std::error::Error;
use std::fmt;

/// Why something is no DSSE envelope that can be verified. Values are shown shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The text has more than [`MAX_ENVELOPE`](super::MAX_ENVELOPE) bytes.
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
    /// It is not JSON (RFC 8259); what the parser says, with line and column.
    InvalidJson(String),
    /// It is JSON, but not an object.
    NotAnObject {
        /// What it is: `a string`, `an array` …
        found: &'static str,
    },
    /// A member is missing.
    Missing {
        /// Its path: `payload`, `signatures[2].sig` …
        member: String,
    },
    /// A member was given twice: which one counts would depend on the reader.
    Repeated {
        /// Its path.
        member: String,
    },
    /// A member holds a value of another type.
    WrongType {
        /// Its path.
        member: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A member is not base64 (RFC 4648 sections 4 and 5), padded or not: an alien character, the
    /// two alphabets mixed, wrong padding, or bits that are not zero at the end.
    InvalidBase64 {
        /// Its path.
        member: String,
        /// What it holds.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `payloadType` is empty: it would not say how the payload is to be read.
    EmptyPayloadType,
    /// `signatures` is empty.
    NoSignatures,
    /// There are more than [`MAX_SIGNATURES`](super::MAX_SIGNATURES) signatures.
    TooManySignatures {
        /// How many there are.
        signatures: usize,
    },
    /// A signature is longer than [`MAX_SIGNATURE`](super::MAX_SIGNATURE).
    SignatureTooLong {
        /// Its path.
        member: String,
        /// How many characters of base64 it has.
        characters: usize,
    },
}

impl Error for EnvelopeError {}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use EnvelopeError::*;
        match self {
            TooLarge { bytes } => write!(
                f,
                "envelope of {bytes} bytes, more than {}",
                super::MAX_ENVELOPE
            ),
            TooDeep => write!(f, "envelope nested deeper than {} levels", super::MAX_DEPTH),
            InvalidJson(reason) => write!(f, "envelope is not JSON: {reason}"),
            NotAnObject { found } => write!(f, "envelope is not a JSON object but {found}"),
            Missing { member } => write!(f, "envelope has no \"{member}\""),
            Repeated { member } => write!(f, "envelope has \"{member}\" more than once"),
            WrongType {
                member,
                expected,
                found,
            } => write!(f, "\"{member}\" of the envelope is {found}, not {expected}"),
            InvalidBase64 {
                member,
                value,
                reason,
            } => write!(
                f,
                "\"{member}\" of the envelope is not base64: {value:?}: {reason}"
            ),
            EmptyPayloadType => write!(f, "\"payloadType\" of the envelope is empty"),
            NoSignatures => write!(f, "\"signatures\" of the envelope is empty"),
            TooManySignatures { signatures } => write!(
                f,
                "envelope with {signatures} signatures, more than {}",
                super::MAX_SIGNATURES
            ),
            SignatureTooLong { member, characters } => write!(
                f,
                "\"{member}\" of the envelope has {characters} characters, more than {}",
                super::MAX_SIGNATURE
            ),
        }
    }
}
