//! PostgreSQL's calls to us: transaction ends, savepoints, changed relations.
//!
//! Registered once per backend, with the raw interface: pgrx's own keeps its hooks across a PREPARE
//! and would run them in the next transaction.

use std::ffi::c_void;

use pgrx::pg_guard;
use pgrx::pg_sys;

use crate::capture::layouts;
use crate::capture::trigger;
use crate::ledger::attribution;
use crate::ledger::{buffer, catalog, chains, flush, lane};
use crate::spine::checks;

/// Registers the callbacks; once, when the library is loaded.
pub fn register() {
    // SAFETY: the functions live as long as the library, which PostgreSQL never unloads.
    unsafe {
        pg_sys::RegisterXactCallback(Some(on_transaction), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(on_subtransaction), std::ptr::null_mut());
        pg_sys::CacheRegisterRelcacheCallback(Some(on_relation), pg_sys::Datum::from(0usize));
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_transaction(event: pg_sys::XactEvent::Type, _arg: *mut c_void) {
    use pg_sys::XactEvent::*;
    match event {
        XACT_EVENT_PRE_COMMIT | XACT_EVENT_PRE_PREPARE => flush::flush_at_commit(),
        XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE => {
            if event == XACT_EVENT_COMMIT {
                chains::keep_created();
            } else {
                // What was prepared becomes known again once it is committed.
                forget_created();
            }
            buffer::with_mut(buffer::Buffer::clear);
            attribution::clear();
            lane::forget_held();
            flush::transaction_ended();
            layouts::transaction_ended();
            checks::transaction_ended();
        }
        // Parallel workers write nothing, so they have nothing to link.
        _ => {}
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_subtransaction(
    event: pg_sys::SubXactEvent::Type,
    subid: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _arg: *mut c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        buffer::with_mut(|buffer| buffer.roll_back_to(subid));
        forget_created();
        checks::roll_back_to(subid);
    }
}

/// Forgets what was made by a transaction, or a part of it, that is rolled back.
fn forget_created() {
    chains::forget_created();
    if layouts::any_created() {
        trigger::forget_specs();
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_relation(_arg: pg_sys::Datum, relid: pg_sys::Oid) {
    if catalog::relation_changed(relid) {
        chains::forget_all();
        trigger::forget_specs();
    }
    trigger::relation_changed(relid);
}
