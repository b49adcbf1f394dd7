//! The chains that exist: found by name, created at their first event where a trigger asks for it.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::{IntoDatum, pg_sys};

use super::arena::DatumArena;
use super::insert::Inserter;
use super::lane;
use super::lookup::{Condition, Underway, last_row, underway};
use super::relation::OpenRelation;
use super::sequence;
use super::state::{chain_column, state};
use crate::error::Failure;

/// Lanes of a chain unless somebody says otherwise.
pub const DEFAULT_LANES: i16 = 32;
pub use auditspine_core::verify::MAX_LANES;
/// The chain of events that name none.
pub const MAIN: &[u8] = b"main";
/// The longest name, in bytes.
const MAX_NAME: usize = 1000;

/// A chain as the catalog table has it.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// Number of the chain.
    pub id: i32,
    /// How many lanes appenders may use.
    pub lanes: i16,
}

#[derive(Default)]
struct Cache {
    by_name: HashMap<Box<[u8]>, Chain>,
    /// Names that this transaction created: forgotten if it, or a part of it, is rolled back.
    created: Vec<Box<[u8]>>,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// Most chains that a backend remembers.
const CACHE_LIMIT: usize = 100_000;

/// Forgets everything, because the table changed under us.
pub fn forget_all() {
    CACHE.with(|cache| *cache.borrow_mut() = Cache::default());
}

/// Forgets the chains that the transaction created; for a rollback, whole or to a savepoint.
pub fn forget_created() {
    CACHE.with(|cache| {
        let mut cache = cache.borrow_mut();
        for name in std::mem::take(&mut cache.created) {
            cache.by_name.remove(&name);
        }
    });
}

/// Keeps the chains that the transaction created; for a commit.
pub fn keep_created() {
    CACHE.with(|cache| cache.borrow_mut().created.clear());
}

/// The chain of that name, if there is one.
pub fn find(name: &[u8]) -> Option<Chain> {
    // Resolving the state first lets a change of the tables empty the cache.
    let table = state().chain;
    if let Some(chain) = CACHE.with(|cache| cache.borrow().by_name.get(name).copied()) {
        return Some(chain);
    }
    let table = OpenRelation::table(table, pg_sys::AccessShareLock);
    // Anew: only under the lock on the table does an index stay the one to search.
    let state = state();
    let mut arena = DatumArena::default();
    let by_name = Condition::equal(1, pg_sys::F_TEXTEQ, arena.varlena(name));
    let chain = last_row(&table, state.name_index(), &[by_name], |row| {
        let of = || {
            let name = String::from_utf8_lossy(name);
            format!("the row of chain \"{name}\" in auditspine.chain")
        };
        let Some(id) = row.int4(chain_column::CHAIN_ID) else {
            row.unusable(chain_column::CHAIN_ID, of())
        };
        // Lanes are counted by it.
        match row.int2(chain_column::LANES) {
            Some(lanes) if (1..=MAX_LANES).contains(&lanes) => Chain { id, lanes },
            _ => row.unusable(chain_column::LANES, of()),
        }
    })?;
    remember(name, chain);
    Some(chain)
}

fn remember(name: &[u8], chain: Chain) {
    CACHE.with(|cache| {
        let mut cache = cache.borrow_mut();
        if cache.by_name.len() >= CACHE_LIMIT {
            *cache = Cache {
                created: std::mem::take(&mut cache.created),
                ..Cache::default()
            };
        }
        cache.by_name.insert(name.into(), chain);
    });
}

/// The chain of that name; an ERROR if there is none.
pub fn expect(name: &[u8]) -> Chain {
    find(name).unwrap_or_else(|| {
        let name = String::from_utf8_lossy(name);
        Failure::UnknownChain.raise(
            format!("audit chain \"{name}\" does not exist"),
            format!(
                "create it with create_chain('{}'), or see auditspine.chain",
                name.replace('\'', "''")
            ),
        )
    })
}

/// Finds or creates the chains of those names, in the order of names. When two transactions create the
/// same chain at once, one waits for the other to end, and creates it only if the other did not.
pub fn ensure<'a>(names: impl Iterator<Item = &'a [u8]>) {
    let mut missing: Vec<&[u8]> = names.filter(|name| find(name).is_none()).collect();
    missing.sort_unstable();
    missing.dedup();
    for name in missing {
        find_or_make(name, DEFAULT_LANES);
    }
}

/// The chain of a name that was not there a moment ago, and whether it was made here.
fn find_or_make(name: &[u8], lanes: i16) -> (Chain, bool) {
    loop {
        let lock = lane::NameLock::take(name);
        if let Some(chain) = find(name) {
            return (chain, false);
        }
        match being_made(name) {
            Underway::Nothing => return (insert(name, lanes), true),
            Underway::There => (),
            Underway::By(maker) => {
                drop(lock);
                lane::wait_for_maker(maker, name);
            }
        }
    }
}

/// Whether another transaction is making a chain of that name.
fn being_made(name: &[u8]) -> Underway {
    let table = OpenRelation::table(state().chain, pg_sys::AccessShareLock);
    let mut arena = DatumArena::default();
    let by_name = Condition::equal(1, pg_sys::F_TEXTEQ, arena.varlena(name));
    underway(&table, state().name_index(), &[by_name])
}

/// Creates a chain and returns its number; an ERROR if the name is taken or the arguments are out
/// of range.
pub fn create(name: &[u8], lanes: i32) -> i32 {
    check_name(name);
    let Some(lanes) = i16::try_from(lanes)
        .ok()
        .filter(|lanes| (1..=MAX_LANES).contains(lanes))
    else {
        Failure::InvalidValue.raise(
            format!("a chain cannot have {lanes} lanes"),
            format!(
                "choose 1 (one strict order, commits one after the other) to {MAX_LANES}; {DEFAULT_LANES} \
                 suits most"
            ),
        );
    };
    match find_or_make(name, lanes) {
        (chain, true) => chain.id,
        (chain, false) => Failure::DuplicateChain.raise(
            format!(
                "audit chain \"{}\" already exists, with {} lanes",
                String::from_utf8_lossy(name),
                chain.lanes
            ),
            "choose another name, or use the chain as it is; lanes are fixed at creation",
        ),
    }
}

/// Refuses what cannot name a chain.
pub fn check_name(name: &[u8]) {
    if name.is_empty() || name.len() > MAX_NAME {
        let shown: String = String::from_utf8_lossy(name).chars().take(40).collect();
        Failure::InvalidValue.raise(
            format!(
                "\"{shown}\" cannot name an audit chain: it has {} bytes",
                name.len()
            ),
            format!("a chain's name has 1 to {MAX_NAME} bytes"),
        );
    }
}

fn insert(name: &[u8], lanes: i16) -> Chain {
    check_name(name);
    let state = state();
    let drawn = sequence::draw(state.chain_id_seq, 1);
    let Ok(id) = i32::try_from(drawn) else {
        Failure::InvalidValue.raise(
            format!(
                "there is no chain number left for \"{}\"",
                String::from_utf8_lossy(name)
            ),
            "auditspine.chain_id_seq has reached the limit of integer",
        );
    };
    let mut arena = DatumArena::default();
    let mut values = [pg_sys::Datum::from(0usize); chain_column::COUNT];
    values[chain_column::CHAIN_ID] = pg_sys::Datum::from(id);
    values[chain_column::NAME] = arena.varlena(name);
    values[chain_column::LANES] = pg_sys::Datum::from(lanes);
    // SAFETY: reads the clock.
    let now = unsafe { pg_sys::GetCurrentTimestamp() };
    values[chain_column::CREATED_AT] = now.into_datum().unwrap_or_else(|| pg_sys::Datum::from(now));
    let mut inserter = Inserter::open(state.chain, 1, None);
    inserter.insert(&[(&values, &[false; chain_column::COUNT])]);
    inserter.close();
    let chain = Chain { id, lanes };
    remember(name, chain);
    CACHE.with(|cache| cache.borrow_mut().created.push(name.into()));
    chain
}
