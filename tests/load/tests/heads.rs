//! The ends of lanes that sessions share: used, so that a commit searches no index, and never the cause of a fork or a
//! gap, whatever happens to transactions, the server, the table or the database.

mod random;

use auditspine_load::check::{assert_linked, assert_no_rows, assert_verified};
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, Server, run, scalar, turn};
use postgres::Client;

/// Table `item`, audited in a chain with this many lanes, and table `other` in `main`.
const TABLES: &str = "
    SELECT create_chain('load', 3);
    CREATE TABLE item (k bigint PRIMARY KEY, n int);
    CREATE TABLE other (k bigint PRIMARY KEY, n int);
    SELECT audit_attach('item', chain => 'load'), audit_attach('other');
    CREATE SEQUENCE key;
    CREATE PROCEDURE add(count int) LANGUAGE sql AS $$
        INSERT INTO item SELECT nextval('key'), 0 FROM generate_series(1, count) $$";

fn prepare(server: &Server, name: &str) -> (Database, Client) {
    let database = server.fresh_database(name);
    let mut admin = database.connect();
    run(&mut admin, TABLES);
    (database, admin)
}

/// Adds rows, each by a session of its own that ends.
fn add(database: &Database, rows: usize) {
    for _ in 0..rows {
        database.run("CALL add(1)");
    }
}

/// Every row has its entries, each lane is one line, and the verifiers are content.
fn assert_sound(client: &mut Client) {
    assert_linked(client);
    assert_verified(client);
    assert_no_rows(
        client,
        "a table that does not verify",
        "SELECT row(v.*)::text FROM (VALUES ('item'::regclass), ('other')) t(t), verify_table(t) v WHERE NOT v.ok",
    );
}

fn index_searches(client: &mut Client) -> i64 {
    run(client, "SELECT pg_stat_clear_snapshot()");
    scalar(
        client,
        "SELECT idx_scan FROM pg_stat_all_indexes WHERE indexrelname = 'audit_chain_pkey'",
    )
}

#[test]
fn commits_search_no_index() {
    let _turn = turn();
    // Heads of all databases share a table, in which other tests would take places.
    let scratch = Scratch::new("heads-used", &[]);
    let (database, mut admin) = prepare(scratch.server(), "heads_used");
    let session = |rows: i64| {
        let mut client = database.connect();
        for _ in 0..rows {
            run(&mut client, "INSERT INTO item VALUES (nextval('key'), 1)");
        }
        run(&mut client, "SELECT pg_stat_force_next_flush()");
        // What it counted is told when it ends, at the latest.
        drop(client);
    };
    session(1);
    let before = index_searches(&mut admin);
    for _ in 0..10 {
        session(20);
    }
    let searches = index_searches(&mut admin) - before;
    println!(
        "{searches} searches of the primary key in 200 commits of 10 sessions, one after the other"
    );
    assert!(searches < 20, "{searches} searches in 200 commits");
    assert_sound(&mut admin);
}

/// Entries of `load`: how many, and the last position of each lane.
fn ends(client: &mut Client) -> (i64, Vec<i64>) {
    let count = scalar(client, "SELECT count(*) FROM auditspine.audit_chain");
    let ends = client
        .query(
            "SELECT max(pos) FROM auditspine.audit_chain GROUP BY chain_id, lane ORDER BY chain_id, lane",
            &[],
        )
        .expect("a query");
    (count, ends.iter().map(|row| row.get(0)).collect())
}

#[test]
fn a_database_made_again_under_the_same_name_and_number() {
    const COPY: &str = "heads_again_copy";
    let _turn = turn();
    let server = Server::from_env();
    let (database, mut admin) = prepare(&server, "heads_again");
    run(&mut admin, "CALL add(1); CALL add(1)");
    let oid: u32 = scalar(
        &mut admin,
        "SELECT oid FROM pg_database WHERE datname = current_database()",
    );
    drop(admin);
    let copy = || server.make_database(COPY, "TEMPLATE heads_again");
    let back = || {
        let options = format!("TEMPLATE {COPY} OID {oid}");
        server.make_database("heads_again", &options).connect()
    };
    copy();
    // It goes on where the copy has stayed behind.
    add(&database, 5);
    let before = ends(&mut database.connect());
    let mut admin = back();
    let behind = ends(&mut admin);
    assert_eq!(before.0, behind.0 + 5, "the copy is older");
    run(&mut admin, "CALL add(1); CALL add(1)");
    assert_eq!(ends(&mut admin).0, behind.0 + 2);
    assert_sound(&mut admin);
    // And the other way round: what is shared is behind what is there.
    drop(admin);
    add(&database, 3);
    add(&copy(), 3);
    let mut admin = back();
    let _ = admin.batch_execute("CALL add(1)");
    run(&mut admin, "CALL add(1)");
    assert_sound(&mut admin);
}

#[test]
fn extension_dropped_and_made_again_and_the_table_emptied() {
    let _turn = turn();
    let (database, mut admin) = prepare(&Server::from_env(), "heads_dropped");
    run(&mut admin, "CALL add(1); CALL add(1)");
    run(
        &mut admin,
        "DROP TABLE item, other; DROP PROCEDURE add; DROP SEQUENCE key; DROP EXTENSION auditspine CASCADE; CREATE EXTENSION auditspine",
    );
    run(&mut admin, TABLES);
    add(&database, 1);
    assert_sound(&mut admin);
    // A superuser's TRUNCATE is no lawful thing to do, but what comes after is linked all the same.
    run(
        &mut admin,
        "SET session_replication_role = replica; TRUNCATE auditspine.audit_chain; RESET session_replication_role",
    );
    add(&database, 2);
    assert_linked(&mut admin);
}

/// Ways to put an entry behind the end of lane 0 of `load`, each by a session of its own.
const FORGED: &str = "INSERT INTO auditspine.audit_chain
    SELECT seq + 100000, chain_id, lane, pos + 1, version, op, event_kind, event_pk, xid, appended_at, db_user, actor,
           context, layout, payload, payload_hash, event_hash, chain_hash, chain_hash
    FROM auditspine.audit_chain a WHERE lane = 0 AND chain_id = 2 ORDER BY pos DESC LIMIT 1";

#[test]
fn entries_put_there_or_taken_away_by_hand_stop_nobody() {
    let _turn = turn();
    let (database, mut admin) = prepare(&Server::from_env(), "heads_forged");
    let replica = |what: &str| format!("SET session_replication_role = replica; {what}");
    let disabled = |what: &str| {
        format!(
            "ALTER TABLE auditspine.audit_chain DISABLE TRIGGER ALL; {what};
             ALTER TABLE auditspine.audit_chain ENABLE TRIGGER ALL;
             ALTER TABLE auditspine.audit_chain ENABLE ALWAYS TRIGGER distrust_heads"
        )
    };
    let removed = "DELETE FROM auditspine.audit_chain WHERE chain_id = 2 AND lane = 0
                   AND pos = (SELECT max(pos) FROM auditspine.audit_chain WHERE chain_id = 2 AND lane = 0)";
    let edited = "UPDATE auditspine.audit_chain SET chain_hash = sha256('x') WHERE chain_id = 2 AND lane = 0
                  AND pos = (SELECT max(pos) FROM auditspine.audit_chain WHERE chain_id = 2 AND lane = 0)";
    let in_one = format!(
        "BEGIN; CALL add(1); {}; CALL add(1); COMMIT",
        replica(FORGED)
    );
    for deed in [
        replica(FORGED),
        disabled(FORGED),
        FORGED.to_owned(),
        in_one,
        replica(removed),
        disabled(removed),
        replica(edited),
        disabled(edited),
    ] {
        // A session of its own each time, of which none has heard of what the others did.
        add(&database, 2);
        let last: i64 = scalar(&mut admin, "SELECT max(seq) FROM auditspine.audit_chain");
        database.run(&deed);
        add(&database, 2);
        assert_no_rows(
            &mut admin,
            "two entries at one place",
            "SELECT min(seq)::text FROM auditspine.audit_chain GROUP BY chain_id, lane, pos HAVING count(*) > 1",
        );
        // Those who write go on behind what they find, as they would by index.
        assert_no_rows(
            &mut admin,
            "an entry that does not go on where the lane ended",
            &format!(
                "SELECT row(chain_id, lane, pos)::text FROM (
                     SELECT *, lag(chain_hash) OVER w AS before, lag(pos) OVER w AS pos_before, row_number() OVER (PARTITION BY chain_id, lane ORDER BY pos DESC) AS newest
                     FROM auditspine.audit_chain WINDOW w AS (PARTITION BY chain_id, lane ORDER BY pos)) s
                 WHERE seq > {last} AND newest <= 2 AND chain_id = 2 AND lane = 0 AND (pos <> pos_before + 1 OR prev_hash <> before)"
            ),
        );
    }
    let findings: i64 = scalar(&mut admin, "SELECT count(*) FROM chain_findings()");
    assert!(findings > 4, "{findings} findings");
}

#[test]
fn servers_that_crash_and_standbys_that_take_over() {
    let _turn = turn();
    let primary = Scratch::new("heads-primary", &["max_prepared_transactions=5"]);
    let database = primary.server().fresh_database("heads_restart");
    database.run(TABLES);
    add(&database, 1);
    database.run("BEGIN; CALL add(1); PREPARE TRANSACTION 'left'");
    add(&database, 3);
    primary.kill9();
    primary.start_again();
    add(&database, 1);
    database.run("COMMIT PREPARED 'left'");
    add(&database, 1);
    assert_sound(&mut database.connect());

    let standby = primary.standby("heads-standby");
    let replica = standby.server().database("heads_restart");
    let mut reader = replica.connect();
    add(&database, 3);
    primary.stop("fast");
    run(&mut reader, "SELECT pg_promote()");
    add(&replica, 4);
    assert_sound(&mut reader);

    // A backend that is killed takes all others with it, and what they shared.
    let mut victim = replica.connect();
    run(&mut victim, "CALL add(1)");
    let killed = reader.batch_execute(
        "CREATE TEMP TABLE told (t text);
         COPY told FROM PROGRAM 'kill -9 $PPID; sleep 1'",
    );
    assert!(killed.is_err(), "the backend lived on");
    drop(replica.connect_after_crash(victim));
    add(&replica, 1);
    assert_sound(&mut replica.connect());
}
