//! What a table is: the facts that say whether and how it can be audited.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::pg::compat;

use super::relation::{OpenRelation, index_columns, name_of, take_oids};
use super::row_json::{attributes, with_plain_names};

unsafe extern "C-unwind" {
    /// catalog/partition.h, which pgrx has no binding of.
    fn get_partition_ancestors(relation: pg_sys::Oid) -> *mut pg_sys::List;
}

/// The first oid that is given to what users make: pg_catalog and information_schema are below.
const FIRST_NORMAL_OID: u32 = 16384;

/// A column that is not dropped.
pub struct Column {
    /// Its number, from 1.
    pub attnum: i16,
    /// Its name.
    pub name: String,
    /// Whether it is declared NOT NULL.
    pub not_null: bool,
}

/// Whether there is a relation of this oid.
pub fn exists(oid: pg_sys::Oid) -> bool {
    // SAFETY: a lookup in a system cache by oid.
    unsafe {
        pg_sys::SearchSysCacheExists(
            pg_sys::SysCacheIdentifier::RELOID as i32,
            pg_sys::Datum::from(oid),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        )
    }
}

/// Name of a relation without the schema; `None` if it is gone.
pub fn name_of_oid(oid: pg_sys::Oid) -> Option<String> {
    // SAFETY: looks up a relation; the name is a palloc'd string, or null.
    unsafe {
        let name = pg_sys::get_rel_name(oid);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

/// The transaction that wrote a relation's latest row of pg_class; `None` if it is gone.
pub fn version(relation: pg_sys::Oid) -> Option<usize> {
    // SAFETY: looks up the catalog cache; a tuple has a header, and is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::RELOID as i32,
            pg_sys::Datum::from(relation),
        );
        if tuple.is_null() {
            return None;
        }
        let xmin = (*(*tuple).t_data).t_choice.t_heap.t_xmin;
        pg_sys::ReleaseSysCache(tuple);
        Some(pg_sys::Datum::from(xmin).value())
    }
}

/// `r`, `p`, `v`, … as in pg_class.relkind; zero if there is no such relation.
pub fn kind_of_oid(oid: pg_sys::Oid) -> u8 {
    // SAFETY: a lookup in a system cache by oid.
    unsafe { pg_sys::get_rel_relkind(oid) as u8 }
}

/// Whether a relation is a partition of another one.
pub fn is_partition(oid: pg_sys::Oid) -> bool {
    // SAFETY: a lookup in a system cache by oid.
    unsafe { pg_sys::get_rel_relispartition(oid) }
}

/// The partitioned table that a partition belongs to.
pub fn root_of_partition(oid: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: takes an oid and returns one, or null.
    unsafe { pgrx::direct_function_call(pg_sys::pg_partition_root, &[Some(oid.into())]) }
}

/// The tables that a relation is a partition of, the nearest first.
pub fn ancestors(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    // SAFETY: returns a fresh list of oids.
    unsafe {
        take_oids(pg_sys::ffi::pg_guard_ffi_boundary(|| {
            get_partition_ancestors(relation)
        }))
    }
}

/// The oid of a relation by schema and name; invalid if there is none.
pub fn oid_of(schema: &CStr, name: &CStr) -> pg_sys::Oid {
    // SAFETY: catalog lookups by NUL-terminated names, and by an oid that may be invalid.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    }
}

/// The oid of a relation by its schema and name; invalid if there is none.
pub fn oid_in(schema: pg_sys::Oid, name: &CStr) -> pg_sys::Oid {
    // SAFETY: a catalog lookup by a NUL-terminated name.
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) }
}

/// The type under a domain, or the type itself.
pub fn base_type(oid: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: a lookup of a type that a column has.
    unsafe { pg_sys::getBaseType(oid) }
}

/// The name of a type, as SQL has it.
pub fn type_name(oid: pg_sys::Oid) -> String {
    // SAFETY: looks up a type; the result is a palloc'd string, of whatever oid.
    unsafe {
        CStr::from_ptr(pg_sys::format_type_be(oid))
            .to_string_lossy()
            .into_owned()
    }
}

/// Raises 42501 unless the caller owns the relation. For before it is locked.
pub fn expect_owner(oid: pg_sys::Oid) {
    // SAFETY: lookups in system caches by oid; the name is palloc'd, or null if the relation is gone.
    unsafe {
        if !compat::owns_relation(oid) {
            pg_sys::aclcheck_error(
                pg_sys::AclResult::ACLCHECK_NOT_OWNER,
                pg_sys::ObjectType::OBJECT_TABLE,
                pg_sys::get_rel_name(oid),
            );
        }
    }
}

/// How a key column of an index compares for equality.
pub struct Equality {
    /// The column of the table; 0 stands for an expression.
    pub attnum: i16,
    /// The type that is compared.
    pub type_oid: pg_sys::Oid,
    /// The collation.
    pub collation: pg_sys::Oid,
    /// The function.
    pub function: pg_sys::Oid,
}

/// Whether two rows of a table may have one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Uniqueness {
    /// A constraint that is checked row by row keeps them from it.
    Always,
    /// A deferrable constraint lets them, until the statement or the transaction ends.
    InTheEnd,
    /// Nothing keeps them from it.
    Never,
}

impl OpenRelation {
    /// How the key columns of an index compare, in order; `None` if it is no index.
    pub fn equality_of_key(&self) -> Option<Vec<Equality>> {
        let count = usize::try_from(self.index_form()?.indnkeyatts).ok()?;
        let columns = index_columns(self);
        // SAFETY: the arrays of an open index's opclasses have a member for each key column.
        let equality = |(at, attnum): (usize, &i16)| unsafe {
            let type_oid = *(*self.raw()).rd_opcintype.add(at);
            let operator = pg_sys::get_opfamily_member(
                *(*self.raw()).rd_opfamily.add(at),
                type_oid,
                type_oid,
                pg_sys::BTEqualStrategyNumber as i16,
            );
            Equality {
                attnum: *attnum,
                type_oid,
                collation: *(*self.raw()).rd_indcollation.add(at),
                function: pg_sys::get_opcode(operator),
            }
        };
        Some(
            columns
                .iter()
                .take(count)
                .enumerate()
                .map(equality)
                .collect(),
        )
    }

    fn form(&self) -> &pg_sys::FormData_pg_class {
        // SAFETY: rd_rel of an open relation is set.
        unsafe { &*(*self.raw()).rd_rel }
    }

    /// Its oid.
    pub fn oid(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*self.raw()).rd_id }
    }

    /// Its owner.
    pub fn owner(&self) -> pg_sys::Oid {
        self.form().relowner
    }

    /// Its schema.
    pub fn schema(&self) -> pg_sys::Oid {
        self.form().relnamespace
    }

    /// The name of its schema, quoted where SQL needs it.
    pub fn quoted_schema(&self) -> String {
        // SAFETY: the schema of an open relation is there; both names are palloc'd.
        unsafe {
            let name = pg_sys::get_namespace_name(self.schema());
            CStr::from_ptr(pg_sys::quote_identifier(name))
                .to_string_lossy()
                .into_owned()
        }
    }

    /// Its name without the schema.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(name_of(&self.form().relname)).into_owned()
    }

    /// Schema and name, quoted where SQL needs it, as bytes.
    pub fn qualified_name(&self) -> Vec<u8> {
        let form = self.form();
        // Recorded, and held against what is recorded: whatever the session wants to have quoted.
        with_plain_names(|| {
            // SAFETY: the relation is open; the names are palloc'd or belong to it.
            unsafe {
                let schema = pg_sys::get_namespace_name(form.relnamespace);
                let name = pg_sys::quote_qualified_identifier(schema, form.relname.data.as_ptr());
                CStr::from_ptr(name).to_bytes().to_vec()
            }
        })
    }

    /// As [`OpenRelation::qualified_name`], for messages.
    pub fn qualified(&self) -> String {
        String::from_utf8_lossy(&self.qualified_name()).into_owned()
    }

    /// `r`, `p`, `v`, … as in pg_class.relkind.
    pub fn kind(&self) -> u8 {
        self.form().relkind as u8
    }

    /// `p`ermanent, `u`nlogged, `t`emporary.
    pub fn persistence(&self) -> u8 {
        self.form().relpersistence as u8
    }

    /// Whether it is a partition of another table.
    pub fn is_partition(&self) -> bool {
        self.form().relispartition
    }

    /// Whether it came with the server: a catalog, or a table of the information schema.
    pub fn is_system(&self) -> bool {
        self.oid().to_u32() < FIRST_NORMAL_OID
    }

    /// Whether it is in this schema.
    pub fn is_in_schema(&self, schema: &CStr) -> bool {
        // SAFETY: a catalog lookup by a NUL-terminated name; invalid if there is none.
        self.form().relnamespace == unsafe { pg_sys::get_namespace_oid(schema.as_ptr(), true) }
    }

    /// Whether it is a heap, which is what is read and written natively.
    pub fn is_heap(&self) -> bool {
        self.kind() == pg_sys::RELKIND_RELATION && self.form().relam == pg_sys::HEAP_TABLE_AM_OID
    }

    /// Whether it is a B-tree on all rows that queries may use.
    pub fn is_usable_btree(&self) -> bool {
        self.index_form()
            .is_some_and(|index| index.indisvalid && self.form().relam == pg_sys::BTREE_AM_OID)
            && !self.is_partial()
    }

    /// How many pages it has.
    pub fn pages(&self) -> u32 {
        // SAFETY: the relation is open.
        unsafe {
            pg_sys::RelationGetNumberOfBlocksInFork(self.raw(), pg_sys::ForkNumber::MAIN_FORKNUM)
        }
    }

    /// Its row of pg_index; `None` if it is no index.
    pub fn index_form(&self) -> Option<&pg_sys::FormData_pg_index> {
        // SAFETY: rd_index of an open relation is null, or its row of pg_index.
        unsafe { (*self.raw()).rd_index.as_ref() }
    }

    /// Its attributes, dropped ones included.
    pub fn attributes(&self) -> Vec<&pg_sys::FormData_pg_attribute> {
        // SAFETY: the descriptor is that of an open relation, which outlives the result.
        unsafe { attributes(self.tuple_desc()) }
    }

    /// Its columns.
    pub fn columns(&self) -> Vec<Column> {
        self.attributes()
            .into_iter()
            .filter(|attribute| !attribute.attisdropped)
            .map(|attribute| Column {
                attnum: attribute.attnum,
                name: String::from_utf8_lossy(name_of(&attribute.attname)).into_owned(),
                not_null: attribute.attnotnull,
            })
            .collect()
    }

    /// The columns of its primary key, deferrable or not, if that is valid.
    pub fn key_of_identity(&self) -> Option<Vec<i16>> {
        self.keys_of(|form| form.indisprimary && form.indisvalid)
            .into_iter()
            .next()
    }

    /// The columns of its primary key.
    pub fn primary_key(&self) -> Option<Vec<i16>> {
        self.unique_keys(true).into_iter().next()
    }

    /// The columns of each unique index on all rows, deferrable or not; or just of the primary key's.
    pub fn unique_keys(&self, primary_only: bool) -> Vec<Vec<i16>> {
        self.keys_of(|form| {
            if primary_only {
                form.indisprimary
            } else {
                form.indisunique && form.indisvalid
            }
        })
    }

    /// What keeps two rows from having one key.
    pub fn uniqueness(&self, key: &[i16]) -> Uniqueness {
        let is_within = |unique: &Vec<i16>| unique.iter().all(|column| key.contains(column));
        let valid = |form: &pg_sys::FormData_pg_index| form.indisunique && form.indisvalid;
        let immediate = self.keys_of(|form| valid(form) && form.indimmediate);
        if immediate.iter().any(is_within) {
            Uniqueness::Always
        } else if self.keys_of(valid).iter().any(is_within) {
            Uniqueness::InTheEnd
        } else {
            Uniqueness::Never
        }
    }

    /// The key columns of those indexes on all rows that are wanted.
    fn keys_of(&self, wanted: impl Fn(&pg_sys::FormData_pg_index) -> bool) -> Vec<Vec<i16>> {
        self.index_oids()
            .into_iter()
            .filter_map(|oid| {
                let index = OpenRelation::index(oid, pg_sys::AccessShareLock);
                let form = index.index_form()?;
                let keys = form.indnkeyatts as usize;
                (wanted(form) && !index.is_partial())
                    .then(|| index_columns(&index).into_iter().take(keys).collect())
            })
            .collect()
    }
}
