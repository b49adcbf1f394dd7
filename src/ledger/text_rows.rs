//! Statements of our own whose arguments and results are texts.

use pgrx::pg_sys;

use crate::pg::arena::DatumArena;
use crate::pg::query::Argument;
use crate::pg::saved_plans;
use crate::pg::values::Values;

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

/// The values of a row as texts; those that are of no type of variable length are none.
pub fn texts(row: &Values<'_>) -> Texts {
    (0..row.columns()).map(|at| row.text(at)).collect()
}
