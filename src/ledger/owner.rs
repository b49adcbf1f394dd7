//! Acting as the extension's owner, or a table's, for what callers may have done but not do themselves.

use pgrx::pg_sys;

use crate::ledger::catalog::state;
use crate::pg::privilege::as_user;
use crate::pg::relation::OpenRelation;

/// Runs `f` as the owner of a table, in a security-restricted operation: types and operators of the
/// table's may run code of its owner's, which is not to have the caller's rights.
pub fn as_table_owner<R>(table: &OpenRelation, f: impl FnOnce() -> R) -> R {
    as_user(table.owner(), pg_sys::SECURITY_RESTRICTED_OPERATION, f)
}

/// Runs `f` as the owner of a table, as foreign keys do their work: triggers that `f` fires may be
/// deferred, which a security-restricted operation would not let be.
pub fn as_table_owner_writing<R>(table: &OpenRelation, f: impl FnOnce() -> R) -> R {
    as_user(table.owner(), pg_sys::SECURITY_LOCAL_USERID_CHANGE, f)
}

/// Runs `f` with the rights of the extension's owner. `f` runs no statement that the caller wrote.
pub fn as_owner<R>(f: impl FnOnce() -> R) -> R {
    let lock = pg_sys::AccessShareLock;
    let table = OpenRelation::table(state().audit_chain, lock).briefly(lock);
    as_user(table.owner(), pg_sys::SECURITY_LOCAL_USERID_CHANGE, f)
}
