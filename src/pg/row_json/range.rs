//! Ranges and multiranges whose bounds read as names that may change: their text is put together here as their
//! own output functions do it, from bounds that are written as columns of their type are.

use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use crate::pg::row_json::attributes_of_type;
use crate::pg::row_json::output::{is_sent, refers_by_oid};
use crate::pg::row_json::scalar::write_text;
use crate::pg::row_json::value::{Way, Writer};
use crate::pg::varlena::Varlena;

unsafe extern "C-unwind" {
    /// utils/multirangetypes.h, which the bindings leave out. Fills a palloc'd array of palloc'd ranges.
    fn multirange_deserialize(
        range_type: *mut pg_sys::TypeCacheEntry,
        multirange: *const pg_sys::varlena,
        count: *mut i32,
        ranges: *mut *mut *mut pg_sys::RangeType,
    );
}

/// How ranges of one type are written.
pub struct Range {
    /// Writes a bound.
    pub bound: Writer,
    is_multirange: bool,
    /// Of the range type; it lives as long as the backend.
    entry: *mut pg_sys::TypeCacheEntry,
}

impl Range {
    /// For a range or multirange type.
    ///
    /// # Safety
    /// As for [`Writer::of_type`]; the type is one of these.
    pub unsafe fn of_type(
        type_oid: pg_sys::Oid,
        way: Way<'_>,
        context: pg_sys::MemoryContext,
    ) -> Range {
        // SAFETY: the caller's; these look up catalogs.
        unsafe {
            let is_multirange = pg_sys::get_typtype(type_oid) as u8 == pg_sys::TYPTYPE_MULTIRANGE;
            let range = if is_multirange {
                pg_sys::get_multirange_range(type_oid)
            } else {
                type_oid
            };
            Range {
                bound: Writer::of_type(pg_sys::get_range_subtype(range), -1, way, context),
                is_multirange,
                entry: pg_sys::lookup_type_cache(range, pg_sys::TYPECACHE_RANGE_INFO as i32),
            }
        }
    }

    /// Writes a range or multirange. Leaves memory behind in the current context.
    ///
    /// # Safety
    /// `datum` is a valid non-null value of the type.
    pub unsafe fn write<S: Sink, const RAW: bool>(&self, datum: pg_sys::Datum, out: &mut S) {
        let mut text = Vec::new();
        // SAFETY: the caller's: a range is a varlena, and the type cache has its type.
        unsafe {
            let value = Varlena::aligned(datum);
            if self.is_multirange {
                let (mut count, mut ranges) = (0, std::ptr::null_mut());
                pg_sys::ffi::pg_guard_ffi_boundary(|| {
                    multirange_deserialize(self.entry, value.as_ptr(), &mut count, &mut ranges);
                });
                text.put_byte(b'{');
                for at in 0..usize::try_from(count).unwrap_or(0) {
                    if at > 0 {
                        text.put_byte(b',');
                    }
                    self.write_one(*ranges.add(at), &mut text);
                }
                text.put_byte(b'}');
            } else {
                self.write_one(value.as_ptr().cast(), &mut text);
            }
        }
        write_text::<_, RAW>(&text, out);
    }

    unsafe fn write_one(&self, range: *const pg_sys::RangeType, text: &mut Vec<u8>) {
        let (mut lower, mut upper) = (pg_sys::RangeBound::default(), pg_sys::RangeBound::default());
        let mut empty = false;
        // SAFETY: the caller passes a plain range of this type; the bounds lie in it.
        unsafe {
            pg_sys::range_deserialize(self.entry, range, &mut lower, &mut upper, &mut empty);
        }
        if empty {
            return text.put(b"empty");
        }
        text.put_byte(if lower.inclusive { b'[' } else { b'(' });
        // SAFETY: a bound is of the range's subtype.
        unsafe { self.write_bound(&lower, text) };
        text.put_byte(b',');
        // SAFETY: as above.
        unsafe { self.write_bound(&upper, text) };
        text.put_byte(if upper.inclusive { b']' } else { b')' });
    }

    unsafe fn write_bound(&self, bound: &pg_sys::RangeBound, text: &mut Vec<u8>) {
        if bound.infinite {
            return;
        }
        let mut raw = Vec::new();
        // SAFETY: the caller passes a bound of the subtype.
        unsafe { self.bound.write::<_, true>(bound.val, &mut raw) };
        // utils/adt/rangetypes.c, range_bound_escape.
        let is_special = |byte: &u8| {
            matches!(
                byte,
                b'"' | b'\\' | b'(' | b')' | b'[' | b']' | b',' | b' ' | 9..=13
            )
        };
        if !raw.is_empty() && !raw.iter().any(is_special) {
            return text.put(&raw);
        }
        text.put_byte(b'"');
        for byte in raw {
            if matches!(byte, b'"' | b'\\') {
                text.put_byte(byte);
            }
            text.put_byte(byte);
        }
        text.put_byte(b'"');
    }
}

/// Whether the text that PostgreSQL itself prints of a type's values, at any depth, may become another without
/// the value.
///
/// # Safety
/// `type_oid` is a type that exists.
pub unsafe fn follows_names(type_oid: pg_sys::Oid) -> bool {
    // SAFETY: the caller's; these look up catalogs, and raise when the stack is nearly used up.
    unsafe {
        pg_sys::check_stack_depth();
        let base = pg_sys::getBaseType(type_oid);
        let element = pg_sys::get_element_type(base);
        if element != pg_sys::InvalidOid {
            return follows_names(element);
        }
        match pg_sys::get_typtype(base) as u8 {
            pg_sys::TYPTYPE_ENUM => true,
            pg_sys::TYPTYPE_RANGE => follows_names(pg_sys::get_range_subtype(base)),
            pg_sys::TYPTYPE_MULTIRANGE => follows_names(pg_sys::get_multirange_range(base)),
            pg_sys::TYPTYPE_COMPOSITE => attributes_of_type(base)
                .into_iter()
                .any(|attribute| follows_names(attribute)),
            _ => refers_by_oid(base) || is_sent(base),
        }
    }
}
