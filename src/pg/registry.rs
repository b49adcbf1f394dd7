//! The triggers that call a function, in the whole database, found by what depends on it, and the partitions
//! of tables. Read from the catalogs as they are now, whatever the transaction's snapshot.

use pgrx::pg_sys;

use super::arena::DatumArena;
use super::index_lookup::bytes_of;
use super::relation::OpenRelation;

/// catalog/pg_depend.h, which pgrx has nothing of: the catalog, its index on what is depended upon, and
/// its columns.
mod depend {
    pub const RELATION: u32 = 2608;
    pub const REFERENCE_INDEX: u32 = 2674;
    pub const CLASSID: i32 = 1;
    pub const OBJID: i32 = 2;
    pub const REFCLASSID: u32 = 4;
    pub const REFOBJID: u32 = 5;
}

/// catalog/pg_inherits.h, the same.
mod inherits {
    pub const RELATION: u32 = 2611;
    pub const PARENT_INDEX: u32 = 2187;
    pub const CHILD_INDEX: u32 = 2680;
    pub const INHRELID: u32 = 1;
    pub const INHPARENT: u32 = 2;
}

/// The index of pg_trigger on tgrelid and tgname.
const TRIGGERS_BY_TABLE: u32 = 2701;

/// A trigger on a table, not one cloned to a partition.
pub struct Registered {
    /// The table.
    pub relation: pg_sys::Oid,
    /// Its function.
    pub function: pg_sys::Oid,
    /// Whether it fires for each row.
    pub for_row: bool,
    /// The trigger's arguments.
    pub arguments: Vec<String>,
}

/// The triggers that call a function.
pub fn triggers_of(function: pg_sys::Oid) -> Vec<Registered> {
    let lock = pg_sys::AccessShareLock;
    let catalog = OpenRelation::table(pg_sys::Oid::from(depend::RELATION), lock).briefly(lock);
    let conditions = [
        (
            depend::REFCLASSID,
            pg_sys::Datum::from(pg_sys::ProcedureRelationId),
        ),
        (depend::REFOBJID, pg_sys::Datum::from(function)),
    ];
    let mut triggers = Vec::new();
    scan(&catalog, depend::REFERENCE_INDEX, &conditions, |tuple| {
        // SAFETY: a tuple of pg_depend, whose columns here are oids.
        let column = |attnum| unsafe { oid_of(&catalog, tuple, attnum) };
        if column(depend::CLASSID) == pg_sys::TriggerRelationId {
            triggers.push(column(depend::OBJID));
        }
    });
    let table = OpenRelation::table(pg_sys::TriggerRelationId, lock).briefly(lock);
    let mut found = Vec::new();
    for trigger in triggers {
        let by_oid = [(pg_sys::Anum_pg_trigger_oid, pg_sys::Datum::from(trigger))];
        scan(&table, pg_sys::TriggerOidIndexId, &by_oid, |tuple| {
            found.extend(read(&table, tuple));
        });
    }
    found
}

/// The triggers on a table, which is not opened, locked or waited for.
pub fn triggers_on(relation: pg_sys::Oid) -> Vec<Registered> {
    let lock = pg_sys::AccessShareLock;
    let catalog = OpenRelation::table(pg_sys::TriggerRelationId, lock).briefly(lock);
    let by_table = [(
        pg_sys::Anum_pg_trigger_tgrelid,
        pg_sys::Datum::from(relation),
    )];
    let mut found = Vec::new();
    scan(&catalog, TRIGGERS_BY_TABLE, &by_table, |tuple| {
        found.extend(read(&catalog, tuple));
    });
    found
}

/// The partitions of a partitioned table, not theirs, or the tables that inherit from a table, in the order of
/// their oids; those too that are being detached concurrently.
pub fn partitions_of(table: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut partitions = inheriting(
        inherits::PARENT_INDEX,
        (inherits::INHPARENT, table),
        inherits::INHRELID,
    );
    partitions.sort_unstable_by_key(|oid| oid.to_u32());
    partitions
}

/// The tables that a relation is a partition of, or inherits from, not theirs.
pub fn parents_of(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    inheriting(
        inherits::CHILD_INDEX,
        (inherits::INHRELID, relation),
        inherits::INHPARENT,
    )
}

/// The table that a relation is a partition of, also of one that is being detached concurrently.
pub fn parent_of(partition: pg_sys::Oid) -> Option<pg_sys::Oid> {
    parents_of(partition).first().copied()
}

/// A table and all that inherits from it at any depth, partitions and others.
pub fn inheritors(table: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut all = vec![table];
    let mut at = 0;
    while let Some(parent) = all.get(at).copied() {
        at += 1;
        for child in partitions_of(parent) {
            // By two ways perhaps.
            if !all.contains(&child) {
                all.push(child);
            }
        }
    }
    all
}

/// One column of pg_inherits where another one is an oid.
fn inheriting(index: u32, by: (u32, pg_sys::Oid), column: u32) -> Vec<pg_sys::Oid> {
    let lock = pg_sys::AccessShareLock;
    let catalog = OpenRelation::table(pg_sys::Oid::from(inherits::RELATION), lock).briefly(lock);
    let mut found = Vec::new();
    scan(
        &catalog,
        index,
        &[(by.0, pg_sys::Datum::from(by.1))],
        |tuple| {
            // SAFETY: a tuple of pg_inherits, and a column that is an oid.
            found.push(unsafe { oid_of(&catalog, tuple, column as i32) });
        },
    );
    found
}

/// # Safety
/// `tuple` is one of the catalog, in which the column is an oid and never null.
unsafe fn oid_of(catalog: &OpenRelation, tuple: pg_sys::HeapTuple, attnum: i32) -> pg_sys::Oid {
    let mut null = false;
    // SAFETY: the caller's.
    let datum = unsafe { pg_sys::heap_getattr(tuple, attnum, catalog.tuple_desc(), &mut null) };
    pg_sys::Oid::from(datum.value() as u32)
}

fn read(table: &OpenRelation, tuple: pg_sys::HeapTuple) -> Option<Registered> {
    // SAFETY: a tuple of pg_trigger; what comes before tgattr is of fixed size, and tgargs is bytea.
    unsafe {
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_trigger>();
        if form.tgparentid != pg_sys::InvalidOid {
            return None;
        }
        let mut null = false;
        let arguments = pg_sys::heap_getattr(
            tuple,
            pg_sys::Anum_pg_trigger_tgargs as i32,
            table.tuple_desc(),
            &mut null,
        );
        let arguments = if null {
            Vec::new()
        } else {
            bytes_of(arguments)
        };
        Some(Registered {
            relation: form.tgrelid,
            function: form.tgfoid,
            for_row: form.tgtype as u32 & pg_sys::TRIGGER_TYPE_ROW != 0,
            arguments: split_arguments(&arguments),
        })
    }
}

/// Gives a trigger other arguments, in place: its table is locked as for a change of its columns, and
/// everybody looks at the trigger anew. No argument holds a NUL.
pub fn set_arguments(trigger: pg_sys::Oid, arguments: &[String]) {
    let catalog = OpenRelation::table(pg_sys::TriggerRelationId, pg_sys::RowExclusiveLock);
    let mut text: Vec<u8> = Vec::new();
    for argument in arguments {
        text.extend_from_slice(argument.as_bytes());
        text.push(0);
    }
    let mut arena = DatumArena::default();
    let text = arena.varlena(&text);
    const COLUMNS: usize = pg_sys::Natts_pg_trigger as usize;
    let by_oid = [(pg_sys::Anum_pg_trigger_oid, pg_sys::Datum::from(trigger))];
    scan(&catalog, pg_sys::TriggerOidIndexId, &by_oid, |tuple| {
        let mut values = [pg_sys::Datum::null(); COLUMNS];
        let mut nulls = [false; COLUMNS];
        let mut replaced = [false; COLUMNS];
        let count = pg_sys::Anum_pg_trigger_tgnargs as usize - 1;
        let args = pg_sys::Anum_pg_trigger_tgargs as usize - 1;
        values[count] = pg_sys::Datum::from(arguments.len() as i16);
        values[args] = text;
        (replaced[count], replaced[args]) = (true, true);
        // SAFETY: a tuple of pg_trigger and arrays of its width; the new tuple replaces it, in the
        // catalog and its indexes, and the table's cache is told.
        unsafe {
            let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_trigger>();
            let table = form.tgrelid;
            let changed = pg_sys::heap_modify_tuple(
                tuple,
                catalog.tuple_desc(),
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
                replaced.as_mut_ptr(),
            );
            pg_sys::CatalogTupleUpdate(catalog.raw(), &mut (*tuple).t_self, changed);
            pg_sys::CacheInvalidateRelcacheByRelid(table);
        }
    });
    // SAFETY: makes the change visible to what follows in this transaction.
    unsafe { pg_sys::CommandCounterIncrement() };
}

/// The arguments in pg_trigger.tgargs, each of which ends with a NUL.
pub fn split_arguments(bytes: &[u8]) -> Vec<String> {
    let mut arguments: Vec<String> = bytes
        .split(|byte| *byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect();
    arguments.pop();
    arguments
}

/// Calls `show` with each tuple of a catalog that has these oids in these columns.
fn scan(
    catalog: &OpenRelation,
    index: impl Into<pg_sys::Oid>,
    conditions: &[(u32, pg_sys::Datum)],
    show: impl FnMut(pg_sys::HeapTuple),
) {
    // SAFETY: without a snapshot it is the latest one.
    unsafe { scan_under(std::ptr::null_mut(), catalog, index, conditions, show) }
}

/// The same as a snapshot shows them.
///
/// # Safety
/// `snapshot` is null, or registered while the scan runs.
pub unsafe fn scan_under(
    snapshot: pg_sys::Snapshot,
    catalog: &OpenRelation,
    index: impl Into<pg_sys::Oid>,
    conditions: &[(u32, pg_sys::Datum)],
    mut show: impl FnMut(pg_sys::HeapTuple),
) {
    let index = index.into();
    // SAFETY: the catalog is open; each condition's column is of type oid; a tuple is valid until the
    // next is fetched; the scan is ended here, or by the resource owner on an ERROR.
    unsafe {
        let mut keys: [pg_sys::ScanKeyData; 2] = std::mem::zeroed();
        for (key, (column, value)) in keys.iter_mut().zip(conditions) {
            pg_sys::ScanKeyInit(
                key,
                *column as pg_sys::AttrNumber,
                pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
                pg_sys::Oid::from(pg_sys::F_OIDEQ),
                *value,
            );
        }
        let scan = pg_sys::systable_beginscan(
            catalog.raw(),
            index,
            true,
            snapshot,
            conditions.len() as i32,
            keys.as_mut_ptr(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            show(tuple);
        }
        pg_sys::systable_endscan(scan);
    }
}
