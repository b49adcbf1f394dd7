//! Whatever PostgreSQL takes, it takes for an audited table as well. Tables of random definitions are made twice, one of the
//! two is audited, and both get the same statements: each has the same outcome on both, to the SQLSTATE, and what was
//! written through the audit is in order.

use auditspine_load::rng::Rng;
use auditspine_load::server::{Server, run, scalar, sqlstate, turn};
use postgres::Client;

/// What definitions use, beside what is built in.
const TYPES: &str = r#"
    CREATE TYPE public.mood AS ENUM ('sad', 'o''k', 'ha,ppy "x"', '');
    CREATE TYPE public.pair AS (a integer, "B b" text, c public.mood, d json);
    CREATE TYPE public.nest AS (p public.pair, q public.pair[], r numeric);
    CREATE DOMAIN public.short AS text CHECK (length(VALUE) < 6);
    CREATE DOMAIN public.many AS integer[] CHECK (cardinality(VALUE) < 4);
    CREATE TYPE public.moods AS RANGE (subtype = public.mood);
    CREATE TYPE public.wide AS RANGE (subtype = text);
    CREATE SCHEMA plain; CREATE SCHEMA audited;"#;

/// Types, whether a key can be made of them, and literals of theirs; some of which are refused.
const VALUES: &[(&str, bool, &[&str])] = &[
    ("smallint", true, &["0", "-32768", "32767", "32768"]),
    (
        "integer",
        true,
        &["1", "2", "3", "-2147483648", "2147483647"],
    ),
    (
        "bigint",
        true,
        &["1", "9223372036854775807", "-9223372036854775808"],
    ),
    (
        "numeric",
        true,
        &[
            "0",
            "1.0",
            "1.00",
            "'NaN'",
            "'Infinity'",
            "1e100",
            "1e-500",
            "-0.1",
            "repeat('9', 3000)::numeric",
            "1e131071",
        ],
    ),
    (
        "numeric(8,2)",
        true,
        &["1.005", "999999.99", "1000000", "'NaN'"],
    ),
    (
        "real",
        true,
        &["1.5", "'-0'", "'NaN'", "'-Infinity'", "1e-45"],
    ),
    (
        "double precision",
        true,
        &["0.1", "'-0'", "'NaN'", "1e308", "5e-324"],
    ),
    ("money", true, &["'12.34'", "'-92233720368547758.08'"]),
    (
        "text",
        true,
        &[
            "''",
            "'a'",
            "'ab '",
            "E'\\x01\\n\\t\\\\\"'",
            "'é…𝄞'",
            "'null'",
            "repeat('x', 3000)",
            "repeat('é', 1200)",
            "repeat('y', 300000)",
            "(SELECT string_agg(md5(g::text), '') FROM generate_series(1, 60) AS g)",
            "E'\\uFFFF'",
            "U&'\\FEFF'",
        ],
    ),
    (
        "varchar(20)",
        true,
        &["'v'", "'12345678901234567890'", "'123456789012345678901'"],
    ),
    ("char(5)", true, &["''", "'ab'", "'ab   '", "'abcdef'"]),
    ("name", true, &["'n'", "repeat('n', 100)"]),
    ("\"char\"", true, &["'c'", "''", "'\\377'"]),
    ("boolean", true, &["true", "false"]),
    (
        "bytea",
        true,
        &[
            "''",
            "'\\x00'",
            "decode(repeat('ff', 1500), 'hex')",
            "(SELECT string_agg(sha256(g::text::bytea), '') FROM generate_series(1, 70) AS g)",
        ],
    ),
    (
        "date",
        true,
        &[
            "'2026-01-31'",
            "'infinity'",
            "'4713-01-01 BC'",
            "'5874897-12-31'",
        ],
    ),
    ("time", true, &["'00:00'", "'24:00'", "'12:34:56.789012'"]),
    ("timetz", true, &["'00:00+15:59'", "'12:00-03:30:15'"]),
    (
        "timestamp",
        true,
        &[
            "'2026-01-31 12:00'",
            "'-infinity'",
            "'294276-12-31 23:59:59.999999'",
        ],
    ),
    (
        "timestamptz",
        true,
        &[
            "'2026-01-31 12:00Z'",
            "'infinity'",
            "'4713-01-01 00:00:00Z BC'",
        ],
    ),
    (
        "interval",
        true,
        &[
            "'1 mon'",
            "'30 days'",
            "'-178000000 years'",
            "'1 day -00:00:01'",
        ],
    ),
    (
        "uuid",
        true,
        &[
            "'00000000-0000-0000-0000-000000000000'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        ],
    ),
    (
        "json",
        false,
        &[
            "'{}'",
            "'{\"a\":1,\"a\":2}'",
            "'[1e2, 1.0, null]'",
            "'  \"x\" '",
            "'\"\\u00e9\"'",
            "JSON_A",
            "JSON_B",
        ],
    ),
    (
        "jsonb",
        true,
        &[
            "'null'",
            "'{}'",
            "'{\"b\":[1.0,1.00,{\"\":null}]}'",
            "'\"x\"'",
            "(repeat('[', 900) || repeat(']', 900))::jsonb",
            "'1e1000'",
        ],
    ),
    (
        "xml",
        false,
        &["'<a/>'", "'<a b=\"c\">d</a> e'", "''", "'<a'"],
    ),
    ("inet", true, &["'10.0.0.1'", "'10.0.0.1/8'", "'::1/128'"]),
    ("cidr", true, &["'10.0.0.0/8'", "'10.0.0.1/8'", "'::/0'"]),
    ("macaddr", true, &["'08:00:2b:01:02:03'"]),
    ("bit(5)", true, &["B'10101'", "B'1'"]),
    ("varbit", true, &["B''", "B'1010'"]),
    (
        "point",
        false,
        &["'(1,2)'", "'(NaN,Infinity)'", "'(-0,1e300)'"],
    ),
    ("box", false, &["'(1,2),(3,4)'"]),
    ("path", false, &["'[(1,2),(3,4)]'", "'((1,2),(3,4))'"]),
    ("circle", false, &["'<(1,2),3>'"]),
    ("tsvector", true, &["'a:1A b'", "''"]),
    ("tsquery", true, &["'a & b:*'", "''"]),
    ("jsonpath", false, &["'$.a[*] ? (@ > 1)'"]),
    ("int4range", true, &["'empty'", "'[1,2]'", "'(,)'"]),
    ("nummultirange", true, &["'{}'", "'{[1.0,2.00),[3,)}'"]),
    ("tstzrange", true, &["'[2026-01-01,infinity)'", "'empty'"]),
    ("public.moods", true, &["'[\"\",\"o''k\"]'", "'empty'"]),
    ("public.wide", true, &["'[\"a,\\\"b\",z]'", "'(,\"\")'"]),
    (
        "integer[]",
        true,
        &["'{}'", "'{1,NULL}'", "'[0:1]={1,2}'", "'{{1,2},{3,4}}'"],
    ),
    (
        "text[]",
        true,
        &[
            "'{a,\"b,\\\"c\",NULL,\"NULL\",\"\"}'",
            "array_fill('x'::text, '{500}')",
        ],
    ),
    ("numeric[]", true, &["'{1.0,1.00,NaN}'"]),
    ("public.mood", true, &["'sad'", "'o''k'", "''", "'none'"]),
    ("public.mood[]", true, &["'{sad,\"\"}'", "'[3:3]={sad}'"]),
    (
        "public.pair",
        false,
        &[
            "ROW(1,'x','sad','{}')",
            "ROW(NULL,NULL,NULL,NULL)",
            "ROW(1,E'\\x02','','[1, 2]')",
        ],
    ),
    (
        "public.nest",
        false,
        &[
            "ROW(ROW(1,'x','sad','1'),ARRAY[ROW(2,NULL,NULL,NULL)::public.pair],1.50)",
            "ROW(NULL,'{}',NULL)",
        ],
    ),
    (
        "public.pair[]",
        false,
        &["ARRAY[ROW(1,'x','sad','{}')::public.pair,NULL]"],
    ),
    ("public.short", true, &["'abc'", "'abcdef'", "''"]),
    (
        "public.many",
        true,
        &["'{1}'", "'{1,2,3,4}'", "'[5:6]={1,2}'"],
    ),
    ("oid", true, &["0", "4294967295"]),
    ("regclass", true, &["'pg_class'", "'0'", "'123456789'"]),
    ("regtype", true, &["'integer'", "'public.mood'"]),
    ("regproc", true, &["'pg_sleep'", "'0'"]),
    ("regrole", true, &["'postgres'::regrole", "'0'"]),
    ("pg_lsn", true, &["'0/0'", "'FFFFFFFF/FFFFFFFF'"]),
    ("xid8", true, &["'18446744073709551615'"]),
    ("xid", false, &["'3'"]),
    ("tid", true, &["'(1,2)'"]),
    ("pg_snapshot", false, &["'10:20:10,14'"]),
    ("oidvector", true, &["'1 2'", "''"]),
    ("int2vector", false, &["'1 2'"]),
    ("refcursor", false, &["'cursor'"]),
    ("aclitem", false, &["'postgres=r/postgres'"]),
];

const NAMES: &[&str] = &[
    "a",
    "b",
    "id",
    "\"Ünï cödé\"",
    "\"a,b\"",
    "\"x\"\"y\"",
    "\" \"",
    "\"select\"",
    "\"pk=a\"",
    "\"new\"",
    "\"old\"",
    "\"{}\"",
    "\"'\"",
    "\"\\\"",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk",
    "\"éééééééééééééééééééééééééééééé1\"",
];

struct Column {
    name: &'static str,
    type_at: usize,
    generated: bool,
    not_null: bool,
}

/// A table, twice: in schema plain, and audited.
struct Twin {
    name: &'static str,
    columns: Vec<Column>,
    definition: String,
    /// Whether no two rows have one key.
    unique: bool,
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.below(from.len() as u64) as usize]
}

fn literal(rng: &mut Rng, type_at: usize) -> String {
    if rng.chance(12) {
        return "NULL".to_owned();
    }
    let (type_name, _, values) = VALUES[type_at];
    let value = match *pick(rng, values) {
        // Valid JSON that jsonb does not take.
        "JSON_A" => r#"'"\u0000"'"#,
        "JSON_B" => "'[1e1000000]'",
        value => value,
    };
    format!("({value})::{type_name}")
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
    fn make(client: &mut Client, rng: &mut Rng, name: &'static str) -> Twin {
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
    fn same(&self, client: &mut Client, statement: &str) -> bool {
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

    fn statement(&self, rng: &mut Rng) -> String {
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

#[test]
fn twins() {
    let _turn = turn();
    let server = Server::from_env();
    let number = |name: &str, otherwise| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let (first, tables, steps) = (number("TWIN_FIRST", 0), number("TWIN_TABLES", 60), 25);
    let mut client = server.fresh_database("twins").connect();
    run(&mut client, TYPES);
    let (mut taken, mut refused) = (0, 0);
    for seed in first..first + tables {
        let mut rng = Rng::new(seed);
        let twin = Twin::make(&mut client, &mut rng, "t");
        for _ in 0..steps {
            let statement = twin.statement(&mut rng);
            *if twin.same(&mut client, &statement) {
                &mut taken
            } else {
                &mut refused
            } += 1;
        }
        let findings: Option<String> = scalar(
            &mut client,
            "SELECT string_agg(left(concat_ws(' ', key, finding, detail, current), 500), E'\\n') FROM public.verify_table_findings('audited.t')",
        );
        // The histories of two rows of one key are one, as audit_attach() warns.
        if twin.unique {
            assert_eq!(findings, None, "seed {seed}: {}", twin.definition);
        }
        let counts: bool = scalar(
            &mut client,
            "SELECT (SELECT count(*) FROM plain.t) = (SELECT count(*) FROM audited.t)",
        );
        assert!(counts, "seed {seed}: {}", twin.definition);
        run(
            &mut client,
            "SELECT public.audit_detach('audited.t'); DROP TABLE plain.t, audited.t",
        );
    }
    let ok: bool = scalar(
        &mut client,
        "SELECT bool_and(ok) FROM public.verify_chain()",
    );
    assert!(ok, "links");
    println!("{tables} tables, {taken} statements taken by both, {refused} by neither");
}
