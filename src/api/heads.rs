//! Heads: the ends of lanes, their publication, and published ones held against the database.
//!
//! Declared in SQL; most of the functions are in `pg`, since they return rows of our own types.

use ::pgrx::prelude::*;

use crate::publish::write;

::pgrx::extension_sql_file!(
    "../../sql/0.2.0/60-heads.sql",
    name = "heads",
    requires = ["schema"]
);
::pgrx::extension_sql_file!(
    "../../sql/0.4.0/30-routine.sql",
    name = "routine_0_4",
    requires = ["heads", "routine"]
);

/// The files that `publish_head()` appends to.
#[pg_extern(sql = false)]
fn publish_files() -> SetOfIterator<'static, String> {
    let paths = write::listed().into_iter();
    SetOfIterator::new(paths.map(|path| path.to_string_lossy().into_owned()))
}
