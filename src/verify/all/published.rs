//! The heads layer of a run: what publish_head() recorded, against the chain.

use std::collections::HashSet;
use std::ops::ControlFlow;

use auditspine_core::finding::Layer;
use auditspine_core::publication::{Finding, Summary};

use crate::ledger::owner::as_owner;
use crate::ledger::scan;
use crate::publish::verify::{self, Recorded};
use crate::verify::all::breaks::Break;
use crate::verify::all::guard::{guarded, not_verified};
use crate::verify::all::links::summary;
use crate::verify::all::run_log::Run;
use crate::verify::all::{Line, Scope};

const LAYER: Layer = Layer::Heads;
/// Where the recorded heads are.
const SUBJECT: &str = "auditspine.publication";

/// Holds recorded heads against the chain, all or the last of each lane, and adds a line if there are
/// any.
pub fn verify(scope: Scope, run: &mut Run, lines: &mut Vec<Line>) {
    if !anything_published() {
        return;
    }
    let which = match scope {
        Scope::Full => Recorded::All,
        Scope::Last | Scope::Since(..) => Recorded::Latest,
    };
    let line = guarded(run, |run| against_entries(which, run));
    lines.push(line.unwrap_or_else(|message| not_verified(LAYER, SUBJECT, &message, run)));
}

fn against_entries(which: Recorded, run: &mut Run) -> Line {
    let mut first = None;
    let mut told = HashSet::new();
    // Once a lane was cut off, every head published since tells so.
    let mut sink = |finding: Finding| {
        if !finding.kind.is_bad() {
            return;
        }
        let lane = finding
            .head
            .as_ref()
            .map(|head| (head.chain.clone(), head.lane));
        let found = broken(&finding);
        first.get_or_insert_with(|| found.sentence());
        if told.insert((lane, finding.kind.label())) {
            run.found(&found);
        } else {
            run.totals.findings += 1;
        }
    };
    let summed: Summary = as_owner(|| verify::verify_recorded(which, &mut sink));
    Line {
        layer: LAYER,
        subject: SUBJECT.to_owned(),
        checked: summed.lines as i64,
        findings: summed.bad as i64,
        first_bad_seq: None,
        detail: first
            .filter(|_| summed.bad > 0)
            .map(|first| summary(&first, summed.bad)),
    }
}

fn anything_published() -> bool {
    let mut anything = false;
    let query = c"SELECT 1 FROM ONLY auditspine.publication LIMIT 1";
    as_owner(|| {
        scan::select(query, &[], &[], |_| {
            anything = true;
            ControlFlow::Break(())
        });
    });
    anything
}

fn broken(finding: &Finding) -> Break<'_> {
    let head = finding.head.as_ref();
    let more = head.map(|head| ("published_at", published_at(head.published_at)));
    Break {
        chain: head.map(|head| &*head.chain),
        place: head.map(|head| (head.lane, head.pos)),
        seq: head.map(|head| head.seq),
        expected: finding.expected.as_ref().map(|hash| &hash.0[..]),
        found: finding.found.as_deref(),
        more: more.into_iter().collect(),
        of_lane: true,
        ..Break::new(finding.kind, &finding.detail)
    }
}

fn published_at(micros: i64) -> Vec<u8> {
    let mut json = vec![b'"'];
    auditspine_core::time::write_entry_time(micros, &mut json);
    json.push(b'"');
    json
}
