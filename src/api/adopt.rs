//! Adopting chains of the older shape.
//!
//! Declared in SQL; the functions are in `pg`, since they return rows of our own making.

::pgrx::extension_sql_file!(
    "../../sql/0.2.0/80-adopt.sql",
    name = "adopt",
    requires = ["schema"]
);
