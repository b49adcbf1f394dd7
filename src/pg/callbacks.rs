//! PostgreSQL's calls to us: transaction ends, savepoints, changed relations and catalogs, dropped objects. What
//! is to be done then is registered here, once for the backend's life.
//!
//! With the raw interface: pgrx's own keeps its hooks across a PREPARE and would run them in the next
//! transaction.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::transmute;

use pgrx::pg_guard;
use pgrx::pg_sys;

/// What happens to a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransactionEvent {
    /// It is about to commit, or to be prepared, and can still write.
    Ending,
    /// It has committed.
    Committed,
    /// It was rolled back.
    Aborted,
    /// It was prepared, and goes on without this backend.
    Prepared,
}

/// Has `f` called when a transaction ends. Not in parallel workers, which write nothing.
pub fn on_transaction(f: fn(TransactionEvent)) {
    // SAFETY: functions live as long as the library, which PostgreSQL never unloads.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction), f as *mut c_void) };
}

/// Has `f` called when a subtransaction, by its id, is rolled back.
pub fn on_subtransaction_abort(f: fn(pg_sys::SubTransactionId)) {
    // SAFETY: as above.
    unsafe { pg_sys::RegisterSubXactCallback(Some(subtransaction), f as *mut c_void) };
}

/// Has `f` called when a relation has changed; InvalidOid stands for any.
pub fn on_relation_change(f: fn(pg_sys::Oid)) {
    let f = pg_sys::Datum::from(f as *mut c_void);
    // SAFETY: as above.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation), f) };
}

/// Has `f` called when something in the catalog behind this cache has changed.
pub fn on_catalog_change(cache: pg_sys::SysCacheIdentifier::Type, f: fn()) {
    let f = pg_sys::Datum::from(f as *mut c_void);
    // SAFETY: as above.
    unsafe { pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(catalog), f) };
}

/// Takes an object's class, which is the catalog that it is in, its oid, and its part: the number of a column,
/// or 0.
type OnDrop = fn(pg_sys::Oid, pg_sys::Oid, i32);

thread_local! {
    static DROPPED: Cell<Option<OnDrop>> = const { Cell::new(None) };
    /// What was called before us, and is called still.
    static NEXT: Cell<pg_sys::object_access_hook_type> = const { Cell::new(None) };
}

/// Has `f` called before an object is dropped. For one function only: another takes its place.
pub fn on_drop(f: OnDrop) {
    if DROPPED.replace(Some(f)).is_some() {
        return;
    }
    // SAFETY: a plain global of this backend; the function lives as long as the library.
    unsafe {
        NEXT.set(pg_sys::object_access_hook);
        pg_sys::object_access_hook = Some(access);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn transaction(event: pg_sys::XactEvent::Type, arg: *mut c_void) {
    use pg_sys::XactEvent::*;
    let event = match event {
        XACT_EVENT_PRE_COMMIT | XACT_EVENT_PRE_PREPARE => TransactionEvent::Ending,
        XACT_EVENT_COMMIT => TransactionEvent::Committed,
        XACT_EVENT_ABORT => TransactionEvent::Aborted,
        XACT_EVENT_PREPARE => TransactionEvent::Prepared,
        _ => return,
    };
    // SAFETY: what `on_transaction` registered this with.
    let f = unsafe { transmute::<*mut c_void, fn(TransactionEvent)>(arg) };
    f(event);
}

#[pg_guard]
unsafe extern "C-unwind" fn subtransaction(
    event: pg_sys::SubXactEvent::Type,
    subid: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    arg: *mut c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        // SAFETY: what `on_subtransaction_abort` registered this with.
        let f = unsafe { transmute::<*mut c_void, fn(pg_sys::SubTransactionId)>(arg) };
        f(subid);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn relation(arg: pg_sys::Datum, oid: pg_sys::Oid) {
    // SAFETY: what `on_relation_change` registered this with.
    let f = unsafe { transmute::<*mut c_void, fn(pg_sys::Oid)>(arg.cast_mut_ptr()) };
    f(oid);
}

#[pg_guard]
unsafe extern "C-unwind" fn catalog(arg: pg_sys::Datum, _cache: c_int, _hash: u32) {
    // SAFETY: what `on_catalog_change` registered this with.
    let f = unsafe { transmute::<*mut c_void, fn()>(arg.cast_mut_ptr()) };
    f();
}

#[pg_guard]
unsafe extern "C-unwind" fn access(
    access: pg_sys::ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: c_int,
    details: *mut c_void,
) {
    if let Some(next) = NEXT.get() {
        // SAFETY: the arguments that PostgreSQL gave.
        unsafe { next(access, class, object, part, details) };
    }
    if access == pg_sys::ObjectAccessType::OAT_DROP
        && let Some(dropped) = DROPPED.get()
    {
        dropped(class, object, part);
    }
}
