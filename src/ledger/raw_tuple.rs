//! Entries read straight from the bytes of a heap tuple, without PostgreSQL: this is what helper
//! threads may do, and it is quicker than `heap_deform_tuple` besides.
//!
//! Layout (htup_details.h): a header of 23 bytes, then a bitmap of the columns that are not null if
//! the header says so, then, from `t_hoff` on, the values, each aligned as its type asks.

use auditspine_core::verify::EntryView;

const INFOMASK2: usize = 18;
const INFOMASK: usize = 20;
const HOFF: usize = 22;
const BITS: usize = 23;
const NATTS_MASK: u16 = 0x07ff;
const HAS_NULL: u16 = 0x0001;

/// The entry in a tuple of auditspine.audit_chain. `None` if it takes PostgreSQL to read it: a value
/// is compressed or stored elsewhere, there is a jsonb to be walked, a null stands where none may be, or
/// the bytes make no sense.
pub fn decode(tuple: &[u8]) -> Option<EntryView<'_>> {
    if cfg!(target_endian = "big") {
        return None;
    }
    let word = |at: usize| Some(u16::from_le_bytes([*tuple.get(at)?, *tuple.get(at + 1)?]));
    let columns = crate::ledger::catalog::column::COUNT;
    if usize::from(word(INFOMASK2)? & NATTS_MASK) != columns {
        return None;
    }
    let nulls = if word(INFOMASK)? & HAS_NULL == 0 {
        None
    } else {
        tuple.get(BITS..BITS + 3)
    };
    let values = tuple.get(usize::from(*tuple.get(HOFF)?)..)?;
    let mut row = Row {
        values,
        nulls,
        at: 0,
        column: 0,
    };
    let view = EntryView {
        seq: i64::from_le_bytes(row.fixed()?),
        chain_id: i32::from_le_bytes(row.fixed()?),
        lane: i16::from_le_bytes(row.fixed()?),
        pos: i64::from_le_bytes(row.fixed()?),
        version: i16::from_le_bytes(row.fixed()?),
        op: u8::from_le_bytes(row.fixed()?),
        kind: row.bytes()??,
        pk: row.bytes()?,
        xid: u64::from_le_bytes(row.fixed()?),
        appended_at: i64::from_le_bytes(row.fixed()?),
        db_user: row.bytes()??,
        actor: row.bytes()?,
        context: row.absent()?,
        layout: row.optional_i32()?,
        stored_payload_hash: row.absent().map(|_: Option<()>| None)?,
        payload_hash: row.bytes()??,
        event_hash: row.bytes()??,
        prev_hash: row.bytes()??,
        chain_hash: row.bytes()??,
    };
    Some(view)
}

/// The values of a tuple, taken one column after the other.
struct Row<'a> {
    values: &'a [u8],
    nulls: Option<&'a [u8]>,
    at: usize,
    column: usize,
}

impl<'a> Row<'a> {
    fn next_is_null(&mut self) -> bool {
        let column = self.column;
        self.column += 1;
        self.nulls
            .is_some_and(|bits| bits[column / 8] & (1 << (column % 8)) == 0)
    }

    /// A value of `N` bytes, aligned to its size, which may not be null.
    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        if self.next_is_null() {
            return None;
        }
        self.at = self.at.next_multiple_of(N);
        let value = self.values.get(self.at..self.at + N)?;
        self.at += N;
        value.try_into().ok()
    }

    fn optional_i32(&mut self) -> Option<Option<i32>> {
        let null = self
            .nulls
            .is_some_and(|bits| bits[self.column / 8] & (1 << (self.column % 8)) == 0);
        if null {
            self.column += 1;
            return Some(None);
        }
        Some(Some(i32::from_le_bytes(self.fixed()?)))
    }

    /// The content of a varlena value that is stored inline and uncompressed.
    fn bytes(&mut self) -> Option<Option<&'a [u8]>> {
        if self.next_is_null() {
            return Some(None);
        }
        // A zero byte is padding before an aligned value.
        if *self.values.get(self.at)? == 0 {
            self.at = self.at.next_multiple_of(4);
        }
        let first = *self.values.get(self.at)?;
        let (header, length) = if first & 1 == 1 {
            // One byte; 1 itself marks a pointer to a value stored elsewhere.
            (1, usize::from(first >> 1))
        } else {
            let header = self.values.get(self.at..self.at + 4)?;
            let header = u32::from_le_bytes(header.try_into().ok()?);
            if header & 3 != 0 {
                return None;
            }
            (4, header as usize >> 2)
        };
        let value = self
            .values
            .get(self.at..self.at.checked_add(length)?)?
            .get(header..)?;
        if length < header || first == 1 {
            return None;
        }
        self.at += length;
        Some(Some(value))
    }

    /// A column that can be read here only if it is null.
    fn absent<T>(&mut self) -> Option<Option<T>> {
        self.next_is_null().then_some(None)
    }
}
