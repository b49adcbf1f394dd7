//! Documents in JSON, of which a few members matter: those are kept, with how often they were given,
//! and all others are skipped without being built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The members that are kept, wherever they stand.
const KEPT: [&str; 9] = [
    "payload",
    "payloadType",
    "signatures",
    "keyid",
    "sig",
    "_type",
    "subject",
    "digest",
    "sha256",
];

/// How many elements of an array are kept: memory stays bounded by the text's length, and what is
/// beyond can be counted.
const KEPT_ELEMENTS: usize = super::MAX_SUBJECTS;

/// A value of which the members in [`KEPT`] are known.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array: its first elements, and how many it has.
    Array(Vec<Value<'a>>, usize),
    /// The members that matter, in their order, repeated ones included.
    Object(Vec<(&'static str, Value<'a>)>),
    /// null
    Null,
    /// A number or a boolean.
    Other(&'static str),
}

/// What an object says of a name.
pub(super) enum Member<'v, 'a> {
    Absent,
    Once(&'v Value<'a>),
    /// More than once: which one counts would depend on the reader.
    Repeated,
}

impl<'a> Value<'a> {
    /// One JSON document. Nesting inside of what is kept is bounded by the parser, and what is
    /// skipped needs no stack.
    pub fn parse(json: &'a [u8]) -> Result<Value<'a>, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Array(..) => "an array",
            Value::Object(_) => "an object",
            Value::Null => "null",
            Value::Other(kind) => kind,
        }
    }

    /// The member of an object; any other value has none.
    pub fn member(&self, name: &str) -> Member<'_, 'a> {
        let Value::Object(members) = self else {
            return Member::Absent;
        };
        let mut given = members.iter().filter(|(member, _)| *member == name);
        match (given.next(), given.next()) {
            (None, _) => Member::Absent,
            (Some((_, value)), None) => Member::Once(value),
            (Some(_), Some(_)) => Member::Repeated,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other("a boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Value::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Value::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Other("a number"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < KEPT_ELEMENTS {
            match array.next_element()? {
                Some(element) => elements.push(element),
                None => break,
            }
        }
        let mut count = elements.len();
        if count == KEPT_ELEMENTS {
            while array.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
        }
        Ok(Value::Array(elements, count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            match name {
                // A third one tells nothing that the second does not.
                Some(name) if members.iter().filter(|(known, _)| *known == name).count() < 2 => {
                    members.push((name, map.next_value()?));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Object(members))
    }
}

/// The name of a member, if it is one that is kept.
struct Name(Option<&'static str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<Name, E> {
        Ok(Name(KEPT.into_iter().find(|kept| *kept == name)))
    }
}
