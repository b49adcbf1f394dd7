//! Tuples of a table: one after the other, or by their place.

use std::ffi::CStr;
use std::marker::PhantomData;

use auditspine_core::rows::Place;
use pgrx::pg_sys;

use super::query::show_tuple;
use super::relation::OpenRelation;
use super::row_json::DeformedRow;
use super::values::Values;

/// A tuple, as long as it stays where it is.
#[derive(Clone, Copy)]
pub struct Tuple<'a> {
    tuple: pg_sys::HeapTuple,
    desc: pg_sys::TupleDesc,
    pinned: PhantomData<&'a ()>,
}

impl<'a> Tuple<'a> {
    /// Of a tuple and its descriptor.
    ///
    /// # Safety
    /// They belong together and stay valid for `'a`.
    pub unsafe fn new(tuple: pg_sys::HeapTuple, desc: pg_sys::TupleDesc) -> Tuple<'a> {
        Tuple {
            tuple,
            desc,
            pinned: PhantomData,
        }
    }

    /// Its descriptor.
    pub(super) fn desc(&self) -> pg_sys::TupleDesc {
        self.desc
    }

    /// The table that it was read from; invalid for a row that a query made.
    #[inline]
    pub(super) fn table(&self) -> pg_sys::Oid {
        // SAFETY: a tuple says so.
        unsafe { (*self.tuple).t_tableOid }
    }

    /// Its header and values, as they lie.
    pub fn bytes(&self) -> &'a [u8] {
        // SAFETY: a tuple has so many bytes there.
        unsafe {
            std::slice::from_raw_parts((*self.tuple).t_data.cast(), (*self.tuple).t_len as usize)
        }
    }

    pub(super) fn tid(&self) -> pg_sys::ItemPointerData {
        // SAFETY: a tuple has a place.
        unsafe { (*self.tuple).t_self }
    }

    /// Its place in the table.
    pub fn place(&self) -> Place {
        let tid = self.tid();
        Place {
            block: (u32::from(tid.ip_blkid.bi_hi) << 16) | u32::from(tid.ip_blkid.bi_lo),
            offset: tid.ip_posid,
        }
    }

    /// Shows its values.
    pub fn show<R>(&self, show: impl FnOnce(&Values<'_>) -> R) -> R {
        // SAFETY: tuple and descriptor belong together.
        unsafe { show_tuple(self.tuple, self.desc, show) }
    }

    /// The text of a column, `None` for NULL; no text at all if there is no column of this name.
    pub fn text_of(&self, column: &CStr) -> Option<Option<String>> {
        // SAFETY: tuple and descriptor belong together; the text is palloc'd, or null.
        unsafe {
            let number = pg_sys::SPI_fnumber(self.desc, column.as_ptr());
            if number == pg_sys::SPI_ERROR_NOATTRIBUTE {
                return None;
            }
            let text = pg_sys::SPI_getvalue(self.tuple, self.desc, number);
            Some((!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned()))
        }
    }

    /// A copy with a number in one of its columns; `None` if it has no such column of type integer.
    pub(super) fn with_int4(&self, column: &CStr, number: i32) -> Option<pg_sys::Datum> {
        // SAFETY: tuple and descriptor belong together; each array has one member.
        unsafe {
            let mut place = pg_sys::SPI_fnumber(self.desc, column.as_ptr());
            if place <= 0 || pg_sys::SPI_gettypeid(self.desc, place) != pg_sys::INT4OID {
                return None;
            }
            let mut value = pg_sys::Datum::from(number);
            let mut null = false;
            let changed = pg_sys::heap_modify_tuple_by_cols(
                self.tuple, self.desc, 1, &mut place, &mut value, &mut null,
            );
            Some(pg_sys::Datum::from(changed))
        }
    }

    /// Number of the command that wrote it.
    ///
    /// # Safety
    /// The running transaction wrote it.
    pub(super) unsafe fn command(&self) -> pg_sys::CommandId {
        // SAFETY: the caller's.
        unsafe { pg_sys::HeapTupleHeaderGetCmin((*self.tuple).t_data) }
    }

    /// Takes it apart into a row, which holds it while it is shown and nothing afterwards.
    pub fn deform<R>(&self, row: &mut DeformedRow, show: impl FnOnce(&DeformedRow) -> R) -> R {
        // SAFETY: tuple and descriptor are valid until the row is emptied, here or while a panic passes.
        unsafe { row.load(self.tuple, self.desc) };
        let loaded = Loaded(row);
        show(loaded.0)
    }

    /// Takes it apart into arrays with a member per column; false if it has another number of columns.
    #[inline]
    pub(super) fn deform_into(&self, values: &mut [pg_sys::Datum], nulls: &mut [bool]) -> bool {
        // SAFETY: tuple and descriptor belong together; both arrays have a member per column.
        unsafe {
            let count = (*self.desc).natts as usize;
            if values.len() != count || nulls.len() != count {
                return false;
            }
            pg_sys::heap_deform_tuple(
                self.tuple,
                self.desc,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
        true
    }
}

/// Empties the row however its use ends.
struct Loaded<'a>(&'a mut DeformedRow);

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// Room for one row of a table.
pub struct Slot(*mut pg_sys::TupleTableSlot);

impl Slot {
    /// For rows of this table, in the current memory context.
    pub fn new(table: &OpenRelation) -> Slot {
        // SAFETY: the table is open.
        Slot(unsafe { pg_sys::table_slot_create(table.raw(), std::ptr::null_mut()) })
    }

    /// The slot, for PostgreSQL.
    pub fn raw(&self) -> *mut pg_sys::TupleTableSlot {
        self.0
    }

    /// Shows the tuple that it holds.
    ///
    /// # Safety
    /// It holds a row of the table that it was made for.
    pub unsafe fn show<R>(&mut self, table: &OpenRelation, show: impl FnOnce(Tuple<'_>) -> R) -> R {
        // SAFETY: the caller's; a tuple that was made for us is freed after its last use.
        unsafe {
            let mut made = false;
            let tuple = pg_sys::ExecFetchSlotHeapTuple(self.0, false, &mut made);
            (*tuple).t_self = (*self.0).tts_tid;
            (*tuple).t_tableOid = table.oid();
            let answer = show(Tuple::new(tuple, table.tuple_desc()));
            if made {
                pg_sys::heap_freetuple(tuple);
            }
            answer
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: made by us, dropped once; an ERROR's clean-up frees it otherwise.
            unsafe { pg_sys::ExecDropSingleTupleTableSlot(self.0) };
        }
    }
}

/// A pass over the rows of a table that the active snapshot sees.
pub struct TableScan<'a> {
    table: &'a OpenRelation,
    scan: pg_sys::TableScanDesc,
    slot: Slot,
}

impl<'a> TableScan<'a> {
    /// Begins one; `synchronized` lets it begin where another one is under way.
    pub fn begin(table: &'a OpenRelation, synchronized: bool) -> TableScan<'a> {
        let slot = Slot::new(table);
        // SAFETY: the table is open and a snapshot is active.
        let scan = unsafe {
            pg_sys::table_beginscan_strat(
                table.raw(),
                pg_sys::GetActiveSnapshot(),
                0,
                std::ptr::null_mut(),
                true,
                synchronized,
            )
        };
        TableScan { table, scan, slot }
    }

    /// Shows the next row; `None` at the end.
    pub fn next<R>(&mut self, show: impl FnOnce(Tuple<'_>) -> R) -> Option<R> {
        let forward = pg_sys::ScanDirection::ForwardScanDirection;
        // SAFETY: scan and slot belong to one table; the slot then holds a row.
        unsafe {
            pg_sys::table_scan_getnextslot(self.scan, forward, self.slot.raw())
                .then(|| self.slot.show(self.table, show))
        }
    }
}

impl Drop for TableScan<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: begun by us; after an ERROR the resource owner ends it.
            unsafe { pg_sys::table_endscan(self.scan) };
        }
    }
}

/// Calls `show` with every tuple of a heap that the active snapshot sees, in physical order; `pages` is first and
/// number.
pub fn in_physical_order(
    table: &OpenRelation,
    pages: Option<(u32, u32)>,
    mut show: impl FnMut(Tuple<'_>),
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
        loop {
            let tuple = pg_sys::heap_getnext(scan, forward);
            if tuple.is_null() {
                break;
            }
            show(Tuple::new(tuple, table.tuple_desc()));
            rest_of_page(scan.cast(), table, &mut show);
            pgrx::check_for_interrupts!();
        }
        pg_sys::table_endscan(scan);
    }
}

/// Shows the tuples that come on the page behind the current one, without a call into PostgreSQL for each.
///
/// # Safety
/// The scan is one of this table's, goes forward and has a current tuple.
unsafe fn rest_of_page(
    scan: *mut pg_sys::HeapScanDescData,
    table: &OpenRelation,
    show: &mut impl FnMut(Tuple<'_>),
) {
    // SAFETY: a scan that goes page by page keeps the current page pinned, and a list of the tuples on it that its
    // snapshot sees; it goes on behind the one of number `rs_cindex`. Items in the list are normal ones.
    unsafe {
        if (*scan).rs_base.rs_flags & pg_sys::ScanOptions::SO_ALLOW_PAGEMODE == 0 {
            return;
        }
        let page = pg_sys::BufferGetPage((*scan).rs_cbuf);
        let items = (*page.cast::<pg_sys::PageHeaderData>()).pd_linp.as_ptr();
        let mut tuple = (*scan).rs_ctup;
        let (shown, count) = ((*scan).rs_cindex as usize + 1, (*scan).rs_ntuples as usize);
        let visible = (*scan).rs_vistuples;
        for at in shown..count {
            if at + AHEAD < count {
                let item = items.add(usize::from(visible[at + AHEAD]) - 1);
                fetch_early(
                    page.add((*item).lp_off() as usize),
                    (*item).lp_len() as usize,
                );
            }
            let item = items.add(usize::from(visible[at]) - 1);
            tuple.t_len = (*item).lp_len();
            tuple.t_data = page.add((*item).lp_off() as usize).cast();
            tuple.t_self.ip_posid = visible[at];
            (*scan).rs_cindex = at as _;
            show(Tuple::new(&mut tuple, table.tuple_desc()));
        }
    }
}

/// Tuples that are fetched before they are shown: a page comes from memory in an order that the processor does not
/// foresee.
const AHEAD: usize = 3;

/// Asks for bytes that will be read soon to be brought near, where the processor takes such wishes.
#[inline]
fn fetch_early(first: *const core::ffi::c_char, count: usize) {
    #[cfg(target_arch = "x86_64")]
    for at in (0..count).step_by(64) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: nothing is read; any address may be named.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(at)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (first, count);
}

/// Reads single rows of a table by place.
pub struct Fetcher {
    slot: Slot,
    table: OpenRelation,
}

impl Fetcher {
    /// Of a table that is open already, or another reference to it.
    pub fn new(table: OpenRelation) -> Fetcher {
        Fetcher {
            slot: Slot::new(&table),
            table,
        }
    }

    /// Shows the tuple at a place, if the active snapshot sees it there.
    pub fn fetch<R>(&mut self, place: Place, show: impl FnOnce(Tuple<'_>) -> R) -> Option<R> {
        // SAFETY: table and slot belong together, and a snapshot is active; the tuple is valid until the
        // slot is cleared.
        unsafe {
            let mut tid = pg_sys::ItemPointerData::default();
            pgrx::itemptr::item_pointer_set_all(&mut tid, place.block, place.offset);
            let found = pg_sys::table_tuple_fetch_row_version(
                self.table.raw(),
                &mut tid,
                pg_sys::GetActiveSnapshot(),
                self.slot.raw(),
            );
            if !found {
                return None;
            }
            let answer = self.slot.show(&self.table, show);
            pg_sys::ExecClearTuple(self.slot.raw());
            Some(answer)
        }
    }
}
