//! pg_dump and restore: the chains come back as they were, verify, and are continued.

use std::io::Write;
use std::process::Stdio;

use auditspine_load::check::{assert_linked, assert_no_rows, assert_verified};
use auditspine_load::server::{Server, run, scalar, turn};

const HEADS: &str = "
    SELECT string_agg(row(v.*)::text, E'\\n' ORDER BY v.chain) FROM verify_chain() v";

#[test]
fn dump_and_restore() {
    let _turn = turn();
    let server = Server::from_env();
    let mut source = server.fresh_database("dump_source").connect();
    run(
        &mut source,
        "SELECT create_chain('ledger', 1);
         CREATE TABLE item (id integer PRIMARY KEY, tenant text);
         CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
             FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'chain_by=tenant', 'payload=full');
         CREATE TABLE entry (id integer PRIMARY KEY);
         CREATE TRIGGER audit AFTER INSERT ON entry
             FOR EACH ROW EXECUTE FUNCTION audit_chain_append('entry', 'chain=ledger');
         CREATE TABLE plain (id integer PRIMARY KEY);
         CREATE TRIGGER audit AFTER INSERT ON plain
             FOR EACH ROW EXECUTE FUNCTION audit_chain_append()",
    );
    run(
        &mut source,
        "SET auditspine.context = '{\"n\": 1.50, \"s\": \"\\\\ \\u00e9\"}';
         INSERT INTO item SELECT g, 'tenant ' || g % 7 FROM generate_series(1, 200) g;
         INSERT INTO entry SELECT g FROM generate_series(1, 50) g;
         INSERT INTO plain SELECT g FROM generate_series(1, 30) g",
    );
    let before: String = scalar(&mut source, HEADS);

    let dump = server
        .program("pg_dump")
        .args(["--no-owner", "dump_source"])
        .output()
        .expect("pg_dump");
    assert!(
        dump.status.success(),
        "{}",
        String::from_utf8_lossy(&dump.stderr)
    );
    server.empty_database("dump_target");
    let mut psql = server
        .program("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "dump_target"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("psql");
    psql.stdin
        .take()
        .expect("a pipe")
        .write_all(&dump.stdout)
        .expect("psql reads the dump");
    assert!(psql.wait().expect("psql").success());

    let mut target = server.database("dump_target").connect();
    assert_eq!(scalar::<String>(&mut target, HEADS), before);
    assert_verified(&mut target);

    // It goes on behind what was restored: numbers of entries and of chains are not used again.
    run(
        &mut target,
        "INSERT INTO item VALUES (1001, 'tenant 1'), (1002, 'a new tenant');
         INSERT INTO entry VALUES (1001);
         INSERT INTO plain VALUES (1001);
         SELECT create_chain('made after')",
    );
    let entries: i64 = scalar(&mut target, "SELECT count(*) FROM auditspine.audit_chain");
    println!(
        "{} bytes dumped, {entries} entries after restoring and going on",
        dump.stdout.len()
    );
    // Three layouts, recorded anew in the database that the tables live in now.
    assert_eq!(entries, 284 + 2 * 3);
    assert_linked(&mut target);
    assert_verified(&mut target);
    assert_no_rows(
        &mut target,
        "a new entry numbered before a restored one",
        "SELECT event_pk FROM auditspine.audit_chain
         WHERE event_pk LIKE '100_' AND seq <= (SELECT max(seq) FROM auditspine.audit_chain WHERE op <> 'S' AND event_pk NOT LIKE '100_')",
    );
}
