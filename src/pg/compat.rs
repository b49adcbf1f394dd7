//! What differs between PostgreSQL's major versions, in one place.
//!
//! Conditions name the versions that are older (`pg14` up to the last one without a feature), so what they
//! do not name counts as newer: the next major either works or does not compile, and nothing is switched off.

use pgrx::pg_sys;

/// Whether a column may be declared NOT NULL and yet hold nulls: from 18 on such a constraint can be NOT VALID.
pub const NOT_NULL_MAY_BE_INVALID: bool = cfg!(not(any(
    feature = "pg14",
    feature = "pg15",
    feature = "pg16",
    feature = "pg17"
)));

/// ALTER COLUMN … SET EXPRESSION; none up to 16.
#[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16"))]
pub const SET_EXPRESSION: Option<pg_sys::AlterTableType::Type> = None;
/// ALTER COLUMN … SET EXPRESSION; none up to 16.
#[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
pub const SET_EXPRESSION: Option<pg_sys::AlterTableType::Type> =
    Some(pg_sys::AlterTableType::AT_SetExpression);

/// The kinds of ALTER TABLE commands up to 15 that a DROP COLUMN, ADD COLUMN or DROP CONSTRAINT becomes for
/// partitions; none from 16 on.
pub mod recursing {
    use pgrx::pg_sys::AlterTableType::Type;

    /// ADD COLUMN.
    pub const ADD_COLUMN: Option<Type> = kind_of(0);
    /// DROP COLUMN.
    pub const DROP_COLUMN: Option<Type> = kind_of(1);
    /// DROP CONSTRAINT.
    pub const DROP_CONSTRAINT: Option<Type> = kind_of(2);

    #[cfg(any(feature = "pg14", feature = "pg15"))]
    const fn kind_of(which: usize) -> Option<Type> {
        use pgrx::pg_sys::AlterTableType::*;
        Some(
            [
                AT_AddColumnRecurse,
                AT_DropColumnRecurse,
                AT_DropConstraintRecurse,
            ][which],
        )
    }

    #[cfg(not(any(feature = "pg14", feature = "pg15")))]
    const fn kind_of(_which: usize) -> Option<Type> {
        None
    }
}

/// Where a relation's file is: relfilenode up to 15, locator from 16 on.
#[cfg(any(feature = "pg14", feature = "pg15"))]
pub type FileId = pg_sys::RelFileNode;
/// Where a relation's file is: relfilenode up to 15, locator from 16 on.
#[cfg(not(any(feature = "pg14", feature = "pg15")))]
pub type FileId = pg_sys::RelFileLocator;

/// The file of a relation.
///
/// # Safety
/// The relation is open.
pub unsafe fn file_of(relation: pg_sys::Relation) -> FileId {
    // SAFETY: the caller's.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let file = (*relation).rd_node;
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let file = (*relation).rd_locator;
        file
    }
}

/// The attribute at an index from 0 of a descriptor.
///
/// # Safety
/// The descriptor is valid and has it; it outlives the result.
pub unsafe fn attribute<'a>(
    desc: pg_sys::TupleDesc,
    index: usize,
) -> &'a pg_sys::FormData_pg_attribute {
    // SAFETY: the caller's.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17"))]
        let attribute = (*desc).attrs.as_ptr().add(index);
        #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")))]
        let attribute = pg_sys::TupleDescAttr(desc, index as i32).cast_const();
        &*attribute
    }
}

/// The number of a relation's file within its tablespace and database.
pub fn number_of(file: &FileId) -> u32 {
    #[cfg(any(feature = "pg14", feature = "pg15"))]
    let number: pg_sys::Oid = file.relNode;
    #[cfg(not(any(feature = "pg14", feature = "pg15")))]
    let number: pg_sys::Oid = file.relNumber;
    number.to_u32()
}

/// Numbers of a file: of its tablespace, its database, and itself.
pub fn numbers_of(file: &FileId) -> [u32; 3] {
    #[cfg(any(feature = "pg14", feature = "pg15"))]
    let (tablespace, database) = (file.spcNode, file.dbNode);
    #[cfg(not(any(feature = "pg14", feature = "pg15")))]
    let (tablespace, database) = (file.spcOid, file.dbOid);
    [tablespace.to_u32(), database.to_u32(), number_of(file)]
}

/// Whether a block-range index keeps nothing from one insert to the next; from 17 on it keeps pins.
pub const BRIN_KEEPS_NOTHING: bool =
    cfg!(any(feature = "pg14", feature = "pg15", feature = "pg16"));

/// Begins an index scan of a table with so many conditions.
///
/// # Safety
/// Both are open and belong together; the snapshot outlives the scan.
pub unsafe fn index_beginscan(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    conditions: i32,
) -> pg_sys::IndexScanDesc {
    // SAFETY: the caller's.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17"))]
        let scan = pg_sys::index_beginscan(table, index, snapshot, conditions, 0);
        #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")))]
        let scan =
            pg_sys::index_beginscan(table, index, snapshot, std::ptr::null_mut(), conditions, 0);
        scan
    }
}

/// Lets an index end what it began for a series of inserts; nothing to do up to 16.
///
/// # Safety
/// The index is open, and the information is its own.
#[cfg_attr(
    any(feature = "pg14", feature = "pg15", feature = "pg16"),
    allow(unused_variables)
)]
pub unsafe fn index_insert_cleanup(index: pg_sys::Relation, info: *mut pg_sys::IndexInfo) {
    #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
    // SAFETY: the caller's.
    unsafe {
        pg_sys::index_insert_cleanup(index, info);
    }
}

/// Whether the current user owns a relation, or may act as its owner.
pub fn owns_relation(oid: pg_sys::Oid) -> bool {
    // SAFETY: a lookup in the catalogs for a relation that is there.
    unsafe {
        let user = pg_sys::GetUserId();
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let owns = pg_sys::pg_class_ownercheck(oid, user);
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let owns = pg_sys::object_ownercheck(pg_sys::RelationRelationId, oid, user);
        owns
    }
}

/// Whether the current user owns an extension, or may act as its owner.
pub fn owns_extension(oid: pg_sys::Oid) -> bool {
    // SAFETY: a lookup in the catalogs for an extension that is there.
    unsafe {
        let user = pg_sys::GetUserId();
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let owns = pg_sys::pg_extension_ownercheck(oid, user);
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let owns = pg_sys::object_ownercheck(pg_sys::ExtensionRelationId, oid, user);
        owns
    }
}

/// Makes a misspelt setting with this prefix an error, as far as PostgreSQL can tell.
pub fn reserve_settings(prefix: &'static std::ffi::CStr) {
    // SAFETY: a static, NUL-terminated prefix.
    unsafe {
        #[cfg(feature = "pg14")]
        pg_sys::EmitWarningsOnPlaceholders(prefix.as_ptr());
        #[cfg(not(feature = "pg14"))]
        pg_sys::MarkGUCPrefixReserved(prefix.as_ptr());
    }
}
