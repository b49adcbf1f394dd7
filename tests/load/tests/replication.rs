//! Logical replication: the subscriber's trigger, ENABLE ALWAYS, records what the apply worker and
//! the initial copy write there.

use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_linked, assert_verified};
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{run, scalar, turn};
use postgres::Client;

const TABLE: &str = "CREATE TABLE item (k bigint PRIMARY KEY, v integer NOT NULL)";

fn wait_for(client: &mut Client, what: &str, query: &str) {
    let start = Instant::now();
    while !scalar::<bool>(client, query) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{what} did not come"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// The entries of this kind in order of linking, as op and key.
fn entries(client: &mut Client, kind: &str) -> String {
    scalar(
        client,
        &format!(
            "SELECT coalesce(string_agg(op::text || event_pk, ' ' ORDER BY seq), '')
             FROM auditspine.audit_chain WHERE event_kind = '{kind}'"
        ),
    )
}

#[test]
fn applied_changes_are_recorded() {
    let _turn = turn();
    let scratch = Scratch::new("replication", &["wal_level=logical"]);
    let server = scratch.server();
    let mut source = server.empty_database("source").connect();
    run(&mut source, TABLE);
    run(
        &mut source,
        "INSERT INTO item VALUES (1, 0), (2, 0);
         CREATE PUBLICATION p FOR TABLE item",
    );
    // Within one cluster the slot must be there before the subscription.
    run(
        &mut source,
        "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
    );

    let mut target = server.fresh_database("target").connect();
    run(&mut target, TABLE);
    run(
        &mut target,
        "CREATE TRIGGER always AFTER INSERT OR UPDATE OR DELETE ON item
             FOR EACH ROW EXECUTE FUNCTION audit_chain_append('always');
         CREATE TRIGGER always_truncate AFTER TRUNCATE ON item
             FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append('always');
         CREATE TRIGGER origin AFTER INSERT OR UPDATE OR DELETE ON item
             FOR EACH ROW EXECUTE FUNCTION audit_chain_append('origin');
         ALTER TABLE item ENABLE ALWAYS TRIGGER always;
         ALTER TABLE item ENABLE ALWAYS TRIGGER always_truncate",
    );
    run(
        &mut target,
        &format!(
            "CREATE SUBSCRIPTION s CONNECTION 'host={} port={} user={} dbname=source'
             PUBLICATION p WITH (create_slot = false, slot_name = 's')",
            server.host, server.port, server.user
        ),
    );
    wait_for(
        &mut target,
        "the initial copy",
        "SELECT count(*) = 2 FROM item",
    );
    assert_eq!(entries(&mut target, "always"), "I1 I2");

    run(
        &mut source,
        "BEGIN; INSERT INTO item VALUES (3, 0); UPDATE item SET v = 1 WHERE k = 1;
         SAVEPOINT s; INSERT INTO item VALUES (9, 9); ROLLBACK TO s;
         DELETE FROM item WHERE k = 2; COMMIT;
         INSERT INTO item VALUES (4, 0)",
    );
    wait_for(
        &mut target,
        "what was applied",
        "SELECT EXISTS (SELECT FROM item WHERE k = 4)",
    );
    assert_eq!(entries(&mut target, "always"), "I1 I2 I3 U1 D2 I4");
    run(&mut source, "TRUNCATE item");
    wait_for(
        &mut target,
        "the truncation",
        "SELECT count(*) = 0 FROM item",
    );
    assert_eq!(
        entries(&mut target, "always"),
        "I1 I2 I3 U1 D2 I4 Tpublic.item"
    );

    // A trigger that is not ENABLE ALWAYS does not see replication; this is what the option is for.
    assert_eq!(entries(&mut target, "origin"), "");
    run(&mut target, "INSERT INTO item VALUES (10, 0)");
    assert_eq!(entries(&mut target, "origin"), "I10");
    assert_linked(&mut target);
    assert_verified(&mut target);
    run(&mut target, "ALTER SUBSCRIPTION s DISABLE");
}

/// A publication of all tables has the publisher's own state in it, which is not applied: neither the initial
/// copy nor what comes later, not even when somebody changes the publisher's entries.
#[test]
fn state_of_the_publisher_is_kept_out() {
    let _turn = turn();
    let scratch = Scratch::new("replication-all", &["wal_level=logical"]);
    let server = scratch.server();
    let mut source = server.fresh_database("source").connect();
    run(&mut source, TABLE);
    run(
        &mut source,
        "SELECT audit_attach('item'); SELECT create_chain('theirs'); INSERT INTO item VALUES (1, 0);
         SELECT count(*) FROM verify_all(); CREATE PUBLICATION p FOR ALL TABLES",
    );
    run(
        &mut source,
        "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
    );
    let mut target = server.fresh_database("target").connect();
    run(&mut target, TABLE);
    run(&mut target, "SELECT audit_attach('item')");
    run(
        &mut target,
        &format!(
            "CREATE SUBSCRIPTION s CONNECTION 'host={} port={} user={} dbname=source'
             PUBLICATION p WITH (create_slot = false, slot_name = 's')",
            server.host, server.port, server.user
        ),
    );
    wait_for(
        &mut target,
        "the initial copy",
        "SELECT bool_and(srsubstate = 'r') AND bool_or(srrelid = 'auditspine.audit_chain'::regclass)
         FROM pg_subscription_rel",
    );
    assert_eq!(entries(&mut target, "item"), "I1");
    run(
        &mut source,
        "UPDATE item SET v = 1; SELECT create_chain('more')",
    );
    // What the publisher's administrator does to its entries is no affair of the subscriber's.
    run(
        &mut source,
        "SET session_replication_role = replica;
         UPDATE auditspine.audit_chain SET db_user = 'nobody'; DELETE FROM auditspine.chain WHERE name = 'theirs'",
    );
    run(
        &mut source,
        "RESET session_replication_role; INSERT INTO item VALUES (2, 0)",
    );
    wait_for(
        &mut target,
        "what was applied",
        "SELECT EXISTS (SELECT FROM item WHERE k = 2) AND EXISTS (SELECT FROM item WHERE v = 1)",
    );
    assert_eq!(entries(&mut target, "item"), "I1 U1 I2");
    let state: String = scalar(
        &mut target,
        "SELECT concat_ws(' ', (SELECT string_agg(name, ' ') FROM auditspine.chain),
             (SELECT count(*) FROM auditspine.verification), (SELECT count(DISTINCT db_user) FROM auditspine.audit_chain),
             (SELECT count(*) FROM auditspine.layout))",
    );
    assert_eq!(state, "main 0 1 1");
    assert_linked(&mut target);
    assert_verified(&mut target);
    // A dump's rows come as those of a session.
    run(
        &mut target,
        "SET session_replication_role = replica; INSERT INTO auditspine.chain (chain_id, name, lanes) VALUES (9, 'kept', 1);
         RESET session_replication_role",
    );
    assert!(scalar::<bool>(
        &mut target,
        "SELECT EXISTS (SELECT FROM auditspine.chain WHERE name = 'kept')"
    ));
    run(&mut target, "ALTER SUBSCRIPTION s DISABLE");
}
