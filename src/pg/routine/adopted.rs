//! The adopted layer of a run: chains of the older shape, against what anchors them.

use std::collections::BTreeMap;

use super::Line;
use super::breaks::Break;
use super::guard::{guarded, not_verified};
use super::links::summary;
use super::record::Run;
use crate::pg::adopted;
use crate::pg::owner::as_owner;

const LAYER: &str = "adopted";

/// Verifies every adopted chain and adds a line for each. All of a chain is read, whatever was added.
pub fn verify(run: &mut Run, lines: &mut Vec<Line>) {
    match guarded(run, all) {
        Ok(done) => lines.extend(done),
        Err(message) => lines.push(not_verified(LAYER, "adopted chains", &message, run)),
    }
}

fn all(run: &mut Run) -> Vec<Line> {
    let mut told: BTreeMap<String, (u64, Option<i64>, String)> = BTreeMap::new();
    let mut sink = |table: &str, finding: adopted::Finding| {
        // What was there when the chain was adopted is part of its anchor.
        if finding.anchored {
            return;
        }
        let found = Break {
            layer: LAYER,
            table: Some(table),
            seq: finding.seq,
            expected: finding.expected.as_ref().map(|hash| &hash.0[..]),
            found: finding.found.as_deref(),
            ..Break::new(finding.finding, &finding.detail)
        };
        let of_table = told
            .entry(table.to_owned())
            .or_insert_with(|| (0, None, found.sentence()));
        of_table.0 += 1;
        of_table.1 = of_table.1.into_iter().chain(finding.seq).min();
        run.found(&found);
    };
    let reports = as_owner(|| adopted::verify_all(&mut sink));
    let mut line = |report: adopted::Report| {
        let (findings, first_bad_seq, first) = told.remove(&report.table).unwrap_or_default();
        Line {
            layer: LAYER,
            subject: report.table,
            checked: report.entries as i64,
            findings: findings as i64,
            first_bad_seq,
            detail: (findings > 0).then(|| summary(&first, findings)),
        }
    };
    reports.into_iter().map(&mut line).collect()
}
