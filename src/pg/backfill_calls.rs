//! What PostgreSQL calls of histories and backfills, with its raw calling convention.

use pgrx::{pg_guard, pg_sys};

use super::backfill;
use super::entry_points::entry_point;
use super::sqltypes::TextArrayArg;
use super::srf::RowStore;
use crate::verify::history;

entry_point!(pg_finfo_auditspine_history);
entry_point!(pg_finfo_auditspine_backfill);

/// SQL: `audit_history(target regclass, VARIADIC key text[]) RETURNS TABLE (…)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_history(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits: a strict function of a
    // regclass and a text[].
    let (target, key, mut rows) = unsafe {
        let argument =
            |at| pgrx::fcinfo::pg_getarg_datum(fcinfo, at).unwrap_or(pg_sys::Datum::null());
        let target = pg_sys::Oid::from(argument(0).value() as u32);
        (
            target,
            TextArrayArg::of(argument(1)),
            RowStore::begin(fcinfo),
        )
    };
    let key: Vec<Option<Vec<u8>>> = key
        .elements()
        .into_iter()
        .map(|text| text.map(|text| text.0.to_vec()))
        .collect();
    history::history(target, &key, &mut rows);
    pg_sys::Datum::from(0usize)
}

/// SQL: `PROCEDURE audit_backfill(target regclass, batch_size integer)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_backfill(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits; a non-null context is a
    // Node, and that of a CALL says whether it may commit.
    let (target, batch_size, atomic) = unsafe {
        let argument = |at| pgrx::fcinfo::pg_getarg_datum(fcinfo, at);
        let context = (*fcinfo).context;
        let may_commit = !context.is_null()
            && (*context).type_ == pg_sys::NodeTag::T_CallContext
            && !(*context.cast::<pg_sys::CallContext>()).atomic;
        (
            argument(0).map(|target| pg_sys::Oid::from(target.value() as u32)),
            argument(1).map(|rows| rows.value() as i32),
            !may_commit,
        )
    };
    backfill::backfill(target, batch_size, atomic);
    pg_sys::Datum::from(0usize)
}
