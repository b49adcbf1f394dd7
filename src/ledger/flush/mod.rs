//! Linking the transaction's pending events to their chains. The lock protocol is told in
//! [`crate::ledger::lane`].
//!
//! Numbers are given in the order in which the changes were made, across all chains: the later of
//! two changes of one row has the larger `seq`, also where the row moved from one chain to another, and
//! whatever the order in which triggers told of them ([`crate::ledger::arrange`]).

mod batch;
mod lanes;

use std::borrow::Cow;
use std::cell::Cell;

use self::batch::Batch;
pub use self::lanes::Chains;
use self::lanes::Lanes;
use crate::ledger::buffer::{self, Buffer, Fields, Pending};
use crate::ledger::catalog::{ENTRIES, state};
use crate::ledger::settle;
use crate::pg::insert::{BATCH, Inserter};
use crate::pg::memory::{KeptContext, ScratchContext};
use crate::pg::session;

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
    let size = buffer::pending_size();
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

/// Puts the buffer back, also when linking fails: the error may only end a savepoint.
struct Taken(Buffer);

impl Drop for Taken {
    fn drop(&mut self) {
        buffer::put_back(std::mem::take(&mut self.0));
    }
}

/// Links events of a buffer; `None`, and nothing is done, if that takes waiting and `wait` is false.
fn link(buffer: &Buffer, events: &[Pending], wait: bool) -> Option<Place> {
    let memory = KeptContext::enter();
    let mut inserter = Inserter::open(state().audit_chain, ENTRIES);
    // Anew: only under the lock on the table does an index stay the one to search.
    let state = state();
    let mut lanes = Lanes::take(events, &state, &inserter, wait)?;
    let mut batch = Batch::new(&state);
    // What lasts lives in `memory`; what single batches need in a context that is reset.
    let mut size = batch_size(buffer, events);
    let tuples = (size < events.len()).then(ScratchContext::enter);
    let mut rest = events;
    while !rest.is_empty() {
        let (events, behind) = rest.split_at(size);
        rest = behind;
        batch.fill(buffer, events, &mut lanes);
        batch.insert(&mut inserter, &mut lanes);
        if let Some(tuples) = &tuples {
            tuples.reset();
        }
        size = batch_size(buffer, rest);
    }
    drop(tuples);
    drop(inserter);
    drop(memory);
    Some(batch.last)
}

/// Payload bytes after which a batch ends, however few its events.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

fn batch_size(buffer: &Buffer, events: &[Pending]) -> usize {
    if buffer.text_size() < BATCH_BYTES {
        return events.len().min(BATCH);
    }
    let mut bytes = 0;
    let fit = events.iter().take(BATCH).take_while(|event| {
        let fits = bytes < BATCH_BYTES;
        bytes += buffer.payload(event).map_or(0, <[u8]>::len);
        fits
    });
    fit.count()
}
