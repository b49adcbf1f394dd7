//! The part of auditspine that knows no PostgreSQL: canonical JSON (RFC 8785 with exact numbers),
//! the formulas of a chain entry, the state machine that verifies chains, and the judgement of signed
//! evidence.
//!
//! Nothing here does I/O; the extension in `src/` feeds it bytes and decoded rows.
#![forbid(unsafe_code)]

pub mod adopted;
pub mod canonical;
pub mod digits;
pub mod dsse;
pub mod entry;
pub mod finding;
pub mod hash;
pub mod key_index;
pub mod order;
pub mod phrase;
pub mod publication;
pub mod rows;
pub mod shared_heads;
pub mod short_text;
pub mod spine;
pub mod time;
pub mod verify;
pub mod versions;
