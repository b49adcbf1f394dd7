//! Heads published outside of the database: their lines, and what a database says of them.
//!
//! A line is the canonical JSON of one head, then a line feed:
//!
//! ```text
//! {"chain":"main","chain_hash":"<64 hex>","lane":0,"pos":"7","published_at":"2026-11-20T23:57:42.123456Z","seq":"12","v":1}
//! ```
//!
//! Reading, any JSON object with exactly these members will do, so that lines may go through systems
//! that write JSON in their own way; what the members hold is read strictly.
//!
//! - [`Published`]: one head; [`Published::write`] and [`Published::parse`].
//! - [`Lines`]: lines out of pieces of a file, in bounded memory.
//! - [`Judge`]: holds lines against [`Facts`] of a database, and tells [`Finding`]s.

mod finding;
mod judge;
mod line;
mod lines;

pub use finding::{Finding, FindingKind, Summary};
pub use judge::{Facts, Judge, StoredEntry};
pub use line::{MAX_LINE, Malformed, Published, VERSION};
pub use lines::Lines;
