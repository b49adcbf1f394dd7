//! Locks on single rows of a table, as they are.

use pgrx::pg_sys;

use super::heap::{Slot, Tuple};
use super::relation::OpenRelation;

/// What came of trying to lock a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowLock {
    /// It is locked to the end of the transaction, and the version that was shown is the newest.
    Had,
    /// Somebody is changing it, or has changed it.
    Busy,
    /// It is deleted.
    Gone,
}

/// Locks rows of one table.
pub struct RowLocker {
    slot: Slot,
    table: OpenRelation,
}

impl RowLocker {
    /// Of a table that is open already, or another reference to it.
    pub fn new(table: OpenRelation) -> RowLocker {
        RowLocker {
            slot: Slot::new(&table),
            table,
        }
    }

    /// Locks a row version of the table FOR SHARE, if it is the newest. Without `wait`, a lock that somebody has
    /// is not waited for.
    pub fn share(&mut self, tuple: &Tuple<'_>, wait: bool) -> RowLock {
        use pg_sys::LockWaitPolicy::{LockWaitBlock, LockWaitSkip};
        use pg_sys::TM_Result;
        assert_eq!(tuple.table(), self.table.oid());
        let policy = if wait { LockWaitBlock } else { LockWaitSkip };
        // SAFETY: the tuple is one of the table, and so has a place there; it was read under the snapshot that is
        // active. Without following the row to newer versions, nothing is waited for but this version's lock, and
        // that only if asked to.
        unsafe {
            let mut place = tuple.tid();
            let mut failure: pg_sys::TM_FailureData = std::mem::zeroed();
            let result = pg_sys::table_tuple_lock(
                self.table.raw(),
                &mut place,
                pg_sys::GetActiveSnapshot(),
                self.slot.raw(),
                pg_sys::GetCurrentCommandId(false),
                pg_sys::LockTupleMode::LockTupleShare,
                policy,
                0,
                &mut failure,
            );
            pg_sys::ExecClearTuple(self.slot.raw());
            match result {
                TM_Result::TM_Ok => RowLock::Had,
                TM_Result::TM_Deleted | TM_Result::TM_Invisible => RowLock::Gone,
                _ => RowLock::Busy,
            }
        }
    }
}
