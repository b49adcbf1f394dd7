//! A table of a random definition, twice, and statements for both.

use auditspine_load::rng::Rng;
use auditspine_load::server::{run, sqlstate};
use postgres::Client;

use super::values::{NAMES, VALUES, literal, pick};

struct Column {
    name: &'static str,
    type_at: usize,
    generated: bool,
    not_null: bool,
}

/// A table, twice: in schema plain, and audited.
pub struct Twin {
    name: &'static str,
    columns: Vec<Column>,
    /// Its definition, for messages.
    pub definition: String,
    /// Whether no two rows have one key.
    pub unique: bool,
}

fn columns(rng: &mut Rng) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for _ in 0..=rng.below(7) {
        let name = *pick(rng, NAMES);
        if columns.iter().all(|column| column.name != name) {
            columns.push(Column {
                name,
                type_at: rng.below(VALUES.len() as u64) as usize,
                generated: false,
                not_null: rng.chance(20),
            });
        }
    }
    // The key's first column.
    columns[0].not_null = true;
    while !VALUES[columns[0].type_at].1 {
        columns[0].type_at = rng.below(VALUES.len() as u64) as usize;
    }
    columns
}

impl Twin {
    /// Makes both tables of a random definition, and has the second audited.
    pub fn make(client: &mut Client, rng: &mut Rng, name: &'static str) -> Twin {
        let mut columns = columns(rng);
        let key_columns = if columns.len() > 2 && VALUES[columns[1].type_at].1 && rng.chance(40) {
            columns[1].not_null = true;
            2
        } else {
            1
        };
        let key = columns[..key_columns]
            .iter()
            .map(|column| column.name)
            .collect::<Vec<_>>()
            .join(", ");
        let mut parts: Vec<String> = columns
            .iter()
            .map(|column| {
                let mut text = format!("{} {}", column.name, VALUES[column.type_at].0);
                if column.not_null {
                    text += " NOT NULL";
                }
                if rng.chance(15) {
                    text += &format!(" DEFAULT {}", literal(rng, column.type_at));
                }
                text
            })
            .collect();
        if rng.chance(20) {
            parts.push("made integer GENERATED ALWAYS AS IDENTITY".to_owned());
        }
        if rng.chance(25) {
            let of = columns[0].name;
            parts.push(format!(
                "derived boolean GENERATED ALWAYS AS ({of} IS NULL) STORED"
            ));
            columns.push(Column {
                name: "derived",
                type_at: 0,
                generated: true,
                not_null: false,
            });
        }
        if rng.chance(4) {
            let more = 1590 - parts.len();
            parts.extend((0..more).map(|at| format!("more_{at} smallint")));
        }
        let partitioned = rng.chance(25);
        let has_index = rng.chance(75);
        let by_expression = partitioned && !has_index && rng.chance(50);
        if has_index {
            parts.push(format!("PRIMARY KEY ({key})"));
        }
        let tail = match (partitioned, by_expression) {
            (false, _) => String::new(),
            (true, false) => format!(" PARTITION BY HASH ({})", columns[0].name),
            (true, true) => format!(" PARTITION BY LIST (({} IS NULL))", columns[0].name),
        };
        let definition = format!("CREATE TABLE {name} ({}){tail}", parts.join(", "));
        let mut twin = Twin {
            name,
            columns,
            definition,
            unique: has_index,
        };
        // No hash, or no equality, for some types.
        if !twin.same(client, &twin.definition.clone()) {
            run(
                client,
                "DROP TABLE IF EXISTS plain.t, audited.t; RESET search_path",
            );
            return Twin::make(client, rng, name);
        }
        if partitioned {
            let each: Vec<String> = if by_expression {
                vec![format!(
                    "CREATE TABLE {name}_0 PARTITION OF {name} FOR VALUES IN (false)"
                )]
            } else {
                (0..2)
                    .map(|at| format!("CREATE TABLE {name}_{at} PARTITION OF {name} FOR VALUES WITH (MODULUS 2, REMAINDER {at})"))
                    .collect()
            };
            for partition in each {
                assert!(
                    twin.same(client, &partition),
                    "{}; {partition}",
                    twin.definition
                );
            }
        }
        if rng.chance(10) {
            twin.same(
                client,
                &format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"),
            );
        }
        twin.attach(client, rng, &key, has_index);
        twin
    }

    fn attach(&mut self, client: &mut Client, rng: &mut Rng, key: &str, has_index: bool) {
        let array = |names: &str| {
            format!(
                "ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = 'audited.{0}'::regclass AND quote_ident(attname) = ANY (ARRAY[{names}]))",
                self.name
            )
        };
        let quoted = |name: &str| {
            format!(
                "quote_ident('{}')",
                name.trim_matches('"')
                    .replace("\"\"", "\"")
                    .replace('\'', "''")
            )
        };
        let mut options = Vec::new();
        if !has_index {
            let names: Vec<String> = key.split(", ").map(quoted).collect();
            options.push(format!("pk => {}", array(&names.join(", "))));
        }
        if rng.chance(40) {
            options.push("payload => 'full'".to_owned());
        }
        let last = self.columns.last().map_or("", |column| column.name);
        if self.columns.len() > 3 && rng.chance(30) {
            options.push(format!("exclude => {}", array(&quoted(last))));
        }
        if rng.chance(30) {
            let by = pick(rng, &self.columns).name;
            options.push(format!("chain_by => {}", array(&quoted(by))));
        }
        if rng.chance(30) {
            options.push("skip_unchanged => true".to_owned());
        }
        let attach = format!(
            "SELECT public.audit_attach({})",
            [vec![format!("'audited.{}'", self.name)], options]
                .concat()
                .join(", ")
        );
        run(
            client,
            &format!("RESET search_path; SET client_min_messages = error; {attach}"),
        );
        self.definition += &format!(";\n{attach}");
    }

    /// Runs a statement on both; whether it was taken. Panics unless both have the same outcome.
    pub fn same(&self, client: &mut Client, statement: &str) -> bool {
        let mut outcomes = ["plain", "audited"].map(|schema| {
            let outcome =
                client.batch_execute(&format!("SET search_path = {schema}, public; {statement}"));
            outcome.map_err(|error| (sqlstate(&error).to_owned(), format!("{error:?}")))
        });
        let [plain, audited] = &mut outcomes;
        let state = |outcome: &Result<(), (String, String)>| {
            outcome.as_ref().err().map(|(state, _)| state.clone())
        };
        assert_eq!(
            state(plain),
            state(audited),
            "{statement:.3000}\nplain: {plain:.600?}\naudited: {audited:.1500?}\nof {:.3000}",
            self.definition
        );
        plain.is_ok()
    }

    /// A random statement, which may be refused.
    pub fn statement(&self, rng: &mut Rng) -> String {
        let name = self.name;
        let writable: Vec<&Column> = self
            .columns
            .iter()
            .filter(|column| !column.generated)
            .collect();
        let insert = |rng: &mut Rng| {
            let rows: Vec<String> = (0..=rng.below(3))
                .map(|_| {
                    let values: Vec<String> = writable
                        .iter()
                        .map(|column| literal(rng, column.type_at))
                        .collect();
                    format!("({})", values.join(", "))
                })
                .collect();
            let names: Vec<&str> = writable.iter().map(|column| column.name).collect();
            format!(
                "INSERT INTO {name} ({}) VALUES {}",
                names.join(", "),
                rows.join(", ")
            )
        };
        let column = *pick(rng, &writable);
        let update = format!(
            "UPDATE {name} SET {} = {}",
            column.name,
            literal(rng, column.type_at)
        );
        match rng.below(12) {
            0..=4 => insert(rng),
            5 => format!("{} ON CONFLICT DO NOTHING", insert(rng)),
            6 => format!(
                "{update} WHERE {} IS NOT NULL",
                pick(rng, &self.columns).name
            ),
            7 => update,
            8 => format!(
                "DELETE FROM {name} WHERE ctid IN (SELECT ctid FROM {name} ORDER BY tableoid::regclass::text, ctid LIMIT 1)"
            ),
            9 if rng.chance(20) => format!("TRUNCATE {name}"),
            9 => format!("INSERT INTO {name} DEFAULT VALUES"),
            10 => format!("UPDATE {name} SET {0} = {0}", column.name),
            _ => format!(
                "DO $do$ BEGIN {}; BEGIN {update}; RAISE 'back'; EXCEPTION WHEN raise_exception THEN NULL; END; END $do$",
                insert(rng)
            ),
        }
    }
}
