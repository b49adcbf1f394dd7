//! The adopted layer of a run: chains of the older shape, against what anchors them.

use auditspine_core::finding::Layer;
use pgrx::pg_sys;

use crate::ledger::owner::as_owner;
use crate::verify::adopted;
use crate::verify::all::Line;
use crate::verify::all::breaks::Break;
use crate::verify::all::guard::{self, Outcome, guarded, not_verified};
use crate::verify::all::links::summary;
use crate::verify::all::run_log::Run;

const LAYER: Layer = Layer::Adopted;

/// Verifies every adopted chain and adds a line for each. All of a chain is read, whatever was added. Tables
/// that another session has locked come last.
pub fn verify(run: &mut Run, lines: &mut Vec<Line>) {
    let tables = match guarded(run, |_| as_owner(adopted::adopted)) {
        Ok(tables) => tables,
        Err(message) => {
            lines.push(not_verified(LAYER, "adopted chains", &message, run));
            return;
        }
    };
    let (mut locked, mut done) = (Vec::new(), Vec::new());
    for (name, table) in tables {
        match one(&name, table, false, run) {
            Outcome::Busy => locked.push((name, table)),
            outcome => done.push((name, outcome)),
        }
    }
    for (name, table) in locked {
        let outcome = one(&name, table, true, run);
        done.push((name, outcome));
    }
    done.sort_by(|left, right| left.0.cmp(&right.0));
    for (name, outcome) in done {
        match outcome {
            Outcome::Done(line) => lines.extend(line),
            Outcome::Failed(message) => lines.push(not_verified(LAYER, &name, &message, run)),
            Outcome::Busy => {}
        }
    }
}

/// Verifies one chain.
fn one(name: &str, table: Option<pg_sys::Oid>, wait: bool, run: &mut Run) -> Outcome<Option<Line>> {
    let part = |run: &mut Run| {
        let mut told: (u64, Option<i64>, Option<String>) = (0, None, None);
        let report = as_owner(|| {
            adopted::verify_adopted(name, table, &mut |finding| {
                // What was there when the chain was adopted is part of its anchor.
                if finding.anchored {
                    return;
                }
                let found = Break {
                    table: Some(name),
                    seq: finding.seq,
                    expected: finding.expected.as_ref().map(|hash| &hash.0[..]),
                    found: finding.found.as_deref(),
                    ..Break::new(finding.kind, &finding.detail)
                };
                told.0 += 1;
                told.1 = told.1.into_iter().chain(finding.seq).min();
                told.2.get_or_insert_with(|| found.sentence());
                run.found(&found);
            })
        });
        let (findings, first_bad_seq, first) = told;
        report.map(|report| Line {
            layer: LAYER,
            subject: report.table,
            checked: report.entries as i64,
            findings: findings as i64,
            first_bad_seq,
            detail: first.map(|first| summary(&first, findings)),
        })
    };
    match table {
        Some(oid) => guard::of_table(run, oid, wait, part),
        None => match guarded(run, part) {
            Ok(line) => Outcome::Done(line),
            Err(message) => Outcome::Failed(message),
        },
    }
}
