//! PREPARE TRANSACTION: entries are there if and only if COMMIT PREPARED is, also after a restart;
//! the lane stays taken in between.

use auditspine_load::check::{assert_linked, assert_no_rows, assert_verified};
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, run, scalar, sqlstate};
use postgres::Client;

const SETTINGS: [&str; 1] = ["max_prepared_transactions=10"];

/// A database with table `item`, audited in a chain of this many lanes.
fn prepare(scratch: &Scratch, lanes: i32) -> Database {
    let database = scratch.server().fresh_database("two_phase");
    let mut admin = database.connect();
    admin
        .execute("SELECT create_chain('load', $1)", &[&lanes])
        .expect("a chain");
    run(
        &mut admin,
        "CREATE TABLE item (k bigint PRIMARY KEY);
         CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
         FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'chain=load')",
    );
    database
}

/// Rows `keys` are inserted by a transaction that is left prepared under this name.
fn leave_prepared(database: &Database, name: &str, keys: &str) {
    database.run(&format!(
        "BEGIN; INSERT INTO item SELECT unnest(ARRAY[{keys}]);
         SAVEPOINT s; INSERT INTO item VALUES (-1); ROLLBACK TO s;
         PREPARE TRANSACTION '{name}'"
    ));
}

/// Rows and entries are those for these keys, in this order of linking, and the chain is sound.
fn assert_recorded(client: &mut Client, keys: &str) {
    let rows: String = scalar(
        client,
        "SELECT coalesce(string_agg(k::text, ' ' ORDER BY k), '') FROM item",
    );
    let entries: String = scalar(
        client,
        "SELECT coalesce(string_agg(event_pk, ' ' ORDER BY event_pk::int), '') FROM auditspine.audit_chain
         WHERE op = 'I' AND event_kind = 'item'",
    );
    assert_eq!(
        (rows.as_str(), entries.as_str()),
        (keys, keys),
        "rows and entries"
    );
    assert_linked(client);
    assert_verified(client);
}

#[test]
fn commit_and_rollback_prepared() {
    let scratch = Scratch::new("two-phase", &SETTINGS);
    let database = prepare(&scratch, 4);
    leave_prepared(&database, "kept", "1, 2, 3");
    leave_prepared(&database, "undone", "4, 5");
    let mut admin = database.connect();
    assert_recorded(&mut admin, "");
    run(&mut admin, "INSERT INTO item VALUES (6)");
    run(&mut admin, "ROLLBACK PREPARED 'undone'");
    run(&mut admin, "INSERT INTO item VALUES (7)");
    assert_recorded(&mut admin, "6 7");
    run(&mut admin, "COMMIT PREPARED 'kept'");
    assert_recorded(&mut admin, "1 2 3 6 7");
    let after: i64 = scalar(&mut admin, "INSERT INTO item VALUES (8) RETURNING k");
    assert_eq!(after, 8);
    assert_recorded(&mut admin, "1 2 3 6 7 8");
}

#[test]
fn the_session_that_prepared_goes_on_clean() {
    let scratch = Scratch::new("two-phase-session", &SETTINGS);
    let database = prepare(&scratch, 4);
    let mut client = database.connect();
    run(
        &mut client,
        "BEGIN; INSERT INTO item VALUES (1); PREPARE TRANSACTION 'first'",
    );
    run(&mut client, "BEGIN; INSERT INTO item VALUES (2); COMMIT");
    run(&mut client, "BEGIN; INSERT INTO item VALUES (3); ROLLBACK");
    run(
        &mut client,
        "BEGIN; INSERT INTO item VALUES (4); PREPARE TRANSACTION 'second'",
    );
    run(&mut client, "ROLLBACK PREPARED 'first'");
    run(&mut client, "COMMIT PREPARED 'second'");
    assert_recorded(&mut client, "2 4");
}

#[test]
fn prepared_across_restarts() {
    let scratch = Scratch::new("two-phase-restart", &SETTINGS);
    let database = prepare(&scratch, 4);
    leave_prepared(&database, "kept", "1, 2, 3");
    leave_prepared(&database, "undone", "4, 5");
    scratch.stop("fast");
    scratch.start_again();
    database.run("INSERT INTO item VALUES (6)");
    scratch.kill9();
    scratch.start_again();
    let mut admin = database.connect();
    run(&mut admin, "INSERT INTO item VALUES (7)");
    assert_recorded(&mut admin, "6 7");
    run(&mut admin, "COMMIT PREPARED 'kept'");
    run(&mut admin, "ROLLBACK PREPARED 'undone'");
    assert_recorded(&mut admin, "1 2 3 6 7");
    run(&mut admin, "INSERT INTO item VALUES (8)");
    assert_recorded(&mut admin, "1 2 3 6 7 8");
}

#[test]
fn one_lane_is_held_until_the_end() {
    let scratch = Scratch::new("two-phase-lane", &SETTINGS);
    let database = prepare(&scratch, 1);
    leave_prepared(&database, "holder", "1");
    for restart in [false, true] {
        if restart {
            scratch.stop("fast");
            scratch.start_again();
        }
        let mut writer = database.connect();
        run(&mut writer, "SET auditspine.lane_timeout = '300ms'");
        for statement in [
            "INSERT INTO item VALUES (2)",
            "BEGIN; INSERT INTO item VALUES (3); COMMIT",
        ] {
            let error = writer
                .batch_execute(statement)
                .expect_err("the lane is taken");
            assert_eq!(sqlstate(&error), "55P03", "{error:?}");
            run(&mut writer, "ROLLBACK");
        }
        assert_recorded(&mut writer, "");
    }
    let mut writer = database.connect();
    run(&mut writer, "COMMIT PREPARED 'holder'");
    run(&mut writer, "INSERT INTO item VALUES (4)");
    assert_recorded(&mut writer, "1 4");
}

#[test]
fn two_lanes_let_others_pass() {
    let scratch = Scratch::new("two-phase-lanes", &SETTINGS);
    let database = prepare(&scratch, 2);
    leave_prepared(&database, "holder", "1");
    let mut writer = database.connect();
    run(
        &mut writer,
        "SET auditspine.lane_timeout = '300ms'; INSERT INTO item VALUES (2)",
    );
    leave_prepared(&database, "second holder", "3");
    let error = writer
        .batch_execute("INSERT INTO item VALUES (4)")
        .expect_err("both lanes are taken");
    assert_eq!(sqlstate(&error), "55P03", "{error:?}");
    run(&mut writer, "ROLLBACK PREPARED 'second holder'");
    run(&mut writer, "INSERT INTO item VALUES (5)");
    run(&mut writer, "COMMIT PREPARED 'holder'");
    assert_recorded(&mut writer, "1 2 5");
    assert_no_rows(
        &mut writer,
        "a lane beyond the two",
        "SELECT lane::text FROM auditspine.audit_chain WHERE lane NOT IN (0, 1)",
    );
}
