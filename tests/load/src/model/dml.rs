//! Statements that write rows.

use crate::model::features::Features;
use crate::model::picture::{Picture, Tab, cell};
use crate::model::program::Kind;
use crate::model::types::{self, copied, literal, pick};
use crate::rng::Rng;

/// A setting that must change no hash and no verdict.
pub fn setting(features: &Features, rng: &mut Rng) -> String {
    const SETTINGS: &[&str] = &[
        "DateStyle = 'German, DMY'",
        "DateStyle = 'SQL, MDY'",
        "DateStyle = 'Postgres, DMY'",
        "DateStyle = 'ISO, MDY'",
        "IntervalStyle = iso_8601",
        "IntervalStyle = sql_standard",
        "IntervalStyle = postgres_verbose",
        "TimeZone = 'Asia/Kathmandu'",
        "TimeZone = 'America/St_Johns'",
        "TimeZone = 'UTC'",
        "extra_float_digits = -15",
        "extra_float_digits = 0",
        "extra_float_digits = 3",
        "bytea_output = escape",
        "bytea_output = hex",
        "search_path = ''",
        "search_path = app, public",
        "search_path = public",
        "xmlbinary = hex",
        "xmloption = document",
        "xmloption = content",
        "array_nulls = off",
        "quote_all_identifiers = off",
        "enable_seqscan = off",
        "enable_indexscan = off",
        "auditspine.buffer_size = '64kB'",
        "auditspine.actor = 'someone \"else\"'",
        "auditspine.context = '{\"ticket\": [1, null, 2.50]}'",
        "work_mem = '64kB'",
        "row_security = off",
        "default_toast_compression = pglz",
        "synchronous_commit = off",
        "plan_cache_mode = force_generic_plan",
        "session_replication_role = replica",
        "session_replication_role = origin",
        "lc_monetary = 'C'",
        "transform_null_equals = on",
    ];
    if features.has("quoting") && rng.chance(4) {
        return "SET quote_all_identifiers = on".to_owned();
    }
    format!("SET {}", pick(SETTINGS, rng))
}

fn condition(tab: &Tab, picture: &Picture, features: &Features, rng: &mut Rng) -> String {
    match rng.below(10) {
        0..=3 => format!("rid % {} = {}", 3 + rng.below(4), rng.below(3)),
        4..=5 => {
            let col = pick(&tab.keys, rng);
            format!(
                "{} = {}",
                col.name,
                literal(&Some(types::value(
                    &col.kind,
                    &picture.labels,
                    features,
                    rng
                )))
            )
        }
        6..=8 => format!(
            "rid = (SELECT rid FROM {} ORDER BY rid OFFSET {} LIMIT 1)",
            tab.name,
            rng.below(8)
        ),
        _ if rng.chance(30) => "true".to_owned(),
        _ => "rid = (SELECT max(rid) FROM ".to_owned() + &tab.name + ")",
    }
}

/// Values of a new row: names of columns and literals.
fn row(
    tab: &Tab,
    picture: &Picture,
    features: &Features,
    rng: &mut Rng,
) -> (Vec<String>, Vec<Option<String>>) {
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for col in &tab.keys {
        names.push(col.name.clone());
        values.push(Some(types::value(
            &col.kind,
            &picture.labels,
            features,
            rng,
        )));
    }
    for col in tab.writable() {
        names.push(col.name.clone());
        values.push(cell(col, picture, features, rng));
    }
    (names, values)
}

fn rows(tab: &Tab, picture: &Picture, features: &Features, rng: &mut Rng) -> (String, String) {
    let mut lines = Vec::new();
    let mut names = Vec::new();
    for _ in 0..1 + rng.below(4) {
        let (columns, values) = row(tab, picture, features, rng);
        lines.push(format!(
            "({})",
            values.iter().map(literal).collect::<Vec<_>>().join(", ")
        ));
        names = columns;
    }
    (names.join(", "), lines.join(", "))
}

fn assignments(tab: &Tab, picture: &Picture, features: &Features, rng: &mut Rng) -> String {
    let writable = tab.writable();
    let mut all: Vec<String> = Vec::new();
    for _ in 0..1 + rng.below(2) {
        if writable.is_empty() {
            break;
        }
        let col = pick(&writable, rng);
        if all
            .iter()
            .all(|one| !one.starts_with(&format!("{} =", col.name)))
        {
            all.push(format!(
                "{} = {}",
                col.name,
                literal(&cell(col, picture, features, rng))
            ));
        }
    }
    if all.is_empty() || rng.chance(8) {
        all.push("rid = rid".to_owned());
    }
    if rng.chance(15) {
        let col = pick(&tab.keys, rng);
        let numeric = ["integer", "bigint", "smallint", "app.small"].contains(&col.kind.0);
        let new = match numeric && rng.chance(40) {
            true => format!("{} + 1", col.name),
            false => literal(&Some(types::value(
                &col.kind,
                &picture.labels,
                features,
                rng,
            ))),
        };
        all.push(format!("{} = {new}", col.name));
    }
    all.join(", ")
}

/// A statement that writes rows.
pub fn statement(picture: &Picture, features: &Features, rng: &mut Rng) -> (Kind, String) {
    let tab = pick(&picture.tables, rng);
    let name = &tab.name;
    let exact = Kind::Dml { exact: true };
    match rng.below(100) {
        0..=29 => {
            let (columns, values) = rows(tab, picture, features, rng);
            let mut tail = String::new();
            if tab.upsert && rng.chance(60) {
                let writable = tab.writable();
                tail = match writable.is_empty() || rng.chance(60) {
                    true => " ON CONFLICT DO NOTHING".to_owned(),
                    false => {
                        let col = &pick(&writable, rng).name;
                        format!(
                            " ON CONFLICT ({}) DO UPDATE SET {col} = excluded.{col}",
                            tab.key_list()
                        )
                    }
                };
            }
            (
                exact,
                format!("INSERT INTO {name} ({columns}) VALUES {values}{tail}"),
            )
        }
        30..=54 => {
            let set = assignments(tab, picture, features, rng);
            (
                exact,
                format!(
                    "UPDATE {name} SET {set} WHERE {}",
                    condition(tab, picture, features, rng)
                ),
            )
        }
        55..=66 => (
            exact,
            format!(
                "DELETE FROM {name} WHERE {}",
                condition(tab, picture, features, rng)
            ),
        ),
        67..=74 => {
            let mut lines = String::new();
            let mut names = Vec::new();
            for _ in 0..1 + rng.below(3) {
                let (columns, values) = row(tab, picture, features, rng);
                lines += &(values.iter().map(copied).collect::<Vec<_>>().join("\t") + "\n");
                names = columns;
            }
            (
                Kind::Copy(lines),
                format!("COPY {name} ({}) FROM STDIN", names.join(", ")),
            )
        }
        75..=82 => (exact, merge(tab, picture, features, rng)),
        83..=86 => block(tab, picture, features, rng),
        87..=89 => (
            exact,
            format!(
                "WITH gone AS (DELETE FROM {name} WHERE {} RETURNING *) UPDATE {name} SET {} WHERE {}",
                condition(tab, picture, features, rng),
                assignments(tab, picture, features, rng),
                condition(tab, picture, features, rng)
            ),
        ),
        90 => (exact, format!("SELECT audit_flush() FROM {name} LIMIT 1")),
        91 if rng.chance(50) => (exact, format!("EXECUTE kept{}", rng.below(3))),
        91 => {
            let (columns, values) = rows(tab, picture, features, rng);
            let kept = match rng.below(2) {
                0 => {
                    format!("INSERT INTO {name} ({columns}) VALUES {values} ON CONFLICT DO NOTHING")
                }
                _ => format!(
                    "UPDATE {name} SET {} WHERE {}",
                    assignments(tab, picture, features, rng),
                    condition(tab, picture, features, rng)
                ),
            };
            (
                Kind::Setting,
                format!("PREPARE kept{} AS {kept}", rng.below(3)),
            )
        }
        92 => match tab
            .parts
            .iter()
            .filter(|part| part.attached)
            .collect::<Vec<_>>()
        {
            parts if !parts.is_empty() && rng.chance(60) => (
                Kind::Truncate(vec![tab.id], false),
                format!("TRUNCATE {}", pick(&parts, rng).name),
            ),
            _ => {
                let heirs = picture
                    .tables
                    .iter()
                    .filter(|heir| heir.id == tab.id || heir.parent == Some(tab.id));
                (
                    Kind::Truncate(heirs.map(|heir| heir.id).collect(), true),
                    format!("TRUNCATE {name}"),
                )
            }
        },
        93..=95 => {
            let set = assignments(tab, picture, features, rng);
            (
                exact,
                format!(
                    "UPDATE {name} SET {set} WHERE app.bump() >= 0 AND {}",
                    condition(tab, picture, features, rng)
                ),
            )
        }
        _ => {
            let (columns, values) = rows(tab, picture, features, rng);
            (
                exact,
                format!("INSERT INTO {name} ({columns}) VALUES {values} RETURNING rid"),
            )
        }
    }
}

fn merge(tab: &Tab, picture: &Picture, features: &Features, rng: &mut Rng) -> String {
    let name = &tab.name;
    let (names, values) = row(tab, picture, features, rng);
    let keys = tab.keys.len();
    let source: Vec<String> = (0..keys)
        .map(|at| {
            format!(
                "{}::{} AS {}",
                literal(&values[at]),
                tab.keys[at].kind.0,
                names[at]
            )
        })
        .collect();
    let on: Vec<String> = names[..keys]
        .iter()
        .map(|name| format!("t.{name} = s.{name}"))
        .collect();
    let matched = match rng.below(3) {
        0 => "DELETE".to_owned(),
        1 => "DO NOTHING".to_owned(),
        _ => format!(
            "UPDATE SET {}",
            assignments(tab, picture, features, rng).replace("rid = rid", "rid = t.rid")
        ),
    };
    let inserted: Vec<String> = (0..names.len())
        .map(|at| {
            if at < keys {
                format!("s.{}", names[at])
            } else {
                literal(&values[at])
            }
        })
        .collect();
    format!(
        "MERGE INTO {name} AS t USING (SELECT {}) AS s ON {} WHEN MATCHED THEN {matched} WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
        source.join(", "),
        on.join(" AND "),
        names.join(", "),
        inserted.join(", ")
    )
}

/// A block: statements, some of which an exception undoes.
fn block(tab: &Tab, picture: &Picture, features: &Features, rng: &mut Rng) -> (Kind, String) {
    let name = &tab.name;
    let one = |rng: &mut Rng| match rng.below(3) {
        0 => format!(
            "DELETE FROM {name} WHERE {}",
            condition(tab, picture, features, rng)
        ),
        1 => {
            let (columns, values) = rows(tab, picture, features, rng);
            format!("INSERT INTO {name} ({columns}) VALUES {values}")
        }
        _ => format!(
            "UPDATE {name} SET {} WHERE {}",
            assignments(tab, picture, features, rng),
            condition(tab, picture, features, rng)
        ),
    };
    let body = match rng.below(3) {
        0 => format!(
            "{}; RAISE division_by_zero; EXCEPTION WHEN OTHERS THEN {}",
            one(rng),
            one(rng)
        ),
        1 => format!("{}; {}", one(rng), one(rng)),
        _ => format!(
            "FOR i IN 1..3 LOOP BEGIN {}; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP",
            one(rng)
        ),
    };
    (
        Kind::Dml { exact: false },
        format!("DO $do$ BEGIN {body}; END $do$"),
    )
}
