//! Tests that run inside a backend, by topic. Each topic's functions stand in a `mod tests`, since
//! the harness looks for them in the SQL schema of that name.

mod adopted;
mod canonical;
mod row;
mod spine;
mod verify;

use std::path::{Path, PathBuf};

use pgrx::prelude::*;

/// The file or folder of that name among the vectors and data that the project does not ship.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(name);
    path.exists().then_some(path)
}

/// Prints `skipped:` for a test whose doc comment says that it needs `../shared`, where that is not
/// there; the test itself then does nothing.
#[cfg(test)]
pub fn tell_if_skipped(attributes: &[&str]) {
    let needed = attributes
        .iter()
        .any(|attribute| attribute.contains("../shared"));
    if needed && shared("").is_none() {
        println!("skipped: ../shared is not there");
    }
}

/// The one value that a query returns; fails the test on null.
fn value<T: FromDatum + IntoDatum>(query: &str) -> T {
    Spi::get_one(query)
        .unwrap()
        .unwrap_or_else(|| panic!("null from {query}"))
}

/// Fails the test, showing the query, unless it returns true.
fn holds(query: &str) {
    assert!(value::<bool>(query), "not true: {query}");
}

/// Runs statements.
fn run(statements: &str) {
    Spi::run(statements).unwrap();
}

/// The SQLSTATE, message and hint that a query fails with; fails the test if it does not fail.
fn failure(query: &str) -> [String; 3] {
    run("CREATE OR REPLACE FUNCTION pg_temp.failure(query text) RETURNS text[] LANGUAGE plpgsql AS $$
         DECLARE message text; hint text;
         BEGIN
             EXECUTE query;
             RETURN NULL;
         EXCEPTION WHEN OTHERS THEN
             GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
             RETURN ARRAY[SQLSTATE, message, hint];
         END $$");
    let found =
        Spi::get_one_with_args::<Vec<String>>("SELECT pg_temp.failure($1)", &[query.into()]);
    let found = found
        .unwrap()
        .unwrap_or_else(|| panic!("did not fail: {query}"));
    found.try_into().unwrap()
}

/// Fails the test unless the query fails with this SQLSTATE, a message that contains `message`, and
/// a hint.
fn fails(query: &str, sqlstate: &str, message: &str) {
    let [state, text, hint] = failure(query);
    assert_eq!(state, sqlstate, "{query}: {text}");
    assert!(text.contains(message), "{query}: {text}");
    assert!(!hint.is_empty(), "{query}: no hint");
}
