//! Entries checked batch by batch, by helper threads or by the backend itself.

use auditspine_core::verify::{Checked, Sweep};

use crate::ledger::raw_tuple;
use crate::pg::tuple_batch::TupleBatch;

/// A batch that has been worked on.
pub struct Done<'t> {
    /// What could be checked.
    pub checked: Vec<Checked>,
    /// The tuples that could not, by their number in the batch: it takes PostgreSQL to read them.
    pub left: Vec<usize>,
    /// The tuples.
    pub batch: TupleBatch<'t>,
}

/// Checks the entries of a batch.
pub fn work<'t>(batch: TupleBatch<'t>, sweep: &mut Sweep) -> Done<'t> {
    let mut checked = Vec::with_capacity(batch.len());
    let mut keep = |entry: &Checked| checked.push(*entry);
    let mut left = Vec::new();
    for at in 0..batch.len() {
        match raw_tuple::decode(batch.bytes(at)) {
            Some(entry) => sweep.add(&entry, &mut keep),
            None => left.push(at),
        }
    }
    sweep.finish(&mut keep);
    Done {
        checked,
        left,
        batch,
    }
}
