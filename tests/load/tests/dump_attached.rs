//! Attached tables in dumps: restoring writes no entry and makes each trigger once, whatever the event
//! trigger of the extension sees meanwhile; then the audit goes on.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use auditspine_load::check::assert_verified;
use auditspine_load::server::{Server, run, scalar, turn};
use postgres::Client;

const SOURCE: &str = "attached_source";
const TARGET: &str = "attached_target";

/// Every trigger of ours, as it fires.
const TRIGGERS: &str = "
    SELECT string_agg(format('%s %s %s %s %s', tgrelid::regclass, tgname, tgenabled, tgparentid <> 0, pg_get_triggerdef(oid)),
                      E'\\n' ORDER BY tgrelid::regclass::text, tgname)
    FROM pg_trigger WHERE NOT tgisinternal OR tgparentid <> 0";
const ENTRIES: &str = "SELECT count(*) || ' ' || max(seq) FROM auditspine.audit_chain";
const TABLES: [&str; 3] = ["product", "event", "\"Odd; one\".\"Ta'ble\""];

fn assert_rows_verified(client: &mut Client) {
    for table in TABLES {
        let rows = client
            .query(
                "SELECT kind, ok, rows FROM verify_table($1::text::regclass)",
                &[&table],
            )
            .unwrap_or_else(|e| panic!("{table}: {e:?}"));
        assert_eq!(rows.len(), 1, "{table}");
        assert!(rows[0].get::<_, bool>("ok"), "{table}: {rows:?}");
        assert!(rows[0].get::<_, i64>("rows") > 0, "{table}: {rows:?}");
    }
}

fn fill(server: &Server) -> (String, String) {
    let mut source = server.fresh_database(SOURCE).connect();
    run(
        &mut source,
        "SELECT create_chain('ledger', 1);
         CREATE TABLE product (id integer PRIMARY KEY, tenant text, secret text);
         CREATE TABLE event (id integer NOT NULL, at date NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
         CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (id);
         CREATE TABLE event_2025_1 PARTITION OF event_2025 DEFAULT;
         CREATE SCHEMA \"Odd; one\";
         CREATE TABLE \"Odd; one\".\"Ta'ble\" (\"k,1\" integer NOT NULL UNIQUE, \"a\"\"b\" text);
         INSERT INTO event SELECT g, date '2024-01-01' + 3 * g, 'early' FROM generate_series(1, 200) g;
         SELECT audit_attach('product', chain_by => '{tenant}', payload => 'full', exclude => '{secret}');
         SELECT audit_attach('event', append_only => true, backfill => true);
         SELECT audit_attach('\"Odd; one\".\"Ta''ble\"', kind => 'odd=kind', pk => '{\"k,1\"}', chain => 'ledger');",
    );
    run(
        &mut source,
        "INSERT INTO product SELECT g, 'tenant ' || g % 7, 'x' FROM generate_series(1, 300) g;
         UPDATE product SET tenant = 'tenant 8' WHERE id % 10 = 0;
         INSERT INTO \"Odd; one\".\"Ta'ble\" SELECT g, g FROM generate_series(1, 50) g;
         CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
         CREATE TABLE loose (note text, id integer NOT NULL, at date NOT NULL);
         INSERT INTO loose VALUES ('came along', 1001, '2027-07-07');
         ALTER TABLE event ATTACH PARTITION loose FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
         INSERT INTO event VALUES (1002, '2026-06-06');
         ALTER TABLE product ADD COLUMN price numeric;
         UPDATE product SET price = 1.50 WHERE id = 1",
    );
    assert_rows_verified(&mut source);
    (scalar(&mut source, TRIGGERS), scalar(&mut source, ENTRIES))
}

fn expect_success(output: &Output) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
}

fn check_target(server: &Server, how: &str, triggers: &str, entries: &str) {
    println!("{how}");
    let mut target = server.database(TARGET).connect();
    assert_eq!(scalar::<String>(&mut target, ENTRIES), entries, "{how}");
    assert_eq!(scalar::<String>(&mut target, TRIGGERS), triggers, "{how}");
    assert_verified(&mut target);
    assert_rows_verified(&mut target);
    let answers: String = scalar(
        &mut target,
        "SELECT concat_ws(' ', audit_attach('product', chain_by => '{tenant}', payload => 'full', exclude => '{secret}'),
                audit_attach('event', append_only => true),
                audit_attach('\"Odd; one\".\"Ta''ble\"', kind => 'odd=kind', pk => '{\"k,1\"}', chain => 'ledger'))",
    );
    assert_eq!(answers, "unchanged unchanged unchanged", "{how}");

    // It goes on: changes, partitions that come and go, other options.
    run(
        &mut target,
        "UPDATE product SET secret = 'y', price = id WHERE id < 20;
         DELETE FROM product WHERE id = 300;
         INSERT INTO event VALUES (2001, '2024-04-04'), (2002, '2025-05-05'), (2003, '2027-08-08');
         CREATE TABLE event_2028 PARTITION OF event FOR VALUES FROM ('2028-01-01') TO ('2029-01-01');
         INSERT INTO event VALUES (2004, '2028-04-04');
         ALTER TABLE event DETACH PARTITION loose;
         ALTER TABLE product RENAME COLUMN price TO cost;
         UPDATE \"Odd; one\".\"Ta'ble\" SET \"a\"\"b\" = 'new' WHERE \"k,1\" = 1",
    );
    run(
        &mut target,
        "SELECT audit_attach('event', backfill => true); DELETE FROM event WHERE id < 10; TRUNCATE event_2024",
    );
    assert_verified(&mut target);
    assert_rows_verified(&mut target);
}

#[test]
fn attached_tables_are_restored() {
    let _turn = turn();
    let server = Server::from_env();
    let (triggers, entries) = fill(&server);
    let pg_dump = |arguments: &[&str]| {
        let output = server
            .program("pg_dump")
            .args(arguments)
            .arg(SOURCE)
            .output()
            .expect("pg_dump");
        expect_success(&output);
        output.stdout
    };

    let plain = pg_dump(&[]);
    server.empty_database(TARGET);
    let mut psql = server
        .program("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", TARGET])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql");
    let mut input = psql.stdin.take().expect("a pipe");
    input.write_all(&plain).expect("psql reads the dump");
    drop(input);
    expect_success(&psql.wait_with_output().expect("psql"));
    check_target(&server, "plain", &triggers, &entries);

    let custom = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attached.dump");
    let custom = custom.to_str().expect("a path in UTF-8");
    pg_dump(&["--format=custom", "--file", custom]);
    let restore = |arguments: &[&str]| {
        let output = server
            .program("pg_restore")
            .args(["--exit-on-error", "--dbname", TARGET])
            .args(arguments)
            .arg(custom)
            .output()
            .expect("pg_restore");
        expect_success(&output);
    };
    server.empty_database(TARGET);
    restore(&[]);
    check_target(&server, "custom", &triggers, &entries);

    server.empty_database(TARGET);
    restore(&["--jobs=4"]);
    check_target(&server, "custom, four jobs", &triggers, &entries);

    server.empty_database(TARGET);
    restore(&["--section=pre-data"]);
    restore(&["--section=data", "--jobs=2"]);
    restore(&["--section=post-data", "--jobs=2"]);
    check_target(&server, "custom, by section", &triggers, &entries);
}
