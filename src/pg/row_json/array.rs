//! Arrays, nested by dimension as `to_jsonb` nests them. In encoding 1 lower bounds are not part of the text;
//! in encoding 2 they are where they are not what they are by default, and where nesting does not tell
//! dimensions from arrays within elements.

use auditspine_core::digits::write_integer;
use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use crate::encoding::embedded::embedded_content;
use crate::error::Failure;
use crate::pg::row_json::value::{Encoding, Way, Writer};
use crate::pg::varlena::Varlena;

/// How the elements of an array type are stored and written.
pub struct Elements {
    /// Writes one element.
    pub writer: Writer,
    len: i16,
    by_value: bool,
    align: usize,
    /// Encoding 2: the lower bound that is not written.
    default_bound: Option<i32>,
    /// Whether the JSON of an element may be an array itself.
    elements_nest: bool,
}

/// The fixed part of an array (utils/array.h, ArrayType) after its length word: number of
/// dimensions, offset of the data or 0 if no element is null, type of the elements.
const HEADER: usize = 3 * 4;
/// Offsets within an array count from its length word, which `Varlena` leaves out.
const LENGTH_WORD: usize = 4;

impl Elements {
    /// For the array type `array`, whose elements are of this type.
    ///
    /// # Safety
    /// As for [`Writer::of_type`].
    pub unsafe fn of_type(
        array: pg_sys::Oid,
        type_oid: pg_sys::Oid,
        modifier: i32,
        way: Way<'_>,
        context: pg_sys::MemoryContext,
    ) -> Elements {
        let (mut len, mut by_value, mut align) = (0, false, 0);
        // SAFETY: the caller passes a type that exists; the results are plain values.
        unsafe {
            pg_sys::get_typlenbyvalalign(type_oid, &mut len, &mut by_value, &mut align);
        }
        let align = match align as u8 {
            pg_sys::TYPALIGN_CHAR => 1,
            pg_sys::TYPALIGN_SHORT => 2,
            pg_sys::TYPALIGN_INT => 4,
            _ => 8,
        };
        // SAFETY: as above.
        let writer = unsafe { Writer::of_type(type_oid, modifier, way, context) };
        let from_zero = [pg_sys::INT2VECTOROID, pg_sys::OIDVECTOROID].contains(&array);
        Elements {
            default_bound: (way.encoding == Encoding::Second).then_some(i32::from(!from_zero)),
            elements_nest: matches!(writer, Writer::Array(_) | Writer::WholeJsonb),
            writer,
            len,
            by_value,
            align,
        }
    }

    /// Writes an array as nested JSON arrays.
    ///
    /// # Safety
    /// `datum` is a valid non-null array with elements of this type.
    pub unsafe fn write<S: Sink>(&self, datum: pg_sys::Datum, out: &mut S) {
        // SAFETY: the caller passes a valid varlena.
        let array = unsafe { Varlena::aligned(datum) };
        // SAFETY: the elements are of the type that the caller vouches for.
        if unsafe { self.write_content(&array, out) }.is_none() {
            Failure::CorruptedData.raise(
                format!("invalid binary array of {} bytes", array.len()),
                "The stored value is damaged; check the storage and restore the row from a backup.",
            );
        }
    }

    unsafe fn write_content<S: Sink>(&self, content: &[u8], out: &mut S) -> Option<()> {
        let dimensions = usize::try_from(int(content, 0)?).ok()?;
        if dimensions > pg_sys::MAXDIM as usize {
            return None;
        }
        let mut lengths = [0; pg_sys::MAXDIM as usize];
        let lengths = &mut lengths[..dimensions];
        let mut count = usize::from(dimensions > 0);
        for (dimension, length) in lengths.iter_mut().enumerate() {
            *length = usize::try_from(int(content, HEADER + 4 * dimension)?).ok()?;
            count = count.checked_mul(*length)?;
        }
        if count == 0 {
            out.put(b"[]");
            return Some(());
        }
        let data_offset = usize::try_from(int(content, 4)?).ok()?;
        // Dimensions and lower bounds, then the bitmap of nulls, then the elements.
        let bounds_end = HEADER + 8 * dimensions;
        let (nulls, data) = if data_offset == 0 {
            (None, (LENGTH_WORD + bounds_end).next_multiple_of(8))
        } else {
            let bitmap = content.get(bounds_end..)?;
            (Some(bitmap.get(..count.div_ceil(8))?), data_offset)
        };
        let tells_bounds = self.tells_bounds(content, dimensions)?;
        if tells_bounds {
            out.put(b"{\"bounds\":[");
            for dimension in 0..dimensions {
                if dimension > 0 {
                    out.put_byte(b',');
                }
                write_integer(i64::from(bound(content, dimensions, dimension)?), out);
            }
            out.put(b"],\"values\":");
        }
        let mut cursor = Cursor { content, at: data };
        let mut indexes = [0; pg_sys::MAXDIM as usize];
        let indexes = &mut indexes[..dimensions];
        let mut opening = dimensions;
        for item in 0..count {
            pgrx::check_for_interrupts!();
            for _ in 0..opening {
                out.put_byte(b'[');
            }
            if nulls.is_some_and(|bits| bits[item / 8] & (1 << (item % 8)) == 0) {
                out.put(b"null");
            } else {
                let element = cursor.next(self)?;
                // SAFETY: the element lies within the array and is of the writer's type.
                unsafe { self.writer.write::<_, false>(element, out) };
            }
            // Counts up like a clock; each wheel that wraps closes a bracket, to be opened again.
            opening = 0;
            for (index, length) in indexes.iter_mut().zip(lengths.iter()).rev() {
                *index += 1;
                if *index < *length {
                    break;
                }
                *index = 0;
                opening += 1;
                out.put_byte(b']');
            }
            if item + 1 < count {
                out.put_byte(b',');
            }
        }
        if tells_bounds {
            out.put_byte(b'}');
        }
        Some(())
    }

    /// Whether an array is written as an object that tells its lower bounds, and with them how many dimensions
    /// it has.
    #[inline]
    fn tells_bounds(&self, content: &[u8], dimensions: usize) -> Option<bool> {
        let Some(default) = self.default_bound else {
            return Some(false);
        };
        if self.elements_nest && dimensions > 1 {
            return Some(true);
        }
        for dimension in 0..dimensions {
            if bound(content, dimensions, dimension)? != default {
                return Some(true);
            }
        }
        Some(false)
    }
}

/// The lower bound of a dimension.
fn bound(content: &[u8], dimensions: usize, dimension: usize) -> Option<i32> {
    int(content, HEADER + 4 * (dimensions + dimension))
}

fn int(content: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_ne_bytes(*content.get(at..)?.first_chunk()?))
}

/// The place of the next element, counted from the array's length word.
struct Cursor<'a> {
    content: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn next(&mut self, elements: &Elements) -> Option<pg_sys::Datum> {
        let unaligned = self.content.get(self.at.checked_sub(LENGTH_WORD)?..)?;
        // A short header may stand anywhere; padding is zeros, which no short header is.
        let packed = elements.len == -1 && *unaligned.first()? != 0;
        if !packed {
            self.at = self.at.next_multiple_of(elements.align);
        }
        let rest = self.content.get(self.at - LENGTH_WORD..)?;
        let len = match elements.len {
            // An array's elements are neither compressed nor stored elsewhere.
            -1 => {
                let value = embedded_content(rest)?;
                value.as_ptr_range().end.addr() - rest.as_ptr().addr()
            }
            -2 => rest.iter().position(|byte| *byte == 0)? + 1,
            len => usize::try_from(len).ok()?,
        };
        let element = rest.get(..len)?;
        self.at += len;
        if !elements.by_value {
            return Some(pg_sys::Datum::from(element.as_ptr()));
        }
        Some(pg_sys::Datum::from(match *element {
            [a] => usize::from(a),
            [a, b] => usize::from(u16::from_ne_bytes([a, b])),
            [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]) as usize,
            [a, b, c, d, e, f, g, h] => u64::from_ne_bytes([a, b, c, d, e, f, g, h]) as usize,
            _ => return None,
        }))
    }
}
