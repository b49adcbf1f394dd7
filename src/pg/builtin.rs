//! Calls of PostgreSQL's own functions, by their C symbols.

use pgrx::pg_sys;

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
