//! Values that outlive the row that they were read from.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::values::Values;
use super::varlena::Varlena;

/// A value of whatever type, copied.
pub struct OwnedValue(Content);

enum Content {
    Plain(pg_sys::Datum),
    /// Bytes that the datum refers to, aligned.
    Bytes(Box<[u64]>),
}

impl OwnedValue {
    /// A value, valid while `self` lives.
    pub fn datum(&self) -> pg_sys::Datum {
        match &self.0 {
            Content::Plain(datum) => *datum,
            Content::Bytes(bytes) => pg_sys::Datum::from(bytes.as_ptr()),
        }
    }
}

impl Values<'_> {
    /// A copy of a value as it lies, uncompressed; `None` is NULL.
    pub fn owned(&self, at: usize) -> Option<OwnedValue> {
        let datum = self.datum(at)?;
        let form = self.attribute(at);
        // SAFETY: a non-null value of the column, whose type has this length.
        let content = unsafe { copied(datum, form.attbyval, form.attlen) };
        Some(OwnedValue(content))
    }
}

/// # Safety
/// `datum` is a valid non-null value of a type of this length.
unsafe fn copied(datum: pg_sys::Datum, by_value: bool, length: i16) -> Content {
    if by_value {
        return Content::Plain(datum);
    }
    // SAFETY: the caller's; a varlena is taken apart from its toasted form first, and its bytes are
    // copied before that is freed.
    unsafe {
        match length {
            -1 => {
                let whole = Varlena::packed(datum);
                let start = whole.as_ptr().cast::<u8>().cast_const();
                let size = pgrx::varlena::varsize_any(start.cast());
                Content::Bytes(words(std::slice::from_raw_parts(start, size)))
            }
            -2 => {
                let text = CStr::from_ptr(datum.cast_mut_ptr());
                Content::Bytes(words(text.to_bytes_with_nul()))
            }
            _ => {
                let start = datum.cast_mut_ptr::<u8>().cast_const();
                let size = length.max(0) as usize;
                Content::Bytes(words(std::slice::from_raw_parts(start, size)))
            }
        }
    }
}

/// Bytes at an address that suits every type.
fn words(bytes: &[u8]) -> Box<[u64]> {
    bytes
        .chunks(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        })
        .collect()
}
