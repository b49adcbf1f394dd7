//! Reading envelopes.

use auditspine_core::dsse::{
    Envelope, EnvelopeError, MAX_DEPTH, MAX_ENVELOPE, MAX_SIGNATURE, MAX_SIGNATURES, pae,
};

fn parse(json: &str) -> Result<Envelope, EnvelopeError> {
    Envelope::parse(json.as_bytes())
}

/// An envelope with these members' values, each as JSON.
fn with(payload: &str, payload_type: &str, signatures: &str) -> String {
    format!(r#"{{"payload":{payload},"payloadType":{payload_type},"signatures":{signatures}}}"#)
}

const SIGNED: &str = r#"[{"sig":"c2ln"}]"#;

fn with_payload(base64: &str) -> Result<Envelope, EnvelopeError> {
    parse(&with(&format!("\"{base64}\""), "\"t\"", SIGNED))
}

#[test]
fn encodings_have_lengths_of_bytes() {
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(
        pae("\u{ec}x", b"\x00\xff"),
        b"DSSEv1 3 \xc3\xacx 2 \x00\xff"
    );
}

#[test]
fn all_that_matters_is_read() {
    let envelope = parse(
        r#" {"signatures": [
                {"sig": "c2ln", "keyid": "first", "cert": {"sig": "no", "n": 1e999}},
                {"keyid": "", "sig": "_-8"}, {"keyid": null, "sig": "/+8="}],
             "payload": "AP\/\u0038", "comment": [[], {"payload": 1}], "payloadType": "t\u00e9",
             "comment": null} "#,
    )
    .unwrap();
    assert_eq!(envelope.payload_type(), "té");
    assert_eq!(envelope.payload(), b"\x00\xff\xfc");
    assert_eq!(envelope.pae(), b"DSSEv1 3 t\xc3\xa9 3 \x00\xff\xfc");
    let signatures: Vec<_> = envelope
        .signatures()
        .iter()
        .map(|s| (s.keyid.as_deref(), s.bytes.as_slice()))
        .collect();
    assert_eq!(
        signatures,
        [
            (Some("first"), b"sig".as_slice()),
            (None, b"\xff\xef"),
            (None, b"\xff\xef")
        ]
    );
}

#[test]
fn parts_make_the_same_envelope() {
    let parsed = parse(&with("\"AP8\"", "\"t\"", r#"[{"keyid":"k","sig":"c2ln"}]"#));
    let made = Envelope::from_parts("t", "AP8=", [(Some("k"), "c2ln")]);
    assert_eq!(parsed, made);
    assert_eq!(
        Envelope::from_parts("t", "AP8=", []),
        Err(EnvelopeError::NoSignatures)
    );
}

#[test]
fn base64_may_be_of_either_alphabet_padded_or_not() {
    for base64 in ["+/+/8A==", "+/+/8A", "-_-_8A==", "-_-_8A"] {
        let payload = with_payload(base64).unwrap().payload().to_vec();
        assert_eq!(payload, b"\xfb\xff\xbf\xf0", "{base64}");
    }
    assert_eq!(with_payload("").unwrap().payload(), b"");
}

#[test]
fn malformed_base64_is_refused_with_its_value() {
    for (base64, reason) in [
        ("+/-_", "Invalid symbol 43, offset 0."),
        ("-_8+", "Invalid symbol 43, offset 3."),
        ("A", "Invalid input length: 1"),
        ("AAAAA", "Invalid input length: 5"),
        ("AP8 ", "Invalid symbol 32, offset 3."),
        ("AP\\n8=", "Invalid symbol 10, offset 2."),
        ("AP8==", "Invalid symbol 61, offset 3."),
        ("AA=", "Invalid padding"),
        ("=", "Invalid"),
        ("A=P8", "Invalid symbol 61, offset 1."),
        // Bits behind the last byte that are not zero.
        ("AP9=", "Invalid last symbol 57, offset 2."),
        ("AR==", "Invalid last symbol 82, offset 1."),
        ("AR", "Invalid last symbol 82, offset 1."),
        ("AP8*", "Invalid symbol 42, offset 3."),
        ("\u{e9}AA", "Invalid symbol 195, offset 0."),
    ] {
        match with_payload(base64) {
            Err(EnvelopeError::InvalidBase64 {
                member,
                value,
                reason: found,
            }) => {
                assert_eq!(
                    (member.as_str(), value),
                    ("payload", base64.replace("\\n", "\n"))
                );
                assert!(found.starts_with(reason), "{base64}: {found}");
            }
            other => panic!("{base64}: {other:?}"),
        }
    }
    let long = "*".repeat(1_000);
    let error = parse(&with(
        "\"\"",
        "\"t\"",
        &format!(r#"[{{"sig":"c2ln"}},{{"sig":"{long}"}}]"#),
    ))
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "\"signatures[1].sig\" of the envelope is not base64: \"{}…\": Invalid symbol 42, offset 0.",
            "*".repeat(60)
        )
    );
}

#[test]
fn what_is_not_json_is_refused_by_place() {
    for (json, reason) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        (
            "{\"payload\":",
            "EOF while parsing a value at line 1 column 11",
        ),
        ("{} {}", "trailing characters at line 1 column 4"),
        (
            "{\"payload\":\"\\ud800\"}",
            "unexpected end of hex escape at line 1 column 19",
        ),
        ("{'payload':1}", "key must be a string at line 1 column 2"),
        ("{\"payload\":\"\u{1}\"}", "control character"),
        ("{\"x\":01}", "invalid number at line 1 column 7"),
        ("nul", "EOF while parsing a value at line 1 column 3"),
    ] {
        match parse(json) {
            Err(EnvelopeError::InvalidJson(found)) => {
                assert!(found.starts_with(reason), "{json}: {found}");
            }
            other => panic!("{json}: {other:?}"),
        }
    }
    assert!(matches!(
        Envelope::parse(b"{\"payload\":\"\xff\"}"),
        Err(EnvelopeError::InvalidJson(_))
    ));
}

#[test]
fn each_member_must_be_there_once_and_of_its_type() {
    use EnvelopeError::*;
    let wrong = |member: &str, expected, found| WrongType {
        member: member.into(),
        expected,
        found,
    };
    let missing = |member: &str| Missing {
        member: member.into(),
    };
    let repeated = |member: &str| Repeated {
        member: member.into(),
    };
    let cases = [
        ("[]".into(), NotAnObject { found: "an array" }),
        ("null".into(), NotAnObject { found: "null" }),
        ("1".into(), NotAnObject { found: "a number" }),
        ("{}".into(), missing("payload")),
        (r#"{"payload":""}"#.into(), missing("payloadType")),
        (
            r#"{"payload":"","payloadType":"t"}"#.into(),
            missing("signatures"),
        ),
        // As an attacker would name it, and as RFC 7515 does.
        (
            with("\"\"", "\"t\"", SIGNED).replace("payload\"", "Payload\""),
            missing("payload"),
        ),
        (
            with("1", "\"t\"", SIGNED),
            wrong("payload", "a string", "a number"),
        ),
        (
            with("\"\"", "null", SIGNED),
            wrong("payloadType", "a string", "null"),
        ),
        (
            with("\"\"", "\"t\"", "{}"),
            wrong("signatures", "an array", "an object"),
        ),
        (
            with("\"\"", "\"t\"", "[true]"),
            wrong("signatures[0]", "an object", "a boolean"),
        ),
        (with("\"\"", "\"t\"", "[{}]"), missing("signatures[0].sig")),
        (
            with("\"\"", "\"t\"", r#"[{"sig":"c2ln"},{"sig":[]}]"#),
            wrong("signatures[1].sig", "a string", "an array"),
        ),
        (
            with("\"\"", "\"t\"", r#"[{"sig":"c2ln","keyid":7}]"#),
            wrong("signatures[0].keyid", "a string", "a number"),
        ),
        (with("\"\"", "\"\"", SIGNED), EmptyPayloadType),
        (with("\"\"", "\"t\"", "[]"), NoSignatures),
        (
            with("\"\",\"payload\":\"\"", "\"t\"", SIGNED),
            repeated("payload"),
        ),
        (
            with("\"\"", "\"t\",\"payload\\u0054ype\":\"t\"", SIGNED),
            repeated("payloadType"),
        ),
        (
            with("\"\"", "\"t\"", "[],\"signatures\":[],\"signatures\":[]"),
            repeated("signatures"),
        ),
        (
            with("\"\"", "\"t\"", r#"[{"sig":"c2ln","sig":"c2ln"}]"#),
            repeated("signatures[0].sig"),
        ),
        (
            with(
                "\"\"",
                "\"t\"",
                r#"[{"sig":"c2ln","keyid":"a","keyid":null}]"#,
            ),
            repeated("signatures[0].keyid"),
        ),
    ];
    for (json, error) in cases {
        assert_eq!(parse(&json), Err(error), "{json}");
    }
}

#[test]
fn sizes_are_bounded() {
    use EnvelopeError::*;
    let huge = vec![b' '; MAX_ENVELOPE + 1];
    let bytes = huge.len();
    assert_eq!(Envelope::parse(&huge), Err(TooLarge { bytes }));
    assert!(matches!(Envelope::parse(&huge[1..]), Err(InvalidJson(_))));

    let signatures = |count: usize| {
        let all = vec![r#"{"sig":"c2ln"}"#; count].join(",");
        parse(&with("\"\"", "\"t\"", &format!("[{all}]")))
    };
    assert_eq!(signatures(MAX_SIGNATURES).unwrap().signatures().len(), 64);
    for count in [MAX_SIGNATURES + 1, 100_001] {
        assert_eq!(
            signatures(count),
            Err(TooManySignatures { signatures: count })
        );
    }
    let many = vec![(None, "c2ln"); MAX_SIGNATURES + 1];
    assert_eq!(
        Envelope::from_parts("t", "", many),
        Err(TooManySignatures {
            signatures: MAX_SIGNATURES + 1
        })
    );

    let signature = |characters: usize| {
        let sig = "A".repeat(characters);
        parse(&with("\"\"", "\"t\"", &format!(r#"[{{"sig":"{sig}"}}]"#)))
    };
    assert!(signature(MAX_SIGNATURE).is_ok());
    assert_eq!(
        signature(MAX_SIGNATURE + 4),
        Err(SignatureTooLong {
            member: "signatures[0].sig".into(),
            characters: MAX_SIGNATURE + 4
        })
    );
}

#[test]
fn what_does_not_belong_there_is_not_kept() {
    // A million small values where one text belongs: named by type, whatever they are.
    let many = vec!["[]"; 1_000_000].join(",");
    let error = |found| EnvelopeError::WrongType {
        member: "signatures[0]".into(),
        expected: "an object",
        found,
    };
    for (value, found) in [
        (format!("[{many}]"), "an array"),
        ("\"text\"".into(), "a string"),
        ("null".into(), "null"),
        ("-1.5e3".into(), "a number"),
    ] {
        let json = with("\"\"", "\"t\"", &format!("[{value}]"));
        assert_eq!(parse(&json).unwrap_err(), error(found));
    }
    let payload = with(&format!("{{\"payload\":[{many}]}}"), "\"t\"", SIGNED);
    assert_eq!(
        parse(&payload).unwrap_err().to_string(),
        "\"payload\" of the envelope is an object, not a string"
    );
}

#[test]
fn nesting_is_bounded() {
    let flat = with("\"\"", "\"t\"", SIGNED);
    let deep = |depth: usize| {
        let arrays = ["[".repeat(depth - 1), "]".repeat(depth - 1)].concat();
        parse(&flat.replacen('{', &format!("{{\"x\":{arrays},"), 1))
    };
    assert!(deep(MAX_DEPTH).is_ok());
    for depth in [MAX_DEPTH + 1, 100_000] {
        assert_eq!(deep(depth), Err(EnvelopeError::TooDeep), "{depth}");
    }
    // In what is read, too.
    let sig = format!("[{{\"sig\":{}", "[".repeat(100_000));
    assert_eq!(
        parse(&with("\"\"", "\"t\"", &sig)),
        Err(EnvelopeError::TooDeep)
    );
    let payloads = "{\"payload\":".repeat(100_000);
    assert_eq!(parse(&payloads), Err(EnvelopeError::TooDeep));
    // Brackets in strings, and those that are closed again, nest nothing.
    let brackets = format!("{{\"x\":\"\\\"{}\",", "[{".repeat(1_000));
    assert!(parse(&flat.replacen('{', &brackets, 1)).is_ok());
    let pairs = format!("{{\"x\":[{}[]],", "[],".repeat(1_000));
    assert!(parse(&flat.replacen('{', &pairs, 1)).is_ok());
}
