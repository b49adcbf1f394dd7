//! Everything unsafe: PostgreSQL's heap, indexes, locks, snapshots and binary formats, each behind a
//! safe face.

pub mod aggregate;
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
pub mod json;
pub mod jsonb;
mod lane;
mod lookup;
mod memory;
mod numeric;
mod relation;
pub mod row;
mod sequence;
pub mod sink;
pub mod sqltypes;
mod state;
mod trigger;
mod varlena;

use pgrx::pg_guard;

/// Runs when the library is loaded into a backend.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    crate::guc::register();
    callbacks::register();
}
