//! A table with a chain of the older shape, and its rows in the order of `seq`.

use std::ffi::CString;

use auditspine_core::adopted::{Row, Storage, Variant};
use auditspine_core::finding::AdoptedKind;
use auditspine_core::hash::Hash;
use pgrx::pg_sys;

use crate::capture::audited;
use crate::error::{Failure, broken};
use crate::ledger::catalog::verbs_schema;
use crate::ledger::foreign_code::{self, Use};
use crate::pg::privilege::{self, expect_select};
use crate::pg::receiver::for_each_row;
use crate::pg::relation::{OpenRelation, name_of};
use crate::pg::table::{base_type, type_name};

/// Rows from which the variant is found out.
const SAMPLE: usize = 1000;

/// Why a relation is no such table.
pub struct Problem {
    /// What a verification calls it.
    pub kind: AdoptedKind,
    failure: Failure,
    /// What is wrong, in a sentence.
    pub message: String,
    hint: &'static str,
}

impl Problem {
    /// The table of that name is gone.
    pub fn missing(name: &str) -> Problem {
        Problem {
            kind: AdoptedKind::TableMissing,
            failure: Failure::UnknownTable,
            message: format!("there is no table {name} any more"),
            hint: "it was adopted under this name: restore it, or name it so again",
        }
    }
}

/// A table that has the columns of a chain.
pub struct Source {
    /// Keeps the table open.
    _table: OpenRelation,
    /// Schema and name, quoted where SQL needs it.
    pub name: String,
    /// As a query reads it.
    from: String,
    storage: Storage,
}

/// What the columns hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Integer,
    Hash,
    Anything,
}

const COLUMNS: [(&str, Holds); 7] = [
    ("seq", Holds::Integer),
    ("event_kind", Holds::Anything),
    ("event_pk", Holds::Anything),
    ("event_hash", Holds::Hash),
    ("prev_hash", Holds::Hash),
    ("chain_hash", Holds::Hash),
    ("appended_at", Holds::Anything),
];

const SHAPE: &str = "a chain that can be adopted is one table with the columns seq (integer), event_kind, event_pk, \
     event_hash, prev_hash, chain_hash (bytea, or hex digits in a text) and appended_at; a view may not stand in for it";

impl Source {
    /// Opens a table under a lock that is kept; an ERROR if it is not of that shape, or the caller may
    /// not read it.
    pub fn expect(oid: pg_sys::Oid, lock: u32) -> Source {
        expect_select(oid);
        Source::open(oid, lock)
            .unwrap_or_else(|problem| problem.failure.raise(problem.message, problem.hint))
    }

    /// Opens a table under a lock that is kept.
    pub fn open(oid: pg_sys::Oid, lock: u32) -> Result<Source, Problem> {
        let table = OpenRelation::table(oid, lock);
        let name = table.qualified();
        let problem = |failure, message| Problem {
            kind: AdoptedKind::ShapeChanged,
            failure,
            message,
            hint: SHAPE,
        };
        let is_table =
            [pg_sys::RELKIND_RELATION, pg_sys::RELKIND_PARTITIONED_TABLE].contains(&table.kind());
        if !is_table || table.is_system() || table.is_in_schema(c"auditspine") {
            return Err(problem(
                Failure::NotAuditable,
                format!("{name} is not a table with a chain of the older shape"),
            ));
        }
        let mut storages = Vec::new();
        let attributes = table.attributes();
        for (column, holds) in COLUMNS {
            let found = attributes.iter().find(|attribute| {
                !attribute.attisdropped && name_of(&attribute.attname) == column.as_bytes()
            });
            let Some(attribute) = found else {
                return Err(problem(
                    Failure::UnknownColumn,
                    format!("table {name} has no column \"{column}\""),
                ));
            };
            let type_oid = base_type(attribute.atttypid);
            let storage = match type_oid {
                pg_sys::BYTEAOID => Some(Storage::Bytea),
                pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Some(Storage::Text),
                _ => None,
            };
            let integer = [pg_sys::INT2OID, pg_sys::INT4OID, pg_sys::INT8OID].contains(&type_oid);
            let fits = match holds {
                Holds::Integer => integer,
                Holds::Hash => storage.is_some(),
                Holds::Anything => true,
            };
            if !fits {
                return Err(problem(
                    Failure::ColumnType,
                    format!(
                        "column \"{column}\" of table {name} has type {}",
                        type_name(attribute.atttypid)
                    ),
                ));
            }
            if holds == Holds::Hash {
                storages.extend(storage);
            }
        }
        let storage = storages[0];
        if storages.iter().any(|other| *other != storage) {
            return Err(problem(
                Failure::ColumnType,
                format!(
                    "columns event_hash, prev_hash and chain_hash of table {name} are not all bytea, nor all texts"
                ),
            ));
        }
        // A chain of which some rows are hidden would look cut.
        if privilege::is_limited(oid) {
            return Err(Problem {
                kind: AdoptedKind::RowsHidden,
                failure: Failure::RowsHidden,
                message: format!("row-level security may hide rows of table {name}"),
                hint: "verify as a role with BYPASSRLS, or as the owner where policies are not forced",
            });
        }
        for leaf in audited::leaves(oid, lock) {
            foreign_code::expect_none_for_caller(leaf, Use::Read);
        }
        foreign_code::expect_none_for_caller(oid, Use::Read);
        Ok(Source {
            from: if table.kind() == pg_sys::RELKIND_PARTITIONED_TABLE {
                name.clone()
            } else {
                format!("ONLY {name}")
            },
            _table: table,
            name,
            storage,
        })
    }

    /// How many rows there are.
    pub fn count(&self) -> u64 {
        let mut count = 0;
        let query = statement(format!("SELECT pg_catalog.count(*) FROM {}", self.from));
        for_each_row(&query, &[], &mut |row| {
            count = row.int8(0).map_or(0, |count| count.max(0) as u64);
        });
        count
    }

    /// Shows the rows in the order of `seq`, with the variant given, or found out; returns that one,
    /// or `None` if there are no rows. An ERROR if it cannot be found out.
    pub fn rows(
        &self,
        variant: Option<Variant>,
        show: &mut dyn FnMut(Variant, &Row),
    ) -> Option<Variant> {
        let hash = |column: &str| match self.storage {
            Storage::Bytea => format!("r.{column}"),
            Storage::Text => format!("pg_catalog.convert_to(r.{column}::pg_catalog.text, 'UTF8')"),
        };
        let query = statement(format!(
            "SELECT coalesce(r.seq::pg_catalog.int8, 9223372036854775807), {}, {}, {}, {}.canonical_row_hash(r) AS content \
             FROM (SELECT seq, event_kind, event_pk, event_hash, prev_hash, chain_hash, appended_at FROM {}) AS r \
             ORDER BY r.seq, content",
            hash("prev_hash"),
            hash("event_hash"),
            hash("chain_hash"),
            verbs_schema(),
            self.from
        ));
        let mut variant = variant;
        let mut sample = Vec::new();
        for_each_row(&query, &[], &mut |values| {
            pgrx::check_for_interrupts!();
            let row = Row {
                seq: values.int8(0).unwrap_or(i64::MAX),
                prev: values.bytes(1),
                event: values.bytes(2),
                chain: values.bytes(3),
                content: values.hash(4).unwrap_or(Hash::ZERO),
            };
            match variant {
                Some(variant) => show(variant, &row),
                None => {
                    sample.push(row);
                    if sample.len() == SAMPLE {
                        variant = Some(self.found_out(&mut sample, show));
                    }
                }
            }
        });
        if !sample.is_empty() {
            variant = Some(self.found_out(&mut sample, show));
        }
        variant
    }

    fn found_out(&self, sample: &mut Vec<Row>, show: &mut dyn FnMut(Variant, &Row)) -> Variant {
        let Some(variant) = Variant::detect(self.storage, sample) else {
            Failure::NotAChain.raise(
                format!(
                    "no row of the first {} of table {} has a chain_hash that is SHA-256 of prev_hash, event_hash and seq in any known form",
                    sample.len(),
                    self.name
                ),
                "known are bytes or hex digits for the hashes, and 8 bytes big-endian or decimal digits for seq",
            );
        };
        for row in sample.drain(..) {
            show(variant, &row);
        }
        variant
    }
}

fn statement(text: String) -> CString {
    CString::new(text).unwrap_or_else(|_| broken("a name holds a zero byte".to_owned()))
}
