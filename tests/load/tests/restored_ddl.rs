//! A command on an audited table that is the first thing which happens after a restore: what the rows that were
//! recorded before are held to must not depend on that nothing was written in between.

use std::io::Write;
use std::process::Stdio;

use auditspine_load::server::{Server, run, scalar, turn};

const SOURCE: &str = "
    CREATE TABLE item (junk text, id integer PRIMARY KEY, a integer, b text, c numeric(8, 2));
    ALTER TABLE item DROP COLUMN junk;
    SELECT audit_attach('item');
    INSERT INTO item SELECT g, g, 'b' || g, g FROM generate_series(1, 5) AS g";

const FOUND: &str = "f 5 1 0";

/// Each command; how many of the five rows are not verified in full then; and the verdict when one row was edited.
const COMMANDS: &[(&str, i64, &str)] = &[
    ("RENAME COLUMN a TO z", 0, FOUND),
    // Of a row that is written again, what the column held is gone.
    ("DROP COLUMN b", 0, "t 5 0 1"),
    ("ADD COLUMN d integer DEFAULT 7", 0, FOUND),
    ("ALTER COLUMN a TYPE bigint", 0, FOUND),
    ("ALTER COLUMN a TYPE integer USING a + 1", 5, "t 5 0 5"),
    ("ALTER COLUMN id TYPE text", 0, FOUND),
    ("RENAME COLUMN id TO ident", 0, FOUND),
    (
        "DROP CONSTRAINT item_pkey, ADD PRIMARY KEY (id, b)",
        0,
        FOUND,
    ),
    (
        "ADD COLUMN u uuid DEFAULT gen_random_uuid(), DROP CONSTRAINT item_pkey, ADD PRIMARY KEY (u)",
        5,
        "f 5 1 4",
    ),
    // The numbers are the same by chance, and not those that were recorded.
    (
        "DROP COLUMN id, ADD COLUMN id serial PRIMARY KEY",
        5,
        "f 5 1 4",
    ),
];

#[test]
fn first_command_after_a_restore() {
    let _turn = turn();
    let server = Server::from_env();
    server.fresh_database("restored_ddl_source").run(SOURCE);
    let dump = server
        .program("pg_dump")
        .arg("restored_ddl_source")
        .output()
        .expect("pg_dump");
    assert!(dump.status.success());
    for (command, unverifiable, edited) in COMMANDS {
        let target = server.empty_database("restored_ddl");
        let mut psql = server
            .program("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", target.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("psql");
        let mut pipe = psql.stdin.take().expect("a pipe");
        pipe.write_all(&dump.stdout).expect("psql reads the dump");
        drop(pipe);
        assert!(psql.wait().expect("psql").success());

        let mut client = target.connect();
        run(&mut client, &format!("ALTER TABLE item {command}"));
        let verdict = "SELECT concat_ws(' ', ok, rows, edited + deleted + unrecorded, unverifiable)
                       FROM verify_table('item')";
        assert_eq!(
            scalar::<String>(&mut client, verdict),
            format!("t 5 0 {unverifiable}"),
            "{command}"
        );
        run(
            &mut client,
            "UPDATE pg_class SET relhastriggers = false WHERE oid = 'item'::regclass;
             UPDATE item SET c = 77 WHERE c = 3;
             UPDATE pg_class SET relhastriggers = true WHERE oid = 'item'::regclass",
        );
        assert_eq!(scalar::<String>(&mut client, verdict), *edited, "{command}");
    }
    println!("{} commands", COMMANDS.len());
}
