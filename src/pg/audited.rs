//! Which tables are audited: `pg_trigger` is the registry, read through the relation's own cache.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::lock::{lock_relation, unlock_relation};
use super::relation::OpenRelation;
use super::{registry, table};
use crate::capture::declaration::{self, Declaration};
use crate::capture::row_spec::kind_of;

unsafe extern "C-unwind" {
    /// catalog/partition.h, which pgrx has no binding of.
    fn get_partition_ancestors(relation: pg_sys::Oid) -> *mut pg_sys::List;
}

/// catalog/pg_language.dat: functions in C.
const C_LANGUAGE: u32 = 13;

/// A row trigger of ours on a table or partition.
pub struct Audited {
    /// The relation that was asked about.
    pub relation: pg_sys::Oid,
    /// Kind of its events.
    pub kind: Vec<u8>,
    /// The trigger's arguments.
    pub declaration: Declaration,
    /// The trigger.
    pub trigger: pg_sys::Oid,
    /// When it fires: `A`lways, `O`rigin, `R`eplica, `D`isabled.
    pub enabled: u8,
}

/// Symbols of the trigger functions, by which they are known wherever the extension lives.
pub mod symbol {
    /// audit_chain_append()
    pub const APPEND: &str = "auditspine_append_trigger";
    /// audit_refuse_change()
    pub const REFUSE: &str = "auditspine_refuse_audited_change";
}

/// One trigger of a relation that audits it. The library's other triggers are none of the audit's.
pub struct OurTrigger {
    /// The trigger.
    pub oid: pg_sys::Oid,
    /// Its name.
    pub name: String,
    /// Its function.
    pub function: pg_sys::Oid,
    /// Symbol of its function.
    pub symbol: String,
    /// Events, timing and level: as in pg_trigger.tgtype.
    pub events: u32,
    /// Whether it fires at every such event at once: no WHEN, no columns, not deferrable.
    pub unconditional: bool,
    /// Whether it fires for each row.
    pub for_row: bool,
    /// Whether it fires on TRUNCATE.
    pub on_truncate: bool,
    /// Whether it fires on every INSERT, UPDATE and DELETE, whatever the row and the columns.
    pub on_every_change: bool,
    /// When it fires: `A`lways, `O`rigin, `R`eplica, `D`isabled.
    pub enabled: u8,
    /// Whether it was cloned from the partitioned table's.
    pub cloned: bool,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// All triggers of an open relation that audit it.
pub fn triggers(relation: &OpenRelation) -> Vec<OurTrigger> {
    // SAFETY: the relation is open; its trigger descriptor, if any, has numtriggers members.
    let all = unsafe {
        let desc = (*relation.raw()).trigdesc;
        if desc.is_null() {
            return Vec::new();
        }
        std::slice::from_raw_parts((*desc).triggers, (*desc).numtriggers.max(0) as usize)
    };
    all.iter()
        .filter_map(|trigger| {
            let symbol = symbol_of(trigger.tgfoid)
                .filter(|symbol| [symbol::APPEND, symbol::REFUSE].contains(&symbol.as_str()))?;
            Some(OurTrigger {
                oid: trigger.tgoid,
                // SAFETY: a NUL-terminated string of the relation's cache.
                name: unsafe { CStr::from_ptr(trigger.tgname) }
                    .to_string_lossy()
                    .into_owned(),
                function: trigger.tgfoid,
                symbol,
                events: trigger.tgtype as u32,
                unconditional: trigger.tgqual.is_null()
                    && trigger.tgnattr == 0
                    && !trigger.tgdeferrable,
                for_row: trigger.tgtype as u32 & pg_sys::TRIGGER_TYPE_ROW != 0,
                on_every_change: {
                    let all = pg_sys::TRIGGER_TYPE_INSERT
                        | pg_sys::TRIGGER_TYPE_UPDATE
                        | pg_sys::TRIGGER_TYPE_DELETE;
                    trigger.tgtype as u32 & all == all
                        && trigger.tgqual.is_null()
                        && trigger.tgnattr == 0
                },
                on_truncate: trigger.tgtype as u32 & pg_sys::TRIGGER_TYPE_TRUNCATE != 0,
                enabled: trigger.tgenabled as u8,
                cloned: trigger.tgisclone,
                arguments: arguments(trigger),
            })
        })
        .collect()
}

/// The row triggers of ours on an open relation, cloned ones on partitions included. An ERROR if a
/// trigger's arguments are not understood.
pub fn of(relation: &OpenRelation) -> Vec<Audited> {
    declared(relation, |arguments| Some(declaration::parse(arguments)))
}

/// As [`of`], but passes over triggers whose arguments are not understood: they record nothing, since every
/// change of their table fails.
pub fn understood(relation: &OpenRelation) -> Vec<Audited> {
    declared(relation, |arguments| declaration::try_parse(arguments).ok())
}

fn declared(
    relation: &OpenRelation,
    parse: impl Fn(&[String]) -> Option<Declaration>,
) -> Vec<Audited> {
    let oid = relation.oid();
    triggers(relation)
        .into_iter()
        .filter(|trigger| trigger.for_row && trigger.symbol == symbol::APPEND)
        .filter_map(|trigger| {
            let declaration = parse(&trigger.arguments)?;
            Some(Audited {
                relation: oid,
                kind: kind_of(relation, &declaration).into_bytes(),
                declaration,
                trigger: trigger.oid,
                enabled: trigger.enabled,
            })
        })
        .collect()
}

/// The partitions of a table that hold rows, or the table itself. The partitions are locked; the table
/// is locked by the caller.
pub fn leaves(root: pg_sys::Oid, lock: u32) -> Vec<pg_sys::Oid> {
    let mut all = members(root, lock);
    if all.len() > 1 || rel_kind(root) == pg_sys::RELKIND_PARTITIONED_TABLE {
        all.retain(|oid| rel_kind(*oid) == pg_sys::RELKIND_RELATION);
    }
    all
}

fn rel_kind(relation: pg_sys::Oid) -> u8 {
    table::kind_of_oid(relation)
}

/// A table and its partitions at every level, a partitioned one ahead of its own; those too that are being
/// detached concurrently, which nobody sees as partitions any more although their rows have not left.
/// The partitions are locked; the table is locked by the caller.
pub fn members(root: pg_sys::Oid, lock: u32) -> Vec<pg_sys::Oid> {
    members_if(root, &mut |child| lock_if_exists(child, lock))
}

/// A table and its partitions at every level, as [`members`], of which those are left out that `take`,
/// which is to lock them, does not take.
pub fn members_if(
    root: pg_sys::Oid,
    take: &mut dyn FnMut(pg_sys::Oid) -> bool,
) -> Vec<pg_sys::Oid> {
    let mut all = vec![root];
    let mut at = 0;
    while let Some(parent) = all.get(at).copied() {
        at += 1;
        // Children by INHERITS are tables of their own: no trigger is cloned to them.
        if rel_kind(parent) == pg_sys::RELKIND_PARTITIONED_TABLE {
            let children = registry::partitions_of(parent);
            all.extend(children.into_iter().filter(|child| take(*child)));
        }
    }
    all
}

/// Whether a partition of these is being detached concurrently, or was left so.
pub fn is_being_detached(partition: pg_sys::Oid) -> bool {
    ancestors(partition).is_empty()
}

fn lock_if_exists(relation: pg_sys::Oid, lock: u32) -> bool {
    lock_relation(relation, lock);
    let exists = table::exists(relation);
    if !exists {
        unlock_relation(relation, lock);
    }
    exists
}

/// The tables that a relation is a partition of, the nearest first.
pub fn ancestors(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    // SAFETY: returns a list of oids.
    unsafe {
        take_oids(pg_sys::ffi::pg_guard_ffi_boundary(|| {
            get_partition_ancestors(relation)
        }))
    }
}

/// # Safety
/// `list` is null or a valid list of oids that nobody else uses.
unsafe fn take_oids(list: *mut pg_sys::List) -> Vec<pg_sys::Oid> {
    // SAFETY: the caller's.
    unsafe {
        let count = if list.is_null() { 0 } else { (*list).length };
        let all = (0..count)
            .map(|at| (*(*list).elements.add(at as usize)).oid_value)
            .collect();
        pg_sys::list_free(list);
        all
    }
}

/// The partitioned table that a table belongs to, or itself.
pub fn root_of_any(table: pg_sys::Oid) -> pg_sys::Oid {
    if table::is_partition(table) {
        root_of(table)
    } else {
        table
    }
}

/// The partitioned table that a partition belongs to.
pub fn root_of(partition: pg_sys::Oid) -> pg_sys::Oid {
    table::root_of_partition(partition).unwrap_or(partition)
}

fn arguments(trigger: &pg_sys::Trigger) -> Vec<String> {
    (0..trigger.tgnargs.max(0) as usize)
        .map(|at| {
            // SAFETY: tgargs has tgnargs NUL-terminated strings.
            let argument = unsafe { CStr::from_ptr(*trigger.tgargs.add(at)) };
            argument.to_string_lossy().into_owned()
        })
        .collect()
}

/// Whether a function is one that the extension made.
pub fn is_of_extension(function: pg_sys::Oid) -> bool {
    // SAFETY: looks up catalogs by oid and by a NUL-terminated name.
    unsafe {
        let extension = pg_sys::getExtensionOfObject(pg_sys::ProcedureRelationId, function);
        extension != pg_sys::InvalidOid
            && extension == pg_sys::get_extension_oid(c"auditspine".as_ptr(), true)
    }
}

/// The symbol of a function of this library; `None` for any other function.
pub fn symbol_of(function: pg_sys::Oid) -> Option<String> {
    // SAFETY: looks up a function; the strings are palloc'd copies.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::PROCOID as i32,
            pg_sys::Datum::from(function),
        );
        if tuple.is_null() {
            return None;
        }
        let text = |attribute: u32| {
            let mut null = false;
            let datum = pg_sys::SysCacheGetAttr(
                pg_sys::SysCacheIdentifier::PROCOID as i32,
                tuple,
                attribute as pg_sys::AttrNumber,
                &mut null,
            );
            (!null).then(|| {
                String::from_utf8_lossy(&super::index_lookup::bytes_of(datum)).into_owned()
            })
        };
        let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>();
        let native = (*form).prolang == pg_sys::Oid::from(C_LANGUAGE);
        let symbol = text(pg_sys::Anum_pg_proc_prosrc)
            .filter(|symbol| native && symbol.starts_with("auditspine_"));
        pg_sys::ReleaseSysCache(tuple);
        symbol
    }
}
