//! Acting as the extension's owner, for what callers may have done but not do themselves.

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

/// Runs `f` as the owner of a table, in a security-restricted operation: types and operators of the
/// table's may run code of its owner's, which is not to have the caller's rights.
pub fn as_table_owner<R>(table: &OpenRelation, f: impl FnOnce() -> R) -> R {
    // SAFETY: rd_rel of an open relation is set; the others are plain values of this backend.
    let _restore = unsafe {
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        pg_sys::SetUserIdAndSecContext(
            (*(*table.raw()).rd_rel).relowner,
            context | pg_sys::SECURITY_RESTRICTED_OPERATION as i32,
        );
        Restore(user, context)
    };
    f()
}

/// Runs `f` with the rights of the extension's owner. `f` runs no statement that the caller wrote.
pub fn as_owner<R>(f: impl FnOnce() -> R) -> R {
    let lock = pg_sys::AccessShareLock;
    let table = OpenRelation::table(state().audit_chain, lock).briefly(lock);
    // SAFETY: rd_rel of an open relation is set; the others are plain values of this backend.
    let _restore = unsafe {
        let owner = (*(*table.raw()).rd_rel).relowner;
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        pg_sys::SetUserIdAndSecContext(
            owner,
            context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32,
        );
        Restore(user, context)
    };
    f()
}
