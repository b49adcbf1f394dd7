//! A part of a run that cannot be verified must not hide the others: the ERROR that says so becomes a
//! finding. Otherwise whoever breaks one table, or an index, would blind the whole routine.

use auditspine_core::finding::{Layer, NotVerified};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;

use crate::pg::lock::LockTimeoutGuard;
use crate::pg::subtransaction::{attempt, class, is_verdict_code};
use crate::settings;
use crate::verify::all::Line;
use crate::verify::all::breaks::Break;
use crate::verify::all::locks;
use crate::verify::all::run_log::Run;

/// Why it was not, if a lock was not to be had.
const LOCKED: &str = "another session has locked it for longer than auditspine.verify_lock_timeout, or lock_timeout, allows to wait";

/// What became of the part of a run that is about one table.
pub enum Outcome<R> {
    /// It was verified.
    Done(R),
    /// Another session holds a lock on it, and it was not waited for.
    Busy,
    /// It could not be verified, for this reason.
    Failed(String),
}

/// Runs a part of a run. If it fails in a way that says something of what it verifies, all that it told is
/// taken back, and the ERROR's message returned.
pub fn guarded<R>(run: &mut Run, part: impl FnOnce(&mut Run) -> R) -> Result<R, String> {
    match attempted(run, |run| Ok(part(run))) {
        Outcome::Done(done) => Ok(done),
        Outcome::Failed(message) => Err(message),
        Outcome::Busy => unreachable!("nothing was to be locked"),
    }
}

/// As [`guarded`], for a part that reads one table, and waits for locks on it no longer than
/// `auditspine.verify_lock_timeout`; if `wait` is false, not at all for those on the table itself and its
/// partitions.
pub fn of_table<R>(
    run: &mut Run,
    table: pg_sys::Oid,
    wait: bool,
    part: impl FnOnce(&mut Run) -> R,
) -> Outcome<R> {
    let limit = settings::verify_lock_timeout();
    attempted(run, |run| {
        if wait {
            locks::within(table, limit);
        } else if !locks::at_once(table) {
            return Err(IsLocked);
        }
        // Those on its indexes.
        let _waits = LockTimeoutGuard::lower(limit);
        Ok(part(run))
    })
}

/// The table is locked by another session.
struct IsLocked;

fn attempted<R>(run: &mut Run, part: impl FnOnce(&mut Run) -> Result<R, IsLocked>) -> Outcome<R> {
    let before = run.mark();
    match attempt(|| part(run)) {
        Ok(Ok(done)) => Outcome::Done(done),
        Ok(Err(IsLocked)) => Outcome::Busy,
        Err(raised) => match *raised {
            CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)
                if !run.is_alerting() && is_verdict_code(report.sql_error_code()) =>
            {
                run.return_to(before);
                Outcome::Failed(
                    if report.sql_error_code() == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE {
                        LOCKED.to_owned()
                    } else {
                        told(report.sql_error_code(), report.message())
                    },
                )
            }
            other => other.rethrow(),
        },
    }
}

/// The message, unless it quotes a value: that of a row is not shown to everybody who sees alerts.
fn told(code: PgSqlErrorCode, message: &str) -> String {
    use PgSqlErrorCode::*;
    // What functions raise says whatever their authors chose.
    let quotes = class(code) == class(ERRCODE_PLPGSQL_ERROR)
        || class(code) == class(ERRCODE_DATA_EXCEPTION) && code != ERRCODE_INVALID_PARAMETER_VALUE;
    if !quotes {
        return message.to_owned();
    }
    let state: String = (0..5)
        .map(|at| char::from(b'0' + (code as i32 >> (6 * at) & 0x3f) as u8))
        .collect();
    format!("an ERROR that quotes a value, SQLSTATE {state}: verify_table() raises it")
}

/// Raises the alert for what could not be verified, and returns its line.
pub fn not_verified(layer: Layer, subject: &str, message: &str, run: &mut Run) -> Line {
    let detail = format!("{subject} could not be verified: {message}");
    let found = Break {
        table: Some(subject),
        ..Break::new(NotVerified(layer), &detail)
    };
    run.found(&found);
    Line {
        layer,
        subject: subject.to_owned(),
        checked: 0,
        findings: 1,
        first_bad_seq: None,
        detail: Some(found.sentence()),
    }
}
