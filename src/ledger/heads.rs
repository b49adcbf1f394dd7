//! The ends of lanes, and entries by their place, as they are committed at this moment
//! ([`crate::pg::index_lookup`]): what is published, and what published heads are held against.

use auditspine_core::publication::StoredEntry;
use pgrx::pg_sys;

use crate::error::Failure;
use crate::ledger::by_place::Now;
use crate::ledger::catalog::{chain_column, column, state};
use crate::ledger::visibility::Sight;
use crate::pg::arena::DatumArena;
use crate::pg::index_lookup::{all_rows, last_row};
use crate::pg::index_scan::Condition;
use crate::pg::privilege::expect_select;
use crate::pg::relation::OpenRelation;
use crate::pg::result_rows::RowStore;
use crate::pg::values::Values;

/// A lane's last entry.
pub struct LaneHead {
    /// Name of the chain.
    pub chain: String,
    /// Number of the chain.
    pub chain_id: i32,
    /// Lane within the chain.
    pub lane: i16,
    /// Its last entry.
    pub entry: StoredEntry,
}

/// Entries of auditspine.audit_chain, found by their place.
pub struct Places {
    table: OpenRelation,
    index: pg_sys::Oid,
}

impl Places {
    /// Opens the table.
    pub fn open() -> Places {
        let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
        // Anew: only under the lock on the table does an index stay the one to search.
        let index = state().head_index();
        Places { table, index }
    }

    fn now(&self) -> Now<'_> {
        Now {
            table: &self.table,
            index: self.index,
        }
    }

    /// The entry at a position.
    pub fn entry(&self, chain_id: i32, lane: i16, pos: i64) -> Option<StoredEntry> {
        self.now().at((chain_id, lane, pos), entry)
    }

    /// The last entry of a lane.
    pub fn head(&self, chain_id: i32, lane: i16) -> Option<StoredEntry> {
        self.now().end((chain_id, lane), None, entry)
    }

    /// The last entries of a chain's lanes, lane by lane.
    pub fn heads(&self, chain_id: i32) -> Vec<(i16, StoredEntry)> {
        let read = |row: &Values<'_>| (row.int2(column::LANE).unwrap_or(0), entry(row));
        let mut heads = Vec::new();
        // Downwards from one lane that has entries to the next, however many there may be.
        let mut next = self.now().end_below(chain_id, None, read);
        while let Some((lane, entry)) = next {
            heads.push((lane, entry));
            next = self.now().end_below(chain_id, Some(lane), read);
        }
        heads.reverse();
        heads
    }
}

fn entry(row: &Values<'_>) -> StoredEntry {
    let hash = |at: usize| row.bytes(at).unwrap_or_default();
    let number = |at: usize| row.int8(at).unwrap_or(0);
    StoredEntry {
        pos: number(column::POS),
        seq: number(column::SEQ),
        appended_at: number(column::APPENDED_AT),
        event_hash: hash(column::EVENT_HASH),
        prev_hash: hash(column::PREV_HASH),
        chain_hash: hash(column::CHAIN_HASH),
    }
}

/// Number of the chain of that name; asked of the table, not of what this backend remembers.
pub fn chain_id(name: &[u8]) -> Option<i32> {
    let table = OpenRelation::table(state().chain, pg_sys::AccessShareLock);
    let index = state().name_index();
    let mut arena = DatumArena::default();
    let by_name = Condition::equal(pg_sys::F_TEXTEQ, arena.varlena(name));
    last_row(&table, index, &[by_name], |row| {
        row.int4(chain_column::CHAIN_ID)
    })
    .flatten()
}

/// The heads of a chain, or of all in order of their numbers, as far as `sight` reaches; an ERROR if
/// there is no such chain in it.
pub fn heads(only: Option<&[u8]>, sight: &Sight) -> Vec<LaneHead> {
    let mut chains = match only {
        Some(name) => vec![(expect_chain(name, sight), name.to_vec())],
        None => all_chains(),
    };
    chains.retain(|(id, _)| sight.sees(*id));
    let places = Places::open();
    let mut heads = Vec::new();
    for (chain_id, name) in chains {
        pgrx::check_for_interrupts!();
        let chain = String::from_utf8_lossy(&name);
        heads.extend(
            places
                .heads(chain_id)
                .into_iter()
                .map(|(lane, entry)| LaneHead {
                    chain: chain.clone().into_owned(),
                    chain_id,
                    lane,
                    entry,
                }),
        );
    }
    heads
}

/// Number of the chain of that name; an ERROR if there is none that `sight` reaches.
pub fn expect_chain(name: &[u8], sight: &Sight) -> i32 {
    chain_id(name)
        .filter(|id| sight.sees(*id))
        .unwrap_or_else(|| unknown_chain(name))
}

fn all_chains() -> Vec<(i32, Vec<u8>)> {
    let table = OpenRelation::table(state().chain, pg_sys::AccessShareLock);
    let mut chains = Vec::new();
    all_rows(&table, |row| {
        let name = row.bytes(chain_column::NAME);
        chains.extend(row.int4(chain_column::CHAIN_ID).zip(name));
    });
    chains.sort();
    chains
}

fn unknown_chain(name: &[u8]) -> ! {
    let name = String::from_utf8_lossy(name);
    Failure::UnknownChain.raise(
        format!("audit chain \"{name}\" does not exist"),
        "see auditspine.chain for the chains there are; NULL stands for all",
    )
}

/// Rows of auditspine.chain_head.
pub fn rows(only: Option<&[u8]>, rows: &mut RowStore) {
    let state = state();
    expect_select(state.audit_chain);
    expect_select(state.chain);
    let mut arena = DatumArena::default();
    for head in heads(only, &Sight::of_caller()) {
        rows.put([
            Some(arena.varlena(head.chain.as_bytes())),
            Some(head.chain_id.into()),
            Some(i32::from(head.lane).into()),
            Some(head.entry.pos.into()),
            Some(head.entry.seq.into()),
            Some(arena.varlena(&head.entry.chain_hash)),
        ]);
        arena.clear();
    }
}
