//! PostgreSQL's clocks, in microseconds since 2000-01-01 as a timestamptz has them.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

/// The time by the server's clock.
pub fn now() -> pg_sys::TimestampTz {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// When the current transaction began.
pub fn transaction_start() -> pg_sys::TimestampTz {
    // SAFETY: a plain value of the running transaction.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}

/// A time as an argument of a statement.
pub fn argument<'a>(time: pg_sys::TimestampTz) -> DatumWithOid<'a> {
    // SAFETY: a timestamptz is an i64 of microseconds.
    unsafe { DatumWithOid::new(time, pg_sys::TIMESTAMPTZOID) }
}

/// Commit time of the last transaction that a standby has replayed, the smallest number if there was none;
/// `None` where nothing is being replayed.
pub fn replayed_until() -> Option<pg_sys::TimestampTz> {
    // SAFETY: plain reads of shared state. The time is 0 while no commit was replayed.
    unsafe {
        pg_sys::RecoveryInProgress().then(|| match pg_sys::GetLatestXTime() {
            0 => i64::MIN,
            time => time,
        })
    }
}
