//! Whether values, or whole rows, lie alike in memory.
//!
//! Then whatever is made of them is the same, and nothing need be written to know it. Not the other way
//! round: a value can be stored in several ways. Of what is kept outside its row only the place is
//! compared: an UPDATE that leaves such a value as it is leaves it where it is.

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::varlena::varsize_any;

/// How values of a type lie in memory.
pub enum Image {
    ByValue,
    Fixed(usize),
    Varlena,
    CString,
}

impl Image {
    /// How those of a column do.
    pub fn of(attribute: &pg_sys::FormData_pg_attribute) -> Image {
        match (attribute.attbyval, attribute.attlen) {
            (true, _) => Image::ByValue,
            (false, -1) => Image::Varlena,
            (false, length) => usize::try_from(length).map_or(Image::CString, Image::Fixed),
        }
    }

    /// Whether two values lie alike.
    ///
    /// # Safety
    /// Both are valid non-null values of the type, as they lie in a row.
    #[inline]
    pub unsafe fn is_same(&self, old: pg_sys::Datum, new: pg_sys::Datum) -> bool {
        let [old_at, new_at] = [old, new].map(|datum| datum.cast_mut_ptr::<u8>().cast_const());
        // SAFETY: the caller's: they are as long as their type, their header or their final zero says.
        unsafe {
            let alike = |old_length: usize, new_length: usize| {
                old_length == new_length
                    && std::slice::from_raw_parts(old_at, old_length)
                        == std::slice::from_raw_parts(new_at, new_length)
            };
            match self {
                Image::ByValue => old == new,
                Image::Fixed(length) => alike(*length, *length),
                Image::Varlena => alike(varsize_any(old_at.cast()), varsize_any(new_at.cast())),
                Image::CString => CStr::from_ptr(old_at.cast()) == CStr::from_ptr(new_at.cast()),
            }
        }
    }
}

/// Whether two rows lie alike, in all columns.
///
/// # Safety
/// Both are valid tuples of the same descriptor.
pub unsafe fn is_same_tuple(old: pg_sys::HeapTuple, new: pg_sys::HeapTuple) -> bool {
    // SAFETY: the caller's. Behind its header a tuple has its null bits, if it says so, and its values;
    // what pads them is zero.
    unsafe {
        let shape = |tuple: pg_sys::HeapTuple| {
            let header = (*tuple).t_data;
            (
                u32::from((*header).t_infomask2) & pg_sys::HEAP_NATTS_MASK,
                u32::from((*header).t_infomask) & pg_sys::HEAP_HASNULL,
                (*header).t_hoff,
            )
        };
        let content = |tuple: pg_sys::HeapTuple| {
            let start = std::mem::offset_of!(pg_sys::HeapTupleHeaderData, t_bits);
            let length = ((*tuple).t_len as usize).saturating_sub(start);
            std::slice::from_raw_parts((*tuple).t_data.cast::<u8>().add(start), length)
        };
        shape(old) == shape(new) && content(old) == content(new)
    }
}
