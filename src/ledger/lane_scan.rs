//! Entries by lane, through the primary key, without SPI: one probe costs microseconds, so that
//! thousands of lanes can be asked whether anything was added, and one chain be read of many.

use std::convert::Infallible;
use std::ops::ControlFlow;

use auditspine_core::verify::{EntryView, Store};
use pgrx::pg_sys;

use crate::pg::index_scan::{Condition, IndexScan, Under};

use crate::ledger::catalog::state;
use crate::ledger::order;
use crate::ledger::stored_entry::EntryReader;
use crate::pg::relation::OpenRelation;

/// Reads lanes under the snapshot that was active when it was made, which must stay so.
pub struct ByLane {
    scan: IndexScan<OpenRelation, OpenRelation>,
    reader: EntryReader,
}

/// A condition on each column of the key: B-tree strategy, its function, what is compared with.
type Conditions = [(u32, u32, pg_sys::Datum); 3];

const EQUAL: u32 = pg_sys::BTEqualStrategyNumber;
const ABOVE: u32 = pg_sys::BTGreaterStrategyNumber;
const FROM: u32 = pg_sys::BTGreaterEqualStrategyNumber;

impl ByLane {
    /// `None` if the primary key is gone.
    pub fn open() -> Option<ByLane> {
        let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
        // Anew: only under the lock on the table does an index stay the one to search.
        let index = state().find_head_index()?;
        let index = OpenRelation::index(index, pg_sys::AccessShareLock);
        Some(ByLane {
            scan: IndexScan::begin(table, index, Under::Active, 3),
            reader: EntryReader::new(),
        })
    }

    /// The first lane, as `(chain_id, lane)`, or the one after `after`.
    pub fn next_lane(&mut self, after: Option<(i32, i16)>) -> Option<(i32, i16)> {
        let any = (FROM, pg_sys::F_INT8GE, i64::MIN.into());
        if let Some((chain_id, lane)) = after
            && let Some(next) = self.lane_of(chain_id, Some(lane))
        {
            return Some((chain_id, next));
        }
        let (strategy, function, chain_id) = match after {
            Some((chain_id, _)) => (ABOVE, pg_sys::F_INT4GT, chain_id),
            None => (FROM, pg_sys::F_INT4GE, i32::MIN),
        };
        self.first(&[
            (strategy, function, chain_id.into()),
            (FROM, pg_sys::F_INT2GE, i16::MIN.into()),
            any,
        ])
    }

    /// The first lane of a chain that has entries, or the one after `after`.
    pub fn lane_of(&mut self, chain_id: i32, after: Option<i16>) -> Option<i16> {
        let (strategy, function, lane) = match after {
            Some(lane) => (ABOVE, pg_sys::F_INT2GT, lane),
            None => (FROM, pg_sys::F_INT2GE, i16::MIN),
        };
        self.first(&[
            (EQUAL, pg_sys::F_INT4EQ, chain_id.into()),
            (strategy, function, lane.into()),
            (FROM, pg_sys::F_INT8GE, i64::MIN.into()),
        ])
        .map(|(_, lane)| lane)
    }

    fn first(&mut self, conditions: &Conditions) -> Option<(i32, i16)> {
        let mut found = None;
        self.read(conditions, |entry| {
            found = Some((entry.chain_id, entry.lane));
            ControlFlow::Break(())
        });
        found
    }

    /// Shows the entries that meet the conditions, in the order of the key, until told to break.
    fn read(
        &mut self,
        conditions: &Conditions,
        mut show: impl FnMut(&EntryView<'_>) -> ControlFlow<()>,
    ) {
        self.scan.search(
            &conditions
                .map(|(strategy, function, value)| Condition::new(strategy, function, value)),
        );
        let mut read = 0u32;
        let reader = &mut self.reader;
        while let Some(answer) = self.scan.next_tuple(|tuple| reader.read(&tuple, &mut show)) {
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

impl Store for ByLane {
    type Error = Infallible;

    fn entries_at(
        &mut self,
        chain_id: i32,
        lane: i16,
        pos: i64,
        show: &mut dyn FnMut(&EntryView<'_>),
    ) -> Result<(), Infallible> {
        let conditions = [
            (EQUAL, pg_sys::F_INT4EQ, chain_id.into()),
            (EQUAL, pg_sys::F_INT2EQ, lane.into()),
            (EQUAL, pg_sys::F_INT8EQ, pos.into()),
        ];
        self.read(&conditions, |entry| {
            show(entry);
            ControlFlow::Continue(())
        });
        Ok(())
    }

    fn misplaced(
        &mut self,
        from: i64,
        to: i64,
        show: &mut dyn FnMut(&EntryView<'_>, Option<String>),
    ) -> Result<(), Infallible> {
        for found in order::find(from, to) {
            let place = (found.chain_id, found.lane, found.pos);
            self.entries_at(place.0, place.1, place.2, &mut |entry| {
                if entry.seq == found.seq {
                    show(entry, found.detail.clone());
                }
            })?;
        }
        Ok(())
    }

    fn entries_from(
        &mut self,
        chain_id: i32,
        lane: i16,
        pos: i64,
        show: &mut dyn FnMut(&EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        let conditions = [
            (EQUAL, pg_sys::F_INT4EQ, chain_id.into()),
            (EQUAL, pg_sys::F_INT2EQ, lane.into()),
            (FROM, pg_sys::F_INT8GE, pos.into()),
        ];
        self.read(&conditions, show);
        Ok(())
    }
}
