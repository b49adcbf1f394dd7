//! A backfill of many rows while writers insert, update, delete and rename rows: afterwards the latest
//! entry of every key is what the table says, no row was recorded twice, and no writer failed for it.

mod watched;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_linked, assert_no_rows, assert_verified};
use auditspine_load::item::ITEM_JSON;
use auditspine_load::rng::Rng;
use auditspine_load::server::{Database, Server, run, scalar, sqlstate, turn};
use postgres::{Client, Error};

const ROWS: i64 = 100_000;
const WRITERS: i64 = 10;

/// Table `item` with [`ROWS`] rows, of which nothing is recorded yet; audited from here on.
fn prepare(admin: &mut Client, partitioned: bool, lanes: i32) {
    admin
        .execute("SELECT create_chain('load', $1)", &[&lanes])
        .expect("a chain");
    let columns = "k bigint PRIMARY KEY, v integer NOT NULL, note text NOT NULL,
                   at timestamptz NOT NULL DEFAULT '2026-01-02 03:04:05.678901+00'";
    let table = if partitioned {
        format!(
            "CREATE TABLE item ({columns}) PARTITION BY RANGE (k);
             CREATE TABLE item_1 PARTITION OF item FOR VALUES FROM (MINVALUE) TO (40000);
             CREATE TABLE item_2 PARTITION OF item FOR VALUES FROM (40000) TO (80000);
             CREATE TABLE item_3 PARTITION OF item DEFAULT"
        )
    } else {
        format!("CREATE TABLE item ({columns})")
    };
    run(
        admin,
        &format!(
            "{table};
             INSERT INTO item SELECT k, 0, 'from before' FROM generate_series(1, {ROWS}) k;
             SELECT audit_attach('item', chain => 'load')"
        ),
    );
}

/// What one writer met.
#[derive(Default)]
struct Met {
    commits: u64,
    failures: BTreeMap<String, u64>,
}

/// Changes rows whose key leaves `id` on division by [`WRITERS`], so that no two writers wait for
/// each other's rows, until told to stop.
fn write(database: &Database, id: i64, isolation: &str, stop: &AtomicBool) -> Met {
    let mut client = database.connect();
    run(
        &mut client,
        &format!("SET default_transaction_isolation = '{isolation}'"),
    );
    let mut rng = Rng::new(id as u64);
    let mut met = Met::default();
    let mut next = ROWS * 10 + id;
    while !stop.load(Ordering::Relaxed) {
        let mut own = |count: usize| -> Vec<i64> {
            (0..count)
                .map(|_| 1 + (rng.below(ROWS as u64) as i64) / WRITERS * WRITERS + id)
                .collect()
        };
        let keys = own(6);
        next += WRITERS;
        let statements = match rng.below(10) {
            0..3 => vec![format!(
                "UPDATE item SET v = v + 1, note = 'by {id}' WHERE k = {}",
                keys[0]
            )],
            3 => vec![format!("DELETE FROM item WHERE k = {}", keys[0])],
            4 => vec![format!("INSERT INTO item VALUES ({next}, 1, 'new')")],
            // To a key that the backfill has yet to come to, or one that it is past.
            5 => vec![format!(
                "UPDATE item SET k = {} WHERE k = {}",
                [next, -next][next as usize % 2],
                keys[0]
            )],
            6 => vec![
                format!("DELETE FROM item WHERE k = {}", keys[0]),
                format!(
                    "INSERT INTO item VALUES ({}, 7, 'again') ON CONFLICT DO NOTHING",
                    keys[0]
                ),
            ],
            7 => vec![format!(
                "UPDATE item SET v = v + 1 WHERE k IN ({},{},{},{},{},{})",
                keys[0], keys[1], keys[2], keys[3], keys[4], keys[5]
            )],
            // Rows held for a while, then let go unchanged, or changed.
            8 => vec![
                format!(
                    "UPDATE item SET v = -1 WHERE k IN ({}, {})",
                    keys[0], keys[1]
                ),
                "SELECT pg_sleep(0.03)".to_owned(),
                ["ROLLBACK", "SELECT 1"][next as usize % 2].to_owned(),
            ],
            // Entries linked early: the lane is held from there on, while rows are locked.
            _ => vec![
                format!("UPDATE item SET v = v + 1 WHERE k = {}", keys[0]),
                "SELECT audit_flush()".to_owned(),
                format!(
                    "UPDATE item SET v = v + 1 WHERE k IN ({}, {})",
                    keys[1], keys[2]
                ),
            ],
        };
        match transaction(&mut client, &statements) {
            Ok(()) => met.commits += 1,
            Err(error) => {
                assert!(!client.is_closed(), "writer {id}: {error:?}");
                *met.failures.entry(sqlstate(&error).to_owned()).or_default() += 1;
            }
        }
    }
    met
}

fn transaction(client: &mut Client, statements: &[String]) -> Result<(), Error> {
    let mut all = vec!["BEGIN".to_owned()];
    all.extend_from_slice(statements);
    all.push("COMMIT".to_owned());
    let done = all
        .iter()
        .try_for_each(|statement| client.batch_execute(statement));
    if done.is_err() {
        client.batch_execute("ROLLBACK")?;
    }
    done
}

/// What must hold once a backfill has ended, in plain SQL and by the extension's own verifiers.
fn assert_complete(admin: &mut Client) {
    run(admin, "SET TimeZone = 'UTC'");
    assert_no_rows(
        admin,
        "a row that is not as its latest entry says",
        &format!(
            "WITH latest AS (SELECT DISTINCT ON (event_pk) event_pk AS pk, op, payload_hash AS hash
                             FROM auditspine.audit_chain WHERE event_kind = 'item' AND op IN ('I', 'U', 'D')
                             ORDER BY event_pk, seq DESC),
             present AS (SELECT k::text AS pk, sha256(convert_to({ITEM_JSON}, 'UTF8')) AS hash FROM item)
             SELECT pk || ': ' || coalesce(latest.op::text, 'no entry') FROM latest FULL JOIN present USING (pk)
             WHERE CASE WHEN latest.op <> 'D' THEN latest.hash END IS DISTINCT FROM present.hash"
        ),
    );
    assert_no_rows(
        admin,
        "an entry that does not follow from the one before",
        "SELECT format('%s: %s after %s', event_pk, op, before) FROM (
             SELECT event_pk, op, lag(op) OVER (PARTITION BY event_pk ORDER BY seq) AS before
             FROM auditspine.audit_chain WHERE event_kind = 'item' AND op IN ('I', 'U', 'D')) s
         WHERE CASE WHEN before = 'D' THEN op <> 'I' ELSE before IS NOT NULL AND op = 'I' END",
    );
    assert_no_rows(
        admin,
        "a finding of verify_table",
        "SELECT row(v.*)::text FROM verify_table('item') v WHERE NOT ok OR findings <> 0",
    );
    assert_linked(admin);
    assert_verified(admin);
}

/// Calls the backfill until it has ended, and returns the error that it ended with.
fn backfill(database: &Database, isolation: &str, batch: i32) -> Result<(), Error> {
    let mut client = database.connect();
    run(
        &mut client,
        &format!(
            "SET default_transaction_isolation = '{isolation}'; SET auditspine.actor = 'backfill'"
        ),
    );
    client.batch_execute(&format!("CALL audit_backfill('item', {batch})"))
}

fn beside_writers(isolation: &str, partitioned: bool, lanes: i32) {
    let name = format!(
        "backfill_{}_{partitioned}_{lanes}",
        isolation.replace(' ', "_")
    );
    let database = Server::from_env().fresh_database(&name);
    let mut admin = database.connect();
    prepare(&mut admin, partitioned, lanes);
    let stop = AtomicBool::new(false);
    let ended = AtomicBool::new(false);
    let start = Instant::now();
    let (met, mut seen) = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|id| {
                let (database, stop) = (&database, &stop);
                scope.spawn(move || write(database, id, isolation, stop))
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        let run = scope.spawn(|| {
            let done = backfill(&database, isolation, 1000);
            ended.store(true, Ordering::Relaxed);
            done
        });
        // Others can see how far it is.
        let mut seen: Vec<i64> = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            let done = admin.query_opt(
                "SELECT done FROM auditspine.progress
                 WHERE state = 'running' AND recorded <= done AND pid IN (SELECT pid FROM pg_stat_activity)",
                &[],
            );
            seen.extend(done.expect("the progress").map(|row| row.get::<_, i64>(0)));
            thread::sleep(Duration::from_millis(20));
        }
        let done = run.join().expect("the backfill's client");
        thread::sleep(Duration::from_millis(200));
        stop.store(true, Ordering::Relaxed);
        let met: Vec<Met> = writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer that ends in order"))
            .collect();
        done.expect("a backfill that ends in order");
        (met, seen)
    });
    let mut failures: BTreeMap<String, u64> = BTreeMap::new();
    for (state, count) in met.iter().flat_map(|met| &met.failures) {
        *failures.entry(state.clone()).or_default() += count;
    }
    let commits: u64 = met.iter().map(|met| met.commits).sum();
    let counts: String = scalar(
        &mut admin,
        "SELECT format('%s recorded, %s skipped of about %s', recorded, skipped, total_estimate) FROM auditspine.progress",
    );
    println!(
        "{isolation}, partitioned {partitioned}, {lanes} lanes: {counts}; {commits} commits beside, \
         failures {failures:?}; seen {} times; {:.1} s",
        seen.len(),
        start.elapsed().as_secs_f64()
    );
    assert!(commits > 200, "{commits} commits, failures {failures:?}");
    assert!(failures.is_empty(), "writers failed: {failures:?}");
    seen.dedup();
    assert!(
        seen.len() > 2 && seen.is_sorted(),
        "progress seen: {seen:?}"
    );
    assert_complete(&mut admin);
    assert_nothing_left(&database, &mut admin);
}

/// A backfill now has nothing to record.
fn assert_nothing_left(database: &Database, admin: &mut Client) {
    let entries = "SELECT count(*) FROM auditspine.audit_chain";
    let before: i64 = scalar(admin, entries);
    backfill(database, "read committed", 10_000).expect("a second backfill");
    assert_eq!(scalar::<i64>(admin, entries), before);
    assert_eq!(
        scalar::<i64>(
            admin,
            "SELECT done - (SELECT count(*) FROM item) FROM auditspine.progress ORDER BY progress_id DESC LIMIT 1"
        ),
        0
    );
}

#[test]
fn backfill_at_read_committed() {
    let _turn = turn();
    beside_writers("read committed", false, 32);
}

#[test]
fn backfill_at_repeatable_read() {
    let _turn = turn();
    beside_writers("repeatable read", false, 32);
}

/// One lane, which a writer keeps while it goes on to rows that the backfill may have locked.
#[test]
fn backfill_of_one_lane() {
    let _turn = turn();
    beside_writers("read committed", false, 1);
}

#[test]
fn backfill_of_partitions() {
    let _turn = turn();
    beside_writers("read committed", true, 32);
}
