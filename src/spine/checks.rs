//! Which spines this transaction has checked already, so that a deferred check of each of their rows is
//! made once.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::pg_sys;

use crate::pg::session;

/// Spines that are remembered; a forgotten one is merely checked again.
const KEPT: usize = 10_000;

#[derive(Clone, Copy)]
struct Check {
    /// Rows of earlier commands were seen.
    before: pg_sys::CommandId,
    subtransaction: pg_sys::SubTransactionId,
}

thread_local! {
    static CHECKS: RefCell<HashMap<(String, String), Check>> = RefCell::default();
}

/// A moment of this transaction.
pub struct Now(Check);

/// This moment, before a check.
pub fn now() -> Now {
    Now(Check {
        before: session::command(),
        subtransaction: session::subtransaction(),
    })
}

/// Whether the spine was checked after this command, and that is not rolled back.
pub fn covers(schema: &str, spine_id: &str, command: pg_sys::CommandId) -> bool {
    let key = (schema.to_owned(), spine_id.to_owned());
    CHECKS.with_borrow(|checks| checks.get(&key).is_some_and(|check| command < check.before))
}

/// The spine was checked at that moment, and is as it must be.
pub fn passed(schema: &str, spine_id: &str, at: Now) {
    CHECKS.with_borrow_mut(|checks| {
        if checks.len() >= KEPT {
            checks.clear();
        }
        checks.insert((schema.to_owned(), spine_id.to_owned()), at.0);
    });
}

/// To be called when a transaction has ended.
pub fn transaction_ended() {
    CHECKS.with_borrow_mut(HashMap::clear);
}

/// To be called when a subtransaction is rolled back: what was checked in it is to be checked again.
pub fn roll_back_to(subtransaction: pg_sys::SubTransactionId) {
    CHECKS
        .with_borrow_mut(|checks| checks.retain(|_, check| check.subtransaction < subtransaction));
}
