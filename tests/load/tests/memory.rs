//! `verify_chain` and `chain_findings` need no more memory for ten times the entries, be the chain
//! sound or damaged at its beginning; nor does `verify_table` for several times the rows, once they are more than it
//! keeps, be they recorded under one layout or under several.
//!
//! Only the test's own view of the backend counts: the peak of its anonymous memory (`RssAnon`),
//! which leaves out shared buffers. So the server must run on this machine.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use auditspine_load::server::{Database, Server, run, scalar, turn};

const FEW: i64 = 50_000;
const MANY: i64 = 500_000;
/// What the allocator's chance may differ by; the entries themselves are over 100 MB.
const SLACK_KIB: u64 = 4 * 1024;

fn rss_anon_kib(pid: i32) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).expect("a server on this machine");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .expect("RssAnon");
    line.trim().trim_end_matches(" kB").parse().expect("kB")
}

/// The growth of a fresh backend's anonymous memory while it runs `query`, and the query's result.
fn peak_of(database: &Database, query: &str) -> (u64, String) {
    let mut client = database.connect();
    let pid: i32 = scalar(&mut client, "SELECT pg_backend_pid()");
    let before = rss_anon_kib(pid);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = rss_anon_kib(pid).max(peak);
                thread::sleep(Duration::from_millis(2));
            }
            peak
        });
        let result = scalar(&mut client, query);
        done.store(true, Ordering::Relaxed);
        (
            sampler.join().expect("the sampler").saturating_sub(before),
            result,
        )
    })
}

#[test]
fn memory_does_not_grow_with_the_chain() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("memory");
    let mut admin = database.connect();
    run(
        &mut admin,
        "CREATE TABLE item (k bigint PRIMARY KEY, note text NOT NULL);
         CREATE TRIGGER audit AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item')",
    );
    let queries = [
        "SELECT row(ok, entries, findings)::text FROM verify_chain('main')",
        "SELECT count(*)::text FROM chain_findings('main')",
    ];
    let mut fill_to = |first: i64, last: i64| {
        run(
            &mut admin,
            &format!(
                "INSERT INTO item SELECT k, 'note ' || k FROM generate_series({first}, {last}) k"
            ),
        );
    };
    fill_to(1, FEW);
    let few = queries.map(|query| peak_of(&database, query));
    assert_eq!(few[0].1, format!("(t,{},0)", FEW + 1));
    fill_to(FEW + 1, MANY);
    let many = queries.map(|query| peak_of(&database, query));
    assert_eq!(many[0].1, format!("(t,{},0)", MANY + 1));

    // With its first entry gone, nothing that follows can be linked to what the pass has seen.
    run(
        &mut admin,
        "SET session_replication_role = replica; DELETE FROM auditspine.audit_chain WHERE pos = 1",
    );
    let damaged = queries.map(|query| peak_of(&database, query));
    assert_eq!(damaged[0].1, format!("(f,{},1)", MANY));
    assert_eq!(damaged[1].1, "1");

    for (what, peaks) in [
        ("50k", &few),
        ("500k", &many),
        ("500k, the first gone", &damaged),
    ] {
        println!(
            "{what}: verify_chain {} KiB, chain_findings {} KiB",
            peaks[0].0, peaks[1].0
        );
    }
    for which in [0, 1] {
        for more in [&many, &damaged] {
            let (low, high) = (few[which].0, more[which].0);
            assert!(
                high <= low + SLACK_KIB,
                "{}: {low} KiB grew to {high} KiB",
                queries[which]
            );
        }
    }
}

#[test]
fn memory_does_not_grow_with_the_table() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("memory_of_rows");
    let mut admin = database.connect();
    run(
        &mut admin,
        "CREATE TABLE item (k bigint PRIMARY KEY, note text NOT NULL);
         SELECT audit_attach('item')",
    );
    let query = "SELECT row(ok, rows, entries, findings)::text FROM verify_table('item')";
    let mut fill_to = |first: i64, last: i64, more: &str| {
        run(
            &mut admin,
            &format!(
                "INSERT INTO item SELECT k, 'note ' || k FROM generate_series({first}, {last}) k; {more}"
            ),
        );
    };
    fill_to(1, 2 * FEW, "ANALYZE item");
    let few = peak_of(&database, query);
    assert_eq!(few.1, format!("(t,{0},{0},0)", 2 * FEW));
    fill_to(2 * FEW + 1, MANY, "");
    let many = peak_of(&database, query);
    assert_eq!(many.1, format!("(t,{MANY},{MANY},0)"));
    // Rows under a former layout are looked at one by one.
    fill_to(
        MANY + 1,
        MANY + FEW,
        "ALTER TABLE item ADD more integer DEFAULT 7; UPDATE item SET note = '' WHERE k <= 1000",
    );
    let layouts = peak_of(&database, query);
    let (rows, entries) = (MANY + FEW, MANY + FEW + 1000);
    assert_eq!(layouts.1, format!("(t,{rows},{entries},0)"));
    println!(
        "verify_table: 100k {} KiB, 500k {} KiB, two layouts {} KiB",
        few.0, many.0, layouts.0
    );
    for more in [many, layouts] {
        assert!(
            more.0 <= few.0 + SLACK_KIB,
            "{} KiB grew to {} KiB",
            few.0,
            more.0
        );
    }
}
