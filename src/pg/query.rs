//! Queries of our own through PostgreSQL's SPI, their values taken as they lie.

use std::ffi::CStr;

use pgrx::pg_sys;

/// An argument: its type, and its value or `None` for NULL.
pub type Argument = (pg_sys::Oid, Option<pg_sys::Datum>);

/// Runs a statement that sees what this transaction has done so far, and shows its rows (`None` is
/// NULL). Values are valid while they are shown. Returns how many rows it returned or changed.
///
/// The statement is ours, and names what it uses by schema unless the running function pins
/// `search_path`.
pub fn run(
    statement: &CStr,
    arguments: &[Argument],
    mut show: impl FnMut(&[Option<pg_sys::Datum>]),
) -> u64 {
    let mut types: Vec<pg_sys::Oid> = arguments.iter().map(|(oid, _)| *oid).collect();
    let mut values: Vec<pg_sys::Datum> = arguments
        .iter()
        .map(|(_, value)| value.unwrap_or(pg_sys::Datum::null()))
        .collect();
    let nulls: Vec<std::ffi::c_char> = arguments
        .iter()
        .map(|(_, value)| if value.is_none() { b'n' } else { b' ' } as _)
        .collect();
    // SAFETY: one type, value and flag per parameter; the rows live until SPI_finish, which an ERROR's
    // clean-up stands in for.
    unsafe {
        pg_sys::SPI_connect();
        pg_sys::SPI_execute_with_args(
            statement.as_ptr(),
            arguments.len() as i32,
            types.as_mut_ptr(),
            values.as_mut_ptr(),
            nulls.as_ptr(),
            false,
            0,
        );
        let count = pg_sys::SPI_processed;
        show_table(pg_sys::SPI_tuptable, &mut show);
        pg_sys::SPI_finish();
        count
    }
}

/// Shows the rows of a result.
///
/// # Safety
/// `table` is null or a valid result of SPI.
unsafe fn show_table(
    table: *mut pg_sys::SPITupleTable,
    show: &mut impl FnMut(&[Option<pg_sys::Datum>]),
) {
    if table.is_null() {
        return;
    }
    // SAFETY: the caller's; a result has `numvals` rows of its descriptor.
    unsafe {
        let desc = (*table).tupdesc;
        let mut row = vec![None; (*desc).natts.max(0) as usize];
        for at in 0..(*table).numvals as usize {
            let tuple = *(*table).vals.add(at);
            for (column, value) in (1..).zip(row.iter_mut()) {
                let mut null = false;
                let datum = pg_sys::SPI_getbinval(tuple, desc, column, &mut null);
                *value = (!null).then_some(datum);
            }
            show(&row);
        }
    }
}
