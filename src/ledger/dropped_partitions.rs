//! Partitions that a command drops, noted as they go: when it is over, nothing tells any more what they were
//! partitions of.

use std::cell::RefCell;
use std::collections::HashSet;

use pgrx::pg_sys;

use crate::pg::relation::OpenRelation;
use crate::pg::{registry, table};

/// A partition that held rows and was dropped.
pub struct DroppedPartition {
    /// What its number was.
    pub relation: pg_sys::Oid,
    /// Its name, qualified and quoted.
    pub name: String,
    /// The tables that it was a partition of, the nearest first; also of one that was on its way out.
    pub ancestors: Vec<pg_sys::Oid>,
}

thread_local! {
    /// Partitions dropped by the command under way, and by what was not asked about.
    static NOTED: RefCell<Vec<DroppedPartition>> = const { RefCell::new(Vec::new()) };
}

/// The partitions among the relations that a command has dropped. None is told twice.
pub fn take(dropped: &HashSet<pg_sys::Oid>) -> Vec<DroppedPartition> {
    // What else was noted belongs to commands that nobody asked about.
    let mut noted = NOTED.take();
    noted.retain(|partition| dropped.contains(&partition.relation));
    noted
}

/// Forgets what was noted; for the end of a transaction.
pub fn forget() {
    NOTED.take();
}

/// Notes a relation that is about to be dropped, if it is a partition with rows of its own.
pub fn note(relation: pg_sys::Oid) {
    if !table::is_partition(relation) || table::kind_of_oid(relation) != pg_sys::RELKIND_RELATION {
        return;
    }
    let mut ancestors = Vec::new();
    let mut above = registry::parent_of(relation);
    while let Some(parent) = above {
        ancestors.push(parent);
        above = registry::parent_of(parent);
    }
    // The command has it locked.
    let lock = pg_sys::AccessShareLock;
    let name = OpenRelation::table(relation, lock)
        .briefly(lock)
        .qualified();
    NOTED.with(|noted| {
        noted.borrow_mut().push(DroppedPartition {
            relation,
            name,
            ancestors,
        });
    });
}
