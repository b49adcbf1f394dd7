//! Verifying chains: one pass over the entries in any order, then a second look around damage.
//!
//! ```text
//! Verifier::new(chains, window, limits)
//!   push(entry) for every entry, best in the order of the heap
//!   (or, on threads of their own: Sweep::add(entry), and link(checked) with the results)
//!   finish(store, sink) -> one report per chain; every finding is handed to `sink`
//! ```
//!
//! A clean verification's reports hold the heads of the lanes. A later one may begin behind them: see
//! `resume`.
//!
//! The pass recomputes every event hash and chain hash and joins entries into stretches (`lane`).
//! Where everything is in order, each lane ends as one stretch, and that is all. Whatever does not
//! fit is read again with its neighbours, in order of position, and judged there (`judge`); the
//! verdict rests on that second reading alone, so it does not depend on the order of the pass.
//! Memory is bounded by [`Limits`] and the number of lanes (about 350 bytes each), not by the entries
//! or the damage. Findings are handed out as they come, most in order of chain, lane and position;
//! those that other damage may explain come last.
//!
//! Links cannot show everything. The newest entries of a lane can be cut off, the last one rewritten,
//! and a forged one appended, without a trace in the lane itself: what was published outside shows
//! that. A stored payload that was removed altogether leaves an entry as if none had been kept: what else is
//! recorded tells ([`Kept`]). And where several neighbours are damaged at once, that is told, but perhaps of one for the other.

mod check;
mod diagnose;
mod examined;
mod finding;
mod finish;
mod judge;
mod kept;
mod lane;
mod lanes;
mod links;
mod moves;
mod output;
mod reader;
mod resume;
mod scope;
mod sweep;
mod view;

use std::sync::Arc;

pub use check::{Checked, Checker};
pub use finding::{ChainReport, Finding, FindingKind, Neighbour};
pub use kept::{Keeps, Kept};
pub use resume::check_heads;
pub use scope::Head;
pub use sweep::Sweep;
pub use view::{Chain, Chains, EntryView, Limits, MAX_LANES, Store, Window};

use lanes::Lanes;
use scope::Scope;

use crate::hash::Compress;
use crate::order::Order;

/// Verifies the entries of chains; see the module's text.
#[derive(Debug)]
pub struct Verifier {
    chains: Arc<Chains>,
    kept: Arc<Kept>,
    scope: Scope,
    limits: Limits,
    checker: Checker,
    lanes: Lanes,
    drawn: Option<i64>,
    order: Order,
}

impl Verifier {
    /// A verifier that has seen nothing yet. `chains` are the chains that exist; to verify one of
    /// them, give and push only that one.
    pub fn new(chains: Arc<Chains>, window: Window, limits: Limits) -> Verifier {
        Verifier::with_scope(chains, Scope::of_window(window), limits)
    }

    /// A verifier of what was added behind `heads`, and of the whole of all other lanes. Entries up
    /// to a head are passed over. That the heads themselves are still there is for [`check_heads`]
    /// to say, beforehand.
    pub fn resume(
        chains: Arc<Chains>,
        heads: impl IntoIterator<Item = Head>,
        limits: Limits,
    ) -> Verifier {
        Verifier::with_scope(chains, Scope::behind(heads), limits)
    }

    fn with_scope(chains: Arc<Chains>, scope: Scope, limits: Limits) -> Verifier {
        let kept = Arc::new(Kept::default());
        let checker = Checker::new(Arc::clone(&chains), Arc::clone(&kept));
        Verifier {
            chains,
            kept,
            scope,
            limits,
            checker,
            lanes: Lanes::new(limits.waiting),
            drawn: None,
            order: Order::default(),
        }
    }

    /// The same verifier, to which the payload of these entries belongs. To be called before anything is taken in,
    /// and before [`Verifier::checker`].
    pub fn keeping(self, kept: Kept) -> Verifier {
        let kept = Arc::new(kept);
        Verifier {
            checker: Checker::new(Arc::clone(&self.chains), Arc::clone(&kept)),
            kept,
            ..self
        }
    }

    /// A checker for another thread, whose results go to [`Verifier::link`].
    pub fn checker(&self) -> Checker {
        Checker::new(Arc::clone(&self.chains), Arc::clone(&self.kept))
    }

    /// As [`Verifier::checker`], for many entries: `compress` does the hashing, by default [`crate::hash::in_turns`].
    pub fn sweep(&self, compress: Compress) -> Sweep {
        Sweep::new(self.checker(), compress)
    }

    /// Takes in one entry. Entries outside the window are passed over.
    #[inline]
    pub fn push(&mut self, entry: &EntryView<'_>) {
        if self.scope.contains_entry(entry) {
            let checked = self.checker.check(entry);
            self.add(&checked);
        }
    }

    /// As [`Verifier::push`], for an entry that was checked elsewhere.
    #[inline]
    pub fn link(&mut self, entry: &Checked) {
        let place = (entry.chain_id, entry.lane);
        if self.scope.contains(place, entry.pos, entry.seq) {
            self.add(entry);
        }
    }

    #[inline]
    fn add(&mut self, entry: &Checked) {
        if entry.sound {
            self.order.note(entry.seq, entry.appended_at);
        }
        self.lanes.add(entry);
    }

    /// Tells a number that nothing beyond was drawn of since before the entries were written: one with a
    /// greater `seq` is a finding.
    pub fn drawn(&mut self, drawn: Option<i64>) {
        self.drawn = drawn;
    }

    /// How much is remembered beyond one stretch per lane; at most [`Limits::waiting`].
    pub fn held(&self) -> usize {
        self.lanes.held()
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
