//! Which layout a table had when an entry was written.
//!
//! A table's columns change under a lock that no writer's transaction gets past, and a layout is recorded
//! only by a transaction that saw these columns. So once a layout of other columns is recorded, no later
//! entry is of an earlier one, whatever it names. What else a layout tells (the labels of an enum, the name
//! of a type) changes without such a lock, and proves nothing about what is written at the same time.

use super::column_mapping::Layouts;
use super::layout::{Column, CurrentColumns, Layout};

impl Layouts {
    /// The layouts of which the table had one when entry `seq` was written, if that names another, or none;
    /// else nothing. Also nothing where no layout of the table as it is now was recorded by then.
    pub fn in_force(&self, named: Option<i32>, seq: i64, present: &CurrentColumns) -> Vec<i32> {
        let kind = named.and_then(|id| self.get(id)).map(|layout| &layout.kind);
        let mut before: Vec<&Layout> = self
            .of(&present.incarnation)
            .filter(|layout| layout.seq < seq && kind.is_none_or(|kind| *kind == layout.kind))
            .collect();
        before.sort_by_key(|layout| layout.seq);
        // Entries that name no known layout do not tell which kind's are theirs.
        if before.windows(2).any(|pair| pair[0].kind != pair[1].kind) {
            return Vec::new();
        }
        let altered = before
            .windows(2)
            .rposition(|pair| altered_under_lock(pair[0], pair[1]));
        let possible = &before[altered.map_or(0, |at| at + 1)..];
        if possible.iter().any(|layout| Some(layout.id) == named) {
            return Vec::new();
        }
        possible.iter().map(|layout| layout.id).collect()
    }
}

impl Layouts {
    /// Whether a column was there already when rows were recorded under this layout, and was left out then. That it was
    /// there is known if an earlier layout has it, or a column that was made later.
    pub(super) fn was_left_out(
        &self,
        named: &Layout,
        attnum: i16,
        present: &CurrentColumns,
    ) -> bool {
        if named.incarnation != present.incarnation {
            return false;
        }
        let last = named.columns.iter().map(|column| column.attnum).max();
        let has = |layout: &Layout| layout.columns.iter().any(|column| column.attnum == attnum);
        Some(attnum) < last
            || self
                .of(&present.incarnation)
                .any(|earlier| earlier.seq < named.seq && has(earlier))
    }
}

/// Whether two layouts of one table differ in what only a command on the table itself can change.
fn altered_under_lock(one: &Layout, other: &Layout) -> bool {
    one.columns.len() != other.columns.len()
        || one
            .columns
            .iter()
            .zip(&other.columns)
            .any(|(one, other)| is_another(one, other))
}

fn is_another(one: &Column, other: &Column) -> bool {
    // A type that is not built in may be called otherwise.
    let is_own = |column: &Column| column.type_name.contains('.');
    let retyped = match (one.type_id, other.type_id) {
        (Some(one), Some(other)) => one != other,
        _ => one.type_name != other.type_name && !(is_own(one) && is_own(other)),
    };
    one.attnum != other.attnum || one.name != other.name || retyped
}
