//! ProofSpines in the database.

pub mod build;
pub mod checks;
pub mod schema;
pub mod triggers;
pub mod verify;
