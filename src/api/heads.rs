//! Heads: the ends of lanes, their publication, and published ones held against the database.
//!
//! Declared in SQL; the functions are in `pg`, since they return rows of our own types.

::pgrx::extension_sql_file!(
    "../../sql/0.2.0/60-heads.sql",
    name = "heads",
    requires = ["schema"]
);
