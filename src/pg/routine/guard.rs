//! A part of a run that cannot be verified must not hide the others: the ERROR that says so becomes a
//! finding. Otherwise whoever breaks one table, or an index, would blind the whole routine.

use std::convert::Infallible;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::CaughtError;

use super::Line;
use super::breaks::Break;
use super::record::Run;
use crate::pg::subtransaction::attempt;

/// Something cannot be verified: a table's declaration no longer fits it, it cannot be read, or our own
/// state is not as it was made.
const NOT_VERIFIED: &str = "not_verified";

/// Runs a part of a run. If it fails in a way that says something of what it verifies, all that it told is
/// taken back, and the ERROR's message returned.
pub fn guarded<R>(run: &mut Run, part: impl FnOnce(&mut Run) -> R) -> Result<R, String> {
    let before = run.mark();
    match attempt(|| Ok::<_, Infallible>(part(run))) {
        Ok(Ok(done)) => Ok(done),
        Err(raised) => match *raised {
            CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)
                if !run.is_alerting() && is_verdict(report.sql_error_code()) =>
            {
                run.return_to(before);
                Err(told(report.sql_error_code(), report.message()))
            }
            other => other.rethrow(),
        },
    }
}

/// The message, unless it quotes a value: that of a row is not shown to everybody who sees alerts.
fn told(code: PgSqlErrorCode, message: &str) -> String {
    let quotes = class(code) == class(PgSqlErrorCode::ERRCODE_DATA_EXCEPTION)
        && code != PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE;
    if !quotes {
        return message.to_owned();
    }
    let state: String = (0..5)
        .map(|at| char::from(b'0' + (code as i32 >> (6 * at) & 0x3f) as u8))
        .collect();
    format!("an ERROR that quotes a value, SQLSTATE {state}: verify_table() raises it")
}

/// A SQLSTATE is five characters of six bits each, the class in the first two.
fn class(code: PgSqlErrorCode) -> i32 {
    code as i32 & 0xfff
}

/// Raises the alert for what could not be verified, and returns its line.
pub fn not_verified(layer: &'static str, subject: &str, message: &str, run: &mut Run) -> Line {
    let detail = format!("{subject} could not be verified: {message}");
    let found = Break {
        layer,
        table: Some(subject),
        ..Break::new(NOT_VERIFIED, &detail)
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

/// Whether an ERROR means that something is not as it should be, as opposed to those that mean that the
/// run cannot go on: a cancelled statement, a lock not granted, no memory, a serialization failure.
fn is_verdict(code: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    let classes = [
        ERRCODE_FEATURE_NOT_SUPPORTED,
        ERRCODE_DATA_EXCEPTION,
        ERRCODE_NOT_NULL_VIOLATION,
        ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
        ERRCODE_SYNTAX_ERROR,
        ERRCODE_INTERNAL_ERROR,
    ];
    code == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
        || (classes.iter().any(|of| class(*of) == class(code))
            && code != ERRCODE_INSUFFICIENT_PRIVILEGE)
}
