//! DROP EXTENSION, by whatever command: by its owner alone, and not while changes of this transaction are still to be recorded: their
//! chains would be gone at the commit, which could only fail then. PostgreSQL lets the owner of a schema drop it
//! with whatever is in it.
//!
//! An event trigger of ours would not do: it goes with the extension, and is told too little. The hook is
//! called for every object that is dropped. A backend that has pending events has loaded it, and the event
//! trigger auditspine_drop has others load it.

use pgrx::pg_sys;

use crate::error::Failure;
use crate::ledger::buffer::{self, Buffer};
use crate::ledger::dropped_partitions;
use crate::ledger::text_rows::query;
use crate::pg::ddl::Command;
use crate::pg::{compat, extension};

/// To be called before an object is dropped: its catalog, its oid, and its column, if it is none but that.
pub fn on_drop(class: pg_sys::Oid, object: pg_sys::Oid, part: i32) {
    if class == pg_sys::RelationRelationId && part == 0 {
        dropped_partitions::note(object);
    }
    if class == pg_sys::ExtensionRelationId && extension::oid_of(c"auditspine") == object {
        expect_owner(object);
        expect_nothing_pending();
    }
}

/// The extension, if its functions are in the schema $1, and the current user does not own it.
const OTHERS: &str = "
    SELECT e.extname::pg_catalog.text FROM pg_catalog.pg_extension AS e
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
    WHERE e.extname OPERATOR(pg_catalog.=) 'auditspine' AND n.nspname OPERATOR(pg_catalog.=) $1
      AND NOT pg_catalog.pg_has_role(e.extowner, 'USAGE')";

/// Raises 42501 if a command renames the schema of the extension, and its user does not own the extension:
/// another schema of that name would be found by those who call the functions.
pub fn expect_schema_stays(command: &Command) {
    let Some(schema) = command.renamed_schema() else {
        return;
    };
    if !query(OTHERS, &[Some(&schema)]).is_empty() {
        Failure::NotTheOwner.raise(
            format!("schema {schema} has the functions of auditspine, which is not yours"),
            "have the owner of the extension rename it",
        );
    }
}

/// Raises 42501 unless the current user owns the extension.
fn expect_owner(extension: pg_sys::Oid) {
    if !compat::owns_extension(extension) {
        Failure::NotTheOwner.raise(
            "extension auditspine would be dropped, and is not yours",
            "it goes with the schema that it is installed in: have its owner drop it first, or leave the schema",
        );
    }
}

/// Raises 55006 if there are events that are not linked yet. What is linked already goes with its tables.
fn expect_nothing_pending() {
    let pending = buffer::with(|buffer: &Buffer| buffer.pending().len());
    if pending > 0 {
        Failure::ChangesPending.raise(
            format!(
                "extension auditspine cannot be dropped: {pending} change{} of this transaction {} still to be recorded",
                if pending == 1 { "" } else { "s" },
                if pending == 1 { "is" } else { "are" },
            ),
            "COMMIT first, then drop the extension in a transaction of its own",
        );
    }
}
