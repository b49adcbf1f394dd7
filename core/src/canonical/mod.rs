//! Canonical JSON: RFC 8785 (JCS), with numbers that a double cannot hold written exactly.

mod string;

pub use string::{cmp_utf16, write_string, write_string_content};
