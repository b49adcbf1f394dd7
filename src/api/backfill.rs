//! The history of a row, and recording the rows that a table had before it was audited.
//!
//! Declared in SQL; the functions are in `pg`, with PostgreSQL's raw calling convention.

::pgrx::extension_sql_file!(
    "../../sql/0.2.0/40-backfill.sql",
    name = "backfill",
    requires = ["schema"]
);
