//! The role of an auditor. SQL: sql/auditor.sql.

use pgrx::prelude::*;

use crate::auditor::{self, Scope};
use crate::error::Failure;
use crate::pg::sqltypes::TextArg;

fn expect_role(auditor: Option<pg_sys::Oid>) -> pg_sys::Oid {
    auditor
        .filter(|role| *role != pg_sys::InvalidOid)
        .unwrap_or_else(|| {
            Failure::NullElement.raise("the auditor is no role", "pass the role's name: 'auditor'")
        })
}

/// Gives a role what an auditor needs, of all chains or of one, and tells by a warning what else it could
/// change.
///
/// Errors: 0LP01 for a superuser, and for a role that cannot be kept to one chain; 42501 where the caller
/// may not grant what is needed; 42704 for a chain that does not exist; 22023 for what cannot be a setting,
/// or for a chain and a setting at once.
#[pg_extern(sql = false)]
pub(super) fn grant_chain_auditor(
    auditor: Option<pg_sys::Oid>,
    chain: Option<TextArg>,
    chain_setting: Option<TextArg>,
) {
    let text = |argument: Option<TextArg>| argument.map(|text| text.as_str().into_owned());
    let (chain, setting) = (text(chain), text(chain_setting));
    let scope = match (&chain, &setting) {
        (None, None) => Scope::Whole,
        (Some(chain), None) => Scope::Chain(chain),
        (None, Some(setting)) => Scope::Setting(setting),
        (Some(chain), Some(setting)) => Failure::InvalidValue.raise(
            format!("both chain \"{chain:.100}\" and chain_setting \"{setting:.100}\" are given"),
            "give the chain's name, or the setting that will have it",
        ),
    };
    auditor::grant(expect_role(auditor), scope);
}

/// Takes from a role what [`grant_chain_auditor`] gives.
#[pg_extern(sql = false)]
fn revoke_auditor(auditor: Option<pg_sys::Oid>) {
    auditor::revoke(expect_role(auditor));
}
