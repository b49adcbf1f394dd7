//! Lane locks: who may link to a lane.
//!
//! # Protocol
//!
//! 1. A flush first settles which chains it writes to. Chains that do not exist yet are created in the
//!    order of their names, each under a *name lock* (one of 64, by hash of the name) that is held only
//!    while the chain's row is looked for and made. Where another transaction has made a chain of the
//!    same name and is not over, the name lock is given back, and that transaction is waited for.
//! 2. It then takes one lane of each chain: a transaction-scoped, exclusive heavyweight lock, tried
//!    without waiting on one lane after the other; only when all are busy does it wait, on one of
//!    them. Chains come in the order of (group, chain_id).
//! 3. Only under that lock is the lane's head read (SnapshotSelf), and are entries linked to it.
//! 4. PostgreSQL releases the lock when the transaction ends, after its commit has become visible.
//!    So the next holder sees exactly the committed head.
//!
//! The lock is on (group, lane), where group = chain_id mod 1024, rather than on (chain, lane): a
//! transaction that touches 10,000 chains would otherwise need 10,000 lock table entries, more than
//! PostgreSQL has by default. Chains that share a group merely share its lanes' locks. Operators' chains, of
//! which there are few, share them with none (their group is 1024 + chain_id): a writer of tenants' rows,
//! who can make as many chains as he likes, holds no lane of theirs.
//!
//! No deadlock comes from step 1, since names are settled in order, and before any lane. Nor from step 2
//! alone. Waits go to higher groups only, except within a group: there
//! a transaction first tries what it holds, so it waits only if it holds none of the lanes that the
//! chain has, that is, for a lane with a lower number than all it holds. Lane 0, which every chain
//! has, ends every such sequence. (A flush ahead of the commit keeps lanes while the transaction goes
//! on to take row locks; that can deadlock, and PostgreSQL then cancels one of the transactions.)

use std::cell::RefCell;

use pgrx::pg_sys;
use rustc_hash::FxHashMap;

use crate::error::Failure;
use crate::ledger::chains::{Chain, Owner};
use crate::pg::lock::{AdvisoryLock, at_most, wait_for_transaction};
use crate::pg::{clock, session};
use crate::settings;

const GROUPS: i32 = 1024;
const NAME_SLOTS: u32 = 64;
/// The last field of an advisory lock tag is 1 or 2 for the locks that users take.
const LANE_LOCK: u16 = 3;
const NAME_LOCK: u16 = 4;
const KIND_LOCK: u16 = 5;
const TABLE_LOCK: u16 = 6;
/// How long no lane must have been busy, in microseconds, before a backend looks whether lane 0 is free: those who
/// commit at the same time all the while are not to take each other's lanes.
const CALM: i64 = 1_000_000;

/// The chains that share a chain's locks.
fn group(chain: &Chain) -> i32 {
    match chain.owner {
        Owner::Operators => GROUPS.saturating_add(chain.id),
        Owner::Tenant(_) | Owner::Unknown => chain.id.rem_euclid(GROUPS),
    }
}

/// Orders chains for taking lanes.
pub fn lock_order(chain: &Chain) -> (i32, i32) {
    (group(chain), chain.id)
}

/// Where a backend found a free lane of a chain last.
#[derive(Clone, Copy, Default)]
struct Home {
    lane: i16,
    /// When a lane was busy last.
    busy: i64,
}

thread_local! {
    static HOMES: RefCell<FxHashMap<i32, Home>> = RefCell::default();
    /// The lowest lane that this transaction holds, by group.
    static HELD: RefCell<FxHashMap<i32, i16>> = RefCell::default();
}

/// Whether this transaction has linked entries.
pub fn holds_any() -> bool {
    HELD.with(|held| !held.borrow().is_empty())
}

/// Whether this transaction has linked entries to a chain, or to one that shares its locks.
pub fn holds(chain: &Chain) -> bool {
    HELD.with(|held| held.borrow().contains_key(&group(chain)))
}

/// Whether this transaction has linked entries to others than that chain.
pub fn holds_others(chain: Option<&Chain>) -> bool {
    let own = chain.map(group);
    HELD.with(|held| held.borrow().keys().any(|group| Some(*group) != own))
}

/// To be called when a transaction has ended and its locks are gone.
pub fn forget_held() {
    HELD.with(|held| held.borrow_mut().clear());
}

/// Takes a lane of the chain for the rest of the transaction and returns its number.
///
/// A backend goes back to the lane it had last; after some calm it tries lane 0, so that low traffic
/// ends in one linear chain again. Waits at most `auditspine.lane_timeout` when all lanes are busy.
pub fn acquire(chain: &Chain) -> i16 {
    try_acquire(chain).unwrap_or_else(|| {
        let group = group(chain);
        // Waiters that all chose one lane would queue there.
        let lane = spread(chain.lanes);
        wait(group, &chain.name, lane);
        let busy = clock::transaction_start();
        settle(group, Home { lane, busy })
    })
}

/// As [`acquire`], but does not wait: `None` if all lanes are busy.
pub fn try_acquire(chain: &Chain) -> Option<i16> {
    let (group, lanes) = (group(chain), chain.lanes);
    let held = HELD.with(|held| held.borrow().get(&group).copied());
    // A lock that went with a rolled back savepoint may be another's by now: try, don't assume.
    if let Some(lane) = held.filter(|lane| *lane < lanes)
        && lane_lock(group, lane).try_acquire()
    {
        return Some(lane);
    }
    let home = HOMES.with(|homes| homes.borrow().get(&group).copied().unwrap_or_default());
    let now = clock::transaction_start();
    let first = if now.saturating_sub(home.busy) > CALM {
        0
    } else {
        home.lane % lanes
    };
    let mut attempts = 0;
    let lane = std::iter::once(first)
        .chain((0..lanes).map(|step| (home.lane % lanes + step) % lanes))
        .find(|lane| {
            attempts += 1;
            lane_lock(group, *lane).try_acquire()
        })?;
    let busy = if attempts == 1 { home.busy } else { now };
    Some(settle(group, Home { lane, busy }))
}

/// Remembers a lane just taken, and returns its number.
fn settle(group: i32, home: Home) -> i16 {
    HOMES.with(|homes| homes.borrow_mut().insert(group, home));
    HELD.with(|all| {
        let mut all = all.borrow_mut();
        let lowest = all.entry(group).or_insert(home.lane);
        *lowest = home.lane.min(*lowest);
    });
    home.lane
}

fn spread(lanes: i16) -> i16 {
    (session::process_id().rem_euclid(i32::from(lanes))) as i16
}

fn lane_lock(group: i32, lane: i16) -> AdvisoryLock {
    AdvisoryLock::new(group as u32, lane as u32, LANE_LOCK)
}

fn wait(group: i32, chain: &[u8], lane: i16) {
    let limit = settings::lane_timeout();
    if !lane_lock(group, lane).acquire_within(limit) {
        Failure::LaneTimeout.raise(
            format!(
                "no lane of audit chain \"{}\" became free within {limit} ms",
                String::from_utf8_lossy(chain)
            ),
            "a transaction that was prepared, or that called audit_flush() or overran \
             auditspine.buffer_size, keeps its lane until it ends: see pg_locks; raise \
             auditspine.lane_timeout, or give the chain more lanes",
        );
    }
}

/// FNV-1a: any stable spread will do.
fn name_slot(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    }) % NAME_SLOTS
}

/// The lock under which a chain is looked for and made; given back on drop. See the protocol.
pub struct NameLock(AdvisoryLock);

impl NameLock {
    /// Takes the lock for chains of this name, waiting as for a lane. Nobody waits while holding it, so
    /// that is a moment.
    pub fn take(name: &[u8]) -> NameLock {
        let lock = AdvisoryLock::new(name_slot(name), 0, NAME_LOCK);
        let limit = settings::lane_timeout();
        if !lock.acquire_within(limit) {
            Failure::LaneTimeout.raise(
                format!(
                    "the lock for making audit chain \"{}\" did not become free within {limit} ms",
                    String::from_utf8_lossy(name)
                ),
                "raise auditspine.lane_timeout",
            );
        }
        NameLock(lock)
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Waits until the transaction, or the part of one, that has made a chain of this name is over. At most
/// `auditspine.lane_timeout`.
pub fn wait_for_maker(xid: pg_sys::TransactionId, name: &[u8]) {
    let limit = settings::lane_timeout();
    let over = at_most(limit, move || wait_for_transaction(xid));
    if !over {
        Failure::LaneTimeout.raise(
            format!(
                "another transaction, which has made audit chain \"{}\", was not over after {limit} ms",
                String::from_utf8_lossy(name)
            ),
            "end it (pg_prepared_xacts shows prepared ones), commit soon after the first event of a new \
             chain, or raise auditspine.lane_timeout",
        );
    }
}

/// Takes the lock under which tables are attached under this kind, for the rest of the transaction.
/// Apart from the protocol: whoever waits for it holds no lane, unless it flushed early.
pub fn lock_kind(kind: &[u8]) {
    AdvisoryLock::new(name_slot(kind), 0, KIND_LOCK).acquire();
}

/// A lock on work over one table that only one session does at a time. It belongs to the session, so
/// it outlives transactions.
pub struct SessionLock(AdvisoryLock);

impl SessionLock {
    /// Takes the lock; `None` if another session has it.
    pub fn take(table: pg_sys::Oid) -> Option<SessionLock> {
        let lock = AdvisoryLock::new(table.to_u32(), 0, TABLE_LOCK);
        lock.try_acquire_for_session().then(|| SessionLock(lock))
    }
}

impl Drop for SessionLock {
    fn drop(&mut self) {
        self.0.release_for_session();
    }
}
