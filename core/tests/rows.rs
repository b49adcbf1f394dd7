//! Rows against entries in memory: the join against a naive one, and where columns of old layouts are.

mod column_mapping;
mod join;
mod renamed;
mod restored;
