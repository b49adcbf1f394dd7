//! Verification: links, rows, adopted chains, and all of it as a routine.

pub mod adopted;
pub mod all;
mod check_batch;
pub mod history;
mod kept;
pub mod links;
pub mod rows;
