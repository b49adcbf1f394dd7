//! Columns that triggers name, renamed and dropped by random commands: of the table, of what it inherits from, of the type
//! that it is of, of types that its columns are of. The arguments always name the columns that were meant, writes go on, and
//! no row is called tampered.

use std::collections::BTreeMap;

use auditspine_load::rng::Rng;
use auditspine_load::server::{Server, run, scalar, sqlstate, turn};
use postgres::Client;

/// Tables: of a type, parents and heirs at several levels and of several parents, partitioned.
const TABLES: &str = "
    CREATE TYPE kind AS (id integer, c1 text, c2 text, c3 text, c4 text);
    CREATE TABLE typed OF kind (PRIMARY KEY (id));
    CREATE TABLE parts OF kind (PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
    CREATE TABLE parts_11 PARTITION OF parts_1 DEFAULT;
    CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
    CREATE TABLE parent (id integer NOT NULL, c1 text, c2 text, c3 text, c4 text);
    CREATE TABLE aunt (c1 text, c2 text, c5 text);
    CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
    CREATE TABLE both_of (c6 text, PRIMARY KEY (id)) INHERITS (parent, aunt);
    CREATE TABLE grandchild (PRIMARY KEY (id)) INHERITS (child);
    CREATE TABLE apart (id integer PRIMARY KEY, gone text, c1 text, c2 text, c3 text, c4 text);
    ALTER TABLE apart DROP COLUMN gone;
    CREATE TABLE rows_of (id integer PRIMARY KEY, c1 text) PARTITION BY RANGE (id);
    CREATE TABLE rows_of_1 (c1 text, gone text, id integer NOT NULL);
    ALTER TABLE rows_of_1 DROP COLUMN gone;
    ALTER TABLE rows_of ATTACH PARTITION rows_of_1 DEFAULT;";

const AUDITED: [&str; 8] = [
    "typed",
    "parts",
    "parent",
    "child",
    "both_of",
    "grandchild",
    "apart",
    "rows_of",
];

/// What a trigger was told, by number of column.
#[derive(Default)]
struct Meant {
    exclude: Vec<i16>,
    chain_by: Option<i16>,
}

struct Model {
    meant: BTreeMap<&'static str, Meant>,
    names: u32,
    types: u32,
    id: u32,
    done: Vec<String>,
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.below(from.len() as u64) as usize]
}

/// Columns of a relation but `id`: number and name, ready for a statement.
fn columns(client: &mut Client, relation: &str) -> Vec<(i16, String)> {
    let query = format!(
        "SELECT attnum, quote_ident(attname) FROM pg_attribute
         WHERE attrelid = '{relation}'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'id' ORDER BY attnum"
    );
    let rows = client.query(&query, &[]).expect("columns");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

impl Model {
    fn attach(&mut self, client: &mut Client, rng: &mut Rng, table: &'static str) {
        let columns = columns(client, table);
        let exclude: Vec<&(i16, String)> = columns.iter().filter(|_| rng.chance(40)).collect();
        let by = (!columns.is_empty() && rng.chance(40)).then(|| pick(rng, &columns).clone());
        let array = |names: Vec<&String>| {
            let each: Vec<String> = names
                .iter()
                .map(|name| format!("(parse_ident('{}'))[1]", name.replace('\'', "''")))
                .collect();
            format!("ARRAY[{}]::text[]", each.join(", "))
        };
        let mut options = vec![
            format!(
                "exclude => {}",
                array(exclude.iter().map(|column| &column.1).collect())
            ),
            "pk => '{id}'".to_owned(),
        ];
        if let Some((_, name)) = &by {
            options.push(format!("chain_by => {}", array(vec![name])));
        }
        let attach = format!("SELECT audit_attach('{table}', {})", options.join(", "));
        run(client, &attach);
        self.done.push(attach);
        self.meant.insert(
            table,
            Meant {
                exclude: exclude.iter().map(|column| column.0).collect(),
                chain_by: by.map(|column| column.0),
            },
        );
    }

    fn fresh_name(&mut self, rng: &mut Rng) -> String {
        match rng.below(4) {
            0 => {
                self.names += 1;
                format!("\"New, {}\"\"\"", self.names)
            }
            // Names come back.
            _ => format!("c{}", rng.below(9)),
        }
    }

    fn command(&mut self, client: &mut Client, rng: &mut Rng) -> String {
        const RELATIONS: [&str; 9] = [
            "typed", "parts", "parent", "aunt", "child", "both_of", "apart", "rows_of", "kind",
        ];
        let relation = *pick(rng, &RELATIONS);
        let columns = columns(client, relation);
        let column = (!columns.is_empty()).then(|| pick(rng, &columns).1.clone());
        let new = self.fresh_name(rng);
        let Some(column) = column else {
            return format!("ALTER TABLE {relation} ADD COLUMN {new} text");
        };
        let is_type = relation == "kind";
        match rng.below(12) {
            0..=3 if is_type => format!("ALTER TYPE kind RENAME ATTRIBUTE {column} TO {new} CASCADE"),
            0..=3 => {
                let sort = *pick(rng, &["TABLE", "TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"]);
                format!("ALTER {sort} {relation} RENAME COLUMN {column} TO {new}")
            }
            4 if is_type => format!("ALTER TYPE kind DROP ATTRIBUTE {column} CASCADE"),
            4 => format!("ALTER TABLE {relation} DROP COLUMN {column}"),
            5 if is_type => format!("ALTER TYPE kind DROP ATTRIBUTE {column} CASCADE, ADD ATTRIBUTE {new} text CASCADE"),
            5 => format!("ALTER TABLE {relation} DROP COLUMN {column}, ADD COLUMN {column} text"),
            // A column of a type of its own, which goes some time.
            6 | 7 if !is_type => {
                self.types += 1;
                let at = self.types;
                let made = *pick(rng, &["AS ENUM ('a')", "AS (a integer)", "AS RANGE (subtype = integer)"]);
                format!(
                    "CREATE SCHEMA s_{at}; CREATE TYPE s_{at}.t AS ENUM ('x'); CREATE TYPE s_{at}.u {made};
                     CREATE DOMAIN s_{at}.d AS text;
                     ALTER TABLE {relation} ADD COLUMN {new} s_{at}.{}",
                    pick(rng, &["t[]", "d", "u"])
                )
            }
            8 if self.types > 0 => {
                let at = 1 + rng.below(u64::from(self.types));
                match rng.below(3) {
                    0 => format!("DROP SCHEMA s_{at} CASCADE"),
                    1 => format!("DROP TYPE s_{at}.t, s_{at}.u CASCADE"),
                    _ => format!("DROP DOMAIN s_{at}.d CASCADE"),
                }
            }
            9 if is_type => format!("ALTER TYPE kind ADD ATTRIBUTE {new} text CASCADE"),
            9 => format!("ALTER TABLE {relation} ADD COLUMN {new} text"),
            10 => format!(
                "DO $do$ BEGIN
                     ALTER TABLE {relation} RENAME COLUMN {column} TO between;
                     BEGIN ALTER TABLE {relation} DROP COLUMN between; RAISE 'back'; EXCEPTION WHEN raise_exception THEN NULL; END;
                     ALTER TABLE {relation} RENAME COLUMN between TO {new};
                 END $do$"
            ),
            _ => format!("BEGIN; ALTER TABLE {relation} RENAME COLUMN {column} TO {new}; ROLLBACK"),
        }
    }

    /// Each trigger names the columns that were meant, and a row can be written.
    fn check(&mut self, client: &mut Client, rng: &mut Rng, seed: u64) {
        for table in AUDITED {
            let Some(meant) = self.meant.get(table) else {
                continue;
            };
            let now = columns(client, table);
            let name = |attnum: &i16| {
                now.iter()
                    .find(|column| column.0 == *attnum)
                    .map(|column| column.1.clone())
            };
            let told = || {
                format!(
                    "seed {seed}, table {table}, after\n{}",
                    self.done.join(";\n")
                )
            };
            let mut expected: Vec<String> = meant.exclude.iter().filter_map(name).collect();
            expected.sort();
            let declared = client
                .query(
                    &format!(
                        "SELECT ARRAY(SELECT quote_ident(e) FROM unnest(auditspine.declared(tgargs, 'exclude')) e ORDER BY quote_ident(e) COLLATE \"C\"),
                                tgrelid::regclass::text
                         FROM pg_trigger WHERE tgname IN ('auditspine_audit', 'auditspine_truncate') AND tgrelid IN
                              (SELECT '{table}'::regclass UNION SELECT relid FROM pg_partition_tree('{table}'))"
                    ),
                    &[],
                )
                .expect("triggers");
            for row in declared {
                assert_eq!(
                    row.get::<_, Vec<String>>(0),
                    expected,
                    "{}: {}",
                    row.get::<_, String>(1),
                    told()
                );
            }
            self.id += 1;
            let written =
                client.batch_execute(&format!("INSERT INTO {table} (id) VALUES ({})", self.id));
            let lost = meant.chain_by.is_some_and(|attnum| name(&attnum).is_none());
            // One of that name may have come.
            match written {
                Ok(()) => {}
                Err(error) if lost && sqlstate(&error) == "42703" => {
                    let message = error
                        .as_db_error()
                        .expect("an error of the server's")
                        .message();
                    assert!(
                        message.contains(&format!("public.{table}"))
                            && message.contains("'chain_by='"),
                        "{message}"
                    );
                }
                Err(error) => panic!("{error:?}\n{}", told()),
            }
            if lost {
                self.attach(client, rng, table);
            }
        }
    }
}

#[test]
fn arguments_follow() {
    let _turn = turn();
    let server = Server::from_env();
    let number = |name: &str, otherwise| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let (first, seeds, steps) = (number("ARGUMENT_FIRST", 0), number("ARGUMENT_SEEDS", 8), 60);
    let (mut taken, mut refused) = (0, 0);
    for seed in first..first + seeds {
        let mut rng = Rng::new(seed);
        let mut client = server.fresh_database("arguments").connect();
        run(&mut client, "SET client_min_messages = error");
        run(&mut client, TABLES);
        let mut model = Model {
            meant: BTreeMap::new(),
            names: 0,
            types: 0,
            id: 0,
            done: Vec::new(),
        };
        for table in AUDITED {
            if rng.chance(80) {
                model.attach(&mut client, &mut rng, table);
            }
        }
        for _ in 0..steps {
            let command = model.command(&mut client, &mut rng);
            match client.batch_execute(&command) {
                Ok(()) => {
                    taken += 1;
                    model.done.push(command);
                }
                // Of PostgreSQL's own; what is ours names the audit.
                Err(error) => {
                    refused += 1;
                    let told = format!("{error:?}");
                    assert!(!told.contains("audit"), "seed {seed}: {command}: {told}");
                    run(&mut client, "ROLLBACK");
                }
            }
            model.check(&mut client, &mut rng, seed);
        }
        for table in model.meant.keys() {
            let findings: Option<String> = scalar(
                &mut client,
                &format!(
                    "SELECT string_agg(concat_ws(' ', key, finding, detail), E'\\n') FROM verify_table_findings('{table}')
                     WHERE finding NOT IN ('row_unverifiable', 'column_unwatched', 'child_unaudited')"
                ),
            );
            assert_eq!(
                findings,
                None,
                "seed {seed}, table {table}, after\n{}",
                model.done.join(";\n")
            );
        }
        let ok: bool = scalar(&mut client, "SELECT bool_and(ok) FROM verify_chain()");
        assert!(ok, "seed {seed}: links");
    }
    println!("{seeds} databases, {taken} commands taken, {refused} refused by PostgreSQL");
}
