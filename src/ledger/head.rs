//! The end of a lane.

use std::cell::RefCell;

use auditspine_core::hash::Hash;
use pgrx::pg_sys;
use rustc_hash::FxHashMap;

use crate::error::broken;
use crate::ledger::catalog::column;
use crate::pg::index_lookup::{Condition, last_row};
use crate::pg::relation::OpenRelation;

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

thread_local! {
    /// The last position that this backend saw, by chain and lane.
    static SEEN: RefCell<FxHashMap<(i32, i16), i64>> = RefCell::default();
}

const SEEN_LIMIT: usize = 16 * 1024;
/// A transaction can add as many entries behind it as there is memory for.
const LAST_POS: i64 = i64::MAX / 2;

/// Notes a position, so that the next search of the lane starts near its end.
pub fn remember(chain_id: i32, lane: i16, pos: i64) {
    SEEN.with(|seen| {
        let mut seen = seen.borrow_mut();
        if seen.len() >= SEEN_LIMIT {
            seen.clear();
        }
        seen.insert((chain_id, lane), pos);
    });
}

/// Reads the lane's head. The caller holds the lane.
pub fn read(table: &OpenRelation, index: pg_sys::Oid, chain_id: i32, lane: i16) -> Head {
    // Searching backwards, the B-tree first collects all matches on the last leaf page; a lower
    // bound keeps them few. What this backend saw may have been rolled back since: then nothing
    // matches, and the search is repeated without it.
    let seen = SEEN.with(|seen| seen.borrow().get(&(chain_id, lane)).copied());
    seen.and_then(|pos| search(table, index, chain_id, lane, Some(pos)))
        .or_else(|| search(table, index, chain_id, lane, None))
        .unwrap_or(Head {
            pos: 0,
            seq: 0,
            chain_hash: Hash::ZERO,
        })
}

fn search(
    table: &OpenRelation,
    index: pg_sys::Oid,
    chain_id: i32,
    lane: i16,
    at_least: Option<i64>,
) -> Option<Head> {
    let mut conditions = vec![
        Condition::equal(1, pg_sys::F_INT4EQ, chain_id.into()),
        Condition::equal(2, pg_sys::F_INT2EQ, lane.into()),
    ];
    conditions.extend(at_least.map(|pos| Condition {
        column: 3,
        strategy: pg_sys::BTGreaterEqualStrategyNumber,
        function: pg_sys::F_INT8GE,
        value: pos.into(),
    }));
    last_row(table, index, &conditions, |row| {
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
    })
}
