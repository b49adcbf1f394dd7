//! What SQL calls, with PostgreSQL's raw calling convention.

use pgrx::{pg_guard, pg_sys};

use crate::error::Failure;
use crate::pg::entry_points::entry_point;
use crate::pg::srf::RowStore;
use crate::pg::varlena::Varlena;
use crate::verify::rows::output;
use crate::verify::rows::{Detail, Request, Rows};

entry_point!(pg_finfo_auditspine_verify_table);
entry_point!(pg_finfo_auditspine_verify_table_findings);
entry_point!(pg_finfo_auditspine_verify_table_of_chain);
entry_point!(pg_finfo_auditspine_verify_table_of_chain_findings);

/// Arguments, as SQL gives them.
struct Arguments {
    target: pg_sys::Oid,
    since: Option<i64>,
    chain: Option<Vec<u8>>,
}

impl Arguments {
    /// `(target regclass, since bigint)`, and `chain text` where the function has it.
    ///
    /// # Safety
    /// `fcinfo` must be that of a function declared with them.
    unsafe fn of(fcinfo: pg_sys::FunctionCallInfo, has_chain: bool) -> Arguments {
        // SAFETY: the caller's.
        let argument = |at| unsafe { pgrx::fcinfo::pg_getarg_datum(fcinfo, at) };
        let Some(target) = argument(0) else {
            Failure::InvalidValue.raise(
                "the table is null",
                "name the table: SELECT * FROM verify_table('…')",
            );
        };
        let chain = if has_chain { argument(2) } else { None };
        Arguments {
            target: pg_sys::Oid::from(target.value() as u32),
            since: argument(1).map(|since| since.value() as i64),
            // SAFETY: a non-null text.
            chain: chain.map(|chain| unsafe { Varlena::packed(chain) }.to_vec()),
        }
    }

    fn request(&self, detail: Detail) -> Request<'_> {
        Request {
            relation: self.target,
            rows: self.since.map_or(Rows::All, Rows::Since),
            chain: self.chain.as_deref(),
            detail,
        }
    }
}

/// # Safety
/// As for [`Arguments::of`], of a function that returns SETOF auditspine.table_verdict.
unsafe fn verdicts(fcinfo: pg_sys::FunctionCallInfo, has_chain: bool) -> pg_sys::Datum {
    // SAFETY: the caller's.
    let (arguments, mut rows) =
        unsafe { (Arguments::of(fcinfo, has_chain), RowStore::begin(fcinfo)) };
    output::reports(&arguments.request(Detail::Brief), &mut rows);
    pg_sys::Datum::from(0usize)
}

/// # Safety
/// As for [`Arguments::of`], of a function that returns SETOF auditspine.table_finding.
unsafe fn findings(fcinfo: pg_sys::FunctionCallInfo, has_chain: bool) -> pg_sys::Datum {
    // SAFETY: the caller's.
    let (arguments, mut rows) =
        unsafe { (Arguments::of(fcinfo, has_chain), RowStore::begin(fcinfo)) };
    output::findings(&arguments.request(Detail::Evidence), &mut rows);
    pg_sys::Datum::from(0usize)
}

/// SQL: `verify_table(target regclass, since bigint)`, as it was before 0.4.0.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_table(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    unsafe { verdicts(fcinfo, false) }
}

/// SQL: `verify_table_findings(target regclass, since bigint)`, as it was before 0.4.0.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_table_findings(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    unsafe { findings(fcinfo, false) }
}

/// SQL: `verify_table(target regclass, since bigint, chain text)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_table_of_chain(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    unsafe { verdicts(fcinfo, true) }
}

/// SQL: `verify_table_findings(target regclass, since bigint, chain text)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_table_of_chain_findings(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    unsafe { findings(fcinfo, true) }
}
