//! Drawing numbers from a sequence, many at once.
//!
//! `nextval` draws one number a call and changes what `lastval()` returns, on which applications
//! rely after an INSERT; an audit that runs behind their backs at commit must not. So the sequence's
//! page is advanced here, with the WAL record that PostgreSQL's own sequence.c writes: replay,
//! `setval`, `ALTER SEQUENCE … RESTART`, pg_dump and `SELECT last_value` know no difference.

use pgrx::pg_sys;

use crate::pg::compat::file_of;

use super::raw::{self, guarded};
use super::relation::OpenRelation;
use crate::error::broken;

/// The tuple on a sequence's only page (FormData_pg_sequence_data in commands/sequence.h).
#[repr(C)]
struct SequenceData {
    last_value: i64,
    log_cnt: i64,
    is_called: bool,
}

/// Numbers that one WAL record covers ahead of use, as in sequence.c.
const LOG_AHEAD: i64 = 32;
const XLOG_SEQ_LOG: u8 = 0;

/// The last number that was drawn, or one that is up to [`LOG_AHEAD`] less; 0 if none was.
///
/// Replaying WAL, after a crash or on a standby, sets a sequence ahead of what was drawn, and its count
/// of numbers logged ahead to 0.
pub fn drawn_at_least(sequence: pg_sys::Oid) -> i64 {
    let rel = OpenRelation::table(sequence, pg_sys::AccessShareLock);
    if !is_sequence(&rel) {
        broken("auditspine's sequence is not a sequence".to_owned());
    }
    let (last_value, is_called, logged_ahead) = look_at(&rel);
    let last = last_value.saturating_sub(i64::from(!is_called));
    if is_called && logged_ahead == 0 {
        last.saturating_sub(LOG_AHEAD).max(0)
    } else {
        last
    }
}

/// A number that nothing beyond was drawn of when this was called; `None` if the sequence is no sequence.
///
/// Replaying WAL sets a sequence ahead of what was drawn, never behind it.
pub fn drawn_at_most(sequence: pg_sys::Oid) -> Option<i64> {
    let rel = OpenRelation::table(sequence, pg_sys::AccessShareLock);
    is_sequence(&rel).then(|| {
        let (last_value, is_called, _) = look_at(&rel);
        last_value.saturating_sub(i64::from(!is_called))
    })
}

fn is_sequence(rel: &OpenRelation) -> bool {
    // SAFETY: rd_rel of an open relation is set.
    let kind = unsafe { (*(*rel.raw()).rd_rel).relkind };
    kind == pg_sys::RELKIND_SEQUENCE as i8 as std::ffi::c_char
}

/// Last value, whether it was drawn, and how many numbers are logged ahead.
fn look_at(rel: &OpenRelation) -> (i64, bool, i64) {
    // SAFETY: an open sequence; its only page is pinned and locked while the tuple on it is read.
    unsafe {
        let buffer = pg_sys::ReadBuffer(rel.raw(), 0);
        pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
        let data = data_of(tuple_of(pg_sys::BufferGetPage(buffer)).0);
        let state = ((*data).last_value, (*data).is_called, (*data).log_cnt);
        pg_sys::UnlockReleaseBuffer(buffer);
        state
    }
}

/// Draws `count` consecutive numbers and returns the first. Numbers drawn by a transaction that
/// aborts are lost, as with `nextval`.
pub fn draw(sequence: pg_sys::Oid, count: i64) -> i64 {
    draw_above(sequence, 0, count)
}

/// As [`draw`], and none of the numbers is `floor` or less.
pub fn draw_above(sequence: pg_sys::Oid, floor: i64, count: i64) -> i64 {
    // SAFETY: nothing in there needs dropping or panics.
    match unsafe { guarded(|| draw_under_guard(sequence, floor, count)) } {
        Ok(first) => first,
        Err(Refused::NoSequence) => broken("auditspine's sequence is not a sequence".to_owned()),
        Err(Refused::Exhausted(before)) => broken(format!(
            "auditspine's sequence stands at {before}, with no {count} numbers left above {floor}"
        )),
    }
}

/// Why no numbers can be drawn.
#[derive(Clone, Copy)]
enum Refused {
    NoSequence,
    /// By its last value.
    Exhausted(i64),
}

/// # Safety
/// Within [`guarded`].
unsafe fn draw_under_guard(sequence: pg_sys::Oid, floor: i64, count: i64) -> Result<i64, Refused> {
    // SAFETY: raises for an unknown oid, and otherwise returns a pinned relation, which is closed below. The buffer is
    // pinned and exclusively locked while the page is read and written, and the order (mark dirty, register, insert,
    // set LSN, final values) inside a critical section is the one that sequence.c follows; an ERROR in there becomes a
    // PANIC, as it must.
    unsafe {
        let rel = raw::relation_open(sequence, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
        let close = || raw::relation_close(rel, pg_sys::NoLock as pg_sys::LOCKMODE);
        if (*(*rel).rd_rel).relkind != pg_sys::RELKIND_SEQUENCE as i8 as std::ffi::c_char {
            close();
            return Err(Refused::NoSequence);
        }
        let logged = (*(*rel).rd_rel).relpersistence
            == pg_sys::RELPERSISTENCE_PERMANENT as i8 as std::ffi::c_char;
        if logged {
            // The commit record of a transaction without an id would not flush our WAL.
            raw::GetTopTransactionId();
        }
        let buffer = raw::ReadBuffer(rel, 0);
        raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_EXCLUSIVE as i32);
        let page = pg_sys::BufferGetPage(buffer);
        let (header, length) = tuple_of(page);
        let data = data_of(header);

        let before = (*data).last_value;
        let first = before
            .checked_add(i64::from((*data).is_called))
            .and_then(|first| Some(first.max(floor.checked_add(1)?)))
            .filter(|first| *first > 0 && first.checked_add(count + LOG_AHEAD).is_some());
        let Some(first) = first else {
            raw::UnlockReleaseBuffer(buffer);
            close();
            return Err(Refused::Exhausted(before));
        };
        let last = first + (count - 1);
        let used = last - before;
        let page_header = page.cast::<pg_sys::PageHeaderData>();
        let lsn = u64::from((*page_header).pd_lsn.xlogid) << 32
            | u64::from((*page_header).pd_lsn.xrecoff);
        // After a checkpoint the page must be logged anew, or replay would start from an old one.
        let log = !(*data).is_called || (*data).log_cnt < used || lsn <= raw::GetRedoRecPtr();
        let ahead = if log {
            LOG_AHEAD
        } else {
            (*data).log_cnt - used
        };

        pg_sys::CritSectionCount += 1;
        raw::MarkBufferDirty(buffer);
        if log && logged {
            (*data).last_value = last + LOG_AHEAD;
            (*data).is_called = true;
            (*data).log_cnt = 0;
            let file = file_of(rel);
            raw::XLogBeginInsert();
            raw::XLogRegisterBuffer(0, buffer, pg_sys::REGBUF_WILL_INIT as u8);
            raw::XLogRegisterData((&raw const file).cast(), size_of_val(&file) as u32);
            raw::XLogRegisterData(header.cast(), length);
            let lsn = raw::XLogInsert(pg_sys::RmgrIds::RM_SEQ_ID as u8, XLOG_SEQ_LOG);
            (*page_header).pd_lsn.xlogid = (lsn >> 32) as u32;
            (*page_header).pd_lsn.xrecoff = lsn as u32;
        }
        (*data).last_value = last;
        (*data).is_called = true;
        (*data).log_cnt = ahead;
        pg_sys::CritSectionCount -= 1;
        raw::UnlockReleaseBuffer(buffer);
        close();
        Ok(first)
    }
}

/// The tuple on a sequence's page, and its length.
///
/// # Safety
/// The page is that of a sequence, pinned and locked.
unsafe fn tuple_of(page: pg_sys::Page) -> (*mut pg_sys::HeapTupleHeaderData, u32) {
    // SAFETY: the page has one line pointer, and it points at the tuple.
    unsafe {
        let item = &*(*page.cast::<pg_sys::PageHeaderData>()).pd_linp.as_ptr();
        let tuple = page.cast::<u8>().add(item.lp_off() as usize);
        (tuple.cast(), item.lp_len())
    }
}

/// # Safety
/// The tuple is a sequence's.
unsafe fn data_of(header: *mut pg_sys::HeapTupleHeaderData) -> *mut SequenceData {
    // SAFETY: the caller's.
    unsafe {
        header
            .cast::<u8>()
            .add(usize::from((*header).t_hoff))
            .cast()
    }
}
