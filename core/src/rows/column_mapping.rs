//! Where the columns of a recorded layout are in the table now.
//!
//! Within one incarnation of a table the attribute number tells. A dump numbers columns anew, but
//! keeps their order, names and types: so where the columns of a layout of the old incarnation begin
//! those of the new one, they are these columns. What cannot be traced so is looked up by name and
//! type, and proves nothing if the hashes differ.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::layout::{Column, CurrentColumns, Incarnation, Layout};

/// The recorded layouts of one kind.
#[derive(Clone, Debug, Default)]
pub struct Layouts {
    by_id: BTreeMap<i32, Layout>,
    /// Numbers by the table's life.
    lives: BTreeMap<Incarnation, Vec<i32>>,
}

/// A column to be hashed: where it is now, and its name then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Attribute number now.
    pub attnum: i16,
    /// Name that it is hashed under.
    pub name: String,
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
    /// What comes of it.
    pub relation: Relation,
}

/// So many lives of tables are all looked at.
const FEW_LIVES: usize = 32;

/// Where columns of a layout are in some incarnation: attribute numbers.
type Trace = Vec<Option<i16>>;

/// The lives that a layout's columns went through, in order, and where they were in each.
type Path<'a> = Vec<(&'a Incarnation, Trace)>;

impl Layouts {
    /// Adds a layout; of two with one number the first recorded one counts.
    pub fn add(&mut self, layout: Layout) {
        if let Some(known) = self.by_id.get(&layout.id) {
            if known.seq <= layout.seq {
                return;
            }
            if let Some(ids) = self.lives.get_mut(&known.incarnation) {
                ids.retain(|id| *id != layout.id);
            }
        }
        let life = self.lives.entry(layout.incarnation.clone());
        life.or_default().push(layout.id);
        self.by_id.insert(layout.id, layout);
    }

    /// The layout of that number.
    pub fn get(&self, id: i32) -> Option<&Layout> {
        self.by_id.get(&id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Layout> {
        self.by_id.values()
    }

    /// The layout of a table's present columns that was recorded last.
    pub fn current(&self, present: &CurrentColumns) -> Option<i32> {
        let same = |layout: &&Layout| layout.columns == present.columns;
        let layouts = self.of(&present.incarnation).filter(same);
        Some(layouts.max_by_key(|layout| layout.seq)?.id)
    }

    /// Maps a recorded layout to a table as it is now.
    pub fn map(&self, layout: &Layout, present: &CurrentColumns) -> Mapping {
        match self.trace(layout, present) {
            Some(path) => self.resolve(layout, &path, present),
            None => by_name(layout, present),
        }
    }

    /// How a row may have been hashed whose entry names no layout, most likely first: as in the
    /// first layout recorded of its table, or before columns were added to that.
    pub fn map_unnamed(&self, present: &CurrentColumns) -> Vec<Mapping> {
        let first = self
            .of(&present.incarnation)
            .min_by_key(|layout| layout.seq)
            .or_else(|| self.iter().min_by_key(|layout| layout.seq));
        let mut whole = match first {
            Some(layout) => self.map(layout, present),
            None => Mapping {
                sources: present.columns.iter().map(source).collect(),
                relation: Relation::Same,
            },
        };
        if present.has_dropped() && matches!(whole.relation, Relation::Same | Relation::Certain) {
            whole.relation = Relation::Uncertain(
                "a column was dropped at a time that is not recorded".to_owned(),
            );
        }
        let mut mappings = vec![whole.clone()];
        if !matches!(whole.relation, Relation::Gone(_)) {
            for count in (1..whole.sources.len()).rev() {
                mappings.push(Mapping {
                    sources: whole.sources[..count].to_vec(),
                    relation: Relation::Certain,
                });
            }
        }
        mappings
    }

    /// Follows the layout's columns from incarnation to incarnation until the present one.
    fn trace<'a>(&'a self, layout: &'a Layout, present: &'a CurrentColumns) -> Option<Path<'a>> {
        let start: Trace = layout
            .columns
            .iter()
            .map(|column| Some(column.attnum))
            .collect();
        let mut seen = BTreeSet::from([&layout.incarnation]);
        let mut reached = VecDeque::from([vec![(&layout.incarnation, start)]]);
        // If no recorded layout leads there: what leads to the present columns themselves.
        let mut direct = None;
        while let Some(path) = reached.pop_front() {
            let (incarnation, trace) = path.last()?;
            if **incarnation == present.incarnation {
                return Some(path);
            }
            // What was recorded last is what was dumped.
            let mut from: Vec<&Layout> = self.of(incarnation).collect();
            from.sort_by_key(|layout| std::cmp::Reverse(layout.seq));
            let further = |to, trace| {
                let mut path = path.clone();
                path.push((to, trace));
                path
            };
            let there = self.oldest_first(&present.incarnation);
            if let Some(trace) = there
                .iter()
                .find_map(|to| across(&from, trace, &to.columns))
            {
                return Some(further(&present.incarnation, trace));
            }
            for other in self.lives.keys() {
                if seen.contains(other) || !self.is_followed(&from, other) {
                    continue;
                }
                let to = self.oldest_first(other);
                if let Some(trace) = to.iter().find_map(|to| across(&from, trace, &to.columns)) {
                    seen.insert(other);
                    reached.push_back(further(other, trace));
                }
            }
            if direct.is_none() {
                direct = across(&from, trace, &present.columns)
                    .map(|trace| further(&present.incarnation, trace));
            }
        }
        direct
    }

    /// What happened to a column in between, though it is as it was now: its values may have been
    /// rewritten. `at` tells where it was in each of its lives.
    fn meanwhile(
        &self,
        layout: &Layout,
        column: &Column,
        at: &[(&Incarnation, i16)],
    ) -> Option<String> {
        for (incarnation, attnum) in at {
            for later in self.of(incarnation) {
                if later.seq <= layout.seq {
                    continue;
                }
                match later.columns.iter().find(|there| there.attnum == *attnum) {
                    Some(there) if there.same_type(column) => {}
                    Some(there) => {
                        let (name, then) = (&column.name, &there.type_name);
                        return Some(format!("column \"{name}\" was {then} for a while"));
                    }
                    None => {
                        return Some(format!(
                            "column \"{}\" was excluded for a while",
                            column.name
                        ));
                    }
                }
            }
        }
        None
    }

    fn resolve<'a>(&self, layout: &Layout, path: &Path<'a>, present: &CurrentColumns) -> Mapping {
        let mut sources = Vec::new();
        let mut gone = Vec::new();
        let mut doubts = Vec::new();
        for (index, column) in layout.columns.iter().enumerate() {
            let now = match path.last().and_then(|(_, trace)| trace[index]) {
                Some(attnum) => present.column(attnum),
                // It was gone, or excluded, when the table was dumped.
                None => present
                    .columns
                    .iter()
                    .find(|now| now.alike(column))
                    .inspect(|_| {
                        doubts.push(format!("column \"{}\" may be another one now", column.name));
                    }),
            };
            let Some(now) = now else {
                gone.push(format!("\"{}\"", column.name));
                continue;
            };
            if !now.same_type(column) {
                doubts.push(retyped(column, now));
            } else {
                let place = |(life, trace): &(&'a Incarnation, Trace)| Some((*life, trace[index]?));
                let at: Vec<_> = path.iter().filter_map(place).collect();
                doubts.extend(self.meanwhile(layout, column, &at));
            }
            sources.push(Source {
                attnum: now.attnum,
                name: column.name.clone(),
            });
        }
        let relation = if !gone.is_empty() {
            Relation::Gone(dropped(&gone))
        } else if !doubts.is_empty() {
            Relation::Uncertain(doubts.join("; "))
        } else if sources
            .iter()
            .cloned()
            .eq(present.columns.iter().map(source))
        {
            Relation::Same
        } else {
            Relation::Certain
        };
        Mapping { sources, relation }
    }

    /// Whether another life may be that of the same table, restored. Of very many lives (partitions,
    /// most likely) only those are looked at that have the same name.
    fn is_followed(&self, from: &[&Layout], other: &Incarnation) -> bool {
        self.lives.len() <= FEW_LIVES
            || self
                .of(other)
                .any(|to| from.iter().any(|from| from.table == to.table))
    }

    fn oldest_first(&self, incarnation: &Incarnation) -> Vec<&Layout> {
        let mut layouts: Vec<&Layout> = self.of(incarnation).collect();
        layouts.sort_by_key(|layout| layout.seq);
        layouts
    }

    pub(super) fn of(&self, incarnation: &Incarnation) -> impl Iterator<Item = &Layout> {
        let ids = self.lives.get(incarnation).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.by_id.get(id))
    }
}

/// Carries a trace over to the columns of another incarnation, through a layout that these begin with.
fn across(from: &[&Layout], trace: &Trace, to: &[Column]) -> Option<Trace> {
    let begins = |layout: &&&Layout| {
        !layout.columns.is_empty()
            && layout.columns.len() <= to.len()
            && layout
                .columns
                .iter()
                .zip(to)
                .all(|(from, to)| from.alike(to))
    };
    let bridge = from
        .iter()
        .filter(begins)
        // Of several the one that leaves the fewest columns over, and of these the first given.
        .rev()
        .max_by_key(|layout| layout.columns.len())?;
    let carry = |attnum: i16| {
        let at = bridge
            .columns
            .iter()
            .position(|column| column.attnum == attnum)?;
        Some(to[at].attnum)
    };
    Some(trace.iter().map(|attnum| attnum.and_then(carry)).collect())
}

fn source(column: &Column) -> Source {
    Source {
        attnum: column.attnum,
        name: column.name.clone(),
    }
}

fn by_name(layout: &Layout, present: &CurrentColumns) -> Mapping {
    let mut sources = Vec::new();
    let mut gone = Vec::new();
    for column in &layout.columns {
        let mut all = present.columns.iter().chain(&present.excluded);
        match all.find(|now| now.alike(column)) {
            Some(now) => sources.push(source(now)),
            None => gone.push(format!("\"{}\"", column.name)),
        }
    }
    let relation = if gone.is_empty() {
        Relation::Uncertain(
            "the table was restored or made anew, and its columns changed at a time that is not \
             recorded"
                .to_owned(),
        )
    } else {
        Relation::Gone(dropped(&gone))
    };
    Mapping { sources, relation }
}

fn dropped(gone: &[String]) -> String {
    let (noun, verb) = match gone.len() {
        1 => ("column", "is"),
        _ => ("columns", "are"),
    };
    format!("{noun} {} {verb} gone", gone.join(", "))
}

fn retyped(then: &Column, now: &Column) -> String {
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
