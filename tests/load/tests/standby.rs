//! A hot standby verifies the chain while the primary writes it.

use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_all, assert_linked, assert_verified};
use auditspine_load::item::create_item;
use auditspine_load::mix::run_mix;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{scalar, turn};

#[test]
fn standby_verifies_while_the_primary_writes() {
    let _turn = turn();
    let settings = ["hot_standby_feedback=on", "max_standby_streaming_delay=-1"];
    let primary = Scratch::new("standby-primary", &settings);
    let database = primary.server().fresh_database("standby");
    let mut admin = database.connect();
    admin
        .execute("SELECT create_chain('load', 8)", &[])
        .expect("a chain");
    create_item(&mut admin, Some("'item', 'chain=load'"));
    let standby = primary.standby("standby-replica");
    let mut reader = standby.server().database("standby").connect();
    assert!(scalar::<bool>(&mut reader, "SELECT pg_is_in_recovery()"));

    let (ledger, growth) = thread::scope(|scope| {
        let load = scope.spawn(|| run_mix(&database, 8, 150, "read committed"));
        let mut growth: Vec<i64> = Vec::new();
        while !load.is_finished() {
            // What a verification saw is a snapshot: it is clean, whatever is being replayed.
            assert_verified_in_one_snapshot(&mut reader);
            growth.push(scalar(
                &mut reader,
                "SELECT sum(entries)::bigint FROM verify_chain()",
            ));
        }
        (load.join().expect("the load"), growth)
    });
    println!(
        "{ledger}; {} verifications on the standby, entries {growth:?}",
        3 * growth.len()
    );
    assert!(growth.is_sorted() && growth.len() > 1, "{growth:?}");
    assert!(
        growth.first() < growth.last(),
        "the primary did not write meanwhile: {growth:?}"
    );

    assert_all(&mut admin, &ledger);
    let end: String = scalar(&mut admin, "SELECT pg_current_wal_insert_lsn()::text");
    let start = Instant::now();
    let caught_up = format!("SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn");
    while !scalar::<bool>(&mut reader, &caught_up) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the standby does not catch up"
        );
        thread::sleep(Duration::from_millis(50));
    }
    let heads = "SELECT string_agg(v::text, E'\\n' ORDER BY v.chain) FROM verify_chain() v";
    assert_eq!(
        scalar::<String>(&mut admin, heads),
        scalar::<String>(&mut reader, heads)
    );
    assert_linked(&mut reader);
}

fn assert_verified_in_one_snapshot(reader: &mut postgres::Client) {
    reader
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .expect("BEGIN");
    assert_verified(reader);
    reader.batch_execute("COMMIT").expect("COMMIT");
}
