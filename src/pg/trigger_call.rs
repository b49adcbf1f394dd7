//! What PostgreSQL hands to a trigger function.

use pgrx::pg_sys;

use super::relation::OpenRelation;
use super::row_json::{self, DeformedRow};
use super::trigger;
use crate::error::Failure;

/// How triggers that record changes are to be made.
pub const TIMING_HINT: &str = "declare it AFTER INSERT OR UPDATE OR DELETE … FOR EACH ROW, and AFTER \
                           TRUNCATE … FOR EACH STATEMENT";

/// What PostgreSQL hands to a trigger function.
pub struct Call {
    data: *mut pg_sys::TriggerData,
}

impl Call {
    /// The call behind the arguments of a function of this name; an ERROR with a hint of how the trigger is to be
    /// made, if it was not called as one.
    ///
    /// # Safety
    /// `fcinfo` must be what PostgreSQL passed to the running function.
    pub unsafe fn expect(fcinfo: pg_sys::FunctionCallInfo, function: &str, hint: &str) -> Call {
        // SAFETY: the caller passes a valid fcinfo; a non-null context is a Node.
        let context = unsafe { (*fcinfo).context };
        // SAFETY: as above.
        if context.is_null() || unsafe { (*context).type_ } != pg_sys::NodeTag::T_TriggerData {
            Failure::TriggerProtocol
                .raise(format!("{function}() was not called as a trigger"), hint);
        }
        Call {
            data: context.cast(),
        }
    }

    /// What PostgreSQL handed over.
    pub fn raw(&self) -> *mut pg_sys::TriggerData {
        self.data
    }

    /// The same, to be read.
    pub fn data(&self) -> &pg_sys::TriggerData {
        // SAFETY: `new` checked the node's type; PostgreSQL keeps it for the length of the call.
        unsafe { &*self.data }
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
        let (before, after) = match data.tg_event & 3 {
            0 => (None, Some(data.tg_trigtuple)),
            1 => (Some(data.tg_trigtuple), None),
            _ => (Some(data.tg_trigtuple), Some(data.tg_newtuple)),
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
