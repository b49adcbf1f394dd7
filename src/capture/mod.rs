//! How changes of rows become events: what is recorded of a table, and the trigger that records it.

pub mod audited;
pub mod declaration;
pub mod event;
pub mod existing_rows;
pub mod layouts;
pub mod restate;
pub mod row_spec;
pub mod trigger;
pub mod truncate;
pub mod upon;
