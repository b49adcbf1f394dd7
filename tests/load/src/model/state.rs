//! What must be recorded, as it follows from what was seen to happen.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::model::converted::convert;
use crate::model::features::Features;
use crate::model::observe::{Look, Row, Subject};

/// What the record knows of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// This is what it must be.
    Known(Option<String>),
    /// It was changed behind the record's back, and its text has been converted since.
    Wrong,
    /// No entry covers it; this is what it was when it came, which nobody need know.
    Unwatched(Option<String>),
    /// The verdict may be either.
    Unsure,
}

/// What is recorded of a row.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Its cells, by column number.
    pub cells: BTreeMap<i16, Cell>,
    /// Columns that its last entry covers.
    pub covered: BTreeSet<i16>,
    /// Columns of the key that it was written under.
    pub key: Vec<i16>,
    /// Whether its entry has the payload.
    pub full: bool,
    /// A column that the entry covers is gone or was retyped.
    pub lost: bool,
    /// What was in it was not what the entry says.
    pub tainted: bool,
    /// The name that it was written under cannot be read from the row any more.
    pub nameless: bool,
    /// The verdict may be any: what became of the row cannot be told from the table.
    pub unsure: bool,
    /// Its keys, as they read now and as they were written.
    pub names: BTreeSet<String>,
}

/// One entry of a row's history.
#[derive(Clone, Debug)]
pub struct Event {
    /// `I`, `U` or `D`.
    pub op: char,
    /// Equal contents have equal texts; other contents have others.
    pub content: String,
    /// Whether it is certain that this is all that happened.
    pub sure: bool,
}

/// What is recorded of a table.
#[derive(Clone, Debug)]
pub struct Table {
    /// The table.
    pub subject: Subject,
    /// Its rows, by key. A constraint that is checked at the end lets in several of one key: by `rid`.
    pub records: BTreeMap<String, BTreeMap<i64, Record>>,
    /// What happened to each key.
    pub history: BTreeMap<String, Vec<Event>>,
    /// Whether keys mean the same throughout.
    pub keys_stable: bool,
    /// Whether rows without a record may have been named otherwise, for all that the record tells.
    pub renamed: bool,
    /// Whether the history has all that was written.
    pub exact: bool,
}

/// What a DDL statement does, as far as the tables do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Nothing that needs telling.
    None,
    /// A column is added whose value in rows that are there is known: null, or a constant.
    AddsKnown,
    /// A column is added whose value is not known.
    AddsUnknown,
    /// A column of this table is retyped.
    Retypes(i32),
    /// The column of this number is retyped by an expression, which may give anything: of the table, and of its heirs.
    ComputesAnew(i16),
    /// The rows of this table that no entry knows are recorded.
    Backfill(i32),
}

/// What happened to one key.
#[derive(Clone, Debug)]
pub struct Write {
    /// The key.
    pub key: String,
    /// `I`, `U` or `D`.
    pub op: char,
    /// The row that was written or went.
    pub row: Row,
    /// Whether this is all that happened to the key.
    pub sure: bool,
    /// Rows of one key that nothing tells apart.
    pub doubtful: bool,
    /// Other rows of this key that are there.
    pub others: BTreeSet<i64>,
}

/// What a statement did.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Rows were written.
    Dml(i32, Vec<Write>),
    /// A table, or a partition of it, was emptied; the keys that went, and those that are still there.
    Truncate(i32, bool, BTreeSet<String>, BTreeSet<String>),
    /// More may have been written than shows afterwards.
    Inexact,
    /// Anything else.
    Ddl(Rc<(Look, Look)>, Hint),
}

/// What is recorded.
#[derive(Clone, Debug)]
pub struct State {
    /// By number.
    pub tables: BTreeMap<i32, Table>,
    features: Features,
    pub(super) epoch: u64,
}

impl State {
    /// Nothing recorded.
    pub fn new(features: Features) -> State {
        State {
            tables: BTreeMap::new(),
            features,
            epoch: 0,
        }
    }

    /// After these effects.
    pub fn after(&self, effects: &[Effect]) -> State {
        let mut state = self.clone();
        effects.iter().for_each(|effect| state.apply(effect));
        state
    }

    /// Books an effect.
    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Dml(id, writes) => {
                let epoch = self.epoch;
                if let Some(table) = self
                    .tables
                    .get_mut(id)
                    .filter(|table| table.subject.kind.is_some())
                {
                    writes.iter().for_each(|write| table.write(write, epoch));
                }
            }
            Effect::Truncate(id, whole, gone, kept) => {
                if let Some(table) = self.tables.get_mut(id) {
                    table.records.retain(|key, _| !whole && !gone.contains(key));
                    // A row that somebody took away before may have been in this partition or in another.
                    for (_, records) in table
                        .records
                        .iter_mut()
                        .filter(|(key, _)| !kept.contains(*key))
                    {
                        records.values_mut().for_each(|record| record.unsure = true);
                    }
                }
            }
            Effect::Inexact => self
                .tables
                .values_mut()
                .for_each(|table| table.exact = false),
            Effect::Ddl(looks, hint) => {
                self.epoch += 1;
                self.ddl(&looks.0, &looks.1, *hint);
            }
        }
    }

    fn ddl(&mut self, before: &Look, after: &Look, hint: Hint) {
        let none = Vec::new();
        let epoch = self.epoch;
        self.tables.retain(|id, _| after.subjects.contains_key(id));
        for (id, subject) in &after.subjects {
            let (old, new) = (
                before.rows.get(id).unwrap_or(&none),
                after.rows.get(id).unwrap_or(&none),
            );
            let table = self.tables.entry(*id).or_insert_with(|| Table {
                subject: Subject {
                    kind: None,
                    ..subject.clone()
                },
                records: BTreeMap::new(),
                history: BTreeMap::new(),
                keys_stable: true,
                renamed: false,
                exact: true,
            });
            let was = std::mem::replace(&mut table.subject, subject.clone());
            if was.kind.is_none() || subject.kind.is_none() {
                if hint == Hint::Backfill(*id) {
                    for row in new {
                        table.arrived(row, 'I', epoch);
                    }
                }
                continue;
            }
            table.changed(&was, old, new, hint, &self.features, epoch);
            if hint == Hint::Backfill(*id) {
                table.backfilled(new, epoch);
            }
        }
    }
}

impl Table {
    fn content(&self, row: &Row, epoch: u64) -> String {
        let cells: Vec<_> = self.subject.recorded(row).collect();
        format!("{epoch} {} {cells:?}", self.subject.oid)
    }

    fn arrived(&mut self, row: &Row, op: char, epoch: u64) {
        if let Some(key) = self.subject.key_of(row) {
            self.write(
                &Write {
                    key,
                    op,
                    row: row.clone(),
                    sure: true,
                    doubtful: false,
                    others: BTreeSet::new(),
                },
                epoch,
            );
        }
    }

    /// Rows that no entry knows have one now.
    fn backfilled(&mut self, rows: &[Row], epoch: u64) {
        for row in rows {
            let Some(key) = self
                .subject
                .key_of(row)
                .filter(|key| !self.records.contains_key(key))
            else {
                continue;
            };
            if self.history.contains_key(&key) || !self.keys_stable {
                // It was there and went, and somebody put it back: there is an entry, and not of this row.
                let names = BTreeSet::from([key.clone()]);
                let record = Record {
                    unsure: true,
                    names,
                    ..Record::default()
                };
                self.records
                    .insert(key, BTreeMap::from([(row.rid, record)]));
                self.exact = false;
            } else {
                self.arrived(row, 'I', epoch);
            }
        }
    }

    fn write(&mut self, write: &Write, epoch: u64) {
        let event = Event {
            op: write.op,
            content: self.content(&write.row, epoch),
            sure: write.sure,
        };
        self.history
            .entry(write.key.clone())
            .or_default()
            .push(event);
        let records = self.records.entry(write.key.clone()).or_default();
        // One that went unseen, and was named otherwise, is told of apart from the one that comes now.
        let apart = records.iter().any(|(rid, record)| {
            !write.others.contains(rid) && *rid != write.row.rid && record.nameless
        });
        records.retain(|rid, _| write.others.contains(rid));
        records
            .values_mut()
            .for_each(|record| record.unsure |= write.doubtful);
        if write.op == 'D' {
            if records.is_empty() {
                self.records.remove(&write.key);
            }
            return;
        }
        let cells: BTreeMap<i16, Cell> = self
            .subject
            .recorded(&write.row)
            .map(|(number, cell)| (number, Cell::Known(cell.clone())))
            .collect();
        let record = Record {
            covered: cells.keys().copied().collect(),
            cells,
            names: BTreeSet::from([write.key.clone()]),
            unsure: write.doubtful || apart,
            full: self.subject.full,
            key: self.subject.key.clone(),
            ..Record::default()
        };
        records.insert(write.row.rid, record);
    }

    fn changed(
        &mut self,
        was: &Subject,
        old: &[Row],
        new: &[Row],
        hint: Hint,
        features: &Features,
        epoch: u64,
    ) {
        // A key that was retyped by an expression names rows otherwise than entries do.
        self.renamed |= was
            .key
            .iter()
            .any(|number| hint == Hint::ComputesAnew(*number));
        let mut left = std::mem::take(&mut self.records);
        let by_rid: BTreeMap<i64, &Row> = old.iter().map(|row| (row.rid, row)).collect();
        let mut arrived = Vec::new();
        for row in new {
            let Some(previous) = by_rid.get(&row.rid) else {
                arrived.push(row);
                continue;
            };
            let (Some(old_key), Some(key)) = (was.key_of(previous), self.subject.key_of(row))
            else {
                continue;
            };
            self.keys_stable &= old_key == key;
            let Some(records) = left.get_mut(&old_key) else {
                continue;
            };
            // One that was put in its place has another number.
            let rid = if records.contains_key(&row.rid) {
                row.rid
            } else {
                *records.keys().next_back().unwrap_or(&0)
            };
            let Some(record) = records.remove(&rid) else {
                continue;
            };
            if records.is_empty() {
                left.remove(&old_key);
            }
            let mut record = convert(
                record,
                was,
                &self.subject,
                Some((previous, row)),
                hint,
                features,
            );
            record.names.insert(key.clone());
            self.records.entry(key).or_default().insert(row.rid, record);
        }
        // What the table did not show before, and what it does not show any more.
        let gone: BTreeSet<String> = old.iter().filter_map(|row| was.key_of(row)).collect();
        for (key, rid, record) in left.into_iter().flat_map(|(key, records)| {
            records
                .into_iter()
                .map(move |(rid, record)| (key.clone(), rid, record))
        }) {
            if !gone.contains(&key) {
                let mut record = convert(record, was, &self.subject, None, hint, features);
                record.unsure |= was.leaves != self.subject.leaves
                    || was.key != self.subject.key
                    || record.nameless;
                self.records.entry(key).or_default().insert(rid, record);
            }
        }
        for row in arrived {
            self.arrived(row, 'I', epoch);
        }
    }
}
