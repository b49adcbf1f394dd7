//! A row taken apart.

use pgrx::pg_sys;

/// A row's values, by attribute number less one. The buffers are meant to be reused.
#[derive(Default)]
pub struct DeformedRow {
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

impl DeformedRow {
    /// Takes a tuple apart.
    ///
    /// # Safety
    /// `tuple` is a valid tuple of the valid descriptor `tupdesc`; both stay until the last use of
    /// the values, which is by layouts of this descriptor or an equal one.
    pub unsafe fn load(&mut self, tuple: pg_sys::HeapTuple, tupdesc: pg_sys::TupleDesc) {
        // SAFETY: the caller passes a valid descriptor.
        let count = usize::try_from(unsafe { (*tupdesc).natts }).unwrap_or(0);
        self.values.resize(count, pg_sys::Datum::null());
        self.nulls.resize(count, true);
        // SAFETY: both buffers have room for every attribute.
        unsafe {
            pg_sys::heap_deform_tuple(
                tuple,
                tupdesc,
                self.values.as_mut_ptr(),
                self.nulls.as_mut_ptr(),
            );
        }
    }

    /// Forgets the values; the buffers are kept.
    pub fn clear(&mut self) {
        self.values.clear();
        self.nulls.clear();
    }

    /// Whether the column with this attribute number, from 1, is null or does not exist.
    pub fn is_null(&self, attnum: i16) -> bool {
        usize::try_from(i32::from(attnum) - 1).map_or(true, |index| self.get(index).is_none())
    }

    /// The value at an index from 0; none if it is null or there is no such attribute.
    #[inline]
    pub fn get(&self, index: usize) -> Option<pg_sys::Datum> {
        match self.nulls.get(index) {
            Some(false) => self.values.get(index).copied(),
            _ => None,
        }
    }
}
