//! Code that others have put on a table: it would run with the rights of whoever reads or writes the table, if
//! that is done by an ordinary statement of ours. Then none may be there, unless those who wrote it have these
//! rights anyway.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ops::ControlFlow;

use pgrx::pg_sys;

use crate::error::Failure;
use crate::ledger::scan;
use crate::ledger::text_rows;
use crate::pg::relation::OpenRelation;
use crate::pg::{callbacks, session};

/// What is to be done with a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Use {
    /// Its own rows are read.
    Read,
    /// They are read and written.
    Write,
}

impl Use {
    /// A lock that keeps others from putting code on the table that would matter, to the transaction's end.
    fn lock(self) -> u32 {
        match self {
            Use::Read => pg_sys::AccessShareLock,
            Use::Write => pg_sys::RowExclusiveLock,
        }
    }
}

/// Code on a table, each piece with the role that wrote it, which is the one that owns the function, type or
/// table, and does not have the rights of role $2; $3 says whether the table is written.
///
/// An expression is its table's owner's. One by an owner without these rights may call nothing but functions
/// of roles that have them, that are immutable or known to do nothing by themselves: others run what they are
/// told to in their arguments. No subquery either, which could read a view. What is constant in predicates of
/// indexes, constraints and the like the planner works out for a query that only reads.
const FOREIGN: &std::ffi::CStr = c"
WITH RECURSIVE relation AS (
    SELECT c.oid, c.relowner, c.relkind, c.relrowsecurity, pg_catalog.pg_has_role(c.relowner, $2, 'USAGE') AS trusted
    FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) $1),
expression (what, name, code) AS (
    SELECT 'the policy', p.polname, coalesce(p.polqual::pg_catalog.text, '')
           OPERATOR(pg_catalog.||) coalesce(p.polwithcheck::pg_catalog.text, '')
    FROM pg_catalog.pg_policy AS p JOIN relation AS r ON r.oid OPERATOR(pg_catalog.=) p.polrelid
    WHERE r.relrowsecurity
    UNION ALL
    SELECT 'the rule', w.rulename, coalesce(w.ev_qual::pg_catalog.text, '')
           OPERATOR(pg_catalog.||) w.ev_action::pg_catalog.text
    FROM pg_catalog.pg_rewrite AS w WHERE w.ev_class OPERATOR(pg_catalog.=) $1
    UNION ALL
    SELECT 'the default or generated value of column', a.attname, d.adbin::pg_catalog.text
    FROM pg_catalog.pg_attrdef AS d JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid OPERATOR(pg_catalog.=) d.adrelid AND a.attnum OPERATOR(pg_catalog.=) d.adnum
    WHERE $3 AND d.adrelid OPERATOR(pg_catalog.=) $1
    UNION ALL
    SELECT 'the constraint', k.conname, k.conbin::pg_catalog.text
    FROM pg_catalog.pg_constraint AS k
    WHERE k.conrelid OPERATOR(pg_catalog.=) $1 AND k.conbin IS NOT NULL
    UNION ALL
    SELECT 'the index', i.relname, coalesce(x.indexprs::pg_catalog.text, '')
           OPERATOR(pg_catalog.||) coalesce(x.indpred::pg_catalog.text, '')
    FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_class AS i ON i.oid OPERATOR(pg_catalog.=) x.indexrelid
    WHERE x.indrelid OPERATOR(pg_catalog.=) $1
    UNION ALL
    SELECT 'the statistics object', s.stxname, s.stxexprs::pg_catalog.text
    FROM pg_catalog.pg_statistic_ext AS s
    WHERE s.stxrelid OPERATOR(pg_catalog.=) $1 AND s.stxexprs IS NOT NULL
    UNION ALL
    SELECT 'the partition key of', c.relname, q.partexprs::pg_catalog.text
    FROM pg_catalog.pg_partitioned_table AS q JOIN pg_catalog.pg_class AS c
        ON c.oid OPERATOR(pg_catalog.=) q.partrelid
    WHERE q.partrelid OPERATOR(pg_catalog.=) $1 AND q.partexprs IS NOT NULL
    UNION ALL
    SELECT 'the condition of trigger', t.tgname, t.tgqual::pg_catalog.text
    FROM pg_catalog.pg_trigger AS t
    WHERE $3 AND t.tgrelid OPERATOR(pg_catalog.=) $1 AND t.tgqual IS NOT NULL),
called (what, name, oid) AS (
    SELECT e.what, e.name, (m.found)[1]::pg_catalog.oid
    FROM expression AS e CROSS JOIN LATERAL pg_catalog.regexp_matches(e.code,
        ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g') AS m (found)
    UNION
    SELECT e.what, e.name, o.oprcode::pg_catalog.oid
    FROM expression AS e CROSS JOIN LATERAL pg_catalog.regexp_matches(e.code, ':opnos? (?:[(]o )?([0-9 ]+)', 'g') AS m (found)
    CROSS JOIN LATERAL pg_catalog.regexp_split_to_table(pg_catalog.btrim((m.found)[1]), ' +') AS one (number)
    JOIN pg_catalog.pg_operator AS o ON o.oid OPERATOR(pg_catalog.=) one.number::pg_catalog.oid),
type_of (name, oid) AS (
    SELECT seed.name, seed.oid FROM (
        SELECT a.attname, a.atttypid FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid OPERATOR(pg_catalog.=) $1 AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT a.attisdropped
        UNION ALL
        SELECT e.name, (m.found)[1]::pg_catalog.oid
        FROM expression AS e CROSS JOIN LATERAL pg_catalog.regexp_matches(e.code, ':[a-z]*type ([1-9][0-9]*)', 'g') AS m (found)
    ) AS seed (name, oid)
    UNION
    SELECT o.name, part.oid
    FROM type_of AS o JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) o.oid
    CROSS JOIN LATERAL (
        SELECT t.typbasetype UNION ALL SELECT t.typelem
        UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid OPERATOR(pg_catalog.=) t.typrelid AND NOT a.attisdropped
                AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
        UNION ALL SELECT g.rngsubtype FROM pg_catalog.pg_range AS g WHERE g.rngtypid OPERATOR(pg_catalog.=) t.oid) AS part (oid)
    WHERE part.oid OPERATOR(pg_catalog.<>) 0::pg_catalog.oid)
SELECT found.what OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) found.name, pg_catalog.pg_get_userbyid(found.owner)::pg_catalog.text
FROM (
    SELECT 1, 'what is no plain table:', c.relname::pg_catalog.text, r.relowner
    FROM relation AS r JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) r.oid
    WHERE NOT r.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[])
    UNION ALL
    SELECT 2, 'the trigger', t.tgname::pg_catalog.text,
           CASE WHEN pg_catalog.pg_has_role(p.proowner, $2, 'USAGE') THEN r.relowner ELSE p.proowner END
    FROM relation AS r JOIN pg_catalog.pg_trigger AS t ON t.tgrelid OPERATOR(pg_catalog.=) r.oid
    JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
    WHERE $3 AND NOT t.tgisinternal AND t.tgenabled OPERATOR(pg_catalog.<>) 'D'::pg_catalog.\"char\"
        AND NOT (r.trusted AND pg_catalog.pg_has_role(p.proowner, $2, 'USAGE'))
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_extension AS e
                ON e.oid OPERATOR(pg_catalog.=) d.refobjid
            WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
                AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog.\"char\"
                AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid
                AND e.extname OPERATOR(pg_catalog.=) 'auditspine')
    UNION ALL
    SELECT 3, c.what, c.name::pg_catalog.text,
           CASE WHEN pg_catalog.pg_has_role(p.proowner, $2, 'USAGE') THEN r.relowner ELSE p.proowner END
    FROM relation AS r CROSS JOIN called AS c
    JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) c.oid
    WHERE NOT pg_catalog.pg_has_role(p.proowner, $2, 'USAGE')
        OR NOT r.trusted AND p.provolatile OPERATOR(pg_catalog.<>) 'i'::pg_catalog.\"char\"
            AND NOT (p.oid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid AND p.proname OPERATOR(pg_catalog.=) ANY (
                '{now,statement_timestamp,transaction_timestamp,clock_timestamp,gen_random_uuid,nextval,current_setting,
                  date,timestamptz,timezone}'::pg_catalog.name[]))
    UNION ALL
    SELECT 4, e.what, e.name::pg_catalog.text, r.relowner
    FROM relation AS r CROSS JOIN expression AS e
    WHERE NOT r.trusted AND e.code OPERATOR(pg_catalog.~) '[{](QUERY|SUBLINK|SUBPLAN|XMLEXPR)'
    UNION ALL
    SELECT 5, 'a type in', o.name::pg_catalog.text, t.typowner
    FROM type_of AS o JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) o.oid
    WHERE NOT pg_catalog.pg_has_role(t.typowner, $2, 'USAGE')
    UNION ALL
    SELECT 6, 'the child table', c.relname::pg_catalog.text, c.relowner
    FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.inhrelid
    WHERE i.inhparent OPERATOR(pg_catalog.=) $1 AND NOT pg_catalog.pg_has_role(c.relowner, $2, 'USAGE')
) AS found (place, what, name, owner)
ORDER BY found.place, found.name COLLATE \"C\" LIMIT 1";

/// Locks a table to the end of the transaction, and raises 42501 if there is code on it of somebody who does
/// not have the rights of `role`, with which the table is to be used.
pub fn expect_none(table: pg_sys::Oid, role: pg_sys::Oid, usage: Use) {
    let relation = OpenRelation::table(table, usage.lock());
    let checked = (table, role, usage);
    watch();
    if CHECKED.with_borrow(|known| known.contains(&checked)) {
        return;
    }
    let begun = CHANGES.get();
    let mut found = None;
    scan::select(
        FOREIGN,
        &[pg_sys::OIDOID, pg_sys::OIDOID, pg_sys::BOOLOID],
        &[table.into(), role.into(), (usage == Use::Write).into()],
        |row| {
            found = row.text(0).zip(row.text(1));
            ControlFlow::Break(())
        },
    );
    if let Some((what, owner)) = found {
        Failure::ForeignCode.raise(
            format!(
                "on table {}, {what} is of role \"{owner}\", and would run with the rights of role \"{}\"",
                relation.qualified(),
                session::role_name(role).unwrap_or_else(|| role.to_u32().to_string()),
            ),
            "become the table's owner (SET ROLE) to do this, or remove it",
        );
    }
    // What was heard meanwhile may be about it.
    if CHANGES.get() == begun {
        CHECKED.with_borrow_mut(|known| {
            if known.len() >= MOST_CHECKED {
                known.clear();
            }
            known.insert(checked);
        });
    }
}

/// As [`expect_none`], with the rights of the current user.
pub fn expect_none_for_caller(table: pg_sys::Oid, usage: Use) {
    expect_none(table, session::current_user(), usage);
}

/// Raises 42501 if a schema, by name, is there and its owner does not have the rights of the current user:
/// that role could replace whatever is made in it.
pub fn expect_own_schema(schema: &str) {
    const OWNER: &str = "
        SELECT pg_catalog.pg_get_userbyid(o.owner)::pg_catalog.text
        FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_database AS d
            ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
        CROSS JOIN LATERAL (SELECT CASE pg_catalog.pg_get_userbyid(n.nspowner)
            WHEN 'pg_database_owner' THEN d.datdba ELSE n.nspowner END) AS o (owner)
        WHERE n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name
            AND NOT pg_catalog.pg_has_role(o.owner, current_user, 'USAGE')";
    let owner = text_rows::query(OWNER, &[Some(schema)]);
    if let Some(Some(owner)) = owner.into_iter().flatten().next() {
        Failure::ForeignCode.raise(
            format!("schema {schema} is owned by role \"{owner}\", who could replace what you make in it"),
            format!("become its owner (SET ROLE {}), or choose another schema", pgrx::spi::quote_identifier(&owner)),
        );
    }
}

/// Tables that are remembered as checked.
const MOST_CHECKED: usize = 1024;

thread_local! {
    static CHECKED: RefCell<HashSet<(pg_sys::Oid, pg_sys::Oid, Use)>> = RefCell::default();
    /// How often something has changed that the check looks at, as far as this backend has heard.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Sees to it that what was checked is forgotten when it may not hold any more.
fn watch() {
    if WATCHING.replace(true) {
        return;
    }
    callbacks::on_relation_change(relation_changed);
    for cache in [
        pg_sys::SysCacheIdentifier::PROCOID,
        pg_sys::SysCacheIdentifier::AUTHOID,
        pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE,
        pg_sys::SysCacheIdentifier::OPEROID,
    ] {
        callbacks::on_catalog_change(cache, catalog_changed);
    }
}

fn relation_changed(relation: pg_sys::Oid) {
    CHANGES.set(CHANGES.get() + 1);
    CHECKED.with_borrow_mut(|known| {
        known.retain(|(table, ..)| relation != pg_sys::InvalidOid && *table != relation);
    });
}

fn catalog_changed() {
    CHANGES.set(CHANGES.get() + 1);
    CHECKED.with_borrow_mut(HashSet::clear);
}
