//! What is known of the cells of a table, by when what happened.

use std::collections::{BTreeMap, BTreeSet};

/// A type that columns have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Integer,
    Bigint,
    Numeric,
    Scaled,
    Double,
    Boolean,
    Date,
    Timestamp,
    Text,
    Varchar,
}

impl Type {
    pub const FIRST: [Type; 7] = [
        Type::Integer,
        Type::Bigint,
        Type::Numeric,
        Type::Boolean,
        Type::Date,
        Type::Text,
        Type::Scaled,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Type::Integer => "integer",
            Type::Bigint => "bigint",
            Type::Numeric => "numeric",
            Type::Scaled => "numeric(12,3)",
            Type::Double => "double precision",
            Type::Boolean => "boolean",
            Type::Date => "date",
            Type::Timestamp => "timestamp",
            Type::Text => "text",
            Type::Varchar => "varchar(40)",
        }
    }

    /// A value of so few that some come again.
    pub fn value(self, dice: u64) -> String {
        match self {
            Type::Integer | Type::Bigint | Type::Double => (dice % 4).to_string(),
            Type::Numeric => ["0", "1.0", "1.00", "2.5"][dice as usize % 4].to_owned(),
            Type::Scaled => ["0", "1", "1.5", "2.125"][dice as usize % 4].to_owned(),
            Type::Boolean => ["false", "true"][dice as usize % 2].to_owned(),
            Type::Date | Type::Timestamp => format!("'2026-01-0{}'", 1 + dice % 4),
            Type::Text | Type::Varchar => format!("'{}'", dice % 4),
        }
    }

    /// Types that PostgreSQL converts it to by itself, and whether what a value read like can be told then.
    pub fn conversions(self) -> &'static [(Type, bool)] {
        match self {
            Type::Integer => &[
                (Type::Bigint, true),
                (Type::Numeric, true),
                (Type::Scaled, true),
                (Type::Double, true),
                (Type::Text, true),
                (Type::Varchar, true),
            ],
            Type::Bigint => &[
                (Type::Integer, true),
                (Type::Numeric, true),
                (Type::Double, false),
                (Type::Text, true),
            ],
            Type::Numeric => &[
                (Type::Integer, false),
                (Type::Scaled, false),
                (Type::Text, false),
            ],
            Type::Scaled => &[(Type::Numeric, true), (Type::Double, false)],
            Type::Double => &[(Type::Text, false), (Type::Numeric, false)],
            Type::Boolean => &[(Type::Text, true), (Type::Varchar, true)],
            Type::Date => &[(Type::Timestamp, true), (Type::Text, false)],
            Type::Timestamp => &[(Type::Date, false), (Type::Varchar, false)],
            Type::Text => &[(Type::Varchar, false)],
            Type::Varchar => &[(Type::Text, true)],
        }
    }
}

/// A column that the table has, or had.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub of_type: Type,
    pub added: u64,
    /// Whether what it read in rows that were there is known.
    pub default_is_known: bool,
    /// When its values may have changed without a write.
    pub doubts: Vec<u64>,
    /// When it was left out, and until when.
    pub out: Vec<(u64, u64)>,
    pub dropped: Option<u64>,
    /// Rows that held a null when it was dropped.
    pub nulls: BTreeSet<i32>,
    /// Rows whose cell had been attacked by then.
    pub attacked: BTreeSet<i32>,
}

impl Column {
    fn existed(&self, at: u64) -> bool {
        self.added < at && self.dropped.is_none_or(|dropped| at < dropped)
    }

    fn is_out(&self, at: u64) -> bool {
        self.out
            .iter()
            .any(|(from, until)| *from < at && at < *until)
    }

    pub fn is_hashed(&self) -> bool {
        self.out.last().is_none_or(|(_, until)| *until != u64::MAX)
    }

    fn doubted_since(&self, at: u64) -> bool {
        self.doubts.iter().any(|doubt| at < *doubt)
    }
}

/// A row, as far as anybody may know of it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// When it was recorded last.
    pub recorded: u64,
    /// Whether it is kept there.
    pub kept: bool,
    /// When it was written last without an entry.
    pub touched: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub columns: Vec<Column>,
    pub rows: BTreeMap<i32, Row>,
    /// When the table was rewritten last.
    pub rewritten: u64,
}

/// What is known of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The entry covers it, or what it was filled with is known: a difference is proved, where its row proves anything.
    Recorded,
    /// So it is by itself, whatever the row proves.
    Filled,
    /// The entry covers it, and it may have changed since.
    Doubtful,
    /// Nothing vouches for it.
    Unwatched,
    /// It is left out, and was.
    LeftOut,
}

impl Model {
    pub fn present(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| column.dropped.is_none())
    }

    /// Whether a cell that the entry covers was attacked before its column was dropped.
    pub fn attacked_before(&self, id: i32, row: &Row) -> bool {
        let at = row.recorded;
        self.columns.iter().any(|column| {
            let dropped_since = column.dropped.is_some_and(|dropped| at < dropped);
            dropped_since
                && column.existed(at)
                && !column.is_out(at)
                && column.attacked.contains(&id)
        })
    }

    pub fn cell(&self, row: &Row, column: &Column) -> Cell {
        let at = row.recorded;
        let covered = column.existed(at) && !column.is_out(at);
        if covered {
            return if column.doubted_since(at) {
                Cell::Doubtful
            } else {
                Cell::Recorded
            };
        }
        if !column.is_hashed() {
            return Cell::LeftOut;
        }
        let known = at < column.added && column.default_is_known;
        if known && !column.doubted_since(column.added) {
            Cell::Filled
        } else {
            Cell::Unwatched
        }
    }

    /// Whether a difference in what the entry covers is proved by its hash.
    pub fn hash_proves(&self, id: i32, row: &Row) -> bool {
        let at = row.recorded;
        self.columns
            .iter()
            .filter(|column| column.existed(at) && !column.is_out(at))
            .all(|column| {
                !column.doubted_since(at)
                    && column.dropped.is_none_or(|dropped| {
                        row.touched < dropped
                            && self.rewritten < dropped
                            && !column.nulls.contains(&id)
                    })
            })
    }

    /// Whether the hash can be computed, and no other comes of it than the recorded one if nobody attacked the row.
    pub fn hash_is_exact(&self, id: i32, row: &Row) -> bool {
        let at = row.recorded;
        self.columns
            .iter()
            .filter(|column| column.existed(at) && !column.is_out(at))
            .all(|column| {
                !column.doubted_since(at)
                    && column.dropped.is_none_or(|dropped| {
                        column.nulls.contains(&id)
                            || row.touched < dropped && self.rewritten < dropped
                    })
            })
    }
}
