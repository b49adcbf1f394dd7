//! The envelope: a payload, its type, and signatures over both.

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::EnvelopeError;
use super::members::{Member, Shape, Value};
use super::shown;
use crate::hash::Hash;

/// How many bytes of JSON are read.
pub const MAX_ENVELOPE: usize = 64 << 20;
/// How many signatures an envelope may have: each may be held against every key.
pub const MAX_SIGNATURES: usize = 64;
/// How many characters of base64 a signature may have. Those that can be verified here have less
/// than 100, but others' (the largest of SLH-DSA has 66,475) may stand beside them.
pub const MAX_SIGNATURE: usize = 100_000;
/// How deep arrays and objects may be nested; an envelope itself has 3 levels.
pub const MAX_DEPTH: usize = 64;

/// What matters of an envelope.
const ENVELOPE: Shape = Shape::Object(&[
    ("payload", Shape::Text),
    ("payloadType", Shape::Text),
    ("signatures", Shape::Array(MAX_SIGNATURES, &SIGNATURE)),
]);
const SIGNATURE: Shape = Shape::Object(&[("keyid", Shape::Text), ("sig", Shape::Text)]);

/// The pre-authentication encoding, which is what signatures are over: `DSSEv1`, the length of
/// `payload_type`, `payload_type`, the length of `payload`, `payload`, a space between each two.
/// Lengths are in bytes, in decimal digits (DSSE protocol.md, "Signature Definition").
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let header = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    let mut encoding = Vec::with_capacity(header.len() + payload.len());
    encoding.extend_from_slice(header.as_bytes());
    encoding.extend_from_slice(payload);
    encoding
}

/// A DSSE envelope. It shows no payload but the one inside the bytes that signatures are checked
/// over, so that nothing else can be taken for verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    pae: Vec<u8>,
    /// Where the payload begins in `pae`.
    payload_at: usize,
    signatures: Vec<Signature>,
}

/// A signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What the envelope says of the key: a hint that nobody has signed. None if absent or empty.
    pub keyid: Option<String>,
    /// The signature, decoded.
    pub bytes: Vec<u8>,
}

impl Envelope {
    /// Reads an envelope of JSON text (UTF-8): an object with `payload` (base64), `payloadType`, and
    /// `signatures`, an array of objects with `sig` (base64) and perhaps `keyid` (DSSE envelope.md).
    /// Base64 may be standard or URL-safe, padded or not. Other members are ignored.
    pub fn parse(json: &[u8]) -> Result<Envelope, EnvelopeError> {
        if json.len() > MAX_ENVELOPE {
            return Err(EnvelopeError::TooLarge { bytes: json.len() });
        }
        if is_deep(json) {
            return Err(EnvelopeError::TooDeep);
        }
        let document = Value::parse(json, ENVELOPE)
            .map_err(|error| EnvelopeError::InvalidJson(error.to_string()))?;
        if !matches!(document, Value::Object(_)) {
            return Err(EnvelopeError::NotAnObject {
                found: document.kind(),
            });
        }
        let payload = text(&document, "", "payload")?;
        let payload_type = text(&document, "", "payloadType")?;
        let signatures = match required(&document, "", "signatures")? {
            Value::Array(_, count) if *count > MAX_SIGNATURES => {
                return Err(EnvelopeError::TooManySignatures { signatures: *count });
            }
            Value::Array(elements, _) => elements,
            other => return Err(wrong_type("signatures".into(), "an array", other)),
        };
        let signatures = signatures
            .iter()
            .enumerate()
            .map(|(at, signature)| {
                let path = format!("signatures[{at}]");
                if !matches!(signature, Value::Object(_)) {
                    return Err(wrong_type(path, "an object", signature));
                }
                let path = format!("{path}.");
                let keyid = match signature.member("keyid") {
                    Member::Absent | Member::Once(Value::Null) => None,
                    Member::Once(_) | Member::Repeated => Some(text(signature, &path, "keyid")?),
                };
                Ok((keyid, text(signature, &path, "sig")?))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Envelope::from_parts(payload_type, payload, signatures)
    }

    /// An envelope of the texts that its JSON holds, for those who have read that already: payload
    /// and signatures (with their `keyid`) in base64. Refuses what [`parse`](Self::parse) would.
    pub fn from_parts<'a>(
        payload_type: &str,
        payload: &str,
        signatures: impl IntoIterator<Item = (Option<&'a str>, &'a str)>,
    ) -> Result<Envelope, EnvelopeError> {
        if payload_type.is_empty() {
            return Err(EnvelopeError::EmptyPayloadType);
        }
        if payload.len() > MAX_ENVELOPE {
            return Err(EnvelopeError::TooLarge {
                bytes: payload.len(),
            });
        }
        let payload = decode("payload", payload)?;
        let mut decoded = Vec::new();
        for (at, (keyid, sig)) in signatures.into_iter().enumerate() {
            if at == MAX_SIGNATURES {
                return Err(EnvelopeError::TooManySignatures { signatures: at + 1 });
            }
            let member = format!("signatures[{at}].sig");
            if sig.len() > MAX_SIGNATURE {
                return Err(EnvelopeError::SignatureTooLong {
                    member,
                    characters: sig.len(),
                });
            }
            decoded.push(Signature {
                keyid: keyid.filter(|keyid| !keyid.is_empty()).map(str::to_owned),
                bytes: decode(&member, sig)?,
            });
        }
        if decoded.is_empty() {
            return Err(EnvelopeError::NoSignatures);
        }
        let pae = pae(payload_type, &payload);
        Ok(Envelope {
            payload_type: payload_type.to_owned(),
            payload_at: pae.len() - payload.len(),
            pae,
            signatures: decoded,
        })
    }

    /// How the payload is to be read: a media type or URI, never empty.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload, decoded.
    pub fn payload(&self) -> &[u8] {
        &self.pae[self.payload_at..]
    }

    /// SHA-256 of the payload.
    pub fn payload_digest(&self) -> Hash {
        Hash::of(self.payload())
    }

    /// What signatures are over: [`pae`] of type and payload.
    pub fn pae(&self) -> &[u8] {
        &self.pae
    }

    /// The signatures, in their order: 1 to [`MAX_SIGNATURES`].
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }
}

/// Whether arrays and objects are nested deeper than [`MAX_DEPTH`].
fn is_deep(json: &[u8]) -> bool {
    // Base64 has no brackets, so the count alone will do for nearly all envelopes.
    let opening = |byte: &&u8| matches!(byte, b'[' | b'{');
    if json.iter().filter(opening).count() <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

fn wrong_type(member: String, expected: &'static str, found: &Value<'_>) -> EnvelopeError {
    EnvelopeError::WrongType {
        member,
        expected,
        found: found.kind(),
    }
}

/// A member that must be there, once; `path` is that of the object, with a dot behind it.
fn required<'v, 'a>(
    object: &'v Value<'a>,
    path: &str,
    name: &str,
) -> Result<&'v Value<'a>, EnvelopeError> {
    let member = || format!("{path}{name}");
    match object.member(name) {
        Member::Once(value) => Ok(value),
        Member::Absent => Err(EnvelopeError::Missing { member: member() }),
        Member::Repeated => Err(EnvelopeError::Repeated { member: member() }),
    }
}

fn text<'v>(object: &'v Value<'_>, path: &str, name: &str) -> Result<&'v str, EnvelopeError> {
    match required(object, path, name)? {
        Value::Text(text) => Ok(text),
        other => Err(wrong_type(format!("{path}{name}"), "a string", other)),
    }
}

/// Bits behind the last byte must be zero (RFC 4648 section 3.5), and padding is whole or absent: one
/// value has one text in each of the four forms.
const fn engine(alphabet: &Alphabet, padding: DecodePaddingMode) -> GeneralPurpose {
    GeneralPurpose::new(
        alphabet,
        GeneralPurposeConfig::new().with_decode_padding_mode(padding),
    )
}

static PADDED: GeneralPurpose = engine(&STANDARD, DecodePaddingMode::RequireCanonical);
static UNPADDED: GeneralPurpose = engine(&STANDARD, DecodePaddingMode::RequireNone);
static URL_PADDED: GeneralPurpose = engine(&URL_SAFE, DecodePaddingMode::RequireCanonical);
static URL_UNPADDED: GeneralPurpose = engine(&URL_SAFE, DecodePaddingMode::RequireNone);

fn decode(member: &str, value: &str) -> Result<Vec<u8>, EnvelopeError> {
    let engine = match (value.contains(['-', '_']), value.ends_with('=')) {
        (false, true) => &PADDED,
        (false, false) => &UNPADDED,
        (true, true) => &URL_PADDED,
        (true, false) => &URL_UNPADDED,
    };
    engine
        .decode(value)
        .map_err(|error| EnvelopeError::InvalidBase64 {
            member: member.to_owned(),
            value: shown(value),
            reason: error.to_string(),
        })
}
