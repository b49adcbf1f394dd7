//! PostgreSQL's functions without a guard of their own, for paths on which a guard around each call would cost as
//! much as the call: several of them stand under one [`guarded`].

use std::ffi::{c_char, c_int, c_void};

use pgrx::pg_sys;

use super::compat::FileId;

unsafe extern "C-unwind" {
    pub fn GetCurrentCommandId(used: bool) -> pg_sys::CommandId;
    pub fn GetTopTransactionId() -> pg_sys::TransactionId;
    pub fn GetRedoRecPtr() -> pg_sys::XLogRecPtr;
    pub fn relation_open(oid: pg_sys::Oid, lock: pg_sys::LOCKMODE) -> pg_sys::Relation;
    pub fn relation_close(relation: pg_sys::Relation, lock: pg_sys::LOCKMODE);
    pub fn index_open(oid: pg_sys::Oid, lock: pg_sys::LOCKMODE) -> pg_sys::Relation;
    pub fn index_close(relation: pg_sys::Relation, lock: pg_sys::LOCKMODE);
    pub fn heap_form_tuple(
        desc: pg_sys::TupleDesc,
        values: *const pg_sys::Datum,
        nulls: *const bool,
    ) -> pg_sys::HeapTuple;
    pub fn heap_insert(
        relation: pg_sys::Relation,
        tuple: pg_sys::HeapTuple,
        command: pg_sys::CommandId,
        options: c_int,
        state: pg_sys::BulkInsertState,
    );
    pub fn heap_multi_insert(
        relation: pg_sys::Relation,
        slots: *mut *mut pg_sys::TupleTableSlot,
        count: c_int,
        command: pg_sys::CommandId,
        options: c_int,
        state: pg_sys::BulkInsertState,
    );
    pub fn index_insert(
        index: pg_sys::Relation,
        values: *mut pg_sys::Datum,
        nulls: *mut bool,
        tid: pg_sys::ItemPointer,
        heap: pg_sys::Relation,
        check: pg_sys::IndexUniqueCheck::Type,
        unchanged: bool,
        info: *mut pg_sys::IndexInfo,
    ) -> bool;
    pub fn ExecStoreHeapTuple(
        tuple: pg_sys::HeapTuple,
        slot: *mut pg_sys::TupleTableSlot,
        should_free: bool,
    ) -> *mut pg_sys::TupleTableSlot;
    pub fn ReadBuffer(relation: pg_sys::Relation, block: pg_sys::BlockNumber) -> pg_sys::Buffer;
    pub fn ReadRecentBuffer(
        file: FileId,
        fork: pg_sys::ForkNumber::Type,
        block: pg_sys::BlockNumber,
        recent: pg_sys::Buffer,
    ) -> bool;
    pub fn LockBuffer(buffer: pg_sys::Buffer, mode: c_int);
    pub fn ReleaseBuffer(buffer: pg_sys::Buffer);
    pub fn UnlockReleaseBuffer(buffer: pg_sys::Buffer);
    pub fn MarkBufferDirty(buffer: pg_sys::Buffer);
    pub fn XLogBeginInsert();
    pub fn XLogRegisterBuffer(block: u8, buffer: pg_sys::Buffer, flags: u8);
    // The length is an int up to 15, and a number without sign from 16 on; the same bits either way.
    pub fn XLogRegisterData(data: *const c_void, len: u32);
    pub fn XLogInsert(manager: pg_sys::RmgrId, info: u8) -> pg_sys::XLogRecPtr;
    pub fn CheckForSerializableConflictIn(
        relation: pg_sys::Relation,
        tid: pg_sys::ItemPointer,
        block: pg_sys::BlockNumber,
    );
    pub fn GenericXLogStart(relation: pg_sys::Relation) -> *mut pg_sys::GenericXLogState;
    pub fn GenericXLogRegisterBuffer(
        state: *mut pg_sys::GenericXLogState,
        buffer: pg_sys::Buffer,
        flags: c_int,
    ) -> pg_sys::Page;
    pub fn GenericXLogFinish(state: *mut pg_sys::GenericXLogState) -> pg_sys::XLogRecPtr;
    pub fn GenericXLogAbort(state: *mut pg_sys::GenericXLogState);
    pub fn PageAddItemExtended(
        page: pg_sys::Page,
        item: *const c_char,
        size: usize,
        number: pg_sys::OffsetNumber,
        flags: c_int,
    ) -> pg_sys::OffsetNumber;
    pub fn ShmemInitStruct(name: *const c_char, size: usize, found: *mut bool) -> *mut c_void;
}

/// Calls `f` so that an ERROR in the functions above becomes a panic behind it, as in any call of PostgreSQL's.
///
/// # Safety
/// `f` calls nothing of PostgreSQL's that has a guard of its own, does not panic, and none of its own values, nor of
/// what it calls, needs dropping: an ERROR jumps over them.
#[inline]
pub unsafe fn guarded<R: Copy>(f: impl FnOnce() -> R) -> R {
    // SAFETY: the caller's.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(f) }
}
