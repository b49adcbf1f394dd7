//! ProofSpines in the database.

pub mod verify;
pub mod build;
pub mod schema;
pub mod triggers;
