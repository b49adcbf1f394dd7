//! Reading auditspine.audit_chain for verification: once through the heap in physical order, and,
//! around damage, through whatever index helps.

use std::ffi::CStr;
use std::ops::ControlFlow;

use auditspine_core::verify::{Chains, EntryView, Store};
use pgrx::pg_sys;

use super::entries::{EntryReader, NO_CHAIN, NO_LANE, NO_POS};
use super::query::show_tuple;
use super::relation::OpenRelation;
use super::values::Values;
use crate::ledger::catalog::{chain_column, state};
use crate::ledger::order;
use crate::ledger::owner::as_owner;

/// Pages from which on it pays to ask which of them a window is on.
const WINDOW_PAGES: u32 = 1024;

/// Calls `show` with every visible tuple of a heap, in physical order; `pages` is first and number.
fn scan_heap(
    table: &OpenRelation,
    pages: Option<(u32, u32)>,
    mut show: impl FnMut(pg_sys::HeapTuple, pg_sys::TupleDesc),
) {
    // SAFETY: the table is open and a snapshot is active; a tuple is valid until the next is
    // fetched. Scanning without synchronisation begins at the first page asked for.
    unsafe {
        let scan = pg_sys::table_beginscan_strat(
            table.raw(),
            pg_sys::GetActiveSnapshot(),
            0,
            std::ptr::null_mut(),
            true,
            false,
        );
        if let Some((first, count)) = pages {
            pg_sys::heap_setscanlimits(scan, first, count);
        }
        let forward = pg_sys::ScanDirection::ForwardScanDirection;
        let mut read = 0u32;
        loop {
            let tuple = pg_sys::heap_getnext(scan, forward);
            if tuple.is_null() {
                break;
            }
            show(tuple, table.tuple_desc());
            read = read.wrapping_add(1);
            if read.is_multiple_of(1024) {
                pgrx::check_for_interrupts!();
            }
        }
        pg_sys::table_endscan(scan);
    }
}

/// The chains that the active snapshot sees, or just the one of that name.
pub fn chains(only: Option<&[u8]>) -> Vec<(i32, Vec<u8>, i16)> {
    let table = OpenRelation::table(state().chain, pg_sys::AccessShareLock);
    let mut chains = Vec::new();
    scan_heap(&table, None, |tuple, desc| {
        // SAFETY: tuple and descriptor belong together.
        let row = unsafe {
            show_tuple(tuple, desc, |row| {
                let id = row.int4(chain_column::CHAIN_ID)?;
                let name = row.bytes(chain_column::NAME)?;
                Some((id, name, row.int2(chain_column::LANES).unwrap_or(0)))
            })
        };
        chains.extend(row.filter(|(_, name, _)| only.is_none_or(|only| only == name)));
    });
    chains
}

/// Where the entries of a window are.
pub struct Extent {
    table: OpenRelation,
    /// First page and number; `None` for the whole table.
    limits: Option<(u32, u32)>,
    /// How many pages that is.
    pub pages: u32,
}

/// How many pages the table has.
pub fn pages() -> u32 {
    let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
    table.pages()
}

/// The part of the table that can hold entries of the window; `None` if no entry lies in it.
pub fn extent(start: i64, end: Option<i64>) -> Option<Extent> {
    let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
    let pages = pages();
    if (start <= 1 && end.is_none()) || pages < WINDOW_PAGES {
        return Some(Extent {
            table,
            limits: None,
            pages,
        });
    }
    let limits = pages_of_window(start, end)?;
    Some(Extent {
        table,
        limits: Some(limits),
        pages: limits.1,
    })
}

impl Extent {
    /// Calls `show` with the tuple of every entry in these pages, and its bytes.
    pub fn tuples(&self, mut show: impl FnMut(&[u8])) {
        scan_heap(&self.table, self.limits, |tuple, _| {
            // SAFETY: the tuple's bytes lie on a pinned page until the next one is fetched.
            show(unsafe {
                std::slice::from_raw_parts((*tuple).t_data.cast(), (*tuple).t_len as usize)
            });
        });
    }

    /// Reads a tuple that [`Extent::tuples`] showed, or a copy of it that is aligned to 8 bytes.
    pub fn read<R>(
        &self,
        reader: &mut EntryReader,
        bytes: &[u8],
        show: impl FnOnce(&EntryView<'_>) -> R,
    ) -> R {
        // SAFETY: the bytes are those of a tuple of this table, whose columns `state` checked.
        unsafe {
            let mut tuple: pg_sys::HeapTupleData = std::mem::zeroed();
            tuple.t_len = bytes.len() as u32;
            tuple.t_data = bytes.as_ptr().cast_mut().cast();
            reader.read(&mut tuple, self.table.tuple_desc(), show)
        }
    }
}

/// First page and number of pages that hold entries of the window; the block-range index on seq
/// makes this cheap. `None` if there are none.
fn pages_of_window(start: i64, end: Option<i64>) -> Option<(u32, u32)> {
    let query =
        c"SELECT pg_catalog.min(ctid), pg_catalog.max(ctid) FROM ONLY auditspine.audit_chain \
                  WHERE seq OPERATOR(pg_catalog.>=) $1 AND seq OPERATOR(pg_catalog.<=) $2";
    let arguments = [
        pg_sys::Datum::from(start),
        pg_sys::Datum::from(end.unwrap_or(i64::MAX)),
    ];
    let mut limits = None;
    select(
        query,
        &[pg_sys::INT8OID, pg_sys::INT8OID],
        &arguments,
        |row| {
            limits = row
                .place(0)
                .zip(row.place(1))
                .map(|((first, _), (last, _))| (first, last - first + 1));
            ControlFlow::Break(())
        },
    );
    limits
}

/// Runs a query under the active snapshot, with the rights of the extension's owner, and shows its rows
/// until told to break. What the caller may see of it is for whoever asks to say.
pub fn select(
    query: &CStr,
    types: &[pg_sys::Oid],
    arguments: &[pg_sys::Datum],
    mut show: impl FnMut(&Values<'_>) -> ControlFlow<()>,
) {
    select_tuples(query, types, arguments, |tuple, desc| {
        // SAFETY: a row of the query.
        unsafe { show_tuple(tuple, desc, &mut show) }
    });
}

fn select_tuples(
    query: &CStr,
    types: &[pg_sys::Oid],
    arguments: &[pg_sys::Datum],
    show: impl FnMut(pg_sys::HeapTuple, pg_sys::TupleDesc) -> ControlFlow<()>,
) {
    as_owner(|| run(query, types, arguments, show));
}

fn run(
    query: &CStr,
    types: &[pg_sys::Oid],
    arguments: &[pg_sys::Datum],
    mut show: impl FnMut(pg_sys::HeapTuple, pg_sys::TupleDesc) -> ControlFlow<()>,
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
                if show(*(*rows).vals.add(at), (*rows).tupdesc).is_break() {
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

/// Entries by place, for the verifier's second look. Works, if slowly, when the primary key is gone.
pub struct ByPlace;

const COLUMNS: &str = "SELECT seq, chain_id, lane, pos, version, op, event_kind, event_pk, xid, \
                       appended_at, db_user, actor, context, layout, payload, payload_hash, \
                       event_hash, prev_hash, chain_hash FROM ONLY auditspine.audit_chain";

/// That a column of a place is the parameter, as [`EntryReader`] shows it: `none` stands for null.
fn at_place(column: &str, parameter: u8, is_none: bool) -> String {
    if is_none {
        format!("({column} OPERATOR(pg_catalog.=) ${parameter} OR {column} IS NULL)")
    } else {
        format!("{column} OPERATOR(pg_catalog.=) ${parameter}")
    }
}

impl ByPlace {
    fn select(
        condition: &str,
        place: (i32, i16, i64),
        mut show: impl FnMut(&EntryView<'_>) -> ControlFlow<()>,
    ) {
        let query = format!(
            "{COLUMNS} WHERE {} AND {} AND {condition}\0",
            at_place("chain_id", 1, place.0 == NO_CHAIN),
            at_place("lane", 2, place.1 == NO_LANE),
        );
        let query = CStr::from_bytes_until_nul(query.as_bytes()).unwrap_or_default();
        let types = [pg_sys::INT4OID, pg_sys::INT2OID, pg_sys::INT8OID];
        let arguments = [place.0.into(), place.1.into(), place.2.into()];
        let mut reader = EntryReader::new();
        // What the columns are is looked at anew: this may be long after the pass began.
        state();
        select_tuples(query, &types, &arguments, |tuple, desc| {
            // SAFETY: the query selects the columns of the table, in its order, and `state` checked them.
            unsafe { reader.read(tuple, desc, &mut show) }
        });
    }
}

impl Store for ByPlace {
    type Error = std::convert::Infallible;

    fn entries_at(
        &mut self,
        chain_id: i32,
        lane: i16,
        pos: i64,
        show: &mut dyn FnMut(&EntryView<'_>),
    ) -> Result<(), Self::Error> {
        let condition = at_place("pos", 3, pos == NO_POS);
        Self::select(&condition, (chain_id, lane, pos), |entry| {
            show(entry);
            ControlFlow::Continue(())
        });
        Ok(())
    }

    fn misplaced(
        &mut self,
        from: i64,
        to: i64,
        show: &mut dyn FnMut(&EntryView<'_>, Option<String>),
    ) -> Result<(), Self::Error> {
        for found in order::find(from, to) {
            let place = (found.chain_id, found.lane, found.pos);
            self.entries_at(place.0, place.1, place.2, &mut |entry| {
                if entry.seq == found.seq {
                    show(entry, found.detail.clone());
                }
            })?;
        }
        Ok(())
    }

    fn entries_from(
        &mut self,
        chain_id: i32,
        lane: i16,
        pos: i64,
        show: &mut dyn FnMut(&EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<(), Self::Error> {
        let place = (chain_id, lane, pos);
        let mut ended = false;
        if pos == NO_POS {
            Self::select("pos IS NULL AND $3 IS NOT NULL", place, |entry| {
                let answer = show(entry);
                ended = answer.is_break();
                answer
            });
        }
        if !ended {
            let from = "pos OPERATOR(pg_catalog.>=) $3 ORDER BY pos";
            Self::select(from, place, show);
        }
        Ok(())
    }
}

/// The chains in the form that the verifier takes.
pub fn names(chains: &[(i32, Vec<u8>, i16)]) -> Chains {
    chains
        .iter()
        .map(|(id, name, lanes)| (*id, String::from_utf8_lossy(name), *lanes))
        .collect()
}
