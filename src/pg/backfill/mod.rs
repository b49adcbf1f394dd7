//! Rows that are read, locked and recorded batch by batch.

pub mod batch;
pub mod keyset;
