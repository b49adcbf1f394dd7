//! The locks on a table that is to be verified. Whoever holds one on a table, its owner for one, is not to keep
//! the others from being verified: tables that are free come first, the rest is waited for so long and no
//! longer.

use std::time::Instant;

use pgrx::pg_sys;

use crate::pg::audited;
use crate::pg::lane::LockTimeoutGuard;
use crate::pg::table;

const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;

/// Locks a table and its partitions for reading, without waiting; false if one is locked by another
/// session. What was locked until then is given back with the subtransaction.
pub fn at_once(table: pg_sys::Oid) -> bool {
    let mut free = conditionally(table);
    if free {
        audited::members_if(table, &mut |partition| {
            free = free && conditionally(partition);
            free && is_there(partition)
        });
    }
    free
}

/// Locks a table and its partitions for reading; 55P03 if that took more than `limit` milliseconds in all, 0
/// being without limit.
pub fn within(table: pg_sys::Oid, limit: i32) {
    let begun = Instant::now();
    let wait = |oid| {
        if conditionally(oid) {
            return;
        }
        let left = (limit - i32::try_from(begun.elapsed().as_millis()).unwrap_or(i32::MAX)).max(1);
        let _waits = LockTimeoutGuard::lower(if limit == 0 { 0 } else { left });
        // SAFETY: any oid can be locked; it is the transaction's lock.
        unsafe { pg_sys::LockRelationOid(oid, LOCK) };
    };
    wait(table);
    audited::members_if(table, &mut |partition| {
        wait(partition);
        is_there(partition)
    });
}

fn conditionally(oid: pg_sys::Oid) -> bool {
    // SAFETY: any oid can be locked; it is the transaction's lock.
    unsafe { pg_sys::ConditionalLockRelationOid(oid, LOCK) }
}

/// Whether a partition that was locked just now still exists; if not, the lock is given back.
fn is_there(partition: pg_sys::Oid) -> bool {
    let exists = table::exists(partition);
    if !exists {
        // SAFETY: locked just now.
        unsafe { pg_sys::UnlockRelationOid(partition, LOCK) };
    }
    exists
}
