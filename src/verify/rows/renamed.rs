//! Rows of a table whose key has changed: what of them the entries tell, whatever they were called then.

use std::collections::HashMap;
use std::rc::Rc;

use auditspine_core::hash::Hash;
use auditspine_core::rows::{
    CurrentColumns, EntryRecord, How, KeyDigest, KeyEpochs, Layouts, Leftover, NamePart, OldName,
    Outcome, Place, Removals, Renamed, RowFindingKind, RowRecord, compose, members,
};
use pgrx::pg_sys;

use crate::capture::row_spec::Spec;
use crate::pg::relation::OpenRelation;
use crate::pg::row_json::{ColumnThen, DeformedRow, RowLayout};
use crate::verify::rows::Rows;
use crate::verify::rows::by_content;
use crate::verify::rows::cells::{row_of, way_of};
use crate::verify::rows::judge::Judge;
use crate::verify::rows::keyless::Keyless;
use crate::verify::rows::report::Finding;

/// Rows that are gone, or too many, without it being known which, that are told one by one.
const MOST_TOLD: u64 = 1000;
/// Outcomes judged at once.
const BATCH: usize = 16 * 1024;

/// Whether what some rows are to be is told by entries that name them as they are called now.
pub fn is_told_by_newest(epochs: &KeyEpochs, rows: Rows<'_>) -> bool {
    let newest = epochs.count() - 1;
    newest == 0 || matches!(rows, Rows::Since(start) if start >= epochs.from(newest))
}

/// How the names of an older epoch are read from the rows of a table.
pub struct Recipe {
    /// The epoch.
    pub epoch: usize,
    /// The name's parts; none if they cannot be read.
    parts: Option<Vec<(NamePart, Option<Rc<RowLayout>>)>>,
}

impl Recipe {
    /// For the rows of an open table.
    pub fn of(
        epoch: usize,
        epochs: &KeyEpochs,
        layouts: &Layouts,
        relation: &OpenRelation,
        present: &CurrentColumns,
    ) -> Recipe {
        let part = |part: NamePart| {
            let row = match &part {
                NamePart::Present(..) => None,
                NamePart::AsRecorded(_, layout) => {
                    let mapping = layouts.map(layouts.get(*layout)?, present);
                    Some(Rc::new(row_of(relation, &mapping, |_| true)))
                }
                NamePart::Dropped(attnum, layout) => {
                    let layout = layouts.get(*layout)?;
                    let mapping = layouts.map(layout, present);
                    let column = layout.column(*attnum)?;
                    let dropped = ColumnThen {
                        index: usize::try_from(*attnum).ok()?.checked_sub(1)?,
                        name: None,
                        modifier: Some(column.type_id?.modifier),
                        dropped: Some(pg_sys::Oid::from(column.type_id?.oid)),
                    };
                    let row = RowLayout::of_dropped(relation, vec![dropped], way_of(&mapping))?;
                    Some(Rc::new(row))
                }
            };
            Some((part, row))
        };
        let parts = epochs.parts(epoch, present);
        Recipe {
            epoch,
            parts: parts.and_then(|parts| parts.into_iter().map(part).collect()),
        }
    }

    /// The name that a row had.
    pub fn read(&self, spec: &Spec, row: &DeformedRow) -> OldName {
        let Some(parts) = &self.parts else {
            return OldName::Lost;
        };
        let mut texts = Vec::with_capacity(parts.len());
        for (part, then) in parts {
            let mut text = Vec::new();
            match (part, then) {
                (NamePart::Present(attnum, labels), _) => {
                    if !spec.layout.write_key_text(*attnum, row, &mut text) {
                        return OldName::None;
                    }
                    if let Some(labels) = labels {
                        let then = labels.iter().find(|(now, _)| now.as_bytes() == text);
                        let Some((_, then)) = then else {
                            // A label that was added since.
                            return OldName::None;
                        };
                        text = then.clone().into_bytes();
                    }
                }
                (NamePart::AsRecorded(attnum, _), Some(then)) => {
                    if !then.write_key_text(*attnum, row, &mut text) {
                        return OldName::None;
                    }
                }
                // What was written since has nothing there.
                (NamePart::Dropped(attnum, _), Some(then)) => {
                    if !then.write_key_text(*attnum, row, &mut text) {
                        return OldName::Lost;
                    }
                }
                (_, None) => return OldName::Lost,
            }
            texts.push(text);
        }
        OldName::Is(compose(&texts))
    }
}

/// Verifies all rows; returns how many there are.
pub fn verify(
    mut names: Renamed<'_>,
    epochs: &KeyEpochs,
    removals: &Removals,
    how: How<'_>,
    keyless: &mut Keyless,
    judge: &mut Judge<'_>,
) -> u64 {
    follow(&mut names, epochs, removals, how.settle, judge);
    let open = names.open_epochs();
    let mut outcomes = Vec::new();
    let mut rows = 0;
    for number in 0..judge.leaves.len() {
        let leaf = &mut judge.leaves[number];
        let recipe = |epoch: &usize| {
            Recipe::of(
                *epoch,
                epochs,
                judge.layouts,
                leaf.relation(),
                &leaf.present,
            )
        };
        let recipes: Vec<Recipe> = open.iter().map(recipe).collect();
        rows += leaf.scan_names(
            &mut |found| {
                let record = RowRecord {
                    // Names are compared by their texts.
                    key: KeyDigest(0, 0),
                    hash: found.hash,
                    place: found.place,
                    leaf: number as u32,
                };
                let mut older = || {
                    let name = |recipe: &Recipe| (recipe.epoch, recipe.read(found.spec, found.row));
                    recipes.iter().map(name).collect()
                };
                names.row(found.key, &mut older, record, how.comparable, &mut outcomes);
            },
            &mut |place| keyless.add(number as u32, place),
        );
        for some in outcomes.chunks(BATCH) {
            judge.judge(&mut some.to_vec());
        }
        outcomes.clear();
    }
    let none_of = by_content::find(&mut names, judge);
    tell(names.finish(), epochs, &none_of, judge);
    rows
}

/// Follows the names from key to key; payloads are read where texts do not tell.
fn follow(
    names: &mut Renamed<'_>,
    epochs: &KeyEpochs,
    removals: &Removals,
    settle: &mut dyn FnMut(&EntryRecord, &EntryRecord) -> bool,
    judge: &mut Judge<'_>,
) {
    let (entries, layouts) = (&mut judge.entries, judge.layouts);
    let mut columns: HashMap<i32, Option<Rc<Vec<String>>>> = HashMap::new();
    let mut by_payload = |record: &EntryRecord, _: usize| {
        let layout = record.layout?;
        let columns = columns.entry(layout).or_insert_with(|| {
            let layout = layouts.get(layout)?;
            epochs.recorded_columns(layout).map(Rc::new)
        });
        let columns = columns.clone()?;
        let payload = entries.fetch(record.place)?.payload?;
        let payload = (Hash::of(&payload) == record.hash).then_some(payload)?;
        let members = members::members(&payload)?;
        let text = |name: &String| {
            let is_it = |(member, _): &&members::Member<'_>| {
                serde_json::from_slice::<String>(member).is_ok_and(|member| member == *name)
            };
            let (_, value) = members.iter().find(is_it)?;
            match value.first() {
                Some(b'"') => serde_json::from_slice::<String>(value)
                    .ok()
                    .map(String::into_bytes),
                _ => Some(value.to_vec()),
            }
        };
        Some(compose(
            &columns.iter().map(text).collect::<Option<Vec<_>>>()?,
        ))
    };
    names.follow(removals, settle, &mut by_payload);
}

/// Tells what was left over.
fn tell(
    left: Leftover,
    epochs: &KeyEpochs,
    none_of: &HashMap<(u32, Place), usize>,
    judge: &mut Judge<'_>,
) {
    let mut missing: Vec<Outcome> = left
        .missing
        .iter()
        .map(|entry| Outcome::Missing { entry: *entry })
        .collect();
    judge.judge(&mut missing);
    let mut unrecorded: Vec<Outcome> = left
        .unrecorded
        .iter()
        .map(|row| Outcome::Unrecorded {
            row: *row,
            last: None,
            second: false,
        })
        .collect();
    judge.judge(&mut unrecorded);
    let (some, of) = &left.some_missing;
    let detail = format!(
        "the row is gone, and no entry says why; it is one of {} that were recorded last before the key changed, and \
         {some} of these are gone",
        of.len()
    );
    tell_number(*some, RowFindingKind::RowDeleted, &detail, judge);
    let detail = format!(
        "no entry tells of this row; it is one of {} that cannot be told from one another since the key changed, and \
         {} of these are more than were recorded",
        left.lost.len(),
        left.too_many
    );
    tell_number(left.too_many, RowFindingKind::RowUnrecorded, &detail, judge);
    let mut unclear = left.in_doubt;
    for row in &left.lost {
        if let Some(names) = none_of.get(&(row.leaf, row.place)) {
            judge.none_of(row, *names);
            continue;
        }
        unclear += 1;
        let detail =
            "the key changed, and what named the row before cannot be read from it any more";
        judge.lost(row, detail);
    }
    let detail = "the row is known by the key that it had before, which may be that of another row whose key changed since";
    tell_number(
        left.in_doubt,
        RowFindingKind::RowUnverifiable,
        detail,
        judge,
    );
    if unclear > 0 || *some > 0 {
        let newest = epochs.count() - 1;
        let keys: Vec<String> = (0..newest)
            .map(|epoch| format!("({})", epochs.columns(epoch).join(", ")))
            .collect();
        let detail = format!(
            "rows were called by {} until entry {}, and are called by ({}) since; {unclear} of them cannot be told by \
             their present columns: audit_rebaseline() records them anew",
            keys.join(", then "),
            epochs.from(newest),
            epochs.columns(newest).join(", ")
        );
        let seq = Some(epochs.from(newest));
        (judge.put)(Finding {
            seq,
            ..Finding::of_table(RowFindingKind::KeyChanged, judge.table, detail)
        });
    }
}

/// Tells of rows of which only the number is known.
fn tell_number(count: u64, kind: RowFindingKind, detail: &str, judge: &mut Judge<'_>) {
    for _ in 0..count.min(MOST_TOLD) {
        (judge.put)(Finding::of_table(kind, judge.table, detail.to_owned()));
    }
}
