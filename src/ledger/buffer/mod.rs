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
//!
//! Events lie in the order in which they came. [`crate::ledger::arrange`] says in which they are linked,
//! where that may be another one.

mod gathering;

use auditspine_core::hash::Hash;
use auditspine_core::versions::{Change, Untold, Version};
use pgrx::pg_sys;

pub use self::gathering::{gather, pays_to_gather, pending_size, put_back, take, with, with_mut};
use crate::ledger::attribution::AttributionId;
pub use crate::ledger::names::{NameId, intern, name};
use crate::ledger::origin::Origins;
pub use crate::ledger::origin::{Origin, RowChange};
use crate::pg::session;
use crate::pg::table::Uniqueness;

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

/// What is known of when an event happened, beside that it came.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// Nothing.
    Nothing,
    /// A row was changed; the origin by its number.
    Row {
        origin: u32,
        command: u32,
        ended: Option<Version>,
        began: Option<Version>,
    },
    /// It says what row a key has when all else is told; made anew if that is to be told again.
    Restated,
    /// A table was emptied ahead of what so many events before it tell.
    Emptied { relation: pg_sys::Oid, ahead: u32 },
}

/// What is known of when a row that is being recorded was changed.
#[derive(Clone, Copy, Debug, Default)]
pub enum Told {
    /// Nothing: it is recorded because it is there.
    #[default]
    Present,
    /// Its versions.
    Changed(RowChange),
    /// It is what a key has in the end.
    Restated,
}

/// An event before it is linked.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// What it is made of.
    pub fields: Fields,
    known: Known,
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
    origins: Origins,
    /// Versions begun by UPDATEs that are no events.
    untold: Vec<UntoldVersion>,
    /// The largest command number so far.
    command: u32,
    /// That number at the last flush of the transaction.
    flushed_command: Option<u32>,
    /// Whether the pending events may have to be put in order.
    disordered: bool,
    /// What was linked ahead of the commit of keys that other transactions may tell of meanwhile.
    early: Vec<Early>,
}

/// What row a key had when that was linked ahead of the commit, although a deferrable constraint lets rows of other
/// transactions have, and lose, the same key until then.
pub struct Early {
    /// The key.
    pub key: Box<[u8]>,
    /// What was told of it last.
    pub last: Pending,
    /// The change, and where it was told.
    pub change: (Change, Origin),
}

struct UntoldVersion {
    subid: pg_sys::SubTransactionId,
    file: u32,
    ended: Version,
    began: Version,
}

/// A capacity worth keeping from one transaction to the next.
const KEEP_BYTES: usize = 1024 * 1024;

impl Buffer {
    /// Appends an event of the current subtransaction.
    pub fn push(&mut self, fields: Fields, pk: Option<&[u8]>, payload: Option<&[u8]>) {
        self.append(fields, Known::Nothing, pk, payload);
    }

    /// Appends what became of a row, with its key and payload.
    pub fn push_told(
        &mut self,
        fields: Fields,
        told: &Told,
        (pk, payload): (Option<&[u8]>, Option<&[u8]>),
    ) {
        match told {
            Told::Present => self.push(fields, pk, payload),
            Told::Changed(change) => self.push_row(fields, change, pk, payload),
            Told::Restated => self.push_restated(fields, pk, payload),
        }
    }

    fn push_row(
        &mut self,
        fields: Fields,
        change: &RowChange,
        pk: Option<&[u8]>,
        payload: Option<&[u8]>,
    ) {
        let RowChange { origin, .. } = *change;
        let last = self.events.last().and_then(|event| match event.known {
            Known::Row { origin, .. } => Some(origin),
            _ => None,
        });
        let known = Known::Row {
            origin: self.origins.number(origin, last),
            command: change.command,
            ended: change.ended,
            began: change.began,
        };
        if change.command < self.command || origin.uniqueness != Uniqueness::Always {
            self.disordered = true;
        }
        self.command = self.command.max(change.command);
        self.append(fields, known, pk, payload);
    }

    /// Appends what row a key has now: that is told when all else of the transaction is.
    pub fn push_restated(&mut self, fields: Fields, pk: Option<&[u8]>, payload: Option<&[u8]>) {
        self.disordered = true;
        self.append(fields, Known::Restated, pk, payload);
    }

    /// Appends that a table was emptied, ahead of what the last `ahead` pending events tell.
    pub fn push_emptied(
        &mut self,
        fields: Fields,
        (relation, ahead): (pg_sys::Oid, usize),
        pk: Option<&[u8]>,
        payload: Option<&[u8]>,
    ) {
        let ahead = ahead as u32;
        self.disordered |= ahead > 0;
        self.append(fields, Known::Emptied { relation, ahead }, pk, payload);
    }

    /// Notes that an UPDATE which is no event ended one version of a row and began another.
    pub fn note_untold(&mut self, file: u32, ended: Version, began: Version) {
        self.untold.push(UntoldVersion {
            subid: current_subtransaction(),
            file,
            ended,
            began,
        });
    }

    fn append(&mut self, fields: Fields, known: Known, pk: Option<&[u8]>, payload: Option<&[u8]>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(pk.unwrap_or_default());
        self.bytes.extend_from_slice(payload.unwrap_or_default());
        self.events.push(Pending {
            fields,
            known,
            has_pk: pk.is_some(),
            has_payload: payload.is_some(),
            flushed_by: 0,
            subid: current_subtransaction(),
            start,
            pk_len: pk.map_or(0, <[u8]>::len),
            payload_len: payload.map_or(0, <[u8]>::len),
        });
    }

    /// Events to be linked, in the order in which they came.
    pub fn pending(&self) -> &[Pending] {
        &self.events[self.flushed..]
    }

    /// Whether these may have to be linked in another order.
    pub fn is_disordered(&self) -> bool {
        self.disordered
    }

    /// Whether entries of this transaction are linked.
    pub fn has_flushed(&self) -> bool {
        self.flushed_command.is_some()
    }

    /// Whether a change was made ahead of others that are linked already.
    pub fn is_late(&self, change: &Change) -> bool {
        self.flushed_command
            .is_some_and(|command| change.command < command)
    }

    /// The change that an event tells of, and where it was told; `None` if it is not known what versions of
    /// the row it ended or began.
    pub fn change(&self, event: &Pending) -> Option<(Change, Origin)> {
        let Known::Row {
            origin,
            command,
            ended,
            began,
        } = event.known
        else {
            return None;
        };
        let origin = self.origins.get(origin);
        let change = Change {
            command,
            relation: origin.relation.to_u32(),
            file: origin.file,
            ended,
            began,
        };
        Some((change, origin))
    }

    /// Versions that were begun by no event.
    pub fn untold(&self) -> Untold {
        self.untold
            .iter()
            .map(|untold| ((untold.file, untold.began), untold.ended))
            .collect()
    }

    /// Takes what was linked ahead of the commit of keys that other transactions may have told of since.
    pub fn take_early(&mut self) -> Vec<Early> {
        std::mem::take(&mut self.early)
    }

    /// Notes that the pending events are linked ahead of the commit, as far as that matters.
    pub fn note_early(&mut self) {
        if !self.disordered {
            return;
        }
        let shared = |event: &&Pending| {
            let change = self.change(event);
            change.is_some_and(|(_, origin)| origin.uniqueness == Uniqueness::InTheEnd)
        };
        let early: Vec<Early> = self
            .pending()
            .iter()
            .filter(shared)
            .filter_map(|event| {
                Some(Early {
                    key: self.pk(event)?.into(),
                    last: *event,
                    change: self.change(event)?,
                })
            })
            .collect();
        self.early.extend(early);
    }

    /// Notes that all pending events have been linked by the current subtransaction.
    pub fn mark_flushed(&mut self) {
        let subid = current_subtransaction();
        self.flushed_command = Some(self.command);
        self.disordered = false;
        if self.events.iter().all(|event| event.subid >= subid) {
            return self.forget_events();
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

    /// Bytes of all keys and payloads.
    pub fn text_size(&self) -> usize {
        self.bytes.len()
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
            self.disordered = true;
        }
        while self.untold.pop_if(|it| it.subid >= subid).is_some() {}
        self.flushed_bytes = self
            .events
            .get(self.flushed)
            .map_or(self.bytes.len(), |event| event.start);
    }

    /// Drops everything, keeping a modest allocation.
    pub fn clear(&mut self) {
        self.forget_events();
        self.origins.trim();
        self.early = Vec::new();
        (self.command, self.flushed_command, self.disordered) = (0, None, false);
    }

    fn forget_events(&mut self) {
        self.events.clear();
        self.untold.clear();
        self.bytes.clear();
        (self.flushed, self.flushed_bytes) = (0, 0);
        self.events.shrink_to(KEEP_BYTES / size_of::<Pending>());
        self.bytes.shrink_to(KEEP_BYTES);
    }
}

impl Pending {
    /// Whether it says what row a key has, all else being told.
    pub fn is_restated(&self) -> bool {
        matches!(self.known, Known::Restated)
    }

    /// The table that it says was emptied, and ahead of how many events that came before it.
    pub fn emptied(&self) -> Option<(pg_sys::Oid, usize)> {
        match self.known {
            Known::Emptied { relation, ahead } => Some((relation, ahead as usize)),
            _ => None,
        }
    }

    /// Whether its payload is kept.
    pub fn has_payload(&self) -> bool {
        self.has_payload
    }
}

fn current_subtransaction() -> pg_sys::SubTransactionId {
    session::subtransaction()
}
