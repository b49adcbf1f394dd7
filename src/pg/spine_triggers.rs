//! Triggers of ProofSpines, as PostgreSQL calls them. What they do: [`crate::spine::triggers`].

use pgrx::{pg_guard, pg_sys};

use super::entry_points::entry_point;
use super::spine_trigger_call::{self, Fired, Level};
use super::trigger_call::Call;
use crate::spine::triggers;

entry_point!(pg_finfo_auditspine_spine_count);

/// SQL: `proof_spine_count() RETURNS trigger`: a new spine has no segments yet, whatever its row says.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_spine_count(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL; the tuple returned is a copy in the caller's context.
    unsafe {
        let call = Call::expect(fcinfo, "proof_spine_count", spine_trigger_call::HINT);
        pg_sys::Datum::from(spine_trigger_call::with_number(&call, c"segment_count", 0))
    }
}

macro_rules! spine_trigger {
    ($info:ident, $entry:ident, $function:literal, $level:ident, $body:path) => {
        entry_point!($info);

        #[doc = concat!("SQL: `", $function, "() RETURNS trigger`.")]
        ///
        /// # Safety
        /// Called by PostgreSQL only.
        #[unsafe(no_mangle)]
        #[pg_guard]
        pub unsafe extern "C-unwind" fn $entry(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            // SAFETY: fcinfo comes from PostgreSQL.
            $body(&unsafe { Fired::new(fcinfo, $function, Level::$level) });
            // What an AFTER trigger returns is ignored.
            pg_sys::Datum::from(0usize)
        }
    };
}

spine_trigger!(
    pg_finfo_auditspine_segment_links,
    auditspine_segment_links,
    "proof_segment_links",
    Statement,
    triggers::links
);
spine_trigger!(
    pg_finfo_auditspine_segment_count,
    auditspine_segment_count,
    "proof_segment_count",
    Statement,
    triggers::count
);
spine_trigger!(
    pg_finfo_auditspine_spine_root,
    auditspine_spine_root,
    "proof_spine_root",
    Row,
    triggers::root
);
spine_trigger!(
    pg_finfo_auditspine_spine_supersession,
    auditspine_spine_supersession,
    "proof_spine_supersession",
    Row,
    triggers::supersession
);
spine_trigger!(
    pg_finfo_auditspine_spine_history,
    auditspine_spine_history,
    "proof_spine_history",
    Row,
    triggers::history
);
