//! Rows formed as tuples, column by column, as `heap_form_tuple` would: of a few kinds of columns, whose values need
//! not be copied first.

use pgrx::pg_sys;

use super::arena::{DatumArena, header_of, write_varlena};
use super::char_filter::Chars;
use crate::error::broken;

/// Tuples of one table, with the values that they are formed from.
#[derive(Default)]
pub struct FormedRows {
    memory: DatumArena,
    tuples: Vec<pg_sys::HeapTupleData>,
    /// By row, one for each column.
    pub(super) values: Vec<pg_sys::Datum>,
    pub(super) nulls: Vec<bool>,
    /// What the columns of type "char" hold.
    pub(super) chars: Chars,
}

/// A tuple that is being formed: its columns are told in their order.
pub struct RowForm<'a> {
    rows: &'a mut FormedRows,
    start: *mut u8,
    /// Where the next value begins at the earliest, and where the room ends.
    at: usize,
    end: usize,
    /// How many columns the table has, the null ones by a bit each, and the next one.
    columns: usize,
    nulls: u32,
    column: usize,
    /// Where the row's values and null flags begin.
    first: usize,
    has_varlena: bool,
}

/// What comes ahead of a tuple's values, and has no bits for nulls.
const HEADER: usize = std::mem::offset_of!(pg_sys::HeapTupleHeaderData, t_bits);

impl FormedRows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.tuples.len()
    }

    /// Forgets all rows, keeping some of the memory.
    pub fn clear(&mut self) {
        self.memory.clear();
        self.tuples.clear();
        self.values.clear();
        self.nulls.clear();
        self.chars = Chars::default();
    }

    /// Memory that it has, about.
    pub fn capacity(&self) -> usize {
        self.memory.capacity()
            + self.tuples.capacity() * size_of::<pg_sys::HeapTupleData>()
            + self.values.capacity() * size_of::<pg_sys::Datum>()
            + self.nulls.capacity()
    }

    /// Begins a row of so many columns, at most 32, of which those are null whose bits are set. Its values of variable
    /// length have so many bytes, without their headers.
    #[inline]
    pub fn begin(&mut self, columns: usize, nulls: u32, bytes: usize) -> RowForm<'_> {
        let bits = if nulls == 0 { 0 } else { columns.div_ceil(8) };
        let header = (HEADER + bits).next_multiple_of(8);
        // A value takes at most 8 bytes, or its header's 4 and its own, and 7 to align it.
        let room = header + 15 * columns + bytes;
        let start = self.memory.reserve(room);
        // SAFETY: there is room for the header, which may be all zeros. Bits say which columns are there.
        unsafe {
            start.write_bytes(0, header);
            let there = (!nulls).to_le_bytes();
            let last = u8::MAX >> ((8 * bits - columns.min(8 * bits)) % 8);
            for (at, bits_of) in there.iter().take(bits).enumerate() {
                let mask = if at + 1 == bits { last } else { u8::MAX };
                *start.add(HEADER + at) = bits_of & mask;
            }
            let tuple = &mut *start.cast::<pg_sys::HeapTupleHeaderData>();
            tuple.t_ctid.ip_blkid.bi_hi = u16::MAX;
            tuple.t_ctid.ip_blkid.bi_lo = u16::MAX;
            tuple.t_infomask2 = columns as u16;
            tuple.t_infomask = if nulls == 0 {
                0
            } else {
                pg_sys::HEAP_HASNULL as u16
            };
            tuple.t_hoff = header as u8;
        }
        let first = self.values.len();
        self.values
            .resize(first + columns, pg_sys::Datum::from(0usize));
        self.nulls.resize(first + columns, false);
        RowForm {
            rows: self,
            start,
            at: header,
            end: room,
            columns,
            nulls,
            column: 0,
            first,
            has_varlena: false,
        }
    }

    /// The tuples, for PostgreSQL to store.
    pub(super) fn tuples(&mut self) -> &mut [pg_sys::HeapTupleData] {
        &mut self.tuples
    }
}

impl RowForm<'_> {
    /// Room for the next value, if it is not null, aligned and with zeros ahead of it.
    #[inline]
    fn place(&mut self, bytes: usize, align: usize) -> Option<*mut u8> {
        if self.nulls >> self.column & 1 == 1 {
            self.rows.nulls[self.first + self.column] = true;
            self.column += 1;
            return None;
        }
        let at = self.at.next_multiple_of(align);
        if self.column >= self.columns || at + bytes > self.end {
            broken(format!("column {} of a row has no room", self.column + 1));
        }
        // SAFETY: all of that lies within the room.
        let place = unsafe {
            self.start.add(self.at).write_bytes(0, at - self.at);
            self.start.add(at)
        };
        self.at = at + bytes;
        Some(place)
    }

    #[inline]
    fn note(&mut self, value: pg_sys::Datum) {
        self.rows.values[self.first + self.column] = value;
        self.column += 1;
    }

    /// A bigint, or what lies as one does.
    #[inline]
    pub fn int8(&mut self, value: i64) {
        if let Some(place) = self.place(8, 8) {
            // SAFETY: the place has 8 bytes and is aligned.
            unsafe { place.cast::<i64>().write(value) };
            self.note(value.into());
        }
    }

    /// An integer.
    #[inline]
    pub fn int4(&mut self, value: i32) {
        if let Some(place) = self.place(4, 4) {
            // SAFETY: as above, 4.
            unsafe { place.cast::<i32>().write(value) };
            self.note(value.into());
        }
    }

    /// A smallint.
    #[inline]
    pub fn int2(&mut self, value: i16) {
        if let Some(place) = self.place(2, 2) {
            // SAFETY: as above, 2.
            unsafe { place.cast::<i16>().write(value) };
            self.note(value.into());
        }
    }

    /// A "char".
    #[inline]
    pub fn char(&mut self, value: u8) {
        if let Some(place) = self.place(1, 1) {
            // SAFETY: as above, 1.
            unsafe { place.write(value) };
            self.rows.chars.add(value);
            self.note((value as i8).into());
        }
    }

    /// A text or bytea.
    #[inline]
    pub fn bytes(&mut self, value: &[u8]) {
        let header = header_of(value.len());
        if let Some(place) = self.place(header + value.len(), header) {
            // SAFETY: there is room for header and bytes; a header of four bytes is aligned.
            unsafe { write_varlena(place, value) };
            self.has_varlena = true;
            self.note(pg_sys::Datum::from(place));
        }
    }

    /// Ends the row, all of whose columns were told.
    #[inline]
    pub fn end(self) {
        if self.column != self.columns {
            broken(format!(
                "a row of {} columns has {}",
                self.columns, self.column
            ));
        }
        self.rows.memory.give_back(self.end, self.at);
        let header = self.start.cast::<pg_sys::HeapTupleHeaderData>();
        if self.has_varlena {
            // SAFETY: the tuple's own header.
            unsafe { (*header).t_infomask |= pg_sys::HEAP_HASVARWIDTH as u16 };
        }
        self.rows.tuples.push(pg_sys::HeapTupleData {
            t_len: self.at as u32,
            t_self: pg_sys::ItemPointerData {
                ip_blkid: pg_sys::BlockIdData {
                    bi_hi: u16::MAX,
                    bi_lo: u16::MAX,
                },
                ip_posid: 0,
            },
            t_tableOid: pg_sys::InvalidOid,
            t_data: header,
        });
    }
}
