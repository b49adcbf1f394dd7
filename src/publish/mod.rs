//! Heads of lanes, published outside of the database and checked against it.

pub mod file;
pub mod file_list;
pub mod sink;
pub mod verify;
pub mod write;
