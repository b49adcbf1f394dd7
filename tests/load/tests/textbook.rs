//! The textbook trigger (last row FOR UPDATE, read its hash, insert) forks under a load that leaves
//! ours linear. This also shows that the load is one under which a fork can happen at all.

use std::fs;
use std::path::Path;

use auditspine_load::check::{UNLINKED, assert_linked, assert_verified};
use auditspine_load::item::create_item;
use auditspine_load::ledger::Ledger;
use auditspine_load::mix::run_clients;
use auditspine_load::server::{Database, Server, run, scalar, turn};
use auditspine_load::session::Session;

const CLIENTS: i64 = 32;
const INSERTS: i64 = 60;

fn insert_everywhere(database: &Database) -> Ledger {
    run_clients(CLIENTS, |id| {
        let mut session = Session::open(database, id, "read committed").expect("a connection");
        for _ in 0..INSERTS {
            session.insert_alone();
        }
        session.ledger
    })
}

fn textbook_sql() -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/baselines/textbook_fork.sql");
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn textbook_trigger_forks() {
    let _turn = turn();
    let database = Server::from_env().empty_database("textbook");
    let mut admin = database.connect();
    create_item(&mut admin, None);
    run(&mut admin, &textbook_sql());
    run(
        &mut admin,
        "CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
         FOR EACH ROW EXECUTE FUNCTION textbook_append('item', 'k')",
    );
    let ledger = insert_everywhere(&database);
    let links: i64 = scalar(&mut admin, "SELECT count(*) FROM textbook_chain");
    let broken: i64 = scalar(
        &mut admin,
        "SELECT count(*) FROM (
             SELECT prev_hash, lag(chain_hash) OVER (ORDER BY seq) AS hash_before FROM textbook_chain) s
         WHERE prev_hash <> hash_before",
    );
    println!("textbook trigger: {ledger}; {broken} of {links} links broken");
    assert_eq!(links, CLIENTS * INSERTS + 1, "links, with the first");
    assert!(
        broken > 0,
        "the textbook trigger did not fork: this load shows nothing"
    );
}

#[test]
fn ours_does_not_fork() {
    let _turn = turn();
    for lanes in [1, 32] {
        let database = Server::from_env().fresh_database(&format!("textbook_ours_{lanes}"));
        let mut admin = database.connect();
        admin
            .execute("SELECT create_chain('load', $1)", &[&lanes])
            .expect("a chain");
        create_item(&mut admin, Some("'item', 'chain=load'"));
        let ledger = insert_everywhere(&database);
        let links: i64 = scalar(
            &mut admin,
            "SELECT count(*) FROM auditspine.audit_chain WHERE op <> 'S'",
        );
        let broken: i64 = scalar(
            &mut admin,
            &format!("SELECT count(*) FROM ({UNLINKED}) AS unlinked"),
        );
        println!("auditspine, {lanes} lanes: {ledger}; {broken} of {links} links broken");
        assert_eq!((links, broken), (CLIENTS * INSERTS, 0));
        assert_linked(&mut admin);
        assert_verified(&mut admin);
    }
}
