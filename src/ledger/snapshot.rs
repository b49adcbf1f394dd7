//! The snapshot of a verification.

use crate::ledger::flush;
use crate::ledger::lane;
use crate::pg::session;
use crate::pg::snapshot::ActiveSnapshot;

/// The snapshot of a verification, active while `self` lives. It sees what this transaction has done
/// so far, its pending events included: they are linked first.
///
/// It is the transaction's own, so that other queries see the same; but once the transaction has
/// linked entries, it is the latest one at every isolation level: they may continue entries that were
/// committed after the transaction's snapshot was taken, and would seem to hang in the air.
pub struct CurrentSnapshot {
    _active: ActiveSnapshot,
}

impl CurrentSnapshot {
    /// Makes it, and makes it active.
    pub fn push() -> CurrentSnapshot {
        let (linked, _) = flush::flush();
        if linked > 0 {
            // The transaction's snapshot then sees what the flush wrote.
            session::next_command();
        }
        CurrentSnapshot {
            _active: if lane::holds_any() {
                ActiveSnapshot::push_latest()
            } else {
                ActiveSnapshot::push()
            },
        }
    }

    /// The latest snapshot instead, for what the transaction's own cannot show.
    pub fn push_latest() -> CurrentSnapshot {
        CurrentSnapshot {
            _active: ActiveSnapshot::push_latest(),
        }
    }
}
