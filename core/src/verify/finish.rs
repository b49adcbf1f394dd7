//! From the pass to the report: which parts need the second look, and the summary.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::Verifier;
use super::diagnose::Doubt;
use super::examined::Examined;
use super::finding::{ChainReport, Finding, FindingKind};
use super::judge::judge;
use super::lane::{Lane, Run};
use super::moves::{Moves, Place, Tail};
use super::output::Output;
use super::reader::Reader;
use super::scope::{Head, Scope};
use super::view::{Chains, Store};
use crate::hash::Hash;

/// Finishes a verification; see [`Verifier::finish`].
pub(super) fn finish<S: Store>(
    verifier: Verifier,
    store: &mut S,
    sink: &mut dyn FnMut(Finding),
) -> Result<Vec<ChainReport>, S::Error> {
    let Verifier {
        chains,
        kept,
        scope,
        limits,
        lanes,
        drawn,
        order,
        ..
    } = verifier;
    let lanes = lanes.into_sorted();
    let mut output = Output::new(&chains, sink);
    let mut moves = Moves::new(limits.candidates);
    let mut ends = BTreeMap::new();
    for (chain_id, what) in chains.altered() {
        output.emit(output.of_chain(chain_id, FindingKind::ChainAltered, what));
    }
    for (at, lane) in lanes.iter().enumerate() {
        let place = (lane.chain_id, lane.lane);
        let Some(chain) = chains.get(lane.chain_id) else {
            unknown_chain(store, &scope, lane, &mut output, &mut moves)?;
            continue;
        };
        let begins = match lane.first_run() {
            Some(run) => begins(store, &scope, lane, &run)?,
            None => false,
        };
        for part in lane.suspects(begins) {
            let reader = Reader::new(store, &scope, Some(chain), place, &part);
            let end = judge(reader, (&scope, &kept), &part, &mut output, &mut moves)?;
            if lane.tail().is_none_or(|(last, _)| part.to >= last) {
                ends.insert(at, end);
            }
        }
    }
    let ends: Vec<Option<(i64, Hash)>> = lanes
        .iter()
        .enumerate()
        .map(|(at, lane)| ends.get(&at).copied().unwrap_or_else(|| lane.tail()))
        .collect();
    let tails: Vec<Tail> = if moves.wants_tails() {
        let tail = |(lane, end): (&Lane, &Option<(i64, Hash)>)| {
            let (pos, chain) = (*end)?;
            Some(Tail {
                place: Place {
                    chain_id: lane.chain_id,
                    lane: lane.lane,
                    pos,
                },
                chain,
            })
        };
        lanes.iter().zip(&ends).filter_map(tail).collect()
    } else {
        Vec::new()
    };
    moves.resolve(&tails, &mut output);
    let mut scratch = Vec::new();
    for (from, to) in order.doubtful() {
        let mut told: Vec<Finding> = Vec::new();
        let mut shared: BTreeMap<i64, Vec<Finding>> = BTreeMap::new();
        store.misplaced(from, to, &mut |view, detail| {
            let Some(chain) = chains.get(view.chain_id) else {
                return;
            };
            let entry = Examined::new(view, Some(chain), &mut scratch);
            // Of others something else is told.
            if !entry.sound() {
                return;
            }
            let kind = FindingKind::SeqDisorder;
            match detail {
                Some(detail) => told.push(output.finding(&entry, kind, detail, None, None)),
                None => {
                    let detail = "another entry has the same seq: the sequence was set back";
                    let finding = output.finding(&entry, kind, detail, None, None);
                    shared.entry(view.seq).or_default().push(finding);
                }
            }
        })?;
        let shared = shared.into_values().filter(|of_seq| of_seq.len() > 1);
        told.into_iter()
            .chain(shared.flatten())
            .for_each(|finding| output.emit(finding));
    }
    if let Some(drawn) = drawn {
        for lane in lanes.iter().filter(|lane| lane.head_seq > drawn) {
            ahead(store, &scope, lane, drawn, &mut output)?;
        }
    }
    Ok(reports(&chains, &lanes, &ends, &output))
}

/// Whether the first stretch of a lane is where the lane, or the window, begins.
fn begins<S: Store>(
    store: &mut S,
    scope: &Scope,
    lane: &Lane,
    run: &Run,
) -> Result<bool, S::Error> {
    if run.first_pos == 1 {
        return Ok(run.first_prev == Hash::ZERO);
    }
    let place = (lane.chain_id, lane.lane);
    if let Some(head) = scope.head(place) {
        return Ok(head.pos.checked_add(1) == Some(run.first_pos)
            && head.chain_hash == run.first_prev
            && head.seq < run.first_seq);
    }
    let mut begins = false;
    if scope.beginning(place).is_none() {
        store.entries_at(lane.chain_id, lane.lane, run.first_pos - 1, &mut |view| {
            begins |= view.chain_hash == run.first_prev.0
                && view.seq < run.first_seq
                && !scope.contains_entry(view);
        })?;
    }
    Ok(begins)
}

/// Tells of a lane whose chain does not exist: once, at its first entry.
fn unknown_chain<S: Store>(
    store: &mut S,
    scope: &Scope,
    lane: &Lane,
    output: &mut Output<'_>,
    moves: &mut Moves,
) -> Result<(), S::Error> {
    let mut first: Option<Examined> = None;
    let mut scratch = Vec::new();
    store.entries_from(lane.chain_id, lane.lane, i64::MIN, &mut |view| {
        if !scope.contains_entry(view) {
            return ControlFlow::Continue(());
        }
        let entry = Examined::new(view, None, &mut scratch);
        match &first {
            Some(first) if first.pos != entry.pos => return ControlFlow::Break(()),
            Some(first) if first.order() <= entry.order() => {}
            _ => first = Some(entry),
        }
        ControlFlow::Continue(())
    })?;
    let Some(mut entry) = first else {
        return Ok(());
    };
    let (id, more) = (lane.chain_id, lane.entries.saturating_sub(1));
    let mut detail = format!("chain_id {id} is not in auditspine.chain");
    let doubt = if more == 0 {
        Doubt::Content
    } else {
        detail.push_str(&format!(
            "; nor is that of {more} more entries in this lane"
        ));
        Doubt::None
    };
    let finding = output.finding(&entry, FindingKind::UnknownChain, detail, None, None);
    moves.damaged(&mut entry, finding, doubt, output);
    Ok(())
}

/// Tells of the first entry of a lane whose number was not drawn yet, though its hashes agree on it.
fn ahead<S: Store>(
    store: &mut S,
    scope: &Scope,
    lane: &Lane,
    drawn: i64,
    output: &mut Output<'_>,
) -> Result<(), S::Error> {
    let chain = output.chains().get(lane.chain_id);
    let mut first = None;
    let (mut more, mut scratch) = (0u64, Vec::new());
    store.entries_from(lane.chain_id, lane.lane, i64::MIN, &mut |view| {
        if view.seq > drawn && scope.contains_entry(view) {
            let entry = Examined::new(view, chain, &mut scratch);
            if entry.sound() {
                more += u64::from(first.is_some());
                first.get_or_insert(entry);
            }
        }
        ControlFlow::Continue(())
    })?;
    if let Some(entry) = first {
        let mut detail = format!(
            "seq {} is beyond {drawn}, the last number that auditspine.audit_seq has drawn: the sequence was set \
             back since, or ahead before",
            entry.seq
        );
        if more > 0 {
            detail.push_str(&format!(
                "; so are those of {more} more entries in this lane"
            ));
        }
        output.emit(output.finding(&entry, FindingKind::SeqAhead, detail, None, None));
    }
    Ok(())
}

fn reports(
    chains: &Chains,
    lanes: &[Lane],
    ends: &[Option<(i64, Hash)>],
    output: &Output<'_>,
) -> Vec<ChainReport> {
    let report = |chain_id| ChainReport {
        chain_id,
        chain: chains.name(chain_id).map(str::to_owned),
        entries: 0,
        lanes: 0,
        findings: output.count(chain_id).findings,
        first_bad_seq: output.count(chain_id).first_bad_seq,
        first_seq: None,
        head_seq: None,
        heads: Vec::new(),
    };
    let mut reports: BTreeMap<i32, ChainReport> = chains
        .ids()
        .map(|chain_id| (chain_id, report(chain_id)))
        .collect();
    for (lane, end) in lanes.iter().zip(ends) {
        let sum = reports
            .entry(lane.chain_id)
            .or_insert_with_key(|&chain_id| report(chain_id));
        sum.entries += lane.entries;
        sum.lanes += 1;
        sum.first_seq = Some(
            sum.first_seq
                .map_or(lane.first_seq, |seq| seq.min(lane.first_seq)),
        );
        sum.head_seq = sum.head_seq.max(Some(lane.head_seq));
        if sum.findings == 0
            && let Some((pos, chain_hash)) = *end
        {
            sum.heads.push(Head {
                chain_id: lane.chain_id,
                lane: lane.lane,
                pos,
                seq: lane.head_seq,
                chain_hash,
            });
        }
    }
    reports.into_values().collect()
}
