//! Whether a payload speaks of a digest.

use std::fmt;

use super::members::{Member, Shape, Value};
use super::shown;
use crate::hash::Hash;
use crate::spine::parse_digest;

/// The payload type of in-toto Statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// What `_type` of a Statement may be: <https://in-toto.io/Statement/v0.1> and `v1`.
pub const STATEMENTS: [&str; 2] = [
    "https://in-toto.io/Statement/v1",
    "https://in-toto.io/Statement/v0.1",
];

/// How many subjects of a Statement are looked at.
pub const MAX_SUBJECTS: usize = 100_000;

/// What matters of a Statement.
const STATEMENT: Shape = Shape::Object(&[
    ("_type", Shape::Text),
    ("subject", Shape::Array(MAX_SUBJECTS, &SUBJECT)),
]);
const SUBJECT: Shape = Shape::Object(&[("digest", Shape::Object(&[("sha256", Shape::Text)]))]);

/// How a payload speaks of a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The digest is that of the payload.
    Payload,
    /// The payload is an in-toto Statement, and the digest that of one of its subjects.
    Subject(usize),
    /// It does not: a signature over this payload says nothing of the digest.
    Unbound(Unbound),
}

impl Binding {
    /// Whether the payload speaks of the digest.
    pub fn ok(&self) -> bool {
        !matches!(self, Binding::Unbound(_))
    }
}

/// Why a payload does not speak of a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unbound {
    /// What was asked for is not a SHA-256 digest in one of the two forms.
    NotADigest,
    /// The digest is not that of the payload, and the payload is of another type than in-toto's.
    OtherPayload {
        /// SHA-256 of the payload.
        payload: Hash,
    },
    /// The digest is not that of the payload, and none of the Statement's subjects has it.
    OtherSubjects {
        /// SHA-256 of the payload.
        payload: Hash,
        /// The `sha256` digests of subjects, those that are digests, at most the first 8.
        subjects: Vec<Hash>,
    },
    /// The digest is not that of the payload, whose type says that it is an in-toto Statement; but
    /// it is none that can be read in one way only.
    NoStatement {
        /// SHA-256 of the payload.
        payload: Hash,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unbound::NotADigest => f.write_str("it is not a SHA-256 digest"),
            Unbound::OtherPayload { payload } => write!(f, "the signed payload is {payload}"),
            Unbound::OtherSubjects { payload, subjects } => {
                write!(f, "the signed payload is {payload}, a Statement of ")?;
                match subjects.as_slice() {
                    [] => f.write_str("no subject with a SHA-256 digest"),
                    [first, rest @ ..] => {
                        write!(f, "{first}")?;
                        rest.iter().try_for_each(|other| write!(f, ", {other}"))
                    }
                }
            }
            Unbound::NoStatement { payload, reason } => write!(
                f,
                "the signed payload is {payload}, and no Statement: {reason}"
            ),
        }
    }
}

/// How a payload speaks of `digest`, which is 64 lower-case hex digits, with or without `sha256:`
/// before them: as the SHA-256 of its bytes; or, if its type is [`IN_TOTO`] and it is one of the
/// [`STATEMENTS`], as the `sha256` in the `digest` of one of its subjects (in-toto attestation
/// framework, Statement v1; lower-case hex). A Statement in which `_type`, `subject`, or a subject's
/// `digest` or `sha256` is given twice binds nothing, since readers differ in which one counts.
pub fn binds(payload_type: &str, payload: &[u8], digest: &str) -> Binding {
    let Some(wanted) = parse_digest(digest) else {
        return Binding::Unbound(Unbound::NotADigest);
    };
    let payload_digest = Hash::of(payload);
    if payload_digest == wanted {
        return Binding::Payload;
    }
    if payload_type != IN_TOTO {
        return Binding::Unbound(Unbound::OtherPayload {
            payload: payload_digest,
        });
    }
    match subjects(payload) {
        Ok(subjects) => match subjects.iter().position(|found| *found == Some(wanted)) {
            Some(at) => Binding::Subject(at),
            None => Binding::Unbound(Unbound::OtherSubjects {
                payload: payload_digest,
                subjects: subjects.into_iter().flatten().take(8).collect(),
            }),
        },
        Err(reason) => Binding::Unbound(Unbound::NoStatement {
            payload: payload_digest,
            reason,
        }),
    }
}

/// The SHA-256 digest of each subject of a Statement, where it has one.
fn subjects(payload: &[u8]) -> Result<Vec<Option<Hash>>, String> {
    let document = Value::parse(payload, STATEMENT).map_err(|error| error.to_string())?;
    match document.member("_type") {
        Member::Once(Value::Text(kind)) if STATEMENTS.contains(&kind.as_ref()) => {}
        Member::Once(Value::Text(kind)) => return Err(format!("_type is {:?}", shown(kind))),
        Member::Repeated => return Err("_type is given twice".into()),
        Member::Absent | Member::Once(_) => return Err("_type is missing".into()),
    }
    let subjects = match document.member("subject") {
        Member::Once(Value::Array(_, count)) if *count > MAX_SUBJECTS => {
            return Err(format!("{count} subjects, more than {MAX_SUBJECTS}"));
        }
        Member::Once(Value::Array(subjects, _)) => subjects,
        Member::Repeated => return Err("subject is given twice".into()),
        Member::Absent | Member::Once(_) => return Err("subject is missing".into()),
    };
    subjects.iter().map(subject).collect()
}

fn subject(subject: &Value<'_>) -> Result<Option<Hash>, String> {
    let digests = match subject.member("digest") {
        Member::Once(digests) => digests,
        Member::Absent => return Ok(None),
        Member::Repeated => return Err("digest of a subject is given twice".into()),
    };
    match digests.member("sha256") {
        // The prefix belongs to columns, not to Statements.
        Member::Once(Value::Text(digest)) if digest.len() == 64 => Ok(parse_digest(digest)),
        Member::Absent | Member::Once(_) => Ok(None),
        Member::Repeated => Err("sha256 of a subject is given twice".into()),
    }
}
