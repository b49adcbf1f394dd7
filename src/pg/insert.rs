//! Inserting tuples into one of our tables, heap and indexes, without SPI, privileges or triggers.
//!
//! What a backend can know of a table is kept from one call to the next ([`super::target`]); relations are opened and
//! locked each time, and closed at the end, their locks kept to the end of the transaction.

use pgrx::pg_sys;

use super::compat;
use super::formed_rows::FormedRows;
use super::raw::{self, guarded};
use super::relation::OpenRelation;
use super::target::{self, Keys, Target};
use crate::error::broken;

/// How many tuples go to the heap in one call.
pub const BATCH: usize = 1000;

/// Where a tuple was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The page.
    pub block: u32,
    /// Its number on the page.
    pub offset: u16,
}

/// What the rows of a table are like, as far as it decides how they are inserted.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// The column that grows with every tuple.
    pub ascending: Option<usize>,
}

/// A table opened for inserting; dropped, it is closed, its locks kept to the end of the transaction.
pub struct Inserter {
    /// The table, open as long as this lives.
    table: OpenRelation,
    target: Target,
    natts: usize,
    tuples: Vec<pg_sys::HeapTuple>,
    tids: Vec<pg_sys::ItemPointerData>,
}

impl Inserter {
    /// Opens `table` and its indexes.
    pub fn open(table: pg_sys::Oid, rows: Rows) -> Inserter {
        // SAFETY: raises for an unknown oid, and otherwise returns a pinned relation.
        let raw = unsafe {
            guarded(|| raw::relation_open(table, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE))
        };
        // SAFETY: it is closed by `close_all`, or by the resource owner after an ERROR; not before `self` goes.
        let open = unsafe { OpenRelation::borrow(raw) };
        // Under the lock, so that what is known of the table is as it is.
        let mut target = target::of(&open, rows.ascending);
        target.open_indexes();
        Inserter {
            // SAFETY: an open relation has a descriptor.
            natts: unsafe { (*open.tuple_desc()).natts as usize },
            table: open,
            target,
            tuples: Vec::new(),
            tids: Vec::new(),
        }
    }

    /// The table.
    pub fn table(&self) -> &OpenRelation {
        &self.table
    }

    /// Numbers of the table's file: of its tablespace, its database, and itself.
    pub fn file(&self) -> [u32; 3] {
        // SAFETY: the table is open.
        compat::numbers_of(&unsafe { compat::file_of(self.table.raw()) })
    }

    /// Inserts up to [`BATCH`] rows: one after the other, a value and a null flag for each column of the table. The
    /// tuples take memory from the current context, which the caller resets.
    pub fn insert(&mut self, values: &[pg_sys::Datum], nulls: &[bool]) {
        let (natts, desc) = (self.natts, self.table.tuple_desc());
        let count = values.len() / natts;
        debug_assert!(values.len() == count * natts && nulls.len() == values.len());
        self.tuples.clear();
        self.tuples.resize(count, std::ptr::null_mut());
        let tuples = &mut self.tuples[..];
        // SAFETY: values and nulls have a member per column of the table (checked by `state`). Slices and pointers
        // need no dropping, and all lengths are as told above, so that nothing panics.
        unsafe {
            guarded(|| {
                for (at, tuple) in tuples.iter_mut().enumerate() {
                    let (values, nulls) = (values.as_ptr(), nulls.as_ptr());
                    *tuple =
                        raw::heap_form_tuple(desc, values.add(at * natts), nulls.add(at * natts));
                }
            });
        }
        self.store(&Keys::new(natts, values, nulls, None));
    }

    /// Inserts up to [`BATCH`] rows that have the table's columns.
    pub fn insert_formed(&mut self, rows: &mut FormedRows) {
        let natts = self.natts;
        if rows.values.len() != rows.len() * natts {
            broken(format!("rows of a table with {natts} columns have others"));
        }
        self.tuples.clear();
        self.tuples
            .extend(rows.tuples().iter_mut().map(|tuple| &raw mut *tuple));
        let chars = Some(rows.chars);
        self.store(&Keys::new(natts, &rows.values, &rows.nulls, chars));
    }

    /// Puts `self.tuples` into the heap and the indexes.
    fn store(&mut self, keys: &Keys<'_>) {
        let (desc, heap, count) = (self.table.tuple_desc(), self.table.raw(), self.tuples.len());
        self.tids.clear();
        self.tids.resize(count, pg_sys::ItemPointerData::default());
        self.target.open_for(keys);
        let slots = match count {
            1 => std::ptr::null_mut(),
            _ => self.target.slots(desc, count),
        };
        let (tuples, tids) = (&self.tuples[..], &mut self.tids[..]);
        let indexes = self.target.indexes();
        // SAFETY: the tuples are of the table, and live until the end of this call. Slices and pointers need no
        // dropping, and all lengths are as told above, so that nothing panics.
        unsafe {
            guarded(|| {
                let command = raw::GetCurrentCommandId(true);
                let state = std::ptr::null_mut();
                if slots.is_null() {
                    let tuple = *tuples.as_ptr();
                    raw::heap_insert(heap, tuple, command, 0, state);
                    *tids.as_mut_ptr() = (*tuple).t_self;
                } else {
                    for (at, tuple) in tuples.iter().enumerate() {
                        raw::ExecStoreHeapTuple(*tuple, *slots.add(at), false);
                    }
                    raw::heap_multi_insert(heap, slots, count as i32, command, 0, state);
                    for (at, tid) in tids.iter_mut().enumerate() {
                        *tid = (**slots.add(at)).tts_tid;
                    }
                }
                for index in indexes {
                    index.insert(heap, keys, tids);
                }
            });
        }
    }

    /// Where a row of the last call was stored.
    pub fn stored(&self, at: usize) -> Stored {
        let tid = self.tids[at];
        Stored {
            block: u32::from(tid.ip_blkid.bi_hi) << 16 | u32::from(tid.ip_blkid.bi_lo),
            offset: tid.ip_posid,
        }
    }

    /// Where a page of the table is in memory at this moment; a hint for [`Inserter::shows`].
    pub fn buffer_of(&self, block: u32) -> i32 {
        let heap = self.table.raw();
        // SAFETY: the table is open, and has the page, which is not looked at.
        unsafe {
            guarded(|| {
                let buffer = raw::ReadBuffer(heap, block);
                raw::ReleaseBuffer(buffer);
                buffer
            })
        }
    }

    /// Shows `look` the values and the last 32 bytes of a tuple, if its page is still where it was in memory, and the
    /// tuple is there and nobody has deleted or locked it; `None` otherwise. Of a tuple that was never committed, it is
    /// the caller's to know.
    pub fn shows<R: Copy>(
        &self,
        at: Stored,
        buffer: i32,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        if buffer <= 0 {
            return None;
        }
        let heap = self.table.raw();
        let mut copy = [0u8; TUPLE];
        // SAFETY: a buffer is looked at only once it is known to hold this page, pinned and locked; what is read lies
        // within the page.
        let length = unsafe {
            let file = compat::file_of(heap);
            guarded(|| {
                let main = pg_sys::ForkNumber::MAIN_FORKNUM;
                if !raw::ReadRecentBuffer(file, main, at.block, buffer) {
                    return None;
                }
                raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
                let length = copy_live_tuple(pg_sys::BufferGetPage(buffer), at.offset, &mut copy);
                raw::UnlockReleaseBuffer(buffer);
                length
            })
        };
        length.map(|length| look(&copy[..length]))
    }
}

impl Drop for Inserter {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // An ERROR is on its way: the resource owner closes what is open.
            return;
        }
        self.target.close_indexes();
        let table = self.table.raw();
        // SAFETY: opened by us, closed once; the lock stays.
        unsafe { guarded(|| raw::relation_close(table, pg_sys::NoLock as pg_sys::LOCKMODE)) };
        target::keep(std::mem::take(&mut self.target));
    }
}

/// What is looked at of a tuple: the first values, and the last bytes.
const TUPLE: usize = HEAD + TAIL;
const HEAD: usize = 24;
const TAIL: usize = 33;

/// Copies the first and the last bytes of a tuple's values, if there is one that nobody has touched; how many.
///
/// # Safety
/// The page is pinned and locked.
unsafe fn copy_live_tuple(
    page: pg_sys::Page,
    offset: u16,
    copy: &mut [u8; TUPLE],
) -> Option<usize> {
    const XMAX_INVALID: u16 = pg_sys::HEAP_XMAX_INVALID as u16;
    const NORMAL: u32 = pg_sys::LP_NORMAL;
    // SAFETY: pd_lower of a page says how many line pointers there are; a normal one points at a tuple on the page.
    unsafe {
        let header = page.cast::<pg_sys::PageHeaderData>();
        let pointers = std::mem::offset_of!(pg_sys::PageHeaderData, pd_linp);
        let last = (usize::from((*header).pd_lower).saturating_sub(pointers)) / 4;
        if offset == 0 || usize::from(offset) > last {
            return None;
        }
        let item = &*(*header).pd_linp.as_ptr().add(usize::from(offset) - 1);
        let (start, length) = (item.lp_off() as usize, item.lp_len() as usize);
        if item.lp_flags() != NORMAL || start + length > pg_sys::BLCKSZ as usize {
            return None;
        }
        let tuple = page.cast::<u8>().add(start);
        let (mask, values) = {
            let header = &*tuple.cast::<pg_sys::HeapTupleHeaderData>();
            (header.t_infomask, usize::from(header.t_hoff))
        };
        if mask & XMAX_INVALID == 0 || length < values + TUPLE {
            return None;
        }
        let to = copy.as_mut_ptr();
        to.copy_from_nonoverlapping(tuple.add(values), HEAD);
        to.add(HEAD)
            .copy_from_nonoverlapping(tuple.add(length - TAIL), TAIL);
        Some(TUPLE)
    }
}
