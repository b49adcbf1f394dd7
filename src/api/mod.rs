//! The SQL-callable functions, one file a topic.
//!
//! What they are in SQL stands in `sql/`, with all else that the extension creates. The list below is the order of
//! the installed script.

mod append;
mod attach;
mod auditor;
mod blueprint;
pub mod calls;
mod erase;
mod findings;
mod keys;
mod publish;
mod spine;
mod upgrade;

::pgrx::extension_sql_file!("../../sql/schema.sql", name = "schema", bootstrap);
::pgrx::extension_sql_file!(
    "../../sql/canonical.sql",
    name = "canonical",
    requires = ["schema"]
);
::pgrx::extension_sql_file!(
    "../../sql/append.sql",
    name = "append",
    requires = ["canonical"]
);
::pgrx::extension_sql_file!(
    "../../sql/attach.sql",
    name = "attach",
    requires = ["append"]
);
::pgrx::extension_sql_file!(
    "../../sql/history.sql",
    name = "history",
    requires = ["attach"]
);
::pgrx::extension_sql_file!(
    "../../sql/erase.sql",
    name = "erase",
    requires = ["history"]
);
::pgrx::extension_sql_file!(
    "../../sql/backfill.sql",
    name = "backfill",
    requires = ["erase"]
);
::pgrx::extension_sql_file!(
    "../../sql/chains.sql",
    name = "chains",
    requires = ["backfill"]
);
::pgrx::extension_sql_file!(
    "../../sql/verify.sql",
    name = "verify",
    requires = ["chains"]
);
::pgrx::extension_sql_file!("../../sql/rows.sql", name = "rows", requires = ["verify"]);
::pgrx::extension_sql_file!(
    "../../sql/routine.sql",
    name = "routine",
    requires = ["rows"]
);
::pgrx::extension_sql_file!(
    "../../sql/publish.sql",
    name = "publish",
    requires = ["routine"]
);
::pgrx::extension_sql_file!(
    "../../sql/auditor.sql",
    name = "auditor",
    requires = ["publish"]
);
::pgrx::extension_sql_file!(
    "../../sql/adopt.sql",
    name = "adopt",
    requires = ["auditor"]
);
::pgrx::extension_sql_file!("../../sql/keys.sql", name = "keys", requires = ["adopt"]);
::pgrx::extension_sql_file!("../../sql/spine.sql", name = "spine", requires = ["keys"]);
::pgrx::extension_sql_file!(
    "../../sql/spine_verify.sql",
    name = "spine_verify",
    requires = ["spine"]
);
::pgrx::extension_sql_file!(
    "../../sql/blueprints.sql",
    name = "blueprints",
    requires = ["spine_verify"]
);
::pgrx::extension_sql_file!(
    "../../sql/findings.sql",
    name = "findings",
    requires = ["blueprints"]
);
::pgrx::extension_sql_file!(
    "../../sql/guards.sql",
    name = "guards",
    requires = ["findings"]
);
