//! Entries on their way to the table, a batch at a time.

use std::cell::RefCell;
use std::rc::Rc;

use auditspine_core::entry::{Event, EventHasher, Format, chain_hash};
use auditspine_core::hash::{Hash, Messages};
use pgrx::pg_sys;

use super::Place;
use super::lanes::{Lane, Lanes};
use crate::ledger::attribution::{self, Attribution, AttributionId};
use crate::ledger::buffer::{self, Buffer, NameId, Pending};
use crate::ledger::catalog::{State, column};
use crate::ledger::head::{self, Head, Row};
use crate::pg::formed_rows::FormedRows;
use crate::pg::insert::Inserter;
use crate::pg::sequence;
use crate::pg::sha256::compress_abreast;
use crate::pg::{builtin, clock, session};

/// Up to [`crate::pg::insert::BATCH`] rows on their way to the table.
pub(super) struct Batch {
    /// Place of the last entry.
    pub(super) last: Place,
    room: Room,
    /// Events of one chain, kind and attribution have the beginning of their text in common.
    hashers: Vec<(NameId, NameId, AttributionId, EventHasher)>,
    shared: Shared,
    seq: pg_sys::Oid,
}

/// Memory that is kept from one flush to the next.
#[derive(Default)]
struct Room {
    rows: FormedRows,
    text: Vec<u8>,
    messages: Messages,
    hashes: Vec<Hash>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

/// What events share, some of it with all others of the flush.
struct Shared {
    xid: u64,
    now: i64,
    user: Rc<[u8]>,
    /// The kind of the event before.
    kind: Option<(NameId, Rc<[u8]>)>,
    /// By number of the attribution.
    attributions: Vec<Option<Attributed>>,
}

/// What all events of one attribution share.
#[derive(Clone)]
struct Attributed {
    attribution: Rc<Attribution>,
    /// The context, as jsonb is stored.
    context: Option<Vec<u8>>,
}

/// How long after the time was taken numbers may be drawn, in microseconds.
const PROMPT: i64 = 1_000_000;
/// Most event prefixes that are kept hashed at a time.
const HASHERS: usize = 16;
/// Events that are hashed at a time: their messages are to stay in the first cache.
const HASHED: usize = 64;
/// Room for more than that is not worth keeping.
const KEEP_BYTES: usize = 64 * 1024;

impl Batch {
    pub(super) fn new(state: &State) -> Batch {
        Batch {
            last: Place {
                chain_id: 0,
                lane: 0,
                pos: 0,
            },
            room: ROOM.take(),
            hashers: Vec::new(),
            shared: Shared {
                xid: session::transaction_id(),
                now: 0,
                user: session::session_user(),
                kind: None,
                attributions: Vec::new(),
            },
            seq: state.seq,
        }
    }

    /// Links events, and has them as rows.
    pub(super) fn fill(&mut self, buffer: &Buffer, events: &[Pending], lanes: &mut Lanes) {
        self.room.rows.clear();
        let first = self.number(events, lanes);
        if let [event] = events {
            let lane = lanes.of(event.fields.chain);
            let (only, _) = self.shared.event(buffer, event, lane, lane.head.pos + 1);
            let hash = only.hash(&mut self.room.text);
            return self.add(buffer, event, (first, &hash), lane);
        }
        let compress = compress_abreast();
        let mut numbers = first..;
        for events in events.chunks(HASHED) {
            for event in events {
                self.add_message(buffer, event, lanes.of(event.fields.chain));
            }
            let mut hashes = std::mem::take(&mut self.room.hashes);
            self.room
                .messages
                .finish(compress, |hash| hashes.push(hash));
            for ((event, hash), seq) in events.iter().zip(&hashes).zip(&mut numbers) {
                self.add(buffer, event, (seq, hash), lanes.of(event.fields.chain));
            }
            hashes.clear();
            self.room.hashes = hashes;
        }
    }

    /// Takes the time and draws numbers at once, so that over all lanes the times grow with the numbers: what
    /// else could tell which of two entries in two lanes came first is `seq` alone. The numbers are above
    /// those that the lanes have, wherever somebody has set the sequence.
    fn number(&mut self, events: &[Pending], lanes: &mut Lanes) -> i64 {
        // What they have hashed holds the time.
        self.hashers.clear();
        for lane in &mut lanes.all {
            lane.given = lane.head.pos;
        }
        let floor = lanes.all.iter().map(|lane| lane.head.seq).max();
        loop {
            self.shared.now = clock::now();
            let first =
                sequence::draw_above(self.seq, floor.unwrap_or(0).max(0), events.len() as i64);
            let drawn = clock::now();
            // A backend that was stopped in between draws again.
            if drawn.saturating_sub(self.shared.now) <= PROMPT {
                return first;
            }
        }
    }

    /// Adds what the `event_hash` of the lane's next event is taken over.
    fn add_message(&mut self, buffer: &Buffer, pending: &Pending, lane: &mut Lane) {
        lane.given += 1;
        let (event, _) = self.shared.event(buffer, pending, lane, lane.given);
        let fields = &pending.fields;
        let of = (fields.chain, fields.kind, fields.attribution);
        let known = |(chain, kind, attribution, _): &_| (*chain, *kind, *attribution) == of;
        let at = match self.hashers.iter().position(known) {
            Some(at) => at,
            None => {
                if self.hashers.len() == HASHERS {
                    self.hashers.clear();
                }
                self.hashers
                    .push((of.0, of.1, of.2, EventHasher::new(&event)));
                self.hashers.len() - 1
            }
        };
        self.hashers[at].3.add(&event, &mut self.room.messages);
    }

    /// Links an event to the end of its lane, and has it as a row.
    fn add(
        &mut self,
        buffer: &Buffer,
        pending: &Pending,
        (seq, event_hash): (i64, &Hash),
        lane: &mut Lane,
    ) {
        let (event, context) = self.shared.event(buffer, pending, lane, lane.head.pos + 1);
        let payload = buffer.payload(pending).map(builtin::jsonb_content);
        let payload = payload.as_deref();
        let prev_hash = lane.head.chain_hash;
        let chain_hash = chain_hash(&prev_hash, event_hash, seq);

        let optional = [event.pk, event.actor, context, payload];
        let bytes = optional
            .iter()
            .flatten()
            .map(|value| value.len())
            .sum::<usize>()
            + event.kind.len()
            + event.db_user.len()
            + 4 * size_of::<Hash>();
        let null = |column: usize, is_null: bool| u32::from(is_null) << column;
        let nulls = null(column::EVENT_PK, event.pk.is_none())
            | null(column::ACTOR, event.actor.is_none())
            | null(column::CONTEXT, context.is_none())
            | null(column::LAYOUT, event.layout.is_none())
            | null(column::PAYLOAD, payload.is_none());
        let mut row = self.room.rows.begin(column::COUNT, nulls, bytes);
        row.int8(seq);
        row.int4(lane.chain_id);
        row.int2(lane.lane);
        row.int8(event.pos);
        row.int2(event.format.version());
        row.char(event.op);
        row.bytes(event.kind);
        row.bytes(event.pk.unwrap_or_default());
        row.int8(event.xid.cast_signed());
        row.int8(event.appended_at);
        row.bytes(event.db_user);
        row.bytes(event.actor.unwrap_or_default());
        row.bytes(context.unwrap_or_default());
        row.int4(event.layout.unwrap_or_default());
        row.bytes(payload.unwrap_or_default());
        row.bytes(&event.payload_hash.0);
        row.bytes(&event_hash.0);
        row.bytes(&prev_hash.0);
        row.bytes(&chain_hash.0);
        row.end();

        self.last = Place {
            chain_id: lane.chain_id,
            lane: lane.lane,
            pos: event.pos,
        };
        lane.head = Head {
            pos: event.pos,
            seq,
            chain_hash,
        };
        lane.last_row = Some(Row(self.room.rows.len() - 1));
    }

    /// Inserts the rows, and notes the ends of lanes that are among them.
    pub(super) fn insert(&mut self, inserter: &mut Inserter, lanes: &mut Lanes) {
        inserter.insert_formed(&mut self.room.rows);
        for lane in &mut lanes.all {
            if let Some(row) = lane.last_row.take() {
                head::linked(inserter, (lane.chain_id, lane.lane), lane.head, row);
            }
        }
    }
}

impl Shared {
    /// The event at this position of a lane, and its context as jsonb is stored.
    #[inline]
    fn event<'a>(
        &'a mut self,
        buffer: &'a Buffer,
        pending: &Pending,
        lane: &'a Lane,
        pos: i64,
    ) -> (Event<'a>, Option<&'a [u8]>) {
        let fields = &pending.fields;
        if self.kind.as_ref().is_none_or(|(id, _)| *id != fields.kind) {
            self.kind = None;
        }
        let at = fields.attribution.index() as usize;
        if self.attributions.len() <= at {
            self.attributions.resize(at + 1, None);
        }
        let (_, kind) = self
            .kind
            .get_or_insert_with(|| (fields.kind, buffer::name(fields.kind)));
        let shared = self.attributions[at].get_or_insert_with(|| {
            let attribution = attribution::get(fields.attribution);
            let context = attribution.context.as_deref().map(builtin::jsonb_content);
            Attributed {
                attribution,
                context,
            }
        });
        let event = Event {
            actor: shared.attribution.actor.as_deref(),
            appended_at: self.now,
            chain: &lane.chain,
            context: shared.attribution.context.as_deref(),
            db_user: &self.user,
            kind,
            lane: lane.lane,
            layout: fields.layout,
            op: fields.op,
            payload_hash: fields.payload_hash,
            pk: buffer.pk(pending),
            pos,
            format: Format::CURRENT,
            xid: self.xid,
        };
        (event, shared.context.as_deref())
    }
}

impl Room {
    /// Memory that it has, about.
    fn capacity(&self) -> usize {
        self.rows.capacity()
            + self.text.capacity()
            + self.messages.capacity()
            + self.hashes.capacity() * size_of::<Hash>()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if self.room.capacity() <= KEEP_BYTES {
            ROOM.set(std::mem::take(&mut self.room));
        }
    }
}
