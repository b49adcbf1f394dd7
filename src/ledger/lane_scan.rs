//! Entries by lane, read for verification through the primary key.

use std::convert::Infallible;
use std::ops::ControlFlow;

use auditspine_core::verify::{EntryView, Store};

use crate::ledger::by_place::ByPlace;
use crate::ledger::order;
use crate::ledger::stored_entry::EntryReader;

/// Reads lanes under the snapshot that was active when it was made, which must stay so.
pub struct ByLane {
    places: ByPlace,
    reader: EntryReader,
}

impl ByLane {
    /// `None` if the primary key is gone.
    pub fn open() -> Option<ByLane> {
        Some(ByLane {
            places: ByPlace::find()?,
            reader: EntryReader::new(),
        })
    }

    /// The first lane, as `(chain_id, lane)`, or the one after `after`.
    pub fn next_lane(&mut self, after: Option<(i32, i16)>) -> Option<(i32, i16)> {
        self.places.next_lane(after)
    }

    /// The first lane of a chain that has entries, or the one after `after`.
    pub fn lane_of(&mut self, chain_id: i32, after: Option<i16>) -> Option<i16> {
        self.places.lane_of(chain_id, after)
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
        let ByLane { places, reader } = self;
        places.tuples_at((chain_id, lane, pos), |tuple| {
            reader.read(&tuple, &mut *show);
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
        let ByLane { places, reader } = self;
        places.tuples_from((chain_id, lane, pos), |tuple| {
            reader.read(&tuple, &mut *show)
        });
        Ok(())
    }
}
