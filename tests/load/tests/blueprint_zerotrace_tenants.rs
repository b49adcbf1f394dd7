//! Companies of blueprint `zerotrace` that verify their own history: what that reads, and what it tells of others.

use std::time::{Duration, Instant};

use auditspine_load::server::{Database, run, scalar, sqlstate, turn};
use auditspine_load::zerotrace::{COMPANIES, company, install};
use postgres::Client;

/// Findings of each company, and of the large one.
const SMALL: i64 = 40;
const LARGE: i64 = 20_000;
/// The large company, and two others.
const GIANT: usize = 0;
const OURS: usize = 7;
const THEIRS: usize = 8;
const CLIENTS: usize = 16;

fn fill(admin: &mut Client) {
    let insert = |numbers: &str, rows: i64| {
        format!(
            "INSERT INTO zerotrace.network_findings (company_id, agent_id, host, port, protocol, service_name)
             SELECT (lpad(to_hex(c), 8, '0') || '-c0de-4000-8000-' || lpad(to_hex(c), 12, '0'))::uuid, md5('agent ' || c)::uuid,
                    'host ' || g, 1 + g % 65535, 'tcp', 'dns'
             FROM generate_series(1, {rows}) g, {numbers} c"
        )
    };
    for half in ["1, 499", "500, 999"] {
        run(admin, &insert(&format!("generate_series({half})"), SMALL));
    }
    run(admin, &insert(&format!("(SELECT {GIANT} AS c)"), LARGE));
    run(admin, "VACUUM (ANALYZE) auditspine.audit_chain");
    let entries: i64 = scalar(
        admin,
        "SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'zerotrace.network_findings'",
    );
    assert_eq!(entries, SMALL * (COMPANIES as i64 - 1) + LARGE);
}

/// Blocks of the entries' table that a role's call reads, from memory or disk.
fn blocks(database: &Database, role: &str, call: &str) -> i64 {
    // The least of some: what autovacuum reads meanwhile counts as well.
    let each = (0..3).map(|_| blocks_once(database, role, call));
    each.min().expect("three")
}

fn blocks_once(database: &Database, role: &str, call: &str) -> i64 {
    let mut client = database.connect();
    run(
        &mut client,
        "SELECT pg_stat_force_next_flush(), pg_stat_reset_single_table_counters('auditspine.audit_chain'::regclass)",
    );
    run(
        &mut client,
        &format!(
            "SET ROLE {role}; SET app.current_company_id = '{}'",
            company(OURS)
        ),
    );
    run(&mut client, call);
    run(&mut client, "RESET ROLE; SELECT pg_stat_force_next_flush()");
    scalar(
        &mut client,
        "SELECT heap_blks_hit + heap_blks_read FROM pg_statio_user_tables WHERE relid = 'auditspine.audit_chain'::regclass",
    )
}

fn assert_own_entries_only(database: &Database) {
    let all = blocks(database, "none", "SELECT verify_chain()");
    let ours = company(OURS);
    let calls = [
        format!("SELECT verify_chain('{ours}')"),
        format!("SELECT verify_table('zerotrace.network_findings', chain => '{ours}')"),
    ];
    for role in ["none", "zerotrace_fixed", "zerotrace_app"] {
        for call in &calls {
            let own = blocks(database, role, call);
            println!("{role}, {call}: {own} blocks of entries for {SMALL} findings, {all} for all");
            // Each entry once by its place; the ends of the lanes, and the system's entries, besides.
            assert!(own > 0 && own <= 3 * SMALL + 200, "{own}");
            assert!(own * 5 < all, "{own} of {all}");
        }
    }
}

/// The median time of a call that is refused as one of a chain that does not exist.
fn refused(client: &mut Client, name: &str) -> Duration {
    let mut times: Vec<Duration> = (0..301)
        .map(|_| {
            let start = Instant::now();
            let error = client
                .query("SELECT verify_chain($1)", &[&name])
                .expect_err("out of sight");
            assert_eq!(sqlstate(&error), "42704", "{error}");
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn assert_nothing_of_others(database: &Database) {
    let mut tenant = database.connect();
    run(&mut tenant, "SET ROLE zerotrace_fixed");
    let seen: i64 = scalar(&mut tenant, "SELECT count(*) FROM auditspine.audit_chain");
    assert_eq!(seen, SMALL);
    let names: String = scalar(
        &mut tenant,
        "SELECT string_agg(name, ',') FROM auditspine.chain",
    );
    assert_eq!(names, company(OURS));
    let by_guess: i64 = scalar(
        &mut tenant,
        &format!(
            "SELECT count(*) FROM auditspine.audit_chain WHERE event_pk LIKE '%{}%' OR seq < 100000 AND chain_id <> (SELECT chain_id FROM auditspine.chain)",
            company(GIANT)
        ),
    );
    assert_eq!(by_guess, 0);
    let there = refused(&mut tenant, &company(GIANT));
    let never = refused(&mut tenant, &company(COMPANIES + 5));
    println!("refused: {there:?} for the largest chain, {never:?} for none");
    let slack = Duration::from_millis(1);
    assert!(
        there < never * 3 + slack && never < there * 3 + slack,
        "{there:?} {never:?}"
    );
}

/// Many pooled connections, each of which goes from one company to the next.
fn assert_pools_are_kept_apart(database: &Database) {
    std::thread::scope(|scope| {
        for client_number in 0..CLIENTS {
            scope.spawn(move || {
                let mut client = database.connect();
                run(&mut client, "SET ROLE zerotrace_app");
                for step in 0..30 {
                    let number = 1 + (client_number * 61 + step * 37) % (COMPANIES - 1);
                    let mut transaction = client.transaction().expect("a transaction");
                    transaction
                        .execute(
                            "SELECT zerotrace.set_company_context($1::text::uuid, local => true)",
                            &[&company(number)],
                        )
                        .expect("a company");
                    let row = transaction
                        .query_one("SELECT chain, ok, entries FROM verify_chain()", &[])
                        .expect("one verdict");
                    assert_eq!(row.get::<_, String>("chain"), company(number));
                    assert!(row.get::<_, bool>("ok"));
                    assert_eq!(row.get::<_, i64>("entries"), SMALL);
                    // All rows of the table are looked at for this.
                    if step % 10 == 0 {
                        let row = transaction
                            .query_one(
                                "SELECT ok, rows FROM verify_table('zerotrace.network_findings')",
                                &[],
                            )
                            .expect("one verdict");
                        assert!(row.get::<_, bool>("ok"));
                        assert_eq!(row.get::<_, i64>("rows"), SMALL);
                    }
                    transaction.commit().expect("nothing written");
                    let after: i64 = scalar(&mut client, "SELECT count(*) FROM verify_chain()");
                    assert_eq!(after, 0, "a session without a company");
                }
            });
        }
    });
}

fn verdict(admin: &mut Client, number: usize) -> bool {
    scalar(
        admin,
        &format!(
            "SELECT ok FROM verify_table('zerotrace.network_findings', chain => '{}')",
            company(number)
        ),
    )
}

fn assert_one_verdict_turns(admin: &mut Client) {
    assert!(verdict(admin, THEIRS) && verdict(admin, OURS));
    run(
        admin,
        &format!(
            "ALTER TABLE zerotrace.network_findings DISABLE TRIGGER auditspine_audit;
             UPDATE zerotrace.network_findings SET status = 'closed' WHERE company_id = '{}' AND host = 'host 3';
             ALTER TABLE zerotrace.network_findings ENABLE ALWAYS TRIGGER auditspine_audit",
            company(THEIRS)
        ),
    );
    for (number, ok) in [(THEIRS, false), (OURS, true), (GIANT, true), (999, true)] {
        assert_eq!(verdict(admin, number), ok, "company {number}");
    }
    let findings: String = scalar(
        admin,
        "SELECT string_agg(layer || ' ' || subject || ' ' || findings, ', ') FROM verify_all() WHERE NOT ok",
    );
    assert_eq!(findings, "rows zerotrace.network_findings 1");
    let named: String = scalar(
        admin,
        "SELECT string_agg(finding || ' ' || (pk::jsonb ->> 0), ', ') FROM auditspine.alert",
    );
    assert_eq!(named, format!("row_edited {}", company(THEIRS)));
}

#[test]
fn companies_verify_their_own_history() {
    let _turn = turn();
    let (database, mut admin) = install("zerotrace_tenants");
    fill(&mut admin);
    run(
        &mut admin,
        &format!(
            "DO $$ BEGIN CREATE ROLE zerotrace_fixed; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
             SELECT grant_auditor('zerotrace_fixed', chain => '{}');
             SELECT grant_auditor('zerotrace_app', chain_setting => 'app.current_company_id')",
            company(OURS)
        ),
    );
    assert_own_entries_only(&database);
    assert_nothing_of_others(&database);
    assert_pools_are_kept_apart(&database);
    assert_one_verdict_turns(&mut admin);
}
