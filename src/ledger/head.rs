//! The end of a lane: kept by the transaction that appends to it, and shared with others when it has committed; found
//! by index where neither is there.
//!
//! Whoever looks for the end of a lane holds the lane. What it finds in shared memory it takes out
//! ([`auditspine_core::shared_heads`] says why), keeps while the transaction runs, and puts back, as it is then, when
//! the commit has become visible and the lane is still held. What goes otherwise (an ERROR, a rollback to a
//! savepoint, PREPARE, the death of the process) leaves nothing there, and the next one searches the index.
//!
//! That another way to write the table goes by all this does no harm: an end counts only if the entry is still stored
//! where it was, as it was, and nobody has touched it. And if somebody has put an entry behind it by hand, the next one
//! is refused by the primary key. So that this happens to nobody who can help it, the ends are forgotten
//! when the table is changed, and when a statement inserts into it ([`distrust`]).

use std::cell::{Cell, RefCell};

use auditspine_core::hash::Hash;
use auditspine_core::shared_heads::{LaneEnd, LaneKey};
use pgrx::pg_sys;
use rustc_hash::FxHashMap;

use crate::error::broken;
use crate::ledger::by_place::Now;
use crate::ledger::catalog::{State, column};
use crate::pg::insert::{Inserter, Stored};
use crate::pg::relation::OpenRelation;
use crate::pg::values::Values;
use crate::pg::{session, shared_memory};

/// The last entry of a lane, or what stands before its first.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Its position; 0 for an empty lane.
    pub pos: i64,
    /// Its number; 0 for an empty lane.
    pub seq: i64,
    /// What the next entry's `prev_hash` is.
    pub chain_hash: Hash,
}

/// A row of the batch that was inserted last.
#[derive(Clone, Copy, Debug)]
pub struct Row(pub usize);

#[derive(Default)]
struct Held {
    /// Ends of lanes that this transaction holds.
    ends: Vec<(LaneKey, LaneEnd)>,
    /// Whether entries may be written by others than this module's users.
    distrusted: bool,
}

thread_local! {
    static HELD: RefCell<Held> = RefCell::default();
    /// The table was changed: what is shared is to be forgotten before it is looked at.
    static CHANGED: Cell<bool> = const { Cell::new(false) };
    /// The last position that this backend searched the index for and found, or that it linked and keeps no end of, by
    /// chain and lane.
    static SEEN: RefCell<FxHashMap<(i32, i16), i64>> = RefCell::default();
}

/// Most ends that a transaction keeps: one with more lanes searches the index for the others.
const HELD_LIMIT: usize = 64;
const SEEN_LIMIT: usize = 16 * 1024;
/// A transaction can add as many entries behind it as there is memory for.
const LAST_POS: i64 = i64::MAX / 2;

/// Reads the lane's head. The caller holds the lane.
pub fn read(inserter: &Inserter, state: &State, chain_id: i32, lane: i16) -> Head {
    // Until the extension is updated, a library may be at work that knows of no shared ends.
    let known = state
        .has_tenants
        .then(|| recall(inserter, chain_id, lane))
        .flatten();
    match known {
        Some(end) => Head {
            pos: end.pos,
            seq: end.seq,
            chain_hash: end.chain_hash,
        },
        None => find(inserter.table(), state.head_index(), chain_id, lane),
    }
}

/// The end of a lane as this transaction has left it, or as others have; `None` if neither is there, or if it is not
/// so any more.
fn recall(inserter: &Inserter, chain_id: i32, lane: i16) -> Option<LaneEnd> {
    let key = LaneKey {
        file: inserter.file(),
        chain_id,
        lane,
    };
    // Nothing is borrowed while PostgreSQL is called: whatever waits there may be told to terminate.
    let (own, is_open) = HELD.with(|held| {
        let mut held = held.borrow_mut();
        let own = held.ends.iter().position(|(other, _)| *other == key);
        let own = own.map(|at| held.ends.swap_remove(at).1);
        (own, !held.distrusted && held.ends.len() < HELD_LIMIT)
    });
    let end = match own {
        Some(own) => own,
        None => take(&key)?,
    };
    (is_open && is_there(inserter, &key, &end)).then(|| {
        HELD.with(|held| held.borrow_mut().ends.push((key, end)));
        end
    })
}

/// Takes the end of a lane out of shared memory.
fn take(key: &LaneKey) -> Option<LaneEnd> {
    let shared = shared_memory::heads()?;
    if CHANGED.replace(false) {
        shared.forget(key.file[1]);
    }
    shared.take(key).unwrap_or_else(|_| {
        shared_memory::give_up();
        None
    })
}

/// Whether the entry is stored where it was, as it was, and nobody has touched it.
fn is_there(inserter: &Inserter, key: &LaneKey, end: &LaneEnd) -> bool {
    let stored = Stored {
        block: end.block,
        offset: end.offset,
    };
    let is_it = inserter.shows(stored, end.buffer, |values| {
        // The columns that begin a row are never null and of fixed length; chain_hash ends it, a short value.
        let same = |at: usize, bytes: &[u8]| values.get(at..at + bytes.len()) == Some(bytes);
        same(0, &end.seq.to_ne_bytes())
            && same(8, &key.chain_id.to_ne_bytes())
            && same(12, &key.lane.to_ne_bytes())
            && same(16, &end.pos.to_ne_bytes())
            && values.len() == 24 + 33
            && same(25, &end.chain_hash.0)
    });
    is_it.unwrap_or(false)
}

/// Notes the end of a lane that this transaction has appended to: a row of the batch that was just inserted.
pub fn linked(inserter: &Inserter, (chain_id, lane): (i32, i16), head: Head, row: Row) {
    let key = LaneKey {
        file: inserter.file(),
        chain_id,
        lane,
    };
    let stored = inserter.stored(row.0);
    let end = LaneEnd {
        pos: head.pos,
        seq: head.seq,
        chain_hash: head.chain_hash,
        block: stored.block,
        offset: stored.offset,
        buffer: inserter.buffer_of(stored.block),
    };
    let is_held = HELD.with(|held| {
        let mut held = held.borrow_mut();
        let at = held.ends.iter().position(|(other, _)| *other == key);
        match at {
            Some(at) if held.distrusted => {
                held.ends.swap_remove(at);
                false
            }
            Some(at) => {
                held.ends[at].1 = end;
                true
            }
            None if held.ends.len() < HELD_LIMIT && !held.distrusted => {
                held.ends.push((key, end));
                true
            }
            None => false,
        }
    });
    if !is_held {
        note_seen((chain_id, lane), head.pos);
    }
}

/// Remembers a position of a lane for the next search of the index.
fn note_seen(lane: (i32, i16), pos: i64) {
    SEEN.with(|seen| {
        let mut seen = seen.borrow_mut();
        if seen.len() >= SEEN_LIMIT {
            seen.clear();
        }
        seen.insert(lane, pos);
    });
}

/// To be called when the transaction has committed, is visible, and still holds its lanes: shares their ends.
pub fn share() {
    HELD.with(|held| {
        let mut held = held.borrow_mut();
        if held.ends.is_empty() && !held.distrusted {
            return;
        }
        let shared = shared_memory::heads();
        if let Some(shared) = shared {
            if held.distrusted {
                shared.forget(session::database().to_u32());
            }
            for (key, end) in held.ends.drain(..) {
                shared.put(&key, &end);
            }
        }
        held.ends.clear();
        held.distrusted = false;
    });
}

/// To be called when the transaction, or a part of it, is rolled back, or it was prepared: the lanes may be others' now.
pub fn forget_held(all: bool) {
    HELD.with(|held| {
        let mut held = held.borrow_mut();
        held.ends.clear();
        held.distrusted &= !all;
    });
}

/// To be called from the relcache callback when our tables have changed. Touches nothing shared.
pub fn table_changed() {
    CHANGED.set(true);
}

/// To be called ahead of a statement that may write entries past us: until the transaction ends, the ends of lanes are
/// searched for, and when it has committed, nothing is left of what was shared before.
pub fn distrust() {
    HELD.with(|held| {
        let mut held = held.borrow_mut();
        held.ends.clear();
        held.distrusted = true;
    });
    if let Some(shared) = shared_memory::heads() {
        shared.forget(session::database().to_u32());
    }
}

/// Finds the lane's head by index.
fn find(table: &OpenRelation, index: pg_sys::Oid, chain_id: i32, lane: i16) -> Head {
    // Searching backwards, the B-tree first collects all matches on the last leaf page; a lower
    // bound keeps them few. What this backend saw may have been rolled back since: then nothing
    // matches, and the search is repeated without it.
    let seen = SEEN.with(|seen| seen.borrow().get(&(chain_id, lane)).copied());
    let found = seen
        .and_then(|pos| search(table, index, chain_id, lane, Some(pos)))
        .or_else(|| search(table, index, chain_id, lane, None));
    match found {
        Some(head) => {
            note_seen((chain_id, lane), head.pos);
            head
        }
        None => Head {
            pos: 0,
            seq: 0,
            chain_hash: Hash::ZERO,
        },
    }
}

fn search(
    table: &OpenRelation,
    index: pg_sys::Oid,
    chain_id: i32,
    lane: i16,
    at_least: Option<i64>,
) -> Option<Head> {
    let now = Now { table, index };
    let read = |row: &Values<'_>| {
        let Some(pos) = row.int8(column::POS) else {
            broken(format!(
                "the last entry of chain {chain_id}, lane {lane} in auditspine.audit_chain has no pos"
            ))
        };
        // Behind it no position would be left, or one that no entry can have.
        if !(1..=LAST_POS).contains(&pos) {
            broken(format!(
                "the last entry of chain {chain_id}, lane {lane} in auditspine.audit_chain has pos {pos}"
            ));
        }
        let chain_hash = row.hash(column::CHAIN_HASH).unwrap_or_else(|| {
            broken(format!(
                "the last entry of chain {chain_id}, lane {lane}, position {pos} has no chain_hash of 32 bytes"
            ))
        });
        let Some(seq) = row.int8(column::SEQ) else {
            broken(format!(
                "the last entry of chain {chain_id}, lane {lane}, position {pos} has no seq"
            ))
        };
        Head {
            pos,
            seq,
            chain_hash,
        }
    };
    match at_least {
        Some(pos) => now.end((chain_id, lane), Some(pos), read),
        None => now.whole_end((chain_id, lane), read),
    }
}
