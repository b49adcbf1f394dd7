//! Columns come, go, and change name and type in any order, tables move and are renamed, partitions come
//! and go: no row is ever called tampered that was not, and one that was is found.

use auditspine_load::rng::Rng;
use auditspine_load::server::{Server, run, scalar, turn};
use postgres::Client;

const TYPES: [&str; 8] = [
    "integer",
    "bigint",
    "text",
    "numeric",
    "timestamptz",
    "jsonb",
    "integer[]",
    "boolean",
];

/// A table under test: what the test knows of it.
struct Table {
    oid: u32,
    /// Columns other than the key: name and type.
    columns: Vec<(String, String)>,
    partitioned: bool,
    /// Partitions that are attached, by number of hundreds of keys.
    attached: Vec<bool>,
    names: u32,
}

fn value(type_name: &str, rng: &mut Rng) -> String {
    let number = rng.below(1000);
    match type_name {
        _ if rng.chance(15) => "NULL".to_owned(),
        "text" | "varchar(80)" => format!("'t\"{number}'"),
        "timestamptz" => format!("'2026-01-01Z'::timestamptz + {number} * interval '1.5 s'"),
        "jsonb" => format!("'{{\"n\": {number}.50}}'"),
        "integer[]" => format!("ARRAY[{number}, NULL]"),
        "boolean" => (number.is_multiple_of(2)).to_string(),
        "numeric" | "numeric(20,3)" => format!("{number} / 8.0"),
        _ => number.to_string(),
    }
}

impl Table {
    fn name(&self, client: &mut Client) -> String {
        scalar(client, &format!("SELECT {}::regclass::text", self.oid))
    }

    /// One of the keys that have a partition.
    fn key(&self, rng: &mut Rng) -> u64 {
        loop {
            let key = rng.below(100 * self.attached.len() as u64);
            if self.attached[key as usize / 100] {
                return key;
            }
        }
    }

    fn fresh_name(&mut self, rng: &mut Rng) -> String {
        // Names come back, some need quotes.
        let name = format!("c{}", rng.below(8));
        if self.columns.iter().all(|(other, _)| *other != name) {
            return name;
        }
        self.names += 1;
        format!("\"New {}\"", self.names)
    }

    /// The statement of one step, chosen by `rng`; empty for one that cannot be made now.
    fn step(&mut self, client: &mut Client, rng: &mut Rng) -> String {
        let name = self.name(client);
        let some = |columns: &[(String, String)], rng: &mut Rng| {
            (!columns.is_empty()).then(|| rng.below(columns.len() as u64) as usize)
        };
        let column = some(&self.columns, rng);
        match (rng.below(20), column) {
            (0 | 1, _) if self.columns.len() < 8 => {
                let column = self.fresh_name(rng);
                let type_name = TYPES[rng.below(TYPES.len() as u64) as usize];
                let default = match rng.below(3) {
                    0 => format!(" DEFAULT {}", value(type_name, rng)),
                    _ => String::new(),
                };
                self.columns.push((column.clone(), type_name.to_owned()));
                format!("ALTER TABLE {name} ADD COLUMN {column} {type_name}{default}")
            }
            (2, Some(at)) => {
                let (column, _) = self.columns.remove(at);
                format!("ALTER TABLE {name} DROP COLUMN {column}")
            }
            (3 | 4, Some(at)) => {
                let to = self.fresh_name(rng);
                let from = std::mem::replace(&mut self.columns[at].0, to.clone());
                format!("ALTER TABLE {name} RENAME COLUMN {from} TO {to}")
            }
            (5, Some(at)) => {
                let (column, type_name) = &mut self.columns[at];
                let to = match &type_name[..] {
                    "integer" => "bigint",
                    "bigint" => "numeric",
                    "numeric" => "numeric(20,3)",
                    "numeric(20,3)" | "jsonb" | "timestamptz" | "boolean" | "integer[]" => "text",
                    "text" => "varchar(80)",
                    _ => "text",
                };
                to.clone_into(type_name);
                format!(
                    "ALTER TABLE {name} ALTER COLUMN {column} DROP DEFAULT, ALTER COLUMN {column} TYPE {to}"
                )
            }
            (6, _) => format!(
                "ALTER TABLE {name} RENAME TO \"t {}\"",
                rng.below(1_000_000)
            ),
            (7, _) => {
                let schema = ["public", "\"Other schema\""][rng.below(2) as usize];
                format!("ALTER TABLE {name} SET SCHEMA {schema}")
            }
            (8, _) if rng.chance(15) => format!("TRUNCATE {name}"),
            (9, _) if rng.chance(30) => format!("VACUUM FULL {name}"),
            (10, _) if self.partitioned => {
                let at = rng.below(self.attached.len() as u64) as usize;
                let attached = self.attached.iter().filter(|attached| **attached).count();
                if self.attached[at] && attached > 1 {
                    self.attached[at] = false;
                    format!("ALTER TABLE {name} DETACH PARTITION part_{at}")
                } else if !self.attached[at] {
                    self.attached[at] = true;
                    self.attach(client, &name, at)
                } else {
                    String::new()
                }
            }
            (11, _) => format!("DELETE FROM {name} WHERE id = {}", self.key(rng)),
            (12, _) => {
                let (from, to) = (self.key(rng), self.key(rng));
                format!(
                    "UPDATE {name} SET id = {to} WHERE id = {from} AND NOT EXISTS (SELECT FROM {name} WHERE id = {to})"
                )
            }
            (13 | 14, Some(at)) => {
                let (column, type_name) = &self.columns[at];
                let value = value(type_name, rng);
                format!(
                    "UPDATE {name} SET {column} = {value} WHERE id % 7 = {}",
                    rng.below(7)
                )
            }
            _ => {
                let names: Vec<&str> = self.columns.iter().map(|(name, _)| &name[..]).collect();
                let rows: Vec<String> = (0..6)
                    .map(|_| {
                        let key = self.key(rng).to_string();
                        let types = self.columns.iter();
                        let values = types.map(|(_, type_name)| value(type_name, rng));
                        let values: Vec<String> = std::iter::once(key).chain(values).collect();
                        format!("({})", values.join(", "))
                    })
                    .collect();
                format!(
                    "INSERT INTO {name} ({}) VALUES {} ON CONFLICT DO NOTHING",
                    [&["id"], &names[..]].concat().join(", "),
                    rows.join(", ")
                )
            }
        }
    }

    /// Attaches a partition again, given the columns of the whole table in an order of its own.
    fn attach(&self, client: &mut Client, name: &str, at: usize) -> String {
        let wanted: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let theirs = client
            .query(
                "SELECT quote_ident(attname), format_type(atttypid, atttypmod) FROM pg_attribute
                 WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'id'",
                &[&format!("part_{at}")],
            )
            .expect("columns");
        let mut script = String::new();
        for column in &theirs {
            let (theirs, type_name): (String, String) = (column.get(0), column.get(1));
            let mine = self.columns.iter().find(|(name, _)| *name == theirs);
            if mine.is_none_or(|(_, mine)| *mine != long(&type_name)) {
                script += &format!("ALTER TABLE part_{at} DROP COLUMN {theirs};\n");
            }
        }
        for column in wanted.iter().rev() {
            let type_name = &self
                .columns
                .iter()
                .find(|(name, _)| name == column)
                .expect("known")
                .1;
            script +=
                &format!("ALTER TABLE part_{at} ADD COLUMN IF NOT EXISTS {column} {type_name};\n");
        }
        let (from, to) = (100 * at, 100 * at + 100);
        script
            + &format!(
                "ALTER TABLE {name} ATTACH PARTITION part_{at} FOR VALUES FROM ({from}) TO ({to})"
            )
    }
}

/// A type as this test writes it.
fn long(type_name: &str) -> String {
    match type_name {
        "timestamp with time zone" => "timestamptz".to_owned(),
        "character varying(80)" => "varchar(80)".to_owned(),
        other => other.to_owned(),
    }
}

fn make(client: &mut Client, partitioned: bool, by_hand: bool) -> Table {
    let name = if partitioned { "whole" } else { "single" };
    let by = if partitioned {
        "PARTITION BY RANGE (id)"
    } else {
        ""
    };
    run(
        client,
        &format!("CREATE TABLE {name} (id integer PRIMARY KEY, c0 text, c1 integer) {by}"),
    );
    let parts = if partitioned { 3 } else { 1 };
    if partitioned {
        for part in 0..parts {
            let (from, to) = (100 * part, 100 * part + 100);
            run(
                client,
                &format!(
                    "CREATE TABLE part_{part} PARTITION OF {name} FOR VALUES FROM ({from}) TO ({to})"
                ),
            );
        }
    }
    // Declared by hand without a kind, it has the table's name for one, whatever that is at the time.
    run(
        client,
        &if by_hand {
            format!(
                "CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {name}
                     FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
                 CREATE TRIGGER audit_truncate AFTER TRUNCATE ON {name}
                     FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append()"
            )
        } else {
            format!("SELECT audit_attach('{name}')")
        },
    );
    Table {
        oid: scalar(client, &format!("SELECT '{name}'::regclass::oid")),
        columns: vec![
            ("c0".to_owned(), "text".to_owned()),
            ("c1".to_owned(), "integer".to_owned()),
        ],
        partitioned,
        attached: vec![true; parts],
        names: 0,
    }
}

/// Everything that speaks against a table, a line each.
fn complaints(client: &mut Client, table: &Table) -> Vec<String> {
    let query = format!(
        "SELECT concat_ws(' ', table_name, key, finding, detail, layout, current_layout, current)
         FROM verify_table_findings({}) WHERE finding NOT IN ('row_unverifiable', 'column_unwatched') ORDER BY 1",
        table.oid
    );
    let rows = client
        .query(&query, &[])
        .unwrap_or_else(|error| panic!("{query}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

fn history(client: &mut Client, seed: u64, partitioned: bool, by_hand: bool, steps: usize) {
    let mut rng = Rng::new(seed);
    let mut table = make(client, partitioned, by_hand);
    let mut done: Vec<String> = Vec::new();
    for step in 0..steps {
        let statement = table.step(client, &mut rng);
        if statement.is_empty() {
            continue;
        }
        if let Err(error) = client.batch_execute(&statement) {
            panic!(
                "seed {seed}, step {step}: {statement}: {error:?}\nbefore: {}",
                done.join(";\n")
            );
        }
        done.push(statement);
        if step % 5 == 4 {
            let wrong = complaints(client, &table);
            assert!(
                wrong.is_empty(),
                "seed {seed}, step {step}: false alarm: {wrong:#?}\nafter: {};",
                done.join(";\n")
            );
        }
    }
    tampering(client, &mut rng, &table, seed);
}

/// Rows that were written under the present layout are verifiable: whatever is done to them is found.
fn tampering(client: &mut Client, rng: &mut Rng, table: &Table, seed: u64) {
    let name = table.name(client);
    let (edited, deleted) = (table.key(rng), table.key(rng));
    if edited == deleted {
        return;
    }
    let column = "mark";
    run(
        client,
        &format!(
            "ALTER TABLE {name} ADD COLUMN {column} text;
             INSERT INTO {name} (id) VALUES ({edited}), ({deleted}) ON CONFLICT DO NOTHING;
             UPDATE {name} SET {column} = 'written' WHERE id IN ({edited}, {deleted});
             ALTER TABLE {name} RENAME COLUMN {column} TO renamed;
             ALTER TABLE {name} ADD COLUMN more integer DEFAULT 7"
        ),
    );
    assert_eq!(
        complaints(client, table),
        Vec::<String>::new(),
        "seed {seed}"
    );
    run(
        client,
        &format!(
            "BEGIN;
             SET LOCAL session_replication_role = replica;
             ALTER TABLE {name} DISABLE TRIGGER USER;
             UPDATE {name} SET renamed = 'forged' WHERE id = {edited};
             DELETE FROM {name} WHERE id = {deleted};
             COMMIT"
        ),
    );
    let found: String = scalar(
        client,
        &format!(
            "SELECT string_agg(key || ' ' || finding, ',' ORDER BY finding DESC) FROM verify_table_findings({}) WHERE finding IN ('row_edited', 'row_deleted')",
            table.oid
        ),
    );
    assert_eq!(
        found,
        format!("{edited} row_edited,{deleted} row_deleted"),
        "seed {seed}"
    );
}

fn histories(database: &str, partitioned: bool, by_hand: bool, steps: usize) {
    let _turn = turn();
    let server = Server::from_env();
    let seeds = std::env::var("LAYOUT_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(6);
    for seed in 0..seeds {
        let mut client = server.fresh_database(database).connect();
        run(&mut client, "CREATE SCHEMA \"Other schema\"");
        history(&mut client, seed, partitioned, by_hand, steps);
        let ok: bool = scalar(&mut client, "SELECT bool_and(ok) FROM verify_chain()");
        assert!(ok, "seed {seed}: links");
    }
    println!("{seeds} histories of {steps} steps");
}

#[test]
fn one_table() {
    histories("layouts_table", false, false, 150);
}

#[test]
fn partitions() {
    histories("layouts_partitions", true, false, 150);
}

#[test]
fn one_table_declared_by_hand() {
    histories("layouts_by_hand", false, true, 150);
}
