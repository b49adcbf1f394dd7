//! The triggers of an audited table, as they are and as they should be.
//!
//! PostgreSQL clones row triggers of a partitioned table to its partitions, present and future.
//! Statement triggers, which TRUNCATE needs, it does not: each partition has its own.

use pgrx::spi::{quote_identifier, quote_literal};
use pgrx::{Spi, pg_sys};

use crate::capture::audited::{self, OurTrigger, symbol};
use crate::capture::declaration::Declaration;
use crate::error::broken;
use crate::ledger::catalog::verbs_schema;
use crate::pg::relation::OpenRelation;
use crate::pg::snapshot::ActiveSnapshot;
use crate::verify::rows;

/// How a table is to be audited.
pub struct Policy {
    /// What the triggers say; with a kind.
    pub declaration: Declaration,
    /// Whether UPDATE, DELETE and TRUNCATE are refused.
    pub append_only: bool,
}

/// A table or partition and the triggers of ours on it.
pub struct Member {
    relation: pg_sys::Oid,
    table: String,
    triggers: Vec<OurTrigger>,
}

impl Member {
    /// Whether there is any.
    pub fn has_triggers(&self) -> bool {
        !self.triggers.is_empty()
    }

    /// Makes the TRUNCATE triggers that are among `wanted` and not on it.
    pub fn add_missing(&self, wanted: &[OurTrigger], verbs: &str) {
        for role in [Role::Truncate, Role::AppendOnlyTruncate] {
            for like in wanted.iter().filter(|trigger| role.is_of(trigger)) {
                if self
                    .triggers
                    .iter()
                    .all(|trigger| trigger.name != like.name)
                {
                    role.create_as(&like.name, &self.table, verbs, &like.arguments);
                    if like.enabled == b'A' {
                        enable_always(&self.table, &like.name);
                    }
                }
            }
        }
    }

    /// Drops its TRUNCATE triggers that have the names of some of `others`.
    pub fn drop_of(&self, others: &[OurTrigger]) {
        for trigger in self.triggers.iter().filter(|trigger| !trigger.for_row) {
            if others
                .iter()
                .any(|other| !other.for_row && other.name == trigger.name)
            {
                drop_trigger(&self.table, &trigger.name);
            }
        }
    }

    /// Kinds of the row triggers made on it, and not cloned to it.
    fn kinds(&self) -> Vec<String> {
        let lock = pg_sys::AccessShareLock;
        let relation = OpenRelation::table(self.relation, lock);
        let mut kinds: Vec<String> = Vec::new();
        for trigger in &self.triggers {
            if trigger.for_row && !trigger.cloned && trigger.symbol == symbol::APPEND {
                let declaration = crate::capture::declaration::try_parse(&trigger.arguments);
                let kind = declaration.ok().and_then(|declaration| declaration.kind);
                let kind = kind.unwrap_or_else(|| relation.name());
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
        }
        kinds
    }
}

/// One of the triggers that an audited table has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Audit,
    Truncate,
    AppendOnly,
    AppendOnlyTruncate,
}

impl Role {
    const ALL: [Role; 4] = [
        Role::Audit,
        Role::Truncate,
        Role::AppendOnly,
        Role::AppendOnlyTruncate,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Role::Audit => "auditspine_audit",
            Role::Truncate => "auditspine_truncate",
            Role::AppendOnly => "auditspine_append_only",
            Role::AppendOnlyTruncate => "auditspine_append_only_truncate",
        }
    }

    fn events(self) -> u32 {
        use pg_sys::{
            TRIGGER_TYPE_BEFORE as BEFORE, TRIGGER_TYPE_DELETE as DELETE,
            TRIGGER_TYPE_INSERT as INSERT, TRIGGER_TYPE_ROW as ROW,
            TRIGGER_TYPE_TRUNCATE as TRUNCATE, TRIGGER_TYPE_UPDATE as UPDATE,
        };
        match self {
            Role::Audit => ROW | INSERT | UPDATE | DELETE,
            Role::Truncate => TRUNCATE,
            Role::AppendOnly => ROW | BEFORE | UPDATE | DELETE,
            Role::AppendOnlyTruncate => BEFORE | TRUNCATE,
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Role::Audit | Role::Truncate => symbol::APPEND,
            Role::AppendOnly | Role::AppendOnlyTruncate => symbol::REFUSE,
        }
    }

    /// Whether PostgreSQL clones it to partitions.
    fn is_cloned(self) -> bool {
        matches!(self, Role::Audit | Role::AppendOnly)
    }

    /// Makes the trigger on a table, to fire whatever `session_replication_role` says. `table` is
    /// qualified and quoted, `verbs` the schema of the functions.
    fn create(self, table: &str, verbs: &str, arguments: &[String]) {
        self.create_as(self.name(), table, verbs, arguments);
        enable_always(table, self.name());
    }

    /// Whether a trigger is one of this role, by whatever name.
    fn is_of(self, trigger: &OurTrigger) -> bool {
        trigger.events == self.events() && trigger.symbol == self.symbol()
    }

    fn create_as(self, name: &str, table: &str, verbs: &str, arguments: &[String]) {
        let name = quote_identifier(name);
        let (events, function) = match self {
            Role::Audit => ("AFTER INSERT OR UPDATE OR DELETE", "audit_chain_append"),
            Role::Truncate => ("AFTER TRUNCATE", "audit_chain_append"),
            Role::AppendOnly => ("BEFORE UPDATE OR DELETE", "audit_refuse_change"),
            Role::AppendOnlyTruncate => ("BEFORE TRUNCATE", "audit_refuse_change"),
        };
        let level = if self.is_cloned() { "ROW" } else { "STATEMENT" };
        let arguments: Vec<String> = arguments.iter().map(quote_literal).collect();
        run(&format!(
            "CREATE TRIGGER {name} {events} ON {table} FOR EACH {level} \
             EXECUTE FUNCTION {verbs}.{function}({})",
            arguments.join(", ")
        ));
    }
}

impl Policy {
    /// Kind of the events.
    pub fn kind(&self) -> &str {
        self.declaration.kind.as_deref().unwrap_or_default()
    }

    /// The roles that a table, or a partition of it, has of its own.
    fn roles(&self, partition: bool) -> impl Iterator<Item = Role> {
        let append_only = self.append_only;
        Role::ALL.into_iter().filter(move |role| {
            (append_only || role.symbol() == symbol::APPEND) && !(partition && role.is_cloned())
        })
    }

    fn arguments(&self, role: Role) -> Vec<String> {
        if role.symbol() == symbol::APPEND {
            self.declaration.arguments()
        } else {
            Vec::new()
        }
    }

    /// Whether the triggers of a table and its partitions are exactly those that this policy wants.
    pub fn is_in_force(&self, members: &[Member]) -> bool {
        members.iter().enumerate().all(|(at, member)| {
            let wanted: Vec<Role> = self.roles(false).collect();
            wanted.len() == member.triggers.len()
                && wanted.into_iter().all(|role| {
                    member.triggers.iter().any(|trigger| {
                        trigger.name == role.name()
                            && role.is_of(trigger)
                            && trigger.cloned == (at > 0 && role.is_cloned())
                            && trigger.enabled == b'A'
                            && trigger.unconditional
                            && audited::is_of_extension(trigger.function)
                            && trigger.arguments == self.arguments(role)
                    })
                })
        })
    }

    /// Makes the triggers on a table, which comes first, and its partitions.
    pub fn create(&self, members: &[pg_sys::Oid]) {
        let verbs = verbs_schema();
        for (at, member) in members.iter().enumerate() {
            let table = qualified(*member);
            for role in self.roles(at > 0) {
                role.create(&table, &verbs, &self.arguments(role));
            }
        }
        enable_clones(&state(members));
    }
}

/// Kinds of the row triggers made on tables and partitions.
pub fn kinds(members: &[Member]) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for kind in members.iter().flat_map(Member::kinds) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Has triggers that were cloned to partitions fire always, as those that they are cloned from.
pub fn enable_clones(members: &[Member]) {
    for member in members {
        for trigger in &member.triggers {
            if trigger.cloned && trigger.enabled != b'A' {
                enable_always(&member.table, &trigger.name);
            }
        }
    }
}

/// The triggers of ours on tables that the caller holds locks on.
pub fn state(members: &[pg_sys::Oid]) -> Vec<Member> {
    members
        .iter()
        .map(|relation| {
            let table = OpenRelation::table(*relation, pg_sys::AccessShareLock);
            Member {
                relation: *relation,
                table: table.qualified(),
                triggers: audited::triggers(&table),
            }
        })
        .collect()
}

/// Drops the triggers of ours, whoever made them.
pub fn drop_all(members: &[Member]) {
    for member in members {
        // Clones go with what they were cloned from.
        for trigger in member.triggers.iter().filter(|trigger| !trigger.cloned) {
            drop_trigger(&member.table, &trigger.name);
        }
    }
}

/// Drops a trigger of a table, whose name is qualified and quoted.
pub fn drop_trigger(table: &str, trigger: &str) {
    run(&format!(
        "DROP TRIGGER {} ON {table}",
        quote_identifier(trigger)
    ));
}

fn enable_always(table: &str, trigger: &str) {
    // ONLY: where it recurses to partitions, it fails at triggers that are not cloned.
    run(&format!(
        "ALTER TABLE ONLY {table} ENABLE ALWAYS TRIGGER {}",
        quote_identifier(trigger)
    ));
}

/// Name of a table, qualified and quoted.
pub fn qualified(relation: pg_sys::Oid) -> String {
    OpenRelation::table(relation, pg_sys::AccessShareLock).qualified()
}

fn run(command: &str) {
    if let Err(error) = Spi::run(command) {
        broken(format!("{command} was not run: {error}"));
    }
}

/// The trigger function `audit_chain_append()`.
pub fn append_function() -> pg_sys::Oid {
    let name = format!("{}.audit_chain_append()", verbs_schema());
    match Spi::get_one_with_args::<pg_sys::Oid>(
        "SELECT pg_catalog.to_regprocedure($1)::pg_catalog.oid",
        &[name.into()],
    ) {
        Ok(Some(function)) => function,
        _ => broken("function audit_chain_append() does not exist".to_owned()),
    }
}

/// Warns if the owner of a partitioned table may not execute what PostgreSQL clones to new partitions
/// with the rights of whoever makes them.
pub fn warn_of_privileges(table: pg_sys::Oid, name: &str, append_only: bool) {
    let verbs = verbs_schema();
    let mut functions = vec![format!("{verbs}.audit_chain_append()")];
    if append_only {
        functions.push(format!("{verbs}.audit_refuse_change()"));
    }
    for function in functions {
        let lacking = Spi::get_one_with_args::<String>(
            "SELECT pg_catalog.quote_ident(r.rolname) FROM pg_catalog.pg_class AS c \
             JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) c.relowner \
             WHERE c.oid OPERATOR(pg_catalog.=) $1 \
             AND NOT pg_catalog.has_function_privilege(r.oid, pg_catalog.to_regprocedure($2), 'EXECUTE')",
            &[table.into(), function.as_str().into()],
        );
        if let Ok(Some(owner)) = lacking {
            pgrx::warning!(
                "{owner}, who owns table {name}, cannot add partitions to it without a right that the \
                 audit's triggers take: GRANT EXECUTE ON FUNCTION {function} TO {owner}"
            );
        }
    }
}

/// Warns of tables among `heirs` that inherit from an audited table and are not audited.
pub fn warn_of_children(table: pg_sys::Oid, heirs: &[pg_sys::Oid]) {
    // What the command under way has made is to be seen.
    let _now = ActiveSnapshot::push_latest();
    let mut name = None;
    for child in rows::unaudited_children(table) {
        if !heirs.contains(&child.relation) {
            continue;
        }
        let name = name.get_or_insert_with(|| qualified(table));
        let child_name = &child.name;
        if child.is_foreign {
            pgrx::warning!(
                "foreign table {child_name} inherits from table {name}, which is audited: its rows are read and changed \
                 through {name}, unrecorded"
            );
        } else {
            pgrx::warning!(
                "table {child_name} inherits from table {name} and is not audited: its rows are read and changed \
                 through {name}, unrecorded, until it is attached as well"
            );
        }
    }
}
