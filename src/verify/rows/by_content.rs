//! Rows whose older names cannot be read any more, found by what they contain.
//!
//! What an entry hashed is known but for the columns of the key that are gone, or that read otherwise now; and
//! what these held is in the entry's name. So each row that has lost its name is held against each name that has
//! lost its row. That is quadratic, so it is done only where both are few.

use std::collections::{BTreeMap, HashMap};

use auditspine_core::canonical::{cmp_utf16, write_string};
use auditspine_core::hash::{Hash, Sink};
use auditspine_core::rows::{EntryRecord, Layouts, Place, Renamed, RowRecord, key_text, members};

use crate::pg::row_json::DeformedRow;
use crate::verify::rows::cells::Written;
use crate::verify::rows::judge::Judge;
use crate::verify::rows::partition::Partition;

/// Hashes that are worth it, at most: some seconds.
const MOST_HASHES: usize = 10_000_000;

/// How a row was hashed under one layout, with what the name of its entry says.
struct Template {
    /// Writes the other columns.
    rest: Written,
    /// Members that come from the name: name, part, and whether it is a string.
    parts: Vec<(String, usize, bool)>,
    /// How many parts a name has.
    count: usize,
}

impl Template {
    /// `None` if more than the key has changed.
    fn of(leaf: &Partition, layout: i32, layouts: &Layouts) -> Option<Template> {
        let layout = layouts.get(layout)?;
        let key = layout.key.as_ref()?;
        let mapping = layouts.map(layout, &leaf.present);
        let mut parts = Vec::new();
        let doubtful = mapping
            .sources
            .iter()
            .filter(|source| source.doubt.is_some());
        let gone = mapping.gone.iter().map(|gone| &gone.name);
        for name in doubtful.map(|source| &source.name).chain(gone) {
            let column = layout.columns.iter().find(|column| column.name == *name)?;
            let part = key.iter().position(|attnum| *attnum == column.attnum)?;
            parts.push((name.clone(), part, is_string(&column.type_name)?));
        }
        parts.sort_by(|(one, ..), (other, ..)| cmp_utf16(one.as_bytes(), other.as_bytes()));
        let is_sure = |name: &str| parts.iter().all(|(part, ..)| part != name);
        Some(Template {
            rest: Written::of_some(leaf.relation(), &mapping, |source| is_sure(&source.name)),
            count: key.len(),
            parts,
        })
    }

    /// What is hashed of a row, in pieces between which the parts of the name stand.
    fn pieces(&self, row: &DeformedRow) -> Option<Vec<Vec<u8>>> {
        let mut json = Vec::new();
        self.rest.json(row, &mut json);
        let mut rest = members::members(&json)?.into_iter().peekable();
        let mut pieces = vec![b"{".to_vec()];
        let mut first = true;
        let mut begin = |piece: &mut Vec<u8>, name: &[u8]| {
            if !std::mem::replace(&mut first, false) {
                piece.put_byte(b',');
            }
            piece.put(name);
            piece.put_byte(b':');
        };
        for (name, ..) in &self.parts {
            let mut member = Vec::new();
            write_string(name.as_bytes(), &mut member);
            let before = |(other, _): &members::Member<'_>| {
                let other: String = serde_json::from_slice(other).unwrap_or_default();
                cmp_utf16(other.as_bytes(), name.as_bytes()).is_lt()
            };
            let piece = pieces.last_mut()?;
            while let Some((name, value)) = rest.next_if(before) {
                begin(piece, name);
                piece.put(value);
            }
            begin(piece, &member);
            pieces.push(Vec::new());
        }
        let piece = pieces.last_mut()?;
        for (name, value) in rest {
            begin(piece, name);
            piece.put(value);
        }
        piece.put_byte(b'}');
        Some(pieces)
    }

    fn hash(&self, pieces: &[Vec<u8>], texts: &[Vec<u8>], buffer: &mut Vec<u8>) -> Hash {
        buffer.clear();
        for (at, piece) in pieces.iter().enumerate() {
            buffer.put(piece);
            match self.parts.get(at) {
                Some((_, part, true)) => write_string(&texts[*part], buffer),
                Some((_, part, false)) => buffer.put(&texts[*part]),
                None => {}
            }
        }
        Hash::of(buffer)
    }
}

/// Whether the JSON of a type's values is a string, whatever they are; `None` if it is so for some.
fn is_string(type_name: &str) -> Option<bool> {
    let name = type_name.split('(').next().unwrap_or_default();
    match name {
        "smallint" | "integer" | "bigint" | "boolean" => Some(false),
        "text"
        | "character varying"
        | "character"
        | "name"
        | "\"char\""
        | "uuid"
        | "date"
        | "bytea"
        | "inet"
        | "cidr"
        | "macaddr"
        | "macaddr8"
        | "interval"
        | "time"
        | "timestamp"
        | "time without time zone"
        | "time with time zone"
        | "timestamp without time zone"
        | "timestamp with time zone" => Some(true),
        _ => None,
    }
}

/// A name that no row has, taken apart.
struct OpenName {
    epoch: usize,
    name: Box<[u8]>,
    entry: EntryRecord,
}

/// Finds rows by what they contain. Returns those that are none of the rows which they may be, each with the
/// number of these.
pub fn find(names: &mut Renamed<'_>, judge: &mut Judge<'_>) -> HashMap<(u32, Place), usize> {
    let lost: Vec<(Vec<usize>, RowRecord)> = names
        .lost()
        .iter()
        .flat_map(|(epochs, rows)| rows.iter().map(|row| (epochs.clone(), *row)))
        .collect();
    let mut none_of = HashMap::new();
    if lost.is_empty() {
        return none_of;
    }
    let mut epochs: Vec<usize> = lost.iter().flat_map(|(epochs, _)| epochs.clone()).collect();
    epochs.sort_unstable();
    epochs.dedup();
    let open = epochs.iter().flat_map(|epoch| {
        let named = |(name, entry)| OpenName {
            epoch: *epoch,
            name,
            entry,
        };
        names.open(*epoch).into_iter().map(named)
    });
    let mut by_layout: BTreeMap<Option<i32>, Vec<OpenName>> = BTreeMap::new();
    let mut count = 0;
    for name in open {
        count += 1;
        by_layout.entry(name.entry.layout).or_default().push(name);
    }
    if count * lost.len() > MOST_HASHES {
        return none_of;
    }
    let mut templates: HashMap<(u32, Option<i32>), Option<Template>> = HashMap::new();
    let mut found: Vec<(RowRecord, EntryRecord)> = Vec::new();
    let mut buffer = Vec::new();
    for (epochs, row) in lost {
        pgrx::check_for_interrupts!();
        let (mut candidates, mut comparable, mut is_found) = (0, true, false);
        'layouts: for (layout, open) in &by_layout {
            let of_row = || open.iter().filter(|name| epochs.contains(&name.epoch));
            if of_row().next().is_none() {
                continue;
            }
            let layouts = judge.layouts;
            let leaf = &mut judge.leaves[row.leaf as usize];
            let template = templates
                .entry((row.leaf, *layout))
                .or_insert_with(|| Template::of(leaf, (*layout)?, layouts));
            let pieces = template.as_ref().and_then(|template| {
                let pieces = leaf
                    .look_at(row.place, |row, _| template.pieces(row))
                    .flatten();
                Some((template, pieces?))
            });
            let Some((template, pieces)) = pieces else {
                comparable = false;
                continue;
            };
            for name in of_row() {
                candidates += 1;
                let texts = key_text::split_key(&name.name, template.count);
                let is_it = texts.is_some_and(|texts| {
                    template.hash(&pieces, &texts, &mut buffer) == name.entry.hash
                });
                if is_it && names.found(&row, name.epoch, &name.name) {
                    found.push((row, name.entry));
                    is_found = true;
                    break 'layouts;
                }
            }
        }
        if !is_found && comparable {
            none_of.insert((row.leaf, row.place), candidates);
        }
    }
    for (row, entry) in found {
        judge.found_by_content(&entry, &row);
    }
    none_of
}
