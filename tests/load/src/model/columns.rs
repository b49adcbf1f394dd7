//! Columns that come and change their types.

use crate::model::features::Features;
use crate::model::picture::{Col, Tab, column_type};
use crate::model::state::Hint;
use crate::model::types::{self, TYPES, Type, literal, pick};
use crate::rng::Rng;

/// Types that a type can be converted to.
fn conversions(kind: &str) -> &'static [&'static str] {
    match kind {
        "smallint" => &["integer", "bigint", "numeric", "text"],
        "integer" => &["bigint", "numeric", "text", "double precision"],
        "bigint" => &["numeric", "text"],
        "numeric" => &["numeric(20,6)", "text"],
        "numeric(10,2)" => &["numeric(20,6)", "numeric", "text"],
        "text" => &["varchar(12)", "bytea USING convert_to(#, 'UTF8')"],
        "varchar(12)" => &["text"],
        "char(6)" => &["text"],
        "json" => &["jsonb"],
        "jsonb" => &["json", "text"],
        "date" => &["timestamp", "timestamptz"],
        "timestamp" => &["timestamptz", "date"],
        "timestamptz" => &["timestamptz(0)", "text"],
        "app.mood" => &["text"],
        "real" => &["double precision"],
        "integer[]" => &["text[]", "numeric[]"],
        _ => &["text USING #::text"],
    }
}

fn known_type(name: &str) -> Type {
    TYPES
        .iter()
        .find(|(known, _)| *known == name)
        .copied()
        .unwrap_or(TYPES[6])
}

/// ADD COLUMN.
pub fn add_column(
    tab: &mut Tab,
    labels: &types::Labels,
    features: &Features,
    rng: &mut Rng,
) -> Vec<(Hint, String)> {
    let (column, kind) = (tab.fresh(rng), column_type(features, rng));
    let constant = literal(&Some(types::value(&kind, labels, features, rng)));
    let is_domain = ["app.small", "app.word", "app.list", "app.price"].contains(&kind.0);
    let (hint, kind, rest, generated) = match rng.below(10) {
        0..=3 if is_domain => (Hint::AddsUnknown, kind, String::new(), false),
        0..=3 => (Hint::AddsKnown, kind, String::new(), false),
        4..=6 if is_domain => (
            Hint::AddsUnknown,
            kind,
            format!("DEFAULT {constant}"),
            false,
        ),
        4 | 5 => (Hint::AddsKnown, kind, format!("DEFAULT {constant}"), false),
        6 => (
            Hint::AddsKnown,
            kind,
            format!("NOT NULL DEFAULT {constant}"),
            false,
        ),
        7 => (
            Hint::AddsUnknown,
            TYPES[0],
            "DEFAULT app.bump()".to_owned(),
            false,
        ),
        8 => (
            Hint::AddsUnknown,
            TYPES[0],
            "GENERATED ALWAYS AS (length(coalesce(note, ''))) STORED".to_owned(),
            true,
        ),
        _ => (
            Hint::AddsUnknown,
            TYPES[1],
            "DEFAULT nextval('app.rid')".to_owned(),
            false,
        ),
    };
    let sql = format!(
        "ALTER TABLE {} ADD COLUMN {column} {} {rest}",
        tab.name, kind.0
    );
    tab.cols.push(Col {
        name: column,
        kind,
        generated,
    });
    vec![(hint, sql)]
}

/// ALTER COLUMN … TYPE.
pub fn retype(tab: &mut Tab, rng: &mut Rng) -> Vec<(Hint, String)> {
    let free: Vec<usize> = (0..tab.cols.len())
        .filter(|at| tab.cols[*at].name != "note" && !tab.cols[*at].generated)
        .collect();
    if free.is_empty() {
        return Vec::new();
    }
    let (id, name) = (tab.id, tab.name.clone());
    let col = &mut tab.cols[*pick(&free, rng)];
    let (to, using) = pick(conversions(col.kind.0), rng)
        .split_once(" USING ")
        .map_or_else(
            || {
                (
                    (*pick(conversions(col.kind.0), rng))
                        .split(" USING ")
                        .next()
                        .unwrap_or("text"),
                    String::new(),
                )
            },
            |(to, using)| (to, format!(" USING {}", using.replace('#', &col.name))),
        );
    let natural = [
        ("smallint", "integer"),
        ("smallint", "bigint"),
        ("integer", "bigint"),
        ("integer", "numeric"),
        ("bigint", "numeric"),
        ("varchar(12)", "text"),
    ];
    let using = if using.is_empty() && to != "bytea" && !natural.contains(&(col.kind.0, to)) {
        format!(" USING {}::{to}", col.name)
    } else {
        using
    };
    col.kind = known_type(to);
    vec![(
        Hint::Retypes(id),
        format!(
            "ALTER TABLE {name} ALTER COLUMN {0} DROP DEFAULT, ALTER COLUMN {0} TYPE {to}{using}",
            col.name
        ),
    )]
}
