//! Many changes at once: what is hashed and written together is, entry by entry, what it is one by one. Rows whose JSON
//! ends at every place in a block of SHA-256, in several chains and lanes, with savepoints, with and without payloads.

use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_linked, assert_no_rows, assert_verified};
use auditspine_load::rng::Rng;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, Server, run, scalar, turn};
use postgres::Client;

/// Two tables with the same rows, whose payloads are stored, or are not, in the chains that their rows name; and what
/// the canonical JSON of a row is, in plain SQL.
const TABLES: &str = r#"
    CREATE TABLE kept (k bigint PRIMARY KEY, tenant text, note text NOT NULL);
    CREATE TABLE hashed (LIKE kept INCLUDING ALL);
    SELECT audit_attach('kept', payload => 'full', chain_by => '{tenant}'),
           audit_attach('hashed', chain_by => '{tenant}');
    CREATE VIEW present AS
        SELECT 'kept' AS kind, * FROM kept UNION ALL SELECT 'hashed', * FROM hashed;
    CREATE VIEW wrong AS
        SELECT format('%s %s: %s', p.kind, p.k, e.op) AS problem
        FROM present p LEFT JOIN (
            SELECT DISTINCT ON (event_kind, event_pk) * FROM auditspine.audit_chain
            ORDER BY event_kind, event_pk, seq DESC) e ON e.event_kind = p.kind AND e.event_pk = p.k::text
        WHERE e.op NOT IN ('I', 'U') OR e.payload_hash IS DISTINCT FROM sha256(convert_to(format(
                  '{"k":%s,"note":%s,"tenant":%s}', k, to_json(note), coalesce(to_json(tenant)::text, 'null')), 'UTF8'))
           OR e.payload IS DISTINCT FROM CASE p.kind WHEN 'kept' THEN to_jsonb(row(k, note, tenant)::item) END;
"#;

fn prepare(server: &Server, name: &str) -> (Database, Client) {
    let database = server.fresh_database(name);
    let mut admin = database.connect();
    run(
        &mut admin,
        "CREATE TYPE item AS (k bigint, note text, tenant text)",
    );
    run(&mut admin, TABLES);
    (database, admin)
}

fn assert_sound(client: &mut Client) {
    run(
        client,
        "SET TimeZone = 'UTC'; ANALYZE auditspine.audit_chain",
    );
    assert_no_rows(
        client,
        "a row whose last entry is wrong",
        "SELECT problem FROM wrong",
    );
    assert_linked(client);
    assert_verified(client);
    assert_no_rows(
        client,
        "a table that does not verify",
        "SELECT row(v.*)::text FROM (VALUES ('kept'::regclass), ('hashed')) t(t), verify_table(t) v WHERE NOT v.ok",
    );
    run(client, "CREATE EXTENSION IF NOT EXISTS amcheck");
    run(
        client,
        "SELECT bt_index_parent_check('auditspine.audit_chain_pkey', true, true)",
    );
}

/// A statement that changes up to so many rows of one of the tables.
fn statement(rng: &mut Rng, most: u64) -> String {
    let table = ["kept", "hashed"][rng.below(2) as usize];
    let many = 1 + rng.below(most);
    // Notes of a few lengths in a row, then of very different ones.
    let length = match rng.below(3) {
        0 => format!("{} + n % 3", rng.below(250)),
        1 => "n * 7 % 300".to_owned(),
        _ => "CASE WHEN n % 50 = 0 THEN n * 31 % 40000 ELSE n % 130 END".to_owned(),
    };
    let tenant = match rng.below(4) {
        0 => "NULL",
        1 => "'one'",
        2 => "CASE WHEN n % 5 = 0 THEN 'two \"é' ELSE 'one' END",
        _ => "'t' || n % 20",
    };
    match rng.below(8) {
        0 => format!(
            "UPDATE {table} SET note = note || 'x' WHERE k % 7 = {} AND k < {many} * 30",
            rng.below(7)
        ),
        1 => format!("DELETE FROM {table} WHERE k IN (SELECT k FROM {table} ORDER BY k LIMIT {many} / 3)"),
        2 => format!(
            "UPDATE {table} SET tenant = 'moved' WHERE k IN (SELECT k FROM {table} ORDER BY k DESC LIMIT {many} / 5)"
        ),
        _ => format!(
            "INSERT INTO {table} SELECT coalesce((SELECT max(k) FROM {table}), 0) + n, {tenant}, repeat('é\"', {length})
             FROM generate_series(1, {many}) n"
        ),
    }
}

/// A transaction, some of which is rolled back.
fn transaction(rng: &mut Rng, most: u64) -> String {
    let mut text = "BEGIN;\n".to_owned();
    let mut open = 0;
    for _ in 0..1 + rng.below(8) {
        match rng.below(10) {
            0 | 1 => {
                open += 1;
                let _ = writeln!(text, "SAVEPOINT s{open};");
            }
            2 | 3 if open > 0 => {
                let _ = writeln!(text, "ROLLBACK TO s{open};");
            }
            4 if open > 0 => {
                let _ = writeln!(text, "RELEASE s{open};");
                open -= 1;
            }
            5 => text.push_str("SELECT audit_flush();\n"),
            6 => {
                let _ = writeln!(
                    text,
                    "SET LOCAL auditspine.actor = 'actor {}';",
                    rng.below(3)
                );
            }
            7 => text.push_str("SELECT audit_chain_append('note', 'by hand', '{\"a\": 1}');\n"),
            _ => {
                let _ = writeln!(text, "{};", statement(rng, most));
            }
        }
    }
    text + if rng.chance(85) { "COMMIT" } else { "ROLLBACK" }
}

#[test]
fn many_at_once_are_as_one_by_one() {
    let _turn = turn();
    let (database, mut admin) = prepare(&Server::from_env(), "bulk_model");
    // Sessions take turns; one of them holds lanes meanwhile, so that others link to further ones.
    let mut sessions: Vec<Client> = (0..3).map(|_| database.connect()).collect();
    let mut rng = Rng::new(20_261_201);
    let mut holder = database.connect();
    // All chains are there, so that nobody waits for who makes one.
    run(
        &mut holder,
        "INSERT INTO hashed SELECT -n, 't' || n % 20, '' FROM generate_series(1, 20) n;
         INSERT INTO hashed SELECT -1000 - n, tenant, '' FROM unnest(ARRAY['one', 'two \"é', 'moved']) WITH ORDINALITY t(tenant, n)",
    );
    for round in 0..60 {
        if round % 10 == 0 {
            let end = if round % 20 == 0 {
                "COMMIT"
            } else {
                "ROLLBACK"
            };
            run(
                &mut holder,
                &format!(
                    "{end}; BEGIN;
                     INSERT INTO hashed SELECT -{round} * 1000 - 2000 - n, 't' || n % 9, 'held' FROM generate_series(1, 100) n;
                     SELECT audit_flush()"
                ),
            );
        }
        let text = transaction(&mut rng, if round % 6 == 5 { 4000 } else { 120 });
        let session = &mut sessions[rng.below(3) as usize];
        if round % 4 == 0 {
            run(session, "SET auditspine.buffer_size = '64kB'");
        } else {
            run(session, "RESET auditspine.buffer_size");
        }
        run(session, &text);
    }
    run(&mut holder, "COMMIT");
    assert_sound(&mut admin);
    let counts: String = scalar(
        &mut admin,
        "SELECT format('%s entries in %s lanes of %s chains, %s with payloads', count(*),
                       count(DISTINCT (chain_id, lane)), count(DISTINCT chain_id), count(payload))
         FROM auditspine.audit_chain",
    );
    println!("{counts}");
    let enough: bool = scalar(
        &mut admin,
        "SELECT count(*) > 20000 AND count(DISTINCT (chain_id, lane)) > count(DISTINCT chain_id) + 5
                AND count(DISTINCT chain_id) > 15 AND count(payload) > 5000 FROM auditspine.audit_chain",
    );
    assert!(enough, "the test has become too small: {counts}");
}

/// The same rows by one statement and by many: the hashes of their payloads are the same, and each entry's own hash is
/// that of its columns.
#[test]
fn hashes_do_not_tell_how_rows_came() {
    let _turn = turn();
    let (_database, mut admin) = prepare(&Server::from_env(), "bulk_twins");
    // Every length from 0 to beyond five blocks, and around the length from which payloads are hashed alone.
    let rows = "SELECT n, NULL, repeat('x', CASE WHEN n < 400 THEN n ELSE n + 500 END) FROM generate_series(0, 700) n";
    run(
        &mut admin,
        &format!("INSERT INTO hashed {rows}; INSERT INTO kept {rows}"),
    );
    run(&mut admin, "DELETE FROM hashed");
    run(
        &mut admin,
        "DO $$ BEGIN
             FOR n IN 0 .. 700 LOOP
                 INSERT INTO hashed SELECT * FROM kept WHERE k = n;
                 COMMIT;
             END LOOP;
         END $$",
    );
    assert_no_rows(
        &mut admin,
        "a row with two hashes",
        "SELECT event_pk FROM auditspine.audit_chain WHERE event_kind IN ('kept', 'hashed') AND op IN ('I', 'D')
         GROUP BY event_pk HAVING count(DISTINCT payload_hash) <> 1 OR count(*) <> 4",
    );
    assert_sound(&mut admin);
}

/// Loads, each of many rows, until the server is gone or this is told to stop by an error.
fn load(database: &Database, number: i64) -> u64 {
    let Ok(mut client) = database.try_connect() else {
        return 0;
    };
    let mut rng = Rng::new(number as u64);
    let mut done = 0;
    loop {
        let (first, many) = (
            (number * 10_000 + done as i64) * 10_000,
            50 + rng.below(1500),
        );
        let end = if rng.chance(80) { "COMMIT" } else { "ROLLBACK" };
        let text = format!(
            "BEGIN; INSERT INTO hashed SELECT {first} + n, CASE WHEN n % 3 > 0 THEN 't' || n % {} END, repeat('x', n % 90)
             FROM generate_series(1, {many}) n; {end}",
            1 + rng.below(8)
        );
        if client.batch_execute(&text).is_err() {
            return done;
        }
        done += 1;
    }
}

/// What is written to the index of places is logged as it is written: after a crash, and on a standby, which compares
/// each page that it makes with the primary's, nothing is missing, double or out of order.
#[test]
fn loads_at_the_same_time_survive_crashes() {
    let _turn = turn();
    let settings = [
        "wal_consistency_checking=btree",
        "wal_keep_size=4GB",
        "log_min_messages=panic",
    ];
    let scratch = Scratch::new("bulk-crash", &settings);
    let (database, mut admin) = prepare(scratch.server(), "bulk");
    let tenants = "INSERT INTO hashed SELECT -n, 't' || n % 20, '' FROM generate_series(1, 20) n";
    run(&mut admin, tenants);
    let standby = scratch.standby("bulk-standby");
    for round in 0..2 {
        drop(admin);
        let done: u64 = thread::scope(|scope| {
            let loads: Vec<_> = (1..5)
                .map(|number| {
                    scope.spawn({
                        let database = &database;
                        move || load(database, number + 10 * round)
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(1000));
            run(&mut database.connect(), "CHECKPOINT");
            thread::sleep(Duration::from_millis(500));
            scratch.kill9();
            loads
                .into_iter()
                .map(|load| load.join().expect("a load"))
                .sum()
        });
        println!("round {round}: {done} loads");
        assert!(done > 5, "{done} loads");
        scratch.start_again();
        admin = database.connect();
        assert_sound(&mut admin);
    }
    let end: String = scalar(&mut admin, "SELECT pg_current_wal_insert_lsn()::text");
    let mut reader = standby.server().database("bulk").connect();
    let start = Instant::now();
    let caught_up = format!("SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn");
    while !scalar::<bool>(&mut reader, &caught_up) {
        let waited = start.elapsed();
        assert!(
            waited < Duration::from_secs(60),
            "the standby does not catch up"
        );
        thread::sleep(Duration::from_millis(50));
    }
    assert_no_rows(
        &mut reader,
        "an index that is not in order on the standby",
        "SELECT 'heapallindexed' WHERE bt_index_check('auditspine.audit_chain_pkey', true)::text IS NULL",
    );
    assert_linked(&mut reader);
}
