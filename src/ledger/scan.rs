//! Reading auditspine.audit_chain for verification: once through the heap in physical order, and,
//! around damage, through whatever index helps.

use std::ffi::CStr;
use std::ops::ControlFlow;

use auditspine_core::verify::{Chains, EntryView, Store};
use pgrx::pg_sys;

use crate::ledger::catalog::{chain_column, state};
use crate::ledger::extent::Extent;
use crate::ledger::order;
use crate::ledger::owner::as_owner;
use crate::ledger::stored_entry::{EntryReader, NO_CHAIN, NO_LANE, NO_POS};
use crate::pg::heap::{Tuple, in_physical_order};
use crate::pg::query::in_batches;
use crate::pg::relation::OpenRelation;
use crate::pg::values::Values;

/// Pages from which on it pays to ask which of them a window is on.
const WINDOW_PAGES: u32 = 1024;

/// The chains that the active snapshot sees, or just the one of that name.
pub fn chains(only: Option<&[u8]>) -> Vec<(i32, Vec<u8>, i16)> {
    let table = OpenRelation::table(state().chain, pg_sys::AccessShareLock);
    let mut chains = Vec::new();
    in_physical_order(&table, None, |tuple| {
        let row = tuple.show(|row| {
            let id = row.int4(chain_column::CHAIN_ID)?;
            let name = row.bytes(chain_column::NAME)?;
            Some((id, name, row.int2(chain_column::LANES).unwrap_or(0)))
        });
        chains.extend(row.filter(|(_, name, _)| only.is_none_or(|only| only == name)));
    });
    chains
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
    select_tuples(query, types, arguments, |tuple| tuple.show(&mut show));
}

fn select_tuples(
    query: &CStr,
    types: &[pg_sys::Oid],
    arguments: &[pg_sys::Datum],
    show: impl FnMut(Tuple<'_>) -> ControlFlow<()>,
) {
    as_owner(|| in_batches(query, types, arguments, show));
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
        select_tuples(query, &types, &arguments, |tuple| {
            reader.read(&tuple, &mut show)
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
