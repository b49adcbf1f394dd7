//! Chains, and the early flush. SQL: sql/append.sql.

use pgrx::prelude::*;

use crate::ledger::{chains, flush};

/// Creates an audit chain with 1 to 256 lanes and returns its number.
///
/// Errors: 42710 if the name is taken, 22023 for a name or number of lanes that is not allowed.
#[pg_extern(sql = false)]
fn create_chain(name: &str, lanes: i32) -> i32 {
    chains::create(name.as_bytes(), lanes)
}

/// Links this transaction's pending events now rather than at its commit, and returns how many. The
/// lanes they went to are held until the transaction ends.
#[pg_extern(sql = false)]
fn audit_flush() -> i64 {
    flush::flush().0 as i64
}
