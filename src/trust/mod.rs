//! The keys whose signatures count: who may add and revoke them is a matter of privileges, what was
//! added and revoked of entries.
//!
//! Each change of auditspine.trusted_key is told in full by an entry of kind `auditspine.key`. A row that
//! is not as its last entry tells, or that none tells of, counts for nothing.

mod store;

use auditspine_core::dsse::{KeyError, PublicKey};
use auditspine_core::time::write_entry_time;
use pgrx::prelude::*;

pub use self::store::{Finding, Trust, is_installed, load};
use crate::error::Failure;
use crate::ledger::owner::as_owner;
use crate::ledger::system_entry::Object;

/// Kind of the entries that tell of keys.
pub const KIND: &str = "auditspine.key";

/// A row of auditspine.trusted_key, as far as entries tell it. Times are microseconds since 2000-01-01
/// 00:00 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRow {
    fingerprint: String,
    algorithm: String,
    pem: String,
    valid_from: Option<i64>,
    valid_until: Option<i64>,
    revoked_at: Option<i64>,
    revoke_reason: Option<String>,
    comment: Option<String>,
    added_at: Option<i64>,
    added_by: Option<String>,
}

impl KeyRow {
    fn object(&self) -> Object {
        Object::new()
            .time("added_at", self.added_at)
            .optional("added_by", self.added_by.as_deref())
            .text("algorithm", &self.algorithm)
            .optional("comment", self.comment.as_deref())
            .text("fingerprint", &self.fingerprint)
            .text("pem", &self.pem)
            .optional("revoke_reason", self.revoke_reason.as_deref())
            .time("revoked_at", self.revoked_at)
            .time("valid_from", self.valid_from)
            .time("valid_until", self.valid_until)
    }

    /// Whether it is the same key, under the same conditions.
    fn is_as(&self, other: &KeyRow) -> bool {
        let conditions = |row: &KeyRow| {
            (
                row.fingerprint.clone(),
                row.algorithm.clone(),
                row.pem.clone(),
                (row.valid_from, row.valid_until),
                row.comment.clone(),
            )
        };
        conditions(self) == conditions(other)
    }
}

/// A public key of a PEM text; an ERROR if it is none.
pub fn expect_key(pem: &str) -> PublicKey {
    PublicKey::from_pem(pem).unwrap_or_else(|error| refuse(&error, ""))
}

/// Says why a text is no key; `which` tells which of several.
pub fn refuse(error: &KeyError, which: &str) -> ! {
    let hint = match error {
        KeyError::Label { label } if label.contains("PRIVATE") => {
            "That is a private key: treat it as known to others now. Pass the public one: openssl pkey -pubout."
        }
        KeyError::Algorithm { .. } | KeyError::Curve { .. } => {
            "Keys are Ed25519, or ECDSA on the curve P-256."
        }
        _ => "Pass one key as PEM: -----BEGIN PUBLIC KEY----- … (openssl pkey -pubout).",
    };
    Failure::InvalidKey.raise(format!("{which}{error}"), hint)
}

/// Makes a key's signatures count, and answers its fingerprint. Given again, it changes validity and
/// comment.
///
/// Raises 22023 for what is no key or no time span, 55000 for a key that was revoked.
pub fn trust(
    pem: &str,
    comment: Option<String>,
    valid_from: Option<i64>,
    valid_until: Option<i64>,
) -> String {
    let key = expect_key(pem);
    expect_finite("valid_from", valid_from);
    expect_finite("valid_until", valid_until);
    if let (Some(from), Some(until)) = (valid_from, valid_until)
        && from >= until
    {
        let text = |micros| {
            let mut text = Vec::new();
            write_entry_time(micros, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        };
        Failure::InvalidValue.raise(
            format!(
                "valid_from, {}, is not before valid_until, {}",
                text(from),
                text(until)
            ),
            "the key counts from valid_from on, and not at valid_until any more",
        );
    }
    let fingerprint = key.fingerprint().to_string();
    let row = KeyRow {
        fingerprint: fingerprint.clone(),
        algorithm: key.algorithm().name().to_owned(),
        pem: key.to_pem(),
        valid_from,
        valid_until,
        comment,
        ..KeyRow::default()
    };
    as_owner(|| {
        match locked(&fingerprint) {
            Some(known) if known.revoked_at.is_some() => Failure::KeyWasRevoked.raise(
                format!("key {fingerprint} was revoked"),
                "A key that was revoked stays so: make a new one.",
            ),
            Some(known) if known.is_as(&row) => {
                notice!("key {fingerprint} is trusted like that already");
                return;
            }
            Some(_) => run(
                "UPDATE ONLY auditspine.trusted_key SET algorithm = $2, pem = $3, valid_from = $4, valid_until = $5, \
                 comment = $6 WHERE fingerprint = $1",
                &row,
            ),
            None => run(
                "INSERT INTO auditspine.trusted_key (fingerprint, algorithm, pem, valid_from, valid_until, comment, \
                 added_at, added_by) VALUES ($1, $2, $3, $4, $5, $6, statement_timestamp(), session_user)",
                &row,
            ),
        }
        record(&fingerprint);
    });
    fingerprint
}

/// Ends for good that a key's signatures count; false if it was revoked before.
///
/// Raises 42704 for a fingerprint that is not in auditspine.trusted_key.
pub fn revoke(fingerprint: &str, reason: &str) -> bool {
    as_owner(|| {
        let Some(row) = locked(fingerprint) else {
            let shown: String = fingerprint.chars().take(100).collect();
            Failure::UnknownKey.raise(
                format!("no key with fingerprint \"{shown}\" is trusted"),
                "See auditspine.trusted_key; key_fingerprint() tells the fingerprint of a PEM.",
            )
        };
        if row.revoked_at.is_some() {
            notice!("key {fingerprint} was revoked already");
            return false;
        }
        let revoked = Spi::run_with_args(
            "UPDATE ONLY auditspine.trusted_key SET revoked_at = statement_timestamp(), revoke_reason = $2 \
             WHERE fingerprint = $1",
            &[fingerprint.into(), reason.into()],
        );
        if let Err(error) = revoked {
            error!("{error}");
        }
        record(fingerprint);
        true
    })
}

fn expect_finite(name: &str, time: Option<i64>) {
    if let Some(i64::MIN | i64::MAX) = time {
        Failure::InvalidValue.raise(
            format!("{name} is infinite"),
            format!("leave {name} null if there is no limit"),
        );
    }
}

fn run(statement: &str, row: &KeyRow) {
    let time = |micros: Option<i64>| micros.and_then(|t| TimestampWithTimeZone::try_from(t).ok());
    let arguments = [
        row.fingerprint.as_str().into(),
        row.algorithm.as_str().into(),
        row.pem.as_str().into(),
        time(row.valid_from).into(),
        time(row.valid_until).into(),
        row.comment.as_deref().into(),
    ];
    if let Err(error) = Spi::run_with_args(statement, &arguments) {
        error!("{error}");
    }
}

/// Tells in an entry what the row of a key says now.
fn record(fingerprint: &str) {
    if let Some(row) = locked(fingerprint) {
        row.object().push(KIND, fingerprint);
    }
}

/// The row of a key, locked until the transaction ends.
fn locked(fingerprint: &str) -> Option<KeyRow> {
    let mut found = None;
    store::rows(
        c"SELECT fingerprint, algorithm, pem, valid_from, valid_until, revoked_at, revoke_reason, comment, added_at, added_by \
          FROM ONLY auditspine.trusted_key WHERE fingerprint = $1 FOR UPDATE",
        Some(fingerprint),
        &mut |row| found = Some(row),
    );
    found
}
