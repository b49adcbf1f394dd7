//! Types of columns, and values of them, as the texts that their input functions read.

use crate::model::features::Features;
use crate::rng::Rng;

/// A type: its name in SQL, and patterns of values. `#` stands for a small number; a pattern after `~` differs from
/// another in what is easily lost.
pub type Type = (&'static str, &'static [&'static str]);

/// Types of columns that are no keys.
pub const TYPES: &[Type] = &[
    ("integer", &["#", "-#", "2147483647"]),
    ("bigint", &["#", "-9223372036854775808", "9007199254740993"]),
    ("smallint", &["#", "-#"]),
    (
        "numeric",
        &[
            "#", "#.5", "NaN", "1e20", "~1.0", "~1.00", "~0.000", "-#.125",
        ],
    ),
    ("numeric(10,2)", &["#", "#.25", "-#.10", "NaN"]),
    ("numeric(20,6)", &["#.000001", "#"]),
    (
        "text",
        &[
            "t#",
            "",
            "é \"quoted\" \\ #",
            "tab\there",
            "~true",
            "#",
            "null",
        ],
    ),
    ("varchar(12)", &["v#", ""]),
    ("char(6)", &["c#", "abcdef"]),
    ("boolean", &["t", "f"]),
    ("date", &["2026-01-0#d", "infinity", "0044-03-15 BC"]),
    ("timestamp", &["2026-01-02 03:04:05.#", "-infinity"]),
    (
        "timestamptz",
        &["2026-01-02 03:04:05.#+02", "2026-07-02 03:04:05Z"],
    ),
    ("timestamptz(0)", &["2026-01-02 03:04:0#d+02"]),
    ("time", &["03:04:05.#", "24:00"]),
    ("timetz", &["03:04:05+02", "01:04:05+00"]),
    (
        "interval",
        &[
            "# days",
            "1 mon",
            "~30 days",
            "-1 year 2 days -03:04:05.#",
            "~24:00",
            "~1 day",
        ],
    ),
    (
        "real",
        &["#.5", "NaN", "1e-20", "3.4e38", "~0", "~-0", "0.1"],
    ),
    (
        "double precision",
        &["#.25", "Infinity", "1e23", "~0", "~-0", "0.1", "-1e-300"],
    ),
    ("uuid", &["00000000-0000-0000-0000-0000000000#h"]),
    ("bytea", &["\\x00ff#h", "\\x"]),
    (
        "json",
        &[
            "{\"a\": #}",
            "~{\"a\":#}",
            "[1, 2.50, \"x\"]",
            "~{\"a\": 1, \"a\": 2}",
            "~null",
            "#",
        ],
    ),
    (
        "jsonb",
        &[
            "{\"a\": #}",
            "{\"b\": [true, null, \"x\"]}",
            "~{\"a\": 1.0}",
            "~{\"a\": 1.00}",
            "~null",
            "~\"null\"",
            "\"s#\"",
        ],
    ),
    (
        "integer[]",
        &[
            "{#,NULL}",
            "{}",
            "{{1,#},{3,4}}",
            "~[0:1]={#,2}",
            "~[1:2]={#,2}",
            "~[5:6]={#,2}",
        ],
    ),
    ("text[]", &["{a#,\"b c\",NULL}", "{\"\"}"]),
    ("numeric[]", &["{#.5,1}", "~{1.0}", "~{1.00}"]),
    ("numeric(8,2)[]", &["{#.5,1}"]),
    ("double precision[]", &["{#.5}", "~{0}", "~{-0}"]),
    (
        "jsonb[]",
        &["{\"{\\\"a\\\": #}\"}", "~{\"null\"}", "~{NULL}"],
    ),
    ("app.mood", &["@mood"]),
    ("app.mood[]", &["{@mood,@mood}", "{}"]),
    ("app.small", &["#"]),
    ("app.word", &["w#"]),
    ("app.list", &["{#}", "~[3:3]={#}"]),
    ("app.price", &["#.125"]),
    ("int4range", &["[#d,30)", "empty", "(,)"]),
    ("numrange", &["[#d,30.5]", "~[1.0,2.0)", "~[1.00,2.0)"]),
    ("tstzrange", &["[\"2026-01-02 03:04:05+02\",)", "empty"]),
    ("int4multirange", &["{[1,#d],[20,30)}", "{}"]),
    ("app.ranks", &["[@rank,top]", "[low,@rank]"]),
    ("app.pair", &["(#,x#,@mood,1.5)", "(,,,)"]),
    ("app.pair[]", &["{\"(#,x,@mood,2)\",NULL}"]),
    ("inet", &["10.0.0.#/24", "::#d"]),
    ("cidr", &["10.0.#.0/24"]),
    ("macaddr", &["08:00:2b:01:02:0#d"]),
    (
        "regclass",
        &["pg_catalog.pg_class", "app.side", "pg_catalog.pg_proc"],
    ),
    ("regtype", &["integer", "app.mood", "app.pair"]),
    ("oid", &["16384", "#"]),
    ("money", &["#.25", "-#"]),
    ("xml", &["<a>#</a>", "<a/>", "~<a />", "text #"]),
    ("bit(8)", &["00000001", "10101010"]),
    ("bit varying(8)", &["", "0", "00", "1#b"]),
    ("point", &["(1,#)", "(0.1,2)", "~(0,0)", "~(-0,0)"]),
    ("box", &["((1,1),(0,#))"]),
    ("tsvector", &["a:1 b:2#", "c"]),
    ("tsquery", &["a & b", "a | !c", "~a <2> b", "~a <1> b"]),
    ("jsonpath", &["$.a[*] ? (@ > #)"]),
    ("pg_lsn", &["0/#"]),
    ("\"char\"", &["a", "#d"]),
    ("name", &["n#"]),
    ("int2vector", &["1 2 #", "3"]),
];

/// Types of keys: their texts are the texts of keys.
pub const KEY_TYPES: &[Type] = &[
    ("integer", &["#"]),
    ("bigint", &["#"]),
    ("smallint", &["#"]),
    ("text", &["k#", "k \"#d\"", "é#d"]),
    ("varchar(10)", &["v#"]),
    ("uuid", &["00000000-0000-0000-0000-0000000000#h"]),
    ("app.rank", &["@rank"]),
    ("date", &["2026-01-1#d"]),
    ("inet", &["10.0.0.#"]),
    ("app.small", &["#"]),
    ("app.word", &["w#"]),
];

/// Labels of the enumerations at the moment.
#[derive(Clone, Debug)]
pub struct Labels {
    /// Of `app.mood`.
    pub mood: Vec<String>,
    /// Of `app.rank`.
    pub rank: Vec<String>,
}

impl Default for Labels {
    fn default() -> Labels {
        Labels {
            mood: ["ok", "bad", "new"].map(str::to_owned).to_vec(),
            rank: ["low", "mid", "high", "top"].map(str::to_owned).to_vec(),
        }
    }
}

/// A value of a type that is not null.
pub fn value(kind: &Type, labels: &Labels, features: &Features, rng: &mut Rng) -> String {
    let patterns: Vec<&str> = kind
        .1
        .iter()
        .filter(|pattern| features.has("lossless") || !pattern.starts_with('~'))
        .map(|pattern| pattern.trim_start_matches('~'))
        .collect();
    let pattern = patterns[rng.below(patterns.len() as u64) as usize];
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['#', '@']) {
        text.push_str(&rest[..at]);
        let (word, skip) = match &rest[at..] {
            hole if hole.starts_with("#d") => (rng.below(8).to_string(), 2),
            hole if hole.starts_with("#h") => (format!("{:02x}", rng.below(16)), 2),
            hole if hole.starts_with("#b") => (rng.below(2).to_string(), 2),
            hole if hole.starts_with("@mood") => (pick(&labels.mood, rng).clone(), 5),
            hole if hole.starts_with("@rank") => (pick(&labels.rank, rng).clone(), 5),
            _ => (rng.below(16).to_string(), 1),
        };
        text.push_str(&word);
        rest = &rest[at + skip..];
    }
    text + rest
}

/// One of several.
pub fn pick<'a, T>(all: &'a [T], rng: &mut Rng) -> &'a T {
    &all[rng.below(all.len() as u64) as usize]
}

/// A value as a literal that takes on the type of where it stands.
pub fn literal(value: &Option<String>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(text) => format!("'{}'", text.replace('\'', "''")),
    }
}

/// A value as COPY reads it.
pub fn copied(value: &Option<String>) -> String {
    match value {
        None => "\\N".to_owned(),
        Some(text) => text
            .replace('\\', "\\\\")
            .replace('\t', "\\t")
            .replace('\n', "\\n"),
    }
}
