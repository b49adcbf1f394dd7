//! What is to be verified: a table, the kind of its events, and its partitions.

use std::collections::{BTreeSet, HashSet};
use std::ffi::CString;
use std::ops::ControlFlow;

use auditspine_core::rows::{Incarnation, Layout, RowFindingKind, split_name};
use pgrx::pg_sys;

use crate::capture::audited;
use crate::capture::declaration::{self, Declaration};
use crate::error::Failure;
use crate::ledger::scan;
use crate::pg::registry::split_arguments;
use crate::pg::relation::OpenRelation;
use crate::pg::session::system_identifier;
use crate::pg::table;
use crate::verify::rows::recorded::{Recorded, Tracked};
use crate::verify::rows::report::Finding;

/// A table and one kind of events about it.
pub struct Target {
    /// The table; of partitions the partitioned one.
    pub root: pg_sys::Oid,
    /// Its qualified name.
    pub name: String,
    /// Kind of the events.
    pub kind: String,
    /// How rows are recorded.
    pub declaration: Declaration,
}

/// The kinds under which a table is audited; an ERROR if there is none.
pub fn targets(relation: pg_sys::Oid, recorded: &Recorded) -> Vec<Target> {
    let asked = open(relation);
    let (is_partition, relkind) = (asked.is_partition(), asked.kind());
    let mut name = asked.qualified();
    if relkind != pg_sys::RELKIND_RELATION && relkind != pg_sys::RELKIND_PARTITIONED_TABLE {
        Failure::NotAudited.raise(
            format!("{name} is not a table, so no rows of it are audited"),
            "name a table that audit_attach() was called for; see auditspine.audited_table",
        );
    }
    let root = if is_partition {
        audited::root_of(relation)
    } else {
        relation
    };
    let whole = open(root);
    if root != relation {
        name = whole.qualified();
    }
    let target = |kind: &[u8], declaration| Target {
        root,
        name: name.clone(),
        kind: String::from_utf8_lossy(kind).into_owned(),
        declaration,
    };
    // A trigger may be left on partitions alone.
    let mut targets: Vec<Target> = Vec::new();
    let mut relations = vec![root];
    relations.extend(audited::leaves(root, pg_sys::AccessShareLock));
    for oid in relations {
        for found in audited::of(&open(oid)) {
            if !targets
                .iter()
                .any(|target| target.kind.as_bytes() == found.kind)
            {
                targets.push(target(&found.kind, found.declaration));
            }
        }
    }
    let incarnation = Incarnation {
        system: system_identifier().to_string(),
        oid: root.to_u32().to_string(),
    };
    if targets.is_empty()
        && let Some(kind) = recorded.kind_of_table(&name, &incarnation)
    {
        let declaration = match recorded.attachment(&kind) {
            Some(attachment) => attachment.declaration.clone(),
            None => declaration::parse(std::slice::from_ref(&kind)),
        };
        targets.push(target(kind.as_bytes(), declaration));
    }
    if targets.is_empty() {
        Failure::NotAudited.raise(
            format!("table {name} is not audited, and no entry says that it was"),
            "attach it first: SELECT audit_attach('…')",
        );
    }
    targets
}

pub(super) fn open(oid: pg_sys::Oid) -> OpenRelation {
    OpenRelation::table(oid, pg_sys::AccessShareLock)
}

impl Target {
    /// The table, its partitions, and those that were once: all that rows of this kind were recorded of.
    pub fn relations(&self, leaves: &[pg_sys::Oid], recorded: &Recorded) -> Vec<pg_sys::Oid> {
        let system = system_identifier().to_string();
        let of_kind = recorded
            .layouts
            .iter()
            .filter(|layout| layout.kind == self.kind && layout.incarnation.system == system)
            .filter_map(|layout| layout.incarnation.oid.parse().ok());
        let all: BTreeSet<u32> = of_kind
            .chain(leaves.iter().map(|oid| oid.to_u32()))
            .chain([self.root.to_u32()])
            .collect();
        all.into_iter().map(pg_sys::Oid::from_u32).collect()
    }

    /// Which entries are about this table. Other tables whose triggers record under the same kind are
    /// findings.
    pub fn sources(
        &self,
        leaves: &[pg_sys::Oid],
        recorded: &Recorded,
        put: &mut dyn FnMut(Finding),
    ) -> Vec<Source> {
        let (shared, renamed) = self.others(leaves, put);
        let system = system_identifier().to_string();
        let of = |layout: &Layout, oids: &[pg_sys::Oid]| {
            let oid = layout.incarnation.oid.parse().map(pg_sys::Oid::from_u32);
            layout.incarnation.system == system && oid.is_ok_and(|oid| oids.contains(&oid))
        };
        let skip = recorded.layouts.iter().filter(|layout| {
            let was_named_so = || layout.kind == self.kind && layout.is_named(&self.kind);
            of(layout, &shared) || (of(layout, &renamed) && was_named_so())
        });
        let mut sources = vec![Source {
            kind: self.kind.clone(),
            skip: skip.map(|layout| layout.id).collect(),
            only: None,
            until: i64::MAX,
        }];
        if self.declaration.kind.is_none() {
            // The kind is the table's name, so it had others before it was renamed.
            let ours = || recorded.layouts.iter().filter(|layout| of(layout, leaves));
            let first = ours().filter(|layout| layout.kind == self.kind);
            let until = first.map(|layout| layout.seq).min().unwrap_or(i64::MAX);
            let kinds: BTreeSet<&String> = ours().map(|layout| &layout.kind).collect();
            for kind in kinds.into_iter().filter(|kind| **kind != self.kind) {
                let only = ours().filter(|layout| layout.kind == *kind);
                sources.push(Source {
                    kind: kind.clone(),
                    skip: HashSet::new(),
                    only: Some(only.map(|layout| layout.id).collect()),
                    until,
                });
            }
        }
        sources
    }

    /// Other audited tables and partitions: those that record under the same kind, and those that have
    /// another one by their name alone.
    fn others(
        &self,
        leaves: &[pg_sys::Oid],
        put: &mut dyn FnMut(Finding),
    ) -> (Vec<pg_sys::Oid>, Vec<pg_sys::Oid>) {
        let (mut shared, mut renamed, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for other in audited_elsewhere() {
            let oid = other.relation;
            if oid == self.root || leaves.contains(&oid) || other.root == self.root {
                continue;
            }
            if other.kind != self.kind {
                if other.is_named_so && other.root == oid {
                    renamed.push(oid);
                }
                continue;
            }
            shared.push(oid);
            if told.contains(&other.root) {
                continue;
            }
            told.push(other.root);
            put(Finding::of_table(
                RowFindingKind::KindShared,
                &self.name,
                format!(
                    "changes of {} are recorded under kind \"{}\" as well",
                    other.name, self.kind
                ),
            ));
        }
        (shared, renamed)
    }
}

/// Entries of one kind that are about the table.
pub struct Source {
    /// The kind.
    pub kind: String,
    /// Layouts of other tables: entries that name one of these do not count.
    pub skip: HashSet<i32>,
    /// If given, only these layouts count, and entries that name none.
    pub only: Option<HashSet<i32>>,
    /// TRUNCATEs from this entry on were another table's.
    pub until: i64,
}

impl Source {
    /// Whether entries that name this layout count.
    pub fn has(&self, layout: i32) -> bool {
        !self.skip.contains(&layout) && self.only.as_ref().is_none_or(|only| only.contains(&layout))
    }
}

/// The table that has this qualified name now. Asks for no privilege on the schema.
pub(super) fn table_of_name(qualified: &str) -> Option<pg_sys::Oid> {
    let (schema, name) = split_name(qualified)?;
    let (schema, name) = (CString::new(schema).ok()?, CString::new(name).ok()?);
    let oid = table::oid_of(&schema, &name);
    let kind = table::kind_of_oid(oid);
    // A view that keeps an old name alive is no table in its place.
    let is_table = kind == pg_sys::RELKIND_RELATION
        || kind == pg_sys::RELKIND_PARTITIONED_TABLE
        || kind == pg_sys::RELKIND_FOREIGN_TABLE;
    is_table.then_some(oid)
}

/// A row trigger of ours somewhere in the database, as the catalogs have it.
struct Elsewhere {
    /// The table or partition.
    relation: pg_sys::Oid,
    /// The partitioned table that it is part of, or itself.
    root: pg_sys::Oid,
    /// Qualified name of that one.
    name: String,
    /// Kind of its events.
    kind: String,
    /// Whether the kind is but the table's name.
    is_named_so: bool,
}

/// Kinds that entries say a table is audited under, and that no trigger in the database records: the table, or
/// another of its name, may have been made anew, or been attached by hand under another kind.
pub(super) fn out_of_force(targets: &[Target], recorded: &Recorded) -> Vec<Tracked> {
    // A kind that is but the table's name had other names before.
    let by_name = |target: &Target| target.declaration.kind.is_none();
    let Some(Target { root, name, .. }) = targets.first() else {
        return Vec::new();
    };
    if targets.iter().any(by_name) {
        return Vec::new();
    }
    let mut kinds: HashSet<String> = targets.iter().map(|target| target.kind.clone()).collect();
    kinds.extend(audited_elsewhere().into_iter().map(|other| other.kind));
    let attached = recorded.attached().into_iter();
    attached
        .filter(|tracked| tracked.table == *name || tracked.oid == Some(root.to_u32()))
        .filter(|tracked| !kinds.contains(&tracked.kind))
        .collect()
}

/// Whether a table, which is not opened, has a row trigger of ours that is understood.
pub fn is_audited(table: pg_sys::Oid) -> bool {
    audited_elsewhere()
        .iter()
        .any(|other| other.relation == table)
}

/// The row triggers of ours, of which none is opened, locked or waited for: another table may be locked for
/// long. Those whose arguments are not understood are left out.
fn audited_elsewhere() -> Vec<Elsewhere> {
    let query = c"SELECT t.tgrelid, t.tgargs, c.oid, c.relname::pg_catalog.text, \
            pg_catalog.format('%I.%I', n.nspname, c.relname) \
        FROM pg_catalog.pg_trigger AS t \
        JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid \
        JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) \
            coalesce(pg_catalog.pg_partition_root(t.tgrelid)::pg_catalog.oid, t.tgrelid) \
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
        WHERE p.prosrc OPERATOR(pg_catalog.=) 'auditspine_append_trigger' \
        AND t.tgtype OPERATOR(pg_catalog.&) 1::pg_catalog.int2 OPERATOR(pg_catalog.=) 1::pg_catalog.int2";
    let mut found = Vec::new();
    scan::select(query, &[], &[], |row| {
        let parsed = row
            .bytes(1)
            .and_then(|arguments| declaration::try_parse(&split_arguments(&arguments)).ok());
        if let (Some(relation), Some(declaration), Some(root)) = (row.oid(0), parsed, row.oid(2)) {
            found.push(Elsewhere {
                relation,
                root,
                name: row.text(4).unwrap_or_default(),
                is_named_so: declaration.kind.is_none(),
                kind: declaration.kind.or_else(|| row.text(3)).unwrap_or_default(),
            });
        }
        ControlFlow::Continue(())
    });
    found
}
