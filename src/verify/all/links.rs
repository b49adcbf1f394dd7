//! The links layer of a run: every chain, or what was added to it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

use auditspine_core::finding::Layer;
use auditspine_core::hash::Hash;
use auditspine_core::verify::{
    ChainReport, Chains, EntryView, Finding, FindingKind, Head, Limits, Store, Verifier,
    check_heads,
};

use crate::ledger::evidence::is_installed;
use crate::ledger::lane_scan::ByLane;
use crate::ledger::owner::as_owner;
use crate::ledger::scan::{self, ByPlace};
use crate::ledger::snapshot::CurrentSnapshot;
use crate::verify::all::breaks::Break;
use crate::verify::all::evidence::Left;
use crate::verify::all::run_log::Run;
use crate::verify::all::{Line, Scope};
use crate::verify::kept;
use crate::verify::links::{self, Request};

/// What the layer leaves to the others.
pub struct Links {
    /// What was verified in the end.
    pub scope: Scope,
    /// Why that is more than was asked for.
    pub reason: Option<&'static str>,
    /// The lanes' last entries.
    pub heads: Vec<Head>,
}

/// Heads that are not as they were, by lane. They wait until the entries have been verified: what is
/// found there tells more.
type Lost = BTreeMap<(i32, i16), Finding>;

/// Findings by chain: how many are not counted by the reports, and the first one in words.
#[derive(Default)]
struct Told {
    extra: u64,
    first: Option<(i64, String)>,
}

type ByChain = BTreeMap<i32, Told>;

/// Verifies the links and adds a line per chain. What an incremental run reads is shown to `added`.
pub fn verify(
    scope: Scope,
    left: Left,
    run: &mut Run,
    lines: &mut Vec<Line>,
    added: &mut dyn FnMut(&EntryView<'_>),
) -> Links {
    crate::ledger::catalog::expect_privileges();
    // Held to the end, so that heads are never newer than the entries they are held against.
    let _snapshot = CurrentSnapshot::push();
    let chains = Arc::new(scan::names(&scan::chains(None)));
    let mut told = ByChain::new();
    let heads = match left.verified_heads {
        Some(false) => Vec::new(),
        _ => verified_heads(),
    };
    let mut by_lane = ByLane::open();
    let mut lost = match &mut by_lane {
        Some(store) => lost_heads(&chains, &heads, store),
        None => lost_heads(&chains, &heads, &mut ByPlace),
    };
    let reason = match scope {
        Scope::Last if left.verified_heads == Some(false) => {
            Some("auditspine.verified_head is not as the last run left it")
        }
        Scope::Last if left.verified_heads.is_none() && !heads.is_empty() && is_installed() => {
            Some("nothing tells where an earlier verification ended")
        }
        Scope::Last if heads.is_empty() => Some("nothing was found in order before"),
        Scope::Last if !lost.is_empty() => {
            Some("an entry that an earlier verification ended with is not as it was")
        }
        Scope::Last if by_lane.is_none() => Some("auditspine.audit_chain has lost its primary key"),
        _ => None,
    };
    let scope = if reason.is_some() { Scope::Full } else { scope };
    let mut sink = |finding: Finding| {
        explain(&finding, &mut lost);
        tell(&finding, false, run, &mut told);
    };
    let reports = match (scope, &mut by_lane) {
        (Scope::Last, Some(store)) => since_heads(&chains, &heads, store, &mut sink, added),
        (Scope::Since(start, end), _) => in_window(start, end, &mut sink),
        _ => in_window(1, None, &mut sink),
    };
    lost.values()
        .for_each(|finding| tell(finding, true, run, &mut told));
    add_lines(&reports, &told, run, lines);
    Links {
        scope,
        reason,
        heads: reports
            .into_iter()
            .flat_map(|report| report.heads)
            .collect(),
    }
}

fn in_window(start: i64, end: Option<i64>, sink: &mut dyn FnMut(Finding)) -> Vec<ChainReport> {
    let request = Request {
        chain: None,
        start,
        end,
    };
    links::verify(&request, sink)
}

/// Where clean runs ended, as the active snapshot sees it.
fn verified_heads() -> Vec<Head> {
    let query = c"SELECT chain_id, lane, pos, seq, chain_hash FROM ONLY auditspine.verified_head \
                  ORDER BY chain_id, lane";
    let mut heads = Vec::new();
    as_owner(|| {
        scan::select(query, &[], &[], |row| {
            // What no entry has stands for what is null, and for a hash of another length: such a head is
            // not as it was.
            heads.push(Head {
                chain_id: row.int4(0).unwrap_or(i32::MIN),
                lane: row.int2(1).unwrap_or(-1),
                pos: row.int8(2).unwrap_or(0),
                seq: row.int8(3).unwrap_or(0),
                chain_hash: row.hash(4).unwrap_or(Hash::ZERO),
            });
            ControlFlow::Continue(())
        });
    });
    heads
}

/// The heads that are not as they were.
fn lost_heads<S: Store<Error = Infallible>>(
    chains: &Arc<Chains>,
    heads: &[Head],
    store: &mut S,
) -> Lost {
    let mut lost = Lost::new();
    let Ok(_) = check_heads(chains, heads, store, &mut |finding| {
        lost.insert((finding.chain_id, finding.lane), finding);
    });
    lost
}

/// Forgets the lost head that a finding tells of: that entry itself is at fault, or missing with those
/// around it.
fn explain(finding: &Finding, lost: &mut Lost) {
    let lane = (finding.chain_id, finding.lane);
    let explained = lost.get(&lane).is_some_and(|head| {
        let gap = head.kind == FindingKind::HeadMissing
            && finding.kind == FindingKind::EntriesMissing
            && finding.pos > head.pos;
        gap || finding.pos == head.pos
    });
    if explained {
        lost.remove(&lane);
    }
}

/// Verifies what stands behind the heads, and all of the lanes that have none.
fn since_heads(
    chains: &Arc<Chains>,
    heads: &[Head],
    store: &mut ByLane,
    sink: &mut dyn FnMut(Finding),
    added: &mut dyn FnMut(&EntryView<'_>),
) -> Vec<ChainReport> {
    let known: BTreeMap<(i32, i16), i64> = heads
        .iter()
        .map(|head| ((head.chain_id, head.lane), head.pos))
        .collect();
    let limits = Limits::default();
    let mut verifier =
        Verifier::resume(Arc::clone(chains), heads.iter().copied(), limits).keeping(kept::read());
    let mut lane = store.next_lane(None);
    while let Some(place) = lane {
        pgrx::check_for_interrupts!();
        let from = known
            .get(&place)
            .map_or(i64::MIN, |pos| pos.saturating_add(1));
        let Ok(()) = store.entries_from(place.0, place.1, from, &mut |entry| {
            verifier.push(entry);
            added(entry);
            ControlFlow::Continue(())
        });
        lane = store.next_lane(Some(place));
    }
    verifier.drawn(links::drawn());
    let Ok(reports) = verifier.finish(store, sink);
    reports
}

fn tell(finding: &Finding, extra: bool, run: &mut Run, told: &mut ByChain) {
    let found = Break::of_link(finding);
    let told = told.entry(finding.chain_id).or_default();
    told.extra += u64::from(extra);
    if told
        .first
        .as_ref()
        .is_none_or(|(seq, _)| finding.seq < *seq)
    {
        told.first = Some((finding.seq, found.sentence()));
    }
    run.found(&found);
}

fn add_lines(reports: &[ChainReport], told: &ByChain, run: &mut Run, lines: &mut Vec<Line>) {
    let totals = &mut run.totals;
    for report in reports {
        let told = told.get(&report.chain_id);
        let findings = report.findings + told.map_or(0, |told| told.extra);
        let first = told.and_then(|told| told.first.as_ref());
        totals.chains += 1;
        totals.entries += report.entries as i64;
        totals.from_seq = totals.from_seq.into_iter().chain(report.first_seq).min();
        totals.to_seq = totals.to_seq.max(report.head_seq);
        lines.push(Line {
            layer: Layer::Links,
            subject: match &report.chain {
                Some(name) => name.clone(),
                None => format!("(unknown chain_id {})", report.chain_id),
            },
            checked: report.entries as i64,
            findings: findings as i64,
            first_bad_seq: first.map(|(seq, _)| *seq),
            detail: first.map(|(_, sentence)| summary(sentence, findings)),
        });
    }
}

/// The first finding in words, and how many more there are.
pub fn summary(first: &str, findings: u64) -> String {
    match findings {
        0 | 1 => first.to_owned(),
        more => format!("{first}; and {} more", more - 1),
    }
}
