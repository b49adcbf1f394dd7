//! Chains of the older shape, which PL/pgSQL triggers write: one table with `seq`, `event_hash`,
//! `prev_hash` and `chain_hash`, where
//!
//! ```text
//! chain_hash = SHA-256(prev_hash || event_hash || seq)
//! prev_hash  = chain_hash of the row before
//! ```
//!
//! They differ in how that is written down; which [`Variant`] a table has is found out from its first
//! rows. [`Audit`] then goes through all rows in the order of `seq` and tells every [`Break`]; what
//! it has seen is summed up in [`Summary`], for the entry that anchors the chain.
//! [`Comparison`] holds a later pass against such an anchor, segment by segment.

mod anchor;
mod audit;
mod row;
mod variant;

pub use anchor::{Anchor, Change, ChangeKind, Comparison, Segment, Segments};
pub use audit::{Audit, Break, BreakKind, MAX_LISTED, Summary};
pub use row::Row;
pub use variant::{Genesis, Input, SeqForm, Storage, Variant};
