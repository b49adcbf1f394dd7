//! The keys as they are stored, held against the entries that tell of them.

use std::collections::BTreeMap;
use std::ffi::CStr;

use auditspine_core::dsse::PublicKey;
use auditspine_core::finding::KeyKind;
use auditspine_core::hash::Hash;
use auditspine_core::spine::{TrustStore, TrustedKey};
use pgrx::pg_sys;

use super::{KIND, KeyRow};
use crate::ledger::flush;
use crate::pg::arena::DatumArena;
use crate::pg::query;
use crate::pg::receiver::for_each_row;
use crate::pg::values::Values;

/// A key whose row is not as its last entry tells. It counts for nothing.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was found.
    pub kind: KeyKind,
    /// Fingerprint, as stored.
    pub fingerprint: String,
    /// The last entry of the key.
    pub seq: Option<i64>,
    /// Hash that the entry recorded.
    pub expected: Option<Hash>,
    /// Hash of the row as it is.
    pub found: Option<Hash>,
    /// One line that says what is wrong.
    pub detail: String,
}

/// The keys that count, and those that somebody has tampered with.
pub struct Trust {
    /// Keys as their entries tell them, revoked ones included.
    pub store: TrustStore,
    /// Keys that are left out of it.
    pub findings: Vec<Finding>,
    /// How many rows and entries were held against each other.
    pub keys: u64,
    /// SHA-256 over what the keys are that count, and when: another set of keys has another.
    pub digest: Hash,
}

/// Whether auditspine.trusted_key is there.
pub fn is_installed() -> bool {
    let mut installed = false;
    for_each_row(
        c"SELECT pg_catalog.to_regclass('auditspine.trusted_key') IS NOT NULL",
        &[],
        &mut |row| installed = row.bool(0).unwrap_or(false),
    );
    installed
}

/// Reads auditspine.trusted_key and the entries of its keys under the active snapshot, as the current
/// user. What this transaction has pending is linked first.
pub fn load() -> Trust {
    flush::flush();
    let mut recorded = recorded();
    let mut trusted = Vec::new();
    let mut findings = Vec::new();
    let mut payloads = Vec::new();
    let mut keys = 0;
    rows(
        c"SELECT fingerprint, algorithm, pem, valid_from, valid_until, revoked_at, revoke_reason, comment, added_at, added_by \
          FROM ONLY auditspine.trusted_key ORDER BY fingerprint",
        None,
        &mut |row| {
            keys += 1;
            let payload = row.object().finish();
            let found = Hash::of(&payload);
            let entry = recorded.remove(&row.fingerprint);
            let (kind, detail) = match &entry {
                None => (KeyKind::KeyUnrecorded, "no entry tells of this key"),
                Some((_, expected)) if *expected != Some(found) => {
                    (KeyKind::KeyEdited, "the key is not what its last entry recorded")
                }
                Some(_) => match PublicKey::from_pem(&row.pem) {
                    Ok(key) if key.fingerprint().to_string() == row.fingerprint => {
                        payloads.extend_from_slice(&payload);
                        trusted.push(TrustedKey {
                            key,
                            valid_from: row.valid_from,
                            valid_until: row.valid_until,
                            revoked_at: row.revoked_at,
                            alias: row.comment,
                        });
                        return;
                    }
                    _ => (KeyKind::KeyEdited, "the PEM is not of the key with this fingerprint"),
                },
            };
            findings.push(Finding {
                kind,
                fingerprint: row.fingerprint,
                seq: entry.map(|(seq, _)| seq),
                expected: entry.and_then(|(_, hash)| hash),
                found: Some(found),
                detail: detail.to_owned(),
            });
        },
    );
    findings.extend(recorded.into_iter().map(|(fingerprint, (seq, expected))| {
        keys += 1;
        Finding {
            kind: KeyKind::KeyDeleted,
            fingerprint,
            seq: Some(seq),
            expected,
            found: None,
            detail: "the key is gone, and no entry says why".to_owned(),
        }
    }));
    Trust {
        store: TrustStore::new(trusted),
        findings,
        keys,
        digest: Hash::of(&payloads),
    }
}

/// The last entry of each key, and what it says that the row hashes to.
fn recorded() -> BTreeMap<String, (i64, Option<Hash>)> {
    let mut recorded = BTreeMap::new();
    let mut arena = DatumArena::default();
    let kind = (pg_sys::TEXTOID, arena.varlena(KIND.as_bytes()));
    let query = c"SELECT event_pk, seq, payload_hash FROM ONLY auditspine.audit_chain \
        WHERE event_kind OPERATOR(pg_catalog.=) $1 AND op OPERATOR(pg_catalog.=) 'S' \
        ORDER BY seq";
    for_each_row(query, &[kind], &mut |row| {
        let fingerprint = row.text(0).unwrap_or_default();
        recorded.insert(fingerprint, (row.int8(1).unwrap_or(0), row.hash(2)));
    });
    recorded
}

/// Shows the keys that a query of ours finds.
pub(super) fn rows(query: &CStr, fingerprint: Option<&str>, show: &mut dyn FnMut(KeyRow)) {
    let mut arena = DatumArena::default();
    let argument = fingerprint.map(|text| (pg_sys::TEXTOID, Some(arena.varlena(text.as_bytes()))));
    let mut shown = |row: &Values<'_>| {
        let text = |at: usize| row.text(at);
        let time = |at: usize| row.int8(at);
        show(KeyRow {
            fingerprint: text(0).unwrap_or_default(),
            algorithm: text(1).unwrap_or_default(),
            pem: text(2).unwrap_or_default(),
            valid_from: time(3),
            valid_until: time(4),
            revoked_at: time(5),
            revoke_reason: text(6),
            comment: text(7),
            added_at: time(8),
            added_by: text(9),
        });
    };
    match argument {
        Some(argument) => {
            query::run(query, &[argument], shown);
        }
        None => for_each_row(query, &[], &mut shown),
    }
}
