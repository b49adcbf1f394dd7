//! One row of a chain of the older shape.

use crate::hash::Hash;

/// A row, as it is stored; `None` for null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number; null counts as the largest.
    pub seq: i64,
    /// `prev_hash`: bytes of a bytea, or the text.
    pub prev: Option<Vec<u8>>,
    /// `event_hash`.
    pub event: Option<Vec<u8>>,
    /// `chain_hash`.
    pub chain: Option<Vec<u8>>,
    /// SHA-256 of the canonical JSON of the whole row, as far as it belongs to the chain.
    pub content: Hash,
}
