//! Which keys a table had, one after the other.
//!
//! A key changes under a lock that no writer's transaction gets past, and the layout that tells it is
//! recorded before anything is written under it. So which key an entry's name is of is told by its number.

use std::collections::{BTreeMap, BTreeSet};

use super::texts::{Texts, Translation, texts};
use crate::rows::layout::{Column, CurrentColumns, Incarnation, Layout};
use crate::rows::types::Shapes;

/// A key as a layout tells it.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub layout: i32,
    pub incarnation: Incarnation,
    pub encoding: u8,
    pub columns: Vec<Column>,
    pub shapes: Shapes,
}

impl Key {
    /// All columns of a table as it is now, as if they were its key.
    pub fn of_present(present: &CurrentColumns) -> Key {
        let columns = present.columns.iter().chain(&present.excluded);
        Key {
            layout: 0,
            incarnation: present.incarnation.clone(),
            encoding: 2,
            columns: columns.cloned().collect(),
            shapes: present.shapes.clone(),
        }
    }

    /// Whether a column of this key and one of another are the same.
    pub fn is_same(&self, column: &Column, other: &Key, of_other: &Column) -> bool {
        match self.incarnation == other.incarnation {
            true => column.attnum == of_other.attnum,
            // A dump numbers columns anew, and keeps their names; partitions share them with their table.
            false => column.name == of_other.name,
        }
    }

    fn names_alike(&self, other: &Key) -> bool {
        let alike = |(old, new): (&Column, &Column)| {
            self.is_same(old, other, new) && texts((self, old), (other, new)) == Texts::Same
        };
        self.columns.len() == other.columns.len()
            && self.columns.iter().zip(&other.columns).all(alike)
    }
}

/// A time in which rows were named in one way.
#[derive(Clone, Debug)]
struct Epoch {
    from: i64,
    /// The last key of each life of the table, or of its partitions, that was recorded meanwhile.
    keys: BTreeMap<Incarnation, Key>,
    /// The one recorded last.
    last: Option<Incarnation>,
}

impl Epoch {
    fn beginning(from: i64) -> Epoch {
        Epoch {
            from,
            keys: BTreeMap::new(),
            last: None,
        }
    }

    fn last(&self) -> Option<&Key> {
        self.keys.get(self.last.as_ref()?)
    }

    /// Whether a key names rows as those of this epoch do.
    fn has(&self, key: &Key) -> bool {
        let like = self.keys.get(&key.incarnation).or_else(|| self.last());
        like.is_none_or(|like| like.names_alike(key))
    }

    fn add(&mut self, key: Key) {
        self.last = Some(key.incarnation.clone());
        self.keys.insert(key.incarnation.clone(), key);
    }
}

/// The times in which the rows of one kind were named in one way, oldest first.
#[derive(Clone, Debug)]
pub struct KeyEpochs {
    all: Vec<Epoch>,
    computed: Vec<Computed>,
    /// Columns of keys as they were recorded last, by the table's life and number, and whether they were gone by
    /// the end of that life.
    last: BTreeMap<(Incarnation, i16), Last>,
}

#[derive(Clone, Debug)]
struct Last {
    column: Column,
    layout: i32,
    is_gone: bool,
}

/// An ALTER TABLE that made the values of a column anew.
#[derive(Clone, Debug)]
struct Computed {
    /// The layout's entry that tells it.
    seq: i64,
    incarnation: Incarnation,
    attnum: i16,
    name: String,
}

impl Computed {
    fn is_of(&self, incarnation: &Incarnation, column: &Column) -> bool {
        match *incarnation == self.incarnation {
            true => column.attnum == self.attnum,
            false => column.name == self.name,
        }
    }
}

/// Where a part of a row's name of another time comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamePart {
    /// A column's text as it is written now; if labels are called otherwise now, by what they are called.
    Present(i16, Option<Vec<(String, String)>>),
    /// A column's value, written as this layout says.
    AsRecorded(i16, i32),
    /// What a column that was dropped held, as this layout tells its type.
    Dropped(i16, i32),
}

impl KeyEpochs {
    /// What the layouts of one kind tell, of which encoding 1 does not tell the key: for these `declared`
    /// has the names of the key's columns as they were when the table was attached, each with the entry
    /// that says so, oldest first.
    pub fn of<'a>(
        layouts: impl Iterator<Item = &'a Layout>,
        declared: &[(i64, Vec<String>)],
    ) -> KeyEpochs {
        let mut layouts: Vec<&Layout> = layouts.collect();
        layouts.sort_by_key(|layout| layout.seq);
        // What audit_attach() told last before keys were told by layouts.
        let told = layouts.iter().find(|layout| layout.key.is_some());
        let told = told.map_or(i64::MAX, |layout| layout.seq);
        let declared = declared
            .iter()
            .rfind(|(seq, _)| *seq < told)
            .or(declared.first());
        let declared = declared.map(|(_, names)| &names[..]);
        let mut epochs = KeyEpochs {
            all: vec![Epoch::beginning(i64::MIN)],
            computed: Vec::new(),
            last: BTreeMap::new(),
        };
        for layout in &layouts {
            let key = key_of(layout, declared);
            let unsaid = key
                .as_ref()
                .map_or_else(Vec::new, |key| epochs.retyped_unsaid(layout, key));
            for attnum in layout.upon.computed.iter().chain(&unsaid) {
                if let Some(column) = layout.column(*attnum) {
                    epochs.compute(layout.seq, &layout.incarnation, column, key.as_ref());
                }
            }
            let Some(key) = key else {
                continue;
            };
            if epochs.all.last().is_some_and(|epoch| !epoch.has(&key)) {
                epochs.all.push(Epoch::beginning(layout.seq));
            }
            if let Some(current) = epochs.all.last_mut() {
                current.add(key);
            }
        }
        layouts.iter().for_each(|layout| epochs.note_last(layout));
        epochs
    }

    /// Takes in how rows of a table, or of one of its partitions, are named now. If that is otherwise than the
    /// layouts tell, an epoch begins that no entry tells of yet.
    pub fn add_present(&mut self, present: &CurrentColumns, key: &[i16]) {
        let columns = key.iter().map(|attnum| present.column(*attnum).cloned());
        let Some(columns) = columns.collect::<Option<Vec<Column>>>() else {
            return;
        };
        let key = Key {
            layout: 0,
            incarnation: present.incarnation.clone(),
            encoding: 2,
            columns,
            shapes: present.shapes.clone(),
        };
        let retyped: Vec<Column> = self.retyped(&key).cloned().collect();
        for column in retyped {
            self.compute(i64::MAX, &present.incarnation, &column, Some(&key));
        }
        let Some(current) = self.all.last_mut() else {
            return;
        };
        if !current.has(&key) {
            let mut epoch = Epoch::beginning(i64::MAX);
            epoch.add(key);
            self.all.push(epoch);
        } else if current.from == i64::MAX {
            current.add(key);
        }
    }

    fn note_last(&mut self, layout: &Layout) {
        let of_life = self
            .all
            .iter()
            .filter_map(|epoch| epoch.keys.get(&layout.incarnation));
        let attnums: BTreeSet<i16> = of_life
            .flat_map(|key| &key.columns)
            .map(|column| column.attnum)
            .collect();
        for attnum in attnums {
            let at = (layout.incarnation.clone(), attnum);
            // Once it is no column of the key it may be left out of the layout, and be there still.
            let is_gone = layout.columns.iter().any(|column| column.attnum > attnum);
            match (layout.column(attnum), self.last.get_mut(&at)) {
                (Some(column), _) => {
                    let last = Last {
                        column: column.clone(),
                        layout: layout.id,
                        is_gone: false,
                    };
                    self.last.insert(at, last);
                }
                (None, Some(last)) => last.is_gone |= is_gone,
                (None, None) => {}
            }
        }
    }

    /// Columns of a key whose type is another one since, though no entry tells how their values were converted.
    fn retyped_unsaid(&self, layout: &Layout, key: &Key) -> Vec<i16> {
        let is_unsaid = |column: &&Column| {
            let mut converted = layout.upon.converted.iter();
            converted.all(|converted| converted.attnum != column.attnum)
        };
        let unsaid = self.retyped(key).filter(is_unsaid);
        unsaid.map(|column| column.attnum).collect()
    }

    /// Columns of a key that were of another type when the last key of the same life was told.
    fn retyped<'a>(&self, key: &'a Key) -> impl Iterator<Item = &'a Column> {
        let current = self.all.last();
        let before = current.and_then(|epoch| epoch.keys.get(&key.incarnation));
        key.columns.iter().filter(move |column| {
            let old = before.and_then(|before| {
                let mut columns = before.columns.iter();
                columns.find(|old| old.attnum == column.attnum)
            });
            old.is_some_and(|old| !old.same_type(column))
        })
    }

    /// A column was computed anew. Partitions tell so one after the other.
    fn compute(&mut self, seq: i64, incarnation: &Incarnation, column: &Column, key: Option<&Key>) {
        let in_key = key.is_some_and(|key| {
            key.columns
                .iter()
                .any(|of_key| of_key.attnum == column.attnum)
        });
        let current = self.all.last();
        let told = current.is_some_and(|epoch| {
            !epoch.keys.contains_key(incarnation)
                && self.computed.iter().any(|computed| {
                    computed.seq >= epoch.from && computed.is_of(incarnation, column)
                })
        });
        if in_key && !told && current.is_some_and(|epoch| epoch.last.is_some()) {
            self.all.push(Epoch::beginning(seq));
        }
        self.computed.push(Computed {
            seq,
            incarnation: incarnation.clone(),
            attnum: column.attnum,
            name: column.name.clone(),
        });
    }

    fn is_computed(&self, column: &Column, of: &Incarnation, from: i64, until: i64) -> bool {
        self.computed.iter().any(|computed| {
            computed.seq >= from && computed.seq <= until && computed.is_of(of, column)
        })
    }

    /// Without those that ended before an entry.
    pub fn since(mut self, seq: i64) -> KeyEpochs {
        let first = self.at(seq);
        self.all.drain(..first);
        self
    }

    /// How many there are: one at least.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The number of the epoch, from 0, whose names an entry of this number has.
    pub fn at(&self, seq: i64) -> usize {
        let begun = self.all.iter().rposition(|epoch| epoch.from <= seq);
        begun.unwrap_or(0)
    }

    /// The first entry that has names of this epoch.
    pub fn from(&self, epoch: usize) -> i64 {
        self.all[epoch].from
    }

    /// The names of the key's columns in an epoch, as far as they are known.
    pub fn columns(&self, epoch: usize) -> Vec<String> {
        let key = self.all[epoch].last();
        let names = key
            .iter()
            .flat_map(|key| &key.columns)
            .map(|column| column.name.clone());
        names.collect()
    }

    /// What names of one epoch are in another, if the texts tell.
    pub fn translation(&self, from: usize, to: usize) -> Option<Translation> {
        let (then, now) = self.pair(from, to)?;
        let (older, newer) = (from.min(to), from.max(to));
        let between = (self.all[older + 1].from, self.all[newer].from);
        Translation::of(then, now, |key, column| {
            self.is_computed(column, &key.incarnation, between.0, between.1)
        })
    }

    /// Keys of two epochs that can be compared: of one life, if there is one.
    fn pair(&self, from: usize, to: usize) -> Option<(&Key, &Key)> {
        let (from, to) = (&self.all[from], &self.all[to]);
        let shared = from
            .keys
            .values()
            .find_map(|key| Some((key, to.keys.get(&key.incarnation)?)));
        shared.or_else(|| Some((from.last()?, to.last()?)))
    }

    /// How the names of an epoch are read from the rows of a table as it is now; `None` if they cannot be.
    pub fn parts(&self, epoch: usize, present: &CurrentColumns) -> Option<Vec<NamePart>> {
        let ended = self.all.get(epoch + 1).map_or(i64::MAX, |next| next.from);
        let epoch = &self.all[epoch];
        let here = epoch.keys.get(&present.incarnation);
        let key = here.or_else(|| epoch.last())?;
        let now = Key::of_present(present);
        let part = |column: &Column| {
            if self.is_computed(column, &key.incarnation, ended, i64::MAX) {
                return None;
            }
            let last = self.last.get(&(key.incarnation.clone(), column.attnum));
            let there = now.columns.iter().find(|there| match (here, last) {
                (Some(_), _) => there.attnum == column.attnum,
                // A dump kept the name that it had last.
                (None, Some(last)) => !last.is_gone && there.name == last.column.name,
                (None, None) => there.name == column.name,
            });
            let Some(there) = there else {
                let last = last.filter(|_| here.is_some())?;
                let same = column.type_id.is_some() && last.column.same_type(column);
                return same.then_some(NamePart::Dropped(column.attnum, last.layout));
            };
            match texts((key, column), (&now, there)) {
                Texts::Same => Some(NamePart::Present(there.attnum, None)),
                Texts::Relabelled(labels) => {
                    let back = labels.into_iter().map(|(old, new)| (new, old)).collect();
                    Some(NamePart::Present(there.attnum, Some(back)))
                }
                Texts::SameType if here.is_some() => {
                    Some(NamePart::AsRecorded(there.attnum, key.layout))
                }
                Texts::SameType | Texts::Other => None,
            }
        };
        key.columns.iter().map(part).collect()
    }

    /// How the names of the newest epoch are read from a row that was recorded under a layout: the names that
    /// the columns of the key had in it. `None` if it does not have them, or wrote them otherwise.
    pub fn recorded_columns(&self, layout: &Layout) -> Option<Vec<String>> {
        let newest = self.all.last()?;
        let now = newest
            .keys
            .get(&layout.incarnation)
            .or_else(|| newest.last())?;
        let then = Key {
            layout: layout.id,
            incarnation: layout.incarnation.clone(),
            encoding: layout.encoding,
            columns: layout.columns.clone(),
            shapes: layout.shapes.clone(),
        };
        let name = |new: &Column| {
            if self.is_computed(new, &now.incarnation, layout.seq + 1, i64::MAX) {
                return None;
            }
            let old = then
                .columns
                .iter()
                .find(|old| then.is_same(old, now, new))?;
            (texts((&then, old), (now, new)) == Texts::Same).then(|| old.name.clone())
        };
        now.columns.iter().map(name).collect()
    }
}

fn key_of(layout: &Layout, declared: Option<&[String]>) -> Option<Key> {
    let columns: Option<Vec<Column>> = match &layout.key {
        Some(key) => key
            .iter()
            .map(|attnum| layout.column(*attnum).cloned())
            .collect(),
        None => {
            let find = |name: &String| {
                layout
                    .columns
                    .iter()
                    .find(|column| column.name == *name)
                    .cloned()
            };
            declared?.iter().map(find).collect()
        }
    };
    Some(Key {
        layout: layout.id,
        incarnation: layout.incarnation.clone(),
        encoding: layout.encoding,
        columns: columns.filter(|columns| !columns.is_empty())?,
        shapes: layout.shapes.clone(),
    })
}
