//! What SQL calls, with PostgreSQL's raw calling convention.

use pgrx::{pg_guard, pg_sys};

use super::{Detail, Request, Rows, output};
use crate::error::Failure;
use crate::pg::srf::RowStore;

const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };

/// Says that the function follows calling convention version 1.
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_auditspine_verify_table() -> &'static pg_sys::Pg_finfo_record {
    &V1
}

/// Says that the function follows calling convention version 1.
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_auditspine_verify_table_findings() -> &'static pg_sys::Pg_finfo_record {
    &V1
}

/// The arguments `(target regclass, since bigint)`.
///
/// # Safety
/// `fcinfo` must be that of a function declared with them.
unsafe fn request(fcinfo: pg_sys::FunctionCallInfo, detail: Detail) -> Request<'static> {
    // SAFETY: the caller's.
    let [target, since] = [0, 1].map(|at| unsafe { pgrx::fcinfo::pg_getarg_datum(fcinfo, at) });
    let Some(target) = target else {
        Failure::InvalidValue.raise(
            "the table is null",
            "name the table: SELECT * FROM verify_table('…')",
        );
    };
    Request {
        relation: pg_sys::Oid::from(target.value() as u32),
        rows: since.map_or(Rows::All, |since| Rows::Since(since.value() as i64)),
        detail,
    }
}

/// SQL: `verify_table(target regclass, since bigint) RETURNS SETOF auditspine.table_verdict`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_table(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (request, mut rows) = unsafe { (request(fcinfo, Detail::Brief), RowStore::begin(fcinfo)) };
    output::reports(&request, &mut rows);
    pg_sys::Datum::from(0usize)
}

/// SQL: `verify_table_findings(target regclass, since bigint) RETURNS SETOF auditspine.table_finding`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_table_findings(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (request, mut rows) =
        unsafe { (request(fcinfo, Detail::Evidence), RowStore::begin(fcinfo)) };
    output::findings(&request, &mut rows);
    pg_sys::Datum::from(0usize)
}
