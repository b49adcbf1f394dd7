//! Entries by their place, through the primary key of auditspine.audit_chain, without SPI: all native searches of that
//! index. One probe costs microseconds, so that thousands of lanes can be asked whether anything was added, and one
//! chain be read of many.
//!
//! [`ByPlace`] searches again and again under the snapshot that was active when it was made. [`Now`] searches for what
//! is committed at this moment, under SnapshotSelf, and keeps nothing from one search to the next.

use std::ops::ControlFlow;

use pgrx::pg_sys;

use crate::ledger::catalog::{column, lost_head_index, state};
use crate::pg::heap::Tuple;
use crate::pg::index_lookup::last_row;
use crate::pg::index_scan::{Condition, IndexScan, Under};
use crate::pg::relation::OpenRelation;
use crate::pg::values::Values;

/// Chain, lane and position.
pub type Place = (i32, i16, i64);

const ABOVE: u32 = pg_sys::BTGreaterStrategyNumber;
const FROM: u32 = pg_sys::BTGreaterEqualStrategyNumber;
const BELOW: u32 = pg_sys::BTLessStrategyNumber;

/// A condition on each column of the key. Nulls come last in the index, and would stand for the end of a lane.
type Conditions = [Condition; 3];

fn of_chain(chain_id: i32) -> Condition {
    Condition::equal(pg_sys::F_INT4EQ, chain_id.into())
}

fn of_lane(lane: i16) -> Condition {
    Condition::equal(pg_sys::F_INT2EQ, lane.into())
}

fn any_lane() -> Condition {
    Condition::new(FROM, pg_sys::F_INT2GE, i16::MIN.into())
}

fn at_pos(pos: i64) -> Condition {
    Condition::equal(pg_sys::F_INT8EQ, pos.into())
}

fn from_pos(pos: i64) -> Condition {
    Condition::new(FROM, pg_sys::F_INT8GE, pos.into())
}

fn any_pos() -> Condition {
    from_pos(i64::MIN)
}

/// Reads entries under the snapshot that was active when it was made, which must stay so.
pub struct ByPlace {
    scan: Scan,
}

type Scan = IndexScan<OpenRelation, OpenRelation>;

impl ByPlace {
    /// `None` if the primary key is gone.
    pub fn find() -> Option<ByPlace> {
        let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
        // Anew: only under the lock on the table does an index stay the one to search.
        let index = state().find_head_index()?;
        let index = OpenRelation::index(index, pg_sys::AccessShareLock);
        Some(ByPlace {
            scan: IndexScan::begin(table, index, Under::Active, 3),
        })
    }

    /// An ERROR if the primary key is gone.
    pub fn open() -> ByPlace {
        ByPlace::find().unwrap_or_else(|| lost_head_index())
    }

    /// Shows the rows at a place, up to this column.
    pub fn at(
        &mut self,
        (chain_id, lane, pos): Place,
        columns: usize,
        mut show: impl FnMut(&Values<'_>),
    ) {
        self.rows(
            &[of_chain(chain_id), of_lane(lane), at_pos(pos)],
            columns,
            |row| {
                show(row);
                ControlFlow::Continue(())
            },
        );
    }

    /// Shows the rows of a lane behind a position, up to this column, in order.
    pub fn behind(
        &mut self,
        (chain_id, lane, pos): Place,
        columns: usize,
        mut show: impl FnMut(&Values<'_>),
    ) {
        // What has the least number there is is behind no other.
        let behind = match pos {
            i64::MIN => any_pos(),
            pos => Condition::new(ABOVE, pg_sys::F_INT8GT, pos.into()),
        };
        self.rows(
            &[of_chain(chain_id), of_lane(lane), behind],
            columns,
            |row| {
                show(row);
                ControlFlow::Continue(())
            },
        );
    }

    /// Shows the tuples at a place.
    pub fn tuples_at(
        &mut self,
        (chain_id, lane, pos): Place,
        show: impl FnMut(Tuple<'_>) -> ControlFlow<()>,
    ) {
        self.tuples(&[of_chain(chain_id), of_lane(lane), at_pos(pos)], show);
    }

    /// Shows the tuples of a lane from a position on, in order, until told to break.
    pub fn tuples_from(
        &mut self,
        (chain_id, lane, pos): Place,
        show: impl FnMut(Tuple<'_>) -> ControlFlow<()>,
    ) {
        self.tuples(&[of_chain(chain_id), of_lane(lane), from_pos(pos)], show);
    }

    /// The first lane, as `(chain_id, lane)`, or the one after `after`.
    pub fn next_lane(&mut self, after: Option<(i32, i16)>) -> Option<(i32, i16)> {
        if let Some((chain_id, lane)) = after
            && let Some(next) = self.lane_of(chain_id, Some(lane))
        {
            return Some((chain_id, next));
        }
        let chain = match after {
            Some((chain_id, _)) => Condition::new(ABOVE, pg_sys::F_INT4GT, chain_id.into()),
            None => Condition::new(FROM, pg_sys::F_INT4GE, i32::MIN.into()),
        };
        self.first(&[chain, any_lane(), any_pos()])
    }

    /// The first lane of a chain that has entries, or the one after `after`.
    pub fn lane_of(&mut self, chain_id: i32, after: Option<i16>) -> Option<i16> {
        let lane = match after {
            Some(lane) => Condition::new(ABOVE, pg_sys::F_INT2GT, lane.into()),
            None => any_lane(),
        };
        let first = self.first(&[of_chain(chain_id), lane, any_pos()]);
        first.map(|(_, lane)| lane)
    }

    fn first(&mut self, conditions: &Conditions) -> Option<(i32, i16)> {
        let mut found = None;
        self.rows(conditions, column::LANE + 1, |row| {
            found = row.int4(column::CHAIN_ID).zip(row.int2(column::LANE));
            ControlFlow::Break(())
        });
        found
    }

    fn rows(
        &mut self,
        conditions: &Conditions,
        columns: usize,
        mut show: impl FnMut(&Values<'_>) -> ControlFlow<()>,
    ) {
        self.search(conditions, |scan| scan.next_row(columns, &mut show));
    }

    fn tuples(
        &mut self,
        conditions: &Conditions,
        mut show: impl FnMut(Tuple<'_>) -> ControlFlow<()>,
    ) {
        self.search(conditions, |scan| scan.next_tuple(&mut show));
    }

    fn search(
        &mut self,
        conditions: &Conditions,
        mut next: impl FnMut(&mut Scan) -> Option<ControlFlow<()>>,
    ) {
        self.scan.search(conditions);
        let mut read = 0u32;
        while let Some(answer) = next(&mut self.scan) {
            read = read.wrapping_add(1);
            if read.is_multiple_of(1024) {
                pgrx::check_for_interrupts!();
            }
            if answer.is_break() {
                break;
            }
        }
        self.scan.clear();
    }
}

/// The table and its primary key, to be searched for what is committed at this moment.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// auditspine.audit_chain, under a lock.
    pub table: &'a OpenRelation,
    /// Its primary key, as it was found under that lock.
    pub index: pg_sys::Oid,
}

impl Now<'_> {
    /// What `read` makes of the row at a place.
    pub fn at<R>(
        &self,
        (chain_id, lane, pos): Place,
        read: impl FnOnce(&Values<'_>) -> R,
    ) -> Option<R> {
        self.last(&[of_chain(chain_id), of_lane(lane), at_pos(pos)], read)
    }

    /// What `read` makes of the last row of a lane, or of its last one from a position on.
    pub fn end<R>(
        &self,
        (chain_id, lane): (i32, i16),
        from: Option<i64>,
        read: impl FnOnce(&Values<'_>) -> R,
    ) -> Option<R> {
        let from = from_pos(from.unwrap_or(i64::MIN));
        self.last(&[of_chain(chain_id), of_lane(lane), from], read)
    }

    /// As [`Now::end`] without a position to begin at, but a row without a position is a lane's last.
    pub fn whole_end<R>(
        &self,
        (chain_id, lane): (i32, i16),
        read: impl FnOnce(&Values<'_>) -> R,
    ) -> Option<R> {
        let conditions = [of_chain(chain_id), of_lane(lane)];
        last_row(self.table, self.index, &conditions, read)
    }

    /// The same of the last lane of a chain, or of the last one below another.
    pub fn end_below<R>(
        &self,
        chain_id: i32,
        below: Option<i16>,
        read: impl FnOnce(&Values<'_>) -> R,
    ) -> Option<R> {
        let lane = match below {
            Some(lane) => Condition::new(BELOW, pg_sys::F_INT2LT, lane.into()),
            None => any_lane(),
        };
        self.last(&[of_chain(chain_id), lane, any_pos()], read)
    }

    fn last<R>(&self, conditions: &Conditions, read: impl FnOnce(&Values<'_>) -> R) -> Option<R> {
        last_row(self.table, self.index, conditions, read)
    }
}
