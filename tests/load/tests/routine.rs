//! verify_all() as a routine: exact while others write, alerts sent once, records apart from one
//! another, useful on a standby.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use auditspine_load::check::assert_verified;
use auditspine_load::item::create_item;
use auditspine_load::mix::run_mix;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, Server, run, scalar, turn};
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;

/// A database with the audited table `item`, its chain with several lanes.
fn prepare(server: &Server, name: &str) -> (Database, Client) {
    let database = server.fresh_database(name);
    let mut admin = database.connect();
    run(&mut admin, "SELECT create_chain('load', 4)");
    create_item(&mut admin, Some("'item', 'chain=load'"));
    (database, admin)
}

fn insert(client: &mut Client, keys: std::ops::Range<i64>) {
    for k in keys {
        run(client, &format!("INSERT INTO item VALUES ({k}, 0, 'n')"));
    }
}

/// Changes entries about items as somebody would who owns the database.
fn tamper(client: &mut Client, entries: &str) {
    run(client, "SET session_replication_role = replica");
    let edit = format!(
        "UPDATE auditspine.audit_chain SET db_user = 'nobody' WHERE event_kind = 'item' AND {entries}"
    );
    assert!(client.execute(&edit, &[]).expect("an edit") > 0);
    run(client, "RESET session_replication_role");
}

/// Entries that a run verified, its own evidence left out, and findings in links; there are none in rows.
fn verify(client: &mut Client, since: &str) -> (i64, i64) {
    let query = format!(
        "SELECT sum(checked) FILTER (WHERE layer = 'links' AND subject <> 'auditspine.evidence')::bigint,
                sum(findings)::bigint FROM verify_all({since})"
    );
    let row = client.query_one(&query, &[]).expect("verify_all");
    (row.get(0), row.get(1))
}

/// Payloads of the notifications that have come, none of them twice.
fn notified(client: &mut Client) -> BTreeSet<String> {
    let mut payloads = BTreeSet::new();
    let mut notifications = client.notifications();
    let mut waiting = notifications.timeout_iter(Duration::from_secs(2));
    while let Some(notification) = waiting.next().expect("the connection") {
        assert_eq!(notification.channel(), "auditspine_alert");
        let payload = notification.payload().to_owned();
        assert!(payloads.insert(payload.clone()), "twice: {payload}");
    }
    payloads
}

/// While eight clients write, each incremental run takes up exactly where the ones before it ended:
/// in the end every entry was verified once.
#[test]
fn incremental_runs_verify_every_entry_exactly_once() {
    let _turn = turn();
    let (database, mut admin) = prepare(&Server::from_env(), "routine_mix");
    verify(&mut admin, "NULL");
    let (ledger, runs) = thread::scope(|scope| {
        let load = scope.spawn(|| run_mix(&database, 8, 150, "read committed"));
        let mut runs = Vec::new();
        while !load.is_finished() {
            runs.push(verify(&mut admin, "'last'"));
        }
        (load.join().expect("the load"), runs)
    });
    verify(&mut admin, "'last'");
    println!("{ledger}; {} incremental runs: {runs:?}", runs.len());
    let busy = runs.iter().filter(|(entries, _)| *entries > 0).count();
    assert!(busy > 1, "no run had anything to do");
    assert!(runs.iter().all(|(_, findings)| *findings == 0), "{runs:?}");
    let told: String = scalar(
        &mut admin,
        "SELECT sum(entries) || ' in ' || count(DISTINCT scope) || ' scopes, ' || count(*) FILTER (WHERE NOT ok) || ' unclean'
         FROM auditspine.verification",
    );
    // All but the evidence of the last run.
    let entries: i64 = scalar(
        &mut admin,
        "SELECT count(*) - 1 FROM auditspine.audit_chain",
    );
    assert_eq!(told, format!("{entries} in 2 scopes, 0 unclean"));
    assert_verified(&mut admin);
}

/// A transaction draws its numbers, and commits after a run that saw larger ones in another lane.
#[test]
fn entries_that_come_to_light_late_are_verified() {
    let _turn = turn();
    let (database, mut admin) = prepare(&Server::from_env(), "routine_late");
    insert(&mut admin, 0..5);
    verify(&mut admin, "NULL");
    let mut late = database.connect();
    run(&mut late, "BEGIN");
    insert(&mut late, 10..13);
    let linked: i64 = scalar(&mut late, "SELECT audit_flush()");
    insert(&mut admin, 20..27);
    assert_eq!(verify(&mut admin, "'last'"), (7, 0));
    let seen: i64 = scalar(
        &mut admin,
        "SELECT max(to_seq) FROM auditspine.verification",
    );
    run(&mut late, "COMMIT");
    let smaller: i64 = scalar(
        &mut admin,
        "SELECT max(seq) FROM auditspine.audit_chain WHERE event_pk IN ('10', '11', '12')",
    );
    assert!(smaller < seen, "{smaller} was not drawn before {seen}");
    tamper(&mut admin, "event_pk = '11'");
    assert_eq!(verify(&mut admin, "'last'"), (linked, 1));
    assert_eq!(verify(&mut admin, &format!("'{}'", seen + 1)), (0, 0));
    let lanes: i64 = scalar(
        &mut admin,
        "SELECT count(DISTINCT lane) FROM auditspine.audit_chain WHERE event_kind = 'item'",
    );
    assert_eq!(lanes, 2);
}

/// Runs that find the same breaks at the same time raise one alert for each, and whoever listens is
/// told once.
#[test]
fn runs_at_once_raise_each_alert_once() {
    let _turn = turn();
    let (database, mut admin) = prepare(&Server::from_env(), "routine_at_once");
    insert(&mut admin, 0..60);
    let mut listener = database.connect();
    run(&mut listener, "LISTEN auditspine_alert");
    tamper(&mut admin, "seq % 10 = 5");
    let breaks: i64 = scalar(
        &mut admin,
        "SELECT count(*) FROM auditspine.audit_chain WHERE db_user = 'nobody'",
    );
    thread::scope(|scope| {
        for at in 0..8 {
            let database = &database;
            scope.spawn(move || {
                let mut client = database.connect();
                for round in 0..4 {
                    let since = if (at + round) % 2 == 0 {
                        "NULL"
                    } else {
                        "'last'"
                    };
                    assert_eq!(verify(&mut client, since).1, breaks);
                }
            });
        }
    });
    let alerts: i64 = scalar(
        &mut admin,
        "SELECT count(*) FROM auditspine.alert WHERE layer = 'links'",
    );
    let keys: i64 = scalar(
        &mut admin,
        "SELECT count(DISTINCT pk) FROM auditspine.alert WHERE layer = 'links'",
    );
    assert_eq!((alerts, keys), (breaks, breaks));
    let counted: String = scalar(
        &mut admin,
        "SELECT count(*) || ' runs, ' || count(*) FILTER (WHERE alerts > 0) || ' with alerts, all in ' || count(DISTINCT ok) || ' way'
         FROM auditspine.verification",
    );
    assert_eq!(counted, "32 runs, 1 with alerts, all in 1 way");
    let payloads = notified(&mut listener);
    let all: i64 = scalar(&mut admin, "SELECT count(*) FROM auditspine.alert");
    assert_eq!(payloads.len() as i64, all, "{payloads:#?}");
    let unknown: i64 = scalar(
        &mut admin,
        &format!(
            "SELECT count(*) FROM unnest(ARRAY[{}]::jsonb[]) AS sent
             LEFT JOIN auditspine.alert ON alert_id = (sent ->> 'alert_id')::bigint
                 AND seq IS NOT DISTINCT FROM (sent ->> 'seq')::bigint AND finding = sent ->> 'finding'
             WHERE alert_id IS NULL",
            payloads.iter().map(|payload| format!("$x${payload}$x$")).collect::<Vec<_>>().join(",")
        ),
    );
    assert_eq!(unknown, 0, "{payloads:#?}");
}

/// A run waits for another one's alerts, and clean runs for nobody.
#[test]
fn an_open_run_delays_only_those_that_find_the_same() {
    let _turn = turn();
    let (database, mut admin) = prepare(&Server::from_env(), "routine_open");
    insert(&mut admin, 0..20);
    verify(&mut admin, "NULL");
    let mut open = database.connect();
    insert(&mut admin, 20..30);
    run(&mut open, "BEGIN");
    assert_eq!(verify(&mut open, "'last'"), (10, 0));
    // The heads are the open run's to move; this one is done all the same.
    run(&mut admin, "SET lock_timeout = '5s'");
    assert_eq!(verify(&mut admin, "'last'"), (10, 0));
    run(&mut open, "COMMIT");
    assert_eq!(verify(&mut admin, "'last'"), (0, 0));
    tamper(&mut admin, "event_pk IN ('3', '4')");
    run(&mut open, "BEGIN");
    assert_eq!(verify(&mut open, "NULL").1, 2);
    let (waiter, told) = (
        database.connect(),
        thread::spawn({
            let mut client = database.connect();
            move || verify(&mut client, "NULL").1
        }),
    );
    drop(waiter);
    let waiting =
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 9 AND NOT granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    for _ in 0..200 {
        if scalar::<i64>(&mut admin, waiting) == 1 {
            break;
        }
        thread::sleep(Duration::from_millis(25));
    }
    assert_eq!(scalar::<i64>(&mut admin, waiting), 1, "nobody waits");
    // Rolled back, the open run raised nothing, so the other one does.
    run(&mut open, "ROLLBACK");
    assert_eq!(told.join().expect("the other run"), 2);
    let alerts: i64 = scalar(
        &mut admin,
        "SELECT count(*) FROM auditspine.alert WHERE layer = 'links'",
    );
    assert_eq!(alerts, 2);
}

/// A run under an older snapshot holds what it sees against heads that it sees.
#[test]
fn old_snapshots_see_no_newer_heads() {
    let _turn = turn();
    let (database, mut admin) = prepare(&Server::from_env(), "routine_old");
    insert(&mut admin, 0..10);
    verify(&mut admin, "NULL");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut old = database.connect();
        run(
            &mut old,
            &format!("BEGIN ISOLATION LEVEL {level}; SELECT 1"),
        );
        let before: i64 = scalar(&mut admin, "SELECT coalesce(max(k), 0) + 1 FROM item");
        insert(&mut admin, before..before + 5);
        assert_eq!(verify(&mut admin, "'last'"), (5, 0));
        assert_eq!(verify(&mut old, "'last'"), (0, 0), "{level}");
        run(&mut old, "COMMIT");
    }
}

/// A standby verifies with the heads that the primary recorded, and records nothing itself.
#[test]
fn standby_verifies_without_a_record() {
    let _turn = turn();
    let primary = Scratch::new("routine-primary", &[]);
    let (_, mut admin) = prepare(primary.server(), "routine");
    insert(&mut admin, 0..10);
    verify(&mut admin, "NULL");
    insert(&mut admin, 10..14);
    tamper(&mut admin, "event_pk = '12'");
    let standby = primary.standby("routine-standby");
    let mut reader = standby.server().database("routine").connect();
    assert!(scalar::<bool>(&mut reader, "SELECT pg_is_in_recovery()"));
    assert_eq!(verify(&mut reader, "'last'"), (4, 1));
    assert_eq!(verify(&mut reader, "NULL").1, 1);
    assert_eq!(verify(&mut reader, "'1'").1, 1);
    let runs: i64 = scalar(&mut reader, "SELECT count(*) FROM auditspine.verification");
    assert_eq!(runs, 1);
}

/// Of very many new breaks each has its alert, but not each its notification.
#[test]
fn very_many_breaks() {
    let _turn = turn();
    let (database, mut admin) = prepare(&Server::from_env(), "routine_many");
    let mut listener = database.connect();
    run(&mut listener, "LISTEN auditspine_alert");
    run(&mut admin, "SET session_replication_role = replica");
    run(
        &mut admin,
        "INSERT INTO item SELECT k, 0, 'n' FROM generate_series(1, 5000) AS k",
    );
    run(&mut admin, "RESET session_replication_role");
    for new in [5000, 0] {
        assert_eq!(verify(&mut admin, "NULL").1, 5000);
        let alerts: i64 = scalar(
            &mut admin,
            "SELECT alerts FROM auditspine.verification ORDER BY verification_id DESC LIMIT 1",
        );
        assert_eq!(alerts, new);
    }
    let payloads = notified(&mut listener);
    assert_eq!(payloads.len(), 1001);
    let more = r#"{"kind":"audit_chain_break","more":4000,"severity":"critical"}"#;
    assert!(payloads.contains(more), "{:?}", payloads.last());
}
