//! Entries on their way to the table, a batch at a time.

use std::cell::RefCell;
use std::rc::Rc;

use auditspine_core::entry::{Event, EventHasher, Format, chain_hash};
use auditspine_core::hash::Hash;
use pgrx::pg_sys;

use super::Place;
use super::lanes::{Lane, Lanes};
use crate::error::broken;
use crate::ledger::attribution::{self, Attribution, AttributionId};
use crate::ledger::buffer::{self, Buffer, NameId, Pending};
use crate::ledger::catalog::{State, column};
use crate::ledger::head::{self, Head, Row};
use crate::pg::arena::DatumArena;
use crate::pg::insert::{BATCH, Inserter};
use crate::pg::sequence;
use crate::pg::{builtin, clock, session};

/// Up to [`BATCH`] rows on their way to the table.
pub(super) struct Batch {
    /// Place of the last entry.
    pub(super) last: Place,
    room: Room,
    hashers: Vec<(NameId, NameId, AttributionId, EventHasher)>,
    /// By number of the attribution.
    attributions: Vec<Option<SharedValues>>,
    seq: pg_sys::Oid,
    xid: u64,
    now: i64,
    user: Rc<[u8]>,
}

/// Memory that is kept from one flush to the next.
#[derive(Default)]
struct Room {
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    arena: DatumArena,
    text: Vec<u8>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

/// Values that all events of one attribution share.
#[derive(Clone)]
struct SharedValues {
    attribution: Rc<Attribution>,
    /// The context as jsonb, in the flush's memory.
    context: Option<pg_sys::Datum>,
}

/// How long after the time was taken numbers may be drawn, in microseconds.
const PROMPT: i64 = 1_000_000;
/// Most event prefixes that are kept hashed at a time.
const HASHERS: usize = 16;

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
            attributions: Vec::new(),
            seq: state.seq,
            xid: session::transaction_id(),
            now: 0,
            user: session::session_user(),
        }
    }

    /// Links events, and has them as rows.
    pub(super) fn fill(&mut self, buffer: &Buffer, events: &[Pending], lanes: &mut Lanes) {
        self.room.values.clear();
        self.room.nulls.clear();
        self.room.arena.clear();
        let first = self.number(events, lanes);
        for (at, event) in events.iter().enumerate() {
            let lane = lanes.of(event.fields.chain);
            lane.last_row = Some(Row(at));
            self.add(buffer, event, first + at as i64, events.len() == 1, lane);
        }
    }

    /// Takes the time and draws numbers at once, so that over all lanes the times grow with the numbers: what
    /// else could tell which of two entries in two lanes came first is `seq` alone. The numbers are above
    /// those that the lanes have, wherever somebody has set the sequence.
    fn number(&mut self, events: &[Pending], lanes: &Lanes) -> i64 {
        // What they have hashed holds the time.
        self.hashers.clear();
        let floor = lanes.all.iter().map(|lane| lane.head.seq).max();
        loop {
            self.now = clock::now();
            let first =
                sequence::draw_above(self.seq, floor.unwrap_or(0).max(0), events.len() as i64);
            let drawn = clock::now();
            // A backend that was stopped in between draws again.
            if drawn.saturating_sub(self.now) <= PROMPT {
                return first;
            }
        }
    }

    fn add(
        &mut self,
        buffer: &Buffer,
        pending: &Pending,
        seq: i64,
        is_only: bool,
        lane: &mut Lane,
    ) {
        // `share_attributions` has filled in every one that an event of this flush has.
        let Some(shared) = &self.attributions[pending.fields.attribution.index() as usize] else {
            broken("an event's attribution was forgotten".to_owned())
        };
        let pk = buffer.pk(pending);
        let kind = buffer::name(pending.fields.kind);
        let event = Event {
            actor: shared.attribution.actor.as_deref(),
            appended_at: self.now,
            chain: &lane.chain,
            context: shared.attribution.context.as_deref(),
            db_user: &self.user,
            kind: &kind,
            lane: lane.lane,
            layout: pending.fields.layout,
            op: pending.fields.op,
            payload_hash: pending.fields.payload_hash,
            pk,
            pos: lane.head.pos + 1,
            format: Format::CURRENT,
            xid: self.xid,
        };
        let event_hash = if is_only {
            event.hash(&mut self.room.text)
        } else {
            hash_event(&mut self.hashers, pending, &event)
        };
        let prev_hash = lane.head.chain_hash;
        lane.head = Head {
            pos: event.pos,
            seq,
            chain_hash: chain_hash(&prev_hash, &event_hash, seq),
        };
        self.last = Place {
            chain_id: lane.chain_id,
            lane: lane.lane,
            pos: event.pos,
        };

        let arena = &mut self.room.arena;
        let mut values = [pg_sys::Datum::from(0usize); column::COUNT];
        let mut nulls = [false; column::COUNT];
        values[column::SEQ] = pg_sys::Datum::from(seq);
        values[column::CHAIN_ID] = pg_sys::Datum::from(lane.chain_id);
        values[column::LANE] = pg_sys::Datum::from(lane.lane);
        values[column::POS] = pg_sys::Datum::from(event.pos);
        values[column::VERSION] = pg_sys::Datum::from(event.format.version());
        values[column::OP] = pg_sys::Datum::from(event.op as i8);
        values[column::XID] = pg_sys::Datum::from(event.xid);
        values[column::APPENDED_AT] = pg_sys::Datum::from(event.appended_at);
        let mut set = |at: usize, value: Option<pg_sys::Datum>| match value {
            Some(value) => values[at] = value,
            None => nulls[at] = true,
        };
        set(column::EVENT_KIND, Some(arena.varlena(&kind)));
        set(column::EVENT_PK, pk.map(|pk| arena.varlena(pk)));
        set(column::DB_USER, Some(arena.varlena(&self.user)));
        set(column::ACTOR, event.actor.map(|actor| arena.varlena(actor)));
        set(column::CONTEXT, shared.context);
        set(column::LAYOUT, event.layout.map(pg_sys::Datum::from));
        set(
            column::PAYLOAD,
            buffer.payload(pending).map(builtin::jsonb_of),
        );
        set(
            column::PAYLOAD_HASH,
            Some(arena.varlena(&event.payload_hash.0)),
        );
        set(column::EVENT_HASH, Some(arena.varlena(&event_hash.0)));
        set(column::PREV_HASH, Some(arena.varlena(&prev_hash.0)));
        set(
            column::CHAIN_HASH,
            Some(arena.varlena(&lane.head.chain_hash.0)),
        );
        self.room.values.extend_from_slice(&values);
        self.room.nulls.extend_from_slice(&nulls);
    }

    /// Looks up what the events share, while the memory is that of the whole flush.
    pub(super) fn share_attributions(&mut self, events: &[Pending]) {
        for id in events.iter().map(|event| event.fields.attribution) {
            let at = id.index() as usize;
            if self.attributions.len() <= at {
                self.attributions.resize(at + 1, None);
            }
            self.attributions[at].get_or_insert_with(|| {
                let attribution = attribution::get(id);
                let context = attribution.context.as_deref().map(builtin::jsonb_of);
                SharedValues {
                    attribution,
                    context,
                }
            });
        }
    }

    /// Inserts the rows, and notes the ends of lanes that are among them.
    pub(super) fn insert(&self, inserter: &mut Inserter, lanes: &mut Lanes) {
        inserter.insert(&self.room.values, &self.room.nulls);
        for lane in &mut lanes.all {
            if let Some(row) = lane.last_row.take() {
                head::linked(inserter, (lane.chain_id, lane.lane), lane.head, row);
            }
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // Room for many rows is not worth keeping.
        if self.room.nulls.capacity() <= BATCH && self.room.text.capacity() <= 64 * 1024 {
            ROOM.set(std::mem::take(&mut self.room));
        }
    }
}

fn hash_event(
    hashers: &mut Vec<(NameId, NameId, AttributionId, EventHasher)>,
    pending: &Pending,
    event: &Event<'_>,
) -> Hash {
    let known = hashers.iter_mut().find(|(chain, kind, attribution, _)| {
        (*chain, *kind, *attribution)
            == (
                pending.fields.chain,
                pending.fields.kind,
                pending.fields.attribution,
            )
    });
    if let Some((.., hasher)) = known {
        return hasher.hash(event);
    }
    if hashers.len() == HASHERS {
        hashers.clear();
    }
    let mut hasher = EventHasher::new(event);
    let hash = hasher.hash(event);
    hashers.push((
        pending.fields.chain,
        pending.fields.kind,
        pending.fields.attribution,
        hasher,
    ));
    hash
}
