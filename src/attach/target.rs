//! What can be audited, and a request held against the table: everything that can be wrong is found
//! before any trigger is made.

use pgrx::pg_sys;

use super::{Request, expect_chain};
use crate::capture::audited::{is_being_detached, root_of};
use crate::capture::declaration::{ChainOf, Declaration};
use crate::error::Failure;
use crate::ledger::system_entry::is_reserved;
use crate::pg::relation::OpenRelation;
use crate::pg::table;

/// The longest kind, in bytes: it must fit into an index entry together with a key.
const MAX_KIND: usize = 1000;

/// Raises an error unless the relation can be attached and the caller owns it. Holds no lock when it
/// returns.
pub fn expect_auditable(relation: pg_sys::Oid) {
    if !table::exists(relation) {
        Failure::UnknownTable.raise(
            format!("there is no table with oid {}", relation.to_u32()),
            "pass the table's name: 'schema.table'",
        );
    }
    let lock = pg_sys::AccessShareLock;
    check_auditable(&OpenRelation::table(relation, lock).briefly(lock));
    table::expect_owner(relation);
}

/// Raises an error unless the open relation can be attached.
pub fn check_auditable(table: &OpenRelation) {
    if table.is_system() {
        Failure::NotAuditable.raise(
            format!(
                "table {} is a system table and cannot be audited",
                table.qualified()
            ),
            "attach tables of your own",
        );
    }
    if table.is_in_schema(c"auditspine") {
        Failure::NotAuditable.raise(
            format!(
                "{} belongs to the audit itself and cannot be audited",
                table.qualified()
            ),
            "the chains are verified by verify_chain()",
        );
    }
    check_kind(table);
    if table.is_partition() {
        let root = OpenRelation::table(root_of(table.oid()), pg_sys::AccessShareLock);
        Failure::NotAuditable.raise(
            format!(
                "table {} is a partition and cannot be audited by itself",
                table.qualified()
            ),
            format!(
                "attach the partitioned table {}; its partitions come with it",
                root.qualified()
            ),
        );
    }
    check_persistence(table);
}

/// As [`expect_auditable`], for a partition of the table that is attached.
pub fn expect_auditable_partition(partition: pg_sys::Oid, whole: &str) {
    let table = OpenRelation::table(partition, pg_sys::AccessShareLock);
    if is_being_detached(partition) {
        Failure::PartitionPending.raise(
            format!(
                "partition {} is being detached from table {whole}, so no trigger can be made on it",
                table.qualified()
            ),
            format!(
                "wait, or if the command was stopped: ALTER TABLE {whole} DETACH PARTITION {} FINALIZE",
                table.qualified()
            ),
        );
    }
    check_partition(&table);
    table::expect_owner(partition);
}

/// Raises an error unless the rows of an open partition can be audited.
pub fn check_partition(table: &OpenRelation) {
    if table.kind() == pg_sys::RELKIND_FOREIGN_TABLE {
        Failure::NotAuditable.raise(
            format!(
                "partition {} is a foreign table, whose rows cannot be audited",
                table.qualified()
            ),
            "detach it from the partitioned table; audit its rows where they are stored",
        );
    }
    check_persistence(table);
}

fn check_kind(table: &OpenRelation) {
    let (what, hint) = match table.kind() {
        pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE => return,
        pg_sys::RELKIND_VIEW => ("a view", "attach the tables that it reads"),
        pg_sys::RELKIND_MATVIEW => ("a materialized view", "attach the tables that it reads"),
        pg_sys::RELKIND_FOREIGN_TABLE => (
            "a foreign table",
            "attach it in the database where its rows are stored",
        ),
        pg_sys::RELKIND_SEQUENCE => ("a sequence", "attach the table that uses it"),
        pg_sys::RELKIND_INDEX | pg_sys::RELKIND_PARTITIONED_INDEX => {
            ("an index", "attach its table")
        }
        _ => ("not a table", "attach a table"),
    };
    Failure::NotAuditable.raise(
        format!("{} is {what} and cannot be audited", table.qualified()),
        hint,
    );
}

fn check_persistence(table: &OpenRelation) {
    match table.persistence() {
        pg_sys::RELPERSISTENCE_TEMP => Failure::UnsupportedTable.raise(
            format!(
                "table \"{}\" is temporary and cannot be audited: it goes with its session, unrecorded",
                table.name()
            ),
            "attach permanent tables",
        ),
        pg_sys::RELPERSISTENCE_UNLOGGED => Failure::UnsupportedTable.raise(
            format!(
                "table {} is unlogged and cannot be audited: a crash empties it, unrecorded",
                table.qualified()
            ),
            format!(
                "make it permanent: ALTER TABLE {} SET LOGGED",
                table.qualified()
            ),
        ),
        _ => {}
    }
}

/// The request as a declaration, held against the open table.
pub fn declaration(table: &OpenRelation, request: &Request) -> Declaration {
    let kind = request.kind.clone().unwrap_or_else(|| table.name());
    if kind.is_empty() || kind.len() > MAX_KIND {
        Failure::InvalidValue.raise(
            format!(
                "kind \"{kind:.60}\" is {} bytes long, not 1 to {MAX_KIND}",
                kind.len()
            ),
            "leave it out for the table's name",
        );
    }
    if is_reserved(&kind) {
        Failure::InvalidValue.raise(
            format!("kind \"{kind:.60}\" is reserved for auditspine's own entries"),
            "choose a name that does not begin with \"auditspine.\"",
        );
    }
    let full_payload = match request.payload.as_deref() {
        Some("hash") => false,
        Some("full") => true,
        other => Failure::InvalidValue.raise(
            format!("payload is {}, not 'hash' or 'full'", shown(other)),
            "'hash' records the hash of each row, 'full' also the row",
        ),
    };
    let exclude = request.exclude.clone().unwrap_or_default();
    let declaration = Declaration {
        kind: Some(kind),
        pk: request.pk.clone(),
        chain: chain(request),
        full_payload,
        exclude,
        skip_unchanged: request.skip_unchanged,
    };
    expect_chain(&declaration.chain);
    check_columns(table, &declaration);
    declaration
}

fn chain(request: &Request) -> ChainOf {
    match (&request.chain, &request.chain_by) {
        (None, None) => Failure::InvalidValue.raise(
            "chain is null",
            "leave it out for chain main, or name columns with chain_by",
        ),
        (Some(chain), Some(columns)) if chain != "main" => Failure::InvalidValue.raise(
            format!(
                "chain => '{chain}' and chain_by => '{}' exclude one another",
                columns.join(", ")
            ),
            "name either one chain or the columns that name it",
        ),
        (_, Some(columns)) => ChainOf::By(columns.clone()),
        (Some(chain), None) => ChainOf::Named(chain.clone()),
    }
}

fn check_columns(table: &OpenRelation, declaration: &Declaration) {
    let columns = table.columns();
    let find = |name: &str| columns.iter().find(|column| column.name == name);
    let by: &[String] = match &declaration.chain {
        ChainOf::By(names) => names,
        ChainOf::Named(_) => &[],
    };
    let lists = [
        ("pk", declaration.pk.as_deref()),
        ("chain_by", (!by.is_empty()).then_some(by)),
        ("exclude", Some(&declaration.exclude[..])),
    ];
    for (argument, names) in lists {
        for (at, name) in names.unwrap_or_default().iter().enumerate() {
            if find(name).is_none() {
                Failure::UnknownColumn.raise(
                    format!(
                        "table {} has no column \"{name}\", which {argument} names",
                        table.qualified()
                    ),
                    "name columns as they are in the catalog, without quotes",
                );
            }
            if names.unwrap_or_default()[..at].contains(name) {
                Failure::DuplicateColumn.raise(
                    format!("{argument} names column \"{name}\" twice"),
                    "name each column once",
                );
            }
        }
    }
    if let ChainOf::By(names) = &declaration.chain
        && names.is_empty()
    {
        Failure::InvalidValue.raise("chain_by names no column", "leave it out for one chain");
    }
    let Some(key) = &declaration.pk else {
        if table.primary_key().is_none() {
            Failure::NoPrimaryKey.raise(
                format!("table {} has no primary key", table.qualified()),
                "name the columns that identify a row with pk => '{…}', or add a primary key",
            );
        }
        return;
    };
    if key.is_empty() {
        Failure::InvalidValue.raise("pk names no column", "leave it out for the primary key");
    }
    let mut numbers = Vec::new();
    for column in key.iter().filter_map(|name| find(name)) {
        if !column.not_null {
            Failure::NullKey.raise(
                format!(
                    "key column \"{}\" of table {} may be null, and a row without a key cannot be audited",
                    column.name,
                    table.qualified()
                ),
                format!(
                    "ALTER TABLE {} ALTER COLUMN {} SET NOT NULL, or name other columns",
                    table.qualified(),
                    pgrx::spi::quote_identifier(&column.name)
                ),
            );
        }
        numbers.push(column.attnum);
    }
    let is_unique = table
        .unique_keys(false)
        .iter()
        .any(|unique| unique.iter().all(|column| numbers.contains(column)));
    if !is_unique {
        pgrx::warning!(
            "no unique index keeps two rows of table {} from having the same key ({}): if two have, \
             their histories are one",
            table.qualified(),
            key.join(", ")
        );
    }
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| format!("'{value:.60}'"))
}
