//! The trigger `audit_chain_append()`: turns each row change into a pending event.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

use auditspine_core::canonical::write_string;
use auditspine_core::hash::{Hash, HashSink, Sink};
use pgrx::pg_sys;

use super::attribution;
use super::buffer::{self, Fields, NameId};
use super::relation::{OpenRelation, index_columns, name_of};
use super::row::{DeformedRow, RowLayout};
use super::{chains, flush};
use crate::declaration::{self, ChainOf, Declaration};
use crate::error::Failure;
use crate::guc;

/// A trigger, resolved against its table.
struct Spec {
    kind: NameId,
    key: Vec<i16>,
    chain: ChainColumns,
    full_payload: bool,
    layout: RowLayout,
}

enum ChainColumns {
    Named(NameId),
    By(Vec<i16>),
}

#[derive(Default)]
struct Specs {
    by_trigger: HashMap<pg_sys::Oid, (pg_sys::Oid, Rc<Spec>)>,
    recent: Option<(pg_sys::Oid, Rc<Spec>)>,
}

/// Buffers reused from row to row.
#[derive(Default)]
struct Work {
    old: DeformedRow,
    new: DeformedRow,
    old_key: Vec<u8>,
    new_key: Vec<u8>,
    chain: Vec<u8>,
    text: Vec<u8>,
    hash: Vec<u8>,
}

/// A buffer that grew beyond this is not kept for the next row.
const KEEP_BYTES: usize = 1024 * 1024;

thread_local! {
    static SPECS: RefCell<Specs> = RefCell::default();
    static STALE: Cell<bool> = const { Cell::new(false) };
    static WORK: RefCell<Work> = RefCell::default();
}

/// To be called from the relcache callback.
pub fn relation_changed(relid: pg_sys::Oid) {
    let ours = relid == pg_sys::InvalidOid
        || SPECS.with(|specs| {
            specs.try_borrow().map_or(true, |specs| {
                specs
                    .by_trigger
                    .values()
                    .any(|(audited, _)| *audited == relid)
            })
        });
    if ours {
        STALE.set(true);
    }
}

/// What PostgreSQL hands to a trigger function.
pub struct Call {
    data: *mut pg_sys::TriggerData,
}

const TIMING_HINT: &str = "declare it AFTER INSERT OR UPDATE OR DELETE … FOR EACH ROW, and AFTER \
                           TRUNCATE … FOR EACH STATEMENT";

impl Call {
    /// The call behind a function's arguments; an ERROR if it was not called as a trigger.
    ///
    /// # Safety
    /// `fcinfo` must be what PostgreSQL passed to the running function.
    pub unsafe fn new(fcinfo: pg_sys::FunctionCallInfo) -> Call {
        // SAFETY: the caller passes a valid fcinfo; a non-null context is a Node.
        let context = unsafe { (*fcinfo).context };
        // SAFETY: as above.
        if context.is_null() || unsafe { (*context).type_ } != pg_sys::NodeTag::T_TriggerData {
            Failure::TriggerProtocol.raise(
                "audit_chain_append() was not called as a trigger",
                TIMING_HINT,
            );
        }
        Call {
            data: context.cast(),
        }
    }

    fn data(&self) -> &pg_sys::TriggerData {
        // SAFETY: `new` checked the node's type; PostgreSQL keeps it for the length of the call.
        unsafe { &*self.data }
    }

    fn trigger(&self) -> &pg_sys::Trigger {
        // SAFETY: a trigger call names its trigger.
        unsafe { &*self.data().tg_trigger }
    }

    fn arguments(&self) -> Vec<String> {
        let trigger = self.trigger();
        (0..trigger.tgnargs.max(0) as usize)
            .map(|at| {
                // SAFETY: tgargs has tgnargs NUL-terminated strings.
                let argument = unsafe { CStr::from_ptr(*trigger.tgargs.add(at)) };
                argument.to_string_lossy().into_owned()
            })
            .collect()
    }

    fn table(&self) -> String {
        // SAFETY: the call's relation is open.
        let name = unsafe { name_of(&(*(*self.data().tg_relation).rd_rel).relname) };
        String::from_utf8_lossy(name).into_owned()
    }

    fn desc(&self) -> pg_sys::TupleDesc {
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
    // Taken, not borrowed: a type's own code runs below, and may come back here.
    let mut work = WORK.with(RefCell::take);
    {
        let work = &mut work;
        let data = call.data();
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
            0 => record(call, &spec, work, b'I'),
            1 => record(call, &spec, work, b'D'),
            _ => record_update(call, &spec, work),
        }
    }
    if work.text.capacity() < KEEP_BYTES {
        WORK.with(|spare| spare.replace(work));
    }
    flush::flush_if_due(guc::buffer_bytes());
}

/// A change of the key, or of the chain that it selects, is a row that goes and a row that comes.
fn record_update(call: &Call, spec: &Spec, work: &mut Work) {
    write_key(call, spec, &work.old, &mut work.old_key);
    write_key(call, spec, &work.new, &mut work.new_key);
    let mut moved = work.old_key != work.new_key;
    if let ChainColumns::By(columns) = &spec.chain {
        write_chain(&spec.layout, columns, &work.old, &mut work.chain);
        write_chain(&spec.layout, columns, &work.new, &mut work.text);
        moved |= work.chain != work.text;
    }
    if moved {
        record(call, spec, work, b'D');
        record(call, spec, work, b'I');
    } else {
        record(call, spec, work, b'U');
    }
}

fn record(call: &Call, spec: &Spec, work: &mut Work, op: u8) {
    let Work {
        old,
        new,
        new_key: key,
        chain: chain_name,
        text,
        hash,
        ..
    } = work;
    let row = if op == b'D' { old } else { new };
    write_key(call, spec, row, key);
    let chain = match &spec.chain {
        ChainColumns::Named(chain) => *chain,
        ChainColumns::By(columns) => {
            write_chain(&spec.layout, columns, row, chain_name);
            chains::check_name(chain_name);
            buffer::intern(chain_name)
        }
    };
    let payload_hash = if spec.full_payload {
        text.clear();
        spec.layout.write(row, text);
        Hash::of(text)
    } else {
        let mut sink = HashSink::with_buffer(std::mem::take(hash));
        spec.layout.write(row, &mut sink);
        let (digest, scratch) = sink.finish();
        *hash = scratch;
        digest
    };
    let attribution = attribution::current();
    let fields = Fields {
        chain,
        creates_chain: matches!(spec.chain, ChainColumns::By(_)),
        kind: spec.kind,
        op,
        attribution,
        layout: None,
        payload_hash,
    };
    let payload = spec.full_payload.then_some(&text[..]);
    buffer::with_mut(|buffer| buffer.push(fields, Some(key), payload));
}

fn capture_truncate(call: &Call) {
    let declaration = declaration::parse(&call.arguments());
    let kind = buffer::intern(kind(call, &declaration).as_bytes());
    let chain = match &declaration.chain {
        ChainOf::Named(name) => name.as_bytes(),
        // No row says whose chain it is.
        ChainOf::By(_) => chains::MAIN,
    };
    chains::expect(chain);
    // SAFETY: the call's relation is open; the names are palloc'd or belong to it.
    let table = unsafe {
        let form = (*call.data().tg_relation).rd_rel;
        let schema = pg_sys::get_namespace_name((*form).relnamespace);
        let qualified = pg_sys::quote_qualified_identifier(schema, (*form).relname.data.as_ptr());
        CStr::from_ptr(qualified).to_bytes().to_vec()
    };
    let fields = Fields {
        chain: buffer::intern(chain),
        creates_chain: false,
        kind,
        op: b'T',
        attribution: attribution::current(),
        layout: None,
        payload_hash: Hash::of(b"null"),
    };
    buffer::with_mut(|buffer| buffer.push(fields, Some(&table), None));
    flush::flush_if_due(guc::buffer_bytes());
}

/// Writes the key: the value's text, or a JSON array of texts for several columns.
fn write_key(call: &Call, spec: &Spec, row: &DeformedRow, out: &mut Vec<u8>) {
    for column in &spec.key {
        if row.is_null(*column) {
            Failure::NullKey.raise(
                format!(
                    "key column \"{}\" of table \"{}\" is null, so the row cannot be named in the audit chain",
                    column_name(call, *column),
                    call.table()
                ),
                "name columns that are never null in the trigger's argument 'pk=…'",
            );
        }
    }
    write_texts(&spec.layout, &spec.key, row, out);
}

/// Writes the chain's name: as for a key; a null stands for the chain `main`.
fn write_chain(layout: &RowLayout, columns: &[i16], row: &DeformedRow, out: &mut Vec<u8>) {
    if columns.iter().any(|column| row.is_null(*column)) {
        out.clear();
        out.extend_from_slice(chains::MAIN);
    } else {
        write_texts(layout, columns, row, out);
    }
}

fn write_texts(layout: &RowLayout, columns: &[i16], row: &DeformedRow, out: &mut Vec<u8>) {
    out.clear();
    if let [column] = columns {
        layout.write_key_text(*column, row, out);
        return;
    }
    let mut text = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        out.put_byte(if at == 0 { b'[' } else { b',' });
        text.clear();
        layout.write_key_text(*column, row, &mut text);
        write_string(&text, out);
    }
    out.put_byte(b']');
}

fn column_name(call: &Call, attnum: i16) -> String {
    // SAFETY: the descriptor is that of the call's open relation, and attnum one of its columns.
    let desc = unsafe { pgrx::PgTupleDesc::from_pg_unchecked(call.desc()) };
    desc.get(attnum as usize - 1)
        .map_or_else(String::new, |attribute| attribute.name().to_owned())
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
            .map(|(_, spec)| spec.clone())?;
        specs.recent = Some((trigger, spec.clone()));
        Some(spec)
    });
    known
        .filter(|spec| spec.layout.is_current())
        .unwrap_or_else(|| {
            let spec = Rc::new(resolve(call));
            // SAFETY: the call's relation is open.
            let relid = unsafe { (*call.data().tg_relation).rd_id };
            SPECS.with(|specs| {
                let mut specs = specs.borrow_mut();
                specs.by_trigger.insert(trigger, (relid, spec.clone()));
                specs.recent = Some((trigger, spec.clone()));
            });
            spec
        })
}

fn resolve(call: &Call) -> Spec {
    let declaration = declaration::parse(&call.arguments());
    let key = match &declaration.pk {
        Some(names) => columns(call, names, "pk"),
        None => primary_key(call),
    };
    let chain = match &declaration.chain {
        ChainOf::Named(name) => {
            chains::expect(name.as_bytes());
            ChainColumns::Named(buffer::intern(name.as_bytes()))
        }
        ChainOf::By(names) => ChainColumns::By(columns(call, names, "chain_by")),
    };
    let exclude = columns(call, &declaration.exclude, "exclude");
    // SAFETY: the descriptor is that of the call's open relation.
    let layout = unsafe { RowLayout::new(call.desc(), &exclude) };
    Spec {
        kind: buffer::intern(kind(call, &declaration).as_bytes()),
        key,
        chain,
        full_payload: declaration.full_payload,
        layout,
    }
}

/// The declared kind, or the table's name; for a partition that of the whole table.
fn kind(call: &Call, declaration: &Declaration) -> String {
    declaration.kind.clone().unwrap_or_else(|| {
        // SAFETY: the call's relation is open; pg_partition_root takes and returns an oid, and is
        // only asked about a partition, which has a root.
        unsafe {
            let rel = call.data().tg_relation;
            if !(*(*rel).rd_rel).relispartition {
                return call.table();
            }
            let oid = Some(pg_sys::Datum::from((*rel).rd_id));
            let root = pgrx::direct_function_call(pg_sys::pg_partition_root, &[oid]);
            let name = pg_sys::get_rel_name(root.unwrap_or((*rel).rd_id));
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    })
}

fn columns(call: &Call, names: &[String], argument: &str) -> Vec<i16> {
    // SAFETY: the descriptor is that of the call's open relation.
    let desc = unsafe { pgrx::PgTupleDesc::from_pg_unchecked(call.desc()) };
    names
        .iter()
        .map(|name| {
            desc.iter()
                .find(|attribute| !attribute.attisdropped && attribute.name() == name)
                .map_or_else(
                    || {
                        Failure::UnknownColumn.raise(
                            format!(
                                "table \"{}\" has no column \"{name}\", which the trigger's argument '{argument}=' names",
                                call.table()
                            ),
                            "recreate the trigger with the columns that the table has now",
                        )
                    },
                    |attribute| attribute.attnum,
                )
        })
        .collect()
}

fn primary_key(call: &Call) -> Vec<i16> {
    // SAFETY: the call's relation is open; asking for its indexes fills rd_pkindex.
    let index = unsafe {
        let rel = call.data().tg_relation;
        pg_sys::list_free(pg_sys::RelationGetIndexList(rel));
        (*rel).rd_pkindex
    };
    if index == pg_sys::InvalidOid {
        Failure::NoPrimaryKey.raise(
            format!("table \"{}\" has no primary key", call.table()),
            "name the columns that identify a row in the trigger's arguments: \
             audit_chain_append('kind', 'pk=column,…')",
        );
    }
    let index = OpenRelation::index(index, pg_sys::AccessShareLock);
    // SAFETY: rd_index of an open index is set.
    let keys = unsafe { (*(*index.raw()).rd_index).indnkeyatts } as usize;
    index_columns(&index).into_iter().take(keys).collect()
}

impl Call {
    /// Refuses the change that fired the trigger.
    pub fn refuse(&self) -> ! {
        const OPERATION: u32 = 3;
        let operation = match self.data().tg_event & OPERATION {
            0 => "INSERT into",
            1 => "DELETE from",
            2 => "UPDATE of",
            _ => "TRUNCATE of",
        };
        Failure::StateIsAppendOnly.raise(
            format!(
                "{operation} auditspine.{} is refused: it is append-only",
                self.table()
            ),
            "entries are written by audit_chain_append() alone; a correction is a new entry",
        )
    }
}
