//! 32 connections, three isolation levels, one lane and 32: every committed change is recorded
//! exactly once, nothing else is, and every lane is one unbroken chain.

use std::time::Instant;

use auditspine_load::check::assert_all;
use auditspine_load::item::create_item;
use auditspine_load::mix::run_mix;
use auditspine_load::server::{Server, turn};

const CLIENTS: i64 = 32;
const TRANSACTIONS: u32 = 60;

fn mixed_load(isolation: &str, lanes: u32) {
    let name = format!("load_{}_{lanes}", isolation.replace(' ', "_"));
    let database = Server::from_env().fresh_database(&name);
    let mut admin = database.connect();
    admin
        .execute("SELECT create_chain('load', $1::int)", &[&(lanes as i32)])
        .expect("a chain");
    create_item(&mut admin, Some("'item', 'chain=load'"));

    let start = Instant::now();
    let ledger = run_mix(&database, CLIENTS, TRANSACTIONS, isolation);
    let used: i64 = admin
        .query_one(
            "SELECT count(DISTINCT lane) FROM auditspine.audit_chain WHERE op <> 'S'",
            &[],
        )
        .expect("lanes used")
        .get(0);
    println!(
        "{isolation}, {lanes} lanes: {ledger}; {used} lanes used, {:.1} s",
        start.elapsed().as_secs_f64()
    );

    // A load that mostly fails would show nothing.
    assert!(ledger.commits * 2 > ledger.transactions(), "{ledger}");
    assert!(ledger.rollbacks > 0, "{ledger}");
    let unexpected: Vec<_> = ledger
        .failures
        .keys()
        .filter(|state| !["40001"].contains(&state.as_str()))
        .collect();
    assert!(
        unexpected.is_empty(),
        "unexpected failures {unexpected:?}: {ledger}"
    );
    assert!(
        ledger.failures.is_empty() || isolation != "read committed",
        "{ledger}"
    );
    assert!(
        if lanes == 1 { used == 1 } else { used > 1 },
        "{used} lanes used of {lanes}"
    );
    assert_all(&mut admin, &ledger);
}

#[test]
fn read_committed_one_lane() {
    let _turn = turn();
    mixed_load("read committed", 1);
}

#[test]
fn read_committed_many_lanes() {
    let _turn = turn();
    mixed_load("read committed", 32);
}

#[test]
fn repeatable_read_one_lane() {
    let _turn = turn();
    mixed_load("repeatable read", 1);
}

#[test]
fn repeatable_read_many_lanes() {
    let _turn = turn();
    mixed_load("repeatable read", 32);
}

#[test]
fn serializable_one_lane() {
    let _turn = turn();
    mixed_load("serializable", 1);
}

#[test]
fn serializable_many_lanes() {
    let _turn = turn();
    mixed_load("serializable", 32);
}
