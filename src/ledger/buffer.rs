//! The events of the current transaction that are not linked yet.
//!
//! Each is tagged with the subtransaction that made it: subtransaction ids grow, and one that is
//! rolled back takes with it every event from its own id on, its released children's included.
//!
//! A flush inside a subtransaction writes entries that vanish if that one is rolled back, although
//! some of the events are older than it. Those are kept until the outermost level flushes, and
//! become pending again with the rollback. They always lead the list: a subtransaction that is rolled
//! back is still open, so whatever was flushed since it began was flushed after all that was flushed
//! before.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use auditspine_core::hash::Hash;
use pgrx::pg_sys;

use crate::ledger::attribution::AttributionId;
use crate::pg::session;

/// A text that many events share (a kind, a chain's name), by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameId(u32);

/// What an event is made of, beside its key and payload.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// Name of the chain.
    pub chain: NameId,
    /// Whether the chain is made if it does not exist yet.
    pub creates_chain: bool,
    /// Kind of the event.
    pub kind: NameId,
    /// `I`, `U`, `D`, `T`, `A` or `S`.
    pub op: u8,
    /// Actor and context.
    pub attribution: AttributionId,
    /// Recorded column layout.
    pub layout: Option<i32>,
    /// SHA-256 of the canonical payload.
    pub payload_hash: Hash,
}

/// An event before it is linked.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// What it is made of.
    pub fields: Fields,
    has_pk: bool,
    has_payload: bool,
    /// The subtransaction that flushed it; 0 for none.
    flushed_by: pg_sys::SubTransactionId,
    subid: pg_sys::SubTransactionId,
    start: usize,
    pk_len: usize,
    payload_len: usize,
}

/// Pending events, with keys and payloads in one block of memory.
#[derive(Default)]
pub struct Buffer {
    events: Vec<Pending>,
    bytes: Vec<u8>,
    /// How many leading events are flushed, and kept only in case of a rollback.
    flushed: usize,
    flushed_bytes: usize,
}

/// A capacity worth keeping from one transaction to the next.
const KEEP_BYTES: usize = 1024 * 1024;

impl Buffer {
    /// Appends an event of the current subtransaction.
    pub fn push(&mut self, fields: Fields, pk: Option<&[u8]>, payload: Option<&[u8]>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(pk.unwrap_or_default());
        self.bytes.extend_from_slice(payload.unwrap_or_default());
        self.events.push(Pending {
            fields,
            has_pk: pk.is_some(),
            has_payload: payload.is_some(),
            flushed_by: 0,
            subid: current_subtransaction(),
            start,
            pk_len: pk.map_or(0, <[u8]>::len),
            payload_len: payload.map_or(0, <[u8]>::len),
        });
    }

    /// Events to be linked, in the order in which they were made.
    pub fn pending(&self) -> &[Pending] {
        &self.events[self.flushed..]
    }

    /// Notes that all pending events have been linked by the current subtransaction.
    pub fn mark_flushed(&mut self) {
        let subid = current_subtransaction();
        if self.events.iter().all(|event| event.subid >= subid) {
            return self.clear();
        }
        for event in &mut self.events[self.flushed..] {
            event.flushed_by = subid;
        }
        self.flushed = self.events.len();
        self.flushed_bytes = self.bytes.len();
    }

    /// Key of an event.
    pub fn pk(&self, event: &Pending) -> Option<&[u8]> {
        event
            .has_pk
            .then(|| &self.bytes[event.start..event.start + event.pk_len])
    }

    /// Canonical payload of an event, where it is to be stored.
    pub fn payload(&self, event: &Pending) -> Option<&[u8]> {
        let start = event.start + event.pk_len;
        event
            .has_payload
            .then(|| &self.bytes[start..start + event.payload_len])
    }

    /// Memory that pending events use.
    pub fn pending_size(&self) -> usize {
        self.bytes.len() - self.flushed_bytes
            + (self.events.len() - self.flushed) * size_of::<Pending>()
    }

    /// Drops what a subtransaction that is rolled back did.
    pub fn roll_back_to(&mut self, subid: pg_sys::SubTransactionId) {
        while let Some(event) = self.events.pop_if(|event| event.subid >= subid) {
            self.bytes.truncate(event.start);
        }
        self.flushed = self.flushed.min(self.events.len());
        while self.flushed > 0 && self.events[self.flushed - 1].flushed_by >= subid {
            self.flushed -= 1;
            self.events[self.flushed].flushed_by = 0;
        }
        self.flushed_bytes = self
            .events
            .get(self.flushed)
            .map_or(self.bytes.len(), |event| event.start);
    }

    /// Drops everything, keeping a modest allocation.
    pub fn clear(&mut self) {
        self.events.clear();
        self.bytes.clear();
        (self.flushed, self.flushed_bytes) = (0, 0);
        self.events.shrink_to(KEEP_BYTES / size_of::<Pending>());
        self.bytes.shrink_to(KEEP_BYTES);
    }
}

fn current_subtransaction() -> pg_sys::SubTransactionId {
    session::subtransaction()
}

#[derive(Default)]
struct Names {
    ids: HashMap<Rc<[u8]>, NameId>,
    texts: Vec<Rc<[u8]>>,
}

thread_local! {
    static BUFFER: RefCell<Buffer> = RefCell::default();
    static NAMES: RefCell<Names> = RefCell::default();
}

/// Takes the backend's buffer out, leaving an empty one.
pub fn take() -> Buffer {
    BUFFER.take()
}

/// Puts the buffer back that [`take`] took.
pub fn put_back(buffer: Buffer) {
    BUFFER.set(buffer);
}

/// Runs `f` on the backend's buffer. `f` must not call into PostgreSQL where it can wait, fail or fire triggers.
pub fn with_mut<R>(f: impl FnOnce(&mut Buffer) -> R) -> R {
    BUFFER.with(|buffer| f(&mut buffer.borrow_mut()))
}

/// As [`with_mut`], for reading.
pub fn with<R>(f: impl FnOnce(&Buffer) -> R) -> R {
    BUFFER.with(|buffer| f(&buffer.borrow()))
}

/// The number of a name; the same for the life of the backend.
pub fn intern(name: &[u8]) -> NameId {
    NAMES.with(|names| {
        let mut names = names.borrow_mut();
        if let Some(id) = names.ids.get(name) {
            return *id;
        }
        let id = NameId(names.texts.len() as u32);
        let text: Rc<[u8]> = name.into();
        names.texts.push(text.clone());
        names.ids.insert(text, id);
        id
    })
}

/// The text of a name.
pub fn name(id: NameId) -> Rc<[u8]> {
    NAMES.with(|names| names.borrow().texts[id.0 as usize].clone())
}
