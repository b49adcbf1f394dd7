//! The chains: their state, appending to them, and reading them as they are stored.

pub mod append_event;
pub mod attribution;
pub mod buffer;
pub mod catalog;
pub mod chains;
pub mod dropping;
pub mod evidence;
pub mod extent;
pub mod flush;
pub mod foreign_code;
pub mod head;
pub mod heads;
pub mod lane;
pub mod lane_scan;
pub mod order;
pub mod owner;
pub mod raw_tuple;
pub mod replicated;
pub mod scan;
pub mod snapshot;
pub mod stored_entry;
pub mod system_entry;
pub mod text_rows;
pub mod visibility;
