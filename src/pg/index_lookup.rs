//! Single rows of our tables, found by index under SnapshotSelf: what is committed by now, and what
//! this transaction did. Under the locks of [`crate::ledger::lane`] that is the truth at every isolation
//! level, and it takes no predicate locks.

use pgrx::pg_sys;

use crate::pg::compat;

use super::index_scan::{Condition, scan_key};
use super::relation::{OpenRelation, index_columns};
use super::values::Values;

/// Calls `read` with the last row in index order that meets the conditions, on as many columns that the index begins
/// with, and returns its answer; `None` if there is none.
pub fn last_row<R>(
    table: &OpenRelation,
    index: pg_sys::Oid,
    conditions: &[Condition],
    read: impl FnOnce(&Values<'_>) -> R,
) -> Option<R> {
    let snapshot = &raw mut pg_sys::SnapshotSelfData;
    // SAFETY: a static snapshot of PostgreSQL's, which lives as long as the backend.
    unsafe { last_row_under(snapshot, table, index, conditions, read) }
}

/// What other transactions have to do with a row that SnapshotSelf does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Underway {
    /// There is no such row, and nobody is inserting one.
    Nothing,
    /// This transaction, which is not over, has inserted one.
    By(pg_sys::TransactionId),
    /// One has come meanwhile.
    There,
}

/// Looks for a row that another transaction has inserted and not committed.
pub fn underway(table: &OpenRelation, index: pg_sys::Oid, conditions: &[Condition]) -> Underway {
    // SAFETY: a snapshot of zeros but for its type is what PostgreSQL's InitDirtySnapshot makes; the
    // search fills in xmin, and is over before the snapshot goes.
    let (found, xmin) = unsafe {
        let mut dirty: pg_sys::SnapshotData = std::mem::zeroed();
        dirty.snapshot_type = pg_sys::SnapshotType::SNAPSHOT_DIRTY;
        let found = last_row_under(&raw mut dirty, table, index, conditions, |_| ());
        (found.is_some(), dirty.xmin)
    };
    match (found, xmin == pg_sys::InvalidTransactionId) {
        (false, _) => Underway::Nothing,
        (true, false) => Underway::By(xmin),
        (true, true) => Underway::There,
    }
}

/// # Safety
/// `snapshot` points to a snapshot that may be searched with, and outlives the call.
unsafe fn last_row_under<R>(
    snapshot: pg_sys::Snapshot,
    table: &OpenRelation,
    index: pg_sys::Oid,
    conditions: &[Condition],
    read: impl FnOnce(&Values<'_>) -> R,
) -> Option<R> {
    let index = OpenRelation::index(index, pg_sys::AccessShareLock);
    debug_assert!(conditions.len() <= index_columns(&index).len());
    // SAFETY: table and index are open and belong together; the slot fits the table; scan and slot
    // are released on every path that returns, and by the resource owner on an ERROR. The row is
    // read while its buffer is pinned by the slot.
    unsafe {
        let mut keys: [pg_sys::ScanKeyData; 4] = std::mem::zeroed();
        for ((column, condition), key) in (1..).zip(conditions).zip(&mut keys) {
            *key = scan_key(&index, column, condition);
        }
        let slot = pg_sys::table_slot_create(table.raw(), std::ptr::null_mut());
        let count = conditions.len() as i32;
        let scan = compat::index_beginscan(table.raw(), index.raw(), snapshot, count);
        pg_sys::index_rescan(scan, keys.as_mut_ptr(), count, std::ptr::null_mut(), 0);
        let backward = pg_sys::ScanDirection::BackwardScanDirection;
        let found = pg_sys::index_getnext_slot(scan, backward, slot);
        let answer = found.then(|| {
            let natts = (*table.tuple_desc()).natts;
            pg_sys::slot_getsomeattrs_int(slot, natts);
            let count = natts as usize;
            read(&Values::new(
                std::slice::from_raw_parts((*slot).tts_values, count),
                std::slice::from_raw_parts((*slot).tts_isnull, count),
                table.tuple_desc(),
            ))
        });
        pg_sys::index_endscan(scan);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        answer
    }
}

/// The bytes of an inline, uncompressed or compressed, text or bytea value.
pub fn bytes_of(datum: pg_sys::Datum) -> Vec<u8> {
    // SAFETY: the datum is a non-null varlena of a row that is being read; pg_detoast_datum_packed
    // returns it or a palloc'd copy, which is only read here.
    unsafe {
        let varlena = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
        pgrx::varlena_to_byte_slice(varlena).to_vec()
    }
}

/// Calls `read` with every row under SnapshotSelf. For small tables.
pub fn all_rows(table: &OpenRelation, mut read: impl FnMut(&Values<'_>)) {
    // SAFETY: the table is open, and its descriptor fits its tuples; a tuple is valid until the next
    // is fetched; the scan is ended here, or by the resource owner on an ERROR.
    unsafe {
        let snapshot = &raw mut pg_sys::SnapshotSelfData;
        let scan = pg_sys::table_beginscan_strat(
            table.raw(),
            snapshot,
            0,
            std::ptr::null_mut(),
            true,
            false,
        );
        let desc = table.tuple_desc();
        let count = (*desc).natts as usize;
        let mut values = vec![pg_sys::Datum::null(); count];
        let mut nulls = vec![true; count];
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            pg_sys::heap_deform_tuple(tuple, desc, values.as_mut_ptr(), nulls.as_mut_ptr());
            read(&Values::new(&values, &nulls, desc));
        }
        pg_sys::table_endscan(scan);
    }
}
