//! The worked example of docs/FORMAT.md, computed by this crate: every text and hash must be the one
//! that the document prints (and that `tests/docs/run` has `sha256sum` and Python compute).

use std::collections::HashMap;

use auditspine_core::canonical::{Numbers, canonical_text};
use auditspine_core::entry::{Event, EventHasher, Format, chain_hash};
use auditspine_core::hash::{Hash, Messages, in_turns};

const DOCUMENT: &str = include_str!("../../docs/FORMAT.md");

/// The lines `name = value` of the document.
fn documented() -> HashMap<&'static str, &'static str> {
    DOCUMENT
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .collect()
}

struct Example {
    /// Whatever an equal row may be spelled as.
    row: &'static str,
    context: Option<&'static str>,
    event: Event<'static>,
    seq: i64,
}

fn examples() -> [Example; 2] {
    const EVENT: Event<'static> = Event {
        actor: None,
        appended_at: 848_534_262_123_456,
        chain: b"main",
        context: None,
        db_user: b"alice",
        kind: b"finding",
        lane: 0,
        layout: None,
        op: b'I',
        payload_hash: Hash::ZERO,
        pk: Some(b"42"),
        pos: 1,
        format: Format::CURRENT,
        xid: 12345,
    };
    [
        Example {
            row: r#"{"id": 42, "severity": 7.50, "title": "Path traversal in \u0022lib\"",
                     "seen_at": "2026-11-20T23:57:42.12+00:00"}"#,
            context: None,
            event: EVENT,
            seq: 7,
        },
        Example {
            row: r#"{"title": "Path traversal in \"lib\"", "severity": 91e-1, "id": 42.0,
                     "seen_at": "2026-11-20T23:57:42.12\u002b00:00"}"#,
            context: Some(r#"{"ticket": "SEC-17", "line": 3}"#),
            event: Event {
                actor: Some(b"carol"),
                appended_at: EVENT.appended_at + 18_876_544,
                op: b'U',
                pos: 2,
                xid: 12346,
                ..EVENT
            },
            seq: 9,
        },
    ]
}

#[test]
fn the_documented_example_is_what_this_code_computes() {
    let documented = documented();
    let mut checked = 0;
    let mut check = |name: &str, number: usize, computed: &[u8]| {
        let name = format!("{name}_{number}");
        let computed = String::from_utf8_lossy(computed);
        assert_eq!(documented.get(&name[..]), Some(&&*computed), "{name}");
        checked += 1;
    };
    let mut prev = Hash::ZERO;
    for (at, example) in examples().into_iter().enumerate() {
        let number = at + 1;
        let canonical = |json: &str| canonical_text(json.as_bytes(), Numbers::Exact).unwrap();
        let payload = canonical(example.row);
        check("payload", number, &payload);
        let payload_hash = Hash::of(&payload);
        check("payload_hash", number, &payload_hash.to_hex());

        let context = example.context.map(canonical);
        let event = Event {
            context: context.as_deref(),
            payload_hash,
            ..example.event
        };
        let mut text = Vec::new();
        event.write(&mut text);
        check("event", number, &text);
        let event_hash = event.hash(&mut Vec::new());
        check("event_hash", number, &event_hash.to_hex());
        let mut messages = Messages::default();
        EventHasher::new(&event).add(&event, &mut messages);
        messages.finish(in_turns, |hash| assert_eq!(hash, event_hash));

        check("prev_hash", number, &prev.to_hex());
        let seq = format!("{:016x}", example.seq);
        check(
            "link",
            number,
            format!("{prev}{event_hash}{seq}").as_bytes(),
        );
        prev = chain_hash(&prev, &event_hash, example.seq);
        check("chain_hash", number, &prev.to_hex());
    }
    assert_eq!(checked, 14);
}

#[test]
fn the_document_names_the_hash_of_no_payload() {
    assert!(DOCUMENT.contains(&Hash::of(b"null").to_string()));
}
