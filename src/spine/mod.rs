//! ProofSpines in the database.

pub mod build;
pub mod schema;
pub mod triggers;
pub mod verify;
