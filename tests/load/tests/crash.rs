//! kill -9 of backends, of the postmaster, and an immediate stop, all during the load: what was
//! acknowledged is there and recorded, and a row and its entry are there both or neither.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_all, assert_linked, assert_verified};
use auditspine_load::item::create_item;
use auditspine_load::ledger::Ledger;
use auditspine_load::mix::{run_clients, step};
use auditspine_load::rng::Rng;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, run, turn};
use auditspine_load::session::Session;

const CLIENTS: i64 = 16;
const ISOLATION: &str = "read committed";
/// How long the load runs before each blow.
const CALM: Duration = Duration::from_millis(700);
/// Recovery takes a second or two; this is for a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Works until told to stop, and comes back whenever the connection is lost.
fn persistent_client(database: &Database, id: i64, stop: &AtomicBool) -> Ledger {
    let mut session = Session::open(database, id, ISOLATION).expect("a first connection");
    while !stop.load(Ordering::Relaxed) {
        if session.is_closed() {
            let lost = Instant::now();
            while let Err(error) = session.reopen(database, ISOLATION) {
                assert!(
                    lost.elapsed() < PATIENCE,
                    "client {id} cannot come back: {error:?}"
                );
                thread::sleep(Duration::from_millis(50));
            }
        }
        step(&mut session);
    }
    session.ledger
}

/// SIGKILL to one of the load's backends, and to no other process.
fn kill_a_backend(database: &Database, rng: &mut Rng) {
    let lost = Instant::now();
    let pids: Vec<i32> = loop {
        // Also waits for the end of the recovery before.
        let found = database.try_connect().and_then(|mut client| {
            client.query(
                "SELECT pid FROM pg_stat_activity
                 WHERE application_name = 'auditspine-load' AND backend_type = 'client backend'
                   AND pid <> pg_backend_pid() AND query <> '' AND datname = current_database()",
                &[],
            )
        });
        match found {
            Ok(rows) if !rows.is_empty() => break rows.iter().map(|row| row.get(0)).collect(),
            _ => assert!(lost.elapsed() < PATIENCE, "no backend to kill: {found:?}"),
        }
        thread::sleep(Duration::from_millis(50));
    };
    let pid = pids[rng.below(pids.len() as u64) as usize];
    let status = Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .expect("kill");
    println!("  kill -9 of backend {pid}: {status}");
}

fn crashes(lanes: i32) {
    let scratch = Scratch::new(&format!("crash-{lanes}"), &["log_min_messages=panic"]);
    let database = scratch.server().fresh_database("crash");
    let mut admin = database.connect();
    admin
        .execute("SELECT create_chain('load', $1)", &[&lanes])
        .expect("a chain");
    create_item(&mut admin, Some("'item', 'chain=load'"));
    drop(admin);

    let stop = AtomicBool::new(false);
    let ledger = thread::scope(|scope| {
        let load =
            scope.spawn(|| run_clients(CLIENTS, |id| persistent_client(&database, id, &stop)));
        let mut rng = Rng::new(lanes as u64);
        for _ in 0..4 {
            thread::sleep(CALM);
            kill_a_backend(&database, &mut rng);
        }
        for _ in 0..2 {
            thread::sleep(CALM);
            scratch.kill9();
            println!("  kill -9 of the postmaster");
            scratch.start_again();
            thread::sleep(CALM);
            scratch.stop("immediate");
            println!("  immediate stop");
            scratch.start_again();
        }
        thread::sleep(CALM);
        stop.store(true, Ordering::Relaxed);
        load.join().expect("the load")
    });
    println!("{lanes} lanes, 8 crashes: {ledger}");

    assert!(ledger.commits > 500, "{ledger}");
    let lost = ledger.failed_with(&["08000", "57P01", "57P02", "57P03"]);
    assert!(lost > 0, "no connection was ever lost: {ledger}");
    assert_eq!(
        lost,
        ledger.failures.values().sum::<u64>(),
        "failures of another kind: {ledger}"
    );
    let mut admin = database.connect();
    assert_all(&mut admin, &ledger);
    // The chain goes on where it stood.
    run(
        &mut admin,
        "INSERT INTO item SELECT -k, 0, 'after' FROM generate_series(1, 100) k",
    );
    assert_linked(&mut admin);
    assert_verified(&mut admin);
}

#[test]
fn one_lane_survives_crashes() {
    let _turn = turn();
    crashes(1);
}

#[test]
fn many_lanes_survive_crashes() {
    let _turn = turn();
    crashes(32);
}
