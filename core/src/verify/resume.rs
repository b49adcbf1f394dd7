//! Going on where an earlier verification ended.
//!
//! ```text
//! check_heads(chains, heads, store, sink) -> how many are not as they were
//! Verifier::resume(chains, heads, limits)
//!   push(entry) for every entry behind the heads, and every entry of other lanes
//!   finish(store, sink)
//! ```
//!
//! The position is kept per lane, as `(pos, chain_hash)`, and not as one `seq`: `seq` is not the order
//! of commits, so an entry with a smaller one may come to light, in another lane, after larger ones
//! were verified. Within a lane nothing can come to light before its head.
//!
//! A head's `chain_hash` commits to everything before it. That alone says nothing of what is stored
//! before it now: an old entry that was edited since is found by a verification of everything only.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::check::Checker;
use super::examined::Examined;
use super::finding::{Finding, FindingKind};
use super::output::Output;
use super::scope::Head;
use super::view::{Chains, Store};

/// What stands where a head was.
#[derive(Default)]
struct Standing {
    /// The head itself, as it was.
    kept: bool,
    /// Something else, at best what has the same `chain_hash`.
    other: Option<Examined>,
    /// Why that is not the head.
    detail: &'static str,
}

/// Holds the heads that an earlier verification ended with against what stands there now: each must
/// be there alone, with the same `seq` and `chain_hash`, and its hashes must follow from its columns.
/// Every one that does not is a finding. Returns how many there are.
pub fn check_heads<S: Store>(
    chains: &Arc<Chains>,
    heads: &[Head],
    store: &mut S,
    sink: &mut dyn FnMut(Finding),
) -> Result<u64, S::Error> {
    let mut checker = Checker::new(Arc::clone(chains), Arc::default());
    let mut output = Output::new(chains, sink);
    let mut scratch = Vec::new();
    let mut findings = 0;
    for head in heads {
        let mut standing = Standing::default();
        store.entries_at(head.chain_id, head.lane, head.pos, &mut |view| {
            let sound = checker.check(view).is_sound();
            let same = view.chain_hash == head.chain_hash.0;
            if sound && same && view.seq == head.seq && !standing.kept {
                standing.kept = true;
            } else if standing.other.is_none() || same {
                standing.detail = match (same, view.seq == head.seq) {
                    (true, true) if sound => "is stored twice",
                    (true, true) => "does not match its own hashes any more",
                    (true, false) => "has another seq now",
                    (false, _) => "was replaced, or another one stands beside it",
                };
                let chain = chains.get(head.chain_id);
                standing.other = Some(Examined::new(view, chain, &mut scratch));
            }
        })?;
        let finding = match standing.other {
            Some(entry) => changed(head, &entry, standing.detail, &output),
            None if standing.kept => continue,
            None => missing(head, store, &output)?,
        };
        findings += 1;
        output.emit(finding);
    }
    Ok(findings)
}

fn sentence(head: &Head, what: &str) -> String {
    format!(
        "the entry at lane {}, pos {}, that an earlier verification ended with {what}",
        head.lane, head.pos
    )
}

fn changed(head: &Head, entry: &Examined, what: &str, output: &Output<'_>) -> Finding {
    let (kind, detail) = (FindingKind::HeadChanged, sentence(head, what));
    let (expected, found) = (Some(head.chain_hash), entry.chain.found());
    Finding {
        seq: head.seq,
        ..output.finding(entry, kind, detail, expected, found)
    }
}

fn missing<S: Store>(head: &Head, store: &mut S, output: &Output<'_>) -> Result<Finding, S::Error> {
    let mut cut_off = true;
    store.entries_from(head.chain_id, head.lane, head.pos, &mut |_| {
        cut_off = false;
        ControlFlow::Break(())
    })?;
    let what = if cut_off {
        "is gone, and so is all that may have come after it: the end of the lane was cut off"
    } else {
        "is gone"
    };
    Ok(Finding {
        chain_id: head.chain_id,
        chain: output.chains().name(head.chain_id).map(str::to_owned),
        lane: head.lane,
        pos: head.pos,
        seq: head.seq,
        kind: FindingKind::HeadMissing,
        detail: sentence(head, what),
        expected: Some(head.chain_hash),
        found: None,
        event_kind: Vec::new(),
        event_pk: None,
        predecessor: None,
        successor: None,
    })
}
