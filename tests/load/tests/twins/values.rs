//! Types and literals that tables of random definitions are made of.

use auditspine_load::rng::Rng;

/// What definitions use, beside what is built in.
pub const TYPES: &str = r#"
    CREATE TYPE public.mood AS ENUM ('sad', 'o''k', 'ha,ppy "x"', '');
    CREATE TYPE public.pair AS (a integer, "B b" text, c public.mood, d json);
    CREATE TYPE public.nest AS (p public.pair, q public.pair[], r numeric);
    CREATE DOMAIN public.short AS text CHECK (length(VALUE) < 6);
    CREATE DOMAIN public.many AS integer[] CHECK (cardinality(VALUE) < 4);
    CREATE TYPE public.moods AS RANGE (subtype = public.mood);
    CREATE TYPE public.wide AS RANGE (subtype = text);
    CREATE SCHEMA plain; CREATE SCHEMA audited;"#;

/// Types, whether a key can be made of them, and literals of theirs; some of which are refused.
pub const VALUES: &[(&str, bool, &[&str])] = &[
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

/// Names of columns, most of which must be quoted.
pub const NAMES: &[&str] = &[
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

/// One of these.
pub fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.below(from.len() as u64) as usize]
}

/// A literal of this type, by its place in [`VALUES`].
pub fn literal(rng: &mut Rng, type_at: usize) -> String {
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
