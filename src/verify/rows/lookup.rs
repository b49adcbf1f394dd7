//! Rows found by the text of their key, through a B-tree index on the key's columns.
//!
//! No SQL is run, so nobody's privileges or policies are asked. A text that does not come from the
//! column's type for certain is not looked up at all: the caller reads the whole table then.

use auditspine_core::hash::HashSink;
use auditspine_core::rows::{KeyDigest, RowRecord, key_text};
use auditspine_core::short_text;
use pgrx::pg_sys;

use crate::pg::builtin;
use crate::pg::index_scan::{Condition, IndexScan, Under};

use crate::pg::arena::DatumArena;
use crate::pg::relation::OpenRelation;
use crate::verify::rows::partition::Partition;

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
        let parts = index.equality_of_key()?;
        if !index.is_usable_btree() || parts.len() != key.len() {
            return None;
        }
        let columns = parts
            .into_iter()
            .map(|equality| {
                Some(IndexColumn {
                    part: key.iter().position(|column| *column == equality.attnum)?,
                    type_oid: equality.type_oid,
                    collation: equality.collation,
                    equal: equality.function,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        Some(KeyIndex { index, columns })
    })
}

/// The text cannot be looked up.
pub struct NotAKey;

impl KeyIndex {
    /// Shows every row of the leaf with this key that the active snapshot sees.
    pub fn find(
        &self,
        leaf: &mut Partition,
        number: u32,
        (key, digest): (&[u8], KeyDigest),
        show: &mut dyn FnMut(RowRecord),
    ) -> Result<(), NotAKey> {
        if key.len() > short_text::LIMIT {
            return Err(NotAKey);
        }
        let texts = key_text::split_key(key, self.columns.len()).ok_or(NotAKey)?;
        let mut arena = DatumArena::default();
        let mut values = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let value = datum(&texts[column.part], column.type_oid, &mut arena);
            values.push(value.ok_or(NotAKey)?);
        }
        let conditions: Vec<Condition> = self
            .columns
            .iter()
            .zip(values)
            .map(|(column, value)| Condition {
                strategy: pg_sys::BTEqualStrategyNumber,
                function: column.equal,
                collation: Some(column.collation),
                value,
            })
            .collect();
        let mut found = Vec::new();
        let table = OpenRelation::table(leaf.relation().oid(), pg_sys::NoLock);
        let mut scan = IndexScan::begin(table, &self.index, Under::Active, conditions.len());
        scan.search(&conditions);
        while scan
            .next_tuple(|tuple| {
                leaf.with_row(&tuple, |spec, row| {
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
                            place: tuple.place(),
                            leaf: number,
                        });
                    }
                });
            })
            .is_some()
        {}
        Ok(())
    }
}

/// The value that a key's text stands for.
fn datum(text: &[u8], type_oid: pg_sys::Oid, arena: &mut DatumArena) -> Option<pg_sys::Datum> {
    Some(match type_oid {
        pg_sys::INT2OID => key_text::parse_integer::<i16>(text)?.into(),
        pg_sys::INT4OID => key_text::parse_integer::<i32>(text)?.into(),
        pg_sys::INT8OID => key_text::parse_integer::<i64>(text)?.into(),
        pg_sys::OIDOID => key_text::parse_integer::<u32>(text)?.into(),
        pg_sys::BOOLOID => key_text::parse_bool(text)?.into(),
        pg_sys::TEXTOID | pg_sys::BPCHAROID => arena.varlena(text),
        pg_sys::BYTEAOID => arena.varlena(&key_text::parse_bytea(text)?),
        pg_sys::UUIDOID => arena.fixed(&key_text::parse_uuid(text)?),
        pg_sys::DATEOID => key_text::parse_date(text)?.into(),
        pg_sys::TIMESTAMPOID => key_text::parse_timestamp(text, false)?.into(),
        pg_sys::TIMESTAMPTZOID => key_text::parse_timestamp(text, true)?.into(),
        pg_sys::NUMERICOID => numeric(text)?,
        _ => return None,
    })
}

fn numeric(text: &[u8]) -> Option<pg_sys::Datum> {
    if !key_text::is_decimal(text) {
        return None;
    }
    builtin::numeric_of(text)
}
