//! All lanes, and the bound on what they remember together.

use std::collections::HashMap;

use super::check::Checked;
use super::lane::Lane;

/// Every lane seen so far.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    index: HashMap<(i32, i16), usize>,
    /// The lane of the last entry.
    last: usize,
    /// The lane that held most when last looked at.
    widest: usize,
    held: usize,
    limit: usize,
}

impl Lanes {
    /// No lanes yet; they may hold at most `limit` together.
    pub fn new(limit: usize) -> Lanes {
        Lanes {
            lanes: Vec::new(),
            index: HashMap::new(),
            last: 0,
            widest: 0,
            held: 0,
            limit,
        }
    }

    /// Takes in the next entry.
    #[inline]
    pub fn add(&mut self, entry: &Checked) {
        let at = self.lane_of(entry);
        let lane = &mut self.lanes[at];
        let before = lane.held();
        lane.add(entry);
        let after = lane.held();
        if before != after {
            self.held = self.held - before + after;
            self.bound(at);
        }
    }

    #[inline]
    fn lane_of(&mut self, entry: &Checked) -> usize {
        if let Some(lane) = self.lanes.get(self.last)
            && lane.chain_id == entry.chain_id
            && lane.lane == entry.lane
        {
            return self.last;
        }
        let lanes = &mut self.lanes;
        self.last = *self
            .index
            .entry((entry.chain_id, entry.lane))
            .or_insert_with(|| {
                lanes.push(Lane::new(entry.chain_id, entry.lane));
                lanes.len() - 1
            });
        self.last
    }

    /// Keeps what is held within its bound, at the cost of the lane that holds most.
    #[cold]
    fn bound(&mut self, at: usize) {
        if self.lanes[at].held() > self.lanes[self.widest].held() {
            self.widest = at;
        }
        for lane in [self.widest, at] {
            if self.held > self.limit {
                self.held -= self.lanes[lane].held();
                self.lanes[lane].defer();
            }
        }
    }

    /// How much is remembered beyond one stretch per lane.
    pub fn held(&self) -> usize {
        self.held
    }

    /// The lanes in order of chain and lane.
    pub fn into_sorted(mut self) -> Vec<Lane> {
        self.lanes
            .sort_unstable_by_key(|lane| (lane.chain_id, lane.lane));
        self.lanes
    }
}
