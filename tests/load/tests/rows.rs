//! Rows held against their entries where it takes more than a session: much data, a restore, a standby,
//! writers at the same time.

use std::io::Write;
use std::process::Stdio;
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

/// Dumped and restored, columns are numbered anew; and a copy of one table that is older than its
/// entries does not pass for it.
#[test]
fn restored() {
    let _turn = turn();
    let server = Server::from_env();
    let mut source = server.fresh_database("rows_source").connect();
    run(
        &mut source,
        "CREATE TABLE item (junk text, id integer PRIMARY KEY, a text, b integer, c text);
         SELECT audit_attach('item');
         INSERT INTO item SELECT 'j', g, 'a' || g, g, 'c' || g FROM generate_series(1, 100) AS g;
         ALTER TABLE item RENAME COLUMN a TO z;
         ALTER TABLE item DROP COLUMN junk;
         UPDATE item SET b = b + 1 WHERE id <= 50;
         ALTER TABLE item RENAME COLUMN c TO a;
         ALTER TABLE item ADD COLUMN d integer DEFAULT 5;
         CREATE TABLE part (id integer, day date, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE part_1 (note text, day date NOT NULL, id integer NOT NULL);
         ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
         SELECT audit_attach('part');
         INSERT INTO part SELECT g, '2026-03-01', 'n' || g FROM generate_series(1, 20) AS g",
    );
    let before = verdict(&mut source, "item");
    // What the column held that was dropped lies in the rows that were not written since, but in no dump.
    assert_eq!(before, "t 100 0 0 0 0 0");
    let before = "t 100 0 0 0 50 50";
    restore(&server, "rows_source", "rows_target", &[]);
    let mut target = server.database("rows_target").connect();
    assert_eq!(verdict(&mut target, "item"), before);
    assert_eq!(verdict(&mut target, "part"), "t 20 0 0 0 0 0");
    run(
        &mut target,
        "UPDATE item SET z = 'after' WHERE id = 1;
         ALTER TABLE item RENAME COLUMN z TO y;
         UPDATE part SET note = 'after' WHERE id = 1;
         ALTER TABLE part RENAME COLUMN note TO remark",
    );
    assert_eq!(verdict(&mut target, "item"), before);
    assert_eq!(verdict(&mut target, "part"), "t 20 0 0 0 0 0");
    // Restored a second time, from the restored one.
    restore(&server, "rows_target", "rows_third", &[]);
    let mut third = server.database("rows_third").connect();
    assert_eq!(verdict(&mut third, "item"), before);
    assert_eq!(verdict(&mut third, "part"), "t 20 0 0 0 0 0");
    // What was written in the first life is still held to it in the third.
    unseen(
        &mut third,
        "item",
        "UPDATE item SET b = 0 WHERE id IN (2, 3, 60)",
    );
    unseen(
        &mut third,
        "part",
        "UPDATE part SET remark = 'forged' WHERE id = 2",
    );
    let bad = |all: Vec<String>| -> Vec<String> {
        all.into_iter()
            .filter(|line| {
                !line.ends_with("row_unverifiable") && !line.ends_with("column_unwatched")
            })
            .collect()
    };
    assert_eq!(
        bad(findings(&mut third, "item")),
        ["public.item 2 row_edited", "public.item 3 row_edited"]
    );
    assert_eq!(
        bad(findings(&mut third, "part")),
        ["public.part_1 [\"2\",\"2026-03-01\"] row_edited"]
    );

    // An old copy of one table, restored over it.
    let dump = dump(&server, "rows_source", &["--clean", "-t", "item"]);
    run(
        &mut source,
        "UPDATE item SET b = 100 WHERE id = 10; DELETE FROM item WHERE id = 20; INSERT INTO item VALUES (500, 'new')",
    );
    assert_eq!(verdict(&mut source, "item"), "t 100 0 0 0 0 0");
    load(&server, "rows_source", &dump);
    assert_eq!(
        bad(findings(&mut source, "item")),
        [
            "public.item 10 row_edited",
            "public.item 20 row_unrecorded",
            "public.item 500 row_deleted"
        ]
    );
}

fn dump(server: &Server, database: &str, arguments: &[&str]) -> Vec<u8> {
    let output = server
        .program("pg_dump")
        .args(arguments)
        .args(["--no-owner", database])
        .output()
        .expect("pg_dump");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn load(server: &Server, database: &str, script: &[u8]) {
    let mut psql = server
        .program("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("psql");
    let mut pipe = psql.stdin.take().expect("a pipe");
    pipe.write_all(script).expect("psql reads the dump");
    drop(pipe);
    assert!(psql.wait().expect("psql").success());
}

fn restore(server: &Server, from: &str, to: &str, arguments: &[&str]) {
    let script = dump(server, from, arguments);
    server.empty_database(to);
    load(server, to, &script);
}

/// Entries of 0.1.0 name no layout: they are held against the first one that is recorded, and against
/// what it was before columns were added.
#[test]
fn written_by_the_version_before() {
    let _turn = turn();
    let server = Server::from_env();
    let mut client = server.empty_database("rows_before").connect();
    run(
        &mut client,
        "CREATE EXTENSION auditspine VERSION '0.1.0';
         CREATE TABLE item (id integer PRIMARY KEY, a text, b integer);
         CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
             FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item');
         INSERT INTO item SELECT g, 'a' || g, g FROM generate_series(1, 20) AS g;
         ALTER TABLE item ADD COLUMN c text DEFAULT 'c';
         UPDATE item SET b = 0 WHERE id > 10;
         ALTER EXTENSION auditspine UPDATE",
    );
    // Nothing tells what the column read that was added before layouts were recorded.
    assert_eq!(verdict(&mut client, "item"), "t 20 0 0 0 10 1");
    run(
        &mut client,
        "UPDATE item SET b = 1 WHERE id IN (1, 11);
         ALTER TABLE item RENAME COLUMN a TO z;
         ALTER TABLE item ADD COLUMN d text;
         UPDATE item SET b = 2 WHERE id IN (2, 12)",
    );
    // Nor, of rows whose entries name no layout, what one that is added reads.
    assert_eq!(verdict(&mut client, "item"), "t 20 0 0 0 16 2");
    run(
        &mut client,
        "SET session_replication_role = replica;
         UPDATE item SET z = 'forged' WHERE id IN (3, 13);
         DELETE FROM item WHERE id = 4;
         RESET session_replication_role",
    );
    assert_eq!(
        findings(&mut client, "item"),
        [
            "public.item 13 row_edited",
            "public.item 3 row_edited",
            "public.item 4 row_deleted",
            "public.item column_unwatched",
            "public.item column_unwatched"
        ]
    );
    // No layout tells which entries were written with the column, so a row is held against none without it.
    run(&mut client, "ALTER TABLE item DROP COLUMN c");
    let found = findings(&mut client, "item");
    assert!(
        !found.iter().any(|line| line.ends_with("row_edited")),
        "{found:?}"
    );
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
