//! Variable-length values.

use std::ops::Deref;

use pgrx::pg_sys;
use pgrx::varlena::{varatt_is_1b, varatt_is_1b_e, varatt_is_4b_u, vardata_any, varsize_any_exhdr};

/// The content of a variable-length value: it is read where it lies, or, if that is compressed or
/// stored elsewhere, from a copy in the current memory context, which is freed on drop.
pub struct Varlena {
    value: *const pg_sys::varlena,
    copied: bool,
}

impl Varlena {
    /// Takes a value as it comes; its content may lie at any address.
    ///
    /// # Safety
    /// `datum` is a valid non-null varlena that outlives the result.
    #[inline]
    pub unsafe fn packed(datum: pg_sys::Datum) -> Varlena {
        let value = datum.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: the caller passes a valid varlena; these read its header.
        let plain =
            unsafe { varatt_is_4b_u(value) || (varatt_is_1b(value) && !varatt_is_1b_e(value)) };
        if plain {
            return Varlena {
                value,
                copied: false,
            };
        }
        // SAFETY: as above.
        unsafe { Varlena::expand(value) }
    }

    /// Takes a value whose header has four bytes and whose content is aligned, as composite values
    /// and arrays need.
    ///
    /// # Safety
    /// As for [`Varlena::packed`].
    #[inline]
    pub unsafe fn aligned(datum: pg_sys::Datum) -> Varlena {
        let value = datum.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: the caller passes a valid varlena.
        if unsafe { varatt_is_4b_u(value) } {
            return Varlena {
                value,
                copied: false,
            };
        }
        // SAFETY: as above.
        unsafe { Varlena::expand(value) }
    }

    #[cold]
    unsafe fn expand(value: *mut pg_sys::varlena) -> Varlena {
        // SAFETY: the caller passes a valid varlena.
        let plain = unsafe { pg_sys::pg_detoast_datum(value) };
        Varlena {
            value: plain,
            copied: !std::ptr::eq(plain, value),
        }
    }

    /// Where the value begins, header included.
    pub fn as_ptr(&self) -> *mut pg_sys::varlena {
        self.value.cast_mut()
    }
}

impl Deref for Varlena {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `value` is a plain varlena, so its header tells where its content is and how long;
        // it lives as long as `self`.
        unsafe {
            std::slice::from_raw_parts(
                vardata_any(self.value).cast::<u8>(),
                varsize_any_exhdr(self.value),
            )
        }
    }
}

impl Drop for Varlena {
    #[inline]
    fn drop(&mut self) {
        // While an error passes through, its transaction's memory goes anyhow.
        if self.copied && !std::thread::panicking() {
            // SAFETY: the copy was palloc'd by `expand` and nothing refers to it any more.
            unsafe { pg_sys::pfree(self.value.cast_mut().cast()) }
        }
    }
}
