//! Entries that no fill has entered, lane by lane.

use std::collections::HashMap;

use auditspine_core::key_index::{Item, key_of};
use pgrx::pg_sys;

use crate::ledger::by_place::ByPlace;
use crate::ledger::catalog::{column, state};
use crate::ledger::key_index::tables::Tables;
use crate::pg::heap::in_physical_order;
use crate::pg::relation::OpenRelation;
use crate::pg::values::{RowRoom, Values};

/// The last position of each lane that was entered.
pub type Heads = HashMap<(i32, i16), i64>;

/// Columns of auditspine.history_head.
mod head_column {
    pub const CHAIN_ID: usize = 0;
    pub const LANE: usize = 1;
    pub const POS: usize = 2;
}

/// As auditspine.history_head tells.
pub fn known(tables: &Tables) -> Heads {
    let table = OpenRelation::table(tables.head, pg_sys::AccessShareLock);
    let mut heads = Heads::new();
    in_physical_order(&table, None, |tuple| {
        tuple.show(|row| {
            let lane = row
                .int4(head_column::CHAIN_ID)
                .zip(row.int2(head_column::LANE));
            heads.extend(lane.zip(row.int8(head_column::POS)));
        });
    });
    heads
}

/// Shows all entries that the active snapshot sees, in physical order, and moves the heads on.
pub fn all(heads: &mut Heads, show: &mut dyn FnMut(Item)) {
    let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
    let mut room = RowRoom::<{ column::COUNT }>::new();
    in_physical_order(&table, None, |tuple| {
        room.show(&tuple, |row| {
            if let Some(item) = item(row) {
                let head = heads.entry((item.chain_id, item.lane)).or_insert(item.pos);
                *head = item.pos.max(*head);
                show(item);
            }
        });
    });
}

/// Shows the entries behind the heads that the active snapshot sees, and moves the heads on; false if there is no index
/// to find them by.
pub fn new(heads: &mut Heads, show: &mut dyn FnMut(Item)) -> bool {
    let Some(mut places) = ByPlace::find() else {
        return false;
    };
    let mut next = places.next_lane(None);
    while let Some((chain_id, lane)) = next {
        pgrx::check_for_interrupts!();
        let head = heads.entry((chain_id, lane)).or_insert(i64::MIN);
        places.behind((chain_id, lane, *head), column::EVENT_PK + 1, |row| {
            if let Some(item) = item(row) {
                *head = item.pos.max(*head);
                show(item);
            }
        });
        next = places.next_lane(next);
    }
    heads.retain(|_, pos| *pos > i64::MIN);
    true
}

fn item(row: &Values<'_>) -> Option<Item> {
    let kind = row.content(column::EVENT_KIND)?;
    let pk = row.content(column::EVENT_PK);
    Some(Item {
        key: key_of(&kind, pk.as_deref()),
        chain_id: row.int4(column::CHAIN_ID)?,
        lane: row.int2(column::LANE)?,
        pos: row.int8(column::POS)?,
    })
}
