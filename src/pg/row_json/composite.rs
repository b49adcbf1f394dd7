//! Composite types: a layout of their own, and a descriptor to take values apart with.

use std::cell::Cell;

use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use crate::pg::memory::LastingContext;
use crate::pg::row_json::value::Way;
use crate::pg::row_json::{ColumnThen, DeformedRow, RowLayout, attributes};
use crate::pg::varlena::Varlena;

/// A row type's layout, without exclusions, and a descriptor of its own.
pub struct RowType {
    layout: RowLayout,
    tupdesc: pg_sys::TupleDesc,
    // Holds `tupdesc`.
    _context: LastingContext,
}

thread_local! {
    static ROWS: Cell<Vec<DeformedRow>> = const { Cell::new(Vec::new()) };
}

impl RowType {
    /// For a row type, as it is now or was at another time.
    ///
    /// # Safety
    /// `type_oid` and `modifier` are those of a row type that exists.
    pub unsafe fn new(type_oid: pg_sys::Oid, modifier: i32, way: Way<'_>) -> RowType {
        let context = LastingContext::new();
        // SAFETY: the caller passes a row type. The copy keeps the values that stand in for columns added
        // later, and lives in `context`.
        unsafe {
            pg_sys::check_stack_depth();
            let shared = pg_sys::lookup_rowtype_tupdesc(type_oid, modifier);
            let previous = pg_sys::MemoryContextSwitchTo(context.raw());
            let tupdesc = pg_sys::CreateTupleDescCopyConstr(shared);
            pg_sys::MemoryContextSwitchTo(previous);
            if (*shared).tdrefcount >= 0 {
                pg_sys::DecrTupleDescRefCount(shared);
            }
            let then = way
                .overrides
                .and_then(|then| then.attributes.get(&type_oid.to_u32()));
            let layout = match then {
                None => RowLayout::new(tupdesc, &[], way),
                Some(then) => {
                    let count = attributes(tupdesc).len();
                    let columns = then
                        .iter()
                        .filter_map(|attribute| {
                            let index = usize::try_from(attribute.attnum - 1).ok()?;
                            (index < count).then_some(ColumnThen {
                                index,
                                name: Some(attribute.name.as_bytes()),
                                modifier: Some(attribute.modifier),
                                dropped: None,
                            })
                        })
                        .collect();
                    RowLayout::with_columns(tupdesc, columns, way)
                }
            };
            RowType {
                layout,
                tupdesc,
                _context: context,
            }
        }
    }

    /// How its rows are written.
    pub fn layout(&self) -> &RowLayout {
        &self.layout
    }

    /// Writes a value. What its layout calls for (settings, memory) is the caller's to see to.
    ///
    /// # Safety
    /// `datum` is a valid non-null value of the type.
    pub unsafe fn write<S: Sink>(&self, datum: pg_sys::Datum, out: &mut S) {
        // SAFETY: the caller's.
        unsafe { self.deform(datum, |row| self.layout.write_columns(row, out)) };
    }

    /// Takes a value apart.
    ///
    /// # Safety
    /// As for [`RowType::write`].
    pub unsafe fn deform(&self, datum: pg_sys::Datum, show: impl FnOnce(&DeformedRow)) {
        // SAFETY: the caller passes a valid composite value.
        let record = unsafe { Varlena::aligned(datum) };
        let mut tuple = pg_sys::HeapTupleData {
            // The header's length word and the content.
            t_len: record.len() as u32 + 4,
            t_data: record.as_ptr().cast::<pg_sys::HeapTupleHeaderData>(),
            ..Default::default()
        };
        let mut rows = ROWS.take();
        let mut row = rows.pop().unwrap_or_default();
        ROWS.set(rows);
        // SAFETY: tuple and descriptor belong together and outlive `row`'s use.
        unsafe { row.load(&mut tuple, self.tupdesc) };
        show(&row);
        let mut rows = ROWS.take();
        rows.push(row);
        ROWS.set(rows);
    }
}
