//! What keys have in the end of which the pending events do not tell for certain
//! ([`crate::ledger::arrange`]): looked up in the table, and recorded if it is not what was told last.

use std::collections::HashMap;
use std::rc::Rc;

use auditspine_core::rows::Place;
use auditspine_core::versions::Version;
use pgrx::pg_sys;

use crate::capture::event;
use crate::capture::row_spec::Spec;
use crate::capture::trigger::spec_of;
use crate::ledger::arrange::Doubt;
use crate::ledger::buffer::Told;
use crate::ledger::settle::Present;
use crate::pg::heap::TableScan;
use crate::pg::index_scan::{Condition, IndexScan, Under};
use crate::pg::relation::OpenRelation;
use crate::pg::row_json::DeformedRow;
use crate::pg::row_version::{VersionReader, file_of};
use crate::pg::session;
use crate::pg::snapshot::ActiveSnapshot;
use crate::pg::table::Equality;

/// Looks up keys, and records what they have where that is not what was told.
pub fn restate(doubts: &[Doubt]) -> Vec<Present> {
    // The last command's changes are not seen otherwise by a snapshot, which a toasted value takes as well.
    session::next_command();
    let _snapshot = ActiveSnapshot::push_latest();
    let mut tables = HashMap::new();
    doubts
        .iter()
        .map(|doubt| {
            let mut present = Present::Unknown;
            for (_, origin) in &doubt.changes {
                let table = tables
                    .entry((origin.relation, origin.trigger))
                    .or_insert_with(|| Table::open(origin.relation, origin.trigger));
                let Some(table) = table else { continue };
                let found = table.find(doubt);
                let told = doubt.told.filter(|(file, _)| *file == table.file);
                if told.is_some_and(|(_, version)| found.contains(&version)) {
                    return Present::AsTold;
                }
                match found.first() {
                    Some(version) if table.record(*version) => return Present::Restated,
                    _ => present = Present::Gone,
                }
            }
            present
        })
        .collect()
}

/// A table or partition in which keys are looked up.
struct Table {
    relation: OpenRelation,
    file: u32,
    spec: Rc<Spec>,
    index: Option<(OpenRelation, Vec<Equality>)>,
    /// Its rows by key, read where there is no index.
    rows: Option<HashMap<Vec<u8>, Vec<Version>>>,
}

impl Table {
    /// `None` if the table, or its trigger, is gone.
    fn open(relation: pg_sys::Oid, trigger: pg_sys::Oid) -> Option<Table> {
        let relation = OpenRelation::if_exists(relation, pg_sys::AccessShareLock)?;
        let spec = spec_of(trigger, &relation)?;
        Some(Table {
            file: file_of(&relation),
            index: index_on(&relation, &spec.key),
            relation,
            spec,
            rows: None,
        })
    }

    /// The versions that a key has now: one, unless several rows share it for a while.
    fn find(&mut self, doubt: &Doubt) -> Vec<Version> {
        self.search(doubt).unwrap_or_else(|| {
            let rows = self
                .rows
                .get_or_insert_with(|| read(&self.relation, &self.spec));
            rows.get(&doubt.key).cloned().unwrap_or_default()
        })
    }

    /// The same through an index, which takes a row that has, or had, the key; `None` if it cannot be done.
    fn search(&self, doubt: &Doubt) -> Option<Vec<Version>> {
        let (index, columns) = self.index.as_ref()?;
        let relation = self.relation.oid().to_u32();
        let here = doubt
            .changes
            .iter()
            .filter(|(change, _)| change.relation == relation && change.file == self.file);
        let mut reader = VersionReader::new(&self.relation);
        let mut row = DeformedRow::default();
        for version in here.filter_map(|(change, _)| change.began.or(change.ended)) {
            let found = reader.show(version, |tuple| {
                tuple.deform(&mut row, |row| {
                    let conditions = conditions(columns, row)?;
                    Some(self.versions(index, &conditions, &doubt.key))
                })
            });
            if let Some(Some(found)) = found {
                return Some(found);
            }
        }
        None
    }

    fn versions(&self, index: &OpenRelation, conditions: &[Condition], key: &[u8]) -> Vec<Version> {
        let mut versions = Vec::new();
        let (mut row, mut found) = (DeformedRow::default(), Vec::new());
        let mut scan = IndexScan::begin(&self.relation, index, Under::Now, conditions.len());
        scan.search(conditions);
        while scan
            .next_tuple(|tuple| {
                tuple.deform(&mut row, |row| self.spec.write_key(row, &mut found));
                // What an index takes for equal may have other texts.
                if found == key {
                    versions.extend(version_at(tuple.place()));
                }
            })
            .is_some()
        {}
        versions
    }

    /// Records a version of a row as what its key has.
    fn record(&self, version: Version) -> bool {
        let shown = VersionReader::new(&self.relation).show(version, |tuple| {
            event::with_work(|work| {
                // Taken out, so that what records it can borrow the rest.
                let mut row = std::mem::take(&mut work.new);
                work.told = Told::Restated;
                tuple.deform(&mut row, |row| {
                    event::record_row(&self.spec, row, work, b'U')
                });
                work.new = row;
            });
        });
        shown.is_some()
    }
}

fn version_at(place: Place) -> Option<Version> {
    Version::at(place.block, place.offset)
}

/// An index on the key's columns and no other.
fn index_on(table: &OpenRelation, key: &[i16]) -> Option<(OpenRelation, Vec<Equality>)> {
    table.index_oids().into_iter().find_map(|oid| {
        let index = OpenRelation::index(oid, pg_sys::AccessShareLock);
        let columns = index.equality_of_key()?;
        let is_on_key = columns.len() == key.len()
            && columns.iter().all(|column| key.contains(&column.attnum))
            && index.is_usable_btree();
        is_on_key.then_some((index, columns))
    })
}

/// What finds the rows that have this row's key; `None` if it has none.
fn conditions(columns: &[Equality], row: &DeformedRow) -> Option<Vec<Condition>> {
    columns
        .iter()
        .map(|column| {
            Some(Condition {
                strategy: pg_sys::BTEqualStrategyNumber,
                function: column.function,
                collation: Some(column.collation),
                value: row.get(usize::try_from(column.attnum).ok()?.checked_sub(1)?)?,
            })
        })
        .collect()
}

/// All rows, by key.
fn read(relation: &OpenRelation, spec: &Spec) -> HashMap<Vec<u8>, Vec<Version>> {
    let mut rows: HashMap<Vec<u8>, Vec<Version>> = HashMap::new();
    let (mut row, mut key) = (DeformedRow::default(), Vec::new());
    let mut scan = TableScan::begin(relation, false);
    while scan
        .next(|tuple| {
            tuple.deform(&mut row, |row| {
                if !spec.key_is_null(row) {
                    spec.write_key(row, &mut key);
                    let versions = rows.entry(key.clone()).or_default();
                    versions.extend(version_at(tuple.place()));
                }
            });
        })
        .is_some()
    {
        pgrx::check_for_interrupts!();
    }
    rows
}
