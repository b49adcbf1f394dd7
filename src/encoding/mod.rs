//! Binary jsonb and numeric, and JSON text, in safe code.

pub mod embedded;
pub mod json;
pub mod jsonb;
pub mod jsonb_read;
pub mod numeric;
pub mod sink;
