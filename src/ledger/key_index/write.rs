//! Runs, heads and fills, written without SQL, so that no trigger or rule changes what is written.

use auditspine_core::key_index::{ITEMS, Item, Mark, RunDigest, pack};
use pgrx::pg_sys;

use crate::ledger::key_index::tables::{Since, Tables};
use crate::pg::arena::DatumArena;
use crate::pg::clock;
use crate::pg::insert::{Inserter, Rows};
use crate::pg::memory::ScratchContext;

/// Pages that go to the table in one call.
const PAGES: usize = 32;
/// Heads that do.
const HEADS: usize = 1000;

/// Writes a run from items in order.
pub struct RunWriter {
    tables: Tables,
    run: i32,
    items: Vec<Item>,
    full: Vec<(i64, i32, Vec<u8>)>,
    pages: i32,
    entries: u64,
    digest: RunDigest,
    inserter: Inserter,
}

impl RunWriter {
    /// Begins a run of this number.
    pub fn begin(tables: &Tables, run: i32) -> RunWriter {
        RunWriter {
            tables: *tables,
            run,
            items: Vec::with_capacity(ITEMS),
            full: Vec::with_capacity(PAGES),
            pages: 0,
            entries: 0,
            digest: RunDigest::new(),
            inserter: Inserter::open(tables.page, Rows { ascending: None }),
        }
    }

    /// Adds the next item.
    pub fn push(&mut self, item: Item) {
        self.items.push(item);
        if self.items.len() == ITEMS {
            self.end_page();
        }
    }

    fn end_page(&mut self) {
        let Some(last) = self.items.last() else {
            return;
        };
        let bytes = pack(&self.items);
        self.pages += 1;
        self.digest.page(last.key, self.pages, &bytes);
        self.full.push((last.key, self.pages, bytes));
        self.entries += self.items.len() as u64;
        self.items.clear();
        if self.full.len() == PAGES {
            self.write();
        }
    }

    fn write(&mut self) {
        if self.full.is_empty() {
            return;
        }
        pgrx::check_for_interrupts!();
        let _scratch = ScratchContext::enter();
        let mut arena = DatumArena::default();
        let rows: Vec<[pg_sys::Datum; 4]> = self
            .full
            .iter()
            .map(|(last_key, number, bytes)| {
                let items = arena.varlena(bytes);
                [self.run.into(), (*last_key).into(), (*number).into(), items]
            })
            .collect();
        insert(&mut self.inserter, &rows);
        self.full.clear();
    }

    /// Ends the run; nothing is left of one without items.
    pub fn finish(mut self) -> u64 {
        self.end_page();
        self.write();
        drop(self.inserter);
        if self.entries > 0 {
            let mut arena = DatumArena::default();
            let row = [
                self.run.into(),
                pg_sys::Datum::from(self.entries as i64),
                self.pages.into(),
                arena.varlena(&self.digest.finish().0),
            ];
            insert_all(self.tables.run, &[row]);
        }
        self.entries
    }
}

/// Writes heads, of which there are no rows.
pub fn heads(tables: &Tables, heads: &[(&(i32, i16), &i64)]) {
    for batch in heads.chunks(HEADS) {
        let rows: Vec<[pg_sys::Datum; 3]> = batch
            .iter()
            .map(|((chain_id, lane), pos)| [(*chain_id).into(), (*lane).into(), (**pos).into()])
            .collect();
        insert_all(tables.head, &rows);
    }
}

/// Writes a fill.
pub fn fill(tables: &Tables, fill_id: i64, entries: u64, mark: Mark, file: i64, since: Since) {
    let row = [
        fill_id.into(),
        clock::now().into(),
        pg_sys::Datum::from(entries as i64),
        mark.seq.into(),
        pg_sys::Datum::from(mark.next_xid as i64),
        i64::from(mark.page).into(),
        file.into(),
        since.seq.into(),
        i64::from(since.page).into(),
    ];
    insert_all(tables.fill, &[row]);
}

fn insert_all<const N: usize>(table: pg_sys::Oid, rows: &[[pg_sys::Datum; N]]) {
    let _scratch = ScratchContext::enter();
    let mut inserter = Inserter::open(table, Rows { ascending: None });
    insert(&mut inserter, rows);
}

fn insert<const N: usize>(inserter: &mut Inserter, rows: &[[pg_sys::Datum; N]]) {
    inserter.insert(rows.as_flattened(), &vec![false; rows.len() * N]);
}
