//! What is done when PostgreSQL calls: at the ends of transactions, at rollbacks to savepoints, when relations have
//! changed, and before objects are dropped.

use pgrx::pg_sys;
use pgrx::pg_sys::SysCacheIdentifier;

use crate::capture::{layouts, trigger};
use crate::ledger::{
    attribution, buffer, catalog, chains, dropped_partitions, dropping, flush, head, lane,
};
use crate::pg::callbacks::{self, TransactionEvent};
use crate::pg::{session, target};
use crate::spine::checks;

/// To be called once, when the library is loaded.
pub fn register() {
    callbacks::on_transaction(on_transaction);
    callbacks::on_subtransaction_abort(on_subtransaction_abort);
    callbacks::on_relation_change(on_relation_change);
    callbacks::on_drop(dropping::on_drop);
    callbacks::on_catalog_change(SysCacheIdentifier::AUTHOID, session::forget_names);
}

fn on_transaction(event: TransactionEvent) {
    match event {
        TransactionEvent::Ending => return flush::flush_at_commit(),
        TransactionEvent::Committed => {
            head::share();
            chains::keep_created();
        }
        // What was prepared becomes known again once it is committed.
        TransactionEvent::Aborted | TransactionEvent::Prepared => {
            head::forget_held(true);
            forget_created();
        }
    }
    buffer::with_mut(buffer::Buffer::clear);
    attribution::clear();
    lane::forget_held();
    flush::transaction_ended();
    layouts::transaction_ended();
    checks::transaction_ended();
    dropped_partitions::forget();
}

fn on_subtransaction_abort(subid: pg_sys::SubTransactionId) {
    buffer::with_mut(|buffer| buffer.roll_back_to(subid));
    head::forget_held(false);
    forget_created();
    checks::roll_back_to(subid);
}

/// Forgets what was made by a transaction, or a part of it, that is rolled back.
fn forget_created() {
    chains::forget_created();
    if layouts::any_created() {
        trigger::forget_specs();
    }
}

fn on_relation_change(relid: pg_sys::Oid) {
    if catalog::relation_changed(relid) {
        chains::forget_all();
        trigger::forget_specs();
        head::table_changed();
    }
    target::relation_changed(relid);
    trigger::relation_changed(relid);
}
