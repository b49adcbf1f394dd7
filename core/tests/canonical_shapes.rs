//! Documents of extreme shape: deep, wide, large, out of order; and names spelled in many ways.

use auditspine_core::canonical::{Numbers, TextError, TextErrorKind, canonical_text, canonicalize};
use auditspine_core::hash::{Hash, HashSink};
use proptest::prelude::*;

fn exact(text: &str) -> String {
    String::from_utf8(canonical_text(text.as_bytes(), Numbers::Exact).unwrap()).unwrap()
}

fn refused(text: impl AsRef<[u8]>) -> TextError {
    canonical_text(text.as_ref(), Numbers::Exact).unwrap_err()
}

/// With a stack that recursion would soon exhaust.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(128 * 1024)
        .spawn(test)
        .unwrap()
        .join()
        .unwrap();
}

const DEEP: usize = 1_000_000;

#[test]
fn deep_arrays() {
    on_a_small_stack(|| {
        let text = "[".repeat(DEEP) + " 1.0 " + &"]".repeat(DEEP);
        assert!(exact(&text) == "[".repeat(DEEP) + "1" + &"]".repeat(DEEP));
        let cut = "[".repeat(DEEP);
        assert_eq!(
            refused(cut),
            TextError {
                kind: TextErrorKind::UnexpectedEnd,
                position: DEEP
            }
        );
    });
}

#[test]
fn deep_objects_out_of_order() {
    on_a_small_stack(|| {
        // In such a document, moving each object's members when it closes takes quadratic time.
        for (before, after) in [("", "\"b\":0,"), ("[", "")] {
            let text = format!("{{\"c\":1e400,{after}\"a\":{before}").repeat(DEEP / 10)
                + "{}"
                + &format!("{}}}", if before.is_empty() { "" } else { "]" }).repeat(DEEP / 10);
            let number = "1".to_owned() + &"0".repeat(400);
            let rest = if after.is_empty() { "" } else { "\"b\":0," };
            let close = if before.is_empty() { "" } else { "]" };
            let expected = format!("{{\"a\":{before}").repeat(DEEP / 10)
                + "{}"
                + &format!("{close},{rest}\"c\":{number}}}").repeat(DEEP / 10);
            assert!(exact(&text) == expected);
        }
        let text = "{\"b\":0,\"a\":".repeat(DEEP) + "{}" + &"}".repeat(DEEP);
        assert!(exact(&text) == "{\"a\":".repeat(DEEP) + "{}" + &",\"b\":0}".repeat(DEEP));
        let text = "{\"b\":".repeat(DEEP) + "{}" + &",\"a\":0}".repeat(DEEP);
        assert!(exact(&text) == "{\"a\":0,\"b\":".repeat(DEEP) + "{}" + &"}".repeat(DEEP));
    });
}

#[test]
fn wide_objects() {
    let members: Vec<String> = (0..200_000).map(|n| format!("\"{n:06}\":[{n}]")).collect();
    let expected = format!("{{{}}}", members.join(","));
    let mut reversed = members.clone();
    reversed.reverse();
    let mut strided = members.clone();
    strided.sort_by_key(|member| member.bytes().rev().collect::<Vec<u8>>());
    for order in [&members, &reversed, &strided] {
        assert!(exact(&format!("{{{}}}", order.join(" ,"))) == expected);
    }
    reversed.push(members[100_000].clone());
    let error = refused(format!("{{{}}}", reversed.join(",")));
    assert_eq!(
        error.kind,
        TextErrorKind::DuplicateName("100000".to_owned())
    );
}

#[test]
fn hashing_equals_the_hash_of_the_text() {
    let documents: Vec<String> = (0..20_000)
        .map(|n| format!("{{\"b\":[{n}.50,{{\"z\":1e309,\"y\":\"\\u0041\"}}],\"a\":\"{n}\"}}"))
        .collect();
    let each: Vec<String> = documents.iter().map(|document| exact(document)).collect();
    assert!(each[7].starts_with("{\"a\":\"7\",\"b\":[7.5,{\"y\":\"A\",\"z\":1000"));
    for (open, close) in [("[", "]"), ("[{\"x\":[", "]}]"), ("{\"x\":[", "]}")] {
        let expected = format!("{open}{}{close}", each.join(","));
        let text = format!("{open}{}{close}", documents.join(","));
        assert!(exact(&text) == expected);
        let mut sink = HashSink::new();
        canonicalize(text.as_bytes(), Numbers::Exact, &mut sink).unwrap();
        assert_eq!(sink.finish().0, Hash::of(expected.as_bytes()));
    }
}

proptest! {
    /// Each name spelled with and without escapes.
    #[test]
    fn duplicates_are_found_however_spelled(
        names in prop::collection::btree_set("[ab\"\\\\\n\u{1}é\u{e000}\u{10000}]{0,3}", 1..12),
        again in any::<prop::sample::Index>(),
    ) {
        let escaped = |name: &str| -> String {
            name.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect()
        };
        let names: Vec<String> = names.into_iter().rev().collect();
        let members: Vec<String> =
            names.iter().map(|name| serde_json::to_string(name).unwrap() + ":0").collect();
        let text = members.join(",");
        let without = canonical_text(format!("{{{text}}}").as_bytes(), Numbers::Exact);
        prop_assert!(without.is_ok());
        let again = again.get(&names);
        let error = refused(format!("{{{text},\"{}\":0}}", escaped(again)));
        let kind = TextErrorKind::DuplicateName(again.clone());
        prop_assert_eq!(error, TextError { kind, position: text.len() + 2 });
    }
}
