//! Blueprint scidex: a day of 50 agents, and an insider with superuser rights. Everything that the
//! insider does is named by one verification cycle, and told once.

mod insider;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_linked, assert_verified};
use auditspine_load::rng::Rng;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, run, scalar, sqlstate, turn};
use postgres::Client;

const AGENTS: usize = 50;
const LOAD: Duration = Duration::from_secs(5);

/// The tables, and what writes one row into each.
const TABLES: [(&str, &str); 8] = [
    (
        "artifact_provenance",
        "INSERT INTO scidex.artifact_provenance (artifact_id, artifact_type, action, actor, output_digest)
         VALUES ('hypothesis:h', 'hypothesis', 'created', '@', 'sha256:' || encode(sha256('@'), 'hex'))",
    ),
    (
        "task_events",
        "INSERT INTO scidex.task_events (task_id, event, actor) VALUES ('t', 'progress', '@')",
    ),
    (
        "comment_classifier_runs",
        "INSERT INTO scidex.comment_classifier_runs (comment_id, classifier, classifier_version, input_digest, label, confidence)
         VALUES ('c', 'triage', '3', 'sha256:' || encode(sha256('@'), 'hex'), 'question', 0.75)",
    ),
    (
        "sandbox_audit_event",
        "INSERT INTO scidex.sandbox_audit_event (sandbox_id, actor, tool, argv, verdict, exit_status)
         VALUES ('s', '@', 'bash', '{\"ls\", \"-l\", \"a b\"}', 'ran', 0)",
    ),
    (
        "actor_write_trip_event",
        "INSERT INTO scidex.actor_write_trip_event (actor, resource, write_limit, period, writes, response)
         VALUES ('@', 'debate', 10, '1 min', 11, 'warned')",
    ),
    (
        "senate_pause",
        "INSERT INTO scidex.senate_pause (actor, reason, ordered_by) VALUES ('@', 'drill', 'senate');
         UPDATE scidex.senate_pause SET lifted_at = now(), lifted_by = 'senate' WHERE actor = '@' AND lifted_at IS NULL",
    ),
    (
        "senate_alerts",
        "INSERT INTO scidex.senate_alerts (kind, severity, subject, detail) VALUES ('quota', 'info', '@', 'half of it')",
    ),
    (
        "audit_log",
        "INSERT INTO scidex.audit_log (actor, action, object_type) VALUES ('@', 'settings.changed', 'setting')",
    ),
];

struct Lab {
    scratch: Scratch,
    database: Database,
    files: [PathBuf; 2],
}

impl Lab {
    /// A server with the blueprint, whose heads go to two files.
    fn open(name: &str) -> Lab {
        let scratch = Scratch::new(name, &["max_connections=120"]);
        let folder = Path::new(&scratch.server().host);
        let files = ["one", "two"].map(|file| folder.join(format!("heads.{file}.jsonl")));
        let database = scratch.server().fresh_database("scidex");
        database.run(&format!(
            "ALTER DATABASE scidex SET auditspine.publish_file = '{}, {}';
             SELECT install_blueprint('scidex')",
            files[0].display(),
            files[1].display()
        ));
        Lab {
            scratch,
            database,
            files,
        }
    }
}

/// One agent: transactions of several rows in several tables, with savepoints; some are rolled back.
/// Returns how many rows it has committed in each table.
fn agent(database: &Database, id: usize, until: Instant) -> [i64; 8] {
    let mut client = database.connect();
    let mut rng = Rng::new(id as u64);
    let mut committed = [0; 8];
    let write = |client: &mut Client, table: usize| {
        run(
            client,
            &TABLES[table].1.replace('@', &format!("agent-{id}")),
        );
    };
    while Instant::now() < until {
        let mut pending = [0; 8];
        run(&mut client, "BEGIN");
        for _ in 0..=rng.below(4) {
            let table = rng.below(8) as usize;
            for _ in 0..=rng.below(3) {
                write(&mut client, table);
                pending[table] += 1;
            }
            if rng.below(3) == 0 {
                run(&mut client, "SAVEPOINT s");
                write(&mut client, rng.below(8) as usize);
                run(&mut client, "ROLLBACK TO s");
            }
        }
        if rng.below(6) == 0 {
            run(&mut client, "ROLLBACK");
            continue;
        }
        run(&mut client, "COMMIT");
        for (sum, more) in committed.iter_mut().zip(pending) {
            *sum += more;
        }
    }
    committed
}

/// Lines of a cycle that are not in order, and how many breaks were new to it.
fn cycle(client: &mut Client, call: &str) -> (Vec<String>, i64) {
    let rows = client
        .query(
            &format!("SELECT layer, subject, ok, findings, detail FROM scidex.{call}"),
            &[],
        )
        .unwrap_or_else(|e| panic!("{call}: {e:?}"));
    let mut wrong = Vec::new();
    let mut new = None;
    for row in &rows {
        let (layer, ok): (String, Option<bool>) = (row.get(0), row.get(2));
        if layer == "alerts" {
            new = row.get(3);
        } else if ok != Some(true) {
            wrong.push(format!("{layer} {}", row.get::<_, String>(1)));
        }
    }
    (wrong, new.expect("the line of the alerts"))
}

/// What senate_alerts tells of breaks: layer, finding, what it is about, key and number.
fn told(client: &mut Client) -> BTreeSet<String> {
    let rows = client
        .query(
            "SELECT concat_ws(' ', layer, finding, event_kind, lane, event_pk, 'at ' || seq), severity, break_digest
             FROM scidex.senate_alerts WHERE kind = 'audit_chain_break'",
            &[],
        )
        .expect("senate_alerts");
    let set: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(set.len(), rows.len(), "a break told twice: {set:#?}");
    assert!(rows.iter().all(|row| row.get::<_, String>(1) == "critical"));
    set
}

#[test]
fn one_cycle_names_everything_that_an_insider_did() {
    let _turn = turn();
    let lab = Lab::open("scidex");
    let mut admin = lab.database.connect();
    let until = Instant::now() + LOAD;
    let (over, published) = (AtomicBool::new(false), AtomicI64::new(0));
    let committed = thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = lab.database.connect();
            while !over.load(Ordering::Relaxed) {
                let lines: i64 = scalar(&mut client, "SELECT min(heads) FROM publish_head()");
                published.fetch_add(lines, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(250));
            }
        });
        let agents: Vec<_> = (0..AGENTS)
            .map(|id| {
                scope.spawn({
                    let database = &lab.database;
                    move || agent(database, id, until)
                })
            })
            .collect();
        // The routine runs while they write, and finds nothing.
        thread::sleep(LOAD / 2);
        let found = cycle(&mut admin, "verify_window()");
        let mut sum = [0; 8];
        for agent in agents {
            let rows = agent.join().expect("an agent");
            sum.iter_mut()
                .zip(rows)
                .for_each(|(sum, more)| *sum += more);
        }
        over.store(true, Ordering::Relaxed);
        assert_eq!(found, (Vec::new(), 0));
        sum
    });
    for ((table, _), rows) in TABLES.iter().zip(committed) {
        assert!(rows > 100, "{table} has {rows} rows only");
        let there: String = scalar(
            &mut admin,
            &format!(
                "SELECT (SELECT count(*) FROM scidex.{table}) || ' ' || count(*) FROM auditspine.audit_chain
                 WHERE event_kind = 'scidex.{table}' AND op = 'I'"
            ),
        );
        assert_eq!(there, format!("{rows} {rows}"), "{table}");
    }
    let lifted: i64 = scalar(
        &mut admin,
        "SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'scidex.senate_pause' AND op = 'U'",
    );
    assert_eq!(lifted, committed[5]);
    let lanes: i64 = scalar(&mut admin, "SELECT count(*) FROM chain_heads('scidex')");
    let lines = published.load(Ordering::Relaxed)
        + scalar::<i64>(&mut admin, "SELECT min(heads) FROM publish_head()");
    println!(
        "{} rows by {AGENTS} agents in {LOAD:?}, {lanes} lanes, {lines} heads published to each of two files",
        committed.iter().sum::<i64>()
    );
    assert!(lanes >= 4, "{lanes} lanes");
    assert_linked(&mut admin);
    assert_verified(&mut admin);
    assert_eq!(cycle(&mut admin, "verify_everything()"), (Vec::new(), 0));
    let [one, two] = lab
        .files
        .each_ref()
        .map(|file| fs::read_to_string(file).expect("the file"));
    assert_eq!(one, two);
    assert_eq!(one.lines().count() as i64, lines);

    let expected = insider::act(&mut admin);
    insider::assert_files_name_the_cut_lanes(&mut admin, &lab.files);
    let (wrong, new) = cycle(&mut admin, "verify_window()");
    assert_eq!(told(&mut admin), expected);
    assert_eq!(new, expected.len() as i64);
    let files = lab
        .files
        .each_ref()
        .map(|file| format!("files {}", file.display()));
    for subject in [
        "rows scidex.task_events",
        "heads auditspine.publication",
        &files[0],
        &files[1],
    ] {
        assert!(
            wrong.iter().any(|line| line == subject),
            "{subject} is not in {wrong:?}"
        );
    }

    // It is told once: in the next cycles, as the platform goes on in the lanes that were cut, and at night.
    for call in ["verify_window()", "verify_everything()"] {
        assert_eq!(cycle(&mut admin, call).1, 0, "{call}");
    }
    // Up to where the lanes were published before: heads short of that contradict what the files say.
    while insider::cut_lanes_are_short(&mut admin) {
        thread::scope(|scope| {
            for id in 0..AGENTS {
                let database = &lab.database;
                let until = Instant::now() + Duration::from_millis(500);
                scope.spawn(move || agent(database, id, until));
            }
        });
    }
    scalar::<i64>(&mut admin, "SELECT min(heads) FROM publish_head()");
    for call in ["verify_window()", "verify_window()", "verify_everything()"] {
        // task_events has no trigger any more, so what the agents wrote there is unrecorded as well.
        cycle(&mut admin, call);
    }
    let later: BTreeSet<String> = told(&mut admin)
        .difference(&expected)
        .filter(|line| !line.starts_with("rows row_unrecorded scidex.task_events "))
        .cloned()
        .collect();
    assert_eq!(later, BTreeSet::new());
    assert_auditor_only_looks(&lab);
    drop(lab.scratch);
}

/// The auditor's role reads, verifies, and is refused everything else.
fn assert_auditor_only_looks(lab: &Lab) {
    let mut auditor = lab.database.connect();
    run(&mut auditor, "SET ROLE scidex_audit_ro");
    for query in [
        "SELECT ok FROM verify_chain('scidex')",
        "SELECT ok FROM verify_table('scidex.artifact_provenance')",
        "SELECT NOT (count(*) > 0) FROM scidex.window_findings()",
        "SELECT NOT (count(*) > 0) FROM scidex.senate_alerts WHERE kind = 'audit_chain_break'",
        "SELECT bool_and(ok) FROM verify_all()",
    ] {
        assert!(!scalar::<bool>(&mut auditor, query), "{query}");
    }
    let mut refused = vec![
        "SELECT scidex.verify_window()".to_owned(),
        "SELECT scidex.verify_everything()".to_owned(),
        "SELECT scidex.raise_breaks()".to_owned(),
        "SELECT publish_head()".to_owned(),
        "SELECT audit_chain_append('k', '1', '{}', 'scidex')".to_owned(),
        "SELECT audit_detach('scidex.audit_log')".to_owned(),
        "SELECT create_chain('mine')".to_owned(),
        "CREATE TABLE scidex.mine (x integer)".to_owned(),
        "DROP TRIGGER auditspine_audit ON scidex.audit_log".to_owned(),
        "DELETE FROM auditspine.audit_chain".to_owned(),
        "DELETE FROM auditspine.alert".to_owned(),
        "UPDATE auditspine.verified_head SET pos = 1".to_owned(),
    ];
    for (table, _) in TABLES {
        assert!(
            scalar::<i64>(
                &mut auditor,
                &format!("SELECT count(*) FROM scidex.{table}")
            ) > 0
        );
        refused.extend([
            format!("INSERT INTO scidex.{table} DEFAULT VALUES"),
            format!("UPDATE scidex.{table} SET recorded_at = recorded_at"),
            format!("DELETE FROM scidex.{table}"),
            format!("TRUNCATE scidex.{table}"),
        ]);
    }
    for statement in refused {
        match auditor.batch_execute(&statement) {
            Err(error) => assert_eq!(sqlstate(&error), "42501", "{statement}: {error:?}"),
            Ok(()) => panic!("the auditor may {statement}"),
        }
    }
}
