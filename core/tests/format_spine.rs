//! The ids and the fingerprint that docs/FORMAT.md prints (and has `sha256sum` compute), computed by
//! this crate.

use auditspine_core::dsse::{MAX_DEPTH, MAX_ENVELOPE, MAX_SIGNATURE, MAX_SIGNATURES, PublicKey};
use auditspine_core::spine::{SpineRoot, segment_id, spine_id};

const DOCUMENT: &str = include_str!("../../docs/FORMAT.md");

/// The value of the line `name = value`; there must be one.
fn documented(name: &str) -> &'static str {
    let values: Vec<_> = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))
        // The formula.
        .filter(|value| !value.starts_with("SHA-256"))
        .collect();
    match values.as_slice() {
        [value] => value,
        _ => panic!("{name}: {values:?}"),
    }
}

#[test]
fn ids_are_those_of_the_document() {
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let mut root = SpineRoot::new();
    root.push(empty).unwrap();
    let root = root.finish().unwrap();
    assert_eq!(root, documented("root_hash"));
    let [artifact, vuln, profile] = ["pkg:deb/debian/curl@7.88.1", "CVE-2026-1234", "strict"];
    let spine = spine_id(artifact, vuln, profile, &root).to_string();
    assert_eq!(spine, documented("spine_id"));
    let segment = segment_id(&spine, 0, "Match", abc, empty).to_string();
    assert_eq!(segment, documented("segment_id"));
}

#[test]
fn the_fingerprint_is_that_of_the_document() {
    let (_, rest) = DOCUMENT.split_once("public_key='").unwrap();
    let (key, _) = rest.split_once('\'').unwrap();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
    let key = PublicKey::from_pem(&pem).unwrap();
    assert_eq!(key.fingerprint().to_string(), documented("fingerprint"));
}

#[test]
fn the_limits_are_those_of_the_document() {
    let limits = format!(
        "| {} MiB of JSON, {MAX_DEPTH} levels, {MAX_SIGNATURES} signatures of {},000 characters |",
        MAX_ENVELOPE >> 20,
        MAX_SIGNATURE / 1_000
    );
    assert!(DOCUMENT.contains(&limits), "{limits}");
}
