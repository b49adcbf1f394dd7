//! Canonical JSON: RFC 8785 (JCS), with numbers that a double cannot hold written exactly.

mod error;
mod lossless;
mod number;
mod numeral;
mod order;
pub(crate) mod reader;
pub mod storable;
mod string;
mod text;

pub use error::{TextError, TextErrorKind};
pub use lossless::{fraction_digits, reads_like_other_json};
pub use number::{
    Numbers, write_base10000, write_base10000_scaled, write_decimal, write_f32, write_f64,
};
pub use string::{cmp_utf16, utf16_prefix, write_string, write_string_content};
pub use text::{canonical_text, canonicalize};
