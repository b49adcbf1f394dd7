//! Erasing what rows held. SQL: sql/erase.sql.

use pgrx::prelude::*;

use crate::error::Failure;
use crate::ledger::erasure;
use crate::pg::sqltypes::TextArg;

/// Erases the payloads of all entries of a row on record, and returns how many there were.
#[pg_extern(sql = false)]
fn audit_erase(kind: Option<TextArg>, pk: Option<TextArg>, reason: Option<TextArg>) -> i64 {
    let expect = |argument: &Option<TextArg>, name: &str, hint: &str| match argument {
        Some(text) => text.as_str().into_owned(),
        None => Failure::NullElement.raise(format!("the {name} is null"), hint),
    };
    let row = "name the row as audit_history() does: its kind, and the text of its key";
    erasure::erase(
        &expect(&kind, "kind", row),
        &expect(&pk, "key", row),
        &expect(&reason, "reason", "say why: it is recorded"),
    )
}
