//! Rows against entries that a dump, an older release or a copy of one table brought here.

use std::io::Write;
use std::process::Stdio;

use super::{findings, unseen, verdict};
use auditspine_load::server::{Server, run, turn};

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
