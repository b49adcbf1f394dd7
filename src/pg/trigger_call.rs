//! What PostgreSQL hands to a trigger function.

use std::ffi::CStr;
use std::marker::PhantomData;

use pgrx::pg_sys;

use super::heap::Tuple;
use super::relation::OpenRelation;
use super::row_json::{self, DeformedRow};
use super::trigger;
use crate::error::Failure;

/// What fired a trigger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// INSERT
    Insert,
    /// DELETE
    Delete,
    /// UPDATE
    Update,
    /// TRUNCATE
    Truncate,
}

/// What PostgreSQL hands to a trigger function, as long as that runs.
pub struct Call<'a> {
    data: *mut pg_sys::TriggerData,
    running: PhantomData<&'a ()>,
}

impl<'a> Call<'a> {
    /// The call behind the arguments of a function of this name; an ERROR with a hint of how the trigger is to be
    /// made, if it was not called as one.
    ///
    /// # Safety
    /// `fcinfo` must be what PostgreSQL passed to the running function, which ends after `'a`.
    pub unsafe fn expect(fcinfo: pg_sys::FunctionCallInfo, function: &str, hint: &str) -> Call<'a> {
        // SAFETY: the caller passes a valid fcinfo; a non-null context is a Node.
        let context = unsafe { (*fcinfo).context };
        // SAFETY: as above.
        if context.is_null() || unsafe { (*context).type_ } != pg_sys::NodeTag::T_TriggerData {
            Failure::TriggerProtocol
                .raise(format!("{function}() was not called as a trigger"), hint);
        }
        Call {
            data: context.cast(),
            running: PhantomData,
        }
    }

    /// What PostgreSQL handed over.
    pub(super) fn raw(&self) -> *mut pg_sys::TriggerData {
        self.data
    }

    /// The same, to be read.
    pub fn data(&self) -> &pg_sys::TriggerData {
        // SAFETY: `new` checked the node's type; PostgreSQL keeps it for the length of the call.
        unsafe { &*self.data }
    }

    /// What fired the trigger.
    #[inline]
    pub fn operation(&self) -> Operation {
        match self.data().tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => Operation::Insert,
            pg_sys::TRIGGER_EVENT_DELETE => Operation::Delete,
            pg_sys::TRIGGER_EVENT_UPDATE => Operation::Update,
            _ => Operation::Truncate,
        }
    }

    /// Whether it fires for each row, not for the statement.
    #[inline]
    pub fn is_for_row(&self) -> bool {
        self.data().tg_event & pg_sys::TRIGGER_EVENT_ROW != 0
    }

    /// Whether it fires after the change.
    #[inline]
    pub fn is_after(&self) -> bool {
        self.timing() == pg_sys::TRIGGER_EVENT_AFTER
    }

    /// Whether it fires before the change.
    pub fn is_before(&self) -> bool {
        self.timing() == pg_sys::TRIGGER_EVENT_BEFORE
    }

    #[inline]
    fn timing(&self) -> u32 {
        self.data().tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK
    }

    /// The row as it was, in a row trigger of an UPDATE or DELETE.
    pub fn old_row(&self) -> Option<Tuple<'_>> {
        match self.operation() {
            Operation::Update | Operation::Delete => self.tuple(self.data().tg_trigtuple),
            Operation::Insert | Operation::Truncate => None,
        }
    }

    /// The row as it is to be or has become, in a row trigger of an INSERT or UPDATE.
    pub fn new_row(&self) -> Option<Tuple<'_>> {
        match self.operation() {
            Operation::Insert => self.tuple(self.data().tg_trigtuple),
            Operation::Update => self.tuple(self.data().tg_newtuple),
            Operation::Delete | Operation::Truncate => None,
        }
    }

    fn tuple(&self, tuple: pg_sys::HeapTuple) -> Option<Tuple<'_>> {
        // SAFETY: a row of the call's relation, both of which stay during the call.
        (!tuple.is_null()).then(|| unsafe { Tuple::new(tuple, self.desc()) })
    }

    /// Number of the command, within this transaction, that wrote the new row; only in a row trigger that fires
    /// after an INSERT or UPDATE.
    pub fn command_of_new_row(&self) -> Option<pg_sys::CommandId> {
        let row = self.new_row().filter(|_| self.is_after())?;
        // SAFETY: the row was written by this transaction: an AFTER trigger fires in it, at the latest at its
        // commit.
        Some(unsafe { row.command() })
    }

    /// The new row with a number in one of its columns, for a trigger that fires before; `None` if it has no such
    /// column of type integer, or there is no new row.
    pub fn new_row_with(&self, column: &CStr, number: i32) -> Option<pg_sys::Datum> {
        self.new_row()?.with_int4(column, number)
    }

    /// The trigger.
    pub fn trigger(&self) -> &pg_sys::Trigger {
        // SAFETY: a trigger call names its trigger.
        unsafe { &*self.data().tg_trigger }
    }

    /// Its arguments.
    pub fn arguments(&self) -> Vec<String> {
        // SAFETY: the trigger is one of the relation's cache.
        unsafe { trigger::arguments(self.trigger()) }
    }

    /// The relation whose trigger was fired.
    pub fn relation(&self) -> OpenRelation {
        // SAFETY: the call's relation is open during the call.
        unsafe { OpenRelation::borrow(self.data().tg_relation) }
    }

    /// Its row type.
    pub fn desc(&self) -> pg_sys::TupleDesc {
        self.relation().tuple_desc()
    }

    /// Its name without the schema.
    pub fn table(&self) -> String {
        self.relation().name()
    }

    /// In an UPDATE's row trigger, whether both rows lie alike in memory.
    pub fn is_same_row(&self) -> bool {
        let data = self.data();
        if data.tg_trigtuple.is_null() || data.tg_newtuple.is_null() {
            return false;
        }
        // SAFETY: both are there, and of the relation's type.
        unsafe { row_json::is_same_tuple(data.tg_trigtuple, data.tg_newtuple) }
    }

    /// Takes the rows of a row trigger apart, those that its operation has; they are valid during the call.
    pub fn load_rows(&self, old: &mut DeformedRow, new: &mut DeformedRow) {
        let data = self.data();
        let (before, after) = match self.operation() {
            Operation::Insert => (None, Some(data.tg_trigtuple)),
            Operation::Delete => (Some(data.tg_trigtuple), None),
            Operation::Update | Operation::Truncate => {
                (Some(data.tg_trigtuple), Some(data.tg_newtuple))
            }
        };
        for (row, tuple) in [(old, before), (new, after)] {
            if let Some(tuple) = tuple.filter(|tuple| !tuple.is_null()) {
                // SAFETY: in a row trigger tg_trigtuple is the new row of an INSERT, the old row of
                // an UPDATE or DELETE, and tg_newtuple the new row of an UPDATE; all of the
                // relation's type.
                unsafe { row.load(tuple, self.desc()) };
            }
        }
    }
}
