//! Rows found by the text of their key, through a B-tree index on the key's columns.
//!
//! No SQL is run, so nobody's privileges or policies are asked. A text that does not come from the
//! column's type for certain is not looked up at all: the caller reads the whole table then.

use auditspine_core::hash::HashSink;
use auditspine_core::rows::{KeyDigest, RowRecord, keytext};
use pgrx::pg_sys;

use crate::pg::compat;

use super::leaf::{Leaf, place_of};
use crate::pg::arena::DatumArena;
use crate::pg::relation::{OpenRelation, index_columns};

/// An index on the key's columns.
pub struct KeyIndex {
    index: OpenRelation,
    columns: Vec<IndexColumn>,
}

struct IndexColumn {
    /// Which of the key's columns it is, from 0.
    part: usize,
    type_oid: pg_sys::Oid,
    collation: pg_sys::Oid,
    equal: pg_sys::Oid,
}

/// The index of a table on all of the key's columns and no other, if there is one.
pub fn key_index(table: &OpenRelation, key: &[i16]) -> Option<KeyIndex> {
    table.index_oids().into_iter().find_map(|oid| {
        let index = OpenRelation::index(oid, pg_sys::AccessShareLock);
        // SAFETY: rd_index and rd_rel of an open index are set, and the arrays of opclasses have a
        // member for each key column.
        unsafe {
            let form = (*index.raw()).rd_index;
            let count = usize::try_from((*form).indnkeyatts).ok()?;
            let usable = (*form).indisvalid
                && (*(*index.raw()).rd_rel).relam == pg_sys::BTREE_AM_OID
                && !index.is_partial()
                && count == key.len();
            if !usable {
                return None;
            }
            let columns = index_columns(&index)
                .iter()
                .take(count)
                .enumerate()
                .map(|(at, attnum)| {
                    let type_oid = *(*index.raw()).rd_opcintype.add(at);
                    let operator = pg_sys::get_opfamily_member(
                        *(*index.raw()).rd_opfamily.add(at),
                        type_oid,
                        type_oid,
                        pg_sys::BTEqualStrategyNumber as i16,
                    );
                    Some(IndexColumn {
                        part: key.iter().position(|column| column == attnum)?,
                        type_oid,
                        collation: *(*index.raw()).rd_indcollation.add(at),
                        equal: pg_sys::get_opcode(operator),
                    })
                })
                .collect::<Option<Vec<_>>>()?;
            Some(KeyIndex { index, columns })
        }
    })
}

/// The text cannot be looked up.
pub struct NotAKey;

impl KeyIndex {
    /// Shows every row of the leaf with this key that the active snapshot sees.
    pub fn find(
        &self,
        leaf: &mut Leaf,
        number: u32,
        (key, digest): (&[u8], KeyDigest),
        show: &mut dyn FnMut(RowRecord),
    ) -> Result<(), NotAKey> {
        let texts = keytext::split_key(key, self.columns.len()).ok_or(NotAKey)?;
        let mut arena = DatumArena::default();
        let mut values = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let value = datum(&texts[column.part], column.type_oid, &mut arena);
            values.push(value.ok_or(NotAKey)?);
        }
        let mut scan_keys: Vec<pg_sys::ScanKeyData> = Vec::with_capacity(values.len());
        for (at, (column, value)) in self.columns.iter().zip(values).enumerate() {
            // SAFETY: fills a zeroed struct; the function compares values of the column's type.
            unsafe {
                let mut scan_key: pg_sys::ScanKeyData = std::mem::zeroed();
                pg_sys::ScanKeyEntryInitialize(
                    &mut scan_key,
                    0,
                    at as i16 + 1,
                    pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
                    pg_sys::InvalidOid,
                    column.collation,
                    column.equal,
                    value,
                );
                scan_keys.push(scan_key);
            }
        }
        self.scan(leaf, number, (key, digest), &mut scan_keys, show);
        Ok(())
    }

    fn scan(
        &self,
        leaf: &mut Leaf,
        number: u32,
        (key, digest): (&[u8], KeyDigest),
        scan_keys: &mut [pg_sys::ScanKeyData],
        show: &mut dyn FnMut(RowRecord),
    ) {
        let mut found = Vec::new();
        let count = scan_keys.len() as i32;
        let table = leaf.raw();
        // SAFETY: table and index are open and belong together, and a snapshot is active; slot and scan
        // are released below, or by the resource owner on an ERROR; a row is read while its slot pins it.
        unsafe {
            let slot = pg_sys::table_slot_create(table, std::ptr::null_mut());
            let snapshot = pg_sys::GetActiveSnapshot();
            let index = self.index.raw();
            let scan = compat::index_beginscan(table, index, snapshot, count);
            pg_sys::index_rescan(scan, scan_keys.as_mut_ptr(), count, std::ptr::null_mut(), 0);
            let forward = pg_sys::ScanDirection::ForwardScanDirection;
            while pg_sys::index_getnext_slot(scan, forward, slot) {
                let mut made = false;
                let tuple = pg_sys::ExecFetchSlotHeapTuple(slot, false, &mut made);
                leaf.with_row(tuple, |spec, row| {
                    if spec.key_is_null(row) {
                        return;
                    }
                    spec.write_key(row, &mut found);
                    // A collation may take other texts for equal.
                    if found == key {
                        let mut sink = HashSink::new();
                        spec.layout.write(row, &mut sink);
                        show(RowRecord {
                            key: digest,
                            hash: sink.finish().0,
                            place: place_of(&(*slot).tts_tid),
                            leaf: number,
                        });
                    }
                });
                if made {
                    pg_sys::pfree(tuple.cast());
                }
            }
            pg_sys::index_endscan(scan);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
        }
    }
}

/// The value that a key's text stands for.
fn datum(text: &[u8], type_oid: pg_sys::Oid, arena: &mut DatumArena) -> Option<pg_sys::Datum> {
    Some(match type_oid {
        pg_sys::INT2OID => keytext::parse_integer::<i16>(text)?.into(),
        pg_sys::INT4OID => keytext::parse_integer::<i32>(text)?.into(),
        pg_sys::INT8OID => keytext::parse_integer::<i64>(text)?.into(),
        pg_sys::OIDOID => keytext::parse_integer::<u32>(text)?.into(),
        pg_sys::BOOLOID => keytext::parse_bool(text)?.into(),
        pg_sys::TEXTOID | pg_sys::BPCHAROID => arena.varlena(text),
        pg_sys::BYTEAOID => arena.varlena(&keytext::parse_bytea(text)?),
        pg_sys::UUIDOID => arena.fixed(&keytext::parse_uuid(text)?),
        pg_sys::DATEOID => keytext::parse_date(text)?.into(),
        pg_sys::TIMESTAMPOID => keytext::parse_timestamp(text, false)?.into(),
        pg_sys::TIMESTAMPTZOID => keytext::parse_timestamp(text, true)?.into(),
        pg_sys::NUMERICOID => numeric(text)?,
        _ => return None,
    })
}

fn numeric(text: &[u8]) -> Option<pg_sys::Datum> {
    if !keytext::is_decimal(text) {
        return None;
    }
    let mut text = text.to_vec();
    text.push(0);
    let arguments = [
        Some(pg_sys::Datum::from(text.as_ptr())),
        Some(pg_sys::Datum::from(pg_sys::InvalidOid)),
        Some(pg_sys::Datum::from(-1)),
    ];
    // SAFETY: numeric_in reads a NUL-terminated string, here a plain number, and a modifier.
    unsafe { pgrx::direct_function_call_as_datum(pg_sys::numeric_in, &arguments) }
}
