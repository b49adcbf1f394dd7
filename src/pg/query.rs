//! Queries of our own through PostgreSQL's SPI, their values taken as they lie.

use std::ffi::CStr;
use std::ops::ControlFlow;

use pgrx::datum::DatumWithOid;
use pgrx::spi::{Spi, SpiError};
use pgrx::{FromDatum, IntoDatum, pg_sys};

use super::heap::Tuple;
use super::values::Values;

/// An argument: its type, and its value or `None` for NULL.
pub type Argument = (pg_sys::Oid, Option<pg_sys::Datum>);

/// The one value of a statement that only reads. Not `Spi::get_one`, which takes a transaction id: a
/// standby has none to give. An error of SPI's if there is no row.
pub fn read_one<T: FromDatum + IntoDatum>(
    statement: &str,
    arguments: &[DatumWithOid<'_>],
) -> Result<Option<T>, SpiError> {
    Spi::connect(|client| {
        client
            .select(statement, Some(1), arguments)?
            .first()
            .get_one()
    })
}

/// Runs a statement that sees what this transaction has done so far, and shows its rows, valid while
/// they are shown. Returns how many rows it returned or changed.
///
/// The statement is ours, and names what it uses by schema unless the running function pins
/// `search_path`.
pub fn run(statement: &CStr, arguments: &[Argument], mut show: impl FnMut(&Values<'_>)) -> u64 {
    let mut types: Vec<pg_sys::Oid> = arguments.iter().map(|(oid, _)| *oid).collect();
    let (mut values, nulls) = split(arguments.iter().map(|(_, value)| *value));
    let session = Session::connect();
    // SAFETY: one type, value and flag per parameter; the rows live until the session is closed.
    let count = unsafe {
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
        let table = pg_sys::SPI_tuptable;
        let rows = if table.is_null() { 0 } else { (*table).numvals };
        for at in 0..rows as usize {
            show_tuple(*(*table).vals.add(at), (*table).tupdesc, &mut show);
        }
        count
    };
    session.close();
    count
}

/// A connection to SPI. What is allocated while it is open is freed when it is closed, or, after an
/// ERROR, by its clean-up.
pub struct Session(());

/// A prepared statement of a session.
pub struct Plan<'a> {
    plan: pg_sys::SPIPlanPtr,
    _session: &'a Session,
}

impl Session {
    /// Opens a session.
    pub fn connect() -> Session {
        // SAFETY: closed by `close`, or by the clean-up of an ERROR.
        unsafe { pg_sys::SPI_connect() };
        Session(())
    }

    /// Prepares a statement with parameters of these types.
    pub fn prepare(&self, statement: &str, types: &[pg_sys::Oid]) -> Plan<'_> {
        let statement = std::ffi::CString::new(statement).unwrap_or_default();
        // SAFETY: the statement is NUL-terminated; there is one type per parameter.
        let plan = unsafe {
            pg_sys::SPI_prepare(
                statement.as_ptr(),
                types.len() as i32,
                types.as_ptr().cast_mut(),
            )
        };
        Plan {
            plan,
            _session: self,
        }
    }

    /// Closes the session.
    pub fn close(self) {
        // SAFETY: opened by `connect`; whatever was opened since is closed.
        unsafe { pg_sys::SPI_finish() };
    }
}

impl Plan<'_> {
    /// Runs the statement, which reads only, under the active snapshot, and shows its rows until
    /// told to break, with whether it is the last one. `values` has one member per parameter, none of
    /// them NULL.
    pub fn read(
        &self,
        values: &[pg_sys::Datum],
        mut show: impl FnMut(&Values<'_>, bool) -> ControlFlow<()>,
    ) {
        // SAFETY: one value per parameter; the rows live until they are freed here.
        unsafe {
            pg_sys::SPI_execute_plan(
                self.plan,
                values.as_ptr().cast_mut(),
                std::ptr::null(),
                true,
                0,
            );
            let table = pg_sys::SPI_tuptable;
            show_table(table, &mut show);
            pg_sys::SPI_freetuptable(table);
        }
    }
}

/// While it lives, a table is read as a whole only where there is no other way, and neither a
/// process is started nor code compiled for a plan.
pub struct PrefersIndexes(bool, i32, bool);

impl PrefersIndexes {
    /// Until dropped, also by an ERROR.
    pub fn begin() -> PrefersIndexes {
        // SAFETY: a plain global that this backend alone uses.
        unsafe {
            let before = PrefersIndexes(
                pg_sys::enable_seqscan,
                pg_sys::max_parallel_workers_per_gather,
                pg_sys::jit_enabled,
            );
            pg_sys::enable_seqscan = false;
            pg_sys::max_parallel_workers_per_gather = 0;
            pg_sys::jit_enabled = false;
            before
        }
    }
}

impl Drop for PrefersIndexes {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe {
            pg_sys::enable_seqscan = self.0;
            pg_sys::max_parallel_workers_per_gather = self.1;
            pg_sys::jit_enabled = self.2;
        }
    }
}

/// Values and null flags as SPI takes them.
pub fn split(
    arguments: impl Iterator<Item = Option<pg_sys::Datum>>,
) -> (Vec<pg_sys::Datum>, Vec<std::ffi::c_char>) {
    arguments
        .map(|value| match value {
            Some(value) => (value, b' ' as std::ffi::c_char),
            None => (pg_sys::Datum::null(), b'n' as std::ffi::c_char),
        })
        .unzip()
}

/// Shows a row of a result.
///
/// # Safety
/// Tuple and descriptor belong together, and stay valid during the call.
pub unsafe fn show_tuple<R>(
    tuple: pg_sys::HeapTuple,
    desc: pg_sys::TupleDesc,
    show: impl FnOnce(&Values<'_>) -> R,
) -> R {
    // SAFETY: the caller's; both arrays have a member per column.
    unsafe {
        let count = (*desc).natts.max(0) as usize;
        let mut values = vec![pg_sys::Datum::null(); count];
        let mut nulls = vec![true; count];
        pg_sys::heap_deform_tuple(tuple, desc, values.as_mut_ptr(), nulls.as_mut_ptr());
        show(&Values::new(&values, &nulls, desc))
    }
}

/// Shows all rows of a result.
///
/// # Safety
/// `table` is null or a valid result of SPI.
pub unsafe fn show_all(table: *mut pg_sys::SPITupleTable, mut show: impl FnMut(&Values<'_>)) {
    // SAFETY: the caller's.
    unsafe {
        show_table(table, &mut |row, _| {
            show(row);
            ControlFlow::Continue(())
        });
    }
}

/// Shows the rows of a result until told to break, with whether it is the last one.
///
/// # Safety
/// `table` is null or a valid result of SPI.
unsafe fn show_table(
    table: *mut pg_sys::SPITupleTable,
    show: &mut impl FnMut(&Values<'_>, bool) -> ControlFlow<()>,
) {
    if table.is_null() {
        return;
    }
    // SAFETY: the caller's; a result has `numvals` rows of its descriptor, and both arrays a member per column.
    unsafe {
        let desc = (*table).tupdesc;
        let columns = (*desc).natts.max(0) as usize;
        let mut values = vec![pg_sys::Datum::null(); columns];
        let mut nulls = vec![true; columns];
        let count = (*table).numvals as usize;
        for at in 0..count {
            let tuple = *(*table).vals.add(at);
            pg_sys::heap_deform_tuple(tuple, desc, values.as_mut_ptr(), nulls.as_mut_ptr());
            if show(&Values::new(&values, &nulls, desc), at + 1 == count).is_break() {
                return;
            }
        }
    }
}

/// Runs a query that only reads under the active snapshot, and shows its rows until told to break, a batch at a
/// time. One argument and type per parameter, none of them NULL.
pub fn in_batches(
    query: &CStr,
    types: &[pg_sys::Oid],
    arguments: &[pg_sys::Datum],
    mut show: impl FnMut(Tuple<'_>) -> ControlFlow<()>,
) {
    const ROWS: i64 = 500;
    // SAFETY: one argument and type per parameter; the cursor and its rows live until SPI_finish,
    // which an ERROR's clean-up stands in for.
    unsafe {
        pg_sys::SPI_connect();
        let cursor = pg_sys::SPI_cursor_open_with_args(
            std::ptr::null(),
            query.as_ptr(),
            types.len() as i32,
            types.as_ptr().cast_mut(),
            arguments.as_ptr().cast_mut(),
            std::ptr::null(),
            true,
            0,
        );
        'fetch: loop {
            pg_sys::SPI_cursor_fetch(cursor, true, ROWS as _);
            let rows = pg_sys::SPI_tuptable;
            let count = pg_sys::SPI_processed as usize;
            for at in 0..count {
                if show(Tuple::new(*(*rows).vals.add(at), (*rows).tupdesc)).is_break() {
                    break 'fetch;
                }
            }
            if count == 0 {
                break;
            }
            pg_sys::SPI_freetuptable(rows);
            pgrx::check_for_interrupts!();
        }
        pg_sys::SPI_cursor_close(cursor);
        pg_sys::SPI_finish();
    }
}
