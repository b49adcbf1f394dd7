//! A backend that is terminated while its commit waits for a lane, or has just been given one, goes
//! without a trace: no row, no entry, no lock.

use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_linked, assert_no_rows, assert_verified};
use auditspine_load::server::{Database, Server, run, scalar, sqlstate};
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
        if blow == "pg_terminate_backend" {
            let gone =
                format!("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})");
            wait_until(admin, "the end of the backend", &gone);
        }
        let locks = format!(
            "SELECT row(l.*)::text FROM pg_locks l WHERE pid = {pid} AND database IS NOT NULL"
        );
        assert_no_rows(admin, "a lock left behind", &locks);
        state
    })
}

#[test]
fn ended_while_waiting_for_a_lane() {
    let (database, mut admin) = prepare("terminate");
    let mut holder = database.connect();
    run(
        &mut holder,
        "BEGIN; INSERT INTO item VALUES (1); SELECT audit_flush()",
    );
    for (blow, expected) in [
        ("pg_terminate_backend", "57P01"),
        ("pg_cancel_backend", "57014"),
    ] {
        for statement in [
            "INSERT INTO item VALUES (2)",
            "BEGIN; INSERT INTO item VALUES (2); SAVEPOINT s; INSERT INTO item VALUES (3); SELECT audit_flush()",
        ] {
            let state = end_while_waiting(&database, &mut admin, statement, blow);
            println!("{blow} of {statement:?}: {state}");
            assert_eq!(state, expected);
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
        "SELECT event_pk FROM auditspine.audit_chain WHERE event_pk NOT IN ('1', '4')",
    );
    assert_linked(&mut admin);
    assert_verified(&mut admin);
    // Takes the strongest lock there is on the table.
    run(&mut admin, "SET lock_timeout = '5s'; DROP TABLE item");
}
