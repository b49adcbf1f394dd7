//! Work that can be taken back while the transaction goes on.

use std::panic::AssertUnwindSafe;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;

/// An ERROR that was caught, to be raised again.
pub type Raised = Box<CaughtError>;

/// What an ERROR says.
pub fn message_of(raised: &CaughtError) -> &str {
    match raised {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic {
            ereport: report, ..
        } => report.message(),
    }
}

/// Runs `f` in a subtransaction, which is rolled back if `f` returns an `Err` or raises an ERROR; the
/// latter comes back as the outer `Err`, for the caller to raise again.
///
/// Locks taken by `f` are released with a rollback, and otherwise kept to the end of the transaction.
pub fn attempt<R, E>(f: impl FnOnce() -> Result<R, E>) -> Result<Result<R, E>, Raised> {
    // SAFETY: the transaction is in order when this is called; context and resource owner are those
    // around the subtransaction, which outlive it.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let outcome = pgrx::PgTryBuilder::new(AssertUnwindSafe(|| Ok(f())))
            .catch_others(|error| Err(Box::new(error)))
            .execute();
        pg_sys::MemoryContextSwitchTo(context);
        if matches!(outcome, Ok(Ok(_))) {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        outcome
    }
}

/// Whether an ERROR that was caught says something of what was looked at.
pub fn is_verdict(raised: &CaughtError) -> bool {
    match raised {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => {
            is_verdict_code(report.sql_error_code())
        }
        CaughtError::RustPanic { .. } => false,
    }
}

/// Whether an ERROR says something of what is verified, as opposed to those that mean that the run itself
/// cannot go on: it was cancelled, or its transaction is to be repeated. Whatever else somebody may bring
/// about on a table of theirs is about that table, a deadlock or a table of too many partitions included.
pub fn is_verdict_code(code: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    let ends_the_run = class(code) == class(ERRCODE_OPERATOR_INTERVENTION)
        || class(code) == class(ERRCODE_TRANSACTION_ROLLBACK);
    !ends_the_run || code == ERRCODE_T_R_DEADLOCK_DETECTED
}

/// A SQLSTATE is five characters of six bits each, the class in the first two.
pub fn class(code: PgSqlErrorCode) -> i32 {
    code as i32 & 0xfff
}
