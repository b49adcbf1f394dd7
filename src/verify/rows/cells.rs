//! What of a present row is held against the layout that its last entry names, cell by cell: the columns of that layout,
//! what younger columns read in rows that were there already, and cells that nothing vouches for.

use std::collections::BTreeMap;

use auditspine_core::canonical::{cmp_utf16, write_string};
use auditspine_core::hash::{Hash, HashSink, Sink};
use auditspine_core::rows::{
    CurrentColumns, Expected, Form, Gone, Layout, Layouts, Mapping, Relation, Source, Uncovered,
    Undo, members,
};
use pgrx::pg_sys;

use crate::pg::relation::OpenRelation;
use crate::pg::row_json::{ColumnThen, DeformedRow, RowLayout, Way};
use crate::pg::shape::enum_labels;

/// How rows of one table are held against the entries that name one layout.
pub struct Plan {
    /// What an equal hash, or another one, proves.
    pub relation: Relation,
    /// Writes the layout's columns; none if the row has not all of them, nor what they held.
    whole: Option<Written>,
    /// Columns of these that are dropped, as indexes from 0: what they held lies in rows that were not written since.
    dropped: Vec<usize>,
    /// Whether no value can have changed without an entry, be the column dropped or not.
    is_sure: bool,
    /// Writes those of them whose values cannot have changed without an entry; none if there are no others, or no
    /// such.
    sure: Option<Written>,
    /// Cells of columns that are younger than the layout.
    younger: Vec<Younger>,
    /// Columns that nothing vouches for: name, and why.
    pub unwatched: Vec<(String, String)>,
}

/// What columns that were added since must read, as one layout tells it.
struct Younger {
    cells: Written,
    /// The object that this writes if the cells are as expected.
    json: Vec<u8>,
    /// Names now, by name then.
    names: Vec<(String, String)>,
}

/// How a row is written as it was, by columns that may have other names and types now.
pub struct Written {
    row: RowLayout,
    /// Members whose types changed.
    undos: Vec<(Vec<u8>, Undo)>,
}

impl Written {
    fn of<'a>(row: RowLayout, undos: impl Iterator<Item = (&'a str, Option<Undo>)>) -> Written {
        let named = |(name, undo): (&str, Option<Undo>)| {
            let mut member = Vec::new();
            write_string(name.as_bytes(), &mut member);
            Some((member, undo?))
        };
        Written {
            row,
            undos: undos.filter_map(named).collect(),
        }
    }

    /// The columns of a mapping that are there and `wanted`.
    pub(super) fn of_some(
        relation: &OpenRelation,
        mapping: &Mapping,
        wanted: impl Fn(&Source) -> bool,
    ) -> Written {
        let wanted = |source: &&Source| wanted(source);
        let undos = mapping.sources.iter().filter(&wanted);
        let undos = undos.map(|source| (&source.name[..], source.undo));
        Written::of(row_of(relation, mapping, |source| wanted(&source)), undos)
    }

    pub(super) fn json(&self, row: &DeformedRow, json: &mut Vec<u8>) {
        json.clear();
        self.row.write(row, json);
        if !self.undos.is_empty()
            && let Some(undone) = members::undone(json, &self.undos)
        {
            *json = undone;
        }
    }

    fn hash(&self, row: &DeformedRow, buffer: &mut Vec<u8>) -> Hash {
        if !self.undos.is_empty() {
            self.json(row, buffer);
            return Hash::of(buffer);
        }
        let mut sink = HashSink::with_buffer(std::mem::take(buffer));
        self.row.write(row, &mut sink);
        let (hash, used) = sink.finish();
        *buffer = used;
        hash
    }
}

impl Plan {
    /// How rows of a table are held against entries that name this layout.
    pub fn of(
        relation: &OpenRelation,
        layout: &Layout,
        layouts: &Layouts,
        present: &CurrentColumns,
    ) -> Plan {
        let mapping = layouts.map(layout, present);
        let uncovered = layouts.uncovered(layout, &mapping, present);
        let (younger, unwatched) = younger(relation, uncovered, layouts, present);
        let is_sure = |source: &Source| source.doubt.is_none();
        let all_sure = mapping.sources.iter().all(is_sure);
        let is_complete = mapping.gone.is_empty();
        Plan {
            whole: if is_complete {
                Some(Written::of_some(relation, &mapping, |_| true))
            } else {
                with_dropped(relation, &mapping)
            },
            sure: (!(all_sure && is_complete) && mapping.sources.iter().any(is_sure))
                .then(|| Written::of_some(relation, &mapping, is_sure)),
            is_sure: all_sure
                && mapping
                    .gone
                    .iter()
                    .all(|gone| gone.doubt.is_none() && reads_as_then(gone, layout)),
            dropped: mapping
                .gone
                .iter()
                .filter_map(|gone| usize::try_from(gone.attnum?).ok()?.checked_sub(1))
                .collect(),
            relation: mapping.relation,
            younger,
            unwatched,
        }
    }

    /// The hash that the row had under the layout; `None` if columns are gone, and what they held as well.
    pub fn hash(&self, row: &DeformedRow, buffer: &mut Vec<u8>) -> Option<Hash> {
        self.whole.as_ref().map(|whole| whole.hash(row, buffer))
    }

    /// Whether a row whose hash is another one was edited, though columns are gone: what they held lies in it, so it was
    /// not written since they went.
    pub fn proves_of(&self, row: &DeformedRow) -> bool {
        self.is_sure
            && self.whole.is_some()
            && !self.dropped.is_empty()
            && self.dropped.iter().all(|index| row.get(*index).is_some())
    }

    /// Names, now, of columns that are younger than the layout and do not read what they were filled with; and the
    /// cells that were expected, if there are any such.
    pub fn changed(&self, row: &DeformedRow) -> Option<(Vec<String>, Vec<u8>)> {
        let mut changed: Option<(Vec<String>, Vec<u8>)> = None;
        let mut json = Vec::new();
        for younger in &self.younger {
            younger.cells.json(row, &mut json);
            if json == younger.json {
                continue;
            }
            let differing = members::differing(&json, &younger.json).unwrap_or_default();
            let now = |then: String| {
                let names = younger.names.iter().find(|(name, _)| *name == then);
                names.map_or(then, |(_, now)| now.clone())
            };
            let (names, _) = changed.get_or_insert_with(|| (Vec::new(), younger.json.clone()));
            names.extend(differing.into_iter().map(now));
        }
        changed
    }

    /// Names, then, of columns that are not what the kept row says, of those whose values cannot have changed without
    /// an entry. `None` if the two cannot be compared.
    pub fn differing(&self, row: &DeformedRow, kept: &[u8]) -> Option<Vec<String>> {
        let mut json = Vec::new();
        self.sure.as_ref()?.json(row, &mut json);
        members::differing(&json, kept)
    }
}

/// How rows, and the texts of their columns, are written as a mapping says: those of its columns that are there and
/// `wanted`.
pub fn row_of(
    relation: &OpenRelation,
    mapping: &Mapping,
    wanted: impl Fn(&Source) -> bool,
) -> RowLayout {
    let there = mapping
        .sources
        .iter()
        .filter(|source| wanted(source))
        .map(hashed);
    let others = mapping.others.iter().map(|source| ColumnThen {
        name: None,
        ..hashed(source)
    });
    RowLayout::of_columns(relation, there.chain(others).collect(), way_of(mapping))
}

fn hashed(source: &Source) -> ColumnThen<'_> {
    ColumnThen {
        index: source.attnum as usize - 1,
        name: Some(source.name.as_bytes()),
        modifier: source.modifier,
        dropped: None,
    }
}

pub(super) fn way_of(mapping: &Mapping) -> Way<'_> {
    match mapping.encoding {
        1 => Way::FIRST,
        _ => Way {
            overrides: Some(&mapping.overrides),
            ..Way::SECOND
        },
    }
}

/// How a row is written with the columns that are gone; `None` if what they held cannot be read any more.
fn with_dropped(relation: &OpenRelation, mapping: &Mapping) -> Option<Written> {
    let gone = mapping.gone.iter().map(|gone| {
        Some(ColumnThen {
            index: usize::try_from(gone.attnum?).ok()?.checked_sub(1)?,
            name: Some(gone.name.as_bytes()),
            modifier: gone.modifier,
            dropped: Some(pg_sys::Oid::from(gone.last.type_id?.oid)),
        })
    });
    let gone = gone.collect::<Option<Vec<_>>>()?;
    let there = mapping.sources.iter().map(hashed);
    let row = RowLayout::of_dropped(relation, there.chain(gone).collect(), way_of(mapping))?;
    let there = mapping
        .sources
        .iter()
        .map(|source| (&source.name[..], source.undo));
    let gone = mapping.gone.iter().map(|gone| (&gone.name[..], gone.undo));
    Some(Written::of(row, there.chain(gone)))
}

/// Whether what a dropped column held still reads as it did: types that are not built in may have changed since the
/// column went, and no layout tells that. Of enums it can be seen.
fn reads_as_then(gone: &Gone, layout: &Layout) -> bool {
    let Some(type_id) = gone.last.type_id else {
        return false;
    };
    if !gone.last.type_name.contains('.') {
        return true;
    }
    let Some(Form::Labels(then)) = layout.shapes.get(&type_id.oid).map(|shape| &shape.form) else {
        return false;
    };
    let now = enum_labels(pg_sys::Oid::from(type_id.oid)).unwrap_or_default();
    then.iter().all(|label| {
        let is_it =
            |(oid, text): &(u32, Vec<u8>)| *oid == label.oid && text == label.text.as_bytes();
        now.iter().any(is_it)
    })
}

/// Names of columns that a mapping leaves out, of those that are recorded now.
pub fn left_over<'a>(
    mapping: &'a Mapping,
    present: &'a CurrentColumns,
) -> impl Iterator<Item = &'a str> {
    present
        .columns
        .iter()
        .filter(|column| {
            mapping
                .sources
                .iter()
                .all(|source| source.attnum != column.attnum)
        })
        .map(|column| &column.name[..])
}

fn younger(
    relation: &OpenRelation,
    uncovered: Vec<Uncovered>,
    layouts: &Layouts,
    present: &CurrentColumns,
) -> (Vec<Younger>, Vec<(String, String)>) {
    let mut unwatched = Vec::new();
    let mut by_layout: BTreeMap<i32, Vec<(i16, String, Expected)>> = BTreeMap::new();
    for column in uncovered {
        match column.expected {
            Err(why) => unwatched.push((column.name, why)),
            Ok(expected) => by_layout.entry(expected.layout).or_default().push((
                column.attnum,
                column.name,
                expected,
            )),
        }
    }
    let younger = by_layout.into_iter().filter_map(|(layout, mut cells)| {
        cells.sort_by(|(.., one), (.., other)| {
            cmp_utf16(one.name.as_bytes(), other.name.as_bytes())
        });
        let mut json = Vec::new();
        for (_, _, expected) in &cells {
            json.put_byte(if json.is_empty() { b'{' } else { b',' });
            write_string(expected.name.as_bytes(), &mut json);
            json.put_byte(b':');
            json.put(expected.json.as_bytes());
        }
        json.put_byte(b'}');
        let mapping = layouts.map(layouts.get(layout)?, present);
        let is_wanted = |source: &Source| cells.iter().any(|(attnum, ..)| *attnum == source.attnum);
        Some(Younger {
            cells: Written::of_some(relation, &mapping, is_wanted),
            json,
            names: cells
                .into_iter()
                .map(|(_, now, expected)| (expected.name, now))
                .collect(),
        })
    });
    (younger.collect(), unwatched)
}
