//! Layouts of row types, kept for the backend's life and checked against the type cache.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use crate::pg::row_json::composite::RowType;
use crate::pg::row_json::value::Way;
use crate::pg::varlena::Varlena;

/// What identifies a row type's current definition: it changes when a column is added, dropped,
/// renamed or retyped.
fn type_identity(type_oid: pg_sys::Oid, typmod: i32) -> u64 {
    // SAFETY: looks up a row type; for other types it raises an error.
    unsafe {
        if type_oid == pg_sys::RECORDOID {
            pg_sys::assign_record_type_identifier(type_oid, typmod)
        } else {
            let entry = pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_TUPDESC as i32);
            (*entry).tupDesc_identifier
        }
    }
}

/// The layout of a row type, made if it is new or has changed.
fn type_layout(type_oid: pg_sys::Oid, typmod: i32) -> Rc<RowType> {
    let identity = type_identity(type_oid, typmod);
    let key = (type_oid, typmod);
    if let Some(found) = LAYOUTS.with_borrow_mut(|layouts| layouts.find(key, identity)) {
        return found;
    }
    // Nothing is borrowed here: looking up types may run invalidation callbacks or raise.
    // SAFETY: the type was found in the type cache as a row type.
    let layout = Rc::new(unsafe { RowType::new(type_oid, typmod, Way::FIRST) });
    let found = Cached {
        key,
        identity,
        layout: Rc::clone(&layout),
    };
    LAYOUTS.with_borrow_mut(|layouts| layouts.insert(found));
    layout
}

type Key = (pg_sys::Oid, i32);

#[derive(Clone)]
struct Cached {
    key: Key,
    identity: u64,
    layout: Rc<RowType>,
}

#[derive(Default)]
struct Layouts {
    /// The one used last, since most rows are followed by another of their type.
    last: Option<Cached>,
    all: HashMap<Key, Cached>,
}

/// Beyond this many, layouts are forgotten: a backend may meet any number of anonymous row types.
const MOST_LAYOUTS: usize = 1024;

impl Layouts {
    #[inline]
    fn find(&mut self, key: Key, identity: u64) -> Option<Rc<RowType>> {
        if self.last.as_ref().is_none_or(|last| last.key != key) {
            self.last = Some(self.all.get(&key)?.clone());
        }
        let last = self
            .last
            .as_ref()
            .filter(|last| last.identity == identity && last.layout.layout().is_current())?;
        Some(Rc::clone(&last.layout))
    }

    fn insert(&mut self, cached: Cached) {
        if self.all.len() >= MOST_LAYOUTS {
            self.all.clear();
        }
        self.last = Some(cached.clone());
        self.all.insert(cached.key, cached);
    }
}

thread_local! {
    static LAYOUTS: RefCell<Layouts> = RefCell::default();
}

/// Writes a composite value, of whatever type it says it is, in encoding 1.
///
/// # Safety
/// `datum` is a valid non-null composite value.
#[inline]
pub unsafe fn write_record<S: Sink>(datum: pg_sys::Datum, out: &mut S) {
    // SAFETY: the caller passes a valid composite value.
    let record = unsafe { Varlena::aligned(datum) };
    let header = record.as_ptr().cast::<pg_sys::HeapTupleHeaderData>();
    // SAFETY: a plain composite value begins with a tuple header that names its type.
    let (type_oid, typmod) = unsafe {
        let datum = &(*header).t_choice.t_datum;
        (datum.datum_typeid, datum.datum_typmod)
    };
    let row_type = type_layout(type_oid, typmod);
    let plain = pg_sys::Datum::from(record.as_ptr());
    // SAFETY: the value is of the type that it names.
    unsafe { row_type.deform(plain, |row| row_type.layout().write(row, out)) };
}
