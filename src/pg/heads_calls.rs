//! What PostgreSQL calls of heads and publications, with its raw calling convention.

use pgrx::{pg_guard, pg_sys};

use super::entry_points::entry_point;
use super::srf::RowStore;
use crate::error::Failure;
use crate::ledger::heads;
use crate::publish::publish;
use crate::publish::verify::{self, Source};

entry_point!(pg_finfo_auditspine_chain_heads);
entry_point!(pg_finfo_auditspine_publish_head);
entry_point!(pg_finfo_auditspine_verify_publication);
entry_point!(pg_finfo_auditspine_publication_findings);
entry_point!(pg_finfo_auditspine_verify_publication_file);
entry_point!(pg_finfo_auditspine_publication_file_findings);

/// The first argument, a text; `None` for NULL.
///
/// # Safety
/// `fcinfo` must be that of a function declared with it; the bytes are valid during its call.
unsafe fn text<'a>(fcinfo: pg_sys::FunctionCallInfo) -> Option<&'a [u8]> {
    // SAFETY: the caller's.
    unsafe {
        pgrx::fcinfo::pg_getarg_datum(fcinfo, 0).map(|datum| {
            pgrx::varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr()))
        })
    }
}

/// As [`text`], for an argument that must not be null.
///
/// # Safety
/// As for [`text`].
unsafe fn expect_text<'a>(fcinfo: pg_sys::FunctionCallInfo, what: &str) -> &'a [u8] {
    // SAFETY: the caller's.
    unsafe { text(fcinfo) }.unwrap_or_else(|| {
        Failure::NullElement.raise(
            format!("{what} to be verified is null"),
            "a verdict on nothing would be a good one; find out why there is none",
        )
    })
}

/// SQL: `chain_heads(chain text) RETURNS SETOF auditspine.chain_head`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_chain_heads(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (chain, mut rows) = unsafe { (text(fcinfo), RowStore::begin(fcinfo)) };
    heads::rows(chain, &mut rows);
    pg_sys::Datum::from(0usize)
}

/// SQL: `publish_head(chain text) RETURNS TABLE (heads bigint, published_at timestamptz, file text)`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_publish_head(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (chain, mut rows) = unsafe { (text(fcinfo), RowStore::begin(fcinfo)) };
    publish::publish(chain, &mut rows);
    pg_sys::Datum::from(0usize)
}

/// SQL: `verify_publication(lines text) RETURNS SETOF auditspine.publication_verdict`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_publication(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (lines, mut rows) = unsafe { (expect_text(fcinfo, "the text"), RowStore::begin(fcinfo)) };
    verify::verdict(&Source::Text(lines), &mut rows);
    pg_sys::Datum::from(0usize)
}

/// SQL: `publication_findings(lines text) RETURNS SETOF auditspine.publication_finding`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_publication_findings(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (lines, mut rows) = unsafe { (expect_text(fcinfo, "the text"), RowStore::begin(fcinfo)) };
    verify::findings(&Source::Text(lines), &mut rows);
    pg_sys::Datum::from(0usize)
}

/// SQL: `verify_publication_file(path text) RETURNS SETOF auditspine.publication_verdict`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_verify_publication_file(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (path, mut rows) = unsafe {
        (
            expect_text(fcinfo, "the path of the file"),
            RowStore::begin(fcinfo),
        )
    };
    verify::verdict(&Source::File(path), &mut rows);
    pg_sys::Datum::from(0usize)
}

/// SQL: `publication_file_findings(path text) RETURNS SETOF auditspine.publication_finding`.
///
/// # Safety
/// Called by PostgreSQL only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn auditspine_publication_file_findings(
    fcinfo: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: fcinfo comes from PostgreSQL, and the SQL declaration fits.
    let (path, mut rows) = unsafe {
        (
            expect_text(fcinfo, "the path of the file"),
            RowStore::begin(fcinfo),
        )
    };
    verify::findings(&Source::File(path), &mut rows);
    pg_sys::Datum::from(0usize)
}
