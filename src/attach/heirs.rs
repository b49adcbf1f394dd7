//! What a command does to one table or type reaches others: tables that inherit from it, tables that are of the type.

use pgrx::pg_sys;

use crate::ledger::text_rows::query;
use crate::pg::ddl::{ColumnChange, ColumnValues, Touched};
use crate::pg::{registry, table};

/// A change of a table's columns reaches the tables that inherit from it, and one of a type's attributes the tables
/// that are of the type: with triggers of their own.
pub fn reach_heirs(touched: &mut Touched) {
    let columns = std::mem::take(&mut touched.columns);
    for change in columns {
        for relation in heirs(change.relation) {
            touched.columns.push(ColumnChange {
                relation,
                ..change.clone()
            });
        }
    }
    let values = std::mem::take(&mut touched.values);
    for values in values {
        for relation in heirs(values.relation) {
            touched.values.push(ColumnValues {
                relation,
                ..values.clone()
            });
        }
    }
    let altered = std::mem::take(&mut touched.altered);
    for relation in altered.into_iter().flat_map(heirs) {
        if !touched.altered.contains(&relation) {
            touched.altered.push(relation);
        }
    }
}

fn heirs(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    const OF_TYPE: &str = "
        SELECT c.oid::pg_catalog.text FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_class AS t ON c.reloftype OPERATOR(pg_catalog.=) t.reltype
        WHERE t.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid";
    match table::kind_of_oid(relation) {
        // Partitions are dealt with by way of their table.
        pg_sys::RELKIND_PARTITIONED_TABLE => vec![relation],
        pg_sys::RELKIND_COMPOSITE_TYPE => query(OF_TYPE, &[Some(&relation.to_u32().to_string())])
            .into_iter()
            .filter_map(|row| row.first()?.as_deref()?.parse().ok())
            .flat_map(|table: u32| heirs(pg_sys::Oid::from_u32(table)))
            .collect(),
        _ => registry::inheritors(relation),
    }
}
