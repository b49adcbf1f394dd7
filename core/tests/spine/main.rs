//! Spines: built by the formulas, damaged in every way, and judged.

mod random;
#[path = "../signer/mod.rs"]
mod signer;
mod status;
mod structure;
mod support;
