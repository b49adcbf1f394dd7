//! Where the columns of a recorded layout are in the table now.
//!
//! Within one incarnation of a table the attribute number tells. A dump numbers columns anew, but
//! keeps their order, names and types: so where the columns of a layout of the old incarnation begin
//! those of the new one, they are these columns. What cannot be traced so is looked up by name and
//! type, and proves nothing if the hashes differ.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::layout::{Column, CurrentColumns, Incarnation, Layout};
use super::mapping::{Gone, Mapping, Relation, Source, by_name, relation, source, source_then};
use super::shapes::{Now, Then};
use super::types::Overrides;

/// The recorded layouts of one kind.
#[derive(Clone, Debug, Default)]
pub struct Layouts {
    by_id: BTreeMap<i32, Layout>,
    /// Numbers by the table's life.
    lives: BTreeMap<Incarnation, Vec<i32>>,
    /// How kinds were attached: by which entry, and whether what is unchanged is skipped.
    pub(super) declared: Vec<(String, i64, bool)>,
    /// Whether the trigger that there is skips it.
    pub(super) skips_now: bool,
}

/// So many lives of tables are all looked at.
const FEW_LIVES: usize = 32;

/// Where columns of a layout are in some incarnation: attribute numbers.
type Trace = Vec<Option<i16>>;

/// The lives that a layout's columns went through, in order, and where they were in each.
#[derive(Clone)]
pub(super) struct Path<'a>(Vec<(&'a Incarnation, Trace)>);

impl<'a> Path<'a> {
    /// Where the layout's column of that index is in the last of the lives.
    pub fn now(&self, index: usize) -> Option<i16> {
        self.0.last().and_then(|(_, trace)| trace[index])
    }

    /// Where it was in each.
    pub fn places(&self, index: usize) -> Vec<(&'a Incarnation, i16)> {
        let place = |(life, trace): &(&'a Incarnation, Trace)| Some((*life, trace[index]?));
        self.0.iter().filter_map(place).collect()
    }

    /// The lives.
    pub fn lives(&self) -> Vec<&'a Incarnation> {
        self.0.iter().map(|(life, _)| *life).collect()
    }
}

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
        let same = |layout: &&Layout| layout.encoding == PRESENT && is_of(layout, present);
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
            // Only the first encoding has such entries.
            Some(layout) => Mapping {
                encoding: 1,
                overrides: Overrides::default(),
                ..self.map(layout, present)
            },
            None => Mapping {
                sources: present.columns.iter().map(source).collect(),
                gone: Vec::new(),
                others: Vec::new(),
                encoding: 1,
                overrides: Overrides::default(),
                relation: Relation::Certain,
            },
        };
        if whole.relation == Relation::Same {
            whole.relation = Relation::Certain;
        }
        if present.has_dropped() && whole.relation == Relation::Certain {
            whole.relation = Relation::Uncertain(
                "a column was dropped at a time that is not recorded".to_owned(),
            );
        }
        let mut mappings = vec![whole.clone()];
        if !matches!(whole.relation, Relation::Gone(_)) {
            for count in (1..whole.sources.len()).rev() {
                mappings.push(Mapping {
                    sources: whole.sources[..count].to_vec(),
                    gone: Vec::new(),
                    relation: Relation::Certain,
                    ..whole.clone()
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
        let mut reached = VecDeque::from([Path(vec![(&layout.incarnation, start)])]);
        // If no recorded layout leads there: what leads to the present columns themselves.
        let mut direct = None;
        while let Some(path) = reached.pop_front() {
            let (incarnation, trace) = path.0.last()?;
            if **incarnation == present.incarnation {
                return Some(path);
            }
            // What was recorded last is what was dumped.
            let mut from: Vec<&Layout> = self.of(incarnation).collect();
            from.sort_by_key(|layout| std::cmp::Reverse(layout.seq));
            let further = |to, trace| {
                let mut path = path.clone();
                path.0.push((to, trace));
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

    fn resolve<'a>(&self, layout: &Layout, path: &Path<'a>, present: &CurrentColumns) -> Mapping {
        let is_here = layout.incarnation == present.incarnation;
        let types = match layout.encoding {
            1 => Now::default(),
            _ => self.types(layout, path, present),
        };
        let mut sources = Vec::new();
        let mut gone = Vec::new();
        for (index, column) in layout.columns.iter().enumerate() {
            let mut doubts = Vec::new();
            let now = match path.now(index) {
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
            let fate = self.fate(layout, column, &path.places(index), present, now);
            let as_now = |now: &Column| match is_here {
                true => now.same_type(column),
                false => now.type_named_alike(column),
            };
            if let Some(now) = now.filter(|now| as_now(now)) {
                if let Some(why) = types.lost_in(present, now.attnum) {
                    doubts.push(format!("column \"{}\": {why}", column.name));
                } else if layout.encoding > 1 && !is_here && present.refers.contains(&now.attnum) {
                    doubts.push(format!(
                        "column \"{}\" holds what a dump does not bring back as it was: oids, or how a tsquery is nested",
                        column.name
                    ));
                }
            }
            doubts.extend(fate.doubts);
            let doubt = (!doubts.is_empty()).then(|| doubts.join("; "));
            match now {
                Some(now) => sources.push(Source {
                    modifier: fate.modifier,
                    undo: fate.undo,
                    doubt,
                    ..source_then(column, now)
                }),
                None => gone.push(Gone {
                    attnum: path.now(index),
                    name: column.name.clone(),
                    modifier: fate.modifier,
                    last: fate.last.clone(),
                    undo: fate.undo,
                    doubt,
                }),
            }
        }
        let as_now = layout.encoding == PRESENT && types.overrides == Overrides::default();
        let relation = relation(&sources, &gone, present, as_now);
        // Attribute numbers tell where they are now in this life only.
        let others = layout.others.iter().filter(|_| is_here);
        Mapping {
            sources,
            gone,
            others: others
                .filter_map(|column| Some(source_then(column, present.column(column.attnum)?)))
                .collect(),
            encoding: layout.encoding,
            overrides: types.overrides,
            relation,
        }
    }

    pub(super) fn path<'a>(
        &'a self,
        layout: &'a Layout,
        present: &'a CurrentColumns,
    ) -> Option<Path<'a>> {
        self.trace(layout, present)
    }

    /// What the types in a layout's columns were like, told for the types as they are now.
    fn types(&self, layout: &Layout, path: &Path<'_>, present: &CurrentColumns) -> Now {
        let mut then = Then::of(layout);
        for (at, (incarnation, _)) in path.0.iter().enumerate().skip(1) {
            let mut last_first: Vec<&Layout> = self.of(path.0[at - 1].0).collect();
            last_first.sort_by_key(|from| std::cmp::Reverse(from.seq));
            last_first.push(layout);
            let there = self.oldest_first(incarnation);
            let there = there.iter().find(|there| there.encoding > 1);
            let there = there.map_or(&present.shapes, |there| &there.shapes);
            then = then.carried(&last_first, there);
        }
        let traced = path.0.last().map(|(_, trace)| trace);
        let mut columns: BTreeSet<i16> = traced.into_iter().flatten().flatten().copied().collect();
        columns.extend(layout.others.iter().map(|column| column.attnum));
        then.compared(present, &columns)
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

/// The encoding that rows are written in.
const PRESENT: u8 = 2;

/// Whether a layout of a table's present incarnation lists the columns that it has now, and their values read
/// as they did.
fn is_of(layout: &Layout, present: &CurrentColumns) -> bool {
    let alike = |(then, now): (&Column, &Column)| {
        then.attnum == now.attnum && then.name == now.name && then.same_type(now)
    };
    let columns = || present.columns.iter().map(|column| column.attnum);
    layout.columns.len() == present.columns.len()
        && layout.columns.iter().zip(&present.columns).all(alike)
        && Then::of(layout)
            .compared(present, &columns().collect())
            .is_nothing()
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
