//! What earlier releases declared and this one no longer does: it works until the extension is updated.

use pgrx::prelude::*;

use super::attach::audit_attach_table;
use super::auditor::grant_chain_auditor;
use crate::pg::sqltypes::{TextArg, TextArrayArg};

/// Of 0.2.0, without `skip_unchanged`.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn audit_attach(
    target: Option<pg_sys::Oid>,
    kind: Option<TextArg>,
    chain: Option<TextArg>,
    chain_by: Option<TextArrayArg>,
    pk: Option<TextArrayArg>,
    payload: Option<TextArg>,
    exclude: Option<TextArrayArg>,
    append_only: Option<bool>,
    backfill: Option<bool>,
) -> &'static str {
    audit_attach_table(
        target,
        kind,
        chain,
        chain_by,
        pk,
        payload,
        exclude,
        append_only,
        backfill,
        None,
    )
}

/// Of 0.2.0 and 0.3.0, without a chain.
#[pg_extern(sql = false)]
fn grant_auditor(auditor: Option<pg_sys::Oid>) {
    grant_chain_auditor(auditor, None, None);
}
