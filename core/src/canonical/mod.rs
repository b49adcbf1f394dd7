//! Canonical JSON: RFC 8785 (JCS), with numbers that a double cannot hold written exactly.

mod error;
mod number;
mod numeral;
mod order;
pub(crate) mod reader;
mod string;
mod text;

pub use error::{TextError, TextErrorKind};
pub use number::{Numbers, write_base10000, write_decimal, write_f32, write_f64};
pub use string::{cmp_utf16, utf16_prefix, write_string, write_string_content};
pub use text::{canonical_text, canonicalize};
