//! The tables of ProofSpines: plain tables of the caller's, audited.

use auditspine_core::hash::Hash;
use pgrx::pg_sys;
use pgrx::spi::Spi;

use crate::attach::{self, Request};
use crate::error::{Failure, broken};
use crate::ledger::catalog::verbs_schema;
use crate::ledger::foreign_code::expect_own_schema;
use crate::ledger::text_rows::{Texts, query};
use crate::pg::lock::AdvisoryLock;
use crate::sql_template::fill;

/// The tables, and what the audit keeps of each.
const TABLES: [Table; 4] = [
    Table::new("proof_spines", "full", &[], false),
    // What a verification makes of a segment is no part of the evidence: if it were, whoever records the
    // status of a segment that was tampered with would have the chain take it for written so.
    Table::new("proof_segments", "hash", &["status"], false),
    Table::new("proof_spine_history", "hash", &[], true),
    Table::new("proof_spine_verification_cache", "hash", &[], false),
];

/// Names of the tables.
pub const NAMES: &[&str] = &[
    TABLES[0].name,
    TABLES[1].name,
    TABLES[2].name,
    TABLES[3].name,
];

struct Table {
    name: &'static str,
    payload: &'static str,
    exclude: &'static [&'static str],
    append_only: bool,
}

impl Table {
    const fn new(
        name: &'static str,
        payload: &'static str,
        exclude: &'static [&'static str],
        append_only: bool,
    ) -> Table {
        Table {
            name,
            payload,
            exclude,
            append_only,
        }
    }
}

const DDL: &str = include_str!("../../sql/spine_schema/schema.sql");

/// PostgreSQL's NAMEDATALEN less the NUL: what is longer it would cut.
const MAX_NAME: usize = 63;

/// Class of the lock under which tables are made, beside those of lanes and tables.
const SCHEMA_LOCK: u16 = 7;

const SCHEMA: &str = "SELECT nspname::text FROM pg_namespace WHERE nspname = $1";
const FOUND: &str = "
    SELECT relname::text, relkind::text, c.oid::text
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE nspname = $1 AND relname IN
        ('proof_spines', 'proof_segments', 'proof_spine_history', 'proof_spine_verification_cache')
    ORDER BY relname COLLATE \"C\"";

/// Creates the schema, if it is not there, and the tables in it, and audits them, all with the caller's
/// rights. Answers `created`, or `unchanged` if the tables are there.
pub fn create(schema: &str) -> &'static str {
    expect_name(schema);
    // Those who create the same tables at the same time do so one after the other.
    let digest = Hash::of(schema.as_bytes()).0;
    let word = |at: usize| {
        u32::from_be_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]])
    };
    AdvisoryLock::new(word(0), word(4), SCHEMA_LOCK).acquire();
    let found = query(FOUND, &[Some(schema)]);
    if !found.is_empty() {
        expect_whole(schema, &found);
        pgrx::notice!("schema {schema} has the tables of ProofSpines already");
        return "unchanged";
    }
    let quoted = pgrx::spi::quote_identifier(schema);
    expect_own_schema(schema);
    if query(SCHEMA, &[Some(schema)]).is_empty() {
        run(&format!("CREATE SCHEMA {quoted}"));
    }
    let verbs = verbs_schema();
    run(&fill(DDL, |name| match name {
        "schema" => Some(quoted.as_ref()),
        "verbs" => Some(verbs.as_str()),
        _ => None,
    }));
    let made = query(FOUND, &[Some(schema)]);
    for table in TABLES {
        let oid = made
            .iter()
            .find(|row| row[0].as_deref() == Some(table.name))
            .and_then(|row| row[2].as_deref()?.parse::<u32>().ok())
            .unwrap_or_else(|| broken(format!("{schema}.{} was not created", table.name)));
        let request = Request {
            kind: Some(format!("{schema}.{}", table.name)),
            chain: Some("main".to_owned()),
            chain_by: None,
            pk: None,
            payload: Some(table.payload.to_owned()),
            exclude: Some(table.exclude.iter().map(|&name| name.to_owned()).collect()),
            skip_unchanged: !table.exclude.is_empty(),
            append_only: table.append_only,
            backfill: false,
        };
        attach::attach(pg_sys::Oid::from(oid), &request);
    }
    "created"
}

fn expect_name(schema: &str) {
    if schema.is_empty() || schema.len() > MAX_NAME {
        Failure::InvalidValue.raise(
            format!(
                "schema name \"{schema:.100}\" is {} bytes long, not 1 to {MAX_NAME}",
                schema.len()
            ),
            "pass the name as it is in the catalog, without quotes",
        );
    }
    // The bodies of functions, which name it, end there.
    if schema.contains("$spine$") {
        Failure::InvalidValue.raise(
            format!("schema name \"{schema}\" holds $spine$"),
            "choose a name without it",
        );
    }
    if schema == "auditspine" || crate::ledger::system_entry::is_reserved(&format!("{schema}.")) {
        Failure::InvalidValue.raise(
            format!("schema {schema} is auditspine's own, or sounds like it"),
            "choose a name that does not begin with \"auditspine.\"",
        );
    }
}

/// Raises an error unless all of the tables are there, and are tables.
fn expect_whole(schema: &str, found: &[Texts]) {
    let has = |name: &str| found.iter().any(|row| row[0].as_deref() == Some(name));
    let list = |wanted: bool| {
        TABLES
            .iter()
            .filter(|table| has(table.name) == wanted)
            .map(|table| table.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if found.len() < TABLES.len() {
        Failure::PartlyThere.raise(
            format!(
                "schema {schema} has {} already, but not {}",
                list(true),
                list(false)
            ),
            "create the tables in another schema, or rename those that are there",
        );
    }
    if let Some(other) = found.iter().find(|row| row[1].as_deref() != Some("r")) {
        Failure::PartlyThere.raise(
            format!(
                "{schema}.{} is there already, and is not a plain table",
                other[0].as_deref().unwrap_or_default()
            ),
            "create the tables in another schema, or rename what is there",
        );
    }
}

fn run(command: &str) {
    if let Err(error) = Spi::run(command) {
        broken(format!("the tables were not created: {error}"));
    }
}
