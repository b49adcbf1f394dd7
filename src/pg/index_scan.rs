//! Rows of a table through one of its B-tree indexes.

use std::borrow::Borrow;

use pgrx::pg_sys;

use super::compat;
use super::heap::{Slot, Tuple};
use super::relation::OpenRelation;
use super::values::Values;

/// A condition on a column of the index.
#[derive(Clone, Copy)]
pub struct Condition {
    /// B-tree strategy.
    pub strategy: u32,
    /// The comparison function of that strategy.
    pub function: pg_sys::Oid,
    /// The collation, if it is not the index's.
    pub collation: Option<pg_sys::Oid>,
    /// What is compared with; of the type that the function takes.
    pub value: pg_sys::Datum,
}

impl Condition {
    /// That the column equals a value, as the equality `function` of its type has it.
    pub fn equal(function: u32, value: pg_sys::Datum) -> Condition {
        Condition::new(pg_sys::BTEqualStrategyNumber, function, value)
    }

    /// By a strategy and its function, with the index's collation.
    pub fn new(strategy: u32, function: u32, value: pg_sys::Datum) -> Condition {
        Condition {
            strategy,
            function: pg_sys::Oid::from(function),
            collation: None,
            value,
        }
    }
}

/// Under which snapshot rows are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// The active one, which must stay so.
    Active,
    /// SnapshotSelf: what is committed by now, and what this transaction did.
    Now,
}

/// Searches of one table through one index, one after the other, with `N` conditions each: on the first `N`
/// columns of the index.
pub struct IndexScan<T: Borrow<OpenRelation>, I: Borrow<OpenRelation>> {
    scan: pg_sys::IndexScanDesc,
    conditions: usize,
    slot: Slot,
    table: T,
    index: I,
}

/// The form in which the access method takes the condition on the column of this number, from 1.
///
/// # Safety
/// The index is open, and has the column.
pub(super) unsafe fn scan_key(
    index: &OpenRelation,
    column: i16,
    condition: &Condition,
) -> pg_sys::ScanKeyData {
    // SAFETY: fills a zeroed struct; the index has a collation for each key column.
    unsafe {
        let mut key: pg_sys::ScanKeyData = std::mem::zeroed();
        pg_sys::ScanKeyEntryInitialize(
            &mut key,
            0,
            column,
            condition.strategy as pg_sys::StrategyNumber,
            pg_sys::InvalidOid,
            condition
                .collation
                .unwrap_or_else(|| *(*index.raw()).rd_indcollation.add(column as usize - 1)),
            condition.function,
            condition.value,
        );
        key
    }
}

impl<T: Borrow<OpenRelation>, I: Borrow<OpenRelation>> IndexScan<T, I> {
    /// Begins them. The index is one of the table's, with so many columns at least.
    pub fn begin(table: T, index: I, under: Under, conditions: usize) -> IndexScan<T, I> {
        let slot = Slot::new(table.borrow());
        // SAFETY: table and index are open; a snapshot is active, or static. The scan is ended on drop, or by
        // the resource owner after an ERROR.
        let scan = unsafe {
            let snapshot = match under {
                Under::Active => pg_sys::GetActiveSnapshot(),
                Under::Now => &raw mut pg_sys::SnapshotSelfData,
            };
            let (table, index): (&OpenRelation, &OpenRelation) = (table.borrow(), index.borrow());
            compat::index_beginscan(table.raw(), index.raw(), snapshot, conditions as i32)
        };
        IndexScan {
            scan,
            conditions,
            slot,
            table,
            index,
        }
    }

    /// Begins a search.
    pub fn search(&mut self, conditions: &[Condition]) {
        assert_eq!(conditions.len(), self.conditions);
        let index: &OpenRelation = self.index.borrow();
        // SAFETY: the index has so many columns at least.
        let mut keys: Vec<_> = (1..)
            .zip(conditions)
            .map(|(column, condition)| unsafe { scan_key(index, column, condition) })
            .collect();
        let count = keys.len() as i32;
        // SAFETY: the scan was begun with so many conditions, and copies them.
        unsafe {
            pg_sys::index_rescan(self.scan, keys.as_mut_ptr(), count, std::ptr::null_mut(), 0);
        }
    }

    /// The next row, up to this column; `None` at the end.
    pub fn next_row<R>(
        &mut self,
        columns: usize,
        show: impl FnOnce(&Values<'_>) -> R,
    ) -> Option<R> {
        if !self.advance() {
            return None;
        }
        let table: &OpenRelation = self.table.borrow();
        let slot = self.slot.raw();
        // SAFETY: the slot holds a row of the table, whose page it pins; both arrays then have so many members.
        unsafe {
            let columns = columns.min((*table.tuple_desc()).natts as usize);
            pg_sys::slot_getsomeattrs_int(slot, columns as i32);
            Some(show(&Values::new(
                std::slice::from_raw_parts((*slot).tts_values, columns),
                std::slice::from_raw_parts((*slot).tts_isnull, columns),
                table.tuple_desc(),
            )))
        }
    }

    /// The next row's tuple; `None` at the end.
    pub fn next_tuple<R>(&mut self, show: impl FnOnce(Tuple<'_>) -> R) -> Option<R> {
        if !self.advance() {
            return None;
        }
        // SAFETY: the slot holds a row of the table.
        Some(unsafe { self.slot.show(self.table.borrow(), show) })
    }

    /// Ends a search ahead of its end: no page stays pinned.
    pub fn clear(&mut self) {
        // SAFETY: ours.
        unsafe { pg_sys::ExecClearTuple(self.slot.raw()) };
    }

    fn advance(&mut self) -> bool {
        let forward = pg_sys::ScanDirection::ForwardScanDirection;
        // SAFETY: scan and slot belong to one table.
        unsafe { pg_sys::index_getnext_slot(self.scan, forward, self.slot.raw()) }
    }
}

impl<T: Borrow<OpenRelation>, I: Borrow<OpenRelation>> Drop for IndexScan<T, I> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: begun by us; after an ERROR the resource owner ends it.
            unsafe { pg_sys::index_endscan(self.scan) };
        }
    }
}
