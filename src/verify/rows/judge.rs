//! What the comparison left over, judged: rows are read again and hashed as their entries' layouts say,
//! and what is wrong is told with its evidence.

use std::collections::BTreeMap;

use auditspine_core::hash::Hash;
use auditspine_core::rows::{
    EntryRecord, Layouts, Outcome, Place, Relation, RowFindingKind, RowRecord,
};
use pgrx::pg_sys;

use crate::pg::privilege::{is_limited, may_select};
use crate::verify::rows::cells::{Plan, left_over};
use crate::verify::rows::entries::EntryFetcher;
use crate::verify::rows::partition::{HashRecipe, Partition};
use crate::verify::rows::report::Finding;

/// Judges the outcomes of one table and kind.
pub struct Judge<'a> {
    /// The tables that hold rows, by number.
    pub leaves: Vec<Partition>,
    /// Layouts of the kind.
    pub layouts: &'a Layouts,
    /// Entries, to be read again.
    pub entries: EntryFetcher,
    /// Whether the user may see what rows contain.
    pub shows_content: bool,
    /// Whether findings are wanted with their evidence, rather than counted.
    pub wants_evidence: bool,
    /// Where findings go.
    pub put: &'a mut dyn FnMut(Finding),
    /// Name of the audited table, for rows that are in no partition.
    pub table: &'a str,
    /// Cells that no entry covers.
    pub unwatched: Unwatched,
    /// Rows that have such cells, and are in order otherwise.
    pub partly: u64,
}

/// What holding a row against its entry has shown.
enum Verdict {
    Agrees,
    Edited(Edited),
    Unverifiable(String),
}

/// What is not as it was recorded.
struct Edited {
    detail: String,
    /// What cells should read of which the entry tells nothing.
    expected: Option<Vec<u8>>,
}

impl Edited {
    fn told(detail: impl Into<String>) -> Verdict {
        Verdict::Edited(Edited {
            detail: detail.into(),
            expected: None,
        })
    }
}

/// Cells that no entry covers, by column and reason: in how many rows.
pub type Unwatched = BTreeMap<(String, String), u64>;

impl Judge<'_> {
    /// Judges some outcomes.
    pub fn judge(&mut self, outcomes: &mut [Outcome]) {
        // Rows are read again in the order in which they lie.
        outcomes.sort_unstable_by_key(|outcome| match outcome {
            Outcome::Missing { entry } => (0, 0, entry.place),
            Outcome::Differs { row, .. } => (1, row.leaf, row.place),
            Outcome::Unrecorded { row, .. } => (2, row.leaf, row.place),
        });
        for outcome in outcomes {
            pgrx::check_for_interrupts!();
            match *outcome {
                Outcome::Missing { entry } => self.missing(&entry),
                Outcome::Differs { entry, row } => match self.verdict(&entry, &row) {
                    Verdict::Agrees => {}
                    Verdict::Edited(edited) => {
                        self.differing(RowFindingKind::RowEdited, edited, &entry, &row);
                    }
                    Verdict::Unverifiable(detail) => {
                        let told = Edited {
                            detail,
                            expected: None,
                        };
                        self.differing(RowFindingKind::RowUnverifiable, told, &entry, &row);
                    }
                },
                Outcome::Unrecorded { row, last, second } => self.unrecorded(&row, last, second),
            }
        }
    }

    fn verdict(&mut self, entry: &EntryRecord, row: &RowRecord) -> Verdict {
        let (verdict, unwatched) = match entry.layout {
            Some(layout) => self.by_layout(layout, entry, row),
            None => self.by_no_layout(entry, row),
        };
        let (verdict, unwatched) = match verdict {
            Verdict::Agrees => (verdict, unwatched),
            other => self.as_in_force(entry, row).unwrap_or((other, unwatched)),
        };
        if !matches!(verdict, Verdict::Edited(_)) {
            self.partly += u64::from(matches!(verdict, Verdict::Agrees) && !unwatched.is_empty());
            for cell in unwatched {
                *self.unwatched.entry(cell).or_default() += 1;
            }
        }
        verdict
    }

    /// By one layout, that which the entry names or another. Besides, the columns that nothing vouches for, each with
    /// the reason.
    fn by_layout(
        &mut self,
        layout: i32,
        entry: &EntryRecord,
        row: &RowRecord,
    ) -> (Verdict, Vec<(String, String)>) {
        let leaf = &mut self.leaves[row.leaf as usize];
        let Some(plan) = leaf.plan(layout, self.layouts) else {
            let verdict = self.cannot_tell("no entry tells its layout any more", entry, row);
            return (verdict, Vec::new());
        };
        let same = plan.relation == Relation::Same;
        let seen = if same {
            Some((Some(row.hash), false, None))
        } else {
            leaf.look_at(row.place, |row, buffer| {
                (
                    plan.hash(row, buffer),
                    plan.proves_of(row),
                    plan.changed(row),
                )
            })
        };
        let (hash, proves, changed) = seen.unwrap_or_default();
        let verdict = match &plan.relation {
            _ if hash == Some(entry.hash) => Verdict::Agrees,
            Relation::Same | Relation::Certain => {
                Edited::told("the row is not what its last entry recorded")
            }
            Relation::Gone(why) if proves => Edited::told(format!(
                "the row is not what its last entry recorded; {why}, and what was in there lies in the row still"
            )),
            Relation::Uncertain(why) | Relation::Gone(why) => self.by_kept(&plan, why, entry, row),
        };
        let verdict = match (verdict, changed) {
            (edited @ Verdict::Edited(_), _) | (edited, None) => edited,
            (_, Some((columns, expected))) => Verdict::Edited(Edited {
                detail: format!(
                    "{} not what the rows that were there got when it was added, and no entry records a change",
                    columns_are(&columns)
                ),
                expected: Some(expected),
            }),
        };
        (verdict, plan.unwatched.clone())
    }

    /// Where the hash proves nothing: by the row that the entry keeps.
    fn by_kept(&mut self, plan: &Plan, why: &str, entry: &EntryRecord, row: &RowRecord) -> Verdict {
        let kept = self.entries.fetch(entry.place).and_then(|it| it.payload);
        let kept = kept.filter(|kept| Hash::of(kept) == entry.hash);
        let leaf = &mut self.leaves[row.leaf as usize];
        let differing = kept.and_then(|kept| {
            leaf.look_at(row.place, |row, _| plan.differing(row, &kept))
                .flatten()
        });
        match differing {
            Some(columns) if columns.is_empty() => {
                let why = format!("{why}, and its other columns are as recorded");
                self.cannot_tell(&why, entry, row)
            }
            Some(columns) => Edited::told(format!(
                "{} not what the row's last entry recorded; besides, {why}",
                columns_are(&columns)
            )),
            None => self.cannot_tell(why, entry, row),
        }
    }

    fn cannot_tell(&self, why: &str, entry: &EntryRecord, row: &RowRecord) -> Verdict {
        Verdict::Unverifiable(format!(
            "{why}; the row was recorded under {}, and the table has {} now",
            named(entry.layout),
            named(self.leaves[row.leaf as usize].current_layout)
        ))
    }

    /// By whatever the row may have been hashed from when there were no layouts.
    fn by_no_layout(
        &mut self,
        entry: &EntryRecord,
        row: &RowRecord,
    ) -> (Verdict, Vec<(String, String)>) {
        let leaf = &mut self.leaves[row.leaf as usize];
        let ways = leaf.ways(self.layouts);
        if let Some(way) = ways.iter().find(|way| agrees(leaf, way, entry, row)) {
            let why = "the row was recorded without it, before layouts were recorded";
            let unwatched = left_over(&way.mapping, &leaf.present);
            let unwatched = unwatched.map(|column| (column.to_owned(), why.to_owned()));
            return (Verdict::Agrees, unwatched.collect());
        }
        let verdict = match ways.first().map(|way| &way.mapping.relation) {
            Some(Relation::Same | Relation::Certain) => {
                Edited::told("the row is not what its last entry recorded")
            }
            Some(Relation::Uncertain(why) | Relation::Gone(why)) => {
                self.cannot_tell(why, entry, row)
            }
            None => self.cannot_tell("no entry tells its layout any more", entry, row),
        };
        (verdict, Vec::new())
    }

    /// By the layouts that the table had when the entry was written, if it names one that it had not. `None`
    /// if there are no such, or if they do not tell more.
    fn as_in_force(
        &mut self,
        entry: &EntryRecord,
        row: &RowRecord,
    ) -> Option<(Verdict, Vec<(String, String)>)> {
        let leaf = &mut self.leaves[row.leaf as usize];
        let in_force = self
            .layouts
            .in_force(entry.layout, entry.seq, &leaf.present);
        let mut edited = !in_force.is_empty();
        for id in &in_force {
            match self.by_layout(*id, entry, row) {
                agrees @ (Verdict::Agrees, _) => return Some(agrees),
                (verdict, _) => edited &= matches!(verdict, Verdict::Edited(_)),
            }
        }
        edited.then(|| {
            let detail = format!(
                "the row is not what its last entry recorded; that names {}, but the table had {} by then",
                named(entry.layout),
                named(in_force.last().copied())
            );
            (Edited::told(detail), Vec::new())
        })
    }

    /// Tells of cells that no entry covers, and returns how many rows have such and are in order otherwise.
    pub fn tell_unwatched(&mut self) -> u64 {
        for ((column, why), rows) in std::mem::take(&mut self.unwatched) {
            let noun = if rows == 1 { "row" } else { "rows" };
            let detail = format!("column \"{column}\" of {rows} {noun}: {why}");
            (self.put)(Finding::of_table(
                RowFindingKind::ColumnUnwatched,
                self.table,
                detail,
            ));
        }
        self.partly
    }

    fn differing(
        &mut self,
        kind: RowFindingKind,
        told: Edited,
        entry: &EntryRecord,
        row: &RowRecord,
    ) {
        let mut finding = self.about_row(kind, told.detail, row.leaf, row.place, Some(row.hash));
        self.add_entry(&mut finding, entry);
        finding.expected = Some(entry.hash);
        if self.shows_content && self.wants_evidence && finding.recorded.is_none() {
            finding.recorded = told.expected;
        }
        (self.put)(finding);
    }

    fn missing(&mut self, entry: &EntryRecord) {
        let mut finding = Finding::of_table(
            RowFindingKind::RowDeleted,
            self.table,
            "the row is gone, and no entry says why".to_owned(),
        );
        let layout = entry.layout.and_then(|id| self.layouts.get(id));
        if let Some(layout) = layout {
            finding.table.clone_from(&layout.table);
        }
        self.add_entry(&mut finding, entry);
        finding.expected = Some(entry.hash);
        (self.put)(finding);
    }

    fn unrecorded(&mut self, row: &RowRecord, last: Option<EntryRecord>, second: bool) {
        let detail = match (&last, second) {
            (_, true) => "another row of this key is there already",
            (None, _) => "no entry tells of this row",
            (Some(entry), _) if entry.alive => {
                "the row was taken away by a TRUNCATE or with its partition, and no entry tells that it came back"
            }
            (Some(_), _) => "the last entry says that the row was deleted",
        };
        let kind = RowFindingKind::RowUnrecorded;
        let mut finding =
            self.about_row(kind, detail.to_owned(), row.leaf, row.place, Some(row.hash));
        if let Some(entry) = last {
            self.add_entry(&mut finding, &entry);
        }
        (self.put)(finding);
    }

    /// Tells of a row that is as an entry under another key says, as far as that covers it.
    pub fn found_by_content(&mut self, entry: &EntryRecord, row: &RowRecord) {
        let layouts = self.layouts;
        let leaf = &mut self.leaves[row.leaf as usize];
        let Some(plan) = entry.layout.and_then(|layout| leaf.plan(layout, layouts)) else {
            return;
        };
        let changed = leaf
            .look_at(row.place, |row, _| plan.changed(row))
            .flatten();
        if let Some((names, expected)) = changed {
            let told = Edited {
                detail: format!(
                    "not what was filled in when they were added: {}",
                    names.join(", ")
                ),
                expected: Some(expected),
            };
            self.differing(RowFindingKind::RowEdited, told, entry, row);
            return;
        }
        self.partly += u64::from(!plan.unwatched.is_empty());
        for cell in &plan.unwatched {
            *self.unwatched.entry(cell.clone()).or_default() += 1;
        }
    }

    /// Tells of a row that is none of those which it may be, by what these contained.
    pub fn none_of(&mut self, row: &RowRecord, names: usize) {
        let detail = format!(
            "the row is not what any of {names} entries recorded that it may be of, none of which tells of another row"
        );
        let kind = RowFindingKind::RowEdited;
        let finding = self.about_row(kind, detail, row.leaf, row.place, Some(row.hash));
        (self.put)(finding);
    }

    /// Tells of a row of which it is not known which entry is about it.
    pub fn lost(&mut self, row: &RowRecord, detail: &str) {
        let kind = RowFindingKind::RowUnverifiable;
        let finding = self.about_row(kind, detail.to_owned(), row.leaf, row.place, Some(row.hash));
        (self.put)(finding);
    }

    /// Tells of a row whose key is null.
    pub fn keyless(&mut self, leaf: u32, place: Place) {
        let detail = "a column of its key is null, so no entry can name the row".to_owned();
        let finding = self.about_row(RowFindingKind::RowUnrecorded, detail, leaf, place, None);
        (self.put)(finding);
    }

    fn about_row(
        &mut self,
        kind: RowFindingKind,
        detail: String,
        leaf: u32,
        place: Place,
        hash: Option<Hash>,
    ) -> Finding {
        let leaf = &mut self.leaves[leaf as usize];
        let mut finding = Finding::of_table(kind, &leaf.name, detail);
        finding.found = hash;
        finding.current_layout = leaf.current_layout;
        if self.wants_evidence
            && let Some(found) = leaf.fetch(place)
        {
            finding.key = found.key;
            finding.found = Some(Hash::of(&found.json));
            finding.current = self.shows_content.then_some(found.json);
        }
        finding
    }

    fn add_entry(&mut self, finding: &mut Finding, entry: &EntryRecord) {
        finding.seq = Some(entry.seq);
        finding.layout = entry.layout;
        if self.wants_evidence
            && let Some(evidence) = self.entries.fetch(entry.place)
        {
            finding.key = finding.key.take().or(evidence.key);
            finding.recorded = evidence.payload.filter(|_| self.shows_content);
        }
    }
}

/// Whether a row is as the entry says in this way.
fn agrees(leaf: &mut Partition, way: &HashRecipe, entry: &EntryRecord, row: &RowRecord) -> bool {
    match way.mapping.relation {
        Relation::Same => row.hash == entry.hash,
        Relation::Gone(_) => false,
        Relation::Certain | Relation::Uncertain(_) => leaf.hash(row.place, way) == Some(entry.hash),
    }
}

/// The subject of a sentence: these columns, and its verb.
fn columns_are(columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
    match &names[..] {
        [name] => format!("column {name} is"),
        names => format!("columns {} are", names.join(", ")),
    }
}

fn named(layout: Option<i32>) -> String {
    match layout {
        Some(id) => format!("layout {id}"),
        None => "a layout that is not recorded".to_owned(),
    }
}

/// Whether the current user may see the rows of a table, all of them.
pub fn may_see(table: pg_sys::Oid) -> bool {
    may_select(table) && !is_limited(table)
}
