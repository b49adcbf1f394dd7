//! Statements that change tables.

use crate::model::columns::{add_column, retype};
use crate::model::features::Features;
use crate::model::picture::{Picture, Tab};
use crate::model::state::Hint;
use crate::model::types::{self, literal, pick};
use crate::rng::Rng;

/// Statements that change tables: most often one.
pub fn statement(picture: &mut Picture, features: &Features, rng: &mut Rng) -> Vec<(Hint, String)> {
    let at = rng.below(picture.tables.len() as u64) as usize;
    let all = change(at, picture, features, rng);
    picture.pass_on(at);
    all
}

fn change(
    at: usize,
    picture: &mut Picture,
    features: &Features,
    rng: &mut Rng,
) -> Vec<(Hint, String)> {
    let labels = picture.labels.clone();
    let plain = |sql: String| vec![(Hint::None, sql)];
    let tab = &mut picture.tables[at];
    let name = tab.name.clone();
    let renamed = tab.keys_retyped;
    match rng.below(60) {
        0..=11 => add_column(tab, &labels, features, rng),
        12..=15 if features.has("drop_column") => {
            let free: Vec<usize> = (0..tab.cols.len())
                .filter(|at| !["note", "g"].contains(&&tab.cols[*at].name[..]))
                .collect();
            if free.is_empty() {
                return Vec::new();
            }
            let col = tab.cols.remove(*pick(&free, rng));
            plain(format!("ALTER TABLE {name} DROP COLUMN {}", col.name))
        }
        16..=19 => {
            let to = tab.fresh(rng);
            let free: Vec<usize> = (0..tab.cols.len())
                .filter(|at| tab.cols[*at].name != "note")
                .collect();
            if free.is_empty() {
                return Vec::new();
            }
            let col = &mut tab.cols[*pick(&free, rng)];
            let from = std::mem::replace(&mut col.name, to.clone());
            plain(format!("ALTER TABLE {name} RENAME COLUMN {from} TO {to}"))
        }
        20..=24 if features.has("retype") => retype(tab, rng),
        25 | 26 => {
            tab.names += 1;
            let (schema, short) = name.rsplit_once('.').unwrap_or(("public", &name));
            let to = if rng.chance(50) {
                format!("t{}x{}", tab.id, tab.names)
            } else {
                format!("\"T {}'s {}\"", tab.id, tab.names)
            };
            let _ = short;
            tab.name = format!("{schema}.{to}");
            plain(format!("ALTER TABLE {name} RENAME TO {to}"))
        }
        27 => {
            let (schema, short) = name.split_once('.').unwrap_or(("public", &name));
            let to = if schema == "public" {
                "\"Other schema\""
            } else {
                "public"
            };
            tab.name = format!("{to}.{short}");
            plain(format!("ALTER TABLE {name} SET SCHEMA {to}"))
        }
        28 | 29 => {
            let (kind, list) = if rng.chance(50) {
                ("mood", &mut picture.labels.mood)
            } else {
                ("rank", &mut picture.labels.rank)
            };
            let label = format!("{}{}", pick(&["extra", "Ex tra", "x'"], rng), list.len());
            let place = if rng.chance(40) {
                format!(" BEFORE {}", literal(&Some(pick(list, rng).clone())))
            } else {
                String::new()
            };
            let sql = format!(
                "ALTER TYPE app.{kind} ADD VALUE {}{place}",
                literal(&Some(label.clone()))
            );
            list.push(label);
            plain(sql)
        }
        30 | 31 if features.has("label_renamed") => {
            let (kind, list) = if !features.has("key_label_renamed") || rng.chance(50) {
                ("mood", &mut picture.labels.mood)
            } else {
                ("rank", &mut picture.labels.rank)
            };
            let place = rng.below(list.len() as u64) as usize;
            let label = format!("{}{}", pick(&["fine", "poor", "zz"], rng), rng.below(100));
            let from = std::mem::replace(&mut list[place], label.clone());
            plain(format!(
                "ALTER TYPE app.{kind} RENAME VALUE {} TO {}",
                literal(&Some(from)),
                literal(&Some(label))
            ))
        }
        32..=36 if !tab.parts.is_empty() => partition(tab, features, rng),
        37 | 38 => plain(format!("VACUUM FULL {name}")),
        39 => match &tab.constraint {
            Some(constraint) if tab.parts.is_empty() => {
                plain(format!("CLUSTER {name} USING {constraint}"))
            }
            _ => plain(format!("ANALYZE {name}")),
        },
        40 | 41 => reattach(tab, features, rng),
        42 => {
            let col = pick(&tab.cols, rng);
            let sql = match rng.below(4) {
                0 => format!("ALTER TABLE {name} ALTER COLUMN {} DROP DEFAULT", col.name),
                1 if !col.generated => format!(
                    "ALTER TABLE {name} ALTER COLUMN {} SET DEFAULT {}",
                    col.name,
                    literal(&Some(types::value(&col.kind, &labels, features, rng)))
                ),
                2 => format!(
                    "ALTER TABLE {name} ALTER COLUMN {} SET STATISTICS 50",
                    col.name
                ),
                _ => format!("CREATE INDEX ON {name} (note)"),
            };
            plain(sql)
        }
        43 => plain(format!("VACUUM {name}")),
        44 if features.has("target_renamed") => {
            let to = ["side", "\"Side table\""][usize::from(picture.side == "app.side")];
            let sql = format!("ALTER TABLE {} RENAME TO {to}", picture.side);
            picture.side = format!("app.{to}");
            plain(sql)
        }
        45 if features.has("target_renamed") => {
            plain("ALTER TYPE app.list RENAME TO list_of_numbers".to_owned())
        }
        46 | 47 if features.has("attribute_changed") => {
            let change = [
                "RENAME ATTRIBUTE b TO bee",
                "ADD ATTRIBUTE z text",
                "RENAME ATTRIBUTE a TO \"A a\"",
            ];
            plain(format!("ALTER TYPE app.pair {}", pick(&change, rng)))
        }
        48 | 49 if features.has("key_changed") && tab.parts.is_empty() => key_change(tab, rng),
        50 if features.has("key_retyped") && tab.parts.is_empty() => {
            let at = rng.below(tab.keys.len() as u64) as usize;
            if tab.loose || tab.keys[at].kind.0 == "text" {
                return Vec::new();
            }
            let to = match tab.keys[at].kind.0 {
                "smallint" => "integer",
                "integer" => "bigint",
                _ => "text",
            };
            tab.keys[at].kind = (to, tab.keys[at].kind.1);
            tab.keys_retyped = true;
            let using = if to == "text" {
                format!(" USING {}::text", tab.keys[at].name)
            } else {
                String::new()
            };
            vec![(
                Hint::Retypes(tab.id),
                format!(
                    "ALTER TABLE {name} ALTER COLUMN {} TYPE {to}{using}",
                    tab.keys[at].name
                ),
            )]
        }
        51 if features.has("casts") => {
            let kind = *pick(&["app.mood", "app.pair", "app.ranks"], rng);
            let short = kind.trim_start_matches("app.");
            let to = *pick(&["json", "text"], rng);
            vec![
                (
                    Hint::None,
                    format!(
                        "CREATE FUNCTION app.{short}_{to}({kind}) RETURNS {to} LANGUAGE sql AS $$ SELECT '{{\"lost\": true}}'::{to} $$"
                    ),
                ),
                (
                    Hint::None,
                    format!("CREATE CAST ({kind} AS {to}) WITH FUNCTION app.{short}_{to}({kind})"),
                ),
            ]
        }
        52 => {
            let keys = tab.keys.len();
            let col = &mut tab.keys[rng.below(keys as u64) as usize];
            tab.names += 1;
            let to = format!("key{}", tab.names);
            let from = std::mem::replace(&mut col.name, to.clone());
            plain(format!("ALTER TABLE {name} RENAME COLUMN {from} TO {to}"))
        }
        54 if features.has("backfill_of_renamed") || !renamed => vec![(
            Hint::Backfill(tab.id),
            format!("CALL audit_backfill('{}')", name.replace('\'', "''")),
        )],
        53 => plain(format!("REINDEX TABLE {name}")),
        _ => add_column(tab, &labels, features, rng),
    }
}

fn partition(tab: &mut Tab, features: &Features, rng: &mut Rng) -> Vec<(Hint, String)> {
    let name = tab.name.clone();
    let at = rng.below(tab.parts.len() as u64) as usize;
    let part = &mut tab.parts[at];
    if !part.attached {
        part.attached = true;
        return vec![(
            Hint::None,
            format!(
                "ALTER TABLE {name} ATTACH PARTITION {} {}",
                part.name, part.bounds
            ),
        )];
    }
    if features.has("partition_dropped") && rng.chance(30) {
        let made = format!(
            "CREATE TABLE {} PARTITION OF {name} {}",
            part.name, part.bounds
        );
        return vec![
            (Hint::None, format!("DROP TABLE {}", part.name)),
            (Hint::None, made),
        ];
    }
    part.attached = false;
    let mut all = vec![(
        Hint::None,
        format!("ALTER TABLE {name} DETACH PARTITION {}", part.name),
    )];
    if rng.chance(50) {
        all.push((
            Hint::None,
            format!("UPDATE {} SET note = 'apart' WHERE rid % 2 = 0", part.name),
        ));
    }
    if rng.chance(60) {
        part.attached = true;
        all.push((
            Hint::None,
            format!(
                "ALTER TABLE {name} ATTACH PARTITION {} {}",
                part.name, part.bounds
            ),
        ));
    }
    all
}

fn reattach(tab: &mut Tab, features: &Features, rng: &mut Rng) -> Vec<(Hint, String)> {
    let flip = |options: &str, option: &str| match options.find(option) {
        Some(_) => options.replace(&format!(", {option}"), ""),
        None => options.replacen(')', &format!(", {option})"), 1),
    };
    tab.options = match rng.below(3) {
        0 => flip(&tab.options, "payload => 'full'"),
        1 => flip(&tab.options, "skip_unchanged => true"),
        _ if features.has("other_exclude") && !tab.options.contains("exclude") => {
            let col = pick(&tab.cols, rng)
                .name
                .trim_matches('"')
                .replace("\"\"", "\"");
            tab.options
                .replacen(')', &format!(", exclude => ARRAY['{col}'])"), 1)
        }
        _ => tab.options.clone(),
    };
    let from = tab.options.find('(').map_or(0, |at| at + 2);
    let to = tab.options.find("', kind").unwrap_or(from);
    let call = format!(
        "{}{}{}",
        &tab.options[..from],
        tab.name.replace('\'', "''"),
        &tab.options[to..]
    );
    vec![(Hint::None, call)]
}

fn key_change(tab: &mut Tab, rng: &mut Rng) -> Vec<(Hint, String)> {
    let (name, Some(constraint)) = (tab.name.clone(), tab.constraint.clone()) else {
        return Vec::new();
    };
    let drop = format!("ALTER TABLE {name} DROP CONSTRAINT {constraint}");
    let list = match rng.below(3) {
        0 => format!("{}, rid", tab.key_list()),
        1 => tab
            .keys
            .iter()
            .rev()
            .map(|col| &col.name[..])
            .collect::<Vec<_>>()
            .join(", "),
        _ => "rid".to_owned(),
    };
    tab.upsert = false;
    vec![(
        Hint::None,
        format!("{drop}, ADD CONSTRAINT {constraint} PRIMARY KEY ({list})"),
    )]
}
