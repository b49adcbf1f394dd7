//! Rows of audited tables and their entries, as verification reads them.

pub mod entries;
pub mod leaf;
pub mod lookup;
