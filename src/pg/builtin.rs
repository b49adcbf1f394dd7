//! Calls of PostgreSQL's own functions, by their C symbols.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;

use super::memory::ScratchContext;
use super::subtransaction::is_verdict_code;
use super::varlena::Varlena;

/// jsonb of canonical JSON text, in the current memory context.
pub fn jsonb_of(canonical: &[u8]) -> pg_sys::Datum {
    let mut text = Vec::with_capacity(canonical.len() + 1);
    text.extend_from_slice(canonical);
    text.push(0);
    // SAFETY: jsonb_in reads a NUL-terminated string; it returns a palloc'd value or raises.
    let jsonb = unsafe {
        pgrx::direct_function_call_as_datum(
            pg_sys::jsonb_in,
            &[Some(pg_sys::Datum::from(text.as_ptr()))],
        )
    };
    jsonb.unwrap_or_else(|| crate::error::broken("jsonb_in returned null".to_owned()))
}

/// The content of that jsonb, without its header.
pub fn jsonb_content(canonical: &[u8]) -> Vec<u8> {
    // SAFETY: a value that was made just now.
    unsafe { Varlena::packed(jsonb_of(canonical)) }.to_vec()
}

/// Longer texts are no values of PostgreSQL's.
const LONGEST: usize = 0x3fff_ffff;

/// Why canonical JSON text cannot be stored as jsonb, in PostgreSQL's words; `None` if it can.
pub fn jsonb_problem(canonical: &[u8]) -> Option<String> {
    if canonical.len() >= LONGEST {
        return Some(format!("its JSON has {} bytes", canonical.len()));
    }
    // It takes nothing but memory, which goes with the transaction.
    let _scratch = ScratchContext::enter();
    let outcome = pgrx::PgTryBuilder::new(AssertUnwindSafe(|| {
        jsonb_of(canonical);
        None
    }))
    .catch_others(|raised| Some(Box::new(raised)))
    .execute();
    match *outcome? {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)
            if is_verdict_code(report.sql_error_code()) =>
        {
            let detail = report.detail().map(|detail| format!(" ({detail})"));
            Some(format!(
                "{}{}",
                report.message(),
                detail.unwrap_or_default()
            ))
        }
        other => other.rethrow(),
    }
}

/// numeric of a plain decimal number; `None` if it is none.
pub fn numeric_of(number: &[u8]) -> Option<pg_sys::Datum> {
    let mut text = number.to_vec();
    text.push(0);
    let arguments = [
        Some(pg_sys::Datum::from(text.as_ptr())),
        Some(pg_sys::Datum::from(pg_sys::InvalidOid)),
        Some(pg_sys::Datum::from(-1)),
    ];
    // SAFETY: numeric_in reads a NUL-terminated string, here a plain number, and a modifier.
    unsafe { pgrx::direct_function_call_as_datum(pg_sys::numeric_in, &arguments) }
}
