//! How the rows of one table or partition are recorded: a declaration, resolved against the
//! relation's columns.

use std::cell::Cell;
use std::ffi::CStr;

use auditspine_core::canonical::write_string;
use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use super::layouts::{self, Description};
use super::relation::{OpenRelation, index_columns, name_of};
use super::row::{DeformedRow, RowLayout};
use super::{buffer, chains};
use crate::declaration::{ChainOf, Declaration};
use crate::error::Failure;

/// A declaration, resolved against a relation.
pub struct Spec {
    /// Kind of the events.
    pub kind: buffer::NameId,
    /// Attribute numbers of the key.
    pub key: Vec<i16>,
    /// Where events go.
    pub chain: ChainColumns,
    /// Whether the row is kept beside its hash.
    pub full_payload: bool,
    /// Whether an UPDATE that leaves the hash as it was is no event.
    pub skip_unchanged: bool,
    /// How rows are written.
    pub layout: RowLayout,
    /// The columns that rows are hashed under.
    pub description: Description,
    /// The relation's name, for messages.
    table: String,
    /// Names of the key's columns, for messages.
    key_names: Vec<String>,
    layout_id: Cell<Option<i32>>,
}

/// [`ChainOf`], with attribute numbers.
pub enum ChainColumns {
    /// One chain for all rows.
    Named(buffer::NameId),
    /// The chain named by these columns of the row.
    By(Vec<i16>),
}

impl Spec {
    /// Resolves a declaration against an open table or partition. Nothing is written.
    ///
    /// Raises 42P16 without a key, 42703 for a column that is not there, 42704 for an unknown chain.
    ///
    /// # Safety
    /// `relation` is a valid open relation.
    pub unsafe fn resolve_raw(relation: pg_sys::Relation, declaration: &Declaration) -> Spec {
        // SAFETY: the caller's.
        let (table, desc) = unsafe {
            let name = name_of(&(*(*relation).rd_rel).relname);
            (
                String::from_utf8_lossy(name).into_owned(),
                (*relation).rd_att,
            )
        };
        let columns = Columns {
            table: &table,
            desc,
        };
        let key = match &declaration.pk {
            Some(names) => columns.numbers(names, "pk"),
            // SAFETY: the caller's.
            None => unsafe { primary_key(relation, &table) },
        };
        let chain = match &declaration.chain {
            ChainOf::Named(name) => {
                chains::expect_operators(name.as_bytes());
                ChainColumns::Named(buffer::intern(name.as_bytes()))
            }
            ChainOf::By(names) => ChainColumns::By(columns.numbers(names, "chain_by")),
        };
        let exclude = columns.numbers(&declaration.exclude, "exclude");
        // SAFETY: the caller's.
        let kind = unsafe { kind_of(relation, declaration) };
        // SAFETY: the descriptor is that of an open relation.
        let (layout, description) = unsafe {
            (
                RowLayout::new(desc, &exclude),
                Description::of(relation, kind.as_bytes(), &exclude),
            )
        };
        Spec {
            kind: buffer::intern(kind.as_bytes()),
            key_names: key.iter().map(|column| columns.name(*column)).collect(),
            key,
            chain,
            full_payload: declaration.full_payload,
            skip_unchanged: declaration.skip_unchanged,
            layout,
            description,
            table,
            layout_id: Cell::new(None),
        }
    }

    /// As [`Spec::resolve_raw`].
    pub fn resolve(relation: &OpenRelation, declaration: &Declaration) -> Spec {
        // SAFETY: the relation is open.
        unsafe { Spec::resolve_raw(relation.raw(), declaration) }
    }

    /// Number of the layout, recorded now if it is new; `None` until the extension is updated from
    /// 0.1.0. Valid until the transaction, or a part of it, is rolled back.
    pub fn layout_id(&self) -> Option<i32> {
        if self.layout_id.get().is_none() {
            self.layout_id.set(layouts::ensure(&self.description));
        }
        self.layout_id.get()
    }

    /// Names of the key's columns.
    pub fn key_names(&self) -> &[String] {
        &self.key_names
    }

    /// Whether a spec resolved now would be the same, as far as no change of the relation tells.
    pub fn is_current(&self) -> bool {
        self.layout.is_current()
    }

    /// Writes the key: the value's text, or a JSON array of texts for several columns. Raises 23502
    /// if one is null.
    pub fn write_key(&self, row: &DeformedRow, out: &mut Vec<u8>) {
        if let Some(at) = self.key.iter().position(|column| row.is_null(*column)) {
            Failure::NullKey.raise(
                format!(
                    "key column \"{}\" of table \"{}\" is null, so the row cannot be named in the audit chain",
                    self.key_names[at], self.table
                ),
                "name columns that are never null in the trigger's argument 'pk=…'",
            );
        }
        write_texts(&self.layout, &self.key, row, out);
    }

    /// Whether a column of the row's key is null.
    pub fn key_is_null(&self, row: &DeformedRow) -> bool {
        self.key.iter().any(|column| row.is_null(*column))
    }
}

/// Writes the chain's key: that of the tenant whom the columns name; a null stands for the chain `main`.
pub fn write_chain(layout: &RowLayout, columns: &[i16], row: &DeformedRow, out: &mut Vec<u8>) {
    if columns.iter().any(|column| row.is_null(*column)) {
        out.clear();
        out.extend_from_slice(chains::MAIN);
    } else {
        chains::begin_tenant(out);
        append_texts(layout, columns, row, out);
    }
}

fn write_texts(layout: &RowLayout, columns: &[i16], row: &DeformedRow, out: &mut Vec<u8>) {
    out.clear();
    append_texts(layout, columns, row, out);
}

fn append_texts(layout: &RowLayout, columns: &[i16], row: &DeformedRow, out: &mut Vec<u8>) {
    if let [column] = columns {
        layout.write_key_text(*column, row, out);
        return;
    }
    let mut text = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        out.put_byte(if at == 0 { b'[' } else { b',' });
        text.clear();
        layout.write_key_text(*column, row, &mut text);
        write_string(&text, out);
    }
    out.put_byte(b']');
}

/// The declared kind, or the table's name; for a partition that of the whole table.
///
/// # Safety
/// `relation` is a valid open relation.
pub unsafe fn kind_of(relation: pg_sys::Relation, declaration: &Declaration) -> String {
    declaration.kind.clone().unwrap_or_else(|| {
        // SAFETY: the caller's; pg_partition_root takes and returns an oid, and is only asked about a
        // partition, which has a root.
        unsafe {
            let form = (*relation).rd_rel;
            if !(*form).relispartition {
                return String::from_utf8_lossy(name_of(&(*form).relname)).into_owned();
            }
            let oid = Some(pg_sys::Datum::from((*relation).rd_id));
            let root = pgrx::direct_function_call(pg_sys::pg_partition_root, &[oid]);
            let name = pg_sys::get_rel_name(root.unwrap_or((*relation).rd_id));
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    })
}

/// Columns of an open relation, by name.
struct Columns<'a> {
    table: &'a str,
    desc: pg_sys::TupleDesc,
}

impl Columns<'_> {
    fn numbers(&self, names: &[String], argument: &str) -> Vec<i16> {
        // SAFETY: the descriptor is that of an open relation.
        let desc = unsafe { pgrx::PgTupleDesc::from_pg_unchecked(self.desc) };
        names
            .iter()
            .map(|name| {
                desc.iter()
                    .find(|attribute| !attribute.attisdropped && attribute.name() == name)
                    .map_or_else(
                        || {
                            Failure::UnknownColumn.raise(
                                format!(
                                    "table \"{}\" has no column \"{name}\", which the trigger's argument '{argument}=' names",
                                    self.table
                                ),
                                "recreate the trigger with the columns that the table has now",
                            )
                        },
                        |attribute| attribute.attnum,
                    )
            })
            .collect()
    }

    fn name(&self, attnum: i16) -> String {
        // SAFETY: the descriptor is that of an open relation, and attnum one of its columns.
        let desc = unsafe { pgrx::PgTupleDesc::from_pg_unchecked(self.desc) };
        desc.get(attnum as usize - 1)
            .map_or_else(String::new, |attribute| attribute.name().to_owned())
    }
}

/// # Safety
/// `relation` is a valid open relation.
unsafe fn primary_key(relation: pg_sys::Relation, table: &str) -> Vec<i16> {
    // SAFETY: the caller's; asking for its indexes fills rd_pkindex.
    let index = unsafe {
        pg_sys::list_free(pg_sys::RelationGetIndexList(relation));
        (*relation).rd_pkindex
    };
    if index == pg_sys::InvalidOid {
        Failure::NoPrimaryKey.raise(
            format!("table \"{table}\" has no primary key"),
            "name the columns that identify a row in the trigger's arguments: \
             audit_chain_append('kind', 'pk=column,…')",
        );
    }
    let index = OpenRelation::index(index, pg_sys::AccessShareLock);
    // SAFETY: rd_index of an open index is set.
    let keys = unsafe { (*(*index.raw()).rd_index).indnkeyatts } as usize;
    index_columns(&index).into_iter().take(keys).collect()
}
