//! Which tables are audited: `pg_trigger` is the registry, read through the relation's own cache.

use pgrx::pg_sys;

use crate::capture::declaration::{self, Declaration};
use crate::capture::row_spec::kind_of;
use crate::pg::lock::{lock_relation, unlock_relation};
use crate::pg::relation::OpenRelation;
use crate::pg::table::ancestors;
use crate::pg::trigger::c_symbol;
use crate::pg::{extension, registry, table};

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
    const EVERY_CHANGE: u32 =
        pg_sys::TRIGGER_TYPE_INSERT | pg_sys::TRIGGER_TYPE_UPDATE | pg_sys::TRIGGER_TYPE_DELETE;
    let all = relation.triggers().into_iter();
    all.filter_map(|trigger| {
        let symbol = c_symbol(trigger.function)
            .filter(|symbol| [symbol::APPEND, symbol::REFUSE].contains(&symbol.as_str()))?;
        Some(OurTrigger {
            oid: trigger.oid,
            name: trigger.name,
            function: trigger.function,
            symbol,
            events: trigger.events,
            unconditional: trigger.whatever_row && !trigger.deferrable,
            for_row: trigger.events & pg_sys::TRIGGER_TYPE_ROW != 0,
            on_truncate: trigger.events & pg_sys::TRIGGER_TYPE_TRUNCATE != 0,
            on_every_change: trigger.events & EVERY_CHANGE == EVERY_CHANGE && trigger.whatever_row,
            enabled: trigger.enabled,
            cloned: trigger.cloned,
            arguments: trigger.arguments,
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

/// The kinds that row triggers of ours made on a table, and not cloned to it, record changes under; the table is not
/// opened, locked or waited for.
pub fn kinds_on(relation: pg_sys::Oid) -> Vec<String> {
    registry::triggers_on(relation)
        .into_iter()
        .filter(|trigger| {
            trigger.for_row && c_symbol(trigger.function).as_deref() == Some(symbol::APPEND)
        })
        .filter_map(|trigger| {
            let declaration = declaration::try_parse(&trigger.arguments).ok()?;
            declaration
                .kind
                .or_else(|| table::name_of_oid(root_of_any(relation)))
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

/// Whether a function is one that the extension made.
pub fn is_of_extension(function: pg_sys::Oid) -> bool {
    extension::has(c"auditspine", pg_sys::ProcedureRelationId, function)
}
