//! Which chains the current user may verify.
//!
//! PostgreSQL's row-level security on auditspine.chain decides, by the policies that `grant_auditor()`
//! makes there. What reads entries without SQL asks here, so that both always agree.

use std::collections::HashMap;
use std::ffi::CStr;

use pgrx::pg_sys;

use crate::error::Failure;
use crate::ledger::catalog::state;
use crate::pg::{privilege, query, session};

/// What the current user sees.
pub enum Sight {
    /// All chains, and entries of chains that are not there.
    Whole,
    /// These chains, by number; perhaps none.
    Of(HashMap<i32, Vec<u8>>),
}

/// Whether policies show all entries to the current user, and whether any policy is for it at all. One that
/// restricts what others show was made by hand: then only what PostgreSQL shows is known.
const POLICIES: &CStr = c"
    SELECT pg_catalog.bool_or(p.polpermissive AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) OPERATOR(pg_catalog.=) 'true')
               AND pg_catalog.bool_and(p.polpermissive),
           pg_catalog.count(*) OPERATOR(pg_catalog.>) 0
    FROM pg_catalog.pg_policy AS p
    WHERE p.polrelid OPERATOR(pg_catalog.=) $1 AND p.polcmd OPERATOR(pg_catalog.=) ANY ('{r,*}'::pg_catalog.\"char\"[])
      AND EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) AS r (oid)
                  WHERE CASE WHEN r.oid OPERATOR(pg_catalog.=) 0 THEN true
                             ELSE pg_catalog.pg_has_role(r.oid, 'USAGE') END)";
const CHAINS: &CStr = c"SELECT chain_id, name FROM ONLY auditspine.chain";

impl Sight {
    /// That of the current user; 42501 where there is row-level security, and no policy for it.
    pub fn of_caller() -> Sight {
        let state = state();
        if !privilege::is_limited(state.chain) && !privilege::is_limited(state.audit_chain) {
            return Sight::Whole;
        }
        let (mut whole, mut any) = (false, false);
        let chain = (pg_sys::OIDOID, Some(state.chain.into()));
        query::run(POLICIES, &[chain], |row| {
            let [all, some] = [0, 1].map(|at| row.bool(at).unwrap_or(false));
            (whole, any) = (all, some);
        });
        if whole {
            return Sight::Whole;
        }
        if !any {
            Failure::NoSight.raise(
                format!(
                    "role {} may not see any audit chain: auditspine.chain has row-level security, and no policy for it",
                    session::current_user_name()
                ),
                "let an administrator call grant_auditor() for this role",
            );
        }
        let mut chains = HashMap::new();
        query::run(CHAINS, &[], |row| {
            chains.extend(row.int4(0).zip(row.bytes(1)));
        });
        Sight::Of(chains)
    }

    /// Whether nothing is hidden.
    pub fn is_whole(&self) -> bool {
        matches!(self, Sight::Whole)
    }

    /// Whether a chain is seen.
    pub fn sees(&self, chain_id: i32) -> bool {
        match self {
            Sight::Whole => true,
            Sight::Of(chains) => chains.contains_key(&chain_id),
        }
    }
}

/// Raises 42501 unless the current user sees all chains; for what cannot be told of some of them.
pub fn expect_whole(what: &str) {
    if !Sight::of_caller().is_whole() {
        Failure::NoSight.raise(
            format!(
                "{what} takes entries of all chains, and role {} may see only some",
                session::current_user_name()
            ),
            "call verify_chain(), verify_table() or audit_history(), which tell of what this role may see",
        );
    }
}
