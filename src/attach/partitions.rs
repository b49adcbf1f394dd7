//! Partitions of audited tables come and go, and columns change: what the event trigger
//! `auditspine_ddl` does at the end of a command. It acts for the extension's owner, since whoever may
//! make partitions need not have any right to the audit's functions.

use pgrx::pg_sys;

use super::ddl::{self, Policy, Role};
use super::dropped::Dropped;
use super::heirs::reach_heirs;
use super::{entries, target};
use crate::capture::audited::{self, Audited, OurTrigger, leaves, members, symbol};
use crate::capture::declaration::{ChainOf, Declaration};
use crate::capture::existing_rows;
use crate::capture::layouts;
use crate::capture::row_spec::Spec;
use crate::capture::upon::Upon;
use crate::error::Failure;
use crate::ledger::catalog::verbs_schema;
use crate::ledger::dropped_partitions::{self, DroppedPartition};
use crate::ledger::owner::as_owner;
use crate::pg::columns_before::Beginning;
use crate::pg::ddl::{ColumnChange, ColumnValues, Command, Touched};
use crate::pg::relation::OpenRelation;
use crate::pg::row_json::with_plain_names;
use crate::pg::table::ancestors;
use crate::pg::{registry, session, table};

/// Partitions are locked by the command already, as strongly as it needs.
const LOCK: u32 = pg_sys::AccessShareLock;

/// Does what a command calls for.
pub fn follow(command: &Command) {
    if !command.may_matter() {
        return;
    }
    let beginning = Beginning::of_this_command();
    // Here, where names mean what they mean to the command.
    let mut touched = command.touched();
    reach_heirs(&mut touched);
    keep_audited(&mut touched);
    if !touched.is_empty() {
        as_owner(|| with_plain_names(|| follow_each(touched, beginning)));
    }
}

/// Does what a command calls for that has dropped something, be it by CASCADE: columns are gone that triggers name,
/// and partitions with their rows.
pub fn follow_dropped(command: &Command) {
    let beginning = Beginning::of_this_command();
    let mut dropped = Dropped::by_this_command();
    if command.may_matter() {
        // New columns and keys are seen to when it ends.
        dropped.altered.clear();
    }
    let partitions: Vec<(DroppedPartition, Vec<String>)> =
        dropped_partitions::take(&dropped.relations)
            .into_iter()
            .map(|partition| {
                // Of a table that is gone as well nothing is told: that it is, is for verification to tell.
                let above = &partition.ancestors;
                let kinds = above.iter().flat_map(|above| audited::kinds_on(*above));
                let kinds = kinds.collect();
                (partition, kinds)
            })
            .filter(|(_, kinds): &(_, Vec<String>)| !kinds.is_empty())
            .collect();
    dropped.columns.retain(|change| is_audited(change.relation));
    dropped.altered.retain(|relation| is_audited(*relation));
    if partitions.is_empty() && dropped.columns.is_empty() && dropped.altered.is_empty() {
        return;
    }
    as_owner(|| {
        with_plain_names(|| {
            for (partition, mut kinds) in partitions {
                let ids = layouts::of_relation(partition.relation);
                kinds.sort_unstable();
                kinds.dedup();
                for kind in kinds {
                    entries::partition_dropped(&partition.name, &kind, &ids);
                }
            }
            let altered_too = dropped.altered.iter().copied();
            let lost = dropped.columns.iter().map(|change| change.relation);
            were_before(lost.chain(altered_too), beginning);
            for change in &dropped.columns {
                column_changed(change);
            }
            for relation in dropped.altered {
                altered(relation, &[]);
            }
        });
    });
}

/// Whether a table, which a command has locked, has a row trigger of ours.
fn is_audited(relation: pg_sys::Oid) -> bool {
    let kinds = [
        pg_sys::RELKIND_RELATION,
        pg_sys::RELKIND_PARTITIONED_TABLE,
        pg_sys::RELKIND_FOREIGN_TABLE,
    ];
    kinds.contains(&table::kind_of_oid(relation))
        && audited::triggers(&OpenRelation::table(relation, LOCK))
            .iter()
            .any(records)
}

/// Leaves out what concerns no audited table, so that the state of the audit is none of its business.
fn keep_audited(touched: &mut Touched) {
    let comes = |relation: &pg_sys::Oid| table::exists(*relation) && source(*relation).is_some();
    touched.created.retain(comes);
    touched.attached.retain(comes);
    // What is a partition again, or still, is not what the command detached.
    touched.detached.retain(|(relation, parent)| {
        is_audited(*parent) && table::exists(*relation) && ancestors(*relation).is_empty()
    });
    touched.altered.retain(|relation| is_audited(*relation));
    touched.columns.retain(|change| is_audited(change.relation));
    touched.values.retain(|values| is_audited(values.relation));
    touched.unlogged.retain(|relation| is_audited(*relation));
    touched
        .inheriting
        .retain(|relation| !audited_parents(*relation).is_empty());
}

/// The audited tables that a table inherits from, at any depth.
fn audited_parents(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut above = registry::parents_of(relation);
    let mut at = 0;
    while let Some(table) = above.get(at).copied() {
        at += 1;
        above.extend(registry::parents_of(table));
    }
    above.sort_unstable_by_key(|oid| oid.to_u32());
    above.dedup();
    above.retain(|table| !audited::kinds_on(*table).is_empty());
    above
}

fn follow_each(touched: Touched, beginning: Option<Beginning>) {
    were_before(touched.altered.iter().copied(), beginning);
    for relation in touched.created {
        came(relation, false);
    }
    for relation in touched.attached {
        came(relation, true);
    }
    for (relation, parent) in touched.detached {
        left(relation, parent);
    }
    for change in touched.columns {
        column_changed(&change);
    }
    for relation in touched.altered {
        let of_it = |values: &&ColumnValues| values.relation == relation;
        altered(
            relation,
            &touched.values.iter().filter(of_it).collect::<Vec<_>>(),
        );
    }
    for relation in touched.inheriting {
        for parent in audited_parents(relation) {
            ddl::warn_of_children(parent, &registry::inheritors(relation));
        }
    }
    for relation in touched.unlogged {
        let table = OpenRelation::table(relation, LOCK);
        if is_managed(&audited::triggers(&table)) {
            Failure::UnsupportedTable.raise(
                format!(
                    "table {} is audited and cannot become unlogged: a crash would empty it, unrecorded",
                    table.qualified()
                ),
                "end its audit first: SELECT audit_detach('…')",
            );
        }
    }
}

/// Whether triggers are those of audit_attach(), which promises more than ones written by hand.
fn is_managed(triggers: &[OurTrigger]) -> bool {
    triggers
        .iter()
        .any(|trigger| trigger.name == Role::Audit.name())
}

/// A table became a partition, empty or with rows.
fn came(relation: pg_sys::Oid, with_rows: bool) {
    let Some(source) = source(relation) else {
        return;
    };
    let members = members(relation, LOCK);
    if is_managed(&source) {
        for member in &members {
            target::check_partition(&OpenRelation::table(*member, LOCK));
        }
    }
    let state = ddl::state(&members);
    let verbs = verbs_schema();
    for member in &state {
        member.add_missing(&source, &verbs);
    }
    if source
        .iter()
        .any(|trigger| trigger.for_row && trigger.enabled == b'A')
    {
        ddl::enable_clones(&state);
    }
    let name = ddl::qualified(relation);
    let mut warned = false;
    let mut rows: Vec<(Vec<u8>, u64)> = Vec::new();
    for leaf in leaves(relation, LOCK) {
        let leaf = OpenRelation::table(leaf, LOCK);
        for audited in audited::of(&leaf) {
            if !with_rows {
                let missing = note_layout(&leaf, &audited.declaration, &[]);
                warn_once(missing, &name, &mut warned);
            } else {
                let spec = Spec::resolve(&leaf, &audited.declaration);
                spec.layout_id();
                let (recorded, _) = existing_rows::record_rows(&leaf, &spec, |_, _| Some(b'I'));
                match rows.iter_mut().find(|(kind, _)| *kind == audited.kind) {
                    Some((_, count)) => *count += recorded,
                    None => rows.push((audited.kind, recorded)),
                }
            }
        }
    }
    for (kind, count) in rows {
        entries::partition_attached(&name, &String::from_utf8_lossy(&kind), count);
    }
}

/// The triggers of ours on the audited table that a partition belongs to; `None` if it is not audited.
fn source(partition: pg_sys::Oid) -> Option<Vec<OurTrigger>> {
    ancestors(partition)
        .into_iter()
        .map(|ancestor| audited::triggers(&OpenRelation::table(ancestor, LOCK)))
        .find(|triggers| {
            triggers
                .iter()
                .any(|trigger| records(trigger) && !trigger.cloned)
        })
}

fn records(trigger: &OurTrigger) -> bool {
    trigger.for_row && trigger.symbol == symbol::APPEND
}

/// A table is a partition of `parent` no more. Row triggers that were cloned to it are gone.
fn left(relation: pg_sys::Oid, parent: pg_sys::Oid) {
    let above = OpenRelation::table(parent, LOCK);
    let kinds: Vec<Vec<u8>> = kinds(&audited::of(&above));
    let triggers = audited::triggers(&above);
    drop(above);
    let name = ddl::qualified(relation);
    let mut ids: Vec<i32> = leaves(relation, LOCK)
        .into_iter()
        .flat_map(layouts::of_relation)
        .collect();
    ids.sort_unstable();
    for kind in kinds {
        entries::partition_detached(&name, &String::from_utf8_lossy(&kind), &ids);
    }
    for member in ddl::state(&members(relation, LOCK)) {
        member.drop_of(&triggers);
    }
}

fn kinds(audited: &[Audited]) -> Vec<Vec<u8>> {
    let mut kinds: Vec<Vec<u8>> = audited.iter().map(|audited| audited.kind.clone()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Has the triggers' arguments follow a column that was renamed, or dropped. Where `audit_attach()` made
/// them, what it recorded is recorded anew.
fn column_changed(change: &ColumnChange) {
    let mut policy = None;
    // What was dropped is told of each partition.
    let members = match change.new {
        Some(_) => members(change.relation, LOCK),
        None => vec![change.relation],
    };
    for member in members {
        let table = OpenRelation::table(member, LOCK);
        let triggers = audited::triggers(&table);
        let append_only = triggers
            .iter()
            .any(|trigger| trigger.for_row && trigger.symbol == symbol::REFUSE);
        drop(table);
        for trigger in triggers {
            let after = (trigger.symbol == symbol::APPEND)
                .then(|| crate::capture::declaration::try_parse(&trigger.arguments).ok())
                .flatten()
                .and_then(|before| before.after_change(&change.old, change.new.as_deref()));
            let Some(declaration) = after else { continue };
            registry::set_arguments(trigger.oid, &declaration.arguments());
            if !trigger.cloned && trigger.name == Role::Audit.name() {
                policy = Some(Policy {
                    declaration,
                    append_only,
                });
            }
        }
    }
    if let Some(policy) = policy {
        let table = OpenRelation::table(change.relation, LOCK);
        if missing(&table, &policy.declaration).is_none() {
            let key = Spec::resolve(&table, &policy.declaration)
                .key_names()
                .to_vec();
            entries::attached(&table.qualified(), &policy, &key);
        }
    }
}

/// Columns of a table changed, and of its partitions with it: their values in rows that are there did so, too.
fn altered(relation: pg_sys::Oid, values: &[&ColumnValues]) {
    let name = ddl::qualified(relation);
    let mut warned = false;
    for leaf in leaves(relation, LOCK) {
        let leaf = OpenRelation::table(leaf, LOCK);
        for audited in audited::of(&leaf) {
            let missing = note_layout(&leaf, &audited.declaration, values);
            warn_once(missing, &name, &mut warned);
        }
    }
}

/// Records the layouts that tables had when the running command began, where they are not those recorded last. To be
/// called while triggers name the columns as they were called then.
fn were_before(relations: impl Iterator<Item = pg_sys::Oid>, beginning: Option<Beginning>) {
    let Some(beginning) = beginning.filter(|_| !session::is_restoring()) else {
        return;
    };
    for leaf in relations.flat_map(|relation| leaves(relation, LOCK)) {
        let leaf = OpenRelation::table(leaf, LOCK);
        for audited in audited::of(&leaf) {
            Spec::note_layout_before(&leaf, &audited.declaration, beginning);
        }
    }
}

/// Records the layout of a table's rows, so that the first writers find it. Answers what the table lacks
/// that its declaration names.
fn note_layout(
    table: &OpenRelation,
    declaration: &Declaration,
    values: &[&ColumnValues],
) -> Option<String> {
    let missing = missing(table, declaration);
    // While a dump is restored, layouts that it has are still to come, and with them their numbers. The first
    // that writes to the table will find it as it is then.
    if missing.is_none() && !session::is_restoring() {
        let spec = Spec::resolve(table, declaration);
        spec.note_layout(&Upon::of(table, &spec, values));
    }
    missing
}

/// The command that made it so is not ours to refuse.
fn warn_once(missing: Option<String>, table: &str, warned: &mut bool) {
    if let Some(what) = missing
        && !std::mem::replace(warned, true)
    {
        pgrx::warning!(
            "table {table} has {what}, which its audit needs: its rows cannot be changed until it is \
             attached again with audit_attach()"
        );
    }
}

/// What a declaration names and the table does not have.
fn missing(table: &OpenRelation, declaration: &Declaration) -> Option<String> {
    let columns = table.columns();
    let by: &[String] = match &declaration.chain {
        ChainOf::By(names) => names,
        ChainOf::Named(_) => &[],
    };
    if declaration.pk.is_none() && table.primary_key().is_none() {
        return Some("no primary key".to_owned());
    }
    let mut named = declaration
        .pk
        .iter()
        .flatten()
        .chain(by)
        .chain(&declaration.exclude);
    named
        .find(|name| columns.iter().all(|column| column.name != **name))
        .map(|name| format!("no column \"{name}\""))
}
