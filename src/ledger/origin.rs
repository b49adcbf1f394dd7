//! Where changes of rows were told, kept by number: events of one statement share it.

use auditspine_core::versions::Version;
use pgrx::pg_sys;
use rustc_hash::FxHashMap;

use crate::pg::table::Uniqueness;

/// Where a change was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The trigger.
    pub trigger: pg_sys::Oid,
    /// The table or partition.
    pub relation: pg_sys::Oid,
    /// Its file.
    pub file: u32,
    /// Whether two rows may have one key.
    pub uniqueness: Uniqueness,
}

/// A change of a row, as its versions tell.
#[derive(Clone, Copy, Debug)]
pub struct RowChange {
    /// Where it was told.
    pub origin: Origin,
    /// Number of the command that made it.
    pub command: u32,
    /// The version that it ended.
    pub ended: Option<Version>,
    /// The version that it began.
    pub began: Option<Version>,
}

/// Most origins that are kept from one transaction to the next.
const KEEP: usize = 256;

/// Origins by number.
#[derive(Default)]
pub struct Origins {
    all: Vec<Origin>,
    numbers: FxHashMap<Origin, u32>,
}

impl Origins {
    /// The number of an origin; `last` is that of the event before, which is mostly the same.
    pub fn number(&mut self, origin: Origin, last: Option<u32>) -> u32 {
        if let Some(last) = last
            && self.all.get(last as usize) == Some(&origin)
        {
            return last;
        }
        let all = &mut self.all;
        *self.numbers.entry(origin).or_insert_with(|| {
            all.push(origin);
            all.len() as u32 - 1
        })
    }

    /// The origin of this number.
    pub fn get(&self, number: u32) -> Origin {
        self.all[number as usize]
    }

    /// Forgets all if there are many; to be called when no event has one.
    pub fn trim(&mut self) {
        if self.all.len() > KEEP {
            *self = Origins::default();
        }
    }
}
