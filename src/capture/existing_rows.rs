//! Recording the rows that a table holds already.

use crate::capture::event;
use crate::capture::row_spec::Spec;
use crate::ledger::flush;
use crate::pg::heap::TableScan;
use crate::pg::relation::OpenRelation;
use crate::pg::row_json::DeformedRow;
use crate::pg::snapshot::ActiveSnapshot;
use crate::settings;

/// Records the rows of an open table with the op that `op` tells, less those that it tells none for, given
/// their key; returns how many were recorded and how many skipped. Nobody writes to the table meanwhile: the
/// caller holds a lock that keeps writers out.
pub fn record_rows(
    table: &OpenRelation,
    spec: &Spec,
    mut op: impl FnMut(&[u8], &DeformedRow) -> Option<u8>,
) -> (u64, u64) {
    let _snapshot = ActiveSnapshot::push_latest();
    let (mut recorded, mut skipped) = (0u64, 0u64);
    let mut key = Vec::new();
    let mut scan = TableScan::begin(table, false);
    loop {
        let told = scan.next(|tuple| {
            event::with_work(|work| {
                // Taken out, so that what records it can borrow the rest.
                let mut row = std::mem::take(&mut work.new);
                let op = tuple.deform(&mut row, |row| {
                    spec.write_key(row, &mut key);
                    let op = op(&key, row);
                    if let Some(op) = op {
                        event::record_row(spec, row, work, op);
                    }
                    op
                });
                work.new = row;
                op
            })
        });
        let Some(op) = told else { break };
        if op.is_none() {
            skipped += 1;
        } else {
            recorded += 1;
            flush::flush_if_due(settings::buffer_bytes());
        }
        pgrx::check_for_interrupts!();
    }
    (recorded, skipped)
}
