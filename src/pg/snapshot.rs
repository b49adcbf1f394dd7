//! Snapshots that are active for a scope.

use pgrx::pg_sys;

/// A snapshot of this moment (at READ COMMITTED; else that of the transaction), active while `self`
/// lives.
pub struct ActiveSnapshot(());

impl ActiveSnapshot {
    /// Takes a snapshot and makes it active.
    pub fn push() -> ActiveSnapshot {
        // SAFETY: inside a transaction; popped on drop, or by the clean-up of an ERROR.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        ActiveSnapshot(())
    }

    /// As [`ActiveSnapshot::push`], at every isolation level of this moment.
    pub fn push_latest() -> ActiveSnapshot {
        // SAFETY: as above.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        ActiveSnapshot(())
    }
}

impl Drop for ActiveSnapshot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: pushed by `push`; what was pushed since is popped.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}

/// Whether the transaction keeps its first snapshot: at REPEATABLE READ and SERIALIZABLE.
pub fn is_kept() -> bool {
    // SAFETY: a plain global of this backend.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// The next transaction id that will be given, with its epoch.
pub fn next_transaction_id() -> u64 {
    // SAFETY: reads shared state.
    unsafe { pg_sys::ReadNextFullTransactionId() }.value
}

/// The oldest transaction, other than the running one, that the active snapshot does not see as over, with its epoch: one
/// that ran when it was taken, or the first that had not begun.
pub fn oldest_unseen() -> u64 {
    let next = next_transaction_id();
    // SAFETY: a snapshot is active; it lists as many running transactions as it says, all of them before `next`.
    let oldest = unsafe {
        let snapshot = &*pg_sys::GetActiveSnapshot();
        let running: &[pg_sys::TransactionId] = match snapshot.xcnt {
            0 => &[],
            count => std::slice::from_raw_parts(snapshot.xip, count as usize),
        };
        let age = |xid: &pg_sys::TransactionId| (next as u32).wrapping_sub(xid.into_inner());
        let ages = running.iter().chain([&snapshot.xmax]).map(age);
        u64::from(ages.max().unwrap_or(0))
    };
    next.saturating_sub(oldest)
}
