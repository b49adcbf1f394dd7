//! What is in force, held against what was declared: the triggers of a table, its partitions and its
//! children, and what the entries of audit_attach() say that they should be.

use std::ops::ControlFlow;

use auditspine_core::rows::RowFindingKind;
use pgrx::pg_sys;

use crate::capture::audited::{self, OurTrigger, is_of_extension, symbol};
use crate::capture::declaration::{self, ChainOf, Declaration};
use crate::capture::row_spec::kind_of;
use crate::ledger::scan;
use crate::pg::relation::OpenRelation;
use crate::verify::rows::recorded::{Attachment, Recorded};
use crate::verify::rows::report::Finding;
use crate::verify::rows::target::{Target, is_audited, open, table_of_name};

impl Target {
    /// Findings about the triggers of the table, its partitions and its children. Triggers written by hand
    /// declare what they do themselves; those of audit_attach() are held against its entry.
    pub fn check_triggers(
        &self,
        leaves: &[pg_sys::Oid],
        recorded: &Recorded,
        put: &mut dyn FnMut(Finding),
    ) {
        let attachment = recorded.attachment(&self.kind);
        if let Some(attachment) = attachment {
            self.check_name(attachment, put);
        }
        for oid in audited::members(self.root, pg_sys::AccessShareLock) {
            let relation = open(oid);
            let member = Member {
                kind: &self.kind,
                table: relation.qualified(),
                is_root: oid == self.root,
                // No trigger can be made on a partition that is on its way out.
                is_whole: oid == self.root || !audited::is_being_detached(oid),
                has_rows: oid == self.root || leaves.contains(&oid),
                triggers: audited::triggers(&relation),
                relation,
            };
            member.check(attachment, put);
            if member.relation.kind() == pg_sys::RELKIND_FOREIGN_TABLE {
                put(Finding::of_table(
                    RowFindingKind::ChildUnaudited,
                    &self.name,
                    format!(
                        "rows of {} are read and changed through the table that it is a partition of, and they \
                         are stored elsewhere",
                        member.table
                    ),
                ));
            }
        }
        for child in unaudited_children(self.root) {
            let what = if child.is_foreign {
                "they are stored elsewhere"
            } else {
                "no trigger records them"
            };
            put(Finding::of_table(
                RowFindingKind::ChildUnaudited,
                &self.name,
                format!(
                    "rows of {} are read and changed through the table that it inherits from, and {what}",
                    child.name
                ),
            ));
        }
    }

    fn check_name(&self, attachment: &Attachment, put: &mut dyn FnMut(Finding)) {
        if let Some(other) = table_of_name(&attachment.table)
            && other != self.root
            && !is_audited(other)
        {
            put(Finding::of_table(
                RowFindingKind::TableSwapped,
                &self.name,
                format!(
                    "it was attached as {}, which is another table now, and that one is not audited",
                    attachment.table
                ),
            ));
        }
    }
}

/// The table or one of its partitions.
struct Member<'a> {
    kind: &'a str,
    table: String,
    is_root: bool,
    is_whole: bool,
    has_rows: bool,
    triggers: Vec<OurTrigger>,
    relation: OpenRelation,
}

impl Member<'_> {
    fn check(&self, attachment: Option<&Attachment>, put: &mut dyn FnMut(Finding)) {
        let mut tell = |kind, detail| put(Finding::of_table(kind, &self.table, detail));
        let ours: Vec<(&OurTrigger, Declaration)> = self
            .triggers
            .iter()
            .filter(|trigger| trigger.symbol == symbol::APPEND)
            .map(|trigger| (trigger, declaration::parse(&trigger.arguments)))
            .filter(|(_, found)| kind_of(&self.relation, found) == self.kind)
            .collect();
        for (trigger, _) in &ours {
            if let Some(state) = off(trigger) {
                tell(
                    RowFindingKind::TriggerDisabled,
                    format!(
                        "trigger \"{}\" {state}, so changes are not recorded",
                        trigger.name
                    ),
                );
            }
        }
        if self.has_rows && !ours.iter().any(|(trigger, _)| trigger.for_row) {
            tell(
                RowFindingKind::TriggerMissing,
                format!(
                    "the table has no trigger that records its changes under kind \"{}\"",
                    self.kind
                ),
            );
        }
        // Declared by hand, it may be so on purpose.
        let Some(attachment) = attachment else { return };
        let partial = |(trigger, _): &&(&OurTrigger, Declaration)| {
            trigger.for_row && !trigger.on_every_change
        };
        if let Some((trigger, _)) = ours.iter().find(partial) {
            tell(
                RowFindingKind::TriggerMissing,
                format!("trigger \"{}\" does not fire on every change", trigger.name),
            );
        }
        let whole = self.is_root || self.is_whole;
        if whole && !ours.iter().any(|(trigger, _)| trigger.on_truncate) {
            tell(
                RowFindingKind::TriggerMissing,
                format!(
                    "the table has no trigger that records TRUNCATE under kind \"{}\"",
                    self.kind
                ),
            );
        }
        for (trigger, found) in &ours {
            let mut all = altered(trigger);
            if trigger.for_row {
                all.extend(self.differences(&attachment.declaration, found));
            }
            if !all.is_empty() {
                tell(
                    RowFindingKind::TriggerAltered,
                    format!("trigger \"{}\" {}", trigger.name, all.join(", ")),
                );
            }
        }
        if ours.iter().filter(|(trigger, _)| trigger.for_row).count() > 1 {
            tell(
                RowFindingKind::TriggerAltered,
                format!(
                    "more than one trigger records changes under kind \"{}\"",
                    self.kind
                ),
            );
        }
        if attachment.append_only && self.has_rows {
            self.check_guard("UPDATE and DELETE", &mut tell, |trigger| {
                let both = pg_sys::TRIGGER_TYPE_UPDATE | pg_sys::TRIGGER_TYPE_DELETE;
                trigger.for_row && trigger.events & both == both
            });
        }
        if attachment.append_only && whole {
            self.check_guard("TRUNCATE", &mut tell, |trigger| trigger.on_truncate);
        }
    }

    /// Tells if no trigger refuses what an append-only table refuses.
    fn check_guard(
        &self,
        what: &str,
        tell: &mut dyn FnMut(RowFindingKind, String),
        guards: impl Fn(&OurTrigger) -> bool,
    ) {
        let mut found: Vec<(RowFindingKind, String)> = Vec::new();
        for trigger in &self.triggers {
            let refuses = trigger.symbol == symbol::REFUSE
                && trigger.events & pg_sys::TRIGGER_TYPE_BEFORE != 0
                && guards(trigger);
            if !refuses {
                continue;
            }
            let name = &trigger.name;
            let all = altered(trigger);
            if let Some(state) = off(trigger) {
                let detail = format!("trigger \"{name}\" {state}, so {what} are not refused");
                found.push((RowFindingKind::TriggerDisabled, detail));
            } else if !all.is_empty() {
                let detail = format!("trigger \"{name}\" {}", all.join(", "));
                found.push((RowFindingKind::TriggerAltered, detail));
            } else {
                return;
            }
        }
        if found.is_empty() {
            let detail = format!(
                "the table was attached as append-only and has no trigger that refuses {what}"
            );
            found.push((RowFindingKind::TriggerMissing, detail));
        }
        found
            .into_iter()
            .for_each(|(kind, detail)| tell(kind, detail));
    }

    /// In what a trigger's arguments are not as declared. Names of columns that are gone do not count.
    fn differences(&self, declared: &Declaration, found: &Declaration) -> Vec<String> {
        let mut all = Vec::new();
        let mut hold = |what: &str, found: String, declared: String| {
            if found != declared {
                all.push(format!("has {what} {found}, and {declared} was declared"));
            }
        };
        // Left out, it is the primary key, which may have changed since.
        if let (Some(found), Some(declared)) = (&found.pk, &declared.pk) {
            hold("pk", list(found), list(declared));
        }
        hold("chain", chain(&found.chain), chain(&declared.chain));
        let payload = |full| if full { "full" } else { "hash" }.to_owned();
        hold(
            "payload",
            payload(found.full_payload),
            payload(declared.full_payload),
        );
        let columns = self.relation.columns();
        let excluded = |declaration: &Declaration| {
            let mut names = declaration.exclude.clone();
            names.retain(|name| columns.iter().any(|column| column.name == *name));
            names.sort_unstable();
            list(&names)
        };
        hold("exclude", excluded(found), excluded(declared));
        let unchanged = |skip| if skip { "skip" } else { "record" }.to_owned();
        hold(
            "unchanged",
            unchanged(found.skip_unchanged),
            unchanged(declared.skip_unchanged),
        );
        all
    }
}

/// Why a trigger does not fire for ordinary changes.
fn off(trigger: &OurTrigger) -> Option<&'static str> {
    match trigger.enabled {
        b'D' => Some("is disabled"),
        b'R' => Some("fires for replicated changes only"),
        _ => None,
    }
}

/// In what a trigger is not as audit_attach() makes it, beside its arguments and what it fires on.
fn altered(trigger: &OurTrigger) -> Vec<String> {
    let mut all = Vec::new();
    // A change that a trigger which records does not see then is found in the row. What a guard lets by is
    // recorded, and leaves no such trace.
    if trigger.enabled == b'O' && trigger.symbol == symbol::REFUSE {
        all.push(
            "does not fire for replicated changes, nor under session_replication_role = replica"
                .to_owned(),
        );
    }
    // Of a row trigger that records, what it passes over is told already.
    if !trigger.unconditional
        && (trigger.on_every_change || trigger.symbol == symbol::REFUSE || !trigger.for_row)
    {
        all.push("does not fire at every such event at once".to_owned());
    }
    if !is_of_extension(trigger.function) {
        all.push("calls a function that is not auditspine's".to_owned());
    }
    all
}

fn list(names: &[String]) -> String {
    format!("{{{}}}", names.join(","))
}

fn chain(chain: &ChainOf) -> String {
    match chain {
        ChainOf::Named(name) => format!("\"{name}\""),
        ChainOf::By(columns) => format!("by {}", list(columns)),
    }
}

/// A table whose rows another one shows.
pub struct Child {
    /// The table.
    pub relation: pg_sys::Oid,
    /// Its name, qualified and quoted.
    pub name: String,
    /// Whether its rows are stored elsewhere.
    pub is_foreign: bool,
}

/// Tables that inherit from a table, at any depth, and have no trigger that records all of their
/// changes, or whose rows are stored elsewhere. Temporary ones are seen by their session alone.
pub fn unaudited_children(table: pg_sys::Oid) -> Vec<Child> {
    let query = c"WITH RECURSIVE child (relation) AS ( \
            SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i \
                JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.inhparent \
                WHERE i.inhparent OPERATOR(pg_catalog.=) $1 AND c.relkind OPERATOR(pg_catalog.=) 'r' \
            UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i \
                JOIN child AS up ON up.relation OPERATOR(pg_catalog.=) i.inhparent) \
        SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), \
               (c.relkind OPERATOR(pg_catalog.=) 'f')::pg_catalog.text FROM child \
        JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) child.relation \
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
        WHERE c.relpersistence OPERATOR(pg_catalog.<>) 't' \
        AND (c.relkind OPERATOR(pg_catalog.=) 'f' OR NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS t \
            JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid \
            WHERE t.tgrelid OPERATOR(pg_catalog.=) child.relation \
            AND p.prosrc OPERATOR(pg_catalog.=) 'auditspine_append_trigger' \
            AND t.tgtype OPERATOR(pg_catalog.&) 29::pg_catalog.int2 OPERATOR(pg_catalog.=) 29::pg_catalog.int2 \
            AND t.tgenabled OPERATOR(pg_catalog.=) ANY ('{O,A}'::pg_catalog.\"char\"[]) \
            AND t.tgqual IS NULL AND pg_catalog.cardinality(t.tgattr::pg_catalog.int2[]) OPERATOR(pg_catalog.=) 0)) \
        ORDER BY 2";
    let mut children = Vec::new();
    scan::select(query, &[pg_sys::OIDOID], &[table.into()], |row| {
        if let (Some(relation), Some(name)) = (row.oid(0), row.text(1)) {
            children.push(Child {
                relation,
                name,
                is_foreign: row.text(2).as_deref() == Some("true"),
            });
        }
        ControlFlow::Continue(())
    });
    children
}
