//! Documents in JSON, of which a few members matter: those are kept, with whether they were given
//! twice, and all others are skipped without being built. So what a document takes in memory is
//! bounded by its [`Shape`], and a hostile one needs neither much of that nor of the stack.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What is kept of a value. Of a value of another type, only that type is.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// An array: how many elements at most, and what of each. Those beyond are counted.
    Array(usize, &'static Shape),
    /// An object: the names that matter, and what of their values.
    Object(&'static [(&'static str, Shape)]),
}

/// What was kept of a value.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array: its first elements, and how many it has.
    Array(Vec<Value<'a>>, usize),
    /// The members that matter, in their order; of one given again and again, the first two.
    Object(Vec<(&'static str, Value<'a>)>),
    /// null
    Null,
    /// A value of a type that does not belong there.
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
    /// One JSON document.
    pub fn parse(json: &'a [u8], shape: Shape) -> Result<Value<'a>, serde_json::Error> {
        let mut parser = serde_json::Deserializer::from_slice(json);
        let value = shape.deserialize(&mut parser)?;
        parser.end()?;
        Ok(value)
    }

    /// What type of value it is, for messages.
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

impl<'de> DeserializeSeed<'de> for Shape {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shape {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(match self {
            Shape::Text => Value::Text(Cow::Borrowed(text)),
            _ => Value::Other("a string"),
        })
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(match self {
            Shape::Text => Value::Text(Cow::Owned(text.to_owned())),
            _ => Value::Other("a string"),
        })
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Other("a boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'de>, E> {
        Ok(Value::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Other("a number"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Value<'de>, A::Error> {
        let Shape::Array(most, of) = self else {
            while array.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Other("an array"));
        };
        let mut elements = Vec::new();
        while elements.len() < most {
            match array.next_element_seed(*of)? {
                Some(element) => elements.push(element),
                None => {
                    let count = elements.len();
                    return Ok(Value::Array(elements, count));
                }
            }
        }
        let mut count = most;
        while array.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Value::Array(elements, count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let Shape::Object(wanted) = self else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Other("an object"));
        };
        let mut members: Vec<(&str, Value)> = Vec::new();
        while let Some(found) = map.next_key_seed(Names(wanted))? {
            let given = |name| members.iter().filter(|(known, _)| *known == name).count();
            match found {
                // A third one tells nothing that the second does not.
                Some((name, shape)) if given(name) < 2 => {
                    members.push((name, map.next_value_seed(shape)?));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Object(members))
    }
}

/// Finds the name of a member among those that matter.
struct Names(&'static [(&'static str, Shape)]);

impl<'de> DeserializeSeed<'de> for Names {
    type Value = Option<(&'static str, Shape)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Names {
    type Value = Option<(&'static str, Shape)>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().copied().find(|(wanted, _)| *wanted == name))
    }
}
