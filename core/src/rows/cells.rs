//! Cells that the last entry of a row does not cover: those of columns that are younger than it, or that were left out.
//!
//! What a new column reads in rows that were there already is known from the layout that was recorded when it was
//! added. Where it is not, nothing vouches for the cells until the row is written again.

use std::collections::BTreeMap;

use super::column_mapping::Layouts;
use super::layout::{CurrentColumns, Incarnation, Layout};
use super::mapping::Mapping;

/// A column that is recorded now, and that the entry of a row does not cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncovered {
    /// Its attribute number now.
    pub attnum: i16,
    /// Its name now.
    pub name: String,
    /// What its cell must read nevertheless, or why that is not known.
    pub expected: Result<Expected, String>,
}

/// What a cell must read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The layout that tells it, and as which the cell is to be written.
    pub layout: i32,
    /// The column's name by that layout.
    pub name: String,
    /// The cell's JSON.
    pub json: String,
}

impl Layouts {
    /// The columns that are recorded now and that an entry of `layout` does not cover.
    pub fn uncovered(
        &self,
        layout: &Layout,
        mapping: &Mapping,
        present: &CurrentColumns,
    ) -> Vec<Uncovered> {
        let covered = |attnum| mapping.sources.iter().any(|source| source.attnum == attnum);
        let mut uncovered: BTreeMap<i16, Option<Result<Expected, String>>> = present
            .columns
            .iter()
            .filter(|column| !covered(column.attnum))
            .map(|column| (column.attnum, None))
            .collect();
        if !uncovered.is_empty() {
            for life in self.lives_since(layout, present) {
                for later in self.later(layout, life) {
                    self.tell(layout, later, present, &mut uncovered);
                }
            }
        }
        let name = |attnum| present.column(attnum).map(|column| column.name.clone());
        uncovered
            .into_iter()
            .map(|(attnum, told)| Uncovered {
                attnum,
                name: name(attnum).unwrap_or_default(),
                expected: told
                    .unwrap_or_else(|| Err(self.left_out_or_new(layout, attnum, present))),
            })
            .collect()
    }

    /// What one of the layouts that were recorded after `layout` says of cells that no earlier one spoke of.
    fn tell(
        &self,
        layout: &Layout,
        later: &Layout,
        present: &CurrentColumns,
        cells: &mut BTreeMap<i16, Option<Result<Expected, String>>>,
    ) {
        let Some(path) = self.path(later, present) else {
            return;
        };
        for (index, column) in later.columns.iter().enumerate() {
            let Some(now) = path.now(index).and_then(|attnum| present.column(attnum)) else {
                continue;
            };
            let Some(cell) = cells.get_mut(&now.attnum).filter(|cell| cell.is_none()) else {
                continue;
            };
            let added = later
                .upon
                .added
                .iter()
                .find(|(attnum, _)| *attnum == column.attnum);
            let fate = self.fate(later, column, &path.places(index), present, Some(now));
            *cell = Some(match added {
                None => Err(self.left_out_or_new(layout, now.attnum, present)),
                Some(_) if !fate.doubts.is_empty() => Err(fate.doubts.join("; ")),
                Some((_, json)) => Ok(Expected {
                    layout: later.id,
                    name: column.name.clone(),
                    json: json.clone(),
                }),
            });
        }
    }

    /// Why nothing is known of a cell.
    fn left_out_or_new(&self, layout: &Layout, attnum: i16, present: &CurrentColumns) -> String {
        if self.was_left_out(layout, attnum, present) {
            "the column was left out of the audit when the row was recorded last".to_owned()
        } else {
            "the column was added or taken into the audit since, and what it held then is not recorded"
                .to_owned()
        }
    }

    /// The lives of a table that a layout's columns went through until the present one.
    fn lives_since<'a>(
        &'a self,
        layout: &'a Layout,
        present: &'a CurrentColumns,
    ) -> Vec<&'a Incarnation> {
        self.path(layout, present)
            .map_or_else(Vec::new, |path| path.lives())
    }
}
