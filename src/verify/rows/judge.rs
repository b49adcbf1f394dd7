//! What the comparison left over, judged: rows are read again and hashed as their entries' layouts say,
//! and what is wrong is told with its evidence.

use auditspine_core::hash::Hash;
use auditspine_core::rows::{
    EntryRecord, Layouts, Outcome, Place, Relation, RowFindingKind, RowRecord,
};
use pgrx::pg_sys;

use crate::pg::privilege::{is_limited, may_select};
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
}

/// What hashing a row as its entry's layout says has shown.
enum Verdict {
    Agrees,
    Edited(String),
    Unverifiable(String),
    /// It agrees, as far as it was recorded.
    Unwatched(String),
}

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
                    Verdict::Edited(detail) => {
                        self.differing(RowFindingKind::RowEdited, detail, &entry, &row);
                    }
                    Verdict::Unverifiable(detail) | Verdict::Unwatched(detail) => {
                        self.differing(RowFindingKind::RowUnverifiable, detail, &entry, &row);
                    }
                },
                Outcome::Unrecorded { row, last, second } => self.unrecorded(&row, last, second),
            }
        }
    }

    fn verdict(&mut self, entry: &EntryRecord, row: &RowRecord) -> Verdict {
        match self.as_named(entry, row) {
            settled @ (Verdict::Agrees | Verdict::Unwatched(_)) => settled,
            other => self.as_in_force(entry, row).unwrap_or(other),
        }
    }

    /// By the layout that the entry names.
    fn as_named(&mut self, entry: &EntryRecord, row: &RowRecord) -> Verdict {
        let leaf = &mut self.leaves[row.leaf as usize];
        let ways = leaf.ways(entry.layout, self.layouts);
        if agrees(leaf, &ways, entry, row) {
            return match ways.first().and_then(|way| way.left_out.as_deref()) {
                Some(column) => Verdict::Unwatched(format!(
                    "column \"{column}\" was left out of the audit when the row was recorded last"
                )),
                None => Verdict::Agrees,
            };
        }
        let why = match ways.first().map(|way| &way.mapping.relation) {
            Some(Relation::Same | Relation::Certain) => {
                return Verdict::Edited("the row is not what its last entry recorded".to_owned());
            }
            Some(Relation::Uncertain(why) | Relation::Gone(why)) => why,
            None => "no entry tells its layout any more",
        };
        Verdict::Unverifiable(format!(
            "{why}; the row was recorded under {}, and the table has {} now",
            named(entry.layout),
            named(leaf.current_layout)
        ))
    }

    /// By the layouts that the table had when the entry was written, if it names one that it had not. `None`
    /// if there are no such, or if they do not tell more.
    fn as_in_force(&mut self, entry: &EntryRecord, row: &RowRecord) -> Option<Verdict> {
        let leaf = &mut self.leaves[row.leaf as usize];
        let in_force = self
            .layouts
            .in_force(entry.layout, entry.seq, &leaf.present);
        let mut tell = !in_force.is_empty();
        for id in &in_force {
            let ways = leaf.ways(Some(*id), self.layouts);
            if agrees(leaf, &ways, entry, row) {
                return Some(Verdict::Agrees);
            }
            tell &= ways
                .iter()
                .all(|way| matches!(way.mapping.relation, Relation::Same | Relation::Certain));
        }
        tell.then(|| {
            Verdict::Edited(format!(
                "the row is not what its last entry recorded; that names {}, but the table had {} by then",
                named(entry.layout),
                named(in_force.last().copied())
            ))
        })
    }

    fn differing(
        &mut self,
        kind: RowFindingKind,
        detail: String,
        entry: &EntryRecord,
        row: &RowRecord,
    ) {
        let mut finding = self.about_row(kind, detail, row.leaf, row.place, Some(row.hash));
        self.add_entry(&mut finding, entry);
        finding.expected = Some(entry.hash);
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

/// Whether a row is as the entry says in one of these ways.
fn agrees(leaf: &mut Partition, ways: &[HashRecipe], entry: &EntryRecord, row: &RowRecord) -> bool {
    ways.iter().any(|way| match way.mapping.relation {
        // That is the hash which differs.
        Relation::Same | Relation::Gone(_) => false,
        Relation::Certain | Relation::Uncertain(_) => leaf.hash(row.place, way) == Some(entry.hash),
    })
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
