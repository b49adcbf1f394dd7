//! Keys of bulk loads go to the index of entries a page at a time, past the access method. What PostgreSQL's own check
//! of B-trees says of the index counts, on the server, after crashes, and on a standby that has replayed it all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_linked, assert_verified};
use auditspine_load::rng::Rng;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, Server, run, scalar, sqlstate, turn};
use postgres::Client;

/// Tables without an index of their own, one in a chain of few lanes, one in as many chains as there are owners.
const TABLES: &str = "
    CREATE EXTENSION amcheck;
    SELECT create_chain('load', 3);
    CREATE TABLE item (k bigint NOT NULL, n int);
    CREATE TABLE owned (k bigint NOT NULL, owner text);
    SELECT audit_attach('item', pk => '{k}', chain => 'load'),
           audit_attach('owned', pk => '{k}', chain_by => '{owner}');
    CREATE SEQUENCE key";

/// Further indexes, which take keys as the primary key does, or not: in another order, with equal keys, nulls, or
/// columns beside the key.
const INDEXES: &str = "
    CREATE INDEX ON auditspine.audit_chain (seq);
    CREATE UNIQUE INDEX ON auditspine.audit_chain (version, chain_id, seq);
    CREATE INDEX ON auditspine.audit_chain (lane, pos);
    CREATE INDEX ON auditspine.audit_chain (seq DESC);
    CREATE INDEX ON auditspine.audit_chain (chain_id, lane);
    CREATE INDEX ON auditspine.audit_chain (layout, seq);
    CREATE INDEX ON auditspine.audit_chain (chain_id, pos) INCLUDE (seq)";

/// Has a function of amcheck's look at all B-trees of entries; how many there are.
fn check_indexes(client: &mut Client, check: &str) -> i64 {
    let query = format!(
        "SELECT count({check}::text)
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
         WHERE a.amname = 'btree' AND i.indrelid = 'auditspine.audit_chain'::regclass"
    );
    scalar(client, &query)
}

const CLIENTS: u64 = 3;
/// How long clients work between chores.
const CALM: Duration = Duration::from_millis(250);

/// A statement that adds rows: few or many, to one chain or to several, in turns or one after the other.
fn load(rng: &mut Rng) -> String {
    let rows = match rng.below(4) {
        0 => 1 + rng.below(40),
        1 => 1 + rng.below(400),
        _ => 1 + rng.below(1500),
    };
    let owner = match rng.below(4) {
        0 => {
            return format!(
                "INSERT INTO item SELECT nextval('key'), g FROM generate_series(1, {rows}) g"
            );
        }
        1 => format!("g % {}", 1 + rng.below(60)),
        2 => format!("g / {}", 1 + rng.below(300)),
        _ => format!("{}", rng.below(8)),
    };
    format!(
        "INSERT INTO owned SELECT nextval('key'), 'owner ' || ({owner}) FROM generate_series(1, {rows}) g"
    )
}

/// A transaction, which may leave dead keys behind.
fn program(rng: &mut Rng) -> Vec<String> {
    let mut all = vec![format!(
        "BEGIN ISOLATION LEVEL {}",
        ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"][rng.below(3) as usize]
    )];
    for at in 0..=rng.below(3) {
        let saved = rng.chance(40);
        if saved {
            all.push(format!("SAVEPOINT s{at}"));
        }
        all.push(load(rng));
        if rng.chance(50) {
            all.push("SELECT audit_flush()".to_owned());
        }
        if rng.chance(20) {
            // Reads by index, on which dead keys are marked, and which others' keys get in the way of.
            all.push(
                "SELECT count(*) FROM (SELECT FROM auditspine.audit_chain WHERE chain_id > 0 ORDER BY chain_id, lane, \
                 pos LIMIT 3000) s"
                    .to_owned(),
            );
        }
        if saved && rng.chance(50) {
            all.push(format!("ROLLBACK TO s{at}"));
        }
    }
    all.push(if rng.chance(25) { "ROLLBACK" } else { "COMMIT" }.to_owned());
    all
}

/// Runs programs until told to stop; whoever waits for another in a circle, or cannot be serialized, begins the next.
fn client(database: &Database, seed: u64, stop: &AtomicBool) -> u64 {
    let mut rng = Rng::new(seed);
    let Ok(mut client) = database.try_connect() else {
        return 0;
    };
    let set = "SET enable_seqscan = off; SET auditspine.buffer_size = '64kB'";
    let mut done = 0;
    if client.batch_execute(set).is_err() {
        return 0;
    }
    while !stop.load(Ordering::Relaxed) {
        for statement in program(&mut rng) {
            if let Err(error) = client.batch_execute(&statement) {
                let state = sqlstate(&error);
                let expected = ["40001", "40P01", "08000", "57P01", "57P02", "57P03"];
                assert!(expected.contains(&state), "{statement}: {error:?}");
                if client.is_closed() || client.batch_execute("ROLLBACK").is_err() {
                    return done;
                }
                break;
            }
        }
        done += 1;
    }
    done
}

/// Runs clients and chores for a while; `end` comes while they are at work.
fn work(database: &Database, round: u64, end: impl FnOnce()) -> u64 {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|id| {
                let stop = &stop;
                scope.spawn(move || client(database, 100 * round + id, stop))
            })
            .collect();
        let mut admin = database.connect();
        for chore in [
            "CHECKPOINT",
            "VACUUM auditspine.audit_chain",
            "REINDEX INDEX CONCURRENTLY auditspine.audit_chain_pkey",
            "VACUUM auditspine.audit_chain",
        ] {
            thread::sleep(CALM);
            run(&mut admin, chore);
        }
        thread::sleep(CALM);
        end();
        stop.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .map(|it| it.join().expect("a client"))
            .sum()
    })
}

/// Every entry is in the index, at its place, and the index is a sound B-tree.
fn assert_sound(client: &mut Client) {
    let checked = check_indexes(client, "bt_index_parent_check(i.indexrelid, true, true)");
    assert!(checked >= 2, "{checked} indexes");
    assert_linked(client);
    assert_verified(client);
}

fn wait_for(standby: &mut Client, primary: &mut Client) {
    let end: String = scalar(primary, "SELECT pg_current_wal_insert_lsn()::text");
    let caught_up = format!("SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn");
    let start = Instant::now();
    while !scalar::<bool>(standby, &caught_up) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the standby does not catch up"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn random_loads_leave_sound_indexes() {
    let _turn = turn();
    let settings = ["autovacuum=off", "checkpoint_timeout=30s"];
    let scratch = Scratch::new("bulk-index", &settings);
    let database = scratch.server().fresh_database("bulk_index");
    database.run(TABLES);
    database.run(INDEXES);
    let standby = scratch.standby("bulk-index-standby");
    let replica = standby.server().database("bulk_index");
    for round in 0..3 {
        let done = work(&database, round, || match round {
            1 => scratch.kill9(),
            2 => scratch.stop("immediate"),
            _ => (),
        });
        if round > 0 {
            scratch.start_again();
        }
        let mut admin = database.connect();
        assert!(done > 10, "{done} transactions in round {round}");
        assert_sound(&mut admin);
        let mut reader = replica.connect();
        wait_for(&mut reader, &mut admin);
        assert_eq!(
            check_indexes(&mut reader, "bt_index_check(i.indexrelid, true)"),
            9
        );
        assert_linked(&mut reader);
        let entries: i64 = scalar(&mut admin, "SELECT count(*) FROM auditspine.audit_chain");
        println!("round {round}: {done} transactions, {entries} entries");
    }
}

/// How many WAL records a flush of so many new rows writes.
fn records(client: &mut Client, rows: i64) -> i64 {
    run(
        client,
        &format!(
            "BEGIN; INSERT INTO item SELECT nextval('key'), g FROM generate_series(1, {rows}) g"
        ),
    );
    let plan = client
        .query(
            "EXPLAIN (ANALYZE, WAL, COSTS off) SELECT audit_flush()",
            &[],
        )
        .expect("a plan");
    run(client, "COMMIT");
    let lines: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    let told = lines.iter().find_map(|line| line.split_once("records="));
    let (_, told) = told.unwrap_or_else(|| panic!("no records in {lines:#?}"));
    let digits: String = told.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

#[test]
fn many_keys_share_a_record() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("bulk_index_used");
    database.run(TABLES);
    let mut client = database.connect();
    records(&mut client, 1000);
    let (rows, many) = (5000, records(&mut client, 5000));
    println!("{many} WAL records for {rows} entries");
    assert!(many < rows / 10, "{many} WAL records for {rows} entries");
    // Behind keys of a load that was rolled back.
    run(
        &mut client,
        "BEGIN; INSERT INTO item SELECT nextval('key'), g FROM generate_series(1, 3000) g; SELECT audit_flush(); ROLLBACK",
    );
    records(&mut client, 5000);
    assert_sound(&mut client);
}

/// Entries that somebody puts ahead of a lane's end by hand, and does not commit until a load waits for them: it is
/// refused, or goes on, as if the access method had entered each key.
#[test]
fn a_place_that_another_is_about_to_take() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("bulk_index_taken");
    database.run(TABLES);
    let mut client = database.connect();
    let mut other = database.connect();
    run(
        &mut client,
        "SELECT create_chain('single', 1);
         CREATE TABLE alone (k bigint NOT NULL);
         SELECT audit_attach('alone', pk => '{k}', chain => 'single')",
    );
    let insert = "INSERT INTO alone SELECT nextval('key') FROM generate_series(1, 2000)";
    run(&mut client, insert);
    for (ahead, is_committed) in [1, 20, 400, 1500]
        .into_iter()
        .flat_map(|at| [(at, false), (at, true)])
    {
        run(
            &mut other,
            &format!(
                "BEGIN; INSERT INTO auditspine.audit_chain
                 SELECT (json_populate_record(e, json_build_object('pos', e.pos + {ahead}))).*
                 FROM auditspine.audit_chain e JOIN auditspine.chain c USING (chain_id)
                 WHERE c.name = 'single' ORDER BY e.pos DESC LIMIT 1"
            ),
        );
        let outcome = thread::scope(|scope| {
            let load = scope.spawn(|| client.batch_execute(insert));
            let mut admin = database.connect();
            let start = Instant::now();
            let waits =
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                         AND wait_event_type = 'Lock' AND wait_event = 'transactionid')";
            while !scalar::<bool>(&mut admin, waits) {
                assert!(
                    start.elapsed() < Duration::from_secs(60),
                    "the load waits for nobody"
                );
                thread::sleep(Duration::from_millis(20));
            }
            run(&mut other, if is_committed { "COMMIT" } else { "ROLLBACK" });
            load.join().expect("the load")
        });
        match outcome {
            Ok(()) => assert!(!is_committed, "two entries at one place, {ahead} ahead"),
            Err(error) => {
                assert!(is_committed, "{ahead} ahead: {error:?}");
                assert_eq!(sqlstate(&error), "23505", "{error:?}");
                // It goes, so that the lane ends where it did.
                run(
                    &mut other,
                    "ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
                     DELETE FROM auditspine.audit_chain e USING auditspine.chain c
                     WHERE e.chain_id = c.chain_id AND c.name = 'single' AND e.pos =
                         (SELECT max(pos) FROM auditspine.audit_chain l WHERE l.chain_id = c.chain_id);
                     ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only",
                );
            }
        }
        assert_sound(&mut client);
    }
}
