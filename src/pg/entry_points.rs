//! Functions that PostgreSQL calls with its raw calling convention: a trigger on the hot path, and
//! one that returns a row of our own table.

use pgrx::{pg_guard, pg_sys};

use super::append::{self, ByHand};
use super::trigger::{self, Call};

macro_rules! entry_point {
    ($info:ident) => {
        /// Says that the function follows calling convention version 1.
        #[unsafe(no_mangle)]
        pub extern "C" fn $info() -> &'static pg_sys::Pg_finfo_record {
            const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
            &V1
        }
    };
}

entry_point!(pg_finfo_auditspine_append_trigger);
entry_point!(pg_finfo_auditspine_append_by_hand);
entry_point!(pg_finfo_auditspine_refuse_change);

/// SQL: `audit_chain_append() RETURNS trigger`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_append_trigger(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL.
    trigger::capture(&unsafe { Call::new(fcinfo) });
    // What an AFTER trigger returns is ignored.
    pg_sys::Datum::from(0usize)
}

/// SQL: `audit_chain_append(kind text, pk text, payload jsonb, chain text) RETURNS
/// auditspine.audit_chain`.
///
/// # Safety
/// Called by PostgreSQL only, with those four arguments.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_append_by_hand(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: the SQL declaration fixes number and types of the arguments; detoasted values live
    // until the call ends.
    let arguments = unsafe {
        let bytes = |at: usize| {
            pgrx::fcinfo::pg_getarg_datum(fcinfo, at).map(|datum| {
                let varlena = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
                pgrx::varlena_to_byte_slice(varlena)
            })
        };
        ByHand { kind: bytes(0), pk: bytes(1), payload: bytes(2), chain: bytes(3) }
    };
    append::by_hand(&arguments)
}

/// SQL: `auditspine.refuse_change() RETURNS trigger`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_refuse_change(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL.
    unsafe { Call::new(fcinfo) }.refuse()
}
