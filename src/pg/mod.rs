//! Everything unsafe: PostgreSQL's heap, indexes, locks, snapshots and binary formats, each behind a
//! safe face.

pub mod adopted;
pub mod aggregate;
pub mod append;
pub mod arena;
mod attribution;
pub mod audited;
pub mod backfill;
mod backfill_calls;
mod buffer;
mod by_lane;
mod callbacks;
pub mod capture;
pub mod chains;
pub mod ddl;
mod dropping;
mod entries;
mod entry_points;
pub mod evidence;
pub mod flush;
pub mod foreign_code;
mod head;
pub mod heads;
mod heads_calls;
mod history;
mod insert;
pub mod json;
pub mod jsonb;
pub mod jsonb_read;
pub mod lane;
pub mod layouts;
pub mod lookup;
mod memory;
mod numeric;
pub mod order;
pub mod owner;
pub mod present;
pub mod publication;
pub mod publish;
pub mod query;
pub mod registry;
pub mod relation;
mod replicated;
pub mod routine;
pub mod row;
pub mod rows;
pub mod saved_plans;
mod scan;
mod sequence;
mod server_file;
mod shape;
pub mod sight;
pub mod sink;
pub mod snapshot;
pub mod spec;
mod spill;
mod spine_calls;
pub mod spine_checks;
pub mod spine_trigger_call;
mod spine_triggers;
pub mod sqltypes;
mod srf;
pub mod state;
pub mod subtransaction;
pub mod system;
pub mod table;
pub mod text_rows;
pub mod threads;
mod trigger;
mod tuple;
pub mod values;
pub mod varlena;
pub mod verify;

use pgrx::pg_guard;

/// Runs when the library is loaded into a backend.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    // SAFETY: a plain global, true while CREATE EXTENSION runs.
    if unsafe { pgrx::pg_sys::creating_extension } {
        state::expect_utf8();
    }
    crate::guc::register();
    // A misspelt setting of ours is an error from now on, as far as PostgreSQL can tell.
    // SAFETY: a static, NUL-terminated prefix, after all its settings are defined.
    unsafe {
        #[cfg(feature = "pg14")]
        pgrx::pg_sys::EmitWarningsOnPlaceholders(c"auditspine".as_ptr());
        #[cfg(not(feature = "pg14"))]
        pgrx::pg_sys::MarkGUCPrefixReserved(c"auditspine".as_ptr());
    }
    callbacks::register();
    dropping::register();
}
