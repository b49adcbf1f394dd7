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
