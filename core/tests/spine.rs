//! Spines: built by the formulas, damaged in every way, and judged.

mod random;
mod status;
mod structure;
mod support;
