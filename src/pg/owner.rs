//! Acting as the extension's owner, or a table's, for what callers may have done but not do themselves.

use pgrx::pg_sys;

use super::relation::OpenRelation;
use super::state::state;

/// Restores the user however the work ends; after an ERROR PostgreSQL does so itself as well.
struct Restore(pg_sys::Oid, i32);

impl Drop for Restore {
    fn drop(&mut self) {
        // SAFETY: both values were read from the backend before.
        unsafe { pg_sys::SetUserIdAndSecContext(self.0, self.1) };
    }
}

/// Runs `f` as a user, in a context that keeps `f` from becoming another one.
fn as_user<R>(user: pg_sys::Oid, added: u32, f: impl FnOnce() -> R) -> R {
    // SAFETY: plain values of this backend, restored when `f` ends.
    let _restore = unsafe {
        let (mut before, mut context) = (pg_sys::InvalidOid, 0);
        pg_sys::GetUserIdAndSecContext(&mut before, &mut context);
        pg_sys::SetUserIdAndSecContext(user, context | added as i32);
        Restore(before, context)
    };
    f()
}

fn owner_of(table: &OpenRelation) -> pg_sys::Oid {
    // SAFETY: rd_rel of an open relation is set.
    unsafe { (*(*table.raw()).rd_rel).relowner }
}

/// Runs `f` as the owner of a table, in a security-restricted operation: types and operators of the
/// table's may run code of its owner's, which is not to have the caller's rights.
pub fn as_table_owner<R>(table: &OpenRelation, f: impl FnOnce() -> R) -> R {
    as_user(owner_of(table), pg_sys::SECURITY_RESTRICTED_OPERATION, f)
}

/// Runs `f` as the owner of a table, as foreign keys do their work: triggers that `f` fires may be
/// deferred, which a security-restricted operation would not let be.
pub fn as_table_owner_writing<R>(table: &OpenRelation, f: impl FnOnce() -> R) -> R {
    as_user(owner_of(table), pg_sys::SECURITY_LOCAL_USERID_CHANGE, f)
}

/// Runs `f` with the rights of the extension's owner. `f` runs no statement that the caller wrote.
pub fn as_owner<R>(f: impl FnOnce() -> R) -> R {
    let lock = pg_sys::AccessShareLock;
    let table = OpenRelation::table(state().audit_chain, lock).briefly(lock);
    as_user(owner_of(&table), pg_sys::SECURITY_LOCAL_USERID_CHANGE, f)
}
