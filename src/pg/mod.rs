//! Everything unsafe: PostgreSQL's heap, indexes, locks, snapshots and binary formats, each behind a
//! safe face.

pub mod append;
mod arena;
mod attribution;
mod buffer;
mod callbacks;
pub mod chains;
mod entry_points;
pub mod flush;
mod head;
mod insert;
mod lane;
mod jsonb;
mod lookup;
mod row;
mod memory;
mod relation;
mod sequence;
mod state;
mod trigger;

use pgrx::pg_guard;

/// Runs when the library is loaded into a backend.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    crate::guc::register();
    callbacks::register();
}
