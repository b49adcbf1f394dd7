//! Functions that PostgreSQL calls with its raw calling convention: triggers, and what returns rows of
//! our own types.

use pgrx::{pg_guard, pg_sys};

use super::ddl::Command;
use super::dropping;
use super::srf::RowStore;
use super::trigger;
use super::trigger_call::Call;
use crate::attach;
use crate::auditor;
use crate::ledger::append_event::{self, ByHand};
use crate::verify::all;
use crate::verify::links::{self, Request};

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
pub(super) use entry_point;

entry_point!(pg_finfo_auditspine_append_trigger);
entry_point!(pg_finfo_auditspine_append_by_hand);
entry_point!(pg_finfo_auditspine_refuse_change);
entry_point!(pg_finfo_auditspine_refuse_audited_change);
entry_point!(pg_finfo_auditspine_auditor_policies);
entry_point!(pg_finfo_auditspine_on_ddl);
entry_point!(pg_finfo_auditspine_on_drop);
entry_point!(pg_finfo_auditspine_verify_chain);
entry_point!(pg_finfo_auditspine_chain_findings);
entry_point!(pg_finfo_auditspine_verify_all);

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
    trigger::capture(&unsafe { Call::new(fcinfo, "audit_chain_append") });
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
        ByHand {
            kind: bytes(0),
            pk: bytes(1),
            payload: bytes(2),
            chain: bytes(3),
        }
    };
    append_event::by_hand(&arguments)
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
    unsafe { Call::new(fcinfo, "auditspine.refuse_change") }.refuse()
}

/// SQL: `audit_refuse_change() RETURNS trigger`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_refuse_audited_change(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL.
    unsafe { Call::new(fcinfo, "audit_refuse_change") }.refuse_audited()
}

/// SQL: `auditspine.auditor_policies() RETURNS trigger`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_auditor_policies(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL.
    unsafe { Call::new(fcinfo, "auditspine.auditor_policies") };
    auditor::make_policies();
    // What an AFTER trigger returns is ignored.
    pg_sys::Datum::from(0usize)
}

/// SQL: `auditspine.on_ddl() RETURNS event_trigger`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_on_ddl(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL.
    attach::follow(&unsafe { Command::new(fcinfo) });
    pg_sys::Datum::from(0usize)
}

/// SQL: `auditspine.on_drop() RETURNS event_trigger`. That it is called has the library loaded, whose hook is told
/// of all that is dropped.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_on_drop(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL.
    dropping::expect_schema_stays(&unsafe { Command::new(fcinfo) });
    pg_sys::Datum::from(0usize)
}

/// Arguments `(chain text, start_seq bigint, end_seq bigint)`.
///
/// # Safety
/// `fcinfo` must be that of a function declared with them; the request is valid during its call.
unsafe fn request<'a>(fcinfo: pg_sys::FunctionCallInfo) -> Request<'a> {
    // SAFETY: the caller's.
    unsafe {
        let chain = pgrx::fcinfo::pg_getarg_datum(fcinfo, 0).map(|datum| {
            pgrx::varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr()))
        });
        let number = |at| pgrx::fcinfo::pg_getarg_datum(fcinfo, at).map(|d| d.value() as i64);
        Request {
            chain,
            start: number(1).unwrap_or(1),
            end: number(2),
        }
    }
}

/// SQL: `verify_chain(…) RETURNS SETOF auditspine.chain_verdict`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_chain(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (request, mut rows) = unsafe { (request(fcinfo), RowStore::begin(fcinfo)) };
    links::verdicts(&request, &mut rows);
    pg_sys::Datum::from(0usize)
}

/// SQL: `chain_findings(…) RETURNS SETOF auditspine.chain_finding`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_chain_findings(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (request, mut rows) = unsafe { (request(fcinfo), RowStore::begin(fcinfo)) };
    links::findings(&request, &mut rows);
    pg_sys::Datum::from(0usize)
}

/// SQL: `verify_all(since text) RETURNS TABLE (…)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_all(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits; the argument lives until
    // the call ends.
    let (since, mut rows) = unsafe {
        let since = pgrx::fcinfo::pg_getarg_datum(fcinfo, 0).map(|datum| {
            pgrx::varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr()))
        });
        (since, RowStore::begin(fcinfo))
    };
    all::verify_all(since, &mut rows);
    pg_sys::Datum::from(0usize)
}
