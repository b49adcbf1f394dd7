//! Blueprints: which there are, and installing them. SQL: sql/blueprints.sql.

use pgrx::prelude::*;

use crate::blueprint::{self, BLUEPRINTS, Schema};
use crate::error::Failure;
use crate::pg::sqltypes::TextArg;

/// Installs a blueprint with the caller's rights; answers `installed` or `unchanged`.
///
/// Errors: 42704 for a name that is none, 22023 for a schema's name that cannot be, 42P07 where some of
/// its tables are there.
#[pg_extern(sql = false)]
fn install_blueprint(name: Option<TextArg>, schema: Option<TextArg>) -> &'static str {
    let Some(name) = name else {
        Failure::NullElement.raise(
            "the blueprint is null",
            "pass its name: see auditspine.blueprint",
        );
    };
    blueprint::install(
        &name.as_str(),
        schema.map(|schema| schema.as_str().into_owned()).as_deref(),
    )
}

/// What the view auditspine.blueprint shows.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn blueprints() -> TableIterator<
    'static,
    (
        name!(name, &'static str),
        name!(purpose, &'static str),
        name!(schemas, Vec<&'static str>),
        name!(tables, Vec<String>),
    ),
> {
    TableIterator::new(BLUEPRINTS.iter().map(|blueprint| {
        let schemas = blueprint.schemas.iter().map(|schema| schema.name);
        let tables = blueprint.schemas.iter().flat_map(tables).collect();
        (blueprint.name, blueprint.purpose, schemas.collect(), tables)
    }))
}

fn tables(schema: &Schema) -> impl Iterator<Item = String> {
    let tables = schema.tables.iter().chain(schema.shared);
    tables.map(|table| format!("{}.{table}", schema.name))
}
