//! The keys layer of a run: the keys whose signatures count, against the entries that tell of them.

use auditspine_core::finding::Layer;

use crate::ledger::owner::as_owner;
use crate::trust;
use crate::verify::all::Line;
use crate::verify::all::breaks::Break;
use crate::verify::all::guard::{guarded, not_verified};
use crate::verify::all::links::summary;
use crate::verify::all::run_log::Run;

const LAYER: Layer = Layer::Keys;
const SUBJECT: &str = "auditspine.trusted_key";

/// Verifies the keys and adds a line if there are any.
pub fn verify(run: &mut Run, lines: &mut Vec<Line>) {
    // Not there until the extension is updated from 0.2.0.
    if !trust::is_installed() {
        return;
    }
    match guarded(run, all) {
        Ok(line) => lines.extend(line),
        Err(message) => lines.push(not_verified(LAYER, SUBJECT, &message, run)),
    }
}

fn all(run: &mut Run) -> Option<Line> {
    let trust = as_owner(trust::load);
    let mut first = None;
    for finding in &trust.findings {
        let found = Break {
            table: Some(SUBJECT),
            kind: Some(trust::KIND.as_bytes()),
            pk: Some(finding.fingerprint.as_bytes()),
            seq: finding.seq,
            expected: finding.expected.as_ref().map(|hash| &hash.0[..]),
            found: finding.found.as_ref().map(|hash| &hash.0[..]),
            ..Break::new(finding.kind, &finding.detail)
        };
        first.get_or_insert_with(|| found.sentence());
        run.found(&found);
    }
    let findings = trust.findings.len() as u64;
    (trust.keys > 0).then(|| Line {
        layer: LAYER,
        subject: SUBJECT.to_owned(),
        checked: trust.keys as i64,
        findings: findings as i64,
        first_bad_seq: trust.findings.iter().filter_map(|it| it.seq).min(),
        detail: first.map(|first| summary(&first, findings)),
    })
}
