//! Linking the transaction's pending events to their chains. The lock protocol is told in
//! [`crate::ledger::lane`].
//!
//! Numbers are given in the order in which the changes were made, across all chains: the later of
//! two changes of one row has the larger `seq`, also where the row moved from one chain to another, and
//! whatever the order in which triggers told of them ([`crate::ledger::arrange`]).

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use auditspine_core::entry::{Event, EventHasher, Format, chain_hash};
use auditspine_core::hash::Hash;
use pgrx::pg_sys;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::broken;
use crate::ledger::attribution::{self, Attribution, AttributionId};
use crate::ledger::buffer::{self, Buffer, Fields, NameId, Pending};
use crate::ledger::catalog::{State, column, state};
use crate::ledger::chains;
use crate::ledger::head::{self, Head};
use crate::ledger::lane;
use crate::ledger::settle;
use crate::pg::arena::DatumArena;
use crate::pg::insert::{BATCH, Inserter};
use crate::pg::memory::ScratchContext;
use crate::pg::sequence;
use crate::pg::{builtin, clock, session};

/// An entry as it was written: what the function form of the append returns.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Number of the chain.
    pub chain_id: i32,
    /// Lane within the chain.
    pub lane: i16,
    /// Position within the lane.
    pub pos: i64,
}

thread_local! {
    static COMMITTING: Cell<bool> = const { Cell::new(false) };
}

/// Links all pending events ahead of the commit. What comes after that, from another extension that
/// writes to an audited table while the transaction commits, is linked at once.
pub fn flush_at_commit() {
    link_pending(true, true);
    COMMITTING.set(true);
}

/// To be called when a transaction has ended.
pub fn transaction_ended() {
    COMMITTING.set(false);
}

/// Links pending events if they should not wait: `limit` bytes are exceeded, or the commit is under
/// way. Inside a trigger that another one's change has fired the limit is [`NESTED`] times as large: of
/// what the outer statements have changed before, something may still have to be told.
pub fn flush_if_due(limit: usize) {
    if settle::is_settling() {
        return;
    }
    let size = buffer::with(Buffer::pending_size);
    let is_full =
        || size > limit && (size > NESTED.saturating_mul(limit) || session::trigger_depth() < 2);
    if COMMITTING.get() || is_full() {
        flush();
    }
}

/// How many times as much as otherwise may be pending within nested triggers.
const NESTED: usize = 4;

/// Links all pending events; returns how many, and the place of the last one.
///
/// The buffer is taken out of its cell meanwhile: linking may wait, and a backend that is told to
/// terminate while it waits runs our callbacks on top of this very stack, without unwinding it.
pub fn flush() -> (usize, Option<Place>) {
    link_pending(true, false).unwrap_or((0, None))
}

/// As [`flush`], but waits for nobody: where a chain has no lane free, or is not there yet, nothing
/// is linked, and the chains that it takes are returned, to be [waited for](Chains::wait_for) when
/// nothing is held that others may wait for.
pub fn flush_unless_busy() -> Result<(), Chains> {
    match link_pending(false, false) {
        Some(_) => Ok(()),
        None => Err(buffer::with(|buffer| Chains::of(buffer.pending()))),
    }
}

fn link_pending(wait: bool, at_end: bool) -> Option<(usize, Option<Place>)> {
    let arranged = settle::settle(at_end);
    let mut taken = Taken(buffer::take());
    let events = match arranged {
        Some(arranged) => Cow::Owned(arranged),
        None => Cow::Borrowed(taken.0.pending()),
    };
    let count = events.len();
    if count == 0 {
        return Some((0, None));
    }
    let last = link(&taken.0, &events, wait)?;
    drop(events);
    if !at_end {
        taken.0.note_early();
    }
    taken.0.mark_flushed();
    Some((count, Some(last)))
}

/// Links an event by itself, ahead of those that are pending.
pub fn link_alone(fields: Fields, pk: Option<&[u8]>, payload: Option<&[u8]>) -> Option<Place> {
    let mut alone = Buffer::default();
    alone.push(fields, pk, payload);
    link(&alone, alone.pending(), true)
}

/// The chains that events go to.
pub struct Chains {
    names: Vec<(NameId, Rc<[u8]>)>,
    /// Those that are made if they do not exist.
    created: Vec<Rc<[u8]>>,
}

impl Chains {
    fn of(events: &[Pending]) -> Chains {
        let mut chains = Chains {
            names: Vec::new(),
            created: Vec::new(),
        };
        let mut seen = FxHashSet::default();
        for Fields {
            chain,
            creates_chain,
            ..
        } in events.iter().map(|event| event.fields)
        {
            let again = chains.names.last().is_some_and(|(last, _)| *last == chain);
            if !again && seen.insert(chain) {
                let text = buffer::name(chain);
                chains.names.push((chain, text.clone()));
                chains.created.extend(creates_chain.then_some(text));
            }
        }
        chains
    }

    /// Makes those chains that are to be made, and takes a lane of each for the rest of the
    /// transaction, waiting as a flush does.
    pub fn wait_for(&self) {
        chains::ensure(self.created.iter().map(|text| &text[..]));
        for (_, chain) in self.in_lock_order() {
            lane::acquire(&chain);
        }
    }

    fn all_exist(&self) -> bool {
        self.created.iter().all(|name| chains::find(name).is_some())
    }

    fn in_lock_order(&self) -> Vec<(NameId, chains::Chain)> {
        let mut all: Vec<_> = self
            .names
            .iter()
            .map(|(id, text)| (*id, chains::expect(text)))
            .collect();
        all.sort_by_key(|(_, chain)| lane::lock_order(chain));
        all
    }
}

/// Puts the buffer back, also when linking fails: the error may only end a savepoint.
struct Taken(Buffer);

impl Drop for Taken {
    fn drop(&mut self) {
        buffer::put_back(std::mem::take(&mut self.0));
    }
}

/// A lane that this flush holds, and its end so far.
struct Lane {
    chain_id: i32,
    chain: Rc<[u8]>,
    lane: i16,
    head: Head,
}

/// Links events of a buffer; `None`, and nothing is done, if that takes waiting and `wait` is false.
fn link(buffer: &Buffer, events: &[Pending], wait: bool) -> Option<Place> {
    let scratch = ScratchContext::enter();
    let mut inserter = Inserter::open(state().audit_chain, events.len(), Some(column::SEQ));
    // Anew: only under the lock on the table does an index stay the one to search.
    let state = state();
    let Some(mut lanes) = Lanes::take(events, &state, &inserter, wait) else {
        inserter.close();
        return None;
    };
    let mut batch = Batch::new(&state, events.len());
    // Indexes and slots of the inserter live in `scratch`; tuples of several batches in one that is reset.
    batch.share_attributions(events);
    let mut size = batch_size(buffer, events);
    let tuples = (size < events.len()).then(ScratchContext::enter);
    let mut rest = events;
    while !rest.is_empty() {
        let (events, behind) = rest.split_at(size);
        rest = behind;
        batch.fill(buffer, events, &mut lanes);
        batch.insert(&mut inserter);
        if let Some(tuples) = &tuples {
            tuples.reset();
        }
        size = batch_size(buffer, rest);
    }
    drop(tuples);
    inserter.close();
    for lane in &lanes.all {
        head::remember(lane.chain_id, lane.lane, lane.head.pos);
    }
    drop(scratch);
    Some(batch.last)
}

/// Payload bytes after which a batch ends, however few its events.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

fn batch_size(buffer: &Buffer, events: &[Pending]) -> usize {
    let mut bytes = 0;
    let fit = events.iter().take(BATCH).take_while(|event| {
        let fits = bytes < BATCH_BYTES;
        bytes += buffer.payload(event).map_or(0, <[u8]>::len);
        fits
    });
    fit.count()
}

struct Lanes {
    all: Vec<Lane>,
    by_chain: FxHashMap<NameId, usize>,
    /// The chain of the event before, which is nearly always that of the next.
    recent: Option<(NameId, usize)>,
}

impl Lanes {
    fn take(events: &[Pending], state: &State, inserter: &Inserter, wait: bool) -> Option<Lanes> {
        let wanted = Chains::of(events);
        if wait {
            chains::ensure(wanted.created.iter().map(|text| &text[..]));
        } else if !wanted.all_exist() {
            return None;
        }
        let mut lanes = Lanes {
            all: Vec::new(),
            by_chain: FxHashMap::default(),
            recent: None,
        };
        for (id, chain) in wanted.in_lock_order() {
            // By its tenant and by its name.
            if lanes
                .all
                .last()
                .is_some_and(|last| last.chain_id == chain.id)
            {
                lanes.by_chain.insert(id, lanes.all.len() - 1);
                continue;
            }
            let lane = if wait {
                lane::acquire(&chain)
            } else {
                lane::try_acquire(&chain)?
            };
            let head = head::read(inserter.table(), state.head_index(), chain.id, lane);
            lanes.by_chain.insert(id, lanes.all.len());
            lanes.all.push(Lane {
                chain_id: chain.id,
                chain: chain.name,
                lane,
                head,
            });
        }
        Some(lanes)
    }

    fn of(&mut self, chain: NameId) -> &mut Lane {
        let at = match self.recent {
            Some((recent, at)) if recent == chain => at,
            _ => self.by_chain[&chain],
        };
        self.recent = Some((chain, at));
        &mut self.all[at]
    }
}

type Row = ([pg_sys::Datum; column::COUNT], [bool; column::COUNT]);

/// Up to [`BATCH`] rows on their way to the table.
struct Batch {
    rows: Vec<Row>,
    arena: DatumArena,
    hashers: Vec<(NameId, NameId, AttributionId, EventHasher)>,
    /// By number of the attribution.
    attributions: Vec<Option<SharedValues>>,
    last: Place,
    seq: pg_sys::Oid,
    xid: u64,
    now: i64,
    user: Vec<u8>,
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
    fn new(state: &State, count: usize) -> Batch {
        let user = session::session_user_name();
        let xid = session::transaction_id();
        Batch {
            rows: Vec::with_capacity(count.min(BATCH)),
            arena: DatumArena::default(),
            hashers: Vec::new(),
            attributions: Vec::new(),
            last: Place {
                chain_id: 0,
                lane: 0,
                pos: 0,
            },
            seq: state.seq,
            xid,
            now: 0,
            user,
        }
    }

    fn fill(&mut self, buffer: &Buffer, events: &[Pending], lanes: &mut Lanes) {
        self.rows.clear();
        self.arena.clear();
        let first = self.number(events, lanes);
        for (seq, event) in (first..).zip(events) {
            self.add(buffer, event, seq, lanes.of(event.fields.chain));
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

    fn add(&mut self, buffer: &Buffer, pending: &Pending, seq: i64, lane: &mut Lane) {
        // `share_attributions` has filled in every one that an event of this flush has.
        let Some(shared) = self.attributions[pending.fields.attribution.index() as usize].clone()
        else {
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
        let event_hash = hash_event(&mut self.hashers, pending, &event);
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
        set(column::EVENT_KIND, Some(self.arena.varlena(&kind)));
        set(column::EVENT_PK, pk.map(|pk| self.arena.varlena(pk)));
        set(column::DB_USER, Some(self.arena.varlena(&self.user)));
        set(
            column::ACTOR,
            event.actor.map(|actor| self.arena.varlena(actor)),
        );
        set(column::CONTEXT, shared.context);
        set(column::LAYOUT, event.layout.map(pg_sys::Datum::from));
        set(
            column::PAYLOAD,
            buffer.payload(pending).map(builtin::jsonb_of),
        );
        set(
            column::PAYLOAD_HASH,
            Some(self.arena.varlena(&event.payload_hash.0)),
        );
        set(column::EVENT_HASH, Some(self.arena.varlena(&event_hash.0)));
        set(column::PREV_HASH, Some(self.arena.varlena(&prev_hash.0)));
        set(
            column::CHAIN_HASH,
            Some(self.arena.varlena(&lane.head.chain_hash.0)),
        );
        self.rows.push((values, nulls));
    }

    /// Looks up what the events share, while the memory is that of the whole flush.
    fn share_attributions(&mut self, events: &[Pending]) {
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

    fn insert(&self, inserter: &mut Inserter) {
        let rows: Vec<(&[pg_sys::Datum], &[bool])> = self
            .rows
            .iter()
            .map(|(values, nulls)| (&values[..], &nulls[..]))
            .collect();
        inserter.insert(&rows);
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
