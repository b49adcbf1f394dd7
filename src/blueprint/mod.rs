//! Blueprints: whole systems, installed by one call, audited.

mod catalogue;

use pgrx::spi::Spi;

pub use catalogue::{BLUEPRINTS, Blueprint, Schema};

use crate::error::{Failure, broken};
use crate::ledger::catalog::verbs_schema;
use crate::ledger::foreign_code::expect_own_schema;
use crate::ledger::text_rows::query;
use crate::pg::lock::AdvisoryLock;
use crate::sql_template::fill;

/// PostgreSQL's NAMEDATALEN less the NUL: what is longer it would cut.
const MAX_NAME: usize = 63;

/// Class of the lock under which blueprints are installed, one after the other.
const INSTALL_LOCK: u16 = 8;

const SCHEMA: &str = "SELECT nspname::text FROM pg_namespace WHERE nspname = $1";
const RELATION: &str = "
    SELECT c.relkind::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE nspname = $1 AND relname = $2";
/// Functions in the schema of ours that have the name of one of ours, and are not.
const NAMESAKES: &str = "
    WITH own AS (
        SELECT p.oid, p.proname, p.pronamespace
        FROM pg_extension AS e
        JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
        JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
        WHERE e.extname = 'auditspine')
    SELECT p.oid::regprocedure::text FROM pg_proc AS p
    WHERE (p.pronamespace, p.proname) IN (SELECT pronamespace, proname FROM own)
      AND p.oid NOT IN (SELECT oid FROM own)
    ORDER BY p.oid::regprocedure::text COLLATE \"C\"";

/// Installs a blueprint with the caller's rights, in its usual schemas or those that `schema` says.
/// Answers `installed`, or `unchanged` if it is there.
pub fn install(name: &str, schema: Option<&str>) -> &'static str {
    let blueprint = find(name);
    let schemas: Vec<(&Schema, String)> = blueprint
        .schemas
        .iter()
        .map(|part| (part, placed(blueprint, part, schema)))
        .collect();
    AdvisoryLock::new(0, 0, INSTALL_LOCK).acquire();
    let (there, missing) = look(&schemas);
    if there.is_empty() {
        expect_no_namesakes();
        create(blueprint, &schemas);
        return "installed";
    }
    if missing.is_empty() {
        pgrx::notice!("blueprint {name} is installed already");
        return "unchanged";
    }
    Failure::PartlyThere.raise(
        format!(
            "of blueprint {name}, {} {} there already, but not {}",
            there.join(", "),
            if there.len() == 1 { "is" } else { "are" },
            missing.join(", ")
        ),
        "install it in another schema (the second argument), or rename what is there",
    )
}

fn find(name: &str) -> &'static Blueprint {
    BLUEPRINTS
        .iter()
        .find(|blueprint| blueprint.name == name)
        .unwrap_or_else(|| {
            let names: Vec<&str> = BLUEPRINTS.iter().map(|known| known.name).collect();
            Failure::UnknownBlueprint.raise(
                format!("there is no blueprint \"{name:.100}\""),
                format!("there are {}: see auditspine.blueprint", names.join(", ")),
            )
        })
}

/// Where a part goes: a single schema is `wanted` itself, one of several has it for a prefix.
fn placed(blueprint: &Blueprint, part: &Schema, wanted: Option<&str>) -> String {
    let Some(wanted) = wanted else {
        return part.name.to_owned();
    };
    // So plain that it can stand in SQL, and in texts within SQL, as it is.
    let plain = wanted.starts_with(|c: char| c.is_ascii_lowercase())
        && wanted
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let place = match blueprint.schemas.len() {
        1 => wanted.to_owned(),
        _ => format!("{wanted}_{}", part.name),
    };
    if !plain || wanted == "auditspine" || wanted.starts_with("pg_") || place.len() > MAX_NAME {
        Failure::InvalidValue.raise(
            format!("a blueprint cannot be installed in a schema called \"{place:.100}\""),
            format!("choose lower-case letters, digits and underscores, a letter first, {MAX_NAME} at most; not auditspine, nor what begins with pg_"),
        );
    }
    place
}

/// Tables of its own that are there, and that are not.
fn look(schemas: &[(&Schema, String)]) -> (Vec<String>, Vec<String>) {
    schemas
        .iter()
        .flat_map(|(part, place)| part.tables.iter().map(move |table| (place, *table)))
        .map(|(place, table)| {
            let there = !query(RELATION, &[Some(place), Some(table)]).is_empty();
            (format!("{place}.{table}"), there)
        })
        .fold(
            Default::default(),
            |(mut there, mut missing), (name, is)| {
                if is { &mut there } else { &mut missing }.push(name);
                (there, missing)
            },
        )
}

/// Raises 42725 if a call of ours could be taken for one of somebody else's function.
fn expect_no_namesakes() {
    if let Some(Some(other)) = query(NAMESAKES, &[]).into_iter().flatten().next() {
        Failure::ForeignFunction.raise(
            format!("function {other} has the name of one of auditspine's, and stands beside it"),
            "drop or rename it; functions of auditspine's belong in a schema where others may create nothing",
        );
    }
}

fn create(blueprint: &Blueprint, schemas: &[(&Schema, String)]) {
    let quoted: Vec<(&str, String)> = schemas
        .iter()
        .map(|(part, place)| {
            (
                part.name,
                pgrx::spi::quote_identifier(place.as_str()).to_string(),
            )
        })
        .collect();
    for (_, place) in schemas {
        expect_own_schema(place);
    }
    for ((_, place), (_, quoted)) in schemas.iter().zip(&quoted) {
        if query(SCHEMA, &[Some(place)]).is_empty() {
            run(blueprint, &format!("CREATE SCHEMA {quoted}"));
            run(
                blueprint,
                &format!(
                    "COMMENT ON SCHEMA {quoted} IS 'auditspine blueprint {}: {}'",
                    blueprint.name,
                    blueprint.purpose.replace('\'', "''")
                ),
            );
        }
    }
    let verbs = verbs_schema();
    let value = |name: &str| match name {
        "verbs" => Some(verbs.as_str()),
        "schema" if quoted.len() == 1 => Some(quoted[0].1.as_str()),
        _ => quoted
            .iter()
            .find(|(usual, _)| *usual == name)
            .map(|(_, quoted)| quoted.as_str()),
    };
    for part in blueprint.sql {
        run(blueprint, &fill(part, value));
    }
}

fn run(blueprint: &Blueprint, statements: &str) {
    if let Err(error) = Spi::run(statements) {
        broken(format!(
            "blueprint {} was not installed: {error}",
            blueprint.name
        ));
    }
}
