//! Values of every type that the database has: no two that PostgreSQL tells apart share a hash or a key, nothing
//! but the value decides the hash, and neither renames nor a dump make a row look tampered with. What is put in the
//! place of another value is found, each time.

use std::io::Write;
use std::process::Stdio;

use auditspine_load::server::{Server, run, scalar, turn};
use postgres::Client;

const VALUES: &str = include_str!("types/values.sql");
const CHECKS: &str = include_str!("types/checks.sql");
const RENAMES: &str = include_str!("types/renames.sql");

/// Settings that the output of types depends on, all of them others than those that values are hashed under.
const SETTINGS: &str = "
    SET LOCAL DateStyle = 'SQL, DMY';
    SET LOCAL IntervalStyle = sql_standard;
    SET LOCAL extra_float_digits = -15;
    SET LOCAL bytea_output = escape;
    SET LOCAL TimeZone = 'Asia/Kathmandu';
    SET LOCAL search_path = pg_catalog, public;
    SET LOCAL quote_all_identifiers = on;
    SET LOCAL xmloption = document;
    SET LOCAL client_encoding = LATIN1";

/// Rows of text, one line each.
fn lines(client: &mut Client, query: &str) -> Vec<String> {
    let lines = format!("SELECT t::text FROM ({query}) t");
    let rows = client.query(&lines, &[]);
    let rows = rows.unwrap_or_else(|e| panic!("{query}\nfailed: {e:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

fn assert_none(client: &mut Client, what: &str, query: &str) {
    let found = lines(client, query);
    assert!(
        found.is_empty(),
        "{what}: {} such, {:#?}",
        found.len(),
        &found[..found.len().min(20)]
    );
}

fn copy(server: &Server, from: &str, to: &str) {
    let dump = server.program("pg_dump").arg(from).output();
    let dump = dump.expect("pg_dump");
    assert!(
        dump.status.success(),
        "{}",
        String::from_utf8_lossy(&dump.stderr)
    );
    server.empty_database(to);
    let mut psql = server
        .program("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", to])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("psql");
    let mut input = psql.stdin.take().expect("a pipe");
    input.write_all(&dump.stdout).expect("psql reads the dump");
    drop(input);
    assert!(psql.wait().expect("psql").success());
}

/// Puts other values in the place of all and verifies that each is found, in tables of types that `which` takes.
fn assert_tampering_is_found(client: &mut Client, which: &str) {
    run(
        client,
        &format!(
            "CREATE TABLE tampered AS SELECT n, type, tamper(n) AS rows FROM subject WHERE samples > 1 AND {which}"
        ),
    );
    assert_none(
        client,
        "tampering that is not found",
        "SELECT t.n, t.rows, f.* FROM tampered t LEFT JOIN found('^rows_') f ON f.name = 'rows_' || n
         WHERE f.edited IS DISTINCT FROM t.rows",
    );
    let rows: i64 = scalar(client, "SELECT sum(rows)::bigint FROM tampered");
    println!("{rows} values replaced, each found");
}

/// Every so many types share a database: in one for all, hundreds of tables would each be held against all entries.
const GROUPS: i64 = 6;

#[test]
fn values_of_every_type() {
    let _turn = turn();
    let server = Server::from_env();
    let mut client = server.fresh_database("types_filled").connect();
    let seed = std::env::var("AUDITSPINE_SEED").map_or(0.5, |seed| seed.parse().expect("-1 to 1"));
    run(&mut client, "SET client_min_messages = error");
    for extension in ["hstore", "citext", "ltree", "cube", "isn", "seg"] {
        run(
            &mut client,
            &format!(
                "DO $$ BEGIN CREATE EXTENSION {extension}; EXCEPTION WHEN OTHERS THEN NULL; END $$"
            ),
        );
    }
    run(&mut client, VALUES);
    run(
        &mut client,
        &format!("SELECT setseed({seed}); SELECT fill_all()"),
    );
    let samples: i64 = scalar(&mut client, "SELECT count(*) FROM sample");
    let types: i64 = scalar(&mut client, "SELECT count(DISTINCT type) FROM sample");
    println!("seed {seed}: {samples} values of {types} types");
    assert!(samples > 10_000 && types > 150);
    drop(client);
    let mut tested = 0;
    for group in 0..GROUPS {
        tested += values_of_a_group(&server, group);
    }
    assert_eq!(tested, types);
}

/// Returns how many types are in this group.
fn values_of_a_group(server: &Server, group: i64) -> i64 {
    let (source, restored) = (format!("types_{group}"), format!("types_{group}_restored"));
    let mut client = server
        .make_database(&source, "TEMPLATE types_filled")
        .connect();
    run(
        &mut client,
        &format!(
            "SET client_min_messages = error;
             DELETE FROM sample USING (SELECT type, row_number() OVER (ORDER BY type) AS n FROM sample GROUP BY type) t
             WHERE sample.type = t.type AND n % {GROUPS} <> {group}"
        ),
    );
    run(&mut client, CHECKS);
    run(&mut client, "SELECT attach_all(); SELECT record_all()");
    run(
        &mut client,
        &format!("BEGIN; {SETTINGS}; SELECT public.record_again(); COMMIT"),
    );
    assert_none(&mut client, "faults", "SELECT * FROM faults()");
    let verified = "SELECT * FROM verify_all() WHERE NOT ok OR findings > 0";
    assert_none(&mut client, "findings", verified);
    run(&mut client, &format!("BEGIN; {SETTINGS}"));
    assert_none(
        &mut client,
        "findings under other settings",
        "SELECT * FROM public.verify_all() WHERE NOT ok OR findings > 0",
    );
    run(&mut client, "COMMIT");

    copy(server, &source, &restored);
    let mut target = server.database(&restored).connect();
    assert_none(
        &mut target,
        "findings in the restored database",
        "SELECT v.* FROM verify_all() v LEFT JOIN subject s ON v.subject ~ ('_' || n || '$')
         WHERE NOT ok AND NOT (v.subject !~ 'rows_' AND lost IS TRUE)",
    );
    assert_none(
        &mut target,
        "rows that cannot be verified in the restored database",
        "SELECT * FROM found('^rows_') WHERE NOT lost",
    );
    assert_tampering_is_found(&mut target, "NOT lost");

    run(&mut client, RENAMES);
    assert_none(
        &mut client,
        "rows that cannot be verified after renames",
        "SELECT * FROM found('^rows_')",
    );
    assert_none(
        &mut client,
        "findings after renames",
        "SELECT * FROM verify_all() WHERE NOT ok",
    );
    assert_tampering_is_found(&mut client, "true");
    scalar(&mut client, "SELECT count(*) FROM subject")
}
