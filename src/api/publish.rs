//! The files that heads are published to. SQL: sql/publish.sql, whose other functions are in `calls`, since they return
//! rows of our own types.

use ::pgrx::prelude::*;

use crate::publish::write;

/// The files that `publish_head()` appends to.
#[pg_extern(sql = false)]
fn publish_files() -> SetOfIterator<'static, String> {
    let paths = write::listed().into_iter();
    SetOfIterator::new(paths.map(|path| path.to_string_lossy().into_owned()))
}
