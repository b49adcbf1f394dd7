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
/// that ran when it was taken, or that began since. What was rolled back counts for nothing.
pub fn oldest_unseen() -> u64 {
    let next = next_transaction_id();
    let full = |xid: &pg_sys::TransactionId| {
        next.saturating_sub(u64::from((next as u32).wrapping_sub(xid.into_inner())))
    };
    // SAFETY: a snapshot is active; it lists as many running transactions as it says, all of them before `next`, and
    // never this one.
    let (running, beyond) = unsafe {
        let snapshot = &*pg_sys::GetActiveSnapshot();
        let running: &[pg_sys::TransactionId] = match snapshot.xcnt {
            0 => &[],
            count => std::slice::from_raw_parts(snapshot.xip, count as usize),
        };
        (running.iter().map(full).min(), full(&snapshot.xmax))
    };
    // From xmax on nothing is listed, this transaction included.
    let is_none = |xid: &u64| {
        let xid = pg_sys::TransactionId::from(*xid as u32);
        // SAFETY: looks up what became of an id that was given.
        unsafe {
            pg_sys::TransactionIdIsCurrentTransactionId(xid) || pg_sys::TransactionIdDidAbort(xid)
        }
    };
    let unlisted = (beyond..next)
        .take(MOST_UNLISTED)
        .take_while(is_none)
        .count() as u64;
    let unlisted = beyond + unlisted;
    running.map_or(unlisted, |oldest| oldest.min(unlisted))
}

/// So many ids that no snapshot lists are looked at.
const MOST_UNLISTED: usize = 100_000;
