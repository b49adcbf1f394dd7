//! Entries that may not be in the runs yet, read as they lie.

use std::ffi::CString;

use pgrx::{IntoDatum, pg_sys};

use crate::ledger::by_place::Place;
use crate::ledger::catalog::{column, state};
use crate::ledger::key_index::tables::Since;
use crate::ledger::owner::as_owner;
use crate::pg::arena::DatumArena;
use crate::pg::heap::in_physical_order;
use crate::pg::query::PrefersIndexes;
use crate::pg::receiver::for_each_row;
use crate::pg::relation::OpenRelation;
use crate::pg::values::{RowRoom, Values};

/// So many pages before the end that the table had may have had room.
const MARGIN: u32 = 32;

/// Which entries are looked for.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Of this kind.
    pub kind: &'a [u8],
    /// With one of these keys; `None`: with any, or none.
    pub keys: Option<&'a [Vec<u8>]>,
}

impl Wanted<'_> {
    fn wants(&self, kind: Option<&[u8]>, key: Option<&[u8]>) -> bool {
        kind == Some(self.kind)
            && self
                .keys
                .is_none_or(|keys| key.is_some_and(|key| keys.iter().any(|wanted| wanted == key)))
    }
}

/// Shows key and place of the entries, some of them twice, that the active snapshot sees and that are wanted. `ever` has
/// the whole table read.
pub fn read(since: Since, wanted: Wanted<'_>, show: &mut dyn FnMut(Option<&[u8]>, Place)) {
    by_number(since, wanted, show);
    if since != Since::EVER {
        by_page(since, wanted, show);
    }
}

fn by_number(since: Since, wanted: Wanted<'_>, show: &mut dyn FnMut(Option<&[u8]>, Place)) {
    let mut query =
        "SELECT e.chain_id, e.lane, e.pos, e.event_pk FROM ONLY auditspine.audit_chain AS e \
                     WHERE e.event_kind OPERATOR(pg_catalog.=) $1"
            .to_owned();
    let mut arena = DatumArena::default();
    let mut parameters = vec![(pg_sys::TEXTOID, arena.varlena(wanted.kind))];
    if let Some(keys) = wanted.keys {
        let texts: Vec<String> = keys
            .iter()
            .map(|key| String::from_utf8_lossy(key).into_owned())
            .collect();
        let Some(texts) = texts.into_datum() else {
            return;
        };
        parameters.push((pg_sys::TEXTARRAYOID, texts));
        query.push_str(" AND e.event_pk OPERATOR(pg_catalog.=) ANY ($2)");
    }
    // Of a part of the table the block-range index tells where it lies, whatever the planner takes that to be worth.
    let _indexes = (since != Since::EVER).then(|| {
        parameters.push((pg_sys::INT8OID, since.seq.into()));
        query.push_str(&format!(
            " AND e.seq OPERATOR(pg_catalog.>) ${}",
            parameters.len()
        ));
        PrefersIndexes::begin()
    });
    let query = CString::new(query).unwrap_or_default();
    let mut take_in = |row: &Values<'_>| {
        let place = place(row, [0, 1, 2]);
        let key = row.content(3);
        if let Some(place) = place {
            show(key.as_deref(), place);
        }
    };
    as_owner(|| for_each_row(&query, &parameters, &mut take_in));
}

/// Shows what lies where nothing was at the mark, whatever numbers it has.
pub fn by_page(since: Since, wanted: Wanted<'_>, show: &mut dyn FnMut(Option<&[u8]>, Place)) {
    let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
    let first = since.page.saturating_sub(MARGIN);
    let pages = table.pages();
    if first >= pages {
        return;
    }
    let mut room = RowRoom::<{ column::COUNT }>::new();
    in_physical_order(&table, Some((first, pages - first)), |tuple| {
        room.show(&tuple, |row| {
            let kind = row.content(column::EVENT_KIND);
            if kind.as_deref() != Some(wanted.kind) {
                return;
            }
            let key = row.content(column::EVENT_PK);
            if wanted.wants(kind.as_deref(), key.as_deref())
                && let Some(place) = place(row, [column::CHAIN_ID, column::LANE, column::POS])
            {
                show(key.as_deref(), place);
            }
        });
    });
}

fn place(row: &Values<'_>, [chain_id, lane, pos]: [usize; 3]) -> Option<Place> {
    Some((row.int4(chain_id)?, row.int2(lane)?, row.int8(pos)?))
}
