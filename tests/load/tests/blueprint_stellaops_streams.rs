//! Streams of blueprint `stellaops` while many write: who goes on from the last seq that `read_stream()` gave has every
//! event in the end, once, in order, though writers commit in another order than they drew their numbers, and roll back.
//! The same done by the view alone misses some, so that the test would notice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use auditspine_load::check::{assert_no_rows, assert_verified};
use auditspine_load::ledger::{Ledger, Outcome};
use auditspine_load::mix::run_clients;
use auditspine_load::rng::Rng;
use auditspine_load::server::{Database, Server, run, sqlstate, turn};
use postgres::{Client, Error};

const CLIENTS: i64 = 8;
const TURNS: u64 = 120;

/// What a follower of a stream has got: the number, the event and the key.
type Told = Vec<(i64, String, String)>;

const BY_FUNCTION: &str =
    "SELECT seq, event, key FROM orchestrator.read_stream('scanner:events', $1, 50) ORDER BY seq";
const BY_VIEW: &str =
    "SELECT seq, event, key FROM scanner.events WHERE seq > $1 ORDER BY seq LIMIT 50";

/// A scan is submitted, or one of its own goes on; some of it is rolled back. Numbers are often drawn well before the commit.
fn act(client: &mut Client, rng: &mut Rng, id: i64) -> Result<Outcome, Error> {
    let mut transaction = client.transaction()?;
    for _ in 0..=rng.below(3) {
        if rng.chance(60) {
            let submit = "INSERT INTO scanner.scans (tenant_id, image_reference) VALUES (gen_random_uuid(), $1)";
            transaction.execute(submit, &[&id.to_string()])?;
        } else {
            let state = ["acquired", "completed", "failed"][rng.below(3) as usize];
            let go_on = "UPDATE scanner.scans SET state = $2 WHERE scan_id =
                (SELECT scan_id FROM scanner.scans WHERE image_reference = $1 AND state IN ('pending', 'acquired')
                 AND state <> $2 LIMIT 1)";
            let mut savepoint = transaction.savepoint("part")?;
            savepoint.execute(go_on, &[&id.to_string(), &state])?;
            if rng.chance(80) {
                savepoint.commit()?;
            } else {
                savepoint.rollback()?;
            }
        }
    }
    if rng.chance(50) {
        transaction.execute("SELECT audit_flush()", &[])?;
        thread::sleep(Duration::from_millis(rng.below(8)));
    }
    if rng.chance(85) {
        transaction.commit()?;
        Ok(Outcome::Committed)
    } else {
        transaction.rollback()?;
        Ok(Outcome::Aborted)
    }
}

/// Reads on until nothing more comes after the writers are done.
fn follow(database: &Database, query: &str, done: &AtomicBool) -> Told {
    let mut client = database.connect();
    let mut told = Told::new();
    loop {
        // Asked before reading: what was written till then is read by now.
        let last = done.load(Ordering::Acquire);
        let after = told.last().map_or(0, |(seq, ..)| *seq);
        let rows = client.query(query, &[&after]).expect("events");
        if rows.is_empty() {
            if last {
                return told;
            }
            thread::sleep(Duration::from_millis(1));
        }
        told.extend(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))));
    }
}

#[test]
fn followers_of_a_stream_miss_nothing() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("stellaops_streams");
    let mut admin = database.connect();
    run(&mut admin, "SELECT install_blueprint('stellaops')");
    let done = AtomicBool::new(false);
    let (ledger, by_function, by_view) = thread::scope(|scope| {
        let careful = scope.spawn(|| follow(&database, BY_FUNCTION, &done));
        let careless = scope.spawn(|| follow(&database, BY_VIEW, &done));
        let ledger = run_clients(CLIENTS, |id| {
            let mut client = database.connect();
            let mut ledger = Ledger::default();
            let mut rng = Rng::new(id as u64);
            for _ in 0..TURNS {
                match act(&mut client, &mut rng, id) {
                    Ok(outcome) => ledger.end(outcome, vec![]),
                    Err(error) => ledger.fail(sqlstate(&error), Outcome::Aborted, vec![]),
                }
            }
            ledger
        });
        done.store(true, Ordering::Release);
        (
            ledger,
            careful.join().expect("a follower that ends in order"),
            careless.join().expect("a follower that ends in order"),
        )
    });
    let all: Told = admin
        .query(
            "SELECT seq, event, key FROM scanner.events ORDER BY seq",
            &[],
        )
        .expect("events")
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    println!(
        "{ledger}; {} events, {} followed, {} by the view alone",
        all.len(),
        by_function.len(),
        by_view.len()
    );
    assert!(ledger.failures.is_empty(), "{ledger}");
    assert!(all.len() > 500, "{} events are few", all.len());
    assert!(by_function == all, "the follower has other events");
    assert!(
        by_view.len() < all.len(),
        "nothing was committed out of order, so this proves nothing"
    );
    assert_no_rows(
        &mut admin,
        "a scan that was submitted, completed or failed otherwise than told",
        "SELECT s.scan_id::text FROM scanner.scans AS s LEFT JOIN scanner.events AS e ON e.key = s.scan_id::text
         GROUP BY s.scan_id HAVING array_agg(e.event ORDER BY e.seq) IS DISTINCT FROM
             CASE WHEN s.state IN ('completed', 'failed') THEN ARRAY['scan.submitted', 'scan.' || s.state] ELSE ARRAY['scan.submitted'] END",
    );
    assert_verified(&mut admin);
}
