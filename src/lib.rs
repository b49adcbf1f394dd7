//! auditspine: tamper-evident PostgreSQL tables.
//!
//! `api` holds the SQL-callable functions, `pg` everything that touches PostgreSQL's internals and is the one
//! place that may be unsafe, each other folder one topic; the formulas and state machines live in the crate
//! `auditspine-core`.

#![deny(unsafe_code)]

::pgrx::pg_module_magic!(name, version);

mod api;
mod attach;
mod auditor;
mod backfill;
mod blueprint;
mod capture;
mod encoding;
mod error;
mod hooks;
mod ledger;
mod pg;
mod publish;
mod settings;
mod spine;
mod sql_template;
mod trust;
mod verify;

/// Runs when the library is loaded into a backend.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    if pg::extension::is_being_created() {
        ledger::catalog::expect_utf8();
    }
    settings::register();
    // After all settings are defined.
    pg::compat::reserve_settings(c"auditspine");
    hooks::register();
}

/// Tests that run inside a backend, by topic.
#[cfg(any(test, feature = "pg_test"))]
#[path = "../pgrx-tests/mod.rs"]
mod tests;

/// What the harness of `#[pg_test]` asks for.
#[cfg(test)]
pub mod pg_test {
    /// Runs before each test, outside of the server; `attributes` are those of the test's function.
    pub fn setup(attributes: Vec<&str>) {
        crate::tests::tell_if_skipped(&attributes);
    }

    /// Lines for postgresql.conf of the tests' server.
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        Vec::new()
    }
}
