//! A trigger that was fired on one of the tables of a ProofSpine schema: the row, the tables beside it, and
//! statements on them, with the rights of the table's owner.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use crate::error::Failure;
use crate::ledger::foreign_code::{self, Use};
use crate::ledger::owner::as_table_owner_writing;
use crate::ledger::text_rows::{Texts, text_arguments, texts};
use crate::pg::arena::DatumArena;
use crate::pg::heap::Tuple;
use crate::pg::relation::OpenRelation;
use crate::pg::trigger_call::{Call, Operation};
use crate::pg::{saved_plans, table};
use crate::spine::schema;

/// What to do about a trigger that is declared otherwise.
pub const HINT: &str =
    "create_proof_spine_schema() makes these triggers; see how they are declared there";

/// How the trigger is declared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// FOR EACH ROW
    Row,
    /// FOR EACH STATEMENT
    Statement,
}

/// A fired trigger.
pub struct Fired<'a> {
    call: Call<'a>,
    function: &'static str,
    /// Quoted where SQL needs it.
    schema: String,
    table: OpenRelation,
}

impl<'a> Fired<'a> {
    /// Of the call of a function of this name; 39P01 unless its trigger fires AFTER at this level.
    pub fn new(call: Call<'a>, function: &'static str, level: Level) -> Fired<'a> {
        let is_declared = call.is_for_row() == (level == Level::Row) && call.is_after();
        let relation = call.relation();
        let fired = Fired {
            schema: relation.quoted_schema(),
            table: OpenRelation::table(relation.oid(), pg_sys::AccessShareLock),
            call,
            function,
        };
        if !is_declared {
            fired.misplaced();
        }
        fired
    }

    /// Raises 39P01: the trigger is not declared as its function needs.
    pub fn misplaced(&self) -> ! {
        Failure::TriggerProtocol.raise(
            format!(
                "trigger on table {} does not fire as {}() needs",
                self.table.qualified(),
                self.function
            ),
            HINT,
        )
    }

    /// What happened.
    pub fn event(&self) -> Operation {
        self.call.operation()
    }

    /// The schema of the table, quoted where SQL needs it.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The trigger's only argument.
    pub fn argument(&self) -> String {
        match <[String; 1]>::try_from(self.call.arguments()) {
            Ok([argument]) => argument,
            Err(_) => self.misplaced(),
        }
    }

    /// Whether the trigger has transition tables: of what was there, of what is there.
    pub fn transitions(&self) -> (bool, bool) {
        let data = self.call.data();
        (!data.tg_oldtable.is_null(), !data.tg_newtable.is_null())
    }

    /// A column of the row as it was; only of an UPDATE or DELETE.
    pub fn old(&self, column: &CStr) -> Option<String> {
        self.value(self.call.old_row(), column)
    }

    /// A column of the row as it is; only of an INSERT or UPDATE.
    pub fn new_row(&self, column: &CStr) -> Option<String> {
        self.value(self.call.new_row(), column)
    }

    fn value(&self, row: Option<Tuple<'_>>, column: &CStr) -> Option<String> {
        let row = row.unwrap_or_else(|| self.misplaced());
        row.text_of(column).unwrap_or_else(|| {
            Failure::UnknownColumn.raise(
                format!(
                    "table {} has no column \"{}\", which {}() needs",
                    self.table.qualified(),
                    column.to_string_lossy(),
                    self.function
                ),
                "this trigger belongs on the tables that create_proof_spine_schema() makes",
            )
        })
    }

    /// Number of the command, within this transaction, that wrote the row as it is.
    pub fn command(&self) -> pg_sys::CommandId {
        self.call
            .command_of_new_row()
            .unwrap_or_else(|| self.misplaced())
    }

    /// Raises 42501 unless the tables beside this one that the statement names are plain tables of the same
    /// owner's, without code of others: the owner of the schema may have put others in their place. They stay
    /// what they are until the transaction ends.
    fn expect_own(&self, statement: &str) {
        let owner = self.table.owner();
        for name in schema::NAMES {
            let named = statement.split("{}.").skip(1).any(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
                &rest[..end.unwrap_or(rest.len())] == *name
            });
            if !named {
                continue;
            }
            let text = CString::new(*name).unwrap_or_default();
            let beside = table::oid_in(self.table.schema(), &text);
            if beside == pg_sys::InvalidOid {
                // The statement's own error tells of it.
                continue;
            }
            let lock = pg_sys::RowExclusiveLock;
            let table = OpenRelation::table(beside, lock);
            if table.kind() != pg_sys::RELKIND_RELATION || table.owner() != owner {
                Failure::ForeignCode.raise(
                    format!(
                        "{} is no plain table, or is not owned by the owner of {}, with whose rights it would be used",
                        table.qualified(),
                        self.table.qualified()
                    ),
                    "all tables of spines in a schema belong to one role: ALTER TABLE … OWNER TO …",
                );
            }
            foreign_code::expect_none(beside, owner, Use::Write);
        }
    }

    /// Runs a statement on the tables beside this one, as the owner of this one, and returns its rows, all
    /// columns of which are texts. `{}` stands for the schema, `$1` … for texts, `old_rows` and `new_rows`
    /// for the transition tables.
    pub fn run(&self, statement: &str, arguments: &[Option<&str>]) -> Vec<Texts> {
        self.expect_own(statement);
        let statement = statement.replace("{}", &self.schema);
        let mut arena = DatumArena::default();
        let arguments = text_arguments(arguments, &mut arena);
        let mut rows = Vec::new();
        as_table_owner_writing(&self.table, || {
            saved_plans::run_in_trigger(&self.call, &statement, &arguments, |row| {
                rows.push(texts(row));
            });
        });
        rows
    }
}

/// The row of a trigger that fires BEFORE INSERT, with a number in one of its columns, an integer; 39P01 if
/// the trigger is another.
pub fn with_number(call: &Call<'_>, column: &CStr, number: i32) -> pg_sys::Datum {
    if !(call.is_before() && call.is_for_row() && call.operation() == Operation::Insert) {
        Failure::TriggerProtocol
            .raise("the trigger does not fire BEFORE INSERT FOR EACH ROW", HINT);
    }
    call.new_row_with(column, number).unwrap_or_else(|| {
        Failure::UnknownColumn.raise(
            format!(
                "the table has no column \"{}\" of type integer",
                column.to_string_lossy()
            ),
            HINT,
        )
    })
}
