//! Values that none of our tables should hold, in every column of every one: whatever is called then gives an
//! answer or an error of its own. No backend ends, and no error is XX000.

use std::collections::BTreeMap;

use auditspine_load::rng::Rng;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{run, scalar, turn};
use postgres::Client;

/// What is tried in a column of a type; NULL is tried in all.
fn garbage(type_name: &str) -> Vec<&'static str> {
    match type_name {
        "bigint" => vec![
            "-9223372036854775808",
            "9223372036854775807",
            "9223372036854775806",
            "0",
            "-1",
        ],
        "integer" => vec!["-2147483648", "2147483647", "0", "-1"],
        "smallint" => vec!["-32768", "32767", "0", "-1"],
        "\"char\"" => vec!["''", "'?'", "'S'", "'T'"],
        "text" => vec![
            "''",
            "repeat('x', 100000)",
            "'main'",
            "'[1,'",
            "E'\\u0001'",
            "'auditspine.layout'",
        ],
        "bytea" => vec![
            "''",
            "'\\x00'",
            "decode(repeat('00', 31), 'hex')",
            "decode(repeat('ff', 32), 'hex')",
            "decode(repeat('00', 33), 'hex')",
        ],
        "jsonb" => vec![
            "'{}'",
            "'null'",
            "'[1]'",
            "'\"\"'",
            "'1e300'",
            "'{\"kind\":1,\"layouts\":[99999999999],\"table\":null,\"columns\":[1],\"pk\":{},\"chain_by\":[null]}'",
            "'{\"kind\":\"thing\",\"table\":\"\",\"columns\":{},\"oid\":\"99999999999\",\"system\":-1}'",
        ],
        "json" => vec!["'{}'", "'null'", "'[1]'"],
        "timestamp with time zone" => vec![
            "'infinity'",
            "'-infinity'",
            "'4714-11-24 BC'",
            "'294276-12-31'",
        ],
        "xid8" => vec!["'0'", "'18446744073709551615'"],
        "regclass" | "oid" => vec!["0", "4294967295", "1259"],
        "boolean" => vec!["true", "false"],
        "double precision" => vec!["'NaN'", "'infinity'", "'-infinity'", "-1"],
        "interval" => vec!["'-178000000 years'", "'178000000 years'"],
        "text[]" => vec!["'{}'", "'{NULL}'", "'{{a},{b}}'", "'[-5:-5]={a}'"],
        _ => vec![],
    }
}

/// What makes up an argument of a function.
fn argument(type_name: &str) -> String {
    match type_name {
        "text" | "name" => "'main'".to_owned(),
        "regclass" => "'public.thing'::regclass".to_owned(),
        "bigint" | "integer" | "smallint" => "1".to_owned(),
        "boolean" => "true".to_owned(),
        "text[]" => "ARRAY['1']".to_owned(),
        "bytea" => "'\\x00'::bytea".to_owned(),
        "jsonb" | "json" => format!("'{{}}'::{type_name}"),
        other => format!("NULL::{other}"),
    }
}

/// Called after every value.
const ALWAYS: [&str; 11] = [
    "SELECT count(*) FROM publish_head(NULL)",
    "SELECT count(*) FROM verify_all()",
    "SELECT count(*) FROM verify_all('last')",
    "SELECT count(*) FROM verify_chain()",
    "SELECT count(*) FROM chain_findings()",
    "SELECT count(*) FROM verify_table('public.thing')",
    "SELECT count(*) FROM verify_table_findings('public.thing')",
    "SELECT count(*) FROM audit_history('public.thing', '1')",
    "INSERT INTO thing VALUES (10, 'new'); SELECT audit_flush()",
    "UPDATE thing SET v = 'u'; DELETE FROM thing WHERE id = 2; SELECT audit_flush()",
    "CREATE TABLE other (id integer PRIMARY KEY); SELECT audit_attach('other'); INSERT INTO other VALUES (1); SELECT audit_flush(); DROP TABLE other",
];

/// Every other function of the extension that SQL can call.
fn functions(client: &mut Client) -> Vec<String> {
    let rows = client
        .query(
            "SELECT p.oid::regproc::text, p.prokind = 'p', ARRAY(SELECT format_type(t.oid, NULL)
                 FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (oid, at) JOIN pg_type t ON t.oid = a.oid
                 ORDER BY at)
             FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
             WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'auditspine')
               AND p.prokind IN ('f', 'p')
               AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
               AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[])
             ORDER BY 1, p.oid",
            &[],
        )
        .expect("the extension's functions");
    rows.iter()
        .map(|row| {
            let (name, procedure, types): (String, bool, Vec<String>) =
                (row.get(0), row.get(1), row.get(2));
            let arguments: Vec<String> = types.iter().map(|of| argument(of)).collect();
            let arguments = arguments.join(", ");
            if procedure {
                format!("CALL {name}({arguments})")
            } else {
                format!("SELECT count(*) FROM {name}({arguments}) AS called")
            }
        })
        .collect()
}

/// How many values are tried, the same in every run, unless AUDITSPINE_GARBAGE_VALUES says otherwise: NULL in each column
/// first, then some of the others, of which there are over a thousand.
const VALUES: usize = 200;

struct Column {
    table: String,
    column: String,
    type_name: String,
}

fn columns(client: &mut Client) -> Vec<Column> {
    let rows = client
        .query(
            "SELECT a.attrelid::regclass::text, quote_ident(a.attname), format_type(a.atttypid, NULL)
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
             WHERE c.relnamespace = 'auditspine'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY 1, a.attnum",
            &[],
        )
        .expect("columns");
    rows.iter()
        .map(|row| Column {
            table: row.get(0),
            column: row.get(1),
            type_name: row.get(2),
        })
        .collect()
}

/// Rows in every table, and nothing that keeps a superuser from writing what he likes.
const PREPARE: &str = "
CREATE TABLE thing (id integer PRIMARY KEY, v text);
SELECT audit_attach('thing', payload => 'full');
INSERT INTO thing SELECT i, 'v' || i FROM generate_series(1, 5) i;
UPDATE thing SET v = 'w' WHERE id = 3;
DELETE FROM thing WHERE id = 4;
TRUNCATE thing;
INSERT INTO thing SELECT i, 'v' || i FROM generate_series(1, 5) i;
SELECT trust_key(E'-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\\n-----END PUBLIC KEY-----\\n');
";

#[test]
fn no_value_of_ours_ends_a_backend() {
    let _turn = turn();
    let scratch = Scratch::new("garbage", &[]);
    let file = format!("/tmp/auditspine-garbage-{}.txt", std::process::id());
    let database = scratch.server().fresh_database("garbage");
    let mut client = database.connect();
    run(&mut client, PREPARE);
    let _ = client.batch_execute(&format!(
        "SET auditspine.publish_file = '{file}'; SELECT publish_head()"
    ));
    run(&mut client, "SELECT count(*) FROM verify_all()");
    // A break, so that there is an alert.
    let _ = client.batch_execute("CALL audit_backfill('thing')");
    run(
        &mut client,
        "ALTER TABLE thing DISABLE TRIGGER ALL; UPDATE thing SET v = 'x' WHERE id = 1; ALTER TABLE thing ENABLE TRIGGER ALL;
         ALTER TABLE thing ENABLE ALWAYS TRIGGER auditspine_audit;
         SELECT count(*) FROM verify_all()",
    );
    let columns = columns(&mut client);
    let functions = functions(&mut client);
    // Nothing keeps a value out from here on.
    run(
        &mut client,
        "DO $$ DECLARE c record; BEGIN
            FOR c IN SELECT oid::regclass AS name FROM pg_class
                     WHERE relnamespace = 'auditspine'::regnamespace AND relkind = 'r' LOOP
                EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', c.name);
            END LOOP;
            FOR c IN SELECT conrelid::regclass AS name, conname FROM pg_constraint
                     WHERE connamespace = 'auditspine'::regnamespace AND contype IN ('c', 'f') AND conrelid <> 0 LOOP
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.name, c.conname);
            END LOOP;
            FOR c IN SELECT conrelid::regclass AS name, conname FROM pg_constraint
                     WHERE connamespace = 'auditspine'::regnamespace AND contype IN ('p', 'u') LOOP
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', c.name, c.conname);
            END LOOP;
            FOR c IN SELECT attrelid::regclass AS name, attname FROM pg_attribute a JOIN pg_class r ON r.oid = attrelid
                     WHERE r.relnamespace = 'auditspine'::regnamespace AND r.relkind = 'r' AND attnum > 0 AND attnotnull LOOP
                EXECUTE format('ALTER TABLE %s ALTER %I DROP NOT NULL', c.name, c.attname);
            END LOOP;
         END $$;
         -- As they were, but for uniqueness.
         CREATE INDEX ON auditspine.audit_chain (chain_id, lane, pos);
         CREATE INDEX ON auditspine.chain (name);
         CREATE INDEX ON auditspine.layout (relation, kind, layout_id);
         CREATE INDEX ON auditspine.publication (chain, lane, pos, published_at)",
    );
    let (mut written, mut refused, mut called) = (0u32, 0u32, 0u32);
    let values = std::env::var("AUDITSPINE_GARBAGE_VALUES")
        .ok()
        .and_then(|values| values.parse().ok())
        .unwrap_or(VALUES);
    // NULL in every column first; then the rest, in an order that is the same each time.
    let mut tries: Vec<(&Column, &str, bool)> = Vec::new();
    let mut more: Vec<(&Column, &str, bool)> = Vec::new();
    for column in &columns {
        tries.push((column, "NULL", false));
        more.push((column, "NULL", true));
        for value in garbage(&column.type_name) {
            more.extend([(column, value, true), (column, value, false)]);
        }
    }
    let mut random = Rng::new(1);
    while !more.is_empty() {
        let at = random.below(more.len() as u64) as usize;
        tries.push(more.swap_remove(at));
    }
    let mut answers: BTreeMap<String, u32> = BTreeMap::new();
    let mut faults: Vec<String> = Vec::new();
    for (number, (column, value, only)) in tries.iter().enumerate().take(values) {
        // What was rolled back is in the way of all that follow.
        if number % 5 == 0 {
            run(&mut client, "VACUUM");
        }
        // In one row, the last one, or in all.
        let which = if *only {
            format!("WHERE ctid = (SELECT max(ctid) FROM ONLY {})", column.table)
        } else {
            String::new()
        };
        let write = format!(
            "UPDATE ONLY {} SET {} = {value} {which}",
            column.table, column.column
        );
        let others = functions
            .iter()
            .skip(number % 12)
            .step_by(12)
            .map(String::as_str);
        let calls: Vec<&str> = ALWAYS.iter().copied().chain(others).collect();
        run(
            &mut client,
            &format!("BEGIN; SET LOCAL auditspine.publish_file = '{file}'; SAVEPOINT here"),
        );
        if client.batch_execute(&write).is_err() {
            refused += 1;
            run(&mut client, "ROLLBACK");
            continue;
        }
        written += 1;
        for call in calls {
            called += 1;
            let outcome = client.batch_execute(&format!("SAVEPOINT call; {call}"));
            if let Err(error) = outcome {
                let Some(db) = error.as_db_error() else {
                    faults.push(format!("{write}; {call}: the backend ended"));
                    client = reconnect(&database);
                    break;
                };
                let state = db.code().code().to_owned();
                if state.starts_with("XX000") || state.starts_with("57P") {
                    faults.push(format!("{write}; {call}: {state} {}", db.message()));
                }
                *answers.entry(state).or_default() += 1;
            } else {
                *answers.entry("answered".to_owned()).or_default() += 1;
            }
            if client.batch_execute("ROLLBACK TO call").is_err() {
                faults.push(format!("{write}; {call}: the backend ended afterwards"));
                client = reconnect(&database);
                break;
            }
        }
        let _ = client.batch_execute("ROLLBACK");
    }
    println!(
        "{written} of {} values written, {refused} refused, in {} columns; {called} calls of {} functions and statements: {answers:?}",
        tries.len(),
        columns.len(),
        functions.len() + ALWAYS.len()
    );
    let _ = std::fs::remove_file(&file);
    assert!(written >= 20 && called > 300, "too little was tried");
    assert!(
        scalar::<i64>(&mut client, "SELECT count(*) FROM thing") > 0,
        "the server is there"
    );
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults
            .iter()
            .take(60)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
}

fn reconnect(database: &auditspine_load::server::Database) -> Client {
    for _ in 0..600 {
        if let Ok(client) = database.try_connect() {
            return client;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the server does not come back");
}
