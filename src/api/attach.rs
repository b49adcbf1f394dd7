//! Attaching tables, detaching them, and what the triggers' arguments say. SQL: sql/attach.sql.

use pgrx::prelude::*;

use crate::attach::{self, Request};
use crate::capture::declaration::{self, ChainOf};
use crate::error::Failure;
use crate::pg::registry::split_arguments;
use crate::pg::sqltypes::{TextArg, TextArrayArg};

fn text(argument: Option<TextArg>) -> Option<String> {
    argument.map(|text| text.as_str().into_owned())
}

fn texts(argument: Option<TextArrayArg>, name: &str) -> Option<Vec<String>> {
    let array = argument?;
    let texts: Option<Vec<String>> = array.elements().into_iter().map(text).collect();
    Some(texts.unwrap_or_else(|| {
        Failure::NullElement.raise(
            format!("{name} has a null element"),
            "name columns, or leave it out",
        )
    }))
}

fn expect_target(target: Option<pg_sys::Oid>) -> pg_sys::Oid {
    target.unwrap_or_else(|| {
        Failure::NullElement.raise("the table is null", "pass the table's name: 'schema.table'")
    })
}

/// Makes a table tamper-evident from here on; answers `attached`, `replaced` or `unchanged`.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
pub(super) fn audit_attach_table(
    target: Option<pg_sys::Oid>,
    kind: Option<TextArg>,
    chain: Option<TextArg>,
    chain_by: Option<TextArrayArg>,
    pk: Option<TextArrayArg>,
    payload: Option<TextArg>,
    exclude: Option<TextArrayArg>,
    append_only: Option<bool>,
    backfill: Option<bool>,
    skip_unchanged: Option<bool>,
) -> &'static str {
    let request = Request {
        kind: text(kind),
        chain: text(chain),
        chain_by: texts(chain_by, "chain_by"),
        pk: texts(pk, "pk"),
        payload: text(payload),
        exclude: texts(exclude, "exclude"),
        skip_unchanged: skip_unchanged.unwrap_or(false),
        append_only: append_only.unwrap_or(false),
        backfill: backfill.unwrap_or(false),
    };
    attach::attach(expect_target(target), &request)
}

/// Drops the audit's triggers from a table and records that; false if it is not audited.
#[pg_extern(sql = false)]
fn audit_detach(target: Option<pg_sys::Oid>) -> bool {
    attach::detach(expect_target(target))
}

/// Records that a kind whose table is gone is not audited any more; false if it is not.
#[pg_extern(sql = false)]
fn audit_detach_kind(kind: TextArg) -> bool {
    attach::detach_kind(&kind.as_str())
}

/// Verifies the rows of a table and records them anew; how many.
#[pg_extern(sql = false)]
fn audit_rebaseline(target: Option<pg_sys::Oid>) -> i64 {
    let rows = attach::rebaseline(expect_target(target));
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// What is wrong with a trigger's arguments, as pg_trigger.tgargs has them; null if nothing is.
#[pg_extern(sql = false)]
fn declaration_problem(arguments: &[u8]) -> Option<String> {
    declaration::try_parse(&split_arguments(arguments)).err()
}

/// Names in canonical form what a trigger's arguments declare, by part: `kind`, `pk`, `chain`,
/// `chain_by`, `payload`, `exclude`, `unchanged`; null for a part that is left out.
#[pg_extern(sql = false)]
fn declared(arguments: &[u8], part: &str) -> Option<Vec<String>> {
    let declaration = declaration::try_parse(&split_arguments(arguments)).ok()?;
    match part {
        "kind" => declaration.kind.map(|kind| vec![kind]),
        "pk" => declaration.pk,
        "chain" => match declaration.chain {
            ChainOf::Named(name) => Some(vec![name]),
            ChainOf::By(_) => None,
        },
        "chain_by" => match declaration.chain {
            ChainOf::Named(_) => None,
            ChainOf::By(columns) => Some(columns),
        },
        "payload" => Some(vec![
            if declaration.full_payload {
                "full"
            } else {
                "hash"
            }
            .to_owned(),
        ]),
        "exclude" => Some(declaration.exclude),
        "unchanged" => declaration.skip_unchanged.then(|| vec!["skip".to_owned()]),
        _ => None,
    }
}
