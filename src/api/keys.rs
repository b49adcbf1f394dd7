//! Keys whose signatures count, and DSSE envelopes. SQL: sql/keys.sql.

use auditspine_core::canonical::Numbers;
use auditspine_core::dsse::{self, Envelope, KeySet, Outcome, PublicKey, ThresholdError};
use pgrx::JsonB;
use pgrx::prelude::*;
use serde_json::json;

use crate::encoding::jsonb::write_jsonb;
use crate::error::Failure;
use crate::pg::sqltypes::{JsonbArg, TextArg, TextArrayArg};
use crate::trust;

fn expect<'a>(argument: &'a Option<TextArg>, name: &str, hint: &str) -> std::borrow::Cow<'a, str> {
    match argument {
        Some(text) => text.as_str(),
        None => Failure::NullElement.raise(format!("the {name} is null"), hint),
    }
}

/// Makes signatures by a public key count; answers its fingerprint.
#[pg_extern(sql = false)]
fn trust_key(
    pem: Option<TextArg>,
    comment: Option<TextArg>,
    valid_from: Option<TimestampWithTimeZone>,
    valid_until: Option<TimestampWithTimeZone>,
) -> String {
    trust::trust(
        &expect(&pem, "key", "pass a public key as PEM"),
        comment.map(|text| text.as_str().into_owned()),
        valid_from.map(pg_sys::TimestampTz::from),
        valid_until.map(pg_sys::TimestampTz::from),
    )
}

/// Ends for good that signatures by a key count; false if it was revoked already.
#[pg_extern(sql = false)]
fn revoke_key(fingerprint: Option<TextArg>, reason: Option<TextArg>) -> bool {
    let reason = expect(&reason, "reason", "say why: it is recorded").into_owned();
    if reason.trim().is_empty() {
        Failure::InvalidValue.raise("the reason is empty", "say why: it is recorded");
    }
    let hint = "see auditspine.trusted_key for the keys there are";
    trust::revoke(&expect(&fingerprint, "fingerprint", hint), &reason)
}

/// SHA-256 of a public key's SubjectPublicKeyInfo (DER), in hex.
#[pg_extern(sql = false)]
fn key_fingerprint(pem: TextArg) -> String {
    trust::expect_key(&pem.as_str()).fingerprint().to_string()
}

/// The pre-authentication encoding of DSSE protocol.md: what signatures are over.
#[pg_extern(sql = false)]
fn dsse_pae(payload_type: TextArg, payload: &[u8]) -> Vec<u8> {
    dsse::pae(&payload_type.as_str(), payload)
}

/// Verifies an envelope's signatures against keys (PEM), of which `threshold` distinct ones must have
/// signed. What is wrong with the envelope is told in `reason`; what is wrong with keys or threshold is
/// an ERROR: 22023, 22004.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn dsse_verify(
    envelope: Option<JsonbArg>,
    keys: Option<TextArrayArg>,
    threshold: Option<i32>,
) -> TableIterator<
    'static,
    (
        name!(ok, bool),
        name!(reason, Option<String>),
        name!(payload_type, Option<String>),
        name!(payload, Option<Vec<u8>>),
        name!(payload_sha256, Option<String>),
        name!(verified_by, Vec<String>),
        name!(signatures, Option<JsonB>),
    ),
> {
    let keys = key_set(keys);
    let threshold = expect_threshold(threshold, &keys);
    let Some(envelope) = envelope else {
        Failure::NullElement.raise("the envelope is null", "pass a DSSE envelope as jsonb")
    };
    let mut text = Vec::new();
    write_jsonb(&envelope.0, Numbers::Exact, &mut text);
    let envelope = match Envelope::parse(&text) {
        Ok(envelope) => envelope,
        Err(error) => {
            let reason = Some(error.to_string());
            return TableIterator::once((false, reason, None, None, None, Vec::new(), None));
        }
    };
    let verification = match dsse::verify(&envelope, &keys, threshold) {
        Ok(verification) => verification,
        Err(error) => refuse_threshold(&error),
    };
    let ok = verification.ok();
    let signatures: Vec<_> = verification
        .signatures
        .iter()
        .map(|signature| {
            let fingerprint = match signature.outcome {
                Outcome::Verified(fingerprint) | Outcome::Repeated { fingerprint, .. } => {
                    Some(fingerprint.to_string())
                }
                _ => None,
            };
            json!({
                "keyid": signature.keyid,
                "outcome": signature.outcome.to_string(),
                "verified": fingerprint.is_some(),
                "fingerprint": fingerprint,
            })
        })
        .collect();
    let reason = (!ok).then(|| {
        let outcomes: Vec<_> = verification
            .signatures
            .iter()
            .enumerate()
            .map(|(at, signature)| format!("signatures[{at}] is {}", signature.outcome))
            .collect();
        format!(
            "{} of {threshold} keys have signed: {}",
            verification.verified.len(),
            outcomes.join("; ")
        )
    });
    TableIterator::once((
        ok,
        reason,
        Some(envelope.payload_type().to_owned()),
        ok.then(|| envelope.payload().to_vec()),
        Some(envelope.payload_digest().to_string()),
        verification
            .verified
            .iter()
            .map(ToString::to_string)
            .collect(),
        Some(JsonB(signatures.into())),
    ))
}

fn key_set(keys: Option<TextArrayArg>) -> KeySet {
    const HINT: &str = "pass public keys as PEM: ARRAY['-----BEGIN PUBLIC KEY-----…']";
    let Some(keys) = keys else {
        Failure::NullElement.raise("the array of keys is null", HINT)
    };
    let elements = keys.elements();
    if elements.is_empty() {
        Failure::InvalidValue.raise("there are no keys", HINT);
    }
    elements
        .into_iter()
        .zip(1..)
        .map(|(pem, at)| match pem {
            Some(pem) => PublicKey::from_pem(&pem.as_str())
                .unwrap_or_else(|error| trust::refuse(&error, &format!("keys[{at}]: "))),
            None => Failure::NullElement.raise(format!("keys[{at}] is null"), HINT),
        })
        .collect()
}

fn expect_threshold(threshold: Option<i32>, keys: &KeySet) -> usize {
    let Some(threshold) = threshold else {
        Failure::NullElement.raise(
            "the threshold is null",
            "say how many distinct keys must have signed",
        )
    };
    let Ok(threshold) = usize::try_from(threshold) else {
        Failure::InvalidValue.raise(format!("threshold is {threshold}"), "it is at least 1")
    };
    if let Err(error) = dsse::check_threshold(threshold, keys) {
        refuse_threshold(&error);
    }
    threshold
}

fn refuse_threshold(error: &ThresholdError) -> ! {
    Failure::InvalidValue.raise(
        error.to_string(),
        "The threshold is 1 to the number of distinct keys.",
    )
}
