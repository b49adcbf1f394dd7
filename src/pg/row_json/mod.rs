//! Rows as canonical JSON objects.
//!
//! What depends on a row type alone (which columns, in which order, their names as JSON, how their
//! values are written) is worked out once, as its layout. A row is taken apart by one call of
//! `heap_deform_tuple` and then written without a call into PostgreSQL, unless a column's type has
//! none but its output function to say what it looks like.

mod array;
mod cache;
mod changes;
mod composite;
mod deformed_row;
mod enums;
mod float;
mod image;
mod output;
mod range;
mod scalar;
mod settings;
mod value;

use std::ffi::CStr;

use auditspine_core::canonical::{cmp_utf16, write_string};
use auditspine_core::hash::Sink;
use auditspine_core::phrase::Phrase;
use pgrx::pg_sys;

use crate::error::Failure;
use crate::pg::memory::{LastingContext, ScratchContext};
use crate::pg::relation::OpenRelation;
pub use deformed_row::DeformedRow;
pub use enums::labels_of;
use image::Image;
pub use image::is_same_tuple;
pub use output::{is_sent, refers_by_oid};
use settings::{Settings, with_pinned};
pub use value::Way;
use value::Writer;

/// How the rows of one tuple descriptor are written: its columns that are neither dropped nor
/// excluded nor virtual, in canonical order of their names.
pub struct RowLayout {
    columns: Vec<Column>,
    /// By attribute number less one; none for a dropped column.
    writers: Vec<Option<Writer>>,
    settings: Settings,
    calls_functions: bool,
    /// [`changes::function_changes`] when this was made, if what it calls may change.
    functions: Option<u64>,
    // Last, so that it goes after the writers, which refer to memory in it.
    _context: LastingContext,
}

/// A column as it was at another time, or is now.
#[derive(Clone, Copy, Debug)]
pub struct ColumnThen<'a> {
    /// Where it is in the tuple descriptor, from 0.
    pub index: usize,
    /// Its name in rows; `None` if it is no part of them, and is but a key's.
    pub name: Option<&'a [u8]>,
    /// Its type's modifier; `None` if that is the present one.
    pub modifier: Option<i32>,
    /// Its type, if the column is dropped: what it held lies in tuples that were not written since.
    pub dropped: Option<pg_sys::Oid>,
}

struct Column {
    index: usize,
    /// What comes before the value: `{` or `,`, the name as a JSON string, `:`.
    lead: Phrase,
    image: Image,
}

impl RowLayout {
    /// The layout of a relation's rows, less these attribute numbers, in encoding 2.
    pub fn of(relation: &OpenRelation, exclude: &[i16]) -> RowLayout {
        // SAFETY: the descriptor is that of an open relation.
        unsafe { RowLayout::new(relation.tuple_desc(), exclude, Way::SECOND) }
    }

    /// The layout of these columns of a relation, which are not dropped, as they were at another time. The
    /// others are written, in keys, as they are now.
    pub fn of_columns(
        relation: &OpenRelation,
        columns: Vec<ColumnThen<'_>>,
        way: Way<'_>,
    ) -> RowLayout {
        // SAFETY: the descriptor is that of an open relation.
        unsafe { RowLayout::with_columns(relation.tuple_desc(), columns, way) }
    }

    /// As [`RowLayout::of_columns`], of columns that may be dropped. `None` if the type of one of these is gone, or its
    /// values do not lie in memory as the column's did.
    pub fn of_dropped(
        relation: &OpenRelation,
        columns: Vec<ColumnThen<'_>>,
        way: Way<'_>,
    ) -> Option<RowLayout> {
        let all = relation.attributes();
        let fits = |column: &ColumnThen<'_>| {
            let there = all.get(column.index);
            there.is_some_and(|there| match column.dropped {
                Some(type_oid) => there.attisdropped && lies_as(type_oid, there),
                None => !there.attisdropped,
            })
        };
        // SAFETY: the descriptor is that of an open relation; types were looked at just now.
        columns
            .iter()
            .all(fits)
            .then(|| unsafe { RowLayout::with_columns(relation.tuple_desc(), columns, way) })
    }

    /// The layout of a tuple descriptor, which is only read here. `exclude` holds attribute numbers,
    /// from 1, to leave out.
    ///
    /// Raises 42701 for a name that two columns have, which only rows of no table can.
    ///
    /// # Safety
    /// `tupdesc` is a valid tuple descriptor.
    pub unsafe fn new(tupdesc: pg_sys::TupleDesc, exclude: &[i16], way: Way<'_>) -> RowLayout {
        // SAFETY: the caller passes a valid descriptor.
        let columns = unsafe { attributes(tupdesc) }
            .into_iter()
            .enumerate()
            .filter(|(_, attribute)| {
                !attribute.attisdropped
                    && !exclude.contains(&attribute.attnum)
                    && !is_virtual(attribute)
            })
            .map(|(index, attribute)| ColumnThen {
                index,
                dropped: None,
                // SAFETY: a name is NUL-terminated within its 64 bytes.
                name: Some(unsafe { CStr::from_ptr(attribute.attname.data.as_ptr()) }.to_bytes()),
                modifier: None,
            })
            .collect();
        // SAFETY: the caller's.
        unsafe { RowLayout::with_columns(tupdesc, columns, way) }
    }

    /// The layout of some columns; those that are not given are as they are now. Raises 42701 for a name given
    /// twice.
    ///
    /// # Safety
    /// `tupdesc` is a valid tuple descriptor; the indexes are those of columns that are not dropped, or that name
    /// a type which is there and whose values lie in memory as the column's did.
    unsafe fn with_columns(
        tupdesc: pg_sys::TupleDesc,
        then: Vec<ColumnThen<'_>>,
        way: Way<'_>,
    ) -> RowLayout {
        let context = LastingContext::new();
        let functions = changes::function_changes();
        // SAFETY: the caller passes a valid descriptor.
        let attributes = unsafe { attributes(tupdesc) };
        let writers: Vec<Option<Writer>> = attributes
            .iter()
            .enumerate()
            .map(|(index, attribute)| {
                let then = then.iter().find(|column| column.index == index);
                let type_oid = match then.and_then(|column| column.dropped) {
                    Some(type_oid) => type_oid,
                    None if attribute.attisdropped => return None,
                    None => attribute.atttypid,
                };
                let modifier = then.and_then(|column| column.modifier);
                let modifier = modifier.unwrap_or(attribute.atttypmod);
                // SAFETY: a column's type exists as long as the column does, and so do those that are given; the
                // context lives as long as the writers.
                Some(unsafe { Writer::of_type(type_oid, modifier, way, context.raw()) })
            })
            .collect();
        let mut names: Vec<(usize, &[u8])> = then
            .iter()
            .filter_map(|column| Some((column.index, column.name?)))
            .collect();
        names.sort_by(|left, right| cmp_utf16(left.1, right.1));
        if let Some(pair) = names.windows(2).find(|pair| pair[0].1 == pair[1].1) {
            Failure::DuplicateColumn.raise(
                format!(
                    "column {:?} appears twice in the row",
                    String::from_utf8_lossy(pair[0].1)
                ),
                "Give the columns distinct names.",
            );
        }
        let columns: Vec<Column> = names
            .iter()
            .enumerate()
            .map(|(place, (index, name))| {
                let mut lead = vec![if place == 0 { b'{' } else { b',' }];
                write_string(name, &mut lead);
                lead.push(b':');
                Column {
                    index: *index,
                    lead: Phrase::new(&lead),
                    image: Image::of(attributes[*index]),
                }
            })
            .collect();
        let used = || {
            columns
                .iter()
                .filter_map(|column| writers[column.index].as_ref())
        };
        let settings = used().fold(Settings::NONE, |all, writer| all | writer.settings());
        let functions = writers
            .iter()
            .flatten()
            .any(Writer::may_change)
            .then_some(functions);
        let calls_functions = used().any(Writer::calls_functions);
        RowLayout {
            columns,
            writers,
            settings,
            calls_functions,
            functions,
            _context: context,
        }
    }

    /// Whether the column with this attribute number is written.
    pub fn has_column(&self, attnum: i16) -> bool {
        let index = usize::try_from(i32::from(attnum) - 1);
        index.is_ok_and(|index| self.columns.iter().any(|column| column.index == index))
    }

    /// Writes what a column of this relation reads in rows that are older than it, as JSON; false if the
    /// catalog has no value for them.
    pub fn write_missing(&self, relation: &OpenRelation, attnum: i16, out: &mut Vec<u8>) -> bool {
        let index = usize::try_from(i32::from(attnum) - 1).unwrap_or(usize::MAX);
        let Some(Some(writer)) = self.writers.get(index) else {
            return false;
        };
        let mut is_null = true;
        // SAFETY: the descriptor is that of an open relation and has the column; the value is its
        // column's, whose type the writer was made for.
        unsafe {
            let datum =
                pg_sys::getmissingattr(relation.tuple_desc(), i32::from(attnum), &mut is_null);
            if is_null {
                return false;
            }
            let mut write = || writer.write::<_, false>(datum, out);
            if writer.calls_functions() {
                let _scratch = ScratchContext::enter();
                with_pinned(writer.settings(), write);
            } else {
                write();
            }
        }
        true
    }

    /// Whether a layout made now from the same descriptor would be the same: casts to json, which
    /// change how values read, come and go.
    #[inline]
    pub fn is_current(&self) -> bool {
        self.functions
            .is_none_or(|then| then == changes::function_changes())
    }

    /// Writes a row as a canonical JSON object. Raises what the values' types raise.
    ///
    /// `row` is one that was loaded under the descriptor of this layout.
    pub fn write<S: Sink>(&self, row: &DeformedRow, out: &mut S) {
        if self.calls_functions {
            // Output functions may leave anything behind in the current context.
            let _scratch = ScratchContext::enter();
            with_pinned(self.settings, || self.write_columns(row, out));
        } else {
            self.write_columns(row, out);
        }
    }

    #[inline]
    fn write_columns<S: Sink>(&self, row: &DeformedRow, out: &mut S) {
        if self.columns.is_empty() {
            return out.put(b"{}");
        }
        for column in &self.columns {
            column.lead.write(out);
            self.write_value(column, row.get(column.index), out);
        }
        out.put_byte(b'}');
    }

    #[inline]
    fn write_value<S: Sink>(&self, column: &Column, value: Option<pg_sys::Datum>, out: &mut S) {
        match (&self.writers[column.index], value) {
            // SAFETY: the datum is that of this column, whose type the writer was made for.
            (Some(writer), Some(datum)) => unsafe { writer.write::<_, false>(datum, out) },
            _ => out.put(b"null"),
        }
    }

    /// Whether [`RowLayout::write`] would write two rows differently. Values that lie alike in memory are
    /// not written for it. `texts` is room to write in.
    ///
    /// Both rows are as for [`RowLayout::write`], which also tells what is raised.
    pub fn differs(&self, old: &DeformedRow, new: &DeformedRow, texts: &mut [Vec<u8>; 2]) -> bool {
        if self.calls_functions {
            let _scratch = ScratchContext::enter();
            with_pinned(self.settings, || self.columns_differ(old, new, texts))
        } else {
            self.columns_differ(old, new, texts)
        }
    }

    fn columns_differ(
        &self,
        old: &DeformedRow,
        new: &DeformedRow,
        texts: &mut [Vec<u8>; 2],
    ) -> bool {
        self.columns.iter().any(|column| {
            let values = [old.get(column.index), new.get(column.index)];
            let same = match values {
                // SAFETY: both are values of this column.
                [Some(old), Some(new)] => unsafe { column.image.is_same(old, new) },
                [old, new] => old.is_none() && new.is_none(),
            };
            if same {
                return false;
            }
            for (text, value) in texts.iter_mut().zip(values) {
                text.clear();
                self.write_value(column, value, text);
            }
            // A value may be written as null is: the null of JSON.
            texts[0] != texts[1]
        })
    }

    /// Writes the text of one column's value, excluded or not: what its JSON string says, or its
    /// JSON, if that is no string. False, and nothing is written, if it is null.
    ///
    /// `row` is as for [`RowLayout::write`]; `attnum`, from 1, is a column that is not dropped.
    pub fn write_key_text<S: Sink>(&self, attnum: i16, row: &DeformedRow, out: &mut S) -> bool {
        let index = usize::try_from(i32::from(attnum) - 1).unwrap_or(usize::MAX);
        let (Some(Some(writer)), Some(datum)) = (self.writers.get(index), row.get(index)) else {
            return false;
        };
        // SAFETY: as in `write_columns`.
        let mut write = || unsafe { writer.write::<_, true>(datum, out) };
        if writer.calls_functions() {
            let _scratch = ScratchContext::enter();
            with_pinned(writer.settings(), write);
        } else {
            write();
        }
        true
    }
}

/// Whether a type is there, and its values lie in memory as a column's do.
fn lies_as(type_oid: pg_sys::Oid, column: &pg_sys::FormData_pg_attribute) -> bool {
    let (mut length, mut by_value, mut align) = (0i16, false, 0);
    // SAFETY: looks up the catalogs; the type is there when it is looked at closely.
    unsafe {
        if !pg_sys::get_typisdefined(type_oid) {
            return false;
        }
        pg_sys::get_typlenbyvalalign(type_oid, &mut length, &mut by_value, &mut align);
    }
    length == column.attlen && by_value == column.attbyval && align == column.attalign
}

/// Runs `f` while names are found, and quoted, as plain catalog names are: no schema of the session is
/// searched.
pub fn with_plain_names<R>(f: impl FnOnce() -> R) -> R {
    with_pinned(Settings::NAMES, f)
}

/// Writes a composite value, of whatever type it says it is, in encoding 1.
///
/// # Safety
/// `datum` is a valid non-null composite value.
pub unsafe fn write_composite<S: Sink>(datum: pg_sys::Datum, out: &mut S) {
    // SAFETY: raises an error when the stack is nearly used up, and does nothing else.
    unsafe { pg_sys::check_stack_depth() };
    // SAFETY: the caller passes a valid composite value.
    unsafe { cache::write_record(datum, out) };
}

/// The types of a composite type's attributes that are not dropped.
///
/// # Safety
/// `type_oid` is a composite type that exists.
unsafe fn attributes_of_type(type_oid: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    // SAFETY: the descriptor is pinned until it is released, if it is counted at all.
    unsafe {
        let tupdesc = pg_sys::lookup_rowtype_tupdesc(type_oid, -1);
        let types = attributes(tupdesc)
            .into_iter()
            .filter(|attribute| !attribute.attisdropped)
            .map(|attribute| attribute.atttypid)
            .collect();
        if (*tupdesc).tdrefcount >= 0 {
            pg_sys::DecrTupleDescRefCount(tupdesc);
        }
        types
    }
}

/// The attributes of a descriptor, dropped ones included.
///
/// # Safety
/// `tupdesc` is valid and outlives the result.
pub unsafe fn attributes<'a>(tupdesc: pg_sys::TupleDesc) -> Vec<&'a pg_sys::FormData_pg_attribute> {
    // SAFETY: the caller passes a valid descriptor, which has `natts` attributes.
    unsafe {
        (0..(*tupdesc).natts)
            .map(|index| crate::pg::compat::attribute(tupdesc, index as usize))
            .collect()
    }
}

/// Whether a column is computed on reading (PostgreSQL 18), so that no tuple holds it.
pub fn is_virtual(attribute: &pg_sys::FormData_pg_attribute) -> bool {
    attribute.attgenerated as u8 == b'v'
}
