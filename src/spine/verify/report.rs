//! What the verification of a spine tells.

use auditspine_core::finding::SpineRecordKind;
use auditspine_core::rows::RowFindingKind;
use auditspine_core::spine::{self, FindingKind, Status};

use super::rows::RowFindings;
use super::stored_spine::{Judged, Supersession};
use crate::trust::Trust;
use crate::verify::rows::Finding as RowFinding;

/// One thing that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// `idx` of the segment.
    pub idx: Option<i32>,
    /// `segment_id`, as stored.
    pub segment_id: Option<String>,
    /// What: a stable label.
    pub finding: &'static str,
    /// The entry that recorded the row.
    pub seq: Option<i64>,
    /// What should stand there.
    pub expected: Option<String>,
    /// What stands there.
    pub found: Option<String>,
    /// The facts, in a sentence.
    pub detail: String,
    /// Whether it speaks against the spine.
    pub is_bad: bool,
}

/// The verdict on one spine.
#[derive(Clone, Debug)]
pub struct Report {
    /// `spine_id`, as stored.
    pub spine_id: String,
    /// Whether nothing speaks against it.
    pub ok: bool,
    /// Its status: Verified, Partial, Invalid or Untrusted.
    pub status: Status,
    /// Whether the root is that of the segments.
    pub root_ok: bool,
    /// Whether all ids are those of their rows.
    pub ids_ok: bool,
    /// Whether the segments are all there and linked.
    pub links_ok: bool,
    /// Whether its rows, and the audit of the tables, are as the chain says.
    pub rows_ok: bool,
    /// Whether each segment is Verified and its row as recorded.
    pub all_segments_valid: bool,
    /// How many segments there are.
    pub segments: i64,
    /// Segments that are Invalid, or whose rows are not as recorded.
    pub invalid_segment_ids: Vec<String>,
    /// How many findings speak against it.
    pub findings: i64,
    /// The first of them, in words.
    pub first: Option<String>,
    /// The spine that has superseded it.
    pub superseded_by: Option<String>,
    /// What the cache is worth.
    pub cache: &'static str,
}

/// The verdict on a spine that is there.
pub fn of(judged: &Judged, rows: &mut RowFindings, trust: &Trust) -> (Report, Vec<Finding>) {
    let spine = &judged.spine;
    let judgement = &judged.judgement;
    let mut findings: Vec<Finding> = judgement.findings.iter().map(of_judgement).collect();
    let unknown_key = judgement
        .findings
        .iter()
        .any(|f| f.kind == FindingKind::KeyUnknown);
    if unknown_key {
        findings.extend(trust.findings.iter().map(of_key));
    }
    let mut is_invalid = false;
    let mut all_valid = judgement.all_segments_valid();
    let mut invalid: Vec<String> = judgement.invalid_segment_ids().map(str::to_owned).collect();
    for found in rows.take_spine(&spine.spine_id) {
        is_invalid |= found.kind.is_bad();
        findings.push(of_row(&found, None, "spine"));
    }
    for segment in &spine.segments {
        for found in rows.take_segment(&segment.segment_id) {
            if found.kind.is_bad() {
                is_invalid = true;
                all_valid = false;
                if !invalid.contains(&segment.segment_id) {
                    invalid.push(segment.segment_id.clone());
                }
            }
            findings.push(of_row(
                &found,
                Some((segment.idx, &segment.segment_id)),
                "segment",
            ));
        }
    }
    findings.extend(spine.superseded_by.iter().flat_map(of_supersession));
    let mut rows_ok = !is_invalid;
    for found in &rows.tables {
        rows_ok &= !found.kind.is_bad();
        findings.push(of_table(found));
    }
    for (at, segment) in spine.segments.iter().enumerate() {
        let status = judged.status_of(at);
        if segment.status == Status::Verified.text() && status != Status::Verified {
            let detail = format!("status says Verified, but the segment is {status}");
            findings.push(Finding {
                idx: Some(segment.idx),
                segment_id: Some(segment.segment_id.clone()),
                ..of_record(SpineRecordKind::StatusStale, detail)
            });
        }
    }
    let cache = judged.cache();
    if cache == "contradicted" {
        findings.push(of_cache());
    }
    let bad = || findings.iter().filter(|finding| finding.is_bad);
    let report = Report {
        spine_id: spine.spine_id.clone(),
        ok: bad().next().is_none(),
        status: if is_invalid {
            Status::Invalid
        } else {
            judgement.status
        },
        root_ok: judgement.root_ok(),
        ids_ok: judgement.ids_ok(),
        links_ok: judgement.links_ok(),
        rows_ok,
        all_segments_valid: all_valid,
        segments: spine.segments.len() as i64,
        invalid_segment_ids: invalid,
        findings: bad().count() as i64,
        first: bad().next().map(sentence),
        superseded_by: spine.superseded_by.as_ref().map(|it| it.by.clone()),
        cache,
    };
    (report, findings)
}

/// The verdict on a spine whose row is gone, though the chain says that it is there.
pub fn of_gone(id: &str, finding: RowFinding, rows: &RowFindings) -> (Report, Vec<Finding>) {
    let mut findings = vec![of_row(&finding, None, "spine")];
    findings.extend(rows.tables.iter().map(of_table));
    let report = Report {
        spine_id: id.to_owned(),
        ok: false,
        status: Status::Invalid,
        root_ok: false,
        ids_ok: false,
        links_ok: false,
        rows_ok: false,
        all_segments_valid: false,
        segments: 0,
        invalid_segment_ids: Vec::new(),
        findings: findings.iter().filter(|finding| finding.is_bad).count() as i64,
        first: findings.first().map(sentence),
        superseded_by: None,
        cache: "none",
    };
    (report, findings)
}

fn sentence(finding: &Finding) -> String {
    match finding.idx {
        Some(idx) => format!("{}, segment {idx}: {}", finding.finding, finding.detail),
        None => format!("{}: {}", finding.finding, finding.detail),
    }
}

fn of_judgement(found: &spine::Finding) -> Finding {
    Finding {
        idx: found.idx,
        segment_id: found.segment_id.clone(),
        finding: found.kind.label(),
        seq: None,
        expected: found.expected.clone(),
        found: found.found.clone(),
        detail: found.detail.clone(),
        is_bad: found.kind.is_bad(),
    }
}

fn of_row(found: &RowFinding, segment: Option<(i32, &str)>, what: &str) -> Finding {
    let detail = match found.kind {
        RowFindingKind::RowEdited => {
            format!(
                "the {what}'s row in {} is not what its last entry recorded",
                found.table
            )
        }
        _ => format!("the {what}'s row in {}: {}", found.table, found.detail),
    };
    Finding {
        idx: segment.map(|(idx, _)| idx),
        segment_id: segment.map(|(_, id)| id.to_owned()),
        finding: found.kind.label(),
        seq: found.seq,
        expected: found.expected.map(|hash| hash.to_string()),
        found: found.found.map(|hash| hash.to_string()),
        detail,
        is_bad: found.kind.is_bad(),
    }
}

/// The tables take any supersession. One of another decision, or in a circle, hides a decision from those who ask
/// for the current one, and takes nothing from the evidence.
fn of_supersession(found: &Supersession) -> Vec<Finding> {
    let elsewhere = match found.same_decision {
        Some(true) => None,
        Some(false) => Some("is of another artifact, vulnerability or policy"),
        None => Some("is not there"),
    };
    let elsewhere = elsewhere.map(|what| Finding {
        found: Some(found.by.clone()),
        ..of_record(
            SpineRecordKind::SupersededElsewhere,
            format!("the spine that superseded it {what}"),
        )
    });
    let nowhere = (!found.leads_on).then(|| {
        of_record(
            SpineRecordKind::NoCurrentSpine,
            "all spines of the decision are superseded".to_owned(),
        )
    });
    elsewhere.into_iter().chain(nowhere).collect()
}

fn of_table(found: &RowFinding) -> Finding {
    Finding {
        is_bad: found.kind.is_bad(),
        ..plain(
            found.kind.label(),
            found.seq,
            format!("table {}: {}", found.table, found.detail),
        )
    }
}

fn of_key(found: &crate::trust::Finding) -> Finding {
    Finding {
        expected: found.expected.map(|hash| hash.to_string()),
        found: found.found.map(|hash| hash.to_string()),
        ..plain(
            found.kind.label(),
            found.seq,
            format!("key {}: {}", found.fingerprint, found.detail),
        )
    }
}

fn of_record(kind: SpineRecordKind, detail: String) -> Finding {
    Finding {
        is_bad: kind.is_bad(),
        ..plain(kind.label(), None, detail)
    }
}

/// It says nothing of the spine, since nobody relies on the cache.
fn of_cache() -> Finding {
    let detail = "nothing has changed since, but the cache says something else of the segments";
    of_record(SpineRecordKind::CacheContradicted, detail.to_owned())
}

fn plain(finding: &'static str, seq: Option<i64>, detail: String) -> Finding {
    Finding {
        idx: None,
        segment_id: None,
        finding,
        seq,
        expected: None,
        found: None,
        detail,
        is_bad: false,
    }
}
