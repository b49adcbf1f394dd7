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
use std::collections::HashMap;

use pgrx::pg_sys;

use super::chains::{Chain, Owner};
use crate::error::Failure;
use crate::guc;

const GROUPS: i32 = 1024;
const NAME_SLOTS: u32 = 64;
/// The last field of an advisory lock tag is 1 or 2 for the locks that users take.
const LANE_LOCK: u16 = 3;
const NAME_LOCK: u16 = 4;
const KIND_LOCK: u16 = 5;
const TABLE_LOCK: u16 = 6;
/// How many first attempts in a row must succeed before a backend looks whether lane 0 is free.
const CALM: u32 = 8;

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
    calm: u32,
}

thread_local! {
    static HOMES: RefCell<HashMap<i32, Home>> = RefCell::new(HashMap::new());
    /// The lowest lane that this transaction holds, by group.
    static HELD: RefCell<HashMap<i32, i16>> = RefCell::new(HashMap::new());
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
        settle(group, Home { lane, calm: 0 })
    })
}

/// As [`acquire`], but does not wait: `None` if all lanes are busy.
pub fn try_acquire(chain: &Chain) -> Option<i16> {
    let (group, lanes) = (group(chain), chain.lanes);
    let held = HELD.with(|held| held.borrow().get(&group).copied());
    // A lock that went with a rolled back savepoint may be another's by now: try, don't assume.
    if let Some(lane) = held.filter(|lane| *lane < lanes)
        && lock(&lane_tag(group, lane), true)
    {
        return Some(lane);
    }
    let home = HOMES.with(|homes| homes.borrow().get(&group).copied().unwrap_or_default());
    let first = if home.calm >= CALM {
        0
    } else {
        home.lane % lanes
    };
    let mut attempts = 0;
    let lane = std::iter::once(first)
        .chain((0..lanes).map(|step| (home.lane % lanes + step) % lanes))
        .find(|lane| {
            attempts += 1;
            lock(&lane_tag(group, *lane), true)
        })?;
    let calm = if attempts == 1 && home.calm < CALM {
        home.calm + 1
    } else {
        0
    };
    Some(settle(group, Home { lane, calm }))
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
    // SAFETY: a plain global, set when the backend starts.
    let pid = unsafe { pg_sys::MyProcPid };
    (pid.rem_euclid(i32::from(lanes))) as i16
}

/// A lock of ours: two numbers and a class, which SQL's advisory locks never use from 3 on.
pub fn tag(field2: u32, field3: u32, class: u16) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: a plain global, set when the backend connects.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: field2,
        locktag_field3: field3,
        locktag_field4: class,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

fn lane_tag(group: i32, lane: i16) -> pg_sys::LOCKTAG {
    tag(group as u32, lane as u32, LANE_LOCK)
}

/// Takes a lock for the rest of the transaction; false if it is another's, and was not to be waited for.
pub fn lock(tag: &pg_sys::LOCKTAG, dont_wait: bool) -> bool {
    // SAFETY: the tag is filled; the lock belongs to the transaction (not the session) and is
    // released with it.
    let result = unsafe {
        pg_sys::LockAcquire(
            tag,
            pg_sys::ExclusiveLock as pg_sys::LOCKMODE,
            false,
            dont_wait,
        )
    };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

fn wait(group: i32, chain: &[u8], lane: i16) {
    let limit = guc::lane_timeout();
    if !wait_at_most(&lane_tag(group, lane), limit) {
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

/// Restores `lock_timeout` however the wait ends.
pub struct LockTimeoutGuard(i32);

impl LockTimeoutGuard {
    /// Until dropped, each wait for a lock of PostgreSQL's ends with 55P03 after so many milliseconds; 0 is
    /// without limit.
    pub fn set(limit: i32) -> LockTimeoutGuard {
        // SAFETY: a plain global that this backend alone uses.
        unsafe {
            let before = pg_sys::LockTimeout;
            pg_sys::LockTimeout = limit;
            LockTimeoutGuard(before)
        }
    }

    /// As [`LockTimeoutGuard::set`], unless the waits are limited to less already.
    pub fn lower(limit: i32) -> LockTimeoutGuard {
        // SAFETY: as in `set`.
        let before = unsafe { pg_sys::LockTimeout };
        let longer = limit == 0 || (before > 0 && before <= limit);
        LockTimeoutGuard::set(if longer { before } else { limit })
    }
}

impl Drop for LockTimeoutGuard {
    fn drop(&mut self) {
        // SAFETY: a plain global that this backend alone uses.
        unsafe { pg_sys::LockTimeout = self.0 };
    }
}

/// Does `wait`, which waits for a lock of PostgreSQL's, up to `limit` milliseconds (0: without limit);
/// false if that was not enough. `statement_timeout` does not cover a commit. A shorter `lock_timeout` of
/// the user stays in force, with PostgreSQL's own error.
fn at_most(
    limit: i32,
    wait: impl FnOnce() + std::panic::UnwindSafe + std::panic::RefUnwindSafe,
) -> bool {
    // SAFETY: as in the guard.
    let user_limit = unsafe { pg_sys::LockTimeout };
    if limit == 0 || (user_limit > 0 && user_limit <= limit) {
        wait();
        return true;
    }
    let guard = LockTimeoutGuard(user_limit);
    // SAFETY: as in the guard.
    unsafe { pg_sys::LockTimeout = limit };
    let done = pgrx::PgTryBuilder::new(move || {
        wait();
        true
    })
    .catch_when(pgrx::PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE, |_| false)
    .execute();
    drop(guard);
    done
}

/// Takes the lock, waiting [`at_most`] so long.
fn wait_at_most(tag: &pg_sys::LOCKTAG, limit: i32) -> bool {
    let tag = *tag;
    at_most(limit, move || {
        lock(&tag, false);
    })
}

/// FNV-1a: any stable spread will do.
fn name_slot(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    }) % NAME_SLOTS
}

/// The lock under which a chain is looked for and made; given back on drop. See the protocol.
pub struct NameLock(pg_sys::LOCKTAG);

impl NameLock {
    /// Takes the lock for chains of this name, waiting as for a lane. Nobody waits while holding it, so
    /// that is a moment.
    pub fn take(name: &[u8]) -> NameLock {
        let tag = tag(name_slot(name), 0, NAME_LOCK);
        let limit = guc::lane_timeout();
        if !wait_at_most(&tag, limit) {
            Failure::LaneTimeout.raise(
                format!(
                    "the lock for making audit chain \"{}\" did not become free within {limit} ms",
                    String::from_utf8_lossy(name)
                ),
                "raise auditspine.lane_timeout",
            );
        }
        NameLock(tag)
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        // SAFETY: taken by `take`, for this transaction; releasing it raises nothing, so it may be done
        // while an ERROR is on its way.
        unsafe {
            pg_sys::LockRelease(&self.0, pg_sys::ExclusiveLock as pg_sys::LOCKMODE, false);
        }
    }
}

/// Waits until the transaction, or the part of one, that has made a chain of this name is over. At most
/// `auditspine.lane_timeout`.
pub fn wait_for_maker(xid: pg_sys::TransactionId, name: &[u8]) {
    let limit = guc::lane_timeout();
    let over = at_most(limit, move || {
        // SAFETY: waits for a transaction by its number; told of no table, it adds nothing to errors.
        unsafe {
            pg_sys::XactLockTableWait(
                xid,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                pg_sys::XLTW_Oper::XLTW_None,
            );
        }
    });
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
    lock(&tag(name_slot(kind), 0, KIND_LOCK), false);
}

/// A lock on work over one table that only one session does at a time. It belongs to the session, so
/// it outlives transactions.
pub struct SessionLock(pg_sys::LOCKTAG);

impl SessionLock {
    /// Takes the lock; `None` if another session has it.
    pub fn take(table: pg_sys::Oid) -> Option<SessionLock> {
        let tag = tag(table.to_u32(), 0, TABLE_LOCK);
        // SAFETY: the tag is filled; the lock is released on drop, or with the session.
        let result = unsafe {
            pg_sys::LockAcquire(&tag, pg_sys::ExclusiveLock as pg_sys::LOCKMODE, true, true)
        };
        (result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL).then(|| SessionLock(tag))
    }
}

impl Drop for SessionLock {
    fn drop(&mut self) {
        // SAFETY: taken by `take`; releasing it raises nothing, so it may be done while an ERROR is
        // on its way.
        unsafe {
            pg_sys::LockRelease(&self.0, pg_sys::ExclusiveLock as pg_sys::LOCKMODE, true);
        }
    }
}
