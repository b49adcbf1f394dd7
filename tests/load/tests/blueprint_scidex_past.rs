//! Blueprint scidex, taken up by a platform that is there already: rows older than the triggers, a
//! window that they are not in, and the schedule.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use auditspine_load::check::assert_no_rows;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Server, run, scalar, turn};
use postgres::Client;

/// Rows that each table has from before.
const OLD: i64 = 3000;

/// Loads rows of last year as one would from another system: with the triggers off.
const LOAD: &str = "
    INSERT INTO scidex.artifact_provenance (artifact_id, artifact_type, action, actor, output_digest, recorded_at)
    SELECT 'paper:' || n, 'paper', 'published', 'agent-' || n % 7, 'sha256:' || encode(sha256(n::text::bytea), 'hex'), at FROM old;
    INSERT INTO scidex.task_events (task_id, event, actor, recorded_at) SELECT 't' || n / 3, 'progress', 'agent-' || n % 7, at FROM old;
    INSERT INTO scidex.comment_classifier_runs (comment_id, classifier, classifier_version, input_digest, label, confidence, recorded_at)
    SELECT 'c' || n, 'triage', '1', 'sha256:' || encode(sha256(n::text::bytea), 'hex'), 'critique', n % 100 / 100.0, at FROM old;
    INSERT INTO scidex.sandbox_audit_event (sandbox_id, actor, tool, argv, verdict, exit_status, recorded_at)
    SELECT 's' || n / 9, 'agent-' || n % 7, 'bash', ARRAY['make', n::text], 'ran', n % 2, at FROM old;
    INSERT INTO scidex.senate_pause (actor, reason, ordered_by, recorded_at, expires_at) SELECT 'agent-' || n % 7, 'r' || n, 'senate', at, at + '1 h' FROM old;
    INSERT INTO scidex.actor_write_trip_event (actor, resource, write_limit, period, writes, response, recorded_at)
    SELECT 'agent-' || n % 7, 'paper', n, '1 h', n + 1, 'throttled', at FROM old;
    INSERT INTO scidex.senate_alerts (kind, severity, subject, detail, recorded_at) SELECT 'quota', 'info', 's' || n, 'd', at FROM old;
    INSERT INTO scidex.audit_log (actor, action, object_type, recorded_at) SELECT 'admin', 'role.granted', 'role', at FROM old";

const TABLES: [&str; 8] = [
    "artifact_provenance",
    "task_events",
    "comment_classifier_runs",
    "sandbox_audit_event",
    "senate_pause",
    "actor_write_trip_event",
    "senate_alerts",
    "audit_log",
];

/// Off, all of them; on again, all of them as the blueprint made them.
fn triggers(client: &mut Client, on: bool) {
    for table in TABLES {
        let own = if on && table.starts_with("senate_") {
            ", ENABLE TRIGGER settle_once, ENABLE TRIGGER keep"
        } else {
            ""
        };
        let refuse = if table.starts_with("senate_") {
            ""
        } else {
            ", ENABLE ALWAYS TRIGGER auditspine_append_only, ENABLE ALWAYS TRIGGER auditspine_append_only_truncate"
        };
        let actions = if on {
            format!(
                "ENABLE ALWAYS TRIGGER auditspine_audit, ENABLE ALWAYS TRIGGER auditspine_truncate{refuse}{own}"
            )
        } else {
            "DISABLE TRIGGER USER".to_owned()
        };
        run(client, &format!("ALTER TABLE scidex.{table} {actions}"));
    }
}

fn breaks(client: &mut Client, call: &str) -> i64 {
    scalar(
        client,
        &format!("SELECT findings FROM scidex.{call} WHERE layer = 'alerts'"),
    )
}

#[test]
fn old_rows_are_recorded_once_however_often_it_is_asked_for() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("scidex_past");
    let mut admin = database.connect();
    run(&mut admin, "SELECT install_blueprint('scidex')");
    triggers(&mut admin, false);
    run(
        &mut admin,
        &format!(
            "CREATE TEMP TABLE old AS SELECT n, timestamptz '2025-01-01' + n * interval '1 minute' AS at FROM generate_series(1, {OLD}) AS n;
             {LOAD}"
        ),
    );
    triggers(&mut admin, true);
    assert_no_rows(
        &mut admin,
        "a table with triggers that are off",
        "SELECT table_name::text FROM auditspine.audited_table WHERE NOT enabled OR NOT truncate_covered",
    );
    // Writers do not wait for it.
    let over = AtomicBool::new(false);
    let (first, second) = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut client = database.connect();
            let mut rows = 0i64;
            while !over.load(Ordering::Relaxed) {
                run(
                    &mut client,
                    "INSERT INTO scidex.task_events (task_id, event, actor) VALUES ('new', 'created', 'agent-1')",
                );
                rows += 1;
            }
            rows
        });
        let mut backfill =
            || {
                TABLES.map(|table| {
                run(&mut admin, &format!("CALL audit_backfill('scidex.{table}', 1000)"));
                scalar::<i64>(
                    &mut admin,
                    "SELECT recorded FROM auditspine.progress ORDER BY progress_id DESC LIMIT 1",
                )
            })
            };
        let runs = (backfill(), backfill());
        over.store(true, Ordering::Relaxed);
        assert!(writer.join().expect("the writer") > 10);
        runs
    });
    assert_eq!(first, [OLD; 8]);
    assert_eq!(second, [0; 8]);
    assert_no_rows(
        &mut admin,
        "a row that has not one entry, or an entry in another chain",
        "SELECT e.event_kind || ' ' || e.event_pk FROM auditspine.audit_chain AS e JOIN auditspine.chain AS c USING (chain_id)
         WHERE starts_with(e.event_kind, 'scidex.') GROUP BY e.event_kind, e.event_pk
         HAVING count(*) <> 1 OR min(e.op) <> 'I' OR min(c.name) <> 'scidex'",
    );
    for table in TABLES {
        let verdict: String = scalar(
            &mut admin,
            &format!(
                "SELECT v.ok || ' ' || (v.rows = v.entries) || ' ' || (v.rows >= {OLD}) FROM verify_table('scidex.{table}') AS v"
            ),
        );
        assert_eq!(verdict, "true true true", "{table}");
    }
    assert_eq!(breaks(&mut admin, "verify_everything()"), 0);

    // What was written long ago, and is changed now, is no part of a window; the night finds it.
    run(
        &mut admin,
        "ALTER TABLE scidex.task_events DISABLE TRIGGER USER;
         UPDATE scidex.task_events SET actor = 'somebody else' WHERE event_id = 17;
         ALTER TABLE scidex.task_events ENABLE ALWAYS TRIGGER auditspine_audit, ENABLE ALWAYS TRIGGER auditspine_truncate,
             ENABLE ALWAYS TRIGGER auditspine_append_only, ENABLE ALWAYS TRIGGER auditspine_append_only_truncate;
         SELECT pg_sleep(0.01)",
    );
    let window = "verify_window(now() - interval '1 millisecond')";
    assert_eq!(breaks(&mut admin, window), 0);
    assert_eq!(breaks(&mut admin, "verify_everything()"), 1);
    let told: String = scalar(
        &mut admin,
        "SELECT concat_ws(' ', finding, event_kind, event_pk, seq > 0) FROM scidex.senate_alerts WHERE kind = 'audit_chain_break'",
    );
    assert_eq!(told, "row_edited scidex.task_events 17 t");
    // Something new within a window makes the run look at everything.
    run(
        &mut admin,
        "ALTER TABLE scidex.audit_log DISABLE TRIGGER USER;
         UPDATE scidex.audit_log SET actor = 'somebody else' WHERE log_id = 5;
         ALTER TABLE scidex.audit_log ENABLE ALWAYS TRIGGER auditspine_audit, ENABLE ALWAYS TRIGGER auditspine_append_only,
             ENABLE ALWAYS TRIGGER auditspine_append_only_truncate;
         SELECT pg_sleep(0.01)",
    );
    assert_eq!(breaks(&mut admin, window), 2);
    assert_eq!(breaks(&mut admin, "verify_everything()"), 0);
}

/// A window starts where its time says, whatever the lanes, and not later where somebody has set back
/// the times of entries.
#[test]
fn windows_start_where_time_says() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("scidex_window");
    let mut admin = database.connect();
    run(&mut admin, "SELECT install_blueprint('scidex')");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = database.connect();
                for _ in 0..60 {
                    run(
                        &mut client,
                        "INSERT INTO scidex.task_events (task_id, event, actor) VALUES ('t', 'created', 'a')",
                    );
                }
            });
        }
    });
    let lanes: i64 = scalar(&mut admin, "SELECT count(*) FROM chain_heads('scidex')");
    assert!(lanes > 1, "{lanes} lanes");
    // Exactly, for every moment at which there is an entry and some in between.
    assert_no_rows(
        &mut admin,
        "a window that starts elsewhere",
        "SELECT m.at::text FROM (
             SELECT appended_at AS at FROM auditspine.audit_chain
             UNION SELECT appended_at + interval '1 microsecond' FROM auditspine.audit_chain) AS m
         WHERE scidex.window_start(m.at) <> coalesce(
             (SELECT min(seq) FROM auditspine.audit_chain WHERE appended_at >= m.at), (SELECT max(seq) + 1 FROM auditspine.audit_chain))",
    );
    // A run has been there; then all times are set back by a day.
    let start: i64 = scalar(&mut admin, "SELECT max(seq) FROM auditspine.audit_chain");
    run(&mut admin, "SELECT verify_all()");
    let since: String = scalar(&mut admin, "SELECT clock_timestamp()::text");
    run(
        &mut admin,
        "INSERT INTO scidex.task_events (task_id, event, actor) SELECT 't', 'created', 'a' FROM generate_series(1, 50)",
    );
    run(
        &mut admin,
        "ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
         UPDATE auditspine.audit_chain SET appended_at = appended_at - interval '1 day';
         ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only",
    );
    let found: i64 = scalar(
        &mut admin,
        &format!("SELECT scidex.window_start('{since}')"),
    );
    assert_eq!(found, start + 1);
    let edited: i64 = scalar(
        &mut admin,
        &format!(
            "SELECT count(*) FROM scidex.window_findings('{since}') WHERE finding = 'entry_edited'"
        ),
    );
    assert_eq!(edited, 50);
}

#[test]
fn schedule_is_pg_crons_where_it_is() {
    let _turn = turn();
    let mut main = Server::from_env().database("postgres").connect();
    let available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'";
    if scalar::<i64>(&mut main, available) == 0 {
        println!("skipped: pg_cron is not installed here");
        return;
    }
    let settings = [
        "shared_preload_libraries=pg_cron",
        "cron.database_name=postgres",
        "cron.use_background_workers=on",
    ];
    let scratch = Scratch::new("scidex-cron", &settings);
    let mut admin = scratch.server().database("postgres").connect();
    run(
        &mut admin,
        "CREATE EXTENSION pg_cron; CREATE EXTENSION auditspine; SELECT install_blueprint('scidex');
         SELECT scidex.schedule(); SELECT scidex.schedule()",
    );
    let jobs = admin
        .query(
            "SELECT jobname::text, command FROM cron.job ORDER BY jobname",
            &[],
        )
        .expect("the jobs");
    let names: Vec<String> = jobs.iter().map(|job| job.get(0)).collect();
    assert_eq!(
        names,
        [
            "scidex-publish",
            "scidex-verify-hourly",
            "scidex-verify-nightly"
        ]
    );
    let file = format!("{}/heads.jsonl", scratch.server().host);
    run(
        &mut admin,
        &format!("SET auditspine.publish_file = '{file}'"),
    );
    for job in jobs {
        run(&mut admin, &job.get::<_, String>(1));
    }
    let runs: String = scalar(
        &mut admin,
        "SELECT string_agg(scope || ' ' || ok, ', ' ORDER BY verification_id) FROM auditspine.verification",
    );
    assert_eq!(runs, "since 1 true, full true");
}
