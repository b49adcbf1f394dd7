//! Signs payloads, for demonstrations: the secret key is made of a text that whoever reads the
//! command sees.
//!
//! ```text
//! cargo run -p auditspine-core --example sign -- --key ed25519|ecdsa-p256-sha256 SEED
//! cargo run -p auditspine-core --example sign -- ed25519|ecdsa-p256-sha256 SEED < LINES
//! ```
//!
//! The first prints the public key in PEM. The second reads lines `{"type": "…", "payload": …}` and
//! writes for each a DSSE envelope on a line, with the key's fingerprint as its `keyid`. A payload that
//! is a string is signed as that; any other, as its JSON text without white space, names in order.

use std::io::{BufRead, Write, stdin, stdout};

use auditspine_core::dsse::Algorithm;
use auditspine_core::hash::Hash;
use serde_json::Value;

#[path = "../tests/signer/mod.rs"]
#[allow(dead_code)]
mod signer;

use signer::Signer;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (is_key, algorithm, seed) = match arguments.as_slice() {
        ["--key", algorithm, seed] => (true, *algorithm, *seed),
        [algorithm, seed] => (false, *algorithm, *seed),
        _ => return Err("usage: sign [--key] ed25519|ecdsa-p256-sha256 SEED".into()),
    };
    let signer = make(algorithm, seed)?;
    if is_key {
        print!("{}", signer.public().to_pem());
        return Ok(());
    }
    let keyid = signer.public().fingerprint().to_string();
    let mut out = std::io::BufWriter::new(stdout().lock());
    for (at, line) in stdin().lock().lines().enumerate() {
        let envelope =
            sign(&signer, &keyid, &line?).map_err(|e| format!("line {}: {e}", at + 1))?;
        writeln!(out, "{envelope}")?;
    }
    Ok(out.flush()?)
}

/// The key whose secret is the SHA-256 of the seed.
fn make(algorithm: &str, seed: &str) -> Result<Signer, Box<dyn std::error::Error>> {
    let secret = Hash::of(seed.as_bytes()).0;
    let known = Algorithm::ALL.into_iter().find(|a| a.name() == algorithm);
    match known {
        Some(Algorithm::Ed25519) => Ok(Signer::Ed25519(ed25519_dalek::SigningKey::from_bytes(
            &secret,
        ))),
        Some(Algorithm::EcdsaP256) => Ok(Signer::EcdsaP256(p256::ecdsa::SigningKey::from_slice(
            &secret,
        )?)),
        None => Err(format!("no algorithm {algorithm:?}").into()),
    }
}

fn sign(signer: &Signer, keyid: &str, line: &str) -> Result<String, Box<dyn std::error::Error>> {
    let line: Value = serde_json::from_str(line)?;
    let payload_type = line["type"].as_str().ok_or("no \"type\"")?;
    let payload = match line.get("payload").ok_or("no \"payload\"")? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let signature = signer.sign(payload_type, payload.as_bytes());
    let signatures = [(Some(keyid), signature.as_slice())];
    Ok(signer::envelope(
        payload_type,
        payload.as_bytes(),
        &signatures,
    ))
}
