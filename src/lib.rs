//! auditspine: tamper-evident PostgreSQL tables.
//!
//! `api` holds the SQL-callable functions, `pg` everything that touches PostgreSQL's internals; the
//! formulas and state machines live in the crate `auditspine-core`.

::pgrx::pg_module_magic!(name, version);

mod api;
mod declaration;
mod error;
mod guc;
mod pg;
