//! Under REPEATABLE READ and SERIALIZABLE, a load that never fails without the trigger never fails
//! with it.

use auditspine_load::check::assert_verified;
use auditspine_load::item::{audit_item, create_item};
use auditspine_load::ledger::{Ledger, Outcome};
use auditspine_load::mix::run_clients;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, Server, run, scalar, turn};
use auditspine_load::session::Session;

const CLIENTS: i64 = 32;
const TRANSACTIONS: i64 = 100;
/// More rows than an index page holds, so that no two clients meet on one.
const ROWS_EACH: i64 = 1000;

/// Single inserts, alone and in a transaction of their own.
fn inserts(session: &mut Session) {
    for _ in 0..TRANSACTIONS / 2 {
        session.insert_alone();
        session.transaction(|s| {
            s.insert()?;
            Ok(Outcome::Committed)
        });
    }
}

/// Reads and changes rows that are nobody else's.
fn changes(session: &mut Session, id: i64) {
    for turn in 0..TRANSACTIONS {
        let key = id * ROWS_EACH + ROWS_EACH / 2 + turn % 4;
        session.transaction(|s| {
            s.read_modify_write(key)?;
            Ok(Outcome::Committed)
        });
    }
}

fn run_load(database: &Database, isolation: &str) -> [Ledger; 2] {
    [false, true].map(|modify| {
        run_clients(CLIENTS, |id| {
            let mut session = Session::open(database, id, isolation).expect("a connection");
            if modify {
                changes(&mut session, id)
            } else {
                inserts(&mut session)
            }
            session.ledger
        })
    })
}

fn prepare(server: &Server, name: &str, lanes: Option<i32>) -> Database {
    let database = server.fresh_database(name);
    let mut admin = database.connect();
    create_item(&mut admin, None);
    run(
        &mut admin,
        &format!(
            "ALTER TABLE item SET (fillfactor = 20);
             INSERT INTO item SELECT k, 0, 'first' FROM generate_series(1, {}) k",
            CLIENTS * ROWS_EACH
        ),
    );
    run(&mut admin, "VACUUM ANALYZE item");
    if let Some(lanes) = lanes {
        admin
            .execute("SELECT create_chain('load', $1)", &[&lanes])
            .expect("a chain");
        audit_item(&mut admin, "'item', 'chain=load'");
    }
    database
}

fn no_added_failure(isolation: &str) {
    // PostgreSQL sums up old transactions of all databases, and then fails some for others' sake.
    let slug = isolation.replace(' ', "-");
    let scratch = Scratch::new(&format!("serial-{slug}"), &[]);
    for lanes in [None, Some(1), Some(32)] {
        let name = format!("serialization_{}", lanes.unwrap_or(0));
        let database = prepare(scratch.server(), &name, lanes);
        let mut admin = database.connect();
        let ledgers = run_load(&database, isolation);
        let told = lanes.map_or("no trigger".to_owned(), |lanes| format!("{lanes} lanes"));
        for (ledger, what) in ledgers.iter().zip(["inserts", "read-modify-write"]) {
            println!("{isolation}, {told}, {what}: {ledger}");
            assert_eq!(
                ledger.commits,
                (CLIENTS * TRANSACTIONS) as u64,
                "{told}: {ledger}"
            );
            assert!(ledger.failures.is_empty(), "{told}: {ledger}");
        }
        if lanes.is_some() {
            let entries: i64 = scalar(
                &mut admin,
                "SELECT count(*) FROM auditspine.audit_chain WHERE op <> 'S'",
            );
            assert_eq!(entries, 2 * CLIENTS * TRANSACTIONS);
            assert_verified(&mut admin);
        }
    }
}

#[test]
fn repeatable_read_fails_no_more_with_the_trigger() {
    let _turn = turn();
    no_added_failure("repeatable read");
}

#[test]
fn serializable_fails_no_more_with_the_trigger() {
    let _turn = turn();
    no_added_failure("serializable");
}
