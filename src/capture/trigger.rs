//! The trigger `audit_chain_append()`: turns each row change into a pending event.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use pgrx::pg_sys;
use rustc_hash::FxHashMap;

use crate::capture::audited::{root_of, triggers};
use crate::capture::declaration;
use crate::capture::event;
use crate::capture::restate::restate;
use crate::capture::row_spec::Spec;
use crate::capture::truncate;
use crate::error::Failure;
use crate::ledger::buffer::{self, Origin, RowChange, Told};
use crate::ledger::{erasure, flush, settle};
use crate::pg::relation::OpenRelation;
use crate::pg::row_version::file_of;
use crate::pg::trigger_call::{Call, Operation};
use crate::settings;

/// How triggers that record changes are to be made.
pub const TIMING_HINT: &str = "declare it AFTER INSERT OR UPDATE OR DELETE … FOR EACH ROW, and AFTER \
                           TRUNCATE … FOR EACH STATEMENT";

/// A trigger's spec, and the relations whose change makes it stale.
struct Known {
    relations: Vec<pg_sys::Oid>,
    spec: Rc<Spec>,
}

#[derive(Default)]
struct Specs {
    by_trigger: FxHashMap<pg_sys::Oid, Known>,
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

/// Records the change that fired the trigger.
pub fn capture(call: &Call<'_>) {
    let (operation, for_row) = (call.operation(), call.is_for_row());
    let truncate = operation == Operation::Truncate;
    if truncate == for_row || (for_row && !call.is_after()) {
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
        return truncate::capture(call);
    }
    let spec = spec(call);
    if operation == Operation::Update && spec.skip_unchanged && call.is_same_row() {
        return note_untold(call);
    }
    let recorded = event::with_work(|work| {
        call.load_rows(&mut work.old, &mut work.new);
        work.told = told(call, &spec);
        match operation {
            Operation::Insert => event::record(&spec, work, b'I'),
            Operation::Delete => event::record(&spec, work, b'D'),
            _ => return event::record_update(&spec, work),
        }
        true
    });
    if !recorded {
        return note_untold(call);
    }
    flush::flush_if_due(settings::buffer_bytes());
}

/// When the row was changed, as far as that is known.
fn told(call: &Call<'_>, spec: &Spec) -> Told {
    call.versions().map_or(Told::Present, |versions| {
        let relation = call.relation();
        Told::Changed(RowChange {
            origin: Origin {
                trigger: call.trigger().tgoid,
                relation: relation.oid(),
                file: file_of(&relation),
                uniqueness: spec.uniqueness,
            },
            command: versions.command,
            ended: versions.ended,
            began: versions.began,
        })
    })
}

/// Notes an UPDATE that is no event. It matters only between changes of the same transaction.
fn note_untold(call: &Call<'_>) {
    if let Some(versions) = call.versions().filter(|_| call.old_row_is_own())
        && let (Some(ended), Some(began)) = (versions.ended, versions.began)
    {
        let file = file_of(&call.relation());
        buffer::with_mut(|buffer| buffer.note_untold(file, ended, began));
    }
}

/// How a trigger records rows of a table; `None` if the table does not have it any more.
pub fn spec_of(trigger: pg_sys::Oid, relation: &OpenRelation) -> Option<Rc<Spec>> {
    let ours = triggers(relation);
    let ours = ours.iter().find(|ours| ours.oid == trigger)?;
    Some(resolved(trigger, &ours.arguments, relation))
}

/// The trigger's spec, resolved at its first row and whenever the table has changed.
fn spec(call: &Call<'_>) -> Rc<Spec> {
    let trigger = call.trigger().tgoid;
    known(trigger).unwrap_or_else(|| {
        settle::restate_with(restate);
        resolved(trigger, &call.arguments(), &call.relation())
    })
}

fn known(trigger: pg_sys::Oid) -> Option<Rc<Spec>> {
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
    known.filter(|spec| spec.is_current())
}

fn resolved(trigger: pg_sys::Oid, arguments: &[String], relation: &OpenRelation) -> Rc<Spec> {
    let declaration = declaration::parse(arguments);
    let spec = Rc::new(Spec::resolve(relation, &declaration));
    let mut relations = spec.description.depends_on.clone();
    relations.push(relation.oid());
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
}

impl Call<'_> {
    fn words(&self) -> &'static str {
        match self.operation() {
            Operation::Insert => "INSERT into",
            Operation::Delete => "DELETE from",
            Operation::Update => "UPDATE of",
            Operation::Truncate => "TRUNCATE of",
        }
    }

    /// Refuses the change of an audited table, whose policy is append-only, that fired the trigger.
    pub fn refuse_audited(&self) -> ! {
        let operation = self.words();
        let relation = self.relation();
        let mut table = relation.qualified();
        if relation.is_partition() {
            let root = OpenRelation::table(root_of(relation.oid()), pg_sys::AccessShareLock);
            table = format!("{} (partition {table})", root.qualified());
        }
        Failure::TableIsAppendOnly.raise(
            format!("{operation} table {table} is refused: it is audited as append-only"),
            "rows can only be inserted, so a correction is a new row; its owner can attach the table \
             anew without append_only",
        );
    }

    /// Refuses the change that fired the trigger, unless payloads are erased on record.
    pub fn refuse(&self) {
        let operation = self.words();
        let table = self.table().to_string();
        if erasure::is_under_way() && operation == "UPDATE of" && table == "audit_chain" {
            return;
        }
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
