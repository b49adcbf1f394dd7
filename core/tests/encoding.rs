//! The rules by which encoding 2 writes what JSON alone does not tell apart (FORMAT.md, section 2): whatever the
//! value, no other has its JSON, and none its text as a key. The rules are written down here once more; that the
//! library follows them is what tests/load, types, looks at.

use std::collections::{BTreeMap, HashMap};

use auditspine_core::canonical::{
    Numbers, canonical_text, fraction_digits, reads_like_other_json, write_base10000,
    write_base10000_scaled, write_string,
};
use proptest::prelude::*;

/// A number with the digits behind the point that it is shown with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Number {
    negative: bool,
    digits: Vec<i16>,
    weight: i32,
    scale: usize,
}

impl Number {
    fn text(&self) -> String {
        let mut out = Vec::new();
        let Number {
            negative,
            weight,
            scale,
            ..
        } = *self;
        write_base10000_scaled(negative, weight, &self.digits, scale, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn tells_scale(&self) -> bool {
        fraction_digits(self.weight, &self.digits) == self.scale
    }

    /// As a column or an element that does not say its scale.
    fn json(&self) -> String {
        if !self.tells_scale() {
            return format!("\"{}\"", self.text());
        }
        let mut out = Vec::new();
        write_base10000(
            self.negative,
            self.weight,
            &self.digits,
            Numbers::Exact,
            &mut out,
        );
        String::from_utf8(out).unwrap()
    }
}

fn number() -> impl Strategy<Value = Number> {
    let digit = prop_oneof![Just(0i16), Just(1), Just(1000), Just(9999), 0i16..10_000];
    let digits = prop::collection::vec(digit, 0..4);
    (any::<bool>(), digits, -3..3i32, 0..5usize).prop_map(|(negative, digits, weight, more)| {
        // As PostgreSQL keeps them: no zeros around, and zero has no sign.
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        let mut digits = digits[zeros..].to_vec();
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let weight = if digits.is_empty() {
            0
        } else {
            weight - zeros as i32
        };
        Number {
            negative: negative && !digits.is_empty(),
            scale: fraction_digits(weight, &digits) + more.saturating_sub(2),
            digits,
            weight,
        }
    })
}

/// A jsonb.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Json {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// What jsonb's output function prints.
    fn text(&self) -> String {
        let string = |text: &str| {
            let mut out = Vec::new();
            write_string(text.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        };
        match self {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => value.to_string(),
            Json::Number(number) => number.text(),
            Json::String(text) => string(text),
            Json::Array(all) => {
                let all: Vec<String> = all.iter().map(Json::text).collect();
                format!("[{}]", all.join(", "))
            }
            Json::Object(all) => {
                let member =
                    |(name, value): (&String, &Json)| format!("{}: {}", string(name), value.text());
                let all: Vec<String> = all.iter().map(member).collect();
                format!("{{{}}}", all.join(", "))
            }
        }
    }

    fn scales_are_told(&self) -> bool {
        match self {
            Json::Number(number) => number.tells_scale(),
            Json::Array(all) => all.iter().all(Json::scales_are_told),
            Json::Object(all) => all.values().all(Json::scales_are_told),
            _ => true,
        }
    }

    /// As JSON, and as the text of a key.
    fn written(&self) -> (String, String) {
        let text = self.text();
        let whole = match self {
            Json::Null => false,
            Json::String(content) => !reads_like_other_json(content.as_bytes()),
            other => other.scales_are_told(),
        };
        let canonical = |text: &str| canonical_text(text.as_bytes(), Numbers::Exact).unwrap();
        let canonical = |text: &str| String::from_utf8(canonical(text)).unwrap();
        match self {
            _ if !whole => {
                let mut json = Vec::new();
                write_string(text.as_bytes(), &mut json);
                (String::from_utf8(json).unwrap(), text)
            }
            Json::String(content) => (canonical(&text), content.clone()),
            _ => (canonical(&text), canonical(&text)),
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    let known = [
        "", "null", "true", "false", "1", "-", "-1", "1.0", "[1]", "{}", "\"", "\"null\"", "x",
        "n", "nullx",
    ];
    prop_oneof![
        prop::sample::select(known.map(str::to_owned).to_vec()),
        "[\"\\[\\]{},:0-2. a]{0,4}"
    ]
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number().prop_map(Json::Number),
        text().prop_map(Json::String),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::Array),
            prop::collection::btree_map("[ab]{0,1}", inner, 0..3).prop_map(Json::Object),
        ]
    })
}

/// An element of an array.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Element {
    Null,
    Json(Json),
    Array(Array),
}

/// An array: lower bound and length of each dimension, and its elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Array {
    dimensions: Vec<(i32, usize)>,
    elements: Vec<Element>,
}

impl Array {
    fn json(&self) -> String {
        fn nested(lengths: &[(i32, usize)], elements: &mut impl Iterator<Item = String>) -> String {
            let Some(((_, length), rest)) = lengths.split_first() else {
                return elements.next().unwrap();
            };
            let all: Vec<String> = (0..*length).map(|_| nested(rest, elements)).collect();
            format!("[{}]", all.join(","))
        }
        if self.elements.is_empty() {
            return "[]".to_owned();
        }
        // Elements are jsonb or arrays, so nesting alone does not tell dimensions.
        let tells =
            self.dimensions.len() > 1 || self.dimensions.iter().any(|(lower, _)| *lower != 1);
        let mut elements = self.elements.iter().map(|element| match element {
            Element::Null => "null".to_owned(),
            Element::Json(json) => json.written().0,
            Element::Array(array) => array.json(),
        });
        let values = nested(&self.dimensions, &mut elements);
        if !tells {
            return values;
        }
        let bounds = self.dimensions.iter().map(|(lower, _)| lower.to_string());
        let bounds: Vec<String> = bounds.collect();
        format!("{{\"bounds\":[{}],\"values\":{values}}}", bounds.join(","))
    }
}

fn array(element: impl Strategy<Value = Element> + Clone) -> impl Strategy<Value = Array> {
    let lower = prop_oneof![3 => Just(1), 1 => -1..3i32];
    prop::collection::vec((lower, 1..3usize), 0..3).prop_flat_map(move |dimensions| {
        let count: usize = match dimensions.is_empty() {
            true => 0,
            false => dimensions.iter().map(|(_, length)| length).product(),
        };
        prop::collection::vec(element.clone(), count).prop_map(move |elements| Array {
            dimensions: dimensions.clone(),
            elements,
        })
    })
}

/// Fails where two values have one text.
fn assert_told_apart<T: Clone + PartialEq + std::fmt::Debug>(
    values: &[T],
    text: impl Fn(&T) -> String,
) -> Result<(), TestCaseError> {
    let mut known: HashMap<String, T> = HashMap::new();
    for value in values {
        let other = known.insert(text(value), value.clone());
        prop_assert!(
            other.as_ref().is_none_or(|other| other == value),
            "{other:?} and {value:?}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn numbers_are_told_apart(numbers in prop::collection::vec(number(), 200)) {
        assert_told_apart(&numbers, Number::json)?;
    }

    #[test]
    fn documents_are_told_apart(documents in prop::collection::vec(json(), 200)) {
        assert_told_apart(&documents, |json| json.written().0)?;
        assert_told_apart(&documents, |json| json.written().1)?;
        for json in &documents {
            // Never what a null is written as, and always JSON that reads back as itself.
            let written = json.written().0;
            prop_assert_ne!(&written, "null");
            let again = canonical_text(written.as_bytes(), Numbers::Exact).unwrap();
            prop_assert_eq!(again, written.into_bytes());
        }
    }

    #[test]
    fn arrays_of_documents_are_told_apart(arrays in prop::collection::vec(array(prop_oneof![
        Just(Element::Null), json().prop_map(Element::Json)]), 100)) {
        assert_told_apart(&arrays, Array::json)?;
    }

    #[test]
    fn arrays_of_arrays_are_told_apart(arrays in prop::collection::vec(array(prop_oneof![
        Just(Element::Null),
        array(prop_oneof![Just(Element::Null), number().prop_map(|number| Element::Json(Json::Number(number)))]).prop_map(Element::Array)]), 100)) {
        assert_told_apart(&arrays, Array::json)?;
    }
}
