//! What the current user may read, and acting as another user.

use pgrx::pg_sys;

/// Whether the current user may read a table, row security aside.
pub fn may_select(table: pg_sys::Oid) -> bool {
    select(table) == pg_sys::AclResult::ACLCHECK_OK
}

/// Raises PostgreSQL's own error unless the current user may read the table.
pub fn expect_select(table: pg_sys::Oid) {
    let result = select(table);
    if result != pg_sys::AclResult::ACLCHECK_OK {
        // SAFETY: the name is palloc'd, or null if the relation is gone; raises.
        unsafe {
            let name = pg_sys::get_rel_name(table);
            pg_sys::aclcheck_error(result, pg_sys::ObjectType::OBJECT_TABLE, name);
        }
    }
}

fn select(table: pg_sys::Oid) -> pg_sys::AclResult::Type {
    // SAFETY: a privilege check on an existing relation.
    unsafe {
        pg_sys::pg_class_aclcheck(
            table,
            pg_sys::GetUserId(),
            pg_sys::ACL_SELECT as pg_sys::AclMode,
        )
    }
}

/// Whether row security limits what the current user sees of a table.
pub fn is_limited(table: pg_sys::Oid) -> bool {
    is_limited_for(table, pg_sys::InvalidOid)
}

/// The same for another user.
pub fn is_limited_for(table: pg_sys::Oid, user: pg_sys::Oid) -> bool {
    // SAFETY: a check of an existing relation.
    let result = unsafe { pg_sys::check_enable_rls(table, user, true) };
    result as u32 == pg_sys::CheckEnableRlsResult::RLS_ENABLED
}

struct Restore(pg_sys::Oid, i32);

impl Drop for Restore {
    fn drop(&mut self) {
        // SAFETY: both values were read from the backend before.
        unsafe { pg_sys::SetUserIdAndSecContext(self.0, self.1) };
    }
}

/// Runs `f` as a user, in a context that keeps `f` from becoming another one.
pub fn as_user<R>(user: pg_sys::Oid, added: u32, f: impl FnOnce() -> R) -> R {
    // SAFETY: plain values of this backend, restored when `f` ends.
    let _restore = unsafe {
        let (mut before, mut context) = (pg_sys::InvalidOid, 0);
        pg_sys::GetUserIdAndSecContext(&mut before, &mut context);
        pg_sys::SetUserIdAndSecContext(user, context | added as i32);
        Restore(before, context)
    };
    f()
}
