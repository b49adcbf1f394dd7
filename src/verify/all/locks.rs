//! The locks on a table that is to be verified. Whoever holds one on a table, its owner for one, is not to keep
//! the others from being verified: tables that are free come first, the rest is waited for so long and no
//! longer.

use std::time::Instant;

use pgrx::pg_sys;

use crate::capture::audited;
use crate::pg::lock::{LockTimeoutGuard, lock_relation, try_lock_relation, unlock_relation};
use crate::pg::table;

const LOCK: u32 = pg_sys::AccessShareLock;

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
        lock_relation(oid, LOCK);
    };
    wait(table);
    audited::members_if(table, &mut |partition| {
        wait(partition);
        is_there(partition)
    });
}

fn conditionally(oid: pg_sys::Oid) -> bool {
    try_lock_relation(oid, LOCK)
}

/// Whether a partition that was locked just now still exists; if not, the lock is given back.
fn is_there(partition: pg_sys::Oid) -> bool {
    let exists = table::exists(partition);
    if !exists {
        unlock_relation(partition, LOCK);
    }
    exists
}
