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
    /// A column that is recorded now, that the table had already when rows were recorded under this layout,
    /// and that was left out then: nothing vouches for what is in it. `None` if there is none, or if the
    /// layout is that of another life of the table.
    ///
    /// That the column was there is known if an earlier layout has it, or a column that was made later.
    pub fn left_out<'a>(&self, named: &Layout, present: &'a CurrentColumns) -> Option<&'a Column> {
        if named.incarnation != present.incarnation {
            return None;
        }
        let last = named.columns.iter().map(|column| column.attnum).max();
        let has = |layout: &Layout, attnum: i16| {
            layout.columns.iter().any(|column| column.attnum == attnum)
        };
        present.columns.iter().find(|column| {
            let attnum = column.attnum;
            !has(named, attnum)
                && (Some(attnum) < last
                    || self
                        .of(&present.incarnation)
                        .any(|earlier| earlier.seq < named.seq && has(earlier, attnum)))
        })
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
    one.attnum != other.attnum
        || one.name != other.name
        || one.type_name != other.type_name && !(is_own(one) && is_own(other))
}
