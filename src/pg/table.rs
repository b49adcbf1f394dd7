//! What a table is: the facts that say whether and how it can be audited.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::layouts::qualified_name;
use super::relation::{OpenRelation, index_columns, name_of};
use super::row::attributes;

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

/// Raises 42501 unless the caller owns the relation. For before it is locked.
pub fn expect_owner(oid: pg_sys::Oid) {
    // SAFETY: lookups in system caches by oid; the name is palloc'd, or null if the relation is gone.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let owns = pg_sys::pg_class_ownercheck(oid, pg_sys::GetUserId());
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let owns = pg_sys::object_ownercheck(pg_sys::RelationRelationId, oid, pg_sys::GetUserId());
        if !owns {
            pg_sys::aclcheck_error(
                pg_sys::AclResult::ACLCHECK_NOT_OWNER,
                pg_sys::ObjectType::OBJECT_TABLE,
                pg_sys::get_rel_name(oid),
            );
        }
    }
}

impl OpenRelation {
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

    /// Its name without the schema.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(name_of(&self.form().relname)).into_owned()
    }

    /// Schema and name, quoted where SQL needs it.
    pub fn qualified(&self) -> String {
        // SAFETY: the relation is open.
        let name = unsafe { qualified_name(self.raw()) };
        String::from_utf8_lossy(&name).into_owned()
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

    /// Its columns.
    pub fn columns(&self) -> Vec<Column> {
        // SAFETY: the descriptor is that of an open relation.
        unsafe { attributes(self.tuple_desc()) }
            .into_iter()
            .filter(|attribute| !attribute.attisdropped)
            .map(|attribute| Column {
                attnum: attribute.attnum,
                name: String::from_utf8_lossy(name_of(&attribute.attname)).into_owned(),
                not_null: attribute.attnotnull,
            })
            .collect()
    }

    /// The columns of its primary key.
    pub fn primary_key(&self) -> Option<Vec<i16>> {
        self.unique_keys(true).into_iter().next()
    }

    /// The columns of each unique index that holds at any time, for all rows; or just of the primary
    /// key's.
    pub fn unique_keys(&self, primary_only: bool) -> Vec<Vec<i16>> {
        self.index_oids()
            .into_iter()
            .filter_map(|oid| {
                let index = OpenRelation::index(oid, pg_sys::AccessShareLock);
                // SAFETY: rd_index of an open index is set.
                let form = unsafe { &*(*index.raw()).rd_index };
                let partial = index.is_partial();
                let wanted = if primary_only {
                    form.indisprimary
                } else {
                    form.indisunique && form.indisvalid && form.indimmediate && !partial
                };
                let keys = form.indnkeyatts as usize;
                wanted.then(|| index_columns(&index).into_iter().take(keys).collect())
            })
            .collect()
    }
}
