//! Where the entries of a kind and key are: by an ordinary B-tree if somebody made one, else by the runs and the tail,
//! else by a look at all entries.

use std::collections::BTreeSet;

use auditspine_core::key_index::key_of;
use pgrx::pg_sys;

use crate::ledger::by_place::Place;
use crate::ledger::catalog::{self, column, state};
use crate::ledger::key_index::lanes;
use crate::ledger::key_index::search::Search;
use crate::ledger::key_index::tables::{Fill, Since, Tables};
use crate::ledger::key_index::tail::{self, Wanted};
use crate::ledger::visibility::Sight;
use crate::pg::arena::DatumArena;
use crate::pg::index_scan::{Condition, IndexScan, Under};
use crate::pg::relation::{OpenRelation, index_columns};
use crate::pg::result_rows::RowStore;

/// Columns of auditspine.audit_chain that an index of its keys begins with.
const INDEXED: [i16; 2] = [column::EVENT_KIND as i16 + 1, column::EVENT_PK as i16 + 1];

/// A search of a run costs about as much as reading so many entries.
const SEARCH: u64 = 16;

/// To ask so many lanes takes some 10 ms.
const LANES: usize = 4096;

/// The index of all entries by kind and key, if there is one that queries may use.
pub fn ordinary_index(chain: &OpenRelation) -> Option<OpenRelation> {
    chain.index_oids().into_iter().find_map(|oid| {
        let index = OpenRelation::index(oid, pg_sys::AccessShareLock);
        (index.is_usable_btree() && index_columns(&index).starts_with(&INDEXED)).then_some(index)
    })
}

/// Whether SQL can ask for places: not until the extension is updated from 0.4.0.
pub fn is_installed() -> bool {
    Tables::find().is_some()
}

/// Conditions of a search in it.
pub fn of_key(arena: &mut DatumArena, kind: &[u8], key: &[u8]) -> [Condition; 2] {
    [arena.varlena(kind), arena.varlena(key)]
        .map(|value| Condition::new(pg_sys::BTEqualStrategyNumber, pg_sys::F_TEXTEQ, value))
}

/// The runs that the active snapshot sees, if they are of use.
pub fn usable() -> Option<(Tables, Fill)> {
    let tables = Tables::find()?;
    let fill = tables.fills().pop()?;
    fill.is_sound().then_some((tables, fill))
}

/// The places, under the active snapshot, of all entries of a kind with one of these keys, each once; and of some that
/// are of others.
pub fn places(kind: &[u8], keys: &[Vec<u8>]) -> BTreeSet<Place> {
    by_index(kind, keys)
        .or_else(|| by_runs(kind, keys))
        .unwrap_or_else(|| by_reading(Since::EVER, kind, keys))
}

fn by_index(kind: &[u8], keys: &[Vec<u8>]) -> Option<BTreeSet<Place>> {
    let chain = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
    let index = ordinary_index(&chain)?;
    let mut places = BTreeSet::new();
    let mut arena = DatumArena::default();
    let mut scan = IndexScan::begin(chain, index, Under::Active, 2);
    for key in keys {
        arena.clear();
        scan.search(&of_key(&mut arena, kind, key));
        while let Some(place) = scan.next_row(column::POS + 1, |row| {
            let lane = row.int4(column::CHAIN_ID).zip(row.int2(column::LANE));
            lane.zip(row.int8(column::POS))
        }) {
            places.extend(place.map(|((chain_id, lane), pos)| (chain_id, lane, pos)));
        }
        scan.clear();
    }
    Some(places)
}

fn by_runs(kind: &[u8], keys: &[Vec<u8>]) -> Option<BTreeSet<Place>> {
    let (tables, fill) = usable()?;
    let runs = tables.runs();
    let entries: u64 = runs.iter().map(|run| run.entries).sum();
    if keys.len() as u64 * runs.len() as u64 * SEARCH > entries {
        return None;
    }
    let mut places = BTreeSet::new();
    let mut search = Search::open(&tables, runs.iter().map(|run| run.run).collect());
    for key in keys {
        let digest = key_of(kind, Some(key));
        let found = search.find(digest, |item| {
            places.insert((item.chain_id, item.lane, item.pos));
        });
        found.ok()?;
    }
    drop(search);
    if by_lane(&tables, kind, keys, &mut places) {
        // What lies on new pages at the place of an entry that was removed.
        tail::by_page(fill.since, wanted(kind, keys), &mut |_, place| {
            places.insert(place);
        });
    } else {
        places.append(&mut by_reading(fill.since, kind, keys));
    }
    Some(places)
}

/// Adds what lies behind the ends of lanes that the runs reach to; false if there are too many lanes to ask each, or no
/// index to ask. It is what the runs do not have, wherever it lies: of the block-range index nobody knows how much of
/// the table it tells of, since ranges are summarized now and then, and never while autovacuum is at work.
fn by_lane(tables: &Tables, kind: &[u8], keys: &[Vec<u8>], places: &mut BTreeSet<Place>) -> bool {
    let mut heads = lanes::known(tables);
    if heads.len() > LANES {
        return false;
    }
    let digests: Vec<i64> = keys.iter().map(|key| key_of(kind, Some(key))).collect();
    lanes::new(&mut heads, &mut |item| {
        if digests.contains(&item.key) {
            places.insert((item.chain_id, item.lane, item.pos));
        }
    })
}

fn by_reading(since: Since, kind: &[u8], keys: &[Vec<u8>]) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    tail::read(since, wanted(kind, keys), &mut |_, place| {
        places.insert(place);
    });
    places
}

fn wanted<'a>(kind: &'a [u8], keys: &'a [Vec<u8>]) -> Wanted<'a> {
    Wanted {
        kind,
        keys: Some(keys),
    }
}

/// Rows of `auditspine.places_of(kind, keys)`: places in the chains that the caller sees.
pub fn rows(kind: &[u8], keys: &[Vec<u8>], rows: &mut RowStore) {
    catalog::expect_privileges();
    let sight = Sight::of_caller();
    for (chain_id, lane, pos) in places(kind, keys) {
        if sight.sees(chain_id) {
            rows.put([Some(chain_id.into()), Some(lane.into()), Some(pos.into())]);
        }
    }
}
