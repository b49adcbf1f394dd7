//! What a payload speaks of.

use auditspine_core::dsse::{Binding, IN_TOTO, MAX_SUBJECTS, Unbound, binds};
use auditspine_core::hash::Hash;

const A: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const B: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn statement(kind: &str, subjects: &str) -> String {
    format!(
        r#"{{"_type":"{kind}","subject":[{subjects}],"predicateType":"x","predicate":{{"subject":[{{"digest":{{"sha256":"{B}"}}}}]}}}}"#
    )
}

fn subject(digests: &str) -> String {
    format!(r#"{{"name":"n","digest":{{{digests}}}}}"#)
}

fn sha256(digest: &str) -> String {
    subject(&format!(r#""sha256":"{digest}""#))
}

const V1: &str = "https://in-toto.io/Statement/v1";

#[test]
fn a_payload_binds_its_own_digest() {
    for (payload, digest) in [
        (b"abc".as_slice(), A.to_owned()),
        (b"abc", format!("sha256:{A}")),
        (b"", B.to_owned()),
    ] {
        assert_eq!(binds("text/plain", payload, &digest), Binding::Payload);
        assert_eq!(binds(IN_TOTO, payload, &digest), Binding::Payload);
    }
    let payload = Hash::of(b"abc");
    assert_eq!(
        binds("text/plain", b"abc", B),
        Binding::Unbound(Unbound::OtherPayload { payload })
    );
}

#[test]
fn what_is_no_digest_is_bound_by_nothing() {
    for digest in ["", "sha256:", &A[1..], &A.to_uppercase(), &format!("{A} ")] {
        assert_eq!(
            binds(IN_TOTO, b"abc", digest),
            Binding::Unbound(Unbound::NotADigest)
        );
    }
}

#[test]
fn a_statement_binds_the_digests_of_its_subjects() {
    for kind in [V1, "https://in-toto.io/Statement/v0.1"] {
        let subjects = [sha256(A), subject(r#""sha512":"00""#), sha256(B)].join(",");
        let statement = statement(kind, &subjects);
        for (digest, at) in [(A, 0), (B, 2)] {
            for digest in [digest.to_owned(), format!("sha256:{digest}")] {
                let binding = binds(IN_TOTO, statement.as_bytes(), &digest);
                assert_eq!(binding, Binding::Subject(at));
                assert!(binding.ok());
            }
        }
        // By its type alone is a payload a Statement.
        assert!(!binds("application/json", statement.as_bytes(), A).ok());
    }
}

#[test]
fn other_places_of_a_statement_bind_nothing() {
    let upper = sha256(&A.to_uppercase());
    let prefixed = sha256(&format!("sha256:{A}"));
    for subjects in [
        "".to_owned(),
        subject(""),
        subject(&format!(r#""sha512":"{A}""#)),
        subject(&format!(r#""SHA256":"{A}""#)),
        subject(&format!(r#""sha256":["{A}"]"#)),
        format!(r#"{{"name":"{A}"}}"#),
        format!(r#"{{"digest":"{A}"}}"#),
        format!(r#"{{"sha256":"{A}"}}"#),
        format!(r#""{A}""#),
        upper,
        prefixed,
    ] {
        let statement = statement(V1, &subjects);
        // B is in the predicate.
        for digest in [A, B] {
            match binds(IN_TOTO, statement.as_bytes(), digest) {
                Binding::Unbound(Unbound::OtherSubjects { payload, subjects }) => {
                    assert_eq!(payload, Hash::of(statement.as_bytes()));
                    assert_eq!(subjects, []);
                }
                other => panic!("{statement}: {other:?}"),
            }
        }
    }
    let found = binds(IN_TOTO, statement(V1, &sha256(A)).as_bytes(), B);
    match found {
        Binding::Unbound(reason @ Unbound::OtherSubjects { .. }) => {
            assert!(reason.to_string().contains(A), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn statements_that_can_be_read_in_two_ways_bind_nothing() {
    let good = statement(V1, &sha256(A));
    assert!(binds(IN_TOTO, good.as_bytes(), A).ok());
    let twice = |member: &str| good.replacen(member, &format!("{member},{member}"), 1);
    for (payload, reason) in [
        (twice(&format!(r#""_type":"{V1}""#)), "_type is given twice"),
        (
            twice(&format!(r#""sha256":"{A}""#)),
            "sha256 of a subject is given twice",
        ),
        (
            twice(&format!(r#""digest":{{"sha256":"{A}"}}"#)),
            "digest of a subject is given twice",
        ),
        (
            good.replacen('{', r#"{"subject":[],"#, 1),
            "subject is given twice",
        ),
        (
            good.replace("\"subject\":[{\"name", "\"subjects\":[{\"name"),
            "subject is missing",
        ),
        (good.replace("_type", "type"), "_type is missing"),
        (
            good.replace("Statement/v1", "Statement/v2"),
            "_type is \"https://in-toto.io/Statement/v2\"",
        ),
        (good[1..].to_owned(), "trailing characters"),
        ("[]".into(), "_type is missing"),
        (
            statement(V1, &vec!["{}"; MAX_SUBJECTS + 1].join(",")),
            "100001 subjects, more than 100000",
        ),
    ] {
        match binds(IN_TOTO, payload.as_bytes(), A) {
            Binding::Unbound(Unbound::NoStatement { reason: found, .. }) => {
                assert!(found.starts_with(reason), "{found}, not {reason}");
            }
            other => panic!("{reason}: {other:?}"),
        }
    }
}

#[test]
fn nesting_needs_no_stack() {
    let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
    let deep = statement(V1, &sha256(A)).replacen('{', &format!("{{\"x\":{open}{close},"), 1);
    assert_eq!(binds(IN_TOTO, deep.as_bytes(), A), Binding::Subject(0));
    // Within what is read: no subject, then not even JSON.
    let deep = statement(V1, &format!("{open}{close},{}", sha256(A)));
    assert_eq!(binds(IN_TOTO, deep.as_bytes(), A), Binding::Subject(1));
    assert!(!binds(IN_TOTO, statement(V1, &open).as_bytes(), A).ok());
}
