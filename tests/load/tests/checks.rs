//! The checks that the other tests rest on see each kind of damage they are there for.

use std::panic::{AssertUnwindSafe, catch_unwind};

use auditspine_load::check::assert_all;
use auditspine_load::item::create_item;
use auditspine_load::ledger::Change;
use auditspine_load::mix::run_mix;
use auditspine_load::server::{Server, run, turn};

/// What is done behind the chain's back, and what the checks must say of it.
const DAMAGE: [(&str, &str); 9] = [
    (
        "DELETE FROM auditspine.audit_chain WHERE pos = 2",
        "a committed change without an entry",
    ),
    (
        "INSERT INTO auditspine.audit_chain
         SELECT seq + 100000, chain_id, lane, pos + 100000, version, op, event_kind, event_pk, xid, appended_at, db_user,
                actor, context, layout, payload, payload_hash, event_hash, prev_hash, chain_hash
         FROM auditspine.audit_chain WHERE op <> 'S' LIMIT 1",
        "an entry without a committed change",
    ),
    (
        "UPDATE auditspine.audit_chain SET payload_hash = sha256('x') WHERE pos = 3",
        "a committed change without an entry",
    ),
    (
        "UPDATE auditspine.audit_chain SET op = 'D' WHERE pos = 1 AND op <> 'S'",
        "a committed change without an entry",
    ),
    (
        "UPDATE auditspine.audit_chain SET seq = -seq",
        "in another order than they were made",
    ),
    (
        "UPDATE auditspine.audit_chain SET pos = pos + 1000 WHERE pos >= 5",
        "an entry that is not linked",
    ),
    (
        "UPDATE auditspine.audit_chain SET chain_hash = event_hash WHERE pos = 4",
        "an entry that is not linked",
    ),
    (
        "UPDATE auditspine.audit_chain SET db_user = 'mallory' WHERE pos = 4",
        "an event hash that is not the hash of the event",
    ),
    (
        "UPDATE item SET note = 'changed' WHERE k = (SELECT max(k) FROM item)",
        "a row that is not as its latest entry says",
    ),
];

#[test]
fn damage_is_seen() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("checks");
    let mut admin = database.connect();
    run(&mut admin, "SELECT create_chain('load', 2)");
    create_item(&mut admin, Some("'item', 'chain=load'"));
    let ledger = run_mix(&database, 4, 40, "read committed");
    let check = |damage: &str, ledger: &_| {
        let mut client = database.connect();
        run(
            &mut client,
            &format!("BEGIN; SET LOCAL session_replication_role = replica; {damage}"),
        );
        let outcome = catch_unwind(AssertUnwindSafe(|| assert_all(&mut client, ledger)));
        outcome.err().map_or_else(
            || "nothing".to_owned(),
            |panic| panic.downcast_ref::<String>().cloned().unwrap_or_default(),
        )
    };
    assert_eq!(check("SELECT", &ledger), "nothing");
    for (damage, expected) in DAMAGE {
        let said = check(damage, &ledger);
        assert!(said.contains(expected), "{damage}\ngave: {said}");
    }

    // A transaction of unknown end that is there only in part.
    let mut partly = ledger;
    let there = partly.committed.pop().expect("a change");
    let absent = Change {
        k: -1,
        ..there.clone()
    };
    partly.unknown.push(vec![there.clone(), absent]);
    assert!(check("SELECT", &partly).contains("recorded in part"));
    // And one that is there in full.
    partly.unknown[0].pop();
    assert_eq!(check("SELECT", &partly), "nothing");
}
