//! How a recorded layout's columns are found in a table as it is now, and what an equal hash proves then.

use super::conversion::Undo;
use super::layout::{Column, CurrentColumns, Layout};
use super::shapes::Then;
use super::types::Overrides;

/// A column to be hashed: where it is now, and its name then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Attribute number now.
    pub attnum: i16,
    /// Name that it is hashed under.
    pub name: String,
    /// Its type's modifier then, on which encoding 2 depends; `None` if it is not known.
    pub modifier: Option<i32>,
    /// How what it read is told from what it reads, if that is not the same.
    pub undo: Option<Undo>,
    /// Why its value may differ from what was recorded, though nobody wrote the row.
    pub doubt: Option<String>,
}

/// A column that the table has no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its attribute number, if it was of the table's present life: what is in it lies in tuples that were not
    /// written since.
    pub attnum: Option<i16>,
    /// Name that it is hashed under.
    pub name: String,
    /// Its type's modifier, as of a source.
    pub modifier: Option<i32>,
    /// The column as it was recorded last.
    pub last: Column,
    /// How what it read is told from what lies there, if that is not the same.
    pub undo: Option<Undo>,
    /// Why its value may differ from what was recorded.
    pub doubt: Option<String>,
}

/// What a row's hash under a recorded layout proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The layout is the present one: the row's present hash is its hash under it.
    Same,
    /// Its columns are there, under other names or beside others.
    Certain,
    /// The row agrees if the hashes do. If not, it may be for the reason given.
    Uncertain(String),
    /// Columns are gone, so nothing can be said.
    Gone(String),
}

/// How to hash a present row as a recorded layout did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The columns; not all of the layout's if some are gone.
    pub sources: Vec<Source>,
    /// Columns of the layout that are gone.
    pub gone: Vec<Gone>,
    /// Columns of the key, or of the chain's name, that are not hashed.
    pub others: Vec<Source>,
    /// The encoding of the layout.
    pub encoding: u8,
    /// What some types were like then.
    pub overrides: Overrides,
    /// What comes of it.
    pub relation: Relation,
}

/// A column as it is now.
pub(super) fn source(column: &Column) -> Source {
    source_then(column, column)
}

/// A column as it was then, where it is now.
pub(super) fn source_then(then: &Column, now: &Column) -> Source {
    Source {
        attnum: now.attnum,
        name: then.name.clone(),
        modifier: then.type_id.map(|id| id.modifier),
        undo: None,
        doubt: None,
    }
}

/// By the names and types of columns alone.
pub(super) fn by_name(layout: &Layout, present: &CurrentColumns) -> Mapping {
    let doubt = "the table was restored or made anew, and its columns changed at a time that is not recorded";
    let mut sources = Vec::new();
    let mut gone = Vec::new();
    for column in &layout.columns {
        let mut all = present.columns.iter().chain(&present.excluded);
        match all.find(|now| now.alike(column)) {
            Some(now) => sources.push(Source {
                doubt: Some(doubt.to_owned()),
                ..source_then(column, now)
            }),
            None => gone.push(Gone {
                attnum: None,
                name: column.name.clone(),
                modifier: column.type_id.map(|id| id.modifier),
                last: column.clone(),
                undo: None,
                doubt: None,
            }),
        }
    }
    // Types are as they were in the dump, as far as their names tell.
    let types = Then::of(layout).carried(&[layout], &present.shapes);
    let columns = sources.iter().map(|source| source.attnum).collect();
    Mapping {
        relation: relation(&sources, &gone, present, false),
        sources,
        gone,
        others: Vec::new(),
        encoding: layout.encoding,
        overrides: types.compared(present, &columns).overrides,
    }
}

/// What it proves that a row was hashed from these columns.
pub(super) fn relation(
    sources: &[Source],
    gone: &[Gone],
    present: &CurrentColumns,
    written_as_now: bool,
) -> Relation {
    let mut doubts: Vec<&str> = sources
        .iter()
        .filter_map(|source| source.doubt.as_deref())
        .collect();
    doubts.dedup();
    if !gone.is_empty() {
        Relation::Gone(dropped(gone))
    } else if !doubts.is_empty() {
        Relation::Uncertain(doubts.join("; "))
    } else if written_as_now
        && sources
            .iter()
            .cloned()
            .eq(present.columns.iter().map(source))
    {
        Relation::Same
    } else {
        Relation::Certain
    }
}

fn dropped(gone: &[Gone]) -> String {
    let (noun, verb) = match gone.len() {
        1 => ("column", "is"),
        _ => ("columns", "are"),
    };
    let names: Vec<String> = gone
        .iter()
        .map(|gone| format!("\"{}\"", gone.name))
        .collect();
    format!("{noun} {} {verb} gone", names.join(", "))
}
