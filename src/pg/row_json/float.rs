//! Floating-point numbers with the digits that PostgreSQL prints.
//!
//! PostgreSQL and ECMAScript both print the shortest digits that read back as the same number, but
//! where these lie exactly half-way to the next number, PostgreSQL takes longer ones: 1e23 is
//! 9.999999999999999e+22. That happens only where neighbours are more than 1 apart. `to_jsonb` has
//! PostgreSQL's digits, so rows have them too.

use std::ffi::{c_char, c_int};

use auditspine_core::canonical::{Numbers, write_decimal, write_f32, write_f64};
use auditspine_core::hash::Sink;

// common/shortest_dec.h, which the bindings leave out. Neither allocates nor raises.
unsafe extern "C" {
    /// Writes at most `DOUBLE_SHORTEST_DECIMAL_LEN` bytes with a NUL, and returns their number
    /// without it.
    fn double_to_shortest_decimal_buf(value: f64, result: *mut c_char) -> c_int;
    fn float_to_shortest_decimal_buf(value: f32, result: *mut c_char) -> c_int;
}

const BUFFER: usize = 32;

/// Writes a finite double.
pub fn write_float8<S: Sink>(value: f64, out: &mut S) {
    const DENSE: f64 = 9_007_199_254_740_992.0;
    if value.abs() <= DENSE {
        return write_f64(value, out);
    }
    let mut buffer = [0u8; BUFFER];
    // SAFETY: DOUBLE_SHORTEST_DECIMAL_LEN is 25.
    let len = unsafe { double_to_shortest_decimal_buf(value, buffer.as_mut_ptr().cast()) };
    write_printed(&buffer[..(len as usize).min(BUFFER)], out);
}

/// Writes a finite single-precision number.
pub fn write_float4<S: Sink>(value: f32, out: &mut S) {
    const DENSE: f32 = 16_777_216.0;
    if value.abs() <= DENSE {
        return write_f32(value, out);
    }
    let mut buffer = [0u8; BUFFER];
    // SAFETY: FLOAT_SHORTEST_DECIMAL_LEN is 16.
    let len = unsafe { float_to_shortest_decimal_buf(value, buffer.as_mut_ptr().cast()) };
    write_printed(&buffer[..(len as usize).min(BUFFER)], out);
}

/// Writes, canonically, a finite number beyond 1 as printed: `-1.25e+30`, `123`.
fn write_printed<S: Sink>(text: &[u8], out: &mut S) {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut digits = [0; BUFFER];
    let (mut count, mut exponent, mut after_point) = (0, 0, false);
    let mut rest = text.iter();
    for byte in rest.by_ref().take_while(|byte| **byte != b'e') {
        if *byte == b'.' {
            after_point = true;
            continue;
        }
        digits[count] = *byte;
        count += 1;
        exponent -= i64::from(after_point);
    }
    exponent += rest
        .filter(|byte| byte.is_ascii_digit())
        .fold(0, |all, digit| 10 * all + i64::from(digit - b'0'));
    write_decimal(negative, &digits[..count], exponent, Numbers::Exact, out);
}
