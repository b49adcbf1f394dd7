//! Runs, searched and read under the active snapshot.

use auditspine_core::key_index::{Item, PackedPage, RunDigest};
use pgrx::pg_sys;

use crate::error::Failure;
use crate::ledger::key_index::tables::{Tables, page_column};
use crate::pg::index_scan::{Condition, IndexScan, Under};
use crate::pg::relation::OpenRelation;
use crate::pg::values::Values;

/// The runs are not as they were written.
pub struct Damaged;

/// Searches runs by key. The snapshot that is active when it is made has to stay so.
pub struct Search {
    scan: IndexScan<OpenRelation, OpenRelation>,
    runs: Vec<i32>,
}

impl Search {
    /// Of these runs.
    pub fn open(tables: &Tables, runs: Vec<i32>) -> Search {
        Search {
            scan: pages(tables, 2),
            runs,
        }
    }

    /// Shows the items of a key.
    pub fn find(&mut self, key: i64, mut show: impl FnMut(Item)) -> Result<(), Damaged> {
        for run in &self.runs {
            self.scan.search(&[
                of_run(*run),
                Condition::new(
                    pg_sys::BTGreaterEqualStrategyNumber,
                    pg_sys::F_INT8GE,
                    key.into(),
                ),
            ]);
            loop {
                let more = self.scan.next_row(page_column::COUNT, |row| {
                    let bytes = row.content(page_column::ITEMS).ok_or(Damaged)?;
                    let page = PackedPage::new(&bytes).ok_or(Damaged)?;
                    let (items, more) = page.of_key(key);
                    items.for_each(&mut show);
                    Ok(more && row.int8(page_column::LAST_KEY) == Some(key))
                });
                match more {
                    Some(Ok(true)) => {}
                    Some(Ok(false)) | None => break,
                    Some(Err(damaged)) => return Err(damaged),
                }
            }
            self.scan.clear();
        }
        Ok(())
    }
}

fn pages(tables: &Tables, conditions: usize) -> IndexScan<OpenRelation, OpenRelation> {
    let lock = pg_sys::AccessShareLock;
    IndexScan::begin(
        OpenRelation::table(tables.page, lock),
        OpenRelation::index(tables.page_index, lock),
        Under::Active,
        conditions,
    )
}

fn of_run(run: i32) -> Condition {
    Condition::new(pg_sys::BTEqualStrategyNumber, pg_sys::F_INT4EQ, run.into())
}

/// The items of one run in order, page by page, and their digest.
pub struct RunReader {
    scan: IndexScan<OpenRelation, OpenRelation>,
    run: i32,
    page: Vec<Item>,
    at: usize,
    digest: Option<RunDigest>,
    expected: Vec<u8>,
}

impl RunReader {
    /// Begins to read a run whose digest is told.
    pub fn open(tables: &Tables, run: i32, digest: Vec<u8>) -> RunReader {
        let mut scan = pages(tables, 1);
        scan.search(&[of_run(run)]);
        RunReader {
            scan,
            run,
            page: Vec::new(),
            at: 0,
            digest: Some(RunDigest::new()),
            expected: digest,
        }
    }

    /// Reads on to the next page; false at the end, `Err` if the run is not as it was written.
    fn advance(&mut self) -> Result<bool, Damaged> {
        pgrx::check_for_interrupts!();
        self.page.clear();
        self.at = 0;
        let RunReader {
            scan, page, digest, ..
        } = self;
        let mut take_in = |row: &Values<'_>| {
            let bytes = row.content(page_column::ITEMS).ok_or(Damaged)?;
            if let Some(digest) = digest {
                digest.page(
                    row.int8(page_column::LAST_KEY).unwrap_or(0),
                    row.int4(page_column::PAGE).unwrap_or(0),
                    &bytes,
                );
            }
            page.extend(PackedPage::new(&bytes).ok_or(Damaged)?.items());
            Ok(())
        };
        match scan.next_row(page_column::COUNT, &mut take_in) {
            Some(read) => read.map(|()| true),
            None => match self.digest.take().map(RunDigest::finish) {
                Some(digest) if digest.0[..] != self.expected[..] => Err(Damaged),
                _ => Ok(false),
            },
        }
    }

    /// Reads all of it; whether it is as it was written.
    pub fn proves_whole(mut self) -> bool {
        loop {
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return true,
                Err(Damaged) => return false,
            }
        }
    }
}

impl Iterator for RunReader {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        while self.at == self.page.len() {
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(Damaged) => damaged(self.run),
            }
        }
        self.at += 1;
        self.page.get(self.at - 1).copied()
    }
}

/// Raises 55000: a run is not as it was written.
pub fn damaged(run: i32) -> ! {
    Failure::BrokenInstallation.raise(
        format!("run {run} of auditspine.history_page is not as it was written"),
        "SELECT index_history(rebuild => true) makes the index of histories anew",
    )
}
