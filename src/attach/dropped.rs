//! What a command has dropped, as PostgreSQL tells the event trigger `auditspine_dropped`.

use std::collections::HashSet;

use pgrx::pg_sys;

use crate::ledger::text_rows::query;
use crate::pg::ddl::ColumnChange;

/// Dropped by one command, with all that went by CASCADE.
#[derive(Default)]
pub struct Dropped {
    /// Tables, and whatever else is a relation.
    pub relations: HashSet<pg_sys::Oid>,
    /// Columns of tables that are still there, one by one.
    pub columns: Vec<ColumnChange>,
    /// Tables that lost columns or constraints, perhaps their keys.
    pub altered: Vec<pg_sys::Oid>,
}

/// Of a constraint, the table is told by its name.
const DROPPED: &str = "
    SELECT CASE WHEN d.object_type OPERATOR(pg_catalog.=) 'table constraint' THEN 'constraint'
                WHEN d.object_type OPERATOR(pg_catalog.=) 'table column' THEN 'column' ELSE 'relation' END,
           CASE WHEN d.object_type OPERATOR(pg_catalog.=) 'table constraint' THEN c.oid ELSE d.objid END::pg_catalog.text,
           d.address_names[pg_catalog.cardinality(d.address_names)]
    FROM pg_catalog.pg_event_trigger_dropped_objects() AS d
    LEFT JOIN pg_catalog.pg_namespace AS n
           ON d.object_type OPERATOR(pg_catalog.=) 'table constraint' AND n.nspname OPERATOR(pg_catalog.=) d.address_names[1]
    LEFT JOIN pg_catalog.pg_class AS c
           ON c.relnamespace OPERATOR(pg_catalog.=) n.oid AND c.relname OPERATOR(pg_catalog.=) d.address_names[2]
    WHERE NOT d.is_temporary
      AND (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
           OR d.object_type OPERATOR(pg_catalog.=) 'table constraint' AND c.oid IS NOT NULL)";

impl Dropped {
    /// What the command dropped that the event trigger runs for.
    pub fn by_this_command() -> Dropped {
        let mut dropped = Dropped::default();
        for row in query(DROPPED, &[]) {
            let [Some(what), Some(oid), name] = &row[..] else {
                continue;
            };
            let Ok(oid) = oid.parse().map(pg_sys::Oid::from_u32) else {
                continue;
            };
            if what == "relation" {
                dropped.relations.insert(oid);
                continue;
            }
            if let (true, Some(name)) = (what == "column", name) {
                dropped.columns.push(ColumnChange {
                    relation: oid,
                    old: name.clone(),
                    new: None,
                });
            }
            if !dropped.altered.contains(&oid) {
                dropped.altered.push(oid);
            }
        }
        // Whose table went as well concerns nobody.
        let gone = &dropped.relations;
        dropped
            .columns
            .retain(|change| !gone.contains(&change.relation));
        dropped.altered.retain(|relation| !gone.contains(relation));
        dropped
    }
}
