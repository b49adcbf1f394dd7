//! The trigger `audit_chain_append()`: turns each row change into a pending event.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

use auditspine_core::hash::Hash;
use pgrx::pg_sys;

use super::attribution;
use super::audited::root_of;
use super::buffer::{self, Fields};
use super::capture;
use super::layouts;
use super::relation::{OpenRelation, name_of};
use super::row;
use super::spec::{Spec, kind_of};
use super::{chains, flush};
use crate::declaration::{self, ChainOf};
use crate::error::Failure;
use crate::guc;

/// A trigger's spec, and the relations whose change makes it stale.
struct Known {
    relations: Vec<pg_sys::Oid>,
    spec: Rc<Spec>,
}

#[derive(Default)]
struct Specs {
    by_trigger: HashMap<pg_sys::Oid, Known>,
    recent: Option<(pg_sys::Oid, Rc<Spec>)>,
}

thread_local! {
    static SPECS: RefCell<Specs> = RefCell::default();
    static STALE: Cell<bool> = const { Cell::new(false) };
}

/// To be called from the relcache callback.
pub fn relation_changed(relid: pg_sys::Oid) {
    let ours = relid == pg_sys::InvalidOid
        || SPECS.with(|specs| {
            specs.try_borrow().map_or(true, |specs| {
                specs
                    .by_trigger
                    .values()
                    .any(|known| known.relations.contains(&relid))
            })
        });
    if ours {
        forget_specs();
    }
}

/// Resolves every trigger anew at its next row.
pub fn forget_specs() {
    STALE.set(true);
}

/// What PostgreSQL hands to a trigger function.
pub struct Call {
    data: *mut pg_sys::TriggerData,
}

const TIMING_HINT: &str = "declare it AFTER INSERT OR UPDATE OR DELETE … FOR EACH ROW, and AFTER \
                           TRUNCATE … FOR EACH STATEMENT";

impl Call {
    /// The call behind the arguments of a function of this name; an ERROR if it was not called as a trigger.
    ///
    /// # Safety
    /// `fcinfo` must be what PostgreSQL passed to the running function.
    pub unsafe fn new(fcinfo: pg_sys::FunctionCallInfo, function: &str) -> Call {
        // SAFETY: the caller's.
        unsafe { Call::expect(fcinfo, function, TIMING_HINT) }
    }

    /// As [`Call::new`], with a hint of how the trigger is to be made.
    ///
    /// # Safety
    /// As there.
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
    pub(super) fn raw(&self) -> *mut pg_sys::TriggerData {
        self.data
    }

    pub(super) fn data(&self) -> &pg_sys::TriggerData {
        // SAFETY: `new` checked the node's type; PostgreSQL keeps it for the length of the call.
        unsafe { &*self.data }
    }

    pub(super) fn trigger(&self) -> &pg_sys::Trigger {
        // SAFETY: a trigger call names its trigger.
        unsafe { &*self.data().tg_trigger }
    }

    pub(super) fn arguments(&self) -> Vec<String> {
        let trigger = self.trigger();
        (0..trigger.tgnargs.max(0) as usize)
            .map(|at| {
                // SAFETY: tgargs has tgnargs NUL-terminated strings.
                let argument = unsafe { CStr::from_ptr(*trigger.tgargs.add(at)) };
                argument.to_string_lossy().into_owned()
            })
            .collect()
    }

    pub(super) fn table(&self) -> String {
        // SAFETY: the call's relation is open.
        let name = unsafe { name_of(&(*(*self.data().tg_relation).rd_rel).relname) };
        String::from_utf8_lossy(name).into_owned()
    }

    pub(super) fn desc(&self) -> pg_sys::TupleDesc {
        // SAFETY: the call's relation is open.
        unsafe { (*self.data().tg_relation).rd_att }
    }
}

/// Records the change that fired the trigger.
pub fn capture(call: &Call) {
    const OPERATION: u32 = 3;
    const ROW: u32 = 4;
    const TIMING: u32 = 0x18;
    let event = call.data().tg_event;
    let operation = event & OPERATION;
    let for_row = event & ROW != 0;
    let truncate = operation == 3;
    if truncate == for_row || (for_row && event & TIMING != 0) {
        Failure::TriggerProtocol.raise(
            format!(
                "trigger on table \"{}\" does not fire AFTER each row change or on TRUNCATE for \
                 the statement",
                call.table()
            ),
            TIMING_HINT,
        );
    }
    if truncate {
        return capture_truncate(call);
    }
    let spec = spec(call);
    let data = call.data();
    if operation == 2 && spec.skip_unchanged {
        // SAFETY: in an UPDATE's row trigger both are there, and of the relation's type.
        if unsafe { row::is_same_tuple(data.tg_trigtuple, data.tg_newtuple) } {
            return;
        }
    }
    capture::with_work(|work| {
        let (old, new) = match operation {
            0 => (None, Some(data.tg_trigtuple)),
            1 => (Some(data.tg_trigtuple), None),
            _ => (Some(data.tg_trigtuple), Some(data.tg_newtuple)),
        };
        for (row, tuple) in [(&mut work.old, old), (&mut work.new, new)] {
            if let Some(tuple) = tuple {
                // SAFETY: in a row trigger tg_trigtuple is the new row of an INSERT, the old row of
                // an UPDATE or DELETE, and tg_newtuple the new row of an UPDATE; all of the
                // relation's type.
                unsafe { row.load(tuple, call.desc()) };
            }
        }
        match operation {
            0 => capture::record(&spec, work, b'I'),
            1 => capture::record(&spec, work, b'D'),
            _ => capture::record_update(&spec, work),
        }
    });
    flush::flush_if_due(guc::buffer_bytes());
}

fn capture_truncate(call: &Call) {
    let declaration = declaration::parse(&call.arguments());
    // SAFETY: the call's relation is open.
    let (kind, relid, is_partition) = unsafe {
        let relation = call.data().tg_relation;
        (
            kind_of(relation, &declaration),
            (*relation).rd_id,
            (*(*relation).rd_rel).relispartition,
        )
    };
    let kind = buffer::intern(kind.as_bytes());
    let chain = match &declaration.chain {
        ChainOf::Named(name) => name.as_bytes(),
        // No row says whose chain it is.
        ChainOf::By(_) => chains::MAIN,
    };
    chains::expect_operators(chain);
    // SAFETY: the call's relation is open.
    let table = unsafe { layouts::qualified_name(call.data().tg_relation) };
    // Of a partition only those rows are gone that lived in it: their layouts tell.
    let payload = is_partition.then(|| {
        let ids: Vec<String> = layouts::of_relation(relid)
            .iter()
            .map(i32::to_string)
            .collect();
        format!("{{\"layouts\":[{}]}}", ids.join(",")).into_bytes()
    });
    let fields = Fields {
        chain: buffer::intern(chain),
        creates_chain: false,
        kind,
        op: b'T',
        attribution: attribution::current(),
        layout: None,
        payload_hash: Hash::of(payload.as_deref().unwrap_or(b"null")),
    };
    buffer::with_mut(|buffer| buffer.push(fields, Some(&table), payload.as_deref()));
    flush::flush_if_due(guc::buffer_bytes());
}

/// The trigger's spec, resolved at its first row and whenever the table has changed.
fn spec(call: &Call) -> Rc<Spec> {
    let trigger = call.trigger().tgoid;
    if STALE.get() {
        STALE.set(false);
        SPECS.with(|specs| *specs.borrow_mut() = Specs::default());
    }
    let known = SPECS.with(|specs| {
        let mut specs = specs.borrow_mut();
        if let Some((recent, spec)) = &specs.recent
            && *recent == trigger
        {
            return Some(spec.clone());
        }
        let spec = specs
            .by_trigger
            .get(&trigger)
            .map(|known| known.spec.clone())?;
        specs.recent = Some((trigger, spec.clone()));
        Some(spec)
    });
    known.filter(|spec| spec.is_current()).unwrap_or_else(|| {
        let declaration = declaration::parse(&call.arguments());
        // SAFETY: the call's relation is open.
        let (spec, relid) = unsafe {
            let relation = call.data().tg_relation;
            (Spec::resolve_raw(relation, &declaration), (*relation).rd_id)
        };
        let spec = Rc::new(spec);
        let mut relations = spec.description.depends_on.clone();
        relations.push(relid);
        SPECS.with(|specs| {
            let mut specs = specs.borrow_mut();
            let known = Known {
                relations,
                spec: spec.clone(),
            };
            specs.by_trigger.insert(trigger, known);
            specs.recent = Some((trigger, spec.clone()));
        });
        spec
    })
}

impl Call {
    fn operation(&self) -> &'static str {
        const OPERATION: u32 = 3;
        match self.data().tg_event & OPERATION {
            0 => "INSERT into",
            1 => "DELETE from",
            2 => "UPDATE of",
            _ => "TRUNCATE of",
        }
    }

    /// Refuses the change of an audited table, whose policy is append-only, that fired the trigger.
    pub fn refuse_audited(&self) -> ! {
        let operation = self.operation();
        // SAFETY: the call's relation is open.
        let (table, relid, is_partition) = unsafe {
            let relation = self.data().tg_relation;
            (
                layouts::qualified_name(relation),
                (*relation).rd_id,
                (*(*relation).rd_rel).relispartition,
            )
        };
        let mut table = String::from_utf8_lossy(&table).into_owned();
        if is_partition {
            let root = OpenRelation::table(root_of(relid), pg_sys::AccessShareLock);
            table = format!("{} (partition {table})", root.qualified());
        }
        Failure::TableIsAppendOnly.raise(
            format!("{operation} table {table} is refused: it is audited as append-only"),
            "rows can only be inserted, so a correction is a new row; its owner can attach the table \
             anew without append_only",
        );
    }

    /// Refuses the change that fired the trigger.
    pub fn refuse(&self) -> ! {
        let operation = self.operation();
        let table = self.table().to_string();
        Failure::StateIsAppendOnly.raise(
            format!("{operation} auditspine.{table} is refused: it is append-only"),
            if table == "trusted_key" {
                "revoke_key() ends that a key's signatures count"
            } else {
                "entries are written by audit_chain_append() alone; a correction is a new entry"
            },
        )
    }
}
