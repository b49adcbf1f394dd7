//! Entries read straight from the bytes of a heap tuple, without PostgreSQL: this is what helper
//! threads may do, and it is quicker than `heap_deform_tuple` besides.
//!
//! Layout (htup_details.h): a header of 23 bytes, then a bitmap of the columns that are not null if
//! the header says so, then, from `t_hoff` on, the values, each aligned as its type asks.

use auditspine_core::verify::EntryView;

use crate::ledger::catalog::column;

const INFOMASK2: usize = 18;
const INFOMASK: usize = 20;
const HOFF: usize = 22;
const BITS: usize = 23;
const NATTS_MASK: u16 = 0x07ff;
const HAS_NULL: u16 = 0x0001;

/// Bytes of the columns up to [`column::OP`]: none of them varies in width.
const FIXED: usize = 27;

const fn bits(columns: &[usize]) -> u32 {
    let (mut bits, mut at) = (0, 0);
    while at < columns.len() {
        bits |= 1 << columns[at];
        at += 1;
    }
    bits
}

const ALL: u32 = (1 << column::COUNT) - 1;
/// Columns that may be null.
const OPTIONAL: u32 = bits(&[
    column::EVENT_PK,
    column::ACTOR,
    column::CONTEXT,
    column::LAYOUT,
    column::PAYLOAD,
]);
/// Columns that can be read here only if they are null.
const JSON: u32 = bits(&[column::CONTEXT, column::PAYLOAD]);

/// The entry in a tuple of auditspine.audit_chain. `None` if it takes PostgreSQL to read it: a value
/// is compressed or stored elsewhere, there is a jsonb to be walked, a null stands where none may be, or
/// the bytes make no sense.
#[inline]
pub fn decode(tuple: &[u8]) -> Option<EntryView<'_>> {
    if cfg!(target_endian = "big") {
        return None;
    }
    let header: &[u8; BITS + 3] = tuple.first_chunk()?;
    let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    if usize::from(word(INFOMASK2) & NATTS_MASK) != column::COUNT || word(INFOMASK) & HAS_NULL == 0
    {
        return None;
    }
    let present = u32::from_le_bytes([header[BITS], header[BITS + 1], header[BITS + 2], 0]);
    let nulls = !present & ALL;
    if nulls & !OPTIONAL != 0 || nulls & JSON != JSON {
        return None;
    }
    let is_null = |column: usize| nulls & 1 << column != 0;
    let values = tuple.get(usize::from(header[HOFF])..)?;
    let fixed: &[u8; FIXED] = values.first_chunk()?;
    let mut row = Row { values, at: FIXED };
    Some(EntryView {
        seq: i64::from_le_bytes(*fixed[0..].first_chunk()?),
        chain_id: i32::from_le_bytes(*fixed[8..].first_chunk()?),
        lane: i16::from_le_bytes(*fixed[12..].first_chunk()?),
        pos: i64::from_le_bytes(*fixed[16..].first_chunk()?),
        version: i16::from_le_bytes(*fixed[24..].first_chunk()?),
        op: fixed[26],
        kind: row.bytes()?,
        pk: if is_null(column::EVENT_PK) {
            None
        } else {
            Some(row.bytes()?)
        },
        xid: u64::from_le_bytes(row.fixed()?),
        appended_at: i64::from_le_bytes(row.fixed()?),
        db_user: row.bytes()?,
        actor: if is_null(column::ACTOR) {
            None
        } else {
            Some(row.bytes()?)
        },
        context: None,
        layout: if is_null(column::LAYOUT) {
            None
        } else {
            Some(i32::from_le_bytes(row.fixed()?))
        },
        stored_payload_hash: None,
        payload_hash: row.bytes()?,
        event_hash: row.bytes()?,
        prev_hash: row.bytes()?,
        chain_hash: row.bytes()?,
    })
}

/// The values of a tuple that are not null, taken one after the other.
struct Row<'a> {
    values: &'a [u8],
    at: usize,
}

impl<'a> Row<'a> {
    /// A value of `N` bytes, aligned to its size.
    #[inline]
    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let at = self.at.next_multiple_of(N);
        let value = self.values.get(at..)?.first_chunk()?;
        self.at = at + N;
        Some(*value)
    }

    /// The content of a varlena value that is stored inline and uncompressed.
    #[inline]
    fn bytes(&mut self) -> Option<&'a [u8]> {
        // A header of one byte: its lowest bit is set, and its length includes it. 1 itself marks a pointer to a
        // value stored elsewhere.
        let rest = self.values.get(self.at..)?;
        let first = *rest.first()?;
        if first & 1 == 0 || first == 1 {
            return self.long_bytes();
        }
        let length = usize::from(first >> 1);
        self.at += length;
        rest.get(1..length)
    }

    #[cold]
    fn long_bytes(&mut self) -> Option<&'a [u8]> {
        // A zero byte is padding before an aligned value.
        if *self.values.get(self.at)? == 0 {
            self.at = self.at.next_multiple_of(4);
        }
        let rest = self.values.get(self.at..)?;
        let (header, length) = match rest.first()? {
            1 => return None,
            first if first & 1 == 1 => (1, usize::from(first >> 1)),
            _ => {
                let header = u32::from_le_bytes(*rest.first_chunk()?);
                if header & 3 != 0 {
                    return None;
                }
                (4, header as usize >> 2)
            }
        };
        let value = rest.get(header..length)?;
        self.at += length;
        Some(value)
    }
}
