//! Maintenance of the state tables while they are written to: rewritten, reindexed, indexes dropped
//! and built. Entries are inserted into heap and indexes without the executor, so what PostgreSQL's
//! own checks say of the indexes counts as well.

use std::thread;

use auditspine_load::check::{assert_all, assert_no_rows};
use auditspine_load::item::create_item;
use auditspine_load::mix::run_mix;
use auditspine_load::server::{Database, Server, run, scalar, turn};
use postgres::Client;

/// Each is a transaction of its own, as CONCURRENTLY and VACUUM want it.
const CHORES: [&str; 12] = [
    "VACUUM FULL auditspine.audit_chain",
    "REINDEX TABLE CONCURRENTLY auditspine.audit_chain",
    "CREATE INDEX CONCURRENTLY by_key ON auditspine.audit_chain (event_kind, event_pk)",
    "SELECT index_history()",
    "VACUUM ANALYZE auditspine.audit_chain",
    "CREATE INDEX CONCURRENTLY by_user ON auditspine.audit_chain (db_user, op)",
    "REINDEX TABLE auditspine.audit_chain",
    "DROP INDEX CONCURRENTLY auditspine.by_user",
    "VACUUM FULL auditspine.chain",
    "REINDEX TABLE CONCURRENTLY auditspine.chain",
    "DROP INDEX auditspine.by_key",
    "CLUSTER auditspine.audit_chain USING audit_chain_pkey",
];

/// Every B-tree of the two tables has an entry for every row, and the block-range index finds them.
fn assert_indexed(client: &mut Client) {
    run(client, "CREATE EXTENSION IF NOT EXISTS amcheck");
    let checked: i64 = scalar(
        client,
        "SELECT count(bt_index_parent_check(i.indexrelid, true)::text)
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
         WHERE a.amname = 'btree' AND i.indrelid IN ('auditspine.audit_chain'::regclass, 'auditspine.chain'::regclass)",
    );
    assert_eq!(checked, 5, "B-trees");
    run(
        client,
        "SET enable_seqscan = off; SET enable_indexscan = off",
    );
    let plan = client
        .query(
            "EXPLAIN SELECT FROM auditspine.audit_chain WHERE seq = 1",
            &[],
        )
        .expect("a plan");
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    assert!(
        plan.iter().any(|line| line.contains("audit_chain_seq_idx")),
        "{plan:#?}"
    );
    assert_no_rows(
        client,
        "an entry that the index on seq does not find",
        "SELECT s.seq::text FROM (SELECT seq FROM auditspine.audit_chain ORDER BY random() LIMIT 1000) s
         WHERE NOT EXISTS (SELECT FROM auditspine.audit_chain a WHERE a.seq = s.seq OFFSET 0)",
    );
    run(client, "RESET enable_seqscan; RESET enable_indexscan");
}

fn prepare(name: &str) -> (Database, Client) {
    let database = Server::from_env().fresh_database(name);
    let mut admin = database.connect();
    run(&mut admin, "SELECT create_chain('load', 4)");
    create_item(&mut admin, Some("'item', 'chain=load'"));
    (database, admin)
}

#[test]
fn chores_during_the_load() {
    let _turn = turn();
    let (database, mut admin) = prepare("maintenance");
    let (ledger, chores) = thread::scope(|scope| {
        let load = scope.spawn(|| run_mix(&database, 16, 150, "read committed"));
        let mut chores = 0;
        for chore in CHORES.iter().cycle() {
            if load.is_finished() && chores >= CHORES.len() {
                break;
            }
            run(&mut admin, chore);
            chores += 1;
        }
        run(
            &mut admin,
            "DROP INDEX IF EXISTS auditspine.by_user, auditspine.by_key",
        );
        (load.join().expect("the load"), chores)
    });
    println!("{ledger}; {chores} chores meanwhile");
    assert!(ledger.failures.is_empty(), "{ledger}");
    assert_all(&mut admin, &ledger);
    assert_indexed(&mut admin);
}

#[test]
fn indexes_hold_every_entry_of_a_bulk_load() {
    let _turn = turn();
    let (database, mut admin) = prepare("maintenance_bulk");
    let rows = 60_000;
    thread::scope(|scope| {
        for part in 0..3 {
            let database = &database;
            scope.spawn(move || {
                database.run(&format!(
                    "INSERT INTO item SELECT k, 0, 'bulk ' || k FROM generate_series({}, {}) k",
                    part * rows + 1,
                    (part + 1) * rows
                ));
            });
        }
    });
    let entries: i64 = scalar(
        &mut admin,
        "SELECT count(*) FROM auditspine.audit_chain WHERE op <> 'S'",
    );
    let blocks: i64 = scalar(
        &mut admin,
        "SELECT pg_relation_size('auditspine.audit_chain') / current_setting('block_size')::int",
    );
    println!("{entries} entries in {blocks} blocks by 3 sessions at once");
    assert_eq!(entries, 3 * rows);
    run(&mut admin, "VACUUM ANALYZE auditspine.audit_chain");
    assert_indexed(&mut admin);
}
