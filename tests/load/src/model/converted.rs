//! What a DDL, or a restore, leaves of what was known of a row.

use std::collections::BTreeMap;

use crate::model::features::Features;
use crate::model::observe::{Column, Look, Row, Subject};
use crate::model::state::{Cell, Hint, Record, State};

/// Conversions that change no text.
fn keeps_text(from: &Column, to: &Column) -> bool {
    const CHAIN: [&str; 3] = ["smallint", "integer", "bigint"];
    let place = |column: &Column| CHAIN.iter().position(|name| *name == column.type_name);
    let is_text = |column: &Column| {
        column.type_name.starts_with("character varying") || column.type_name == "text"
    };
    match (place(from), place(to)) {
        (Some(from), Some(to)) => from <= to,
        (Some(_), None) => to.type_name == "numeric",
        _ => is_text(from) && is_text(to),
    }
}

/// Whether a cell is not as recorded, or may not be.
fn tainted(record: &Record, number: i16, subject: &Subject, row: Option<&Row>) -> bool {
    let at = subject
        .columns
        .iter()
        .position(|column| column.number == number);
    match (
        record.cells.get(&number),
        at.and_then(|at| row?.cells.get(at)),
    ) {
        (Some(Cell::Known(known)), Some(cell)) => known != cell,
        (cell, _) => cell.is_some(),
    }
}

/// What is known of a row after a DDL; `rows` has it as it was and as it is, if it was there.
pub fn convert(
    record: Record,
    was: &Subject,
    is: &Subject,
    rows: Option<(&Row, &Row)>,
    hint: Hint,
    features: &Features,
) -> Record {
    let mut after = Record {
        cells: BTreeMap::new(),
        ..record.clone()
    };
    let column = |subject: &Subject, number| {
        subject
            .columns
            .iter()
            .position(|column| column.number == number)
    };
    let retyped = |then: &Column, now: &Column| {
        let natural = features.has("text_kept") && keeps_text(then, now);
        hint == Hint::ComputesAnew(now.number) || then.stable != now.stable && !natural
    };
    after.nameless |=
        was.key
            .iter()
            .any(|number| match (column(was, *number), column(is, *number)) {
                (Some(then), Some(now)) => {
                    let (then, now) = (&was.columns[then], &is.columns[now]);
                    retyped(then, now)
                }
                _ => true,
            });
    for number in &record.covered {
        if column(is, *number).is_none() {
            after.lost = true;
            after.tainted |= tainted(&record, *number, was, rows.map(|(old, _)| old));
        }
    }
    for (at, now) in is.columns.iter().enumerate() {
        let number = now.number;
        let new = rows.map(|(_, new)| new.cells[at].clone());
        let Some(then) = column(was, number) else {
            let cell = match (hint, new) {
                _ if is.excluded.contains(&number) => continue,
                (Hint::AddsKnown, Some(new)) if features.has("added_watched") => Cell::Known(new),
                (Hint::AddsKnown, _) => Cell::Unsure,
                (_, new) => Cell::Unwatched(new.flatten()),
            };
            after.cells.insert(number, cell);
            continue;
        };
        let old = rows.map(|(old, _)| old.cells[then].clone());
        let then = &was.columns[then];
        let retyped = retyped(then, now);
        let cell = match record.cells.get(&number) {
            None if is.excluded.contains(&number) => continue,
            None => Cell::Unsure,
            // What it is now may have been forged before.
            Some(Cell::Unwatched(text)) if old.as_ref().is_none_or(|old| old == text) => {
                Cell::Unwatched(new.unwrap_or_else(|| text.clone()))
            }
            Some(Cell::Unwatched(_)) => Cell::Unsure,
            // Changed by right, it is not recorded any more.
            Some(_) if is.excluded.contains(&number) => {
                after.lost |= after.covered.contains(&number);
                Cell::Unsure
            }
            Some(_) if retyped => {
                after.lost |= after.covered.contains(&number);
                after.tainted |= tainted(&record, number, was, rows.map(|(old, _)| old));
                Cell::Unsure
            }
            Some(Cell::Known(text)) if rows.is_none() || Some(text) == old.as_ref() => {
                Cell::Known(new.unwrap_or_else(|| text.clone()))
            }
            Some(Cell::Known(_)) if old != new => Cell::Wrong,
            Some(other) => other.clone(),
        };
        after.cells.insert(number, cell);
    }
    after
}

impl State {
    /// The same after everything was restored into another database, where columns have other numbers.
    pub fn restored(&self, before: &Look, after: &Look) -> State {
        let mut state = self.clone();
        state.epoch += 1;
        for (id, table) in &mut state.tables {
            let (Some(was), Some(is)) = (before.subjects.get(id), after.subjects.get(id)) else {
                continue;
            };
            let renumbered: BTreeMap<i16, i16> = was
                .columns
                .iter()
                .filter_map(|old| {
                    Some((
                        old.number,
                        is.columns.iter().find(|new| new.name == old.name)?.number,
                    ))
                })
                .collect();
            // A dropped column keeps no number; one that no column can have stands for it.
            let number = |old: &i16| renumbered.get(old).copied().unwrap_or(-1);
            for record in table.records.values_mut().flat_map(BTreeMap::values_mut) {
                record.cells = record
                    .cells
                    .iter()
                    .map(|(old, cell)| (number(old), cell.clone()))
                    .collect();
                record.covered = record.covered.iter().map(number).collect();
                record.key = record.key.iter().map(number).collect();
                record.cells.remove(&-1);
                record.covered.remove(&-1);
                // An oid of another database says nothing, and a tsquery may be read back nested otherwise.
                for column in is.columns.iter().filter(|column| {
                    column.type_name.starts_with("reg") || column.type_name == "tsquery"
                }) {
                    record.lost |= record.covered.contains(&column.number);
                    record.cells.insert(column.number, Cell::Unsure);
                }
            }
            table.subject = is.clone();
        }
        state
    }
}
