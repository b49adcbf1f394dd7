//! What may change how values read, without a change of the table: heard of through the system caches.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use pgrx::pg_sys;

/// From now on a change of this type, of its owner for one, counts as a change of functions.
pub fn watch_type(type_oid: pg_sys::Oid) {
    // SAFETY: only works out a hash.
    let hash = unsafe {
        pg_sys::GetSysCacheHashValue(
            pg_sys::SysCacheIdentifier::TYPEOID as i32,
            type_oid.into(),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        )
    };
    WATCHED_TYPES.with_borrow_mut(|types| types.insert(hash));
}

/// How often casts, functions, enum labels, roles, or types with a cast to json have changed in this
/// database since this was first asked, as far as the backend has heard; only ever grows. Output
/// functions looked up before may be others now, and labels read otherwise.
pub fn function_changes() -> u64 {
    if !WATCHING.get() {
        for cache in [
            pg_sys::SysCacheIdentifier::CASTSOURCETARGET,
            pg_sys::SysCacheIdentifier::PROCOID,
            pg_sys::SysCacheIdentifier::ENUMOID,
            pg_sys::SysCacheIdentifier::AUTHOID,
            pg_sys::SysCacheIdentifier::TYPEOID,
        ] {
            // SAFETY: registers a callback, once, for the backend's life.
            unsafe {
                pg_sys::CacheRegisterSyscacheCallback(
                    cache as i32,
                    Some(on_function_change),
                    pg_sys::Datum::null(),
                );
            }
        }
        WATCHING.set(true);
    }
    FUNCTION_CHANGES.get()
}

thread_local! {
    static FUNCTION_CHANGES: Cell<u64> = const { Cell::new(0) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    /// Hashes, as the system cache has them, of the types that [`watch_type`] was told of.
    static WATCHED_TYPES: RefCell<HashSet<u32>> = RefCell::default();
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn on_function_change(_arg: pg_sys::Datum, cache: i32, hash: u32) {
    // Every new table brings types of its own, which nobody here has met.
    let of_types = cache == pg_sys::SysCacheIdentifier::TYPEOID as i32;
    if of_types && hash != 0 && !WATCHED_TYPES.with_borrow(|types| types.contains(&hash)) {
        return;
    }
    FUNCTION_CHANGES.set(FUNCTION_CHANGES.get() + 1);
}
