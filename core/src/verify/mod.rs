//! Verifying chains: one pass over the entries in any order, then a second look around damage.
//!
//! ```text
//! Verifier::new(chains, window, limits)
//!   push(entry) for every entry, best in the order of the heap     or, on threads,
//!                                                    Checker::check(entry) and Verifier::link(checked)
//!   finish(store, sink) -> Report, with every finding handed to `sink`
//! ```
//!
//! The pass recomputes every event hash and chain hash and joins entries into stretches (`lane`).
//! Where everything is in order, each lane ends as one stretch, and that is all. Whatever does not
//! fit is read again with its neighbours, in order of position, and judged there (`judge`); the
//! verdict rests on that second reading alone, so it does not depend on the order of the pass.
//! Memory is bounded by [`Limits`] and the number of lanes, not by the entries or the damage.
//!
//! Links cannot show everything: the newest entries of a lane can be cut off, and the last one
//! rewritten, without a trace in the lane itself. What was published outside shows that.

mod check;
mod diagnose;
mod examined;
mod finding;
mod finish;
mod judge;
mod lane;
mod moves;
mod output;
mod reader;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

pub use check::{Checked, Checker};
pub use finding::{ChainReport, Finding, FindingKind, Neighbour};
pub use view::{Chains, EntryView, Limits, Store, Window};

use lane::Lane;

/// Verifies the entries of chains; see the module's text.
pub struct Verifier {
    chains: Arc<Chains>,
    window: Window,
    limits: Limits,
    checker: Checker,
    lanes: Vec<Lane>,
    index: HashMap<(i32, i16), usize>,
    /// The lane of the last entry.
    last: usize,
    /// The lane that held most when last looked at.
    widest: usize,
    held: usize,
}

impl Verifier {
    /// A verifier that has seen nothing yet. `chains` are the chains that exist.
    pub fn new(chains: Arc<Chains>, window: Window, limits: Limits) -> Verifier {
        Verifier {
            checker: Checker::new(Arc::clone(&chains)),
            chains,
            window,
            limits,
            lanes: Vec::new(),
            index: HashMap::new(),
            last: 0,
            widest: 0,
            held: 0,
        }
    }

    /// A checker for another thread, whose results go to [`Verifier::link`].
    pub fn checker(&self) -> Checker {
        Checker::new(Arc::clone(&self.chains))
    }

    /// Takes in one entry. Entries outside the window are passed over.
    #[inline]
    pub fn push(&mut self, entry: &EntryView<'_>) {
        if self.window.contains(entry.seq) {
            let checked = self.checker.check(entry);
            self.take(&checked);
        }
    }

    /// As [`Verifier::push`], for an entry that was checked elsewhere.
    #[inline]
    pub fn link(&mut self, entry: &Checked) {
        if self.window.contains(entry.seq) {
            self.take(entry);
        }
    }

    #[inline]
    fn take(&mut self, entry: &Checked) {
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
        self.last = *self
            .index
            .entry((entry.chain_id, entry.lane))
            .or_insert_with(|| {
                self.lanes.push(Lane::new(entry.chain_id, entry.lane));
                self.lanes.len() - 1
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
            if self.held > self.limits.waiting {
                self.held -= self.lanes[lane].held();
                self.lanes[lane].defer();
            }
        }
    }

    /// How much is remembered beyond one stretch per lane; at most [`Limits::waiting`].
    pub fn held(&self) -> usize {
        self.held
    }

    /// Looks again where something did not fit, hands every finding to `sink` and sums up: one
    /// report per chain given to [`Verifier::new`] and per unknown `chain_id` seen, in order of id.
    pub fn finish<S: Store>(
        self,
        store: &mut S,
        sink: &mut dyn FnMut(Finding),
    ) -> Result<Vec<ChainReport>, S::Error> {
        finish::finish(self, store, sink)
    }
}
