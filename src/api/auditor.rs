//! The role of an auditor. SQL: sql/0.2.0/70-auditor.sql.

use pgrx::prelude::*;

use crate::auditor;
use crate::error::Failure;

fn expect_role(auditor: Option<pg_sys::Oid>) -> pg_sys::Oid {
    auditor
        .filter(|role| *role != pg_sys::InvalidOid)
        .unwrap_or_else(|| {
            Failure::NullElement.raise("the auditor is no role", "pass the role's name: 'auditor'")
        })
}

/// Gives a role what an auditor needs, and tells by a warning what else it could change.
///
/// Errors: 0LP01 for a superuser, 42501 where the caller may not grant what is needed.
#[pg_extern(sql = false)]
fn grant_auditor(auditor: Option<pg_sys::Oid>) {
    auditor::grant(expect_role(auditor));
}

/// Takes from a role what [`grant_auditor`] gives.
#[pg_extern(sql = false)]
fn revoke_auditor(auditor: Option<pg_sys::Oid>) {
    auditor::revoke(expect_role(auditor));
}
