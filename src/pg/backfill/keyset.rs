//! The rows of a table in the order of their key, page by page.
//!
//! A page begins behind the last row of the page before, by comparison of the key's columns, with the
//! operators that order their types and with values that are passed on as they lie: exact for every
//! type that can be ordered, whatever its text looks like. Where no unique index says that a key names
//! one row, the row's place breaks ties; rows that change theirs are recorded by the trigger.

use std::ffi::CStr;
use std::fmt::Write;

use pgrx::pg_sys;

use crate::pg::compat;

use crate::error::Failure;
use crate::pg::relation::{OpenRelation, index_columns, name_of};
use crate::pg::varlena::Varlena;

/// Rows of a page, where an index finds its beginning.
const PAGE: usize = 1000;

/// A column that rows are ordered by.
struct Column {
    /// With its table's alias, quoted.
    name: String,
    /// Type of the values that it is compared with.
    oid: pg_sys::Oid,
    by_value: bool,
    length: i16,
    nullable: bool,
    /// Operators, as SQL.
    less: String,
    greater: String,
    equal: String,
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

/// One value of a key, owned.
enum Value {
    Plain(pg_sys::Datum),
    /// Bytes that the datum refers to, aligned.
    Bytes(Box<[u64]>),
}

/// Where a row stands in the order: the values of its columns.
pub struct Position(Vec<Value>);

impl Position {
    /// The values, valid while `self` lives.
    pub fn datums(&self) -> Vec<pg_sys::Datum> {
        self.0
            .iter()
            .map(|value| match value {
                Value::Plain(datum) => *datum,
                Value::Bytes(bytes) => pg_sys::Datum::from(bytes.as_ptr()),
            })
            .collect()
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
            let _ = write!(query, "{word}{} USING {}", column.name, column.less);
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
            let _ = write!(query, "{word}{} {} ${parameter}", column.name, column.equal);
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

    /// The position that a row of a query's result has; `values` are those behind the first two.
    pub fn position(&self, values: &[Option<pg_sys::Datum>]) -> Position {
        let values = self.columns.iter().zip(values).map(|(column, value)| {
            let datum = value.unwrap_or(pg_sys::Datum::null());
            // SAFETY: the datum is a non-null value of the column's type, whose length this is.
            unsafe { copied(datum, column.by_value, column.length) }
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
        let greater = &columns[0].greater;
        if columns.len() == 1 {
            return format!("{} {greater} {}", columns[0].name, parameters[0]);
        }
        if columns.iter().all(|column| column.greater == *greater) {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            return format!(
                "ROW({}) {greater} ROW({})",
                names.join(", "),
                parameters.join(", ")
            );
        }
        let Column { name, equal, .. } = &columns[0];
        let parameter = &parameters[0];
        format!(
            "({name} {greater} {parameter} OR ({name} {equal} {parameter} AND {}))",
            self.behind(from + 1)
        )
    }
}

impl Column {
    fn of(table: &OpenRelation, attnum: i16, relation: &str) -> Column {
        // SAFETY: the descriptor is that of an open relation, and attnum one of its columns.
        let desc = unsafe { pgrx::PgTupleDesc::from_pg_unchecked(table.tuple_desc()) };
        let Some(attribute) = desc.get(attnum as usize - 1) else {
            crate::error::broken(format!("table {relation} has lost column {attnum}"));
        };
        // SAFETY: looks up the type of a column; the strings are palloc'd copies.
        let (oid, name) = unsafe {
            let name = pg_sys::quote_identifier(attribute.attname.data.as_ptr());
            (
                pg_sys::getBaseType(attribute.atttypid),
                CStr::from_ptr(name).to_string_lossy().into_owned(),
            )
        };
        Column {
            name: format!("t.{name}"),
            // PostgreSQL 18 has NOT NULL constraints that old rows need not meet.
            nullable: !attribute.attnotnull || compat::NOT_NULL_MAY_BE_INVALID,
            ..Column::of_type(oid, &name, relation)
        }
    }

    fn system(name: &str, oid: pg_sys::Oid, relation: &str) -> Column {
        Column {
            name: format!("t.{name}"),
            ..Column::of_type(oid, name, relation)
        }
    }

    fn of_type(oid: pg_sys::Oid, name: &str, relation: &str) -> Column {
        let wanted = pg_sys::TYPECACHE_LT_OPR | pg_sys::TYPECACHE_GT_OPR | pg_sys::TYPECACHE_EQ_OPR;
        // SAFETY: looks up an existing type.
        let entry = unsafe { &*pg_sys::lookup_type_cache(oid, wanted as i32) };
        let operators = [entry.lt_opr, entry.gt_opr, entry.eq_opr];
        if operators.contains(&pg_sys::InvalidOid) {
            // SAFETY: as above; the text is palloc'd.
            let of_type = unsafe { CStr::from_ptr(pg_sys::format_type_be(oid)) };
            Failure::UnorderedKey.raise(
                format!(
                    "key column {name} of table {relation} is of type {}, which has no order",
                    of_type.to_string_lossy()
                ),
                "name other columns in the trigger's argument 'pk=…'",
            );
        }
        let [less, greater, equal] = operators.map(operator);
        Column {
            name: String::new(),
            oid,
            by_value: entry.typbyval,
            length: entry.typlen,
            nullable: false,
            less,
            greater,
            equal,
        }
    }
}

/// An operator as SQL, whatever the search path.
fn operator(oid: pg_sys::Oid) -> String {
    // SAFETY: looks up an existing operator; the strings are copied before it is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::OPEROID as i32,
            pg_sys::Datum::from(oid),
        );
        if tuple.is_null() {
            crate::error::broken(format!("there is no operator {oid:?}"));
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_operator>();
        let schema = pg_sys::get_namespace_name(form.oprnamespace);
        let text = format!(
            "OPERATOR({}.{})",
            CStr::from_ptr(pg_sys::quote_identifier(schema)).to_string_lossy(),
            String::from_utf8_lossy(name_of(&form.oprname))
        );
        pg_sys::ReleaseSysCache(tuple);
        text
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
            let columns = index_columns(&index);
            // SAFETY: rd_index of an open index is set.
            let form = unsafe { &*(*index.raw()).rd_index };
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
        // SAFETY: rd_index and rd_rel of an open index are set, the other arrays have a member per
        // key column; the descriptor is that of the open table.
        unsafe {
            let raw = index.raw();
            let form = &*(*raw).rd_index;
            let plain = form.indisvalid
                && (*(*raw).rd_rel).relam == pg_sys::BTREE_AM_OID
                && !index.is_partial();
            // A partitioned table's index is of a B-tree, too, and has no operators of its own.
            let desc = pgrx::PgTupleDesc::from_pg_unchecked(table.tuple_desc());
            plain
                && index_columns(index)
                    .iter()
                    .take(form.indnkeyatts.max(0) as usize)
                    .enumerate()
                    .all(|(at, column)| {
                        let Some(attribute) = usize::try_from(i32::from(*column) - 1)
                            .ok()
                            .and_then(|at| desc.get(at))
                        else {
                            return false;
                        };
                        let entry = pg_sys::lookup_type_cache(
                            attribute.atttypid,
                            pg_sys::TYPECACHE_BTREE_OPFAMILY as i32,
                        );
                        (*entry).btree_opf == *(*raw).rd_opfamily.add(at)
                            && attribute.attcollation == *(*raw).rd_indcollation.add(at)
                    })
        }
    }
}

/// # Safety
/// `datum` is a valid non-null value of a type of this length.
unsafe fn copied(datum: pg_sys::Datum, by_value: bool, length: i16) -> Value {
    if by_value {
        return Value::Plain(datum);
    }
    // SAFETY: the caller's; a varlena is taken apart from its toasted form first, and its bytes are
    // copied before that is freed.
    unsafe {
        match length {
            -1 => {
                let whole = Varlena::packed(datum);
                let start = whole.as_ptr().cast::<u8>().cast_const();
                let size = pgrx::varlena::varsize_any(start.cast());
                Value::Bytes(words(std::slice::from_raw_parts(start, size)))
            }
            -2 => {
                let text = CStr::from_ptr(datum.cast_mut_ptr());
                Value::Bytes(words(text.to_bytes_with_nul()))
            }
            _ => {
                let start = datum.cast_mut_ptr::<u8>().cast_const();
                Value::Bytes(words(std::slice::from_raw_parts(
                    start,
                    length.max(0) as usize,
                )))
            }
        }
    }
}

/// Bytes at an address that suits every type.
fn words(bytes: &[u8]) -> Box<[u64]> {
    bytes
        .chunks(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        })
        .collect()
}
