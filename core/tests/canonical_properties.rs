//! Random documents against other implementations: RFC 8785 of serde_json_canonicalizer, and the
//! parser of serde_json.

use auditspine_core::canonical::{Numbers, TextErrorKind, canonical_text};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

/// I-JSON values (RFC 7493): integers within 2^53, finite doubles, Unicode without lone surrogates.
fn values() -> impl Strategy<Value = Value> {
    const SAFE: i64 = (1 << 53) - 1;
    let number = prop_oneof![
        (-SAFE..=SAFE).prop_map(Value::from),
        (-1000..1000i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::from(f64::from_bits(bits))),
        (any::<i32>(), 0..12)
            .prop_map(|(n, places)| { Value::from(f64::from(n) / 10f64.powi(places)) }),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        names().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(names(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Strings whose order and escapes matter.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{0,3}",
        "[ab\"/\\\\\n\r\t\u{0}\u{1}\u{1f}\u{7f}\u{80}é\u{2028}]{0,12}",
        "[a\u{d7ff}\u{e000}\u{fb33}\u{ffff}\u{10000}\u{1f600}\u{10ffff}]{0,4}",
        "\\PC{0,12}",
    ]
}

/// Spells a value in one of the many ways that JSON allows.
struct Speller<'a> {
    choices: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    text: String,
}

impl Speller<'_> {
    fn spell(value: &Value, choices: &[u8]) -> String {
        let mut speller = Speller {
            choices: choices.iter().cycle(),
            text: String::new(),
        };
        speller.value(value);
        speller.text
    }

    fn choose(&mut self, among: u8) -> u8 {
        self.choices.next().map_or(0, |choice| choice % among)
    }

    fn space(&mut self) {
        let space = ["", "", "", " ", "\n\t", "\r "][usize::from(self.choose(6))];
        self.text.push_str(space);
    }

    fn string(&mut self, string: &str) {
        self.text.push('"');
        for c in string.chars() {
            let escape = match (c, self.choose(4)) {
                ('"' | '\\' | '/', 1) => format!("\\{c}"),
                ('\n', 0..3) => "\\n".to_owned(),
                ('\t', 0..3) => "\\t".to_owned(),
                ('\r', 0..3) => "\\r".to_owned(),
                ('"' | '\\' | '\0'..' ', _) | (_, 3) => c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect(),
                _ => c.to_string(),
            };
            self.text.push_str(&escape);
        }
        self.text.push('"');
    }

    /// The same decimal, with the same digits but for zeros, in another notation.
    fn number(&mut self, text: &str) -> String {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.parse().unwrap();
        match self.choose(4) {
            1 => format!("{whole}.{fraction}000e{exponent}"),
            2 => format!("{whole}.{fraction}0E{exponent:+04}"),
            3 if !whole.ends_with('0') => {
                format!(
                    "{whole}{fraction}00e{}",
                    exponent - fraction.len() as i64 - 2
                )
            }
            _ => text.to_owned(),
        }
    }

    fn value(&mut self, value: &Value) {
        self.space();
        match value {
            Value::String(string) => self.string(string),
            Value::Number(number) => {
                let respelled = self.number(&number.to_string());
                self.text.push_str(&respelled);
            }
            Value::Array(items) => {
                self.text.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.text.push_str(if at > 0 { "," } else { "" });
                    self.value(item);
                }
                self.text.push(']');
            }
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                let turn = usize::from(self.choose(8)) % members.len().max(1);
                members.rotate_left(turn);
                if self.choose(2) == 1 {
                    members.reverse();
                }
                self.text.push('{');
                for (at, (name, item)) in members.into_iter().enumerate() {
                    self.text.push_str(if at > 0 { "," } else { "" });
                    self.space();
                    self.string(name);
                    self.space();
                    self.text.push(':');
                    self.value(item);
                }
                self.space();
                self.text.push('}');
            }
            other => self.text.push_str(&other.to_string()),
        }
        self.space();
    }
}

/// A change to some bytes of a text, mostly to bytes that mean something.
fn mutations() -> impl Strategy<Value = Vec<(Index, u8, u8)>> {
    let bytes = prop_oneof![
        prop::sample::select(b"{}[]\",:\\ue+-.019d8/ \tntf\x00\x1f\xc3\xa9\xed\xf0\xff".to_vec()),
        any::<u8>(),
    ];
    prop::collection::vec((any::<Index>(), 0..3u8, bytes), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_an_independent_implementation(
        value in values(), choices in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let expected = serde_json_canonicalizer::to_string(&value).unwrap();
        let text = Speller::spell(&value, &choices);
        for numbers in [Numbers::Interchange, Numbers::Exact] {
            let canonical = canonical_text(text.as_bytes(), numbers).unwrap();
            prop_assert_eq!(String::from_utf8(canonical).unwrap(), expected.clone(), "{}", text);
            let again = canonical_text(expected.as_bytes(), numbers).unwrap();
            prop_assert_eq!(String::from_utf8(again).unwrap(), expected.clone());
        }
    }

    #[test]
    fn damaged_documents_are_refused_as_others_refuse_them(
        value in values(),
        choices in prop::collection::vec(any::<u8>(), 1..64),
        mutations in mutations(),
    ) {
        let mut text = Speller::spell(&value, &choices).into_bytes();
        for (index, how, byte) in mutations {
            let at = index.index(text.len() + 1);
            match how {
                0 => text.insert(at, byte),
                1 if at < text.len() => text[at] = byte,
                _ => drop(text.drain(at..(at + usize::from(byte) / 16).min(text.len()))),
            }
        }
        let reference = serde_json::from_slice::<Value>(&text);
        for numbers in [Numbers::Interchange, Numbers::Exact] {
            match (canonical_text(&text, numbers), &reference) {
                (Ok(canonical), reference) => {
                    prop_assert_eq!(canonical_text(&canonical, numbers), Ok(canonical.clone()));
                    // A double cannot hold all that numeric can.
                    let refused = reference.as_ref().err().map(ToString::to_string);
                    let refused = refused.filter(|why| !why.contains("number out of range"));
                    prop_assert_eq!(refused, None);
                }
                (Err(error), reference) => {
                    prop_assert!(error.position <= text.len());
                    prop_assert!(!error.to_string().is_empty());
                    let tolerated = matches!(
                        error.kind,
                        TextErrorKind::DuplicateName(_) | TextErrorKind::NumberOutOfRange(_)
                    );
                    prop_assert!(reference.is_err() || tolerated, "{}", error);
                }
            }
        }
    }

    #[test]
    fn no_bytes_are_too_strange(text in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = canonical_text(&text, Numbers::Exact) {
            prop_assert!(error.position <= text.len());
        } else {
            prop_assert!(serde_json::from_slice::<Value>(&text).is_ok());
        }
    }
}
