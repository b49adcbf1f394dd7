//! ProofSpines in the database.

pub mod verify;
