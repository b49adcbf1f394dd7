//! Recording the rows that a table holds already.

use pgrx::pg_sys;

use super::relation::OpenRelation;
use super::snapshot::ActiveSnapshot;
use crate::capture::event;
use crate::capture::row_spec::Spec;
use crate::guc;
use crate::ledger::flush;

/// Records the rows of an open table as inserted, less those that `skip` answers true for, given their
/// key; returns how many were recorded and how many skipped. Nobody writes to the table meanwhile: the
/// caller holds a lock that keeps writers out.
pub fn record_rows(
    table: &OpenRelation,
    spec: &Spec,
    mut skip: impl FnMut(&[u8]) -> bool,
) -> (u64, u64) {
    let _snapshot = ActiveSnapshot::push_latest();
    let (mut recorded, mut skipped) = (0u64, 0u64);
    let mut key = Vec::new();
    let scan = Scan::begin(table);
    while scan.next() {
        let skip = event::with_work(|work| {
            let mut is_copy = false;
            // SAFETY: the slot holds a row of the table; the row's page is pinned until the next one is
            // fetched, and a copy is kept until it is freed below.
            let tuple = unsafe {
                let tuple = pg_sys::ExecFetchSlotHeapTuple(scan.slot, false, &mut is_copy);
                work.new.load(tuple, table.tuple_desc());
                tuple
            };
            spec.write_key(&work.new, &mut key);
            let skip = skip(&key);
            if !skip {
                event::record(spec, work, b'I');
            }
            if is_copy {
                // SAFETY: ours, and the row in `work` is not looked at again.
                unsafe { pg_sys::heap_freetuple(tuple) };
            }
            skip
        });
        if skip {
            skipped += 1;
        } else {
            recorded += 1;
            flush::flush_if_due(guc::buffer_bytes());
        }
        pgrx::check_for_interrupts!();
    }
    (recorded, skipped)
}

struct Scan {
    scan: pg_sys::TableScanDesc,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Scan {
    fn begin(table: &OpenRelation) -> Scan {
        // SAFETY: the table is open and a snapshot is active.
        unsafe {
            let slot = pg_sys::table_slot_create(table.raw(), std::ptr::null_mut());
            let scan = pg_sys::table_beginscan_strat(
                table.raw(),
                pg_sys::GetActiveSnapshot(),
                0,
                std::ptr::null_mut(),
                true,
                false,
            );
            Scan { scan, slot }
        }
    }

    fn next(&self) -> bool {
        // SAFETY: scan and slot belong to one table.
        unsafe {
            pg_sys::table_scan_getnextslot(
                self.scan,
                pg_sys::ScanDirection::ForwardScanDirection,
                self.slot,
            )
        }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: begun by us; after an ERROR the resource owner ends both.
            unsafe {
                pg_sys::table_endscan(self.scan);
                pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            }
        }
    }
}
