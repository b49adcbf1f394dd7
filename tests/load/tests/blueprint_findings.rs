//! A day of blueprint `findings`: many pipelines and people at once, old scans deleted, the EPSS file
//! loaded twice meanwhile; then an insider.

mod diary;

use std::collections::BTreeSet;
use std::thread;

use auditspine_load::check::assert_no_rows;
use auditspine_load::server::{Database, Server, run, scalar, sqlstate, turn};
use postgres::Client;

use diary::{Change, Diary, client};

const CLIENTS: i64 = 16;
const EPSS_ROWS: i64 = 250_000;

/// EPSS files of two days; on the second, one row in a hundred has another score.
fn prepare(database: &Database, rows: i64) {
    database.run(&format!(
        "SELECT install_blueprint('findings');
         CREATE TABLE file (day integer, rows findings.epss_row[]);
         INSERT INTO file
         SELECT day, array_agg(ROW(format('CVE-%s-%s', 2000 + n % 25, 10000 + n / 25), n % 1000 / 1000.0,
                                   CASE WHEN day = 2 AND n % 100 = 0 THEN 0.5 ELSE 0.25 END)::findings.epss_row)
         FROM generate_series(1, {rows}) AS n, generate_series(1, 2) AS day GROUP BY day"
    ));
}

/// Entries of a kind, by operation: `I 3, U 1`.
fn entries(client: &mut Client, kind: &str) -> String {
    scalar(
        client,
        &format!(
            "SELECT coalesce(string_agg(op::text || ' ' || n, ', ' ORDER BY op), 'none') FROM (
                 SELECT op, count(*) AS n FROM auditspine.audit_chain WHERE event_kind = '{kind}' GROUP BY op) AS e"
        ),
    )
}

fn load(client: &mut Client, day: i32) -> Result<(i32, i32), postgres::Error> {
    let row = client.query_one(
        "SELECT l.inserted, l.changed FROM file, findings.load_epss('2026-01-01'::date + day, rows) AS l WHERE day = $1",
        &[&day],
    )?;
    Ok((row.get(0), row.get(1)))
}

fn history(client: &mut Client, finding: i32) -> Vec<Change> {
    client
        .query(
            "SELECT what, old, new, by, actor FROM findings.verdict_history($1)",
            &[&finding],
        )
        .expect("verdict_history")
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)))
        .collect()
}

/// Every subject that is not in order, with its number of findings.
fn broken(client: &mut Client) -> Vec<(String, i64)> {
    client
        .query(
            "SELECT subject, findings FROM verify_all() WHERE NOT ok ORDER BY subject",
            &[],
        )
        .expect("verify_all")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

#[test]
fn a_day_of_scans_verdicts_and_scores() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("blueprint_findings");
    prepare(&database, EPSS_ROWS);
    let diaries: Vec<Diary> = thread::scope(|scope| {
        let loader = scope.spawn(|| {
            let mut client = database.connect();
            let first = load(&mut client, 1).expect("the first day");
            (first, load(&mut client, 2).expect("the second day"))
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|id| {
                let database = &database;
                scope.spawn(move || client(database, id))
            })
            .collect();
        let diaries = clients
            .into_iter()
            .map(|client| client.join().expect("a client"))
            .collect();
        let loaded = loader.join().expect("the loader");
        assert_eq!(loaded, ((EPSS_ROWS as i32, 0), (0, EPSS_ROWS as i32 / 100)));
        diaries
    });
    let mut admin = database.connect();
    let changed = EPSS_ROWS / 100;
    assert_eq!(
        entries(&mut admin, "findings.epss_data"),
        format!("I {EPSS_ROWS}, U {changed}")
    );

    // Every deleted row has its entry, and there is no other deletion.
    let recorded: BTreeSet<(String, String)> = admin
        .query(
            "SELECT event_kind, event_pk FROM auditspine.audit_chain WHERE op = 'D' AND event_kind LIKE 'findings.%'",
            &[],
        )
        .expect("entries")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let deleted: BTreeSet<(String, String)> = diaries
        .iter()
        .flat_map(|diary| &diary.deleted)
        .map(|(kind, key)| ((*kind).to_owned(), key.clone()))
        .collect();
    assert!(deleted.len() > 200, "{}", deleted.len());
    assert_eq!(recorded, deleted);
    assert_no_rows(
        &mut admin,
        "a row deleted twice",
        "SELECT event_pk FROM auditspine.audit_chain WHERE op = 'D' GROUP BY event_kind, event_pk HAVING count(*) > 1",
    );

    // What is left is what the clients left.
    for kind in [
        "findings.scans",
        "findings.pipeline_metrics",
        "findings.findings",
        "findings.feedbacks",
    ] {
        let left: i64 = diaries
            .iter()
            .filter_map(|diary| diary.rows.get(kind))
            .sum();
        let there: i64 = scalar(&mut admin, &format!("SELECT count(*) FROM {kind}"));
        assert_eq!(there, left, "{kind}");
    }

    // It has histories read by index from here on: hundreds of them would each look at all entries.
    assert_eq!(broken(&mut admin), []);

    // Who said what, and when: in the order in which it was said.
    let mut verdicts = 0;
    for (finding, said) in diaries.iter().flat_map(|diary| &diary.verdicts) {
        assert_eq!(&history(&mut admin, *finding), said, "finding {finding}");
        verdicts += said.len();
    }
    println!(
        "{} rows deleted, {verdicts} changes of verdicts in {} findings",
        deleted.len(),
        diaries
            .iter()
            .map(|diary| diary.verdicts.len())
            .sum::<usize>()
    );
    insider(&mut admin);
}

/// Flips a verdict and deletes a feedback behind the triggers; both are named, and nothing else.
fn insider(admin: &mut Client) {
    let row = admin
        .query_one(
            "SELECT f.id, f.ai_verdict, format('%s/%s/%s', b.finding_id, b.id, b.user_verdict), b.id
             FROM findings.findings AS f, findings.feedbacks AS b WHERE b.finding_id <> f.id AND f.ai_verdict IS NOT NULL
             ORDER BY f.id, b.id DESC LIMIT 1",
            &[],
        )
        .expect("a finding and a feedback");
    let (finding, verdict, feedback_key, feedback): (i32, String, String, i32) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let before = history(admin, finding);
    run(
        admin,
        &format!(
            "BEGIN;
             ALTER TABLE findings.findings DISABLE TRIGGER auditspine_audit;
             ALTER TABLE findings.feedbacks DISABLE TRIGGER auditspine_audit;
             UPDATE findings.findings SET ai_verdict = CASE ai_verdict WHEN 'TP' THEN 'FP' ELSE 'TP' END WHERE id = {finding};
             DELETE FROM findings.feedbacks WHERE id = {feedback};
             ALTER TABLE findings.findings ENABLE ALWAYS TRIGGER auditspine_audit;
             ALTER TABLE findings.feedbacks ENABLE ALWAYS TRIGGER auditspine_audit;
             COMMIT"
        ),
    );
    assert_eq!(
        broken(admin),
        [
            ("findings.feedbacks".to_owned(), 1),
            ("findings.findings".to_owned(), 1)
        ]
    );
    let alerts: Vec<(String, String)> = admin
        .query(
            "SELECT finding, pk FROM auditspine.alert ORDER BY finding",
            &[],
        )
        .expect("alerts")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    assert_eq!(
        alerts,
        [
            ("row_deleted".to_owned(), feedback_key),
            ("row_edited".to_owned(), finding.to_string())
        ]
    );
    // The history still says what was said, and so contradicts the row.
    assert_eq!(history(admin, finding), before);
    let recorded: String = scalar(
        admin,
        "SELECT recorded ->> 'ai_verdict' FROM verify_table_findings('findings.findings')",
    );
    assert_eq!(recorded, verdict);
}

/// Loads at once take turns: the later day wins, an earlier one that comes late is refused, and the
/// table is what the last file says.
#[test]
fn loads_at_once_take_turns() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("blueprint_findings_loads");
    prepare(&database, 2000);
    let outcomes: Vec<Result<(i32, i32), String>> = thread::scope(|scope| {
        let loaders: Vec<_> = (0..8)
            .map(|at| {
                let database = &database;
                scope.spawn(move || {
                    let mut client = database.connect();
                    load(&mut client, 1 + at % 2).map_err(|error| sqlstate(&error).to_owned())
                })
            })
            .collect();
        loaders
            .into_iter()
            .map(|loader| loader.join().expect("a loader"))
            .collect()
    });
    println!("{outcomes:?}");
    for outcome in &outcomes {
        match outcome {
            Ok(counts) => assert!([(2000, 0), (0, 0), (0, 20)].contains(counts), "{counts:?}"),
            Err(sqlstate) => assert_eq!(sqlstate, "55000"),
        }
    }
    let mut admin = database.connect();
    let (loads, changed): (i64, i64) = admin
        .query_one(
            "SELECT count(*), sum(changed)::bigint FROM findings.epss_loads",
            &[],
        )
        .map(|row| (row.get(0), row.get(1)))
        .expect("loads");
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(loads, done as i64);
    let expected = match changed {
        0 => "I 2000".to_owned(),
        changed => format!("I 2000, U {changed}"),
    };
    assert_eq!(entries(&mut admin, "findings.epss_data"), expected);
    assert_no_rows(
        &mut admin,
        "a score that is not the last file's",
        "SELECT cve_id FROM (SELECT r.* FROM file, unnest(rows) AS r WHERE day = 2) AS r
         FULL JOIN findings.epss_data AS d USING (cve_id)
         WHERE (r.probability, r.percentile) IS DISTINCT FROM (d.probability, d.percentile)",
    );
    assert_eq!(broken(&mut admin), []);
}
