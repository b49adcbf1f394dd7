//! Layouts of row types, kept for the backend's life and checked against the type cache.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use crate::pg::memory::LastingContext;
use crate::pg::row_json::{DeformedRow, RowLayout};
use crate::pg::varlena::Varlena;

/// A row type's layout, without exclusions, and a descriptor of its own.
struct TypeLayout {
    layout: RowLayout,
    tupdesc: pg_sys::TupleDesc,
    // Holds `tupdesc`.
    _context: LastingContext,
}

impl TypeLayout {
    unsafe fn new(type_oid: pg_sys::Oid, typmod: i32) -> TypeLayout {
        let context = LastingContext::new();
        // SAFETY: the caller passes a row type. The copy keeps the values that stand in for columns
        // added later, and lives in `context`.
        unsafe {
            let shared = pg_sys::lookup_rowtype_tupdesc(type_oid, typmod);
            let previous = pg_sys::MemoryContextSwitchTo(context.raw());
            let tupdesc = pg_sys::CreateTupleDescCopyConstr(shared);
            pg_sys::MemoryContextSwitchTo(previous);
            if (*shared).tdrefcount >= 0 {
                pg_sys::DecrTupleDescRefCount(shared);
            }
            TypeLayout {
                layout: RowLayout::new(tupdesc, &[]),
                tupdesc,
                _context: context,
            }
        }
    }
}

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
fn type_layout(type_oid: pg_sys::Oid, typmod: i32) -> Rc<TypeLayout> {
    let identity = type_identity(type_oid, typmod);
    let key = (type_oid, typmod);
    if let Some(found) = LAYOUTS.with_borrow_mut(|layouts| layouts.find(key, identity)) {
        return found;
    }
    // Nothing is borrowed here: looking up types may run invalidation callbacks or raise.
    // SAFETY: the type was found in the type cache as a row type.
    let layout = Rc::new(unsafe { TypeLayout::new(type_oid, typmod) });
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
    layout: Rc<TypeLayout>,
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
    fn find(&mut self, key: Key, identity: u64) -> Option<Rc<TypeLayout>> {
        if self.last.as_ref().is_none_or(|last| last.key != key) {
            self.last = Some(self.all.get(&key)?.clone());
        }
        let last = self
            .last
            .as_ref()
            .filter(|last| last.identity == identity && last.layout.layout.is_current())?;
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
    static ROWS: Cell<Vec<DeformedRow>> = const { Cell::new(Vec::new()) };
}

/// Writes a composite value.
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
    let layout = type_layout(type_oid, typmod);
    let mut tuple = pg_sys::HeapTupleData {
        // The header's length word and the content.
        t_len: record.len() as u32 + 4,
        t_data: header,
        ..Default::default()
    };
    let mut rows = ROWS.take();
    let mut row = rows.pop().unwrap_or_default();
    ROWS.set(rows);
    // SAFETY: tuple and descriptor belong together and outlive `row`'s use.
    unsafe { row.load(&mut tuple, layout.tupdesc) };
    layout.layout.write(&row, out);
    let mut rows = ROWS.take();
    rows.push(row);
    ROWS.set(rows);
}
