//! The tests of the library from outside, each file by its topic; in one program, which is linked and stored once.

mod adopted;
mod canonical_numbers;
mod canonical_properties;
mod canonical_shapes;
mod canonical_text;
mod catalogue;
mod dsse;
mod encoding;
mod format_example;
mod format_spine;
mod jcs_vectors;
mod key_index;
mod publication;
mod rows;
mod shared_heads;
mod signer;
mod spine;
mod verify;
mod versions;
