//! What create_spine() is given, read and held against the rules; each refusal says where.

use auditspine_core::canonical::Numbers;
use auditspine_core::dsse::{Envelope, EnvelopeError, MAX_ENVELOPE};
use auditspine_core::spine::{SegmentType, SpineRoot, Verdict, parse_digest, segment_id, spine_id};

use crate::encoding::jsonb::write_jsonb;
use crate::encoding::jsonb_read::{self, Container, Value};
use crate::encoding::sink::BoundedSink;
use crate::error::Failure;

/// What a decision is on.
pub struct Decision {
    /// The artifact.
    pub artifact_id: String,
    /// The vulnerability.
    pub vuln_id: String,
    /// The policy.
    pub policy_profile_id: String,
}

/// What was decided, and by which scan.
pub struct Outcome {
    /// One of the four.
    pub verdict: String,
    /// Why, in words.
    pub verdict_reason: Option<String>,
    /// The scan.
    pub scan_run_id: String,
}

/// What is derived of the segments.
pub struct Derived {
    /// Root of their `result_hash`.
    pub root_hash: String,
    /// Id of the spine.
    pub spine_id: String,
    /// Ids of the segments, in order.
    pub segment_ids: Vec<String>,
}

/// How much of a value is shown, in characters.
const SHOWN: usize = 100;

/// A text that must be there.
pub fn expect_text(name: &str, text: Option<String>) -> String {
    let Some(text) = text else {
        Failure::NullElement.raise(
            format!("{name} is null"),
            "only verdict_reason may be left out",
        );
    };
    if text.is_empty() {
        Failure::InvalidValue.raise(
            format!("{name} is empty"),
            "an empty text names nothing; pass a name",
        );
    }
    text
}

/// Raises 22023 for what is none of the verdicts.
pub fn expect_verdict(verdict: &str) {
    if Verdict::parse(verdict).is_none() {
        let known: Vec<&str> = Verdict::ALL.iter().map(|known| known.text()).collect();
        Failure::InvalidValue.raise(
            format!(
                "verdict \"{verdict:.SHOWN$}\" is none of {}",
                known.join(", ")
            ),
            "write it as VEX does, in lower case",
        );
    }
}

/// The members of a segment: all must be there, and no others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    SegmentType,
    InputHash,
    ResultHash,
    Envelope,
    ToolId,
    ToolVersion,
}

const MEMBERS: [(Member, &str); 6] = [
    (Member::SegmentType, "segment_type"),
    (Member::InputHash, "input_hash"),
    (Member::ResultHash, "result_hash"),
    (Member::Envelope, "envelope_json"),
    (Member::ToolId, "tool_id"),
    (Member::ToolVersion, "tool_version"),
];

/// Reads the segments, a jsonb without its header, and derives root and ids. Raises an error for whatever
/// is not an array of segments.
pub fn derive(decision: &Decision, segments: &[u8]) -> Derived {
    let array = match jsonb_read::read(segments) {
        Value::Array(array) => array,
        other => Failure::NotAnArray.raise(
            format!("segments is {}, not an array", other.kind()),
            "pass an array of objects, in the order of the evidence",
        ),
    };
    if array.len() == 0 {
        Failure::InvalidValue.raise(
            "segments is empty",
            "a decision without evidence cannot be verified; pass one segment at least",
        );
    }
    let mut root = SpineRoot::new();
    let mut parts = Vec::new();
    for (at, element) in array.elements().enumerate() {
        let segment = Segment::read(at, element);
        // `read` has refused what is no digest.
        let _ = root.push(segment.result_hash);
        parts.push(segment);
    }
    let root_hash = root.finish().unwrap_or_default();
    let spine_id = spine_id(
        &decision.artifact_id,
        &decision.vuln_id,
        &decision.policy_profile_id,
        &root_hash,
    )
    .to_string();
    let ids = (0..).zip(&parts).map(|(idx, part)| {
        segment_id(
            &spine_id,
            idx,
            part.segment_type,
            part.input_hash,
            part.result_hash,
        )
        .to_string()
    });
    Derived {
        segment_ids: ids.collect(),
        root_hash,
        spine_id,
    }
}

struct Segment<'a> {
    segment_type: &'a str,
    input_hash: &'a str,
    result_hash: &'a str,
}

impl<'a> Segment<'a> {
    fn read(at: usize, element: Value<'a>) -> Segment<'a> {
        let Value::Object(object) = element else {
            Failure::NotAnObject.raise(
                format!("segments[{at}] is {}, not an object", element.kind()),
                format!("a segment is an object with the members {}", members()),
            );
        };
        let mut values = [None; MEMBERS.len()];
        for (name, value) in object.members() {
            let Some(place) = MEMBERS.iter().position(|(_, known)| *known == name) else {
                // A misspelt name must not lose evidence.
                Failure::UnknownMember.raise(
                    format!("segments[{at}] has the member \"{name:.SHOWN$}\", which is not known"),
                    format!("the members of a segment are {}", members()),
                );
            };
            values[place] = Some(value);
        }
        let values: Vec<Value<'a>> = MEMBERS
            .iter()
            .zip(values)
            .map(|((_, name), value)| {
                value.unwrap_or_else(|| {
                    Failure::MissingMember.raise(
                        format!("segments[{at}] has no \"{name}\""),
                        format!("the members of a segment are {}", members()),
                    )
                })
            })
            .collect();
        let (mut segment_type, mut input_hash, mut result_hash) = ("", "", "");
        for ((member, name), value) in MEMBERS.iter().zip(values) {
            match member {
                Member::SegmentType => segment_type = known_type(at, string(at, name, value)),
                Member::InputHash => input_hash = digest(at, name, value),
                Member::ResultHash => result_hash = digest(at, name, value),
                Member::Envelope => envelope(at, value),
                Member::ToolId | Member::ToolVersion => {
                    if string(at, name, value).is_empty() {
                        Failure::InvalidValue.raise(
                            format!("segments[{at}].{name} is empty"),
                            "name the tool that made the segment, and its version",
                        );
                    }
                }
            }
        }
        Segment {
            segment_type,
            input_hash,
            result_hash,
        }
    }
}

fn members() -> String {
    MEMBERS.map(|(_, name)| name).join(", ")
}

fn string<'a>(at: usize, name: &str, value: Value<'a>) -> &'a str {
    match value {
        Value::Text(text) => text,
        other => Failure::NotAString.raise(
            format!("segments[{at}].{name} is {}, not a string", other.kind()),
            "all members of a segment but envelope_json are strings",
        ),
    }
}

fn known_type(at: usize, text: &str) -> &str {
    if SegmentType::parse(text).is_none() {
        let known: Vec<&str> = SegmentType::ALL.iter().map(|known| known.text()).collect();
        Failure::InvalidValue.raise(
            format!(
                "segments[{at}].segment_type \"{text:.SHOWN$}\" is none of {}",
                known.join(", ")
            ),
            "capitals count",
        );
    }
    text
}

fn digest<'a>(at: usize, name: &str, value: Value<'a>) -> &'a str {
    let text = string(at, name, value);
    if parse_digest(text).is_none() {
        Failure::InvalidValue.raise(
            format!("segments[{at}].{name} \"{text:.SHOWN$}\" is not a SHA-256 digest"),
            "write 64 lower-case hex digits, with or without 'sha256:' before them",
        );
    }
    text
}

/// Raises 22000 for what cannot be verified as an envelope.
fn envelope(at: usize, value: Value<'_>) {
    let parsed = match value {
        // As it was received: it is stored to the byte.
        Value::Text(text) => Envelope::parse(text.as_bytes()),
        Value::Object(object) => parse(&object),
        other => Failure::NotAnObject.raise(
            format!(
                "segments[{at}].envelope_json is {}, not an object or its text",
                other.kind()
            ),
            "pass the DSSE envelope, or its text as it was received",
        ),
    };
    if let Err(error) = parsed {
        Failure::InvalidEnvelope.raise(
            format!("segments[{at}].envelope_json cannot be read: {error}"),
            "a DSSE envelope has a payload in base64, its payloadType, and signatures",
        );
    }
}

fn parse(object: &Container<'_>) -> Result<Envelope, EnvelopeError> {
    let content = object.content();
    let too_large = |bytes| EnvelopeError::TooLarge { bytes };
    // Its text is hardly shorter; and what is larger is not taken apart in memory.
    if content.len() > MAX_ENVELOPE {
        return Err(too_large(content.len()));
    }
    let mut text = BoundedSink::new(MAX_ENVELOPE);
    write_jsonb(content, Numbers::Exact, &mut text);
    Envelope::parse(&text.finish().map_err(too_large)?)
}
