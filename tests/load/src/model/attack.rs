//! What a superuser does behind the record's back.

use crate::model::features::Features;
use crate::model::picture::{Picture, Tab, cell};
use crate::model::types::{self, literal, pick};
use crate::rng::Rng;

fn some_row(tab: &Tab, rng: &mut Rng) -> String {
    format!(
        "(SELECT rid FROM {} ORDER BY rid OFFSET {} LIMIT 1)",
        tab.name,
        rng.below(6)
    )
}

/// How to change a value of a type a little, in terms of the old one; none where any other value will do.
fn twist(name: &str, kind: &str) -> Option<String> {
    Some(match kind {
        "numeric" => format!(
            "({name}::text || CASE WHEN {name}::text ~ '[.]' THEN '0' ELSE '.0' END)::numeric"
        ),
        "real" | "double precision" => format!("CASE WHEN {name} = 0 THEN -{name} ELSE '-0' END"),
        "json" => format!("({name}::text || ' ')::json"),
        "jsonb" => format!(
            "CASE WHEN {name} IS NULL THEN 'null'::jsonb WHEN {name} = 'null' THEN NULL ELSE to_jsonb({name}::text) END"
        ),
        "integer[]" | "app.list" => format!(
            "('[2:' || 1 + cardinality({name}) || ']={{' || array_to_string({name}, ',', 'NULL') || '}}')::integer[]"
        ),
        "numeric[]" => format!("ARRAY(SELECT e * 1.0 FROM unnest({name}) AS e)"),
        "xml" => format!("replace({name}::text, '/>', ' />')::xml"),
        "interval" => format!("justify_interval({name})"),
        "text" | "varchar(12)" | "app.word" => format!("{name} || ' '"),
        _ => return None,
    })
}

/// An attack on rows.
pub fn statement(picture: &Picture, features: &Features, rng: &mut Rng) -> String {
    let tab = pick(&picture.tables, rng);
    let name = &tab.name;
    let writable = tab.writable();
    let row = some_row(tab, rng);
    let command = match rng.below(12) {
        0..=4 if !writable.is_empty() => {
            let col = pick(&writable, rng);
            let gentle =
                twist(&col.name, col.kind.0).filter(|_| features.has("lossless") && rng.chance(60));
            let to = gentle.unwrap_or_else(|| literal(&cell(col, picture, features, rng)));
            format!("UPDATE {name} SET {} = {to} WHERE rid = {row}", col.name)
        }
        5 | 6 => format!("DELETE FROM {name} WHERE rid = {row}"),
        7 | 8 => {
            let mut cols: Vec<&str> = tab.keys.iter().map(|col| &col.name[..]).collect();
            let keys = tab.keys.iter().map(|col| {
                literal(&Some(types::value(
                    &col.kind,
                    &picture.labels,
                    features,
                    rng,
                )))
            });
            let mut values: Vec<String> = keys.collect();
            for col in writable {
                cols.push(&col.name);
                values.push(literal(&cell(col, picture, features, rng)));
            }
            format!(
                "INSERT INTO {name} ({}) VALUES ({})",
                cols.join(", "),
                values.join(", ")
            )
        }
        9 if !writable.is_empty() => {
            let cols: Vec<&str> = writable.iter().map(|col| &col.name[..]).collect();
            let other = some_row(tab, rng);
            format!(
                "UPDATE {name} AS t SET ({0}) = (SELECT {0} FROM {name} AS o WHERE o.rid = CASE t.rid WHEN {row} THEN {other} ELSE {row} END) WHERE t.rid IN ({row}, {other})",
                cols.join(", ")
            )
        }
        10 => {
            let col = pick(&tab.keys, rng);
            let to = literal(&Some(types::value(
                &col.kind,
                &picture.labels,
                features,
                rng,
            )));
            format!("UPDATE {name} SET {} = {to} WHERE rid = {row}", col.name)
        }
        _ if rng.chance(20) => format!("TRUNCATE {name}"),
        _ => format!("UPDATE {name} SET rid = -rid WHERE rid = {row}"),
    };
    unseen(tab, &command, rng)
}

fn unseen(tab: &Tab, command: &str, rng: &mut Rng) -> String {
    let mode = ["replica", "disable", "catalog"][rng.below(3) as usize];
    format!(
        "SELECT app.unseen('{mode}', '{}', {})",
        tab.name,
        literal(&Some(command.to_owned()))
    )
}

/// An attack on entries, and whether a finding of the links is due.
pub fn on_chain(picture: &Picture, features: &Features, rng: &mut Rng) -> (bool, String) {
    let tab = pick(&picture.tables, rng);
    let chain = "auditspine.audit_chain";
    let one = format!(
        "(SELECT seq FROM {chain} WHERE event_kind = 'kind{}' AND op IN ('I', 'U', 'D') ORDER BY seq OFFSET {} LIMIT 1)",
        tab.id,
        rng.below(12)
    );
    let (due, command) = match rng.below(10) {
        0 => (
            true,
            format!("UPDATE {chain} SET payload_hash = sha256(payload_hash) WHERE seq = {one}"),
        ),
        1 => (
            true,
            format!(
                "UPDATE {chain} SET op = CASE op WHEN 'I' THEN 'U' ELSE 'I' END WHERE seq = {one}"
            ),
        ),
        2 => (
            true,
            format!("UPDATE {chain} SET actor = coalesce(actor, '') || 'x' WHERE seq = {one}"),
        ),
        // The newest of a lane leaves no trace but the published heads.
        3 => (
            true,
            format!(
                "DELETE FROM {chain} AS c WHERE seq = {one} AND EXISTS (SELECT FROM {chain} AS o WHERE o.chain_id = c.chain_id AND o.lane = c.lane AND o.pos > c.pos)"
            ),
        ),
        4 if features.has("payload_removed") => (
            true,
            format!("UPDATE {chain} SET payload = NULL WHERE seq = {one}"),
        ),
        5 => (
            true,
            format!(
                "UPDATE {chain} SET payload = payload || '{{\"note\": \"forged\"}}' WHERE seq = {one} AND payload IS NOT NULL"
            ),
        ),
        6 => (
            true,
            format!("UPDATE {chain} SET event_pk = event_pk || '1' WHERE seq = {one}"),
        ),
        7 => (
            true,
            format!("UPDATE {chain} SET layout = coalesce(layout, 0) + 1 WHERE seq = {one}"),
        ),
        8 => (
            true,
            format!(
                "UPDATE {chain} SET xid = (xid::text::bigint + 1)::text::xid8 WHERE seq = {one}"
            ),
        ),
        _ => (
            true,
            format!(
                "UPDATE {chain} SET db_user = db_user || 'x', event_hash = sha256(event_hash) WHERE seq = {one}"
            ),
        ),
    };
    (
        due,
        format!(
            "SELECT app.unseen('disable', '{chain}', {})",
            literal(&Some(command))
        ),
    )
}
