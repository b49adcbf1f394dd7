//! A trigger that was fired on one of the tables of a ProofSpine schema: the row, the tables beside it, and
//! statements on them, with the rights of the table's owner.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use super::arena::DatumArena;
use super::relation::OpenRelation;
use super::saved_plans;
use super::text_rows::{Texts, text_arguments, texts};
use super::trigger_call::Call;
use crate::error::Failure;
use crate::ledger::foreign_code::{self, Use};
use crate::ledger::owner::as_table_owner_writing;
use crate::spine::schema;

/// What to do about a trigger that is declared otherwise.
pub const HINT: &str =
    "create_proof_spine_schema() makes these triggers; see how they are declared there";

/// What fired the trigger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// INSERT
    Insert,
    /// DELETE
    Delete,
    /// UPDATE
    Update,
    /// TRUNCATE
    Truncate,
}

/// How the trigger is declared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// FOR EACH ROW
    Row,
    /// FOR EACH STATEMENT
    Statement,
}

/// A fired trigger.
pub struct Fired {
    call: Call,
    function: &'static str,
    /// Quoted where SQL needs it.
    schema: String,
    table: OpenRelation,
}

impl Fired {
    /// Of the call of a function of this name; 39P01 unless its trigger fires AFTER at this level.
    pub fn new(call: Call, function: &'static str, level: Level) -> Fired {
        const ROW: u32 = 4;
        const TIMING: u32 = 0x18;
        let event = call.data().tg_event;
        let is_row = event & ROW != 0;
        // SAFETY: the call's relation is open, and its schema there.
        let (schema, oid) = unsafe {
            let relation = call.data().tg_relation;
            let name = pg_sys::get_namespace_name((*(*relation).rd_rel).relnamespace);
            let quoted = pg_sys::quote_identifier(name);
            (
                CStr::from_ptr(quoted).to_string_lossy().into_owned(),
                (*relation).rd_id,
            )
        };
        let fired = Fired {
            call,
            function,
            schema,
            table: OpenRelation::table(oid, pg_sys::AccessShareLock),
        };
        if is_row != (level == Level::Row) || event & TIMING != 0 {
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
    pub fn event(&self) -> Event {
        const OPERATION: u32 = 3;
        match self.call.data().tg_event & OPERATION {
            0 => Event::Insert,
            1 => Event::Delete,
            2 => Event::Update,
            _ => Event::Truncate,
        }
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
        self.value(self.call.data().tg_trigtuple, column)
    }

    /// A column of the row as it is; only of an INSERT or UPDATE.
    pub fn new_row(&self, column: &CStr) -> Option<String> {
        self.value(self.new_tuple(), column)
    }

    fn new_tuple(&self) -> pg_sys::HeapTuple {
        let data = self.call.data();
        match self.event() {
            Event::Update => data.tg_newtuple,
            _ => data.tg_trigtuple,
        }
    }

    fn value(&self, tuple: pg_sys::HeapTuple, column: &CStr) -> Option<String> {
        if tuple.is_null() {
            self.misplaced();
        }
        // SAFETY: the tuple is a row of the call's relation; the text is palloc'd, or null.
        unsafe {
            let desc = self.call.desc();
            let number = pg_sys::SPI_fnumber(desc, column.as_ptr());
            if number == pg_sys::SPI_ERROR_NOATTRIBUTE {
                Failure::UnknownColumn.raise(
                    format!(
                        "table {} has no column \"{}\", which {}() needs",
                        self.table.qualified(),
                        column.to_string_lossy(),
                        self.function
                    ),
                    "this trigger belongs on the tables that create_proof_spine_schema() makes",
                );
            }
            let text = pg_sys::SPI_getvalue(tuple, desc, number);
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }

    /// Number of the command, within this transaction, that wrote the row as it is.
    pub fn command(&self) -> pg_sys::CommandId {
        // SAFETY: the row was written by this transaction: an AFTER trigger fires in it at the latest at
        // its commit.
        unsafe { pg_sys::HeapTupleHeaderGetCmin((*self.new_tuple()).t_data) }
    }

    /// Raises 42501 unless the tables beside this one that the statement names are plain tables of the same
    /// owner's, without code of others: the owner of the schema may have put others in their place. They stay
    /// what they are until the transaction ends.
    fn expect_own(&self, statement: &str) {
        // SAFETY: rd_rel of an open relation is set.
        let (schema, owner) = unsafe {
            let form = (*self.table.raw()).rd_rel;
            ((*form).relnamespace, (*form).relowner)
        };
        for name in schema::NAMES {
            let named = statement.split("{}.").skip(1).any(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
                &rest[..end.unwrap_or(rest.len())] == *name
            });
            if !named {
                continue;
            }
            let text = CString::new(*name).unwrap_or_default();
            // SAFETY: looks up a relation by a NUL-terminated name.
            let beside = unsafe { pg_sys::get_relname_relid(text.as_ptr(), schema) };
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
            // SAFETY: the data is that of the running trigger.
            unsafe {
                saved_plans::run_in_trigger(self.call.raw(), &statement, &arguments, |row| {
                    rows.push(texts(row));
                });
            }
        });
        rows
    }
}

/// The row of a trigger that fires BEFORE INSERT, with a number in one of its columns, an integer; 39P01 if
/// the trigger is another.
pub fn with_number(call: &Call, column: &CStr, number: i32) -> pg_sys::Datum {
    /// TRIGGER_EVENT_INSERT, _ROW and _BEFORE.
    const BEFORE_INSERT: u32 = 0x0c;
    let data = call.data();
    if data.tg_event & 0x1f != BEFORE_INSERT {
        Failure::TriggerProtocol
            .raise("the trigger does not fire BEFORE INSERT FOR EACH ROW", HINT);
    }
    // SAFETY: such a trigger has a row of the call's relation; each array has one member.
    unsafe {
        let desc = call.desc();
        let mut place = pg_sys::SPI_fnumber(desc, column.as_ptr());
        let is_integer = place > 0 && pg_sys::SPI_gettypeid(desc, place) == pg_sys::INT4OID;
        if !is_integer {
            Failure::UnknownColumn.raise(
                format!(
                    "the table has no column \"{}\" of type integer",
                    column.to_string_lossy()
                ),
                HINT,
            );
        }
        let mut value = pg_sys::Datum::from(number);
        let mut null = false;
        pg_sys::Datum::from(pg_sys::heap_modify_tuple_by_cols(
            data.tg_trigtuple,
            desc,
            1,
            &mut place,
            &mut value,
            &mut null,
        ))
    }
}
