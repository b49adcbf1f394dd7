//! Rows held against their entries where it takes more than a session: much data, a restore, a standby,
//! writers at the same time.

mod restored;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::rng::Rng;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Server, run, scalar, sqlstate, turn};
use postgres::Client;

const VERDICT: &str =
    "SELECT concat_ws(' ', ok, rows, edited, deleted, unrecorded, unverifiable, findings)
                       FROM verify_table";

fn verdict(client: &mut Client, table: &str) -> String {
    scalar(client, &format!("{VERDICT}('{table}')"))
}

/// Findings as `table key finding`, a line each.
fn findings(client: &mut Client, table: &str) -> Vec<String> {
    let query = format!(
        "SELECT concat_ws(' ', table_name, key, finding) FROM verify_table_findings('{table}') ORDER BY 1"
    );
    let rows = client
        .query(&query, &[])
        .unwrap_or_else(|error| panic!("{query}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// Does to a table what its triggers do not see.
fn unseen(client: &mut Client, table: &str, statements: &str) {
    run(
        client,
        &format!(
            "BEGIN;
             ALTER TABLE {table} ENABLE TRIGGER auditspine_audit;
             SET LOCAL session_replication_role = replica;
             {statements};
             ALTER TABLE {table} ENABLE ALWAYS TRIGGER auditspine_audit;
             COMMIT"
        ),
    );
}

/// More records than memory holds: they go to temporary files, and none is lost on the way.
#[test]
fn spilled() {
    let _turn = turn();
    let server = Server::from_env();
    let mut client = server.fresh_database("rows_spilled").connect();
    run(
        &mut client,
        "CREATE TABLE item (id integer PRIMARY KEY, v integer, note text);
         SELECT audit_attach('item');
         INSERT INTO item SELECT g, g, 'note ' || g FROM generate_series(1, 200000) AS g;
         UPDATE item SET v = -v WHERE id % 4 = 0;
         DELETE FROM item WHERE id % 10 = 9;
         ALTER TABLE item RENAME COLUMN note TO remark;
         ALTER TABLE item ADD COLUMN more text DEFAULT 'x'",
    );
    assert_eq!(verdict(&mut client, "item"), "t 180000 0 0 0 0 0");
    let mut rng = Rng::new(7);
    let mut expected = Vec::new();
    let mut ids: Vec<u64> = (0..60)
        .map(|_| 10 * rng.below(20_000) + 1 + rng.below(8))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let mut script = String::new();
    for id in ids {
        let (statement, finding, key) = match id % 3 {
            0 => (
                format!("UPDATE item SET v = v + 1 WHERE id = {id}"),
                "row_edited",
                id,
            ),
            1 => (
                format!("DELETE FROM item WHERE id = {id}"),
                "row_deleted",
                id,
            ),
            _ => (
                format!("INSERT INTO item VALUES ({}, 1, 'x')", id + 1_000_000),
                "row_unrecorded",
                id + 1_000_000,
            ),
        };
        script += &format!("{statement};");
        expected.push(format!("public.item {key} {finding}"));
    }
    unseen(&mut client, "item", &script);
    expected.sort();
    let mut found = findings(&mut client, "item");
    found.sort();
    assert_eq!(found, expected);
    // With memory for all of it the verdict is the same.
    run(&mut client, "SET work_mem = '256MB'");
    assert_eq!(findings(&mut client, "item").len(), expected.len());
    // A run is cut short when it is told to be.
    run(&mut client, "SET statement_timeout = '50ms'");
    let error = client
        .query(&format!("{VERDICT}('item')"), &[])
        .expect_err("it takes longer");
    assert_eq!(sqlstate(&error), "57014");
    run(&mut client, "RESET statement_timeout; RESET work_mem");
    assert_eq!(findings(&mut client, "item").len(), expected.len());
    // Not more disk than the server allows.
    run(&mut client, "SET temp_file_limit = '1MB'");
    let error = client
        .query(&format!("{VERDICT}('item')"), &[])
        .expect_err("too little disk");
    assert_eq!(sqlstate(&error), "53400");
}

/// Tells other threads to stop when it goes.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writers change rows, columns and partitions while another session verifies: it never sees one without the other.
#[test]
fn while_others_write() {
    let _turn = turn();
    let server = Server::from_env();
    let database = server.fresh_database("rows_written");
    let mut client = database.connect();
    run(
        &mut client,
        "CREATE TABLE item (id integer PRIMARY KEY, v integer) PARTITION BY RANGE (id);
         CREATE TABLE item_0 PARTITION OF item FOR VALUES FROM (0) TO (100);
         CREATE TABLE item_1 PARTITION OF item FOR VALUES FROM (100) TO (200);
         SELECT audit_attach('item');
         INSERT INTO item SELECT g, g FROM generate_series(0, 199) AS g",
    );
    let stop = AtomicBool::new(false);
    let (runs, changes) = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|seed| {
                let (database, stop) = (&database, &stop);
                scope.spawn(move || {
                    let mut client = database.connect();
                    let mut rng = Rng::new(seed);
                    let mut done = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let (id, to) = (rng.below(200), rng.below(200));
                        let statement = match rng.below(6) {
                            0 => format!("DELETE FROM item WHERE id = {id}"),
                            1 => {
                                format!("INSERT INTO item VALUES ({id}, 0) ON CONFLICT DO NOTHING")
                            }
                            2 => format!("UPDATE item SET id = {to} WHERE id = {id}"),
                            _ => format!("UPDATE item SET v = v + 1 WHERE id IN ({id}, {to})"),
                        };
                        match client.batch_execute(&statement) {
                            Ok(()) => done += 1,
                            Err(error) => assert!(
                                ["23505", "23514", "40P01", "40001"].contains(&sqlstate(&error)),
                                "{statement}: {error:?}"
                            ),
                        }
                    }
                    done
                })
            })
            .collect();
        let altering = {
            let (database, stop) = (&database, &stop);
            scope.spawn(move || {
                let mut client = database.connect();
                let mut rng = Rng::new(99);
                let mut made = 0;
                while !stop.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(20));
                    // What rewrites a table shows in no older snapshot.
                    let statement = match rng.below(6) {
                        0 if made < 500 => {
                            made += 1;
                            format!("ALTER TABLE item ADD COLUMN c{made} integer DEFAULT {made}")
                        }
                        1 => "TRUNCATE item".to_owned(),
                        2 => "ALTER TABLE item ALTER COLUMN v TYPE bigint".to_owned(),
                        3 => "ALTER TABLE item ALTER COLUMN v TYPE integer".to_owned(),
                        4 => "ALTER TABLE item DETACH PARTITION item_1;
                              ALTER TABLE item ATTACH PARTITION item_1 FOR VALUES FROM (100) TO (200)"
                            .to_owned(),
                        _ => "INSERT INTO item SELECT g FROM generate_series(0, 199) AS g ON CONFLICT DO NOTHING"
                            .to_owned(),
                    };
                    if let Err(error) = client.batch_execute(&statement) {
                        assert_eq!(sqlstate(&error), "40P01", "{statement}: {error:?}");
                    }
                }
            })
        };
        // Also when an assertion fails: the others would go on for ever.
        let _stop = StopOnDrop(&stop);
        let started = Instant::now();
        let mut runs = 0;
        while started.elapsed() < Duration::from_secs(5) {
            // A transaction whose snapshot is older than the tables, at times.
            let old = runs % 3 == 0;
            if old {
                run(
                    &mut client,
                    "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM auditspine.chain",
                );
                thread::sleep(Duration::from_millis(30));
            }
            match client.query("SELECT key, finding, detail FROM verify_table_findings('item') WHERE finding NOT IN ('row_unverifiable', 'column_unwatched')", &[]) {
                Ok(rows) => {
                    let wrong: Vec<(Option<String>, String, String)> =
                        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
                    assert!(wrong.is_empty(), "false alarm: {wrong:#?}");
                    runs += 1;
                }
                Err(error) => assert_eq!(sqlstate(&error), "40P01", "{error:?}"),
            }
            if old {
                run(&mut client, "ROLLBACK");
            }
        }
        stop.store(true, Ordering::Relaxed);
        altering.join().expect("the one that alters");
        let done: u64 = writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer"))
            .sum();
        (runs, done)
    });
    println!("{runs} verifications beside {changes} changes");
    assert!(runs > 10 && changes > 100);
    assert_eq!(findings(&mut client, "item"), Vec::<String>::new());
}

/// On a hot standby, where nothing can be written.
#[test]
fn on_a_standby() {
    let _turn = turn();
    let primary = Scratch::new("rows_primary", &["wal_level=replica", "max_wal_senders=4"]);
    let mut client = primary.server().fresh_database("rows").connect();
    run(
        &mut client,
        "CREATE TABLE item (id integer PRIMARY KEY, v text);
         SELECT audit_attach('item');
         INSERT INTO item SELECT g, 'v' || g FROM generate_series(1, 1000) AS g;
         ALTER TABLE item RENAME COLUMN v TO w",
    );
    unseen(
        &mut client,
        "item",
        "UPDATE item SET w = 'forged' WHERE id = 7",
    );
    let standby = primary.standby("rows_standby");
    let mut reader = standby.server().database("rows").connect();
    let deadline = Instant::now() + Duration::from_secs(30);
    while scalar::<i64>(&mut reader, "SELECT count(*) FROM item WHERE w = 'forged'") == 0 {
        assert!(Instant::now() < deadline, "the standby does not catch up");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(verdict(&mut reader, "item"), "f 1000 1 0 0 0 1");
    assert_eq!(findings(&mut reader, "item"), ["public.item 7 row_edited"]);
}
