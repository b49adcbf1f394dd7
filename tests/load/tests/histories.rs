//! Histories are read through runs that are filled now and then, and a tail. Random programs of several sessions, with
//! savepoints, transactions that stay prepared, tenants' chains and fills in between: at every moment audit_history()
//! tells exactly what the entries say.

mod program;

use auditspine_load::check::assert_no_rows;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, run, scalar, turn};
use postgres::Client;

use program::begin;

const SETTINGS: [&str; 2] = ["max_prepared_transactions=20", "autovacuum_naptime=1s"];
/// Keys of one session.
const KEYS: u64 = 8;
const SESSIONS: u64 = 4;

/// What audit_history() says of all keys, and what the entries say, differs in nothing. One snapshot, so that others may
/// write meanwhile.
fn assert_complete(client: &mut Client, what: &str) {
    run(client, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    let keys = SESSIONS * KEYS + 1;
    assert_no_rows(
        client,
        what,
        &format!(
            "WITH told AS (
                 SELECT k::text AS key, h.seq, h.op FROM generate_series(-3, {keys}) k
                 CROSS JOIN LATERAL audit_history('item', k::text) h),
             entry AS (
                 SELECT event_pk, seq, op FROM auditspine.audit_chain
                 WHERE event_kind = 'public.item' AND op IN ('I', 'U', 'D', 'A')
                   AND event_pk::int <= {keys})
             SELECT format('%s of %s, seq %s', d.op, d.key, d.seq) FROM (
                 (SELECT * FROM told EXCEPT ALL SELECT * FROM entry)
                 UNION ALL (SELECT * FROM entry EXCEPT ALL SELECT * FROM told)) d (key, seq, op)"
        ),
    );
    run(client, "COMMIT");
}

fn prepare(scratch: &Scratch, name: &str) -> (Database, Client) {
    let database = scratch.server().fresh_database(name);
    let mut admin = database.connect();
    run(
        &mut admin,
        "CREATE TABLE item (id int PRIMARY KEY, tenant text NOT NULL, v int);
         SELECT audit_attach('item', kind => 'public.item', chain_by => ARRAY['tenant']);
         -- Who makes a chain, others wait for.
         INSERT INTO item SELECT -k, 't' || k - 1, 0 FROM generate_series(1, 3) k",
    );
    (database, admin)
}

/// Has new entries go to pages in the middle of the table, where nothing but their numbers tells that they are new.
fn leave_room(admin: &mut Client) {
    run(
        admin,
        "CREATE TABLE pad (id int PRIMARY KEY);
         SELECT audit_attach('pad')",
    );
    run(
        admin,
        "BEGIN; INSERT INTO pad SELECT generate_series(1, 8000); SELECT audit_flush(); ROLLBACK",
    );
    run(admin, "INSERT INTO pad SELECT generate_series(1, 8000)");
    run(admin, "VACUUM auditspine.audit_chain");
    run(admin, "INSERT INTO item VALUES (0, 't0', 0)");
    let (page, pages): (i64, i64) = {
        let row = admin
            .query_one(
                "SELECT (SELECT ((ctid::text::point)[0])::bigint FROM (SELECT ctid FROM auditspine.audit_chain ORDER BY seq DESC LIMIT 1) c),
                        pg_relation_size('auditspine.audit_chain') / current_setting('block_size')::int",
                &[],
            )
            .expect("a row");
        (row.get(0), row.get(1))
    };
    assert!(
        page + 100 < pages,
        "an entry went to page {page} of {pages}"
    );
}

/// The index is not as a whole without any entries, so what is compared has come through it.
fn assert_filled(admin: &mut Client) {
    let filled: i64 = scalar(
        admin,
        "SELECT coalesce(sum(entries), 0)::bigint FROM auditspine.history_run",
    );
    assert!(filled > 0, "nothing is in the runs");
}

#[test]
fn random_programs_lose_no_version() {
    let _turn = turn();
    let scratch = Scratch::new("histories", &SETTINGS);
    for seed in 0..4 {
        let (database, mut admin) = prepare(&scratch, &format!("histories{seed}"));
        leave_room(&mut admin);
        let mut program = begin(&database, seed);
        for step in 0..160 {
            program.step(&mut admin);
            if step % 4 == 0 {
                assert_complete(&mut admin, &format!("seed {seed}, step {step}"));
            }
        }
        program.finish(&mut admin);
        assert_complete(&mut admin, &format!("seed {seed}, at the end"));
        run(&mut admin, "SELECT index_history()");
        assert_complete(&mut admin, &format!("seed {seed}, filled"));
        assert_filled(&mut admin);
        assert_no_rows(
            &mut admin,
            &format!("seed {seed}, findings"),
            "SELECT layer || ' ' || coalesce(detail, '') FROM verify_all() WHERE NOT ok",
        );
    }
}

/// Who sets the sequence back, and forth again, cannot hide what is linked at the end of the table.
#[test]
fn a_sequence_that_was_set_back_hides_nothing() {
    let _turn = turn();
    let scratch = Scratch::new("histories-setval", &SETTINGS);
    for seed in 0..2 {
        let (database, mut admin) = prepare(&scratch, &format!("setval{seed}"));
        let mut program = begin(&database, 100 + seed);
        for step in 0..120 {
            program.step(&mut admin);
            match program.rng.below(20) {
                0 => run(
                    &mut admin,
                    "SELECT setval('auditspine.audit_seq', 1 + floor(random() * 20)::bigint)",
                ),
                1 => run(
                    &mut admin,
                    "SELECT setval('auditspine.audit_seq', 100000 + floor(random() * 20)::bigint)",
                ),
                // A chain that has no numbers yet takes small ones.
                2 => run(
                    &mut admin,
                    &format!(
                        "INSERT INTO item VALUES (0, 'new{step}', 0) ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant"
                    ),
                ),
                _ => {}
            }
            assert_complete(&mut admin, &format!("seed {seed}, step {step}"));
        }
        program.finish(&mut admin);
        assert_complete(&mut admin, &format!("seed {seed}, at the end"));
        assert_filled(&mut admin);
    }
}

/// On a standby too, and with no more pages read than the tail has, although VACUUM is at work, so that nothing can have
/// the block-range index take in the new pages.
#[test]
fn a_standby_reads_the_runs() {
    let _turn = turn();
    let primary = Scratch::new("histories-primary", &SETTINGS);
    let (database, mut admin) = prepare(&primary, "histories");
    let mut vacuum = database.connect();
    run(
        &mut vacuum,
        "BEGIN; LOCK TABLE auditspine.audit_chain IN SHARE UPDATE EXCLUSIVE MODE",
    );
    run(
        &mut admin,
        "INSERT INTO item SELECT g, 't' || g % 3, 0 FROM generate_series(1, 100000) g;
         UPDATE item SET v = 1 WHERE id <= 100;
         SELECT index_history();
         UPDATE item SET v = 2 WHERE id <= 100",
    );
    let standby = primary.standby("histories-standby");
    let mut reader = standby.server().database("histories").connect();
    for client in [&mut admin, &mut reader] {
        let versions: i64 = scalar(client, "SELECT count(*) FROM audit_history('item', '50')");
        assert_eq!(versions, 3);
        let plan = client
            .query("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) SELECT count(*) FROM audit_history('item', '50')", &[])
            .expect("a plan");
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let buffers = plan
            .iter()
            .flat_map(|line| line.split_whitespace())
            .filter_map(|word| {
                word.strip_prefix("hit=")
                    .or_else(|| word.strip_prefix("read="))
            })
            .filter_map(|count| count.parse::<i64>().ok())
            .max()
            .expect("buffers");
        let pages: i64 = scalar(
            client,
            "SELECT pg_relation_size('auditspine.audit_chain') / current_setting('block_size')::int",
        );
        println!("{buffers} buffers of {pages} pages");
        assert!(buffers * 10 < pages, "{buffers} of {pages}: {plan:#?}");
    }
}

/// Whoever edits a table of the index is found, and histories are right again after the run that found it.
#[test]
fn an_edited_index_is_found() {
    let _turn = turn();
    let scratch = Scratch::new("histories-edited", &SETTINGS);
    let edits = [
        "DELETE FROM auditspine.history_page WHERE page = 2",
        "UPDATE auditspine.history_page SET items = substr(items, 23) WHERE page = 2",
        "UPDATE auditspine.history_page SET last_key = last_key - 1 WHERE page = 2",
        "DELETE FROM auditspine.history_run",
        "UPDATE auditspine.history_run SET digest = sha256('x')",
        "UPDATE auditspine.history_fill SET since_seq = since_seq + 100000",
        "UPDATE auditspine.history_fill SET since_page = 4000000, since_seq = since_seq + 1",
        "DELETE FROM auditspine.history_head",
        "UPDATE auditspine.history_head SET pos = pos + 100000",
        "DELETE FROM auditspine.history_fill",
    ];
    for (at, edit) in edits.iter().enumerate() {
        let (_database, mut admin) = prepare(&scratch, &format!("edited{at}"));
        run(
            &mut admin,
            "INSERT INTO item SELECT g, 't1', 0 FROM generate_series(1, 2000) g;
             SELECT count(*) FROM verify_all()",
        );
        assert_filled(&mut admin);
        run(&mut admin, edit);
        let findings = |client: &mut Client, scope: &str| {
            scalar::<i64>(
                client,
                &format!("SELECT sum(findings)::bigint FROM verify_all({scope})"),
            )
        };
        // What is on pages only a full run looks at.
        let scope = if edit.contains("history_page") {
            "NULL"
        } else {
            "'last'"
        };
        assert!(findings(&mut admin, scope) > 0, "{edit}");
        assert_eq!(findings(&mut admin, "NULL"), 0, "{edit}");
        assert_filled(&mut admin);
        assert_complete(&mut admin, edit);
    }
    // Without any rows, as after a restore, there is nothing to be found.
    let (_database, mut admin) = prepare(&scratch, "emptied");
    run(
        &mut admin,
        "INSERT INTO item SELECT g, 't1', 0 FROM generate_series(1, 2000) g;
         SELECT count(*) FROM verify_all();
         DELETE FROM auditspine.history_fill; DELETE FROM auditspine.history_run;
         DELETE FROM auditspine.history_page; DELETE FROM auditspine.history_head",
    );
    assert_complete(&mut admin, "emptied");
    let findings: i64 = scalar(&mut admin, "SELECT sum(findings)::bigint FROM verify_all()");
    assert_eq!(findings, 0);
    assert_filled(&mut admin);
}
