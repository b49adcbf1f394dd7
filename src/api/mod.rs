//! The SQL-callable functions, one file a topic.

mod adopt;
mod append;
mod attach;
mod auditor;
mod backfill;
mod blueprint;
pub mod calls;
mod canonical;
mod heads;
mod keys;
mod spine;
mod verify;

::pgrx::extension_sql_file!("../../sql/schema.sql", name = "schema", bootstrap);
::pgrx::extension_sql_file!(
    "../../sql/0.2.0/10-rows.sql",
    name = "rows",
    requires = ["schema"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.2.0/20-attach.sql",
    name = "attach",
    requires = ["schema", "rows", "append"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.2.0/30-verify.sql",
    name = "verify_rows",
    requires = ["schema"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.2.0/50-routine.sql",
    name = "routine",
    requires = ["schema"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.2.0/70-auditor.sql",
    name = "auditor",
    requires = ["schema"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.3.0/05-attach.sql",
    name = "attach_0_3",
    requires = ["attach"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.3.0/10-keys.sql",
    name = "keys",
    requires = ["schema", "routine"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.3.0/30-spine-verify.sql",
    name = "spine_verify",
    requires = ["keys"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.3.0/20-spine-schema.sql",
    name = "spine_schema",
    requires = ["schema"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.4.0/10-scoped-verify.sql",
    name = "scoped_verify",
    requires = ["verify_rows"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.4.0/15-scoped-auditor.sql",
    name = "scoped_auditor",
    requires = ["auditor"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.4.0/20-blueprints.sql",
    name = "blueprints",
    requires = ["schema"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.5.0/10-names.sql",
    name = "names",
    requires = ["attach_0_3", "backfill", "scoped_auditor", "blueprints"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.5.0/20-state.sql",
    name = "state",
    requires = ["names", "keys", "scoped_auditor"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.5.0/30-tenants.sql",
    name = "tenants",
    requires = ["state"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.5.0/40-guards.sql",
    name = "guards",
    requires = [
        "tenants",
        "routine_0_4",
        "backfill",
        "keys",
        "scoped_auditor"
    ]
);
