//! Entries that no fill has entered, lane by lane.

use std::collections::HashMap;
use std::rc::Rc;

use auditspine_core::key_index::{Item, key_of};
use pgrx::pg_sys;

use crate::ledger::catalog::{column, state};
use crate::ledger::key_index::tables::Tables;
use crate::pg::heap::in_physical_order;
use crate::pg::index_scan::{Condition, IndexScan, Under};
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
    let Some(mut places) = Places::open() else {
        return false;
    };
    let mut next = places.first_lane();
    while let Some((chain_id, lane)) = next {
        pgrx::check_for_interrupts!();
        let head = heads.entry((chain_id, lane)).or_insert(i64::MIN);
        places.behind(chain_id, lane, *head, &mut |item| {
            *head = item.pos.max(*head);
            show(item);
        });
        next = places.next_lane(chain_id, lane);
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

type Scan = IndexScan<Rc<OpenRelation>, Rc<OpenRelation>>;

/// Searches by (chain_id, lane, pos), one for each number of columns.
struct Places {
    chains: Scan,
    lanes: Scan,
    entries: Scan,
}

impl Places {
    fn open() -> Option<Places> {
        let lock = pg_sys::AccessShareLock;
        let index = Rc::new(OpenRelation::index(state().find_head_index()?, lock));
        let table = Rc::new(OpenRelation::table(state().audit_chain, lock));
        let scan =
            |conditions| IndexScan::begin(table.clone(), index.clone(), Under::Active, conditions);
        Some(Places {
            chains: scan(1),
            lanes: scan(2),
            entries: scan(3),
        })
    }

    fn first_lane(&mut self) -> Option<(i32, i16)> {
        let from = pg_sys::BTGreaterEqualStrategyNumber;
        let any = Condition::new(from, pg_sys::F_INT4GE, i32::MIN.into());
        first(&mut self.chains, &[any])
    }

    /// The lane behind another, of this chain or of the next.
    fn next_lane(&mut self, chain_id: i32, lane: i16) -> Option<(i32, i16)> {
        let behind = pg_sys::BTGreaterStrategyNumber;
        let next = [
            of_chain(chain_id),
            Condition::new(behind, pg_sys::F_INT2GT, lane.into()),
        ];
        let chain = [Condition::new(behind, pg_sys::F_INT4GT, chain_id.into())];
        first(&mut self.lanes, &next).or_else(|| first(&mut self.chains, &chain))
    }

    fn behind(&mut self, chain_id: i32, lane: i16, pos: i64, show: &mut dyn FnMut(Item)) {
        let behind = if pos == i64::MIN {
            (pg_sys::BTGreaterEqualStrategyNumber, pg_sys::F_INT8GE)
        } else {
            (pg_sys::BTGreaterStrategyNumber, pg_sys::F_INT8GT)
        };
        self.entries.search(&[
            of_chain(chain_id),
            Condition::new(pg_sys::BTEqualStrategyNumber, pg_sys::F_INT2EQ, lane.into()),
            Condition::new(behind.0, behind.1, pos.into()),
        ]);
        let mut read = 0u32;
        while let Some(found) = self.entries.next_row(column::EVENT_PK + 1, item) {
            found.into_iter().for_each(&mut *show);
            read = read.wrapping_add(1);
            if read.is_multiple_of(1024) {
                pgrx::check_for_interrupts!();
            }
        }
        self.entries.clear();
    }
}

fn of_chain(chain_id: i32) -> Condition {
    let equal = pg_sys::BTEqualStrategyNumber;
    Condition::new(equal, pg_sys::F_INT4EQ, chain_id.into())
}

fn first(scan: &mut Scan, conditions: &[Condition]) -> Option<(i32, i16)> {
    scan.search(conditions);
    let lane = scan.next_row(column::LANE + 1, |row| {
        row.int4(column::CHAIN_ID).zip(row.int2(column::LANE))
    });
    scan.clear();
    lane.flatten()
}
