//! Auditors of one chain in dumps: their policies come along, whatever order a restore takes.

use std::path::Path;

use auditspine_load::check::assert_verified;
use auditspine_load::server::{Server, run, scalar, sqlstate, turn};
use postgres::Client;

const SOURCE: &str = "auditors_source";
const TARGET: &str = "auditors_target";

/// What the roles that are kept to a chain see; `name` is the chain that the pooled one asks for.
fn seen_by(admin: &mut Client, role: &str, name: &str) -> (String, i64) {
    run(
        admin,
        &format!("SET ROLE {role}; SET app.tenant = '{name}'"),
    );
    let chains: String = scalar(
        admin,
        "SELECT coalesce(string_agg(chain || ' ' || ok, ', ' ORDER BY chain), 'none') FROM verify_chain()",
    );
    let rows: i64 = scalar(
        admin,
        "SELECT coalesce(sum(rows), -1)::bigint FROM verify_table('finding') WHERE ok",
    );
    run(admin, "RESET ROLE");
    (chains, rows)
}

fn assert_sight(admin: &mut Client, how: &str) {
    let fixed = seen_by(admin, "load_fixed_auditor", "");
    assert_eq!(fixed, ("t1 true".to_owned(), 100), "{how}");
    let pooled = seen_by(admin, "load_pooled_auditor", "t2");
    assert_eq!(pooled, ("t2 true".to_owned(), 100), "{how}");
    let nobody = seen_by(admin, "load_pooled_auditor", "");
    assert_eq!(nobody, ("none".to_owned(), -1), "{how}");
    let all = seen_by(admin, "load_full_auditor", "");
    assert_eq!(
        all,
        (
            "auditspine.evidence true, main true, t0 true, t1 true, t2 true".to_owned(),
            300
        ),
        "{how}"
    );
    run(admin, "SET ROLE load_fixed_auditor");
    let refused = admin
        .query("SELECT verify_chain('t2')", &[])
        .expect_err("a chain out of sight");
    assert_eq!(sqlstate(&refused), "42704", "{how}");
    run(admin, "RESET ROLE");
}

#[test]
fn policies_of_auditors_are_restored() {
    let _turn = turn();
    let server = Server::from_env();
    server.empty_database(TARGET);
    let mut source = server.fresh_database(SOURCE).connect();
    run(
        &mut source,
        "DROP ROLE IF EXISTS load_full_auditor, load_fixed_auditor, load_pooled_auditor;
         CREATE ROLE load_full_auditor; CREATE ROLE load_fixed_auditor; CREATE ROLE load_pooled_auditor;
         CREATE TABLE finding (id integer PRIMARY KEY, tenant text);
         SELECT audit_attach('finding', chain_by => '{tenant}');",
    );
    run(
        &mut source,
        "INSERT INTO finding SELECT g, 't' || g % 3 FROM generate_series(1, 300) g;
         SELECT grant_auditor('load_full_auditor')",
    );
    run(
        &mut source,
        "SELECT grant_auditor('load_fixed_auditor', chain => 't1'),
                grant_auditor('load_pooled_auditor', chain_setting => 'app.tenant')",
    );
    assert_sight(&mut source, "before");

    let dump = Path::new(env!("CARGO_TARGET_TMPDIR")).join("auditors.dump");
    let dump = dump.to_str().expect("a path in UTF-8");
    let expect_success = |program: &str, arguments: &[&str]| {
        let output = server.program(program).args(arguments).output();
        let output = output.unwrap_or_else(|e| panic!("{program}: {e}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && errors.is_empty(),
            "{program}: {errors}"
        );
    };
    expect_success("pg_dump", &["--format=custom", "--file", dump, SOURCE]);
    for how in [&["--jobs=1"][..], &["--jobs=4"]] {
        server.empty_database(TARGET);
        let arguments = [&["--exit-on-error", "--dbname", TARGET, dump], how].concat();
        expect_success("pg_restore", &arguments);
        let mut target = server.database(TARGET).connect();
        assert_sight(&mut target, &how.join(" "));
        assert_verified(&mut target);
        // It goes on: entries are linked, and roles brought up to date.
        run(
            &mut target,
            "INSERT INTO finding VALUES (1000, 't1'); DELETE FROM finding WHERE id = 1;
             SELECT grant_auditor('load_fixed_auditor', chain => 't1'), grant_auditor('load_full_auditor')",
        );
        assert_sight(&mut target, "after the restore");
    }
    // Roles belong to the whole server.
    drop(source);
    server.empty_database(SOURCE);
    server.empty_database(TARGET);
    let mut admin = server.database(SOURCE).connect();
    run(
        &mut admin,
        "DROP ROLE load_full_auditor, load_fixed_auditor, load_pooled_auditor",
    );
}
