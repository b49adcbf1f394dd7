//! The rows of a table in the order of their key, page by page.
//!
//! A page begins behind the last row of the page before, by comparison of the key's columns, with the
//! operators that order their types and with values that are passed on as they lie: exact for every
//! type that can be ordered, whatever its text looks like. Where no unique index says that a key names
//! one row, the row's place breaks ties; rows that change theirs are recorded by the trigger.

use std::fmt::Write;

use pgrx::pg_sys;

use crate::error::{Failure, broken};
use crate::pg::compat;
use crate::pg::owned_value::OwnedValue;
use crate::pg::relation::{OpenRelation, index_columns, name_of};
use crate::pg::table;
use crate::pg::type_order::TypeOrder;
use crate::pg::values::Values;

/// What queries return ahead of the columns of a position: table and place.
const PLACE_COLUMNS: usize = 2;
/// Rows of a page, where an index finds its beginning.
const PAGE: usize = 1000;

/// A column that rows are ordered by.
struct Column {
    /// With its table's alias, quoted.
    name: String,
    /// Type of the values that it is compared with.
    oid: pg_sys::Oid,
    nullable: bool,
    order: TypeOrder,
}

/// How the rows of one table are paged through.
pub struct Keyset {
    columns: Vec<Column>,
    /// How many of them are the key; the rest breaks ties.
    key: usize,
    from: String,
    /// Most rows of a page.
    pub page: usize,
}

/// Where a row stands in the order: the values of its columns.
pub struct Position(Vec<OwnedValue>);

impl Position {
    /// The values, valid while `self` lives.
    pub fn datums(&self) -> Vec<pg_sys::Datum> {
        self.0.iter().map(OwnedValue::datum).collect()
    }
}

impl Keyset {
    /// The order of an open table's rows by these columns. `batch` bounds a page where each page
    /// needs a sort of the table, since no index fits.
    ///
    /// Raises 42883 for a column whose type has no order.
    pub fn new(table: &OpenRelation, key: &[i16], batch: usize) -> Keyset {
        let relation = table.qualified();
        let alone = table.kind() != pg_sys::RELKIND_PARTITIONED_TABLE;
        let mut columns: Vec<Column> = key
            .iter()
            .map(|attnum| Column::of(table, *attnum, &relation))
            .collect();
        let index = Index::on(table, key);
        if !index.unique {
            columns.extend([
                Column::system("tableoid", pg_sys::OIDOID, &relation),
                Column::system("ctid", pg_sys::TIDOID, &relation),
            ]);
        }
        Keyset {
            columns,
            key: key.len(),
            // Tables that inherit have triggers of their own, or none.
            from: format!("{}{relation} t", if alone { "ONLY " } else { "" }),
            page: if index.ordered {
                PAGE.min(batch)
            } else {
                batch
            },
        }
    }

    /// The query for a page of `limit` rows: their leaf table, their place, then what
    /// [`Keyset::position`] takes. With `behind`, only rows behind a position, whose values are its
    /// parameters.
    pub fn page_query(&self, behind: bool, limit: usize) -> String {
        let mut query = self.select();
        let mut conditions: Vec<String> = self
            .columns
            .iter()
            .filter(|column| column.nullable)
            .map(|column| format!("{} IS NOT NULL", column.name))
            .collect();
        if behind {
            conditions.push(self.behind(0));
        }
        let mut word = " WHERE ";
        for condition in conditions {
            query.push_str(word);
            query.push_str(&condition);
            word = " AND ";
        }
        word = " ORDER BY ";
        for column in &self.columns {
            let _ = write!(query, "{word}{} USING {}", column.name, column.order.less);
            word = ", ";
        }
        let _ = write!(query, " LIMIT {limit}");
        query
    }

    /// The query for the rows that have one key; its parameters are those of a position.
    pub fn key_query(&self) -> String {
        let mut query = self.select();
        let mut word = " WHERE ";
        for (column, parameter) in self.columns[..self.key].iter().zip(1..) {
            let equal = &column.order.equal;
            let _ = write!(query, "{word}{} {equal} ${parameter}", column.name);
            word = " AND ";
        }
        query
    }

    /// The query for rows that no key names, since a column of it is null: where they are. None if
    /// no column can be.
    pub fn null_query(&self) -> Option<String> {
        let nullable: Vec<String> = self.columns[..self.key]
            .iter()
            .filter(|column| column.nullable)
            .map(|column| format!("{} IS NULL", column.name))
            .collect();
        (!nullable.is_empty()).then(|| {
            format!(
                "SELECT t.tableoid::pg_catalog.regclass::pg_catalog.text, t.ctid::pg_catalog.text FROM {} WHERE {}",
                self.from,
                nullable.join(" OR ")
            )
        })
    }

    /// Types of the parameters.
    pub fn types(&self) -> Vec<pg_sys::Oid> {
        self.columns.iter().map(|column| column.oid).collect()
    }

    /// The position that a row of a query's result has.
    pub fn position(&self, row: &Values<'_>) -> Position {
        let columns = self.columns.iter().zip(PLACE_COLUMNS..);
        let values = columns.map(|(column, at)| {
            row.owned(at)
                .unwrap_or_else(|| broken(format!("{} is null where no null is read", column.name)))
        });
        Position(values.collect())
    }

    fn select(&self) -> String {
        let names: Vec<&str> = self
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        format!(
            "SELECT t.tableoid, t.ctid, {} FROM {}",
            names.join(", "),
            self.from
        )
    }

    /// The condition that a row comes behind the parameters, from one column on.
    fn behind(&self, from: usize) -> String {
        let columns = &self.columns[from..];
        let parameters: Vec<String> = (from + 1..=self.columns.len())
            .map(|parameter| format!("${parameter}"))
            .collect();
        let greater = &columns[0].order.greater;
        if columns.len() == 1 {
            return format!("{} {greater} {}", columns[0].name, parameters[0]);
        }
        if columns
            .iter()
            .all(|column| column.order.greater == *greater)
        {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            return format!(
                "ROW({}) {greater} ROW({})",
                names.join(", "),
                parameters.join(", ")
            );
        }
        let Column { name, order, .. } = &columns[0];
        let equal = &order.equal;
        let parameter = &parameters[0];
        format!(
            "({name} {greater} {parameter} OR ({name} {equal} {parameter} AND {}))",
            self.behind(from + 1)
        )
    }
}

impl Column {
    fn of(table: &OpenRelation, attnum: i16, relation: &str) -> Column {
        let attributes = table.attributes();
        let Some(attribute) = attributes.get(attnum as usize - 1) else {
            broken(format!("table {relation} has lost column {attnum}"));
        };
        let name = String::from_utf8_lossy(name_of(&attribute.attname));
        let name = pgrx::spi::quote_identifier(name);
        // PostgreSQL 18 has NOT NULL constraints that old rows need not meet.
        let nullable = !attribute.attnotnull || compat::NOT_NULL_MAY_BE_INVALID;
        Column::new(
            &name,
            table::base_type(attribute.atttypid),
            nullable,
            relation,
        )
    }

    fn system(name: &str, oid: pg_sys::Oid, relation: &str) -> Column {
        Column::new(name, oid, false, relation)
    }

    fn new(name: &str, oid: pg_sys::Oid, nullable: bool, relation: &str) -> Column {
        let Some(order) = TypeOrder::of(oid) else {
            Failure::UnorderedKey.raise(
                format!(
                    "key column {name} of table {relation} is of type {}, which has no order",
                    table::type_name(oid)
                ),
                "name other columns in the trigger's argument 'pk=…'",
            );
        };
        Column {
            name: format!("t.{name}"),
            oid,
            nullable,
            order,
        }
    }
}

/// What the indexes of a table say of a key.
struct Index {
    /// One begins with the key's columns, in their order.
    ordered: bool,
    /// No two rows have one key.
    unique: bool,
}

impl Index {
    fn on(table: &OpenRelation, key: &[i16]) -> Index {
        let mut found = Index {
            ordered: false,
            unique: false,
        };
        for oid in table.index_oids() {
            let index = OpenRelation::index(oid, pg_sys::AccessShareLock);
            if !Index::orders_as_types_do(table, &index) {
                continue;
            }
            let Some(form) = index.index_form() else {
                continue;
            };
            let columns = index_columns(&index);
            let unique_columns = columns
                .iter()
                .take(form.indnkeyatts.max(0) as usize)
                .collect::<Vec<_>>();
            found.ordered |= columns.starts_with(key);
            found.unique |= form.indisunique
                && form.indimmediate
                && !unique_columns.is_empty()
                && unique_columns.iter().all(|column| key.contains(column));
        }
        found
    }

    /// Whether an index is a plain B-tree whose columns are compared as [`Keyset`] compares them.
    fn orders_as_types_do(table: &OpenRelation, index: &OpenRelation) -> bool {
        index.order_of_key().is_some_and(|columns| {
            columns
                .into_iter()
                .all(|(attnum, order)| table.order_of_column(attnum) == Some(order))
        })
    }
}
