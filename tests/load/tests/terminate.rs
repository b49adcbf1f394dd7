//! Ended from outside: a commit that waits for a lane goes without a trace (no row, no entry, no
//! lock), a verification stops at once and leaves its session as it was.

use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_linked, assert_no_rows, assert_verified};
use auditspine_load::server::{Database, Server, run, scalar, sqlstate, turn};
use postgres::Client;

const PATIENCE: Duration = Duration::from_secs(30);

fn prepare(name: &str) -> (Database, Client) {
    let database = Server::from_env().fresh_database(name);
    let mut admin = database.connect();
    run(
        &mut admin,
        "SELECT create_chain('one', 1);
         CREATE TABLE item (k bigint PRIMARY KEY, tenant text);
         CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
         FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'chain=one')",
    );
    (database, admin)
}

fn wait_until(admin: &mut Client, what: &str, condition: &str) {
    let start = Instant::now();
    while !scalar::<bool>(admin, condition) {
        assert!(start.elapsed() < PATIENCE, "in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs `statement` in a backend of its own until it waits for an advisory lock, then does `blow` to
/// that backend, and returns the SQLSTATE that its client got.
fn end_while_waiting(
    database: &Database,
    admin: &mut Client,
    statement: &str,
    blow: &str,
) -> String {
    let mut victim = database.connect();
    let pid: i32 = scalar(&mut victim, "SELECT pg_backend_pid()");
    thread::scope(|scope| {
        let ended = scope.spawn(move || {
            let error = victim
                .batch_execute(statement)
                .expect_err("its lane is held by another");
            sqlstate(&error).to_owned()
        });
        let waits = format!(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = {pid} AND locktype = 'advisory' AND NOT granted)"
        );
        wait_until(admin, "a wait for the lane", &waits);
        run(admin, &format!("SELECT {blow}({pid})"));
        let state = ended.join().expect("the victim's client");
        // The client hears of it before the transaction is cleaned up.
        let locks = format!(
            "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE pid = {pid} AND database IS NOT NULL)"
        );
        wait_until(admin, "the release of the victim's locks", &locks);
        state
    })
}

#[test]
fn ended_while_waiting_for_a_lane() {
    let _turn = turn();
    let (database, mut admin) = prepare("terminate");
    let mut holder = database.connect();
    run(
        &mut holder,
        "BEGIN; INSERT INTO item VALUES (1); SELECT audit_flush()",
    );
    // Of a connection that ends, the client may see the end before the reason.
    for (blow, expected) in [
        ("pg_terminate_backend", ["57P01", "08000"]),
        ("pg_cancel_backend", ["57014", "57014"]),
    ] {
        for statement in [
            "INSERT INTO item VALUES (2)",
            "BEGIN; INSERT INTO item VALUES (2); SAVEPOINT s; INSERT INTO item VALUES (3); SELECT audit_flush()",
        ] {
            let state = end_while_waiting(&database, &mut admin, statement, blow);
            println!("{blow} of {statement:?}: {state}");
            assert!(expected.contains(&state.as_str()), "{state}");
        }
    }
    run(&mut holder, "COMMIT; INSERT INTO item VALUES (4)");
    assert_no_rows(
        &mut admin,
        "a row that was not committed",
        "SELECT k::text FROM item WHERE k IN (2, 3)",
    );
    assert_no_rows(
        &mut admin,
        "an entry that was not committed",
        "SELECT event_pk FROM auditspine.audit_chain WHERE op <> 'S' AND event_pk NOT IN ('1', '4')",
    );
    assert_linked(&mut admin);
    assert_verified(&mut admin);
    // Takes the strongest lock there is on the table.
    run(&mut admin, "SET lock_timeout = '5s'; DROP TABLE item");
}

#[test]
fn verification_ended_at_any_moment() {
    const ENTRIES: i64 = 60_000;
    let _turn = turn();
    let (database, mut admin) = prepare("terminate_verify");
    run(
        &mut admin,
        &format!("INSERT INTO item SELECT k FROM generate_series(1, {ENTRIES}) k"),
    );
    let mut auditor = database.connect();
    let (mut cancelled, mut finished) = (0, 0);
    for limit in (1..=60).map(|turn| turn * 5) {
        run(
            &mut auditor,
            &format!("SET statement_timeout = '{limit}ms'"),
        );
        match auditor.query_one("SELECT entries FROM verify_chain('one')", &[]) {
            Ok(row) => {
                assert_eq!(row.get::<_, i64>(0), ENTRIES);
                finished += 1;
            }
            Err(error) => {
                assert_eq!(sqlstate(&error), "57014", "{error:?}");
                cancelled += 1;
            }
        }
    }
    println!("{cancelled} verifications cancelled, {finished} finished");
    assert!(cancelled > 0, "none was slow enough to be cancelled");
    run(&mut auditor, "SET statement_timeout = 0");
    assert_verified(&mut auditor);

    for turn in 0..10u64 {
        let mut victim = database.connect();
        let pid: i32 = scalar(&mut victim, "SELECT pg_backend_pid()");
        thread::scope(|scope| {
            let ended = scope.spawn(move || {
                loop {
                    if let Err(error) = victim.batch_execute("SELECT verify_chain('one')") {
                        break sqlstate(&error).to_owned();
                    }
                }
            });
            thread::sleep(Duration::from_millis(20 + 13 * turn));
            run(&mut admin, &format!("SELECT pg_terminate_backend({pid})"));
            let state = ended.join().expect("the victim's client");
            assert!(["57P01", "08000"].contains(&state.as_str()), "{state}");
        });
        let gone = format!("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})");
        wait_until(&mut admin, "the end of the backend", &gone);
    }
    // No other session noticed: a crash of one would have ended this one too.
    assert_verified(&mut auditor);
}
