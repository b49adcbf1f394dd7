//! A table as it comes and goes: its columns, its key, its rows and what was recorded of them.

use std::collections::{BTreeMap, BTreeSet};

use auditspine_core::hash::Hash;
use auditspine_core::rows::{
    Column, EntryRecord, KeyDigest, Layout, Place, Shapes, TypeId, Upon, compose,
};

use super::super::column_mapping::incarnation;

/// So many columns a table begins with.
pub const COLUMNS: usize = 4;

#[derive(Clone, Debug)]
pub enum Op {
    Insert([u8; COLUMNS]),
    Update(u8, u8, u8),
    Delete(u8),
    /// Columns of the key, by number.
    Key(Vec<u8>),
    Drop(u8),
    /// To a type of another text.
    Retype(u8),
    /// By an expression, to the type that it has.
    Compute(u8),
    /// To a type of the same text.
    Widen(u8),
    Rename(u8),
    /// What was dropped is gone from the rows.
    Rewrite,
    /// The columns are numbered anew.
    Restore,
    Truncate,
    AddColumn(u8),
}

#[derive(Clone, Copy, Debug)]
pub enum Attack {
    None,
    Delete(u8),
    Insert([u8; COLUMNS]),
    Edit(u8, u8, u8),
}

#[derive(Clone, Debug)]
pub struct ColumnNow {
    pub attnum: i16,
    pub name: String,
    /// How often its text became another.
    pub text: u32,
    /// How often its values were computed anew.
    pub computed: u32,
    pub wide: bool,
    pub dropped: bool,
}

/// A row: values by column, in the order in which columns were made; `None` once what was dropped is gone.
pub type Row = Vec<Option<u8>>;

pub struct Entry {
    pub name: Vec<u8>,
    pub record: EntryRecord,
    pub came: bool,
    pub row: Row,
    pub columns: Vec<ColumnNow>,
}

pub struct Model {
    pub columns: Vec<ColumnNow>,
    pub key: Vec<usize>,
    pub life: u32,
    pub rows: BTreeMap<u32, Row>,
    pub next_row: u32,
    pub seq: i64,
    pub layouts: Vec<Layout>,
    pub entries: Vec<Entry>,
    pub truncated: Option<i64>,
    pub keeps_payload: bool,
}

pub fn text(column: &ColumnNow, value: u8) -> Vec<u8> {
    let (text, computed) = (column.text as usize, column.computed as usize);
    format!("{}{}{value}", "x".repeat(text), "y".repeat(computed)).into_bytes()
}

impl Model {
    pub fn new(keeps_payload: bool) -> Model {
        let columns = (0..COLUMNS).map(|at| ColumnNow {
            attnum: at as i16 + 1,
            name: format!("c{at}"),
            text: 0,
            computed: 0,
            wide: false,
            dropped: false,
        });
        let mut model = Model {
            columns: columns.collect(),
            key: vec![0],
            life: 1,
            rows: BTreeMap::new(),
            next_row: 0,
            seq: 0,
            layouts: Vec::new(),
            entries: Vec::new(),
            truncated: None,
            keeps_payload,
        };
        model.layout();
        model
    }

    fn column(column: &ColumnNow) -> Column {
        let type_name = match (column.text, column.wide) {
            (0, false) => "integer".to_owned(),
            (0, true) => "bigint".to_owned(),
            (text, _) => format!("public.text{text}"),
        };
        let oid = 20 + column.text * 20_000 + u32::from(!column.wide) * 3;
        Column {
            attnum: column.attnum,
            name: column.name.clone(),
            type_name,
            shape: None,
            type_id: Some(TypeId { oid, modifier: -1 }),
            contains: Vec::new(),
        }
    }

    pub fn present(&self) -> Vec<Column> {
        let there = self.columns.iter().filter(|column| !column.dropped);
        there.map(Model::column).collect()
    }

    fn layout(&mut self) {
        self.seq += 1;
        let id = self.layouts.len() as i32 + 1;
        self.layouts.push(Layout {
            id,
            seq: self.seq,
            kind: "k".to_owned(),
            table: "public.t".to_owned(),
            incarnation: incarnation(self.life),
            columns: self.present(),
            encoding: 2,
            key: Some(self.key.iter().map(|at| self.columns[*at].attnum).collect()),
            others: Vec::new(),
            payload_kept: Some(self.keeps_payload),
            shapes: Shapes::new(),
            upon: Upon::default(),
        });
    }

    pub fn name(&self, row: &Row) -> Vec<u8> {
        let texts = self
            .key
            .iter()
            .map(|at| text(&self.columns[*at], row[*at].unwrap()));
        compose(&texts.collect::<Vec<_>>())
    }

    /// What the layout hashes of a row.
    pub fn hash(&self, row: &Row) -> Hash {
        let there = self
            .columns
            .iter()
            .zip(row)
            .filter(|(column, _)| !column.dropped);
        let all: Vec<u8> = there
            .flat_map(|(column, value)| {
                let mut all = column.name.clone().into_bytes();
                all.extend(text(column, value.unwrap_or(99)));
                all.push(b',');
                all
            })
            .collect();
        Hash::of(&all)
    }

    fn entry(&mut self, row: &Row, op: u8) {
        self.seq += 1;
        let name = self.name(row);
        let record = EntryRecord {
            key: KeyDigest(0, 0),
            seq: self.seq,
            at: self.seq,
            layout: Some(self.layouts.len() as i32),
            hash: self.hash(row),
            place: Place {
                block: self.entries.len() as u32,
                offset: 1,
            },
            alive: op != b'D',
        };
        self.entries.push(Entry {
            name,
            record,
            came: op == b'I',
            row: row.clone(),
            columns: self.columns.clone(),
        });
    }

    pub fn is_unique(&self, key: &[usize], rows: &BTreeMap<u32, Row>) -> bool {
        let names: BTreeSet<Vec<Option<u8>>> = rows
            .values()
            .map(|row| key.iter().map(|at| row[*at]).collect())
            .collect();
        names.len() == rows.len()
    }

    pub fn pick(&self, row: u8) -> Option<u32> {
        self.rows
            .keys()
            .nth(usize::from(row) % self.rows.len().max(1))
            .copied()
    }

    /// Columns that are there, by place.
    pub fn there(&self) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|at| !self.columns[*at].dropped)
            .collect()
    }

    pub fn run(&mut self, op: &Op) {
        let there = self.there();
        let at = |number: &u8| there[usize::from(*number) % there.len()];
        match op {
            Op::Insert(values) => {
                let row: Row = (self.columns.iter().enumerate())
                    .map(|(at, column)| (!column.dropped).then(|| values[at % COLUMNS]))
                    .collect();
                let mut rows = self.rows.clone();
                rows.insert(self.next_row, row.clone());
                if self.is_unique(&self.key, &rows) {
                    self.rows = rows;
                    self.next_row += 1;
                    self.entry(&row, b'I');
                }
            }
            Op::Update(row, column, value) => {
                let Some(id) = self.pick(*row) else { return };
                let mut rows = self.rows.clone();
                let column = at(column);
                let old = rows[&id].clone();
                rows.get_mut(&id).unwrap()[column] = Some(*value);
                // What was dropped is null in a new version.
                for (at, column) in self.columns.iter().enumerate() {
                    if column.dropped {
                        rows.get_mut(&id).unwrap()[at] = None;
                    }
                }
                if !self.is_unique(&self.key, &rows) {
                    return;
                }
                self.rows = rows;
                let new = self.rows[&id].clone();
                if self.name(&old) == self.name(&new) {
                    self.entry(&new, b'U');
                } else {
                    self.entry(&old, b'D');
                    self.entry(&new, b'I');
                }
            }
            Op::Delete(row) => {
                let Some(id) = self.pick(*row) else { return };
                let row = self.rows.remove(&id).unwrap();
                self.entry(&row, b'D');
            }
            Op::Key(columns) => {
                let mut key: Vec<usize> = Vec::new();
                for column in columns.iter().map(at) {
                    if !key.contains(&column) {
                        key.push(column);
                    }
                }
                if !key.is_empty() && key != self.key && self.is_unique(&key, &self.rows) {
                    self.key = key;
                    self.layout();
                }
            }
            Op::Drop(column) => {
                let column = at(column);
                if !self.key.contains(&column) {
                    self.columns[column].dropped = true;
                    self.layout();
                }
            }
            Op::Retype(column) => {
                let column = &mut self.columns[at(column)];
                column.text += 1;
                self.layout();
                self.rewrite();
            }
            Op::Compute(column) => {
                let column = &mut self.columns[at(column)];
                column.computed += 1;
                let attnum = column.attnum;
                self.layout();
                self.layouts.last_mut().unwrap().upon.computed = vec![attnum];
                self.rewrite();
            }
            Op::Widen(column) => {
                let column = &mut self.columns[at(column)];
                if column.text == 0 {
                    column.wide = true;
                }
                self.layout();
            }
            Op::Rename(column) => {
                let column = &mut self.columns[at(column)];
                column.name.push('_');
                self.layout();
            }
            Op::Rewrite => self.rewrite(),
            Op::Restore => {
                self.rewrite();
                self.life += 1;
                let mut attnum = 0;
                for column in self.columns.iter_mut().filter(|column| !column.dropped) {
                    attnum += 1;
                    column.attnum = attnum;
                }
                // What it was is no column of this life.
                self.columns
                    .iter_mut()
                    .filter(|column| column.dropped)
                    .for_each(|column| column.attnum = 99);
                self.layout();
            }
            Op::Truncate => {
                self.seq += 1;
                self.rows.clear();
                self.truncated = Some(self.seq);
            }
            Op::AddColumn(value) => {
                let number = self.columns.len();
                if number > 8 {
                    return;
                }
                let last = self
                    .columns
                    .iter()
                    .map(|column| column.attnum)
                    .filter(|attnum| *attnum != 99);
                self.columns.push(ColumnNow {
                    attnum: last.max().unwrap_or(0) + 1,
                    name: format!("c{number}"),
                    text: 0,
                    computed: 0,
                    wide: false,
                    dropped: false,
                });
                for (at, row) in self.rows.values_mut().enumerate() {
                    row.push(Some(value.wrapping_add(at as u8)));
                }
                self.layout();
            }
        }
    }

    fn rewrite(&mut self) {
        for row in self.rows.values_mut() {
            for (at, column) in self.columns.iter().enumerate() {
                if column.dropped {
                    row[at] = None;
                }
            }
        }
    }
}
