//! Clients that scan, judge and delete, and know what they did.

use std::collections::{BTreeMap, BTreeSet};

use auditspine_load::rng::Rng;
use auditspine_load::server::{Database, run, scalar};
use postgres::Client;

const SCANS: usize = 12;

/// A verdict that changed, as `verdict_history()` tells it: what, old, new, by, actor.
pub type Change = (
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// What a client knows of its own doings.
#[derive(Default)]
pub struct Diary {
    /// Deletions expected, by kind and key.
    pub deleted: BTreeSet<(&'static str, String)>,
    /// Rows that are still there, by kind.
    pub rows: BTreeMap<&'static str, i64>,
    /// Changes of verdicts on each finding that is still there, in order.
    pub verdicts: BTreeMap<i32, Vec<Change>>,
    /// Scans that are still there.
    scans: Vec<Scan>,
}

/// A scan, its row of metrics, and its findings.
struct Scan {
    id: i32,
    metrics: i32,
    findings: Vec<Finding>,
}

/// A finding, and the keys of its feedback in the chain.
struct Finding {
    id: i32,
    feedbacks: Vec<String>,
}

fn change(what: &str, old: Option<&str>, new: Option<&str>, by: &str, actor: &str) -> Change {
    let own = |text: &str| Some(text.to_owned());
    (
        what.to_owned(),
        old.and_then(own),
        new.and_then(own),
        own(by),
        own(actor),
    )
}

/// One pipeline run, with the AI's verdicts and what people say of them.
fn scan(client: &mut Client, id: i64, rng: &mut Rng, diary: &mut Diary) {
    let scan: i32 = scalar(
        client,
        &format!("SELECT findings.start_scan('project-{id}', 'r')"),
    );
    let mut findings = Vec::new();
    let count = 3 + rng.below(5) as i64;
    let rows = client
        .query(
            "INSERT INTO findings.findings (scan_id, tool, rule_id, file, line, severity)
             SELECT $1, 'semgrep', 'r' || n, 'src/f.rs', n::integer, 'High' FROM generate_series(1, $2::bigint) AS n RETURNING id",
            &[&scan, &count],
        )
        .expect("findings");
    for finding in rows.iter().map(|row| row.get::<_, i32>(0)) {
        let said = diary.verdicts.entry(finding).or_default();
        let mut feedbacks = Vec::new();
        let (model, person) = (format!("model-{}", id % 3), format!("person-{id}"));
        let mut verdict = None;
        // Two models in turn may say the same: that is no change.
        for _ in 0..1 + rng.below(2) {
            let new = ["TP", "FP"][rng.below(2) as usize];
            run(
                client,
                &format!(
                    "SELECT findings.record_ai_verdict({finding}, '{new}', 0.{}, 'why', '{model}')",
                    rng.below(100)
                ),
            );
            if verdict != Some(new) {
                said.push(change("ai_verdict", verdict, Some(new), "ai", &model));
            }
            verdict = Some(new);
        }
        if rng.chance(60) {
            // Decided and said in one transaction, beside a change that is nobody's verdict.
            let new = ["TP", "FP"][rng.below(2) as usize];
            run(client, "BEGIN");
            run(
                client,
                &format!("SELECT findings.triage({finding}, '{new}', '{person}')"),
            );
            run(
                client,
                &format!(
                    "UPDATE findings.findings SET red_team_success = true WHERE id = {finding}"
                ),
            );
            let feedback: i32 = scalar(
                client,
                &format!(
                    "SELECT findings.record_feedback({finding}, '{new}', 'comment', '{person}')"
                ),
            );
            run(client, "COMMIT");
            said.push(change(
                "triage_decision",
                None,
                Some(new),
                "person",
                &person,
            ));
            said.push(change("user_verdict", None, Some(new), "person", &person));
            feedbacks.push(format!("{finding}/{feedback}/{new}"));
        }
        findings.push(Finding {
            id: finding,
            feedbacks,
        });
    }
    let total: i64 = scalar(
        client,
        &format!("SELECT findings.finish_scan({scan}, 61.5, 3000000000, 10, 5000, 0.25)"),
    );
    assert_eq!(total, count);
    let metrics = scalar(
        client,
        &format!("SELECT id FROM findings.pipeline_metrics WHERE scan_id = {scan}"),
    );
    diary.scans.push(Scan {
        id: scan,
        metrics,
        findings,
    });
}

/// Deletes one of the client's scans, and books every row that goes with it.
fn delete_scan(client: &mut Client, rng: &mut Rng, diary: &mut Diary) {
    let at = rng.below(diary.scans.len() as u64) as usize;
    let scan = diary.scans.swap_remove(at);
    run(
        client,
        &format!("DELETE FROM findings.scans WHERE id = {}", scan.id),
    );
    diary
        .deleted
        .insert(("findings.scans", scan.id.to_string()));
    diary
        .deleted
        .insert(("findings.pipeline_metrics", scan.metrics.to_string()));
    for finding in scan.findings {
        diary
            .deleted
            .insert(("findings.findings", finding.id.to_string()));
        for key in finding.feedbacks {
            diary.deleted.insert(("findings.feedbacks", key));
        }
        // Histories are held against findings that are still there.
        diary.verdicts.remove(&finding.id);
    }
}

/// One client: scans, some of which are deleted again.
pub fn client(database: &Database, id: i64) -> Diary {
    let mut client = database.connect();
    let mut rng = Rng::new(id as u64);
    let mut diary = Diary::default();
    for _ in 0..SCANS {
        scan(&mut client, id, &mut rng, &mut diary);
        if rng.chance(40) {
            delete_scan(&mut client, &mut rng, &mut diary);
        }
    }
    for scan in &diary.scans {
        *diary.rows.entry("findings.scans").or_default() += 1;
        *diary.rows.entry("findings.pipeline_metrics").or_default() += 1;
        *diary.rows.entry("findings.findings").or_default() += scan.findings.len() as i64;
        let feedbacks: usize = scan
            .findings
            .iter()
            .map(|finding| finding.feedbacks.len())
            .sum();
        *diary.rows.entry("findings.feedbacks").or_default() += feedbacks as i64;
    }
    diary
}
