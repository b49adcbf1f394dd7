//! What became of a recorded column's values since, though nobody wrote the row: whether they still read as they were
//! recorded, as far as the layouts tell that were recorded later.

use super::column_mapping::Layouts;
use super::conversion::{self, Undo};
use super::layout::{Column, CurrentColumns, Incarnation, Layout};
use super::types::{Form, Label};

/// What became of a column.
pub(super) struct Fate<'a> {
    /// The column as it was recorded last.
    pub last: &'a Column,
    /// The modifier by which its values are to be written: of numbers it says how many zeros each has.
    pub modifier: Option<i32>,
    /// How its cells are told from what they are now, if they are not the same.
    pub undo: Option<Undo>,
    /// Why its values may differ from what they were; empty if they cannot.
    pub doubts: Vec<String>,
}

impl Layouts {
    /// Tells that rows of a kind, attached by the entry `seq`, are not recorded by an UPDATE that leaves their hash as
    /// it was: `skips`.
    pub fn declare(&mut self, kind: &str, seq: i64, skips: bool) {
        self.declared.push((kind.to_owned(), seq, skips));
    }

    /// Tells whether the trigger that there is records nothing of an UPDATE that leaves the hash as it was.
    pub fn skips_now(&mut self, skips: bool) {
        self.skips_now = skips;
    }

    /// What became of a column of `layout`, which was at the given places in each of its lives, and is `now`.
    pub(super) fn fate<'a>(
        &'a self,
        layout: &'a Layout,
        column: &'a Column,
        at: &[(&Incarnation, i16)],
        present: &CurrentColumns,
        now: Option<&Column>,
    ) -> Fate<'a> {
        let (mut last, mut last_layout, mut doubts) = (column, layout, Vec::new());
        let mut undo = None;
        let mut modifier = column.type_id.map(|id| id.modifier);
        let (mut retyped, mut out_since) = (None, None);
        let mut seen = layout.seq;
        for (life, attnum) in at {
            for later in self.later(layout, life) {
                seen = later.seq;
                let hashed = later.columns.iter().find(|there| there.attnum == *attnum);
                if hashed.is_none() {
                    out_since.get_or_insert(later.seq);
                } else if let Some(since) = out_since.take()
                    && self.may_have_skipped(&layout.kind, since, later.seq)
                {
                    doubts.push(format!(
                        "column \"{}\" was excluded for a while",
                        column.name
                    ));
                }
                if later.upon.computed.contains(attnum) {
                    doubts.push(format!(
                        "values of column \"{}\" were computed anew by an ALTER TABLE",
                        column.name
                    ));
                }
                let mut converted = later.upon.converted.iter();
                let converted = converted.find(|there| there.attnum == *attnum);
                let Some(there) = hashed.or(converted) else {
                    continue;
                };
                if !alike(layout, life, last, there) {
                    let known =
                        converted.and_then(|_| conversion_of(layout, last_layout, last, there));
                    match (known, undo) {
                        (Some(None), _) => {}
                        (Some(more), None) => undo = more,
                        _ => {
                            retyped.get_or_insert(there);
                        }
                    }
                }
                let scale = there.type_id.map_or(-1, |id| id.modifier);
                modifier = modifier.map(|then| if scale == -1 { then } else { scale });
                last = there;
                if hashed.is_some() {
                    last_layout = later;
                }
            }
        }
        let Some(now) = now else {
            doubts.extend(retyped.map(|then| retyped_for_a_while(column, then)));
            return Fate {
                last,
                modifier,
                undo,
                doubts,
            };
        };
        if !alike(layout, &present.incarnation, last, now) {
            retyped.get_or_insert(last);
        }
        if let Some(then) = retyped {
            let is_back = alike(layout, &present.incarnation, column, now);
            doubts.push(if is_back {
                retyped_for_a_while(column, then)
            } else {
                retyped_now(column, now)
            });
        }
        let hashed = present.columns.iter().any(|it| it.attnum == now.attnum);
        let out_since = out_since.or((!hashed).then_some(seen));
        if let Some(since) = out_since
            && self.may_have_skipped(&layout.kind, since, i64::MAX)
        {
            let when = if hashed {
                "was excluded for a while"
            } else {
                "is excluded now"
            };
            doubts.push(format!("column \"{}\" {when}", column.name));
        }
        Fate {
            last,
            modifier,
            undo,
            doubts,
        }
    }

    /// Layouts of a life that were recorded after `layout`, in order.
    pub(super) fn later(&self, layout: &Layout, life: &Incarnation) -> Vec<&Layout> {
        let mut later: Vec<&Layout> = self
            .of(life)
            .filter(|later| later.seq > layout.seq)
            .collect();
        later.sort_by_key(|later| later.seq);
        later
    }

    /// Whether, while a column was excluded between two entries, it may have changed without an entry: an UPDATE of it
    /// alone left the hash as it was. What is excluded is declared by an entry in between, or by a trigger made by hand,
    /// of which only the present one is known.
    fn may_have_skipped(&self, kind: &str, since: i64, until: i64) -> bool {
        let mut declared = self
            .declared
            .iter()
            .filter(|(of, seq, _)| of == kind && since < *seq && *seq < until)
            .peekable();
        if declared.peek().is_none() {
            return until != i64::MAX || self.skips_now;
        }
        declared.any(|(.., skips)| *skips)
    }
}

/// How the text of a cell is known that was converted from the one type to the other.
fn conversion_of(
    layout: &Layout,
    before: &Layout,
    from: &Column,
    to: &Column,
) -> Option<Option<Undo>> {
    // A label is a text; that it is called so may have changed since it was recorded.
    let labels = |layout: &Layout| {
        let shape = layout.shapes.get(&from.type_id?.oid)?;
        match &shape.form {
            Form::Labels(labels) => Some(labels.clone()),
            _ => None,
        }
    };
    let is_text = matches!(&to.type_name[..], "text" | "character varying");
    if let (true, Some(then), Some(before)) = (is_text, labels(layout), labels(before)) {
        let is_same = |label: &Label| before.contains(label);
        return then.iter().all(is_same).then_some(None);
    }
    conversion::undo(&from.type_name, &to.type_name)
}

/// Whether two columns have the same type, of which the second is of this life.
fn alike(layout: &Layout, life: &Incarnation, one: &Column, other: &Column) -> bool {
    if *life == layout.incarnation {
        one.same_type(other)
    } else {
        one.type_named_alike(other)
    }
}

fn retyped_for_a_while(column: &Column, then: &Column) -> String {
    format!(
        "column \"{}\" was {} for a while",
        column.name, then.type_name
    )
}

fn retyped_now(then: &Column, now: &Column) -> String {
    if then.type_name == now.type_name {
        format!(
            "type {} of column \"{}\" was altered",
            now.type_name, then.name
        )
    } else {
        format!(
            "column \"{}\" was {} and is {} now",
            then.name, then.type_name, now.type_name
        )
    }
}
