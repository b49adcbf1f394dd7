//! Rows that no entry can name, since a column of their key is null.

use auditspine_core::rows::{Place, RowFindingKind};

use crate::verify::rows::judge::Judge;
use crate::verify::rows::report::Finding;
use crate::verify::rows::target::Target;

/// Such rows that are told one by one; of the others only their number.
const MOST_KEYLESS: usize = 1000;

/// Rows of which a column of the key is null.
#[derive(Default)]
pub struct Keyless {
    some: Vec<(u32, Place)>,
    more: u64,
}

impl Keyless {
    /// Takes one in.
    pub fn add(&mut self, leaf: u32, place: Place) {
        if self.some.len() < MOST_KEYLESS {
            self.some.push((leaf, place));
        } else {
            self.more += 1;
        }
    }

    /// Tells of them.
    pub fn tell(self, target: &Target, judge: &mut Judge<'_>) {
        for (leaf, place) in self.some {
            judge.keyless(leaf, place);
        }
        if self.more > 0 {
            let detail = format!("a column of the key is null in {} more rows", self.more);
            let kind = RowFindingKind::RowUnrecorded;
            (judge.put)(Finding::of_table(kind, &target.name, detail));
        }
    }
}
