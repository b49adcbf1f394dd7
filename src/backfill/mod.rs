//! Recording the rows that a table held before it was attached.

pub mod progress;
