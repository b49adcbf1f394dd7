//! PostgreSQL's heavyweight locks: on relations, on transactions, and advisory ones of classes that SQL's
//! advisory locks never use. Which are taken when, and in which order, is their users' to say.

use pgrx::pg_sys;

const EXCLUSIVE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

/// An advisory lock: two numbers and a class, which SQL's advisory locks never use from 3 on.
#[derive(Clone, Copy)]
pub struct AdvisoryLock(pg_sys::LOCKTAG);

impl AdvisoryLock {
    /// The lock of these numbers in this database.
    pub fn new(field2: u32, field3: u32, class: u16) -> AdvisoryLock {
        AdvisoryLock(pg_sys::LOCKTAG {
            // SAFETY: a plain global, set when the backend connects.
            locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
            locktag_field2: field2,
            locktag_field3: field3,
            locktag_field4: class,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        })
    }

    /// Takes the lock for the rest of the transaction, waiting for it.
    pub fn acquire(&self) {
        self.take(false, false);
    }

    /// Takes the lock for the rest of the transaction; false if another session has it.
    pub fn try_acquire(&self) -> bool {
        self.take(false, true)
    }

    /// Takes the lock for the rest of the transaction, waiting [`at_most`] so long.
    pub fn acquire_within(&self, limit: i32) -> bool {
        let lock = *self;
        at_most(limit, move || lock.acquire())
    }

    /// Takes the lock for the session; false if another session has it.
    pub fn try_acquire_for_session(&self) -> bool {
        self.take(true, true)
    }

    /// Gives a lock of the transaction back.
    pub fn release(&self) {
        self.give_back(false);
    }

    /// Gives a lock of the session back.
    pub fn release_for_session(&self) {
        self.give_back(true);
    }

    fn take(&self, session: bool, dont_wait: bool) -> bool {
        // SAFETY: the tag is filled; the lock is released with the transaction or session.
        let result = unsafe { pg_sys::LockAcquire(&self.0, EXCLUSIVE, session, dont_wait) };
        result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }

    fn give_back(&self, session: bool) {
        // SAFETY: the tag is filled. Releasing a lock raises nothing, so it may be done while an ERROR is on
        // its way; of one that is not held there is a warning.
        unsafe {
            pg_sys::LockRelease(&self.0, EXCLUSIVE, session);
        }
    }
}

/// The setting `lock_timeout`, in milliseconds; 0 is without limit.
pub fn timeout() -> i32 {
    // SAFETY: a plain global of this backend.
    unsafe { pg_sys::LockTimeout }
}

/// Restores `lock_timeout` however the wait ends.
pub struct LockTimeoutGuard(i32);

impl LockTimeoutGuard {
    /// Until dropped, each wait for a lock of PostgreSQL's ends with 55P03 after so many milliseconds; 0 is
    /// without limit.
    pub fn set(limit: i32) -> LockTimeoutGuard {
        let before = timeout();
        // SAFETY: a plain global that this backend alone uses.
        unsafe { pg_sys::LockTimeout = limit };
        LockTimeoutGuard(before)
    }

    /// As [`LockTimeoutGuard::set`], unless the waits are limited to less already.
    pub fn lower(limit: i32) -> LockTimeoutGuard {
        let before = timeout();
        let longer = limit == 0 || (before > 0 && before <= limit);
        LockTimeoutGuard::set(if longer { before } else { limit })
    }
}

impl Drop for LockTimeoutGuard {
    fn drop(&mut self) {
        // SAFETY: a plain global that this backend alone uses.
        unsafe { pg_sys::LockTimeout = self.0 };
    }
}

/// Does `wait`, which waits for a lock of PostgreSQL's, up to `limit` milliseconds (0: without limit);
/// false if that was not enough. `statement_timeout` does not cover a commit. A shorter `lock_timeout` of
/// the user stays in force, with PostgreSQL's own error.
pub fn at_most(
    limit: i32,
    wait: impl FnOnce() + std::panic::UnwindSafe + std::panic::RefUnwindSafe,
) -> bool {
    let user_limit = timeout();
    if limit == 0 || (user_limit > 0 && user_limit <= limit) {
        wait();
        return true;
    }
    let guard = LockTimeoutGuard::set(limit);
    let done = pgrx::PgTryBuilder::new(move || {
        wait();
        true
    })
    .catch_when(pgrx::PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE, |_| false)
    .execute();
    drop(guard);
    done
}

/// Waits until a transaction, or a part of one, is over.
pub fn wait_for_transaction(xid: pg_sys::TransactionId) {
    // SAFETY: waits for a transaction by its number; told of no table, it adds nothing to errors.
    unsafe {
        pg_sys::XactLockTableWait(
            xid,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            pg_sys::XLTW_Oper::XLTW_None,
        );
    }
}

/// Locks a relation, of which there need be none, for the rest of the transaction.
pub fn lock_relation(oid: pg_sys::Oid, mode: u32) {
    // SAFETY: any oid can be locked; it is the transaction's lock.
    unsafe { pg_sys::LockRelationOid(oid, mode as pg_sys::LOCKMODE) };
}

/// As [`lock_relation`], without waiting; false if another session has a lock in the way.
pub fn try_lock_relation(oid: pg_sys::Oid, mode: u32) -> bool {
    // SAFETY: as above.
    unsafe { pg_sys::ConditionalLockRelationOid(oid, mode as pg_sys::LOCKMODE) }
}

/// Gives the lock back.
pub fn unlock_relation(oid: pg_sys::Oid, mode: u32) {
    // SAFETY: of a lock that is not held there is a warning.
    unsafe { pg_sys::UnlockRelationOid(oid, mode as pg_sys::LOCKMODE) };
}
