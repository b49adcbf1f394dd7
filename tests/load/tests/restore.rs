//! The whole database dumped and restored into a fresh cluster, in either format: links and rows are
//! verified there, appending goes on, and what is tampered with then is found.

use std::path::PathBuf;
use std::process::Command;

use auditspine_load::check::assert_linked;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, Server, run, scalar, turn};

/// Tables of every sort: with columns that were dropped, renamed and retyped before and after rows
/// were written, so that their numbers are others after a restore.
const SOURCE: &str = "
    SELECT create_chain('ledger', 1);
    CREATE TABLE plain (gone text, id integer PRIMARY KEY, note text, price numeric(10, 2), later text);
    ALTER TABLE plain DROP COLUMN gone;
    SELECT audit_attach('plain', payload => 'full');
    INSERT INTO plain SELECT g, 'note ' || g, g * 1.25 FROM generate_series(1, 300) g;
    ALTER TABLE plain ADD COLUMN added date;
    INSERT INTO plain SELECT g, 'note ' || g, g * 1.25, 'later', '2026-01-01' FROM generate_series(301, 400) g;
    ALTER TABLE plain RENAME COLUMN note TO remark;
    ALTER TABLE plain RENAME COLUMN later TO note;
    UPDATE plain SET price = 1 WHERE id % 10 = 0;
    DELETE FROM plain WHERE id % 50 = 1;
    CREATE TABLE tenant_row (tenant text, id bigint, doc jsonb, PRIMARY KEY (tenant, id));
    SELECT audit_attach('tenant_row', chain_by => '{tenant}', exclude => '{doc}');
    INSERT INTO tenant_row SELECT 't' || g % 7, g, jsonb_build_object('g', g) FROM generate_series(1, 200) g;
    CREATE TABLE part (at date, id integer, junk text, v text, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
    CREATE TABLE part_a PARTITION OF part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    SELECT audit_attach('part', chain => 'ledger');
    CREATE TABLE part_b (junk text, v text, id integer NOT NULL, at date NOT NULL);
    INSERT INTO part_b SELECT NULL, 'b', g, date '2026-01-01' + g FROM generate_series(1, 50) g;
    ALTER TABLE part ATTACH PARTITION part_b FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO part SELECT date '2025-01-01' + g, g, NULL, 'a' FROM generate_series(1, 50) g;
    ALTER TABLE part DROP COLUMN junk;
    CREATE TABLE part_c PARTITION OF part FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
    INSERT INTO part SELECT date '2027-01-01' + g, g, 'c' FROM generate_series(1, 50) g;
    TRUNCATE part_c;
    INSERT INTO part VALUES ('2027-05-05', 5, 'again');
    CREATE TABLE sealed (id integer PRIMARY KEY, v text);
    INSERT INTO sealed SELECT g, 'old' FROM generate_series(1, 30) g;
    SELECT audit_attach('sealed', append_only => true, backfill => true);
    INSERT INTO sealed SELECT g, 'new' FROM generate_series(31, 60) g;
    CREATE TABLE left_alone (id integer PRIMARY KEY);
    SELECT audit_attach('left_alone');
    INSERT INTO left_alone VALUES (1);
    SELECT audit_detach('left_alone')";

const TABLES: [&str; 4] = ["plain", "tenant_row", "part", "sealed"];

/// `(ok, rows, findings)` of each audited table.
fn verdicts(database: &Database) -> Vec<String> {
    let mut client = database.connect();
    TABLES
        .iter()
        .map(|table| {
            scalar(
                &mut client,
                &format!("SELECT row(ok, rows, findings, unverifiable)::text FROM verify_table('{table}')"),
            )
        })
        .collect()
}

fn assert_all_clean(database: &Database) {
    let mut client = database.connect();
    let bad: Option<String> = scalar(
        &mut client,
        "SELECT string_agg(row(v.*)::text, E'\\n') FROM verify_all() v WHERE NOT ok",
    );
    assert_eq!(bad, None);
    assert_linked(&mut client);
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("a program of PostgreSQL");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn round_trip(name: &str, dump: &[&str], restore: impl Fn(&Server, &PathBuf)) {
    let _turn = turn();
    let server = Server::from_env();
    let source = server.fresh_database(&format!("restore_{name}"));
    source.run(SOURCE);
    assert_all_clean(&source);
    let before = verdicts(&source);
    let entries: i64 = scalar(
        &mut source.connect(),
        "SELECT count(*) FROM auditspine.audit_chain",
    );

    let file =
        std::env::temp_dir().join(format!("auditspine-restore-{name}-{}", std::process::id()));
    succeed(
        server
            .program("pg_dump")
            .args(dump)
            .arg("-f")
            .arg(&file)
            .arg(source.name()),
    );
    let cluster = Scratch::new(&format!("restore-{name}"), &[]);
    let target = cluster.server().empty_database("restored");
    restore(cluster.server(), &file);
    std::fs::remove_file(&file).expect("the dump is removed");

    // As it was, and nothing was added by restoring. What a dropped column held is in no dump: rows that were recorded
    // with it, as hashes alone, cannot be verified any more.
    let mut expected = before.clone();
    assert_eq!((TABLES[2], &before[2][..]), ("part", "(t,101,0,0)"));
    "(t,101,100,100)".clone_into(&mut expected[2]);
    assert_eq!(verdicts(&target), expected, "{name}");
    let mut client = target.connect();
    assert_eq!(
        scalar::<i64>(&mut client, "SELECT count(*) FROM auditspine.audit_chain"),
        entries
    );
    assert_all_clean(&target);

    // It goes on.
    run(
        &mut client,
        "INSERT INTO plain (id, remark) VALUES (1000, 'after');
         UPDATE plain SET price = 2 WHERE id = 5;
         ALTER TABLE plain RENAME COLUMN remark TO renamed_again;
         UPDATE part SET v = 'after' WHERE id = 7;
         INSERT INTO tenant_row VALUES ('t1', 1000), ('a new tenant', 1);
         ALTER TABLE part DETACH PARTITION part_b;
         INSERT INTO sealed VALUES (1000)",
    );
    assert_all_clean(&target);
    let refused = client
        .batch_execute("DELETE FROM sealed")
        .expect_err("the policy was restored too");
    assert_eq!(refused.code().map(|code| code.code()), Some("42501"));

    // And finds what is done behind its back.
    run(
        &mut client,
        "SET session_replication_role = replica;
         ALTER TABLE plain DISABLE TRIGGER USER;
         UPDATE plain SET price = 7 WHERE id = 9;
         ALTER TABLE plain ENABLE ALWAYS TRIGGER auditspine_audit",
    );
    let found: String = scalar(
        &mut client,
        "SELECT string_agg(finding || ' ' || key, ', ') FROM verify_table_findings('plain') WHERE key IS NOT NULL",
    );
    assert_eq!(found, "row_edited 9");
    println!("{name}: {entries} entries, tables {before:?}");
}

#[test]
fn restored_from_plain_format() {
    round_trip("plain", &[], |server, file| {
        succeed(
            server
                .program("psql")
                .args([
                    "-X",
                    "-q",
                    "-o",
                    "/dev/null",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-d",
                    "restored",
                    "-f",
                ])
                .arg(file),
        );
    });
}

#[test]
fn restored_from_custom_format() {
    round_trip("custom", &["-Fc"], |server, file| {
        succeed(
            server
                .program("pg_restore")
                .args(["--exit-on-error", "-j", "2", "-d", "restored"])
                .arg(file),
        );
    });
}
