//! Statements of our own whose arguments and results are texts.

use pgrx::pg_sys;

use super::arena::DatumArena;
use super::index_lookup::bytes_of;
use super::query::Argument;
use super::saved_plans;

/// A row of texts; `None` is NULL.
pub type Texts = Vec<Option<String>>;

/// Rows, all columns of which are texts, of a statement with texts as arguments; see [`saved_plans::run`].
pub fn query(statement: &str, arguments: &[Option<&str>]) -> Vec<Texts> {
    let mut arena = DatumArena::default();
    let arguments = text_arguments(arguments, &mut arena);
    let mut rows = Vec::new();
    saved_plans::run(statement, &arguments, |row| rows.push(texts(row)));
    rows
}

/// Texts as arguments of a statement; they lie in the arena.
pub fn text_arguments(texts: &[Option<&str>], arena: &mut DatumArena) -> Vec<Argument> {
    texts
        .iter()
        .map(|text| {
            let datum = text.map(|text| arena.varlena(text.as_bytes()));
            (pg_sys::TEXTOID, datum)
        })
        .collect()
}

/// Texts of a row whose columns are all of type text.
pub fn texts(row: &[Option<pg_sys::Datum>]) -> Texts {
    row.iter()
        .map(|value| value.map(|datum| String::from_utf8_lossy(&bytes_of(datum)).into_owned()))
        .collect()
}
