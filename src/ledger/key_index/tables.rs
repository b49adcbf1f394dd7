//! The tables of the index, and what they say as a whole.

use auditspine_core::key_index::Mark;
use pgrx::pg_sys;

use crate::ledger::catalog::{check, state};
use crate::pg::heap::in_physical_order;
use crate::pg::relation::OpenRelation;
use crate::pg::row_version::file_of;
use crate::pg::sequence;
use crate::pg::table::oid_of;

const SCHEMA: &std::ffi::CStr = c"auditspine";

/// Columns of auditspine.history_run.
pub mod run_column {
    #![allow(missing_docs)]
    pub const RUN: usize = 0;
    pub const ENTRIES: usize = 1;
    pub const DIGEST: usize = 3;
}

/// Columns of auditspine.history_page.
pub mod page_column {
    #![allow(missing_docs)]
    pub const LAST_KEY: usize = 1;
    pub const PAGE: usize = 2;
    pub const ITEMS: usize = 3;
    pub const COUNT: usize = 4;
}

/// Columns of auditspine.history_fill.
mod fill_column {
    pub const FILL_ID: usize = 0;
    pub const DRAWN: usize = 3;
    pub const NEXT_XID: usize = 4;
    pub const PAGES: usize = 5;
    pub const FILE: usize = 6;
    pub const SINCE_SEQ: usize = 7;
    pub const SINCE_PAGE: usize = 8;
}

/// The tables by oid.
#[derive(Clone, Copy)]
pub struct Tables {
    /// auditspine.history_run.
    pub run: pg_sys::Oid,
    /// auditspine.history_page.
    pub page: pg_sys::Oid,
    /// Its index on (run, last_key).
    pub page_index: pg_sys::Oid,
    /// auditspine.history_head.
    pub head: pg_sys::Oid,
    /// auditspine.history_fill.
    pub fill: pg_sys::Oid,
}

impl Tables {
    /// `None` until the extension is updated from 0.4.0, and where an index is gone.
    pub fn find() -> Option<Tables> {
        use pg_sys::BuiltinOid::*;
        let run = oid_of(SCHEMA, c"history_run");
        if run == pg_sys::InvalidOid {
            return None;
        }
        let page = oid_of(SCHEMA, c"history_page");
        let head = oid_of(SCHEMA, c"history_head");
        let fill = oid_of(SCHEMA, c"history_fill");
        if [page, head, fill].contains(&pg_sys::InvalidOid) {
            return None;
        }
        let runs = [
            ("run", INT4OID),
            ("entries", INT8OID),
            ("pages", INT4OID),
            ("digest", BYTEAOID),
        ];
        let pages = [
            ("run", INT4OID),
            ("last_key", INT8OID),
            ("page", INT4OID),
            ("items", BYTEAOID),
        ];
        let fills = [
            ("fill_id", INT8OID),
            ("filled_at", TIMESTAMPTZOID),
            ("entries", INT8OID),
            ("drawn", INT8OID),
            ("next_xid", XID8OID),
            ("pages", INT8OID),
            ("file", INT8OID),
            ("since_seq", INT8OID),
            ("since_page", INT8OID),
        ];
        check(run, &runs, &[1], "history_run")?;
        check(fill, &fills, &[1], "history_fill")?;
        Some(Tables {
            run,
            page,
            page_index: check(page, &pages, &[1, 2], "history_page")?,
            head,
            fill,
        })
    }

    /// The runs that the active snapshot sees.
    pub fn runs(&self) -> Vec<Run> {
        let table = OpenRelation::table(self.run, pg_sys::AccessShareLock);
        let mut runs = Vec::new();
        in_physical_order(&table, None, |tuple| {
            tuple.show(|row| {
                runs.push(Run {
                    run: row.int4(run_column::RUN).unwrap_or(0),
                    entries: row.int8(run_column::ENTRIES).unwrap_or(0).max(0) as u64,
                    digest: row.bytes(run_column::DIGEST).unwrap_or_default(),
                });
            });
        });
        runs.sort_by_key(|run| run.run);
        runs
    }

    /// The fills that the active snapshot sees and that are still of use, the last one last.
    pub fn fills(&self) -> Vec<Fill> {
        let table = OpenRelation::table(self.fill, pg_sys::AccessShareLock);
        let mut fills = Vec::new();
        in_physical_order(&table, None, |tuple| {
            tuple.show(|row| {
                let number = |at: usize| row.int8(at);
                let page = |at: usize| number(at).and_then(|page| u32::try_from(page).ok());
                fills.push(Fill {
                    fill_id: number(fill_column::FILL_ID).unwrap_or(0),
                    mark: Mark {
                        seq: number(fill_column::DRAWN).unwrap_or(i64::MIN),
                        page: page(fill_column::PAGES).unwrap_or(0),
                        next_xid: number(fill_column::NEXT_XID).unwrap_or(0) as u64,
                    },
                    file: number(fill_column::FILE).unwrap_or(-1),
                    since: Since {
                        seq: number(fill_column::SINCE_SEQ).unwrap_or(i64::MIN),
                        page: page(fill_column::SINCE_PAGE).unwrap_or(0),
                    },
                });
            });
        });
        fills.sort_by_key(|fill| fill.fill_id);
        fills
    }
}

/// A sorted run.
pub struct Run {
    /// Its number.
    pub run: i32,
    /// How many items it has.
    pub entries: u64,
    /// Of its pages.
    pub digest: Vec<u8>,
}

/// From where on entries may be missing in the runs: above that number, or on these pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// Above it.
    pub seq: i64,
    /// From it on.
    pub page: u32,
}

impl Since {
    /// Everything may be missing.
    pub const EVER: Since = Since {
        seq: i64::MIN,
        page: 0,
    };

    /// Behind a mark.
    pub fn mark(mark: Option<Mark>) -> Since {
        mark.map_or(Since::EVER, |mark| Since {
            seq: mark.seq,
            page: mark.page,
        })
    }
}

/// A fill.
#[derive(Clone, Copy)]
pub struct Fill {
    /// Its number.
    pub fill_id: i64,
    /// How things stood before it.
    pub mark: Mark,
    /// The table's file.
    pub file: i64,
    /// What may be missing.
    pub since: Since,
}

impl Fill {
    /// Whether the runs still stand for the entries that there are.
    pub fn is_sound(&self) -> bool {
        let drawn = sequence::drawn_at_most(state().seq);
        self.file == entries_file() && drawn.is_some_and(|drawn| drawn >= self.since.seq)
    }
}

/// The file that holds the entries now.
pub fn entries_file() -> i64 {
    let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
    i64::from(file_of(&table))
}

/// How things stand now, in the order that marks need.
pub fn mark_now() -> Mark {
    let seq = sequence::drawn_at_least(state().seq);
    let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
    Mark {
        seq,
        page: table.pages(),
        next_xid: crate::pg::snapshot::next_transaction_id(),
    }
}
