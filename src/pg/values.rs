//! A row's values, none of which can be read without a look at whether it is null, and at whether it is
//! what is expected there.
//!
//! Whoever owns our tables can drop a NOT NULL and alter a type. A pointer that is none would end the
//! backend, and with it every session of the server.

use std::marker::PhantomData;
use std::ops::Deref;

use auditspine_core::hash::Hash;
use pgrx::pg_sys;

use super::heap::Tuple;
use super::index_lookup::bytes_of;
use super::relation::name_of;
use super::varlena::Varlena;
use crate::error::broken;

/// The content of a value of variable length, valid no longer than its row.
pub struct Content<'a> {
    value: Varlena,
    row: PhantomData<&'a ()>,
}

impl Deref for Content<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.value
    }
}

/// Room for the values of rows of `N` columns, which are shown one after the other.
pub struct RowRoom<const N: usize> {
    values: [pg_sys::Datum; N],
    nulls: [bool; N],
}

impl<const N: usize> RowRoom<N> {
    /// Empty room.
    pub fn new() -> RowRoom<N> {
        RowRoom {
            values: [pg_sys::Datum::null(); N],
            nulls: [true; N],
        }
    }

    /// Shows the values of a tuple; `None` if it has another number of columns.
    #[inline]
    pub fn show<R>(&mut self, tuple: &Tuple<'_>, show: impl FnOnce(&Values<'_>) -> R) -> Option<R> {
        // SAFETY: the values are those of the tuple, which stays while it is shown.
        tuple
            .deform_into(&mut self.values, &mut self.nulls)
            .then(|| unsafe { show(&Values::new(&self.values, &self.nulls, tuple.desc())) })
    }
}

/// Values, null flags and row type of a row, valid while it is shown.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    values: &'a [pg_sys::Datum],
    nulls: &'a [bool],
    desc: pg_sys::TupleDesc,
}

impl<'a> Values<'a> {
    /// Of a row that was deformed. Both slices have a member per column.
    ///
    /// # Safety
    /// The values are those of a row of type `desc`, and stay so for `'a`.
    pub unsafe fn new(
        values: &'a [pg_sys::Datum],
        nulls: &'a [bool],
        desc: pg_sys::TupleDesc,
    ) -> Values<'a> {
        Values {
            values,
            nulls,
            desc,
        }
    }

    /// The value as it lies; `None` for NULL, and beyond the last column.
    pub fn datum(&self, at: usize) -> Option<pg_sys::Datum> {
        let null = self.nulls.get(at).copied().unwrap_or(true);
        self.values.get(at).copied().filter(|_| !null)
    }

    /// How many values there are.
    pub fn columns(&self) -> usize {
        self.values.len()
    }

    /// All values; `None` is NULL.
    pub fn all(&self) -> Vec<Option<pg_sys::Datum>> {
        (0..self.values.len()).map(|at| self.datum(at)).collect()
    }

    /// The whole row as a value of its composite type, a copy in the current memory context.
    pub fn to_record(self) -> pg_sys::Datum {
        // SAFETY: values and nulls are a row of this type.
        unsafe {
            let tuple = pg_sys::heap_form_tuple(
                self.desc,
                self.values.as_ptr().cast_mut(),
                self.nulls.as_ptr().cast_mut(),
            );
            pg_sys::heap_copy_tuple_as_datum(tuple, self.desc)
        }
    }

    /// A number, or a time, of eight bytes.
    pub fn int8(&self, at: usize) -> Option<i64> {
        self.by_value(at, 8).map(|datum| datum.value() as i64)
    }

    /// A number of four bytes.
    pub fn int4(&self, at: usize) -> Option<i32> {
        self.by_value(at, 4).map(|datum| datum.value() as i32)
    }

    /// A number of two bytes.
    pub fn int2(&self, at: usize) -> Option<i16> {
        self.by_value(at, 2).map(|datum| datum.value() as i16)
    }

    /// An oid, or what is stored as one.
    pub fn oid(&self, at: usize) -> Option<pg_sys::Oid> {
        let datum = self.by_value(at, 4)?;
        Some(pg_sys::Oid::from(datum.value() as u32))
    }

    /// A value of type "char".
    pub fn char(&self, at: usize) -> Option<u8> {
        self.by_value(at, 1).map(|datum| datum.value() as u8)
    }

    /// A boolean.
    pub fn bool(&self, at: usize) -> Option<bool> {
        self.by_value(at, 1).map(|datum| datum.value() != 0)
    }

    /// The content of a value of variable length, uncompressed.
    pub fn bytes(&self, at: usize) -> Option<Vec<u8>> {
        self.varlena(at).map(bytes_of)
    }

    /// The content of a value of variable length, copied only if it is compressed or stored elsewhere.
    #[inline]
    pub fn content(&self, at: usize) -> Option<Content<'a>> {
        // SAFETY: a non-null value of variable length, of a row that stays for `'a`.
        let value = self
            .varlena(at)
            .map(|datum| unsafe { Varlena::packed(datum) })?;
        Some(Content {
            value,
            row: PhantomData,
        })
    }

    /// The same as text; what is not UTF-8 in it is replaced.
    pub fn text(&self, at: usize) -> Option<String> {
        let text = String::from_utf8(self.bytes(at)?);
        Some(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// A hash; `None` also for bytes that are none.
    pub fn hash(&self, at: usize) -> Option<Hash> {
        Hash::from_slice(&self.bytes(at)?)
    }

    /// A value of variable length as it lies, perhaps compressed or stored elsewhere.
    pub fn varlena(&self, at: usize) -> Option<pg_sys::Datum> {
        self.of_type(at, |form| form.attlen == -1)
    }

    /// Block and offset of a tuple's place.
    pub fn place(&self, at: usize) -> Option<(u32, u16)> {
        let datum = self.of_type(at, |form| form.atttypid == pg_sys::TIDOID)?;
        // SAFETY: a non-null tid of the row that is being shown.
        unsafe {
            let tid = datum.cast_mut_ptr::<pg_sys::ItemPointerData>();
            Some((
                pgrx::itemptr::item_pointer_get_block_number(tid),
                pgrx::itemptr::item_pointer_get_offset_number(tid),
            ))
        }
    }

    fn by_value(&self, at: usize, bytes: i16) -> Option<pg_sys::Datum> {
        self.of_type(at, |form| form.attbyval && form.attlen == bytes)
    }

    /// The value, if there is one; an ERROR if its type is not as it must be.
    fn of_type(
        &self,
        at: usize,
        fits: impl FnOnce(&pg_sys::FormData_pg_attribute) -> bool,
    ) -> Option<pg_sys::Datum> {
        let datum = self.datum(at)?;
        let form = self.attribute(at);
        if !fits(form) {
            broken(format!(
                "column \"{}\" of one of auditspine's tables has another type than it was created with",
                String::from_utf8_lossy(name_of(&form.attname))
            ));
        }
        Some(datum)
    }

    pub(super) fn attribute(&self, at: usize) -> &pg_sys::FormData_pg_attribute {
        debug_assert!(at < self.values.len());
        // SAFETY: the row type has an attribute per value, and a value was taken at `at`.
        unsafe { super::compat::attribute(self.desc, at) }
    }

    /// Raises the error for a column that is null, or holds what cannot be there. `row` names table and row.
    pub fn unusable(&self, at: usize, row: impl std::fmt::Display) -> ! {
        let name = String::from_utf8_lossy(name_of(&self.attribute(at).attname)).into_owned();
        let what = if self.datum(at).is_none() {
            "is null"
        } else {
            "holds what cannot be there"
        };
        broken(format!("column \"{name}\" of {row} {what}"))
    }
}
