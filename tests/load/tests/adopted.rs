//! A chain of the older shape, written by a PL/pgSQL trigger of that time: adopted while it is
//! written, and carried over by a dump.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use auditspine_load::check::{assert_no_rows, assert_verified};
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, run, scalar, turn};
use postgres::Client;

/// As such triggers are written: a lock held to the commit, the last row looked up under it.
const OLD_TRIGGER: &str = "
    CREATE TABLE old_chain (
        seq bigint PRIMARY KEY, event_kind text, event_pk text, event_hash text, prev_hash text, chain_hash text,
        appended_at timestamptz DEFAULT clock_timestamp());
    CREATE FUNCTION old_append() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        last old_chain;
        event text := encode(sha256(convert_to(to_jsonb(new)::text, 'UTF8')), 'hex');
    BEGIN
        PERFORM pg_advisory_xact_lock(7203);
        SELECT * INTO last FROM old_chain ORDER BY seq DESC LIMIT 1;
        last.seq := coalesce(last.seq, 0) + 1;
        last.chain_hash := coalesce(last.chain_hash, repeat('0', 64));
        INSERT INTO old_chain VALUES (last.seq, tg_table_name, new.k::text, event, last.chain_hash,
            encode(sha256(convert_to(last.chain_hash || event || last.seq, 'UTF8')), 'hex'));
        RETURN NULL;
    END $$;
    CREATE TABLE item (k bigserial PRIMARY KEY, v integer);
    CREATE TRIGGER old AFTER INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION old_append()";

fn write(database: &Database, stop: &AtomicBool) -> u64 {
    let mut client = database.connect();
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        run(&mut client, "INSERT INTO item (v) VALUES (1), (2)");
        written += 2;
    }
    written
}

fn adopt(client: &mut Client) -> (String, i64, i64) {
    // With a snapshot that is older than the lock; what matters is what was committed under it.
    run(
        client,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM item",
    );
    thread::sleep(std::time::Duration::from_millis(20));
    let row = client
        .query_one(
            "SELECT outcome, entries, breaks FROM adopt_chain('old_chain', again => true)",
            &[],
        )
        .expect("adopt_chain");
    run(client, "COMMIT");
    (row.get(0), row.get(1), row.get(2))
}

#[track_caller]
fn assert_borne_out(client: &mut Client) -> (i64, i64) {
    let row = client
        .query_one(
            "SELECT ok, breaks, changes, anchored, appended FROM verify_adopted('old_chain')",
            &[],
        )
        .expect("verify_adopted");
    let verdict: (bool, i64, i64) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(verdict, (true, 0, 0));
    (row.get(3), row.get(4))
}

#[test]
fn a_chain_is_adopted_while_it_is_written() {
    let _turn = turn();
    let scratch = Scratch::new("adopt", &[]);
    let server = scratch.server();
    let database = server.fresh_database("adopt");
    let mut client = database.connect();
    run(&mut client, OLD_TRIGGER);
    run(
        &mut client,
        "INSERT INTO item (v) SELECT g FROM generate_series(1, 3000) g",
    );
    let stop = AtomicBool::new(false);
    let written: u64 = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| write(&database, &stop)))
            .collect();
        let (mut before, mut appended) = (0, 0);
        for round in 0..12 {
            let (outcome, entries, breaks) = adopt(&mut client);
            assert_eq!((&outcome[..], breaks), ("adopted", 0), "round {round}");
            assert!(entries > before, "nobody wrote before round {round}");
            before = entries;
            thread::sleep(std::time::Duration::from_millis(50));
            let (anchored, later) = assert_borne_out(&mut client);
            assert_eq!(anchored, entries);
            appended += later;
        }
        assert!(appended > 0, "nobody wrote between adopting and verifying");
        stop.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer"))
            .sum()
    });
    println!("{written} rows written while the chain was adopted 12 times");
    let total: i64 = scalar(&mut client, "SELECT count(*) FROM old_chain");
    assert_eq!(total as u64, 3000 + written);
    assert_verified(&mut client);

    // In another database, with other settings, it is the same chain, and goes on.
    adopt(&mut client);
    let dump = server
        .program("pg_dump")
        .args(["-Fc", "adopt"])
        .output()
        .expect("pg_dump");
    let file = std::path::Path::new(&server.host).join("adopted.dump");
    std::fs::write(&file, dump.stdout).expect("the dump");
    server.empty_database("restored").run(
        "ALTER DATABASE restored SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE restored SET DateStyle = 'German'",
    );
    let restored = server
        .program("pg_restore")
        .args(["--exit-on-error", "-d", "restored"])
        .arg(&file)
        .status()
        .expect("pg_restore");
    assert!(restored.success());
    let mut client = server.database("restored").connect();
    assert_eq!(assert_borne_out(&mut client), (total, 0));
    run(&mut client, "INSERT INTO item (v) VALUES (1)");
    assert_eq!(assert_borne_out(&mut client), (total, 1));
    run(&mut client, "DELETE FROM old_chain WHERE seq = 17");
    assert_no_rows(
        &mut client,
        "a removed row that is not found",
        "SELECT 'ok' FROM verify_adopted('old_chain') WHERE ok",
    );
}
