//! JSON text: what is accepted, what is refused and where.

use auditspine_core::canonical::{Numbers, TextError, TextErrorKind, canonical_text};

fn exact(text: &str) -> String {
    String::from_utf8(canonical_text(text.as_bytes(), Numbers::Exact).unwrap()).unwrap()
}

fn refused(text: impl AsRef<[u8]>) -> TextError {
    canonical_text(text.as_ref(), Numbers::Exact).unwrap_err()
}

#[test]
fn accepts() {
    for (text, expected) in [
        (" null ", "null"),
        ("\ttrue\r\n", "true"),
        ("false", "false"),
        ("\"\"", "\"\""),
        ("[ ]", "[]"),
        ("{ }", "{}"),
        ("[[],{},[{}]]", "[[],{},[{}]]"),
        ("[1 , 2\n,3]", "[1,2,3]"),
        (
            "{\"b\" : [ {\"d\":1,\"c\":2} ] , \"a\":null}",
            "{\"a\":null,\"b\":[{\"c\":2,\"d\":1}]}",
        ),
        (
            r#""\u0041\/\b\f\n\r\t\"\\\u0000\u001F\u007f""#,
            "\"A/\\b\\f\\n\\r\\t\\\"\\\\\\u0000\\u001f\u{7f}\"",
        ),
        (
            r#""\u0008\u000a\u0022\u005C\u20AC""#,
            "\"\\b\\n\\\"\\\\\u{20ac}\"",
        ),
        (
            r#""\uD83D\uDe00\ud7ff\ue000\uffff""#,
            "\"\u{1f600}\u{d7ff}\u{e000}\u{ffff}\"",
        ),
        (
            "\"\u{2028}\u{feff}\u{10ffff}\"",
            "\"\u{2028}\u{feff}\u{10ffff}\"",
        ),
        // Order by UTF-16: the surrogates of U+1F600 come before U+FB33.
        (
            "{\"\u{fb33}\":1,\"\u{1f600}\":2}",
            "{\"\u{1f600}\":2,\"\u{fb33}\":1}",
        ),
        // Order by what names stand for, not by their escapes: \n \r " # \ ] are 0a 0d 22 23 5c 5d.
        (
            r##"{"]":1,"\\":2,"#":3,"\"":4,"\r":5,"\u000a":6,"\u0001":7,"":8}"##,
            r##"{"":8,"\u0001":7,"\n":6,"\r":5,"\"":4,"#":3,"\\":2,"]":1}"##,
        ),
        (
            r#"{"a\n":1,"a":2,"\u0061\u0000":3}"#,
            r#"{"a":2,"a\u0000":3,"a\n":1}"#,
        ),
        (
            "{\"aa\":1,\"a\":2,\"ab\":3,\"\":4}",
            "{\"\":4,\"a\":2,\"aa\":1,\"ab\":3}",
        ),
    ] {
        assert_eq!(exact(text), expected, "{text}");
    }
}

#[test]
fn numbers_by_mode() {
    for (text, exact, interchange) in [
        ("-0", "0", "0"),
        ("-0.0e-5", "0", "0"),
        ("0e99999999999999999999", "0", "0"),
        ("1.00", "1", "1"),
        ("1E2", "100", "100"),
        ("100e-2", "1", "1"),
        ("-1.5e+1", "-15", "-15"),
        ("1e20", "100000000000000000000", "100000000000000000000"),
        ("1e21", "1e+21", "1e+21"),
        ("0.000001", "0.000001", "0.000001"),
        ("1e-7", "1e-7", "1e-7"),
        ("9007199254740991", "9007199254740991", "9007199254740991"),
        ("9007199254740993", "9007199254740993", "9007199254740993"),
        (
            "-18446744073709551616",
            "-18446744073709551616",
            "-18446744073709551616",
        ),
        (
            "333333333.33333329",
            "333333333.33333329",
            "333333333.3333333",
        ),
        ("0.30000000000000001", "0.30000000000000001", "0.3"),
        ("0.300000000000000010", "0.30000000000000001", "0.3"),
        (
            "0.3000000000000000001",
            "0.3000000000000000001",
            "0.3000000000000000001",
        ),
        (
            "1.7976931348623157e308",
            "1.7976931348623157e+308",
            "1.7976931348623157e+308",
        ),
        ("5e-324", "5e-324", "5e-324"),
        ("4e-2", "0.04", "0.04"),
    ] {
        assert_eq!(self::exact(text), exact, "{text}, exact");
        let out = canonical_text(text.as_bytes(), Numbers::Interchange).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            interchange,
            "{text}, interchange"
        );
    }
    let zeros = "0".repeat(400);
    assert_eq!(exact("1e400"), format!("1{zeros}"));
    assert_eq!(exact("[1e-401]"), format!("[0.{zeros}1]"));
    assert_eq!(
        exact("{\"b\":-1e400,\"a\":[0.1e402]}"),
        format!("{{\"a\":[10{zeros}],\"b\":-1{zeros}}}")
    );
}

#[test]
fn refuses() {
    use TextErrorKind::*;
    let invalid = |number: &str| InvalidNumber(number.to_owned());
    let range = |number: &str| NumberOutOfRange(number.to_owned());
    let escape = |escape: &str| InvalidEscape(escape.to_owned());
    let lone = |escape: &str| LoneSurrogate(escape.to_owned());
    let twice = |name: &str| DuplicateName(name.to_owned());
    let cases: Vec<(&str, TextErrorKind, usize)> = vec![
        ("", UnexpectedEnd, 0),
        ("  ", UnexpectedEnd, 2),
        ("[", UnexpectedEnd, 1),
        ("[1", UnexpectedEnd, 2),
        ("[1,", UnexpectedEnd, 3),
        ("{", UnexpectedEnd, 1),
        ("{\"a\"", UnexpectedEnd, 4),
        ("{\"a\":", UnexpectedEnd, 5),
        ("{\"a\":1", UnexpectedEnd, 6),
        ("{\"a\":1,", UnexpectedEnd, 7),
        ("\"", UnexpectedEnd, 1),
        ("\"abc", UnexpectedEnd, 4),
        ("\"\\", UnexpectedEnd, 2),
        ("\"\\u00", UnexpectedEnd, 5),
        ("nul", UnexpectedEnd, 3),
        ("[1,]", UnexpectedCharacter(']'), 3),
        ("[,1]", UnexpectedCharacter(','), 1),
        ("[1 2]", UnexpectedCharacter('2'), 3),
        ("[1}", UnexpectedCharacter('}'), 2),
        ("{\"a\":1]", UnexpectedCharacter(']'), 6),
        ("{\"a\":1,}", UnexpectedCharacter('}'), 7),
        ("{,}", UnexpectedCharacter(','), 1),
        ("{\"a\",1}", UnexpectedCharacter(','), 4),
        ("{\"a\" 1}", UnexpectedCharacter('1'), 5),
        ("{1:1}", UnexpectedCharacter('1'), 1),
        ("{a:1}", UnexpectedCharacter('a'), 1),
        ("{'a':1}", UnexpectedCharacter('\''), 1),
        ("'a'", UnexpectedCharacter('\''), 0),
        ("nulL", UnexpectedCharacter('L'), 3),
        ("True", UnexpectedCharacter('T'), 0),
        ("NaN", UnexpectedCharacter('N'), 0),
        ("Infinity", UnexpectedCharacter('I'), 0),
        ("undefined", UnexpectedCharacter('u'), 0),
        ("]", UnexpectedCharacter(']'), 0),
        (":", UnexpectedCharacter(':'), 0),
        ("[1]]", TrailingContent(']'), 3),
        ("1 é", TrailingContent('é'), 2),
        ("nullx", TrailingContent('x'), 4),
        ("1x", TrailingContent('x'), 1),
        ("{} {}", TrailingContent('{'), 3),
        ("// c\n1", UnexpectedCharacter('/'), 0),
        ("[1/* c */]", UnexpectedCharacter('/'), 2),
        ("\u{feff}{}", UnexpectedCharacter('\u{feff}'), 0),
        ("\u{c}1", UnexpectedCharacter('\u{c}'), 0),
        ("\u{a0}1", UnexpectedCharacter('\u{a0}'), 0),
        ("[1\0]", UnexpectedCharacter('\0'), 2),
        ("[01]", invalid("01"), 1),
        ("-01", invalid("-01"), 0),
        ("00", invalid("00"), 0),
        ("1.", invalid("1."), 0),
        ("[1.e5]", invalid("1.e5"), 1),
        (".5", invalid(".5"), 0),
        ("-.5", invalid("-.5"), 0),
        ("+1", invalid("+1"), 0),
        ("-", invalid("-"), 0),
        ("[-]", invalid("-"), 1),
        ("-Infinity", invalid("-Infinity"), 0),
        ("1e", invalid("1e"), 0),
        ("1e+", invalid("1e+"), 0),
        ("1E-x", invalid("1E-x"), 0),
        ("1.5.5", TrailingContent('.'), 3),
        ("0x10", TrailingContent('x'), 1),
        ("1e1000000000000", range("1e1000000000000"), 0),
        (
            "[1e-99999999999999999999999]",
            range("1e-99999999999999999999999"),
            1,
        ),
        ("1e131072", range("1e131072"), 0),
        ("0.1e131073", range("0.1e131073"), 0),
        ("-1e-16384", range("-1e-16384"), 0),
        ("\"a\tb\"", ControlCharacter('\t'), 2),
        ("\"a\nb\"", ControlCharacter('\n'), 2),
        ("\"12345678\0\"", ControlCharacter('\0'), 9),
        ("{\"\u{1f}\":1}", ControlCharacter('\u{1f}'), 2),
        ("\"ab\\x41\"", escape("\\x"), 3),
        ("\"\\é\"", escape("\\é"), 1),
        ("\"\\'\"", escape("\\'"), 1),
        ("\"\\U0041\"", escape("\\U"), 1),
        ("\"\\u004G\"", escape("\\u004G"), 1),
        ("\"\\u+041\"", escape("\\u+041"), 1),
        ("\"\\u00\"", escape("\\u00\""), 1),
        ("\"\\uéé\"", escape("\\uéé\""), 1),
        ("\"\\ud83d\\u00é\"", escape("\\u00é\""), 7),
        ("\"\\ud800\"", lone("\\ud800"), 1),
        ("\"\\uDFFF\"", lone("\\uDFFF"), 1),
        ("\"a\\udc00\\ud800\"", lone("\\udc00"), 2),
        ("\"\\ud800\\ud800\\udc00\"", lone("\\ud800"), 1),
        ("\"\\ud83dx\"", lone("\\ud83d"), 1),
        ("\"\\ud83d\\n\"", lone("\\ud83d"), 1),
        ("\"\\ud83d\\u0041\"", lone("\\ud83d"), 1),
        ("{\"a\":1,\"a\":1}", twice("a"), 7),
        ("{\"a\":1,\"\\u0061\":1}", twice("a"), 7),
        ("{\"\\u0061\":1,\"a\":1}", twice("a"), 12),
        ("{\"\\n\":1,\"\\u000A\":1}", twice("\n"), 8),
        ("{\"/\":1,\"\\/\":1}", twice("/"), 7),
        ("{\"\":1,\"\":1}", twice(""), 6),
        ("{\"b\":1,\"a\":1,\"b\":1}", twice("b"), 13),
        ("{\"c\":1,\"b\":1,\"b\":1,\"c\":1}", twice("b"), 13),
        (
            "[{\"b\":{\"y\":0,\"x\":0,\"y\":0},\"b\":1}]",
            twice("y"),
            19,
        ),
        (
            "{\"\u{1f600}\":1,\"\\ud83d\\ude00\":1}",
            twice("\u{1f600}"),
            10,
        ),
    ];
    for (text, kind, position) in cases {
        assert_eq!(refused(text), TextError { kind, position }, "{text:?}");
    }
}

#[test]
fn refuses_what_is_not_utf8_where_it_begins() {
    use TextErrorKind::*;
    for (text, byte, position) in [
        (b"\"\xff\"".as_slice(), 0xff, 1),
        (b"\"ab\xc3\"", 0xc3, 3),
        (b"\"\xed\xa0\x80\"", 0xed, 1),
        (b"\"\xc0\x80\"", 0xc0, 1),
        (b"\"\xf4\x90\x80\x80\"", 0xf4, 1),
        (b"\xfe\xff", 0xfe, 0),
        (b"1 \xe2\x82", 0xe2, 2),
        (b"{\"a\":[\x80", 0x80, 6),
    ] {
        assert_eq!(
            refused(text),
            TextError {
                kind: InvalidUtf8(byte),
                position
            },
            "{text:x?}"
        );
    }
    // What is wrong before it is told first.
    let error = refused(b"[1,,\"\xff\"]");
    assert_eq!(
        error,
        TextError {
            kind: UnexpectedCharacter(','),
            position: 3
        }
    );
}

#[test]
fn messages_carry_the_value_and_the_place() {
    for (text, message) in [
        (
            "{\"a\":1,\"\\u0061\":1}",
            "duplicate name \"a\" at byte offset 7",
        ),
        ("\"\\ud800\"", "lone surrogate \\ud800 at byte offset 1"),
        (
            "\"\t\"",
            "unescaped control character U+0009 at byte offset 1",
        ),
        ("\"\\q\"", "invalid escape \\q at byte offset 1"),
        ("[01]", "invalid number 01 at byte offset 1"),
        ("1e131072", "number 1e131072 out of range at byte offset 0"),
        ("[", "unexpected end of JSON text at byte offset 1"),
        (
            "[\u{feff}]",
            "unexpected character '\\u{feff}' at byte offset 1",
        ),
        (
            "1 2",
            "trailing content '2' after the JSON document at byte offset 2",
        ),
    ] {
        assert_eq!(refused(text).to_string(), message);
    }
    assert_eq!(
        refused(b"\"\xff").to_string(),
        "invalid UTF-8 byte 0xff at byte offset 1"
    );
    let long = format!("[0{}]", "1".repeat(1_000_000));
    assert_eq!(
        refused(long).to_string(),
        format!("invalid number 0{}… at byte offset 1", "1".repeat(79))
    );
}

#[test]
fn limits_of_numeric_hold_without_trailing_zeros() {
    let whole = "9".repeat(131_072);
    let fraction = "7".repeat(16_383);
    let largest = format!("{whole}.{fraction}");
    assert_eq!(exact(&largest), largest);
    assert_eq!(exact(&format!("{largest}{}", "0".repeat(50_000))), largest);
    let nines = "9".repeat(147_455);
    assert_eq!(exact(&format!("0.{nines}e131072")).len(), 147_456);
    let kind = |text: String| refused(text).kind;
    assert!(matches!(
        kind(format!("{whole}9")),
        TextErrorKind::NumberOutOfRange(_)
    ));
    assert!(matches!(
        kind(format!("0.{fraction}7")),
        TextErrorKind::NumberOutOfRange(_)
    ));
    // The exponent may make up for any number of zeros.
    assert_eq!(exact(&format!("0.{}1e1000001", "0".repeat(1_000_000))), "1");
    assert_eq!(exact(&format!("1{}e-1000000", "0".repeat(1_000_000))), "1");
}
