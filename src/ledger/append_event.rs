//! Appending an entry by hand.

use auditspine_core::canonical::Numbers;
use auditspine_core::hash::Hash;
use pgrx::pg_sys;

use crate::encoding::jsonb::write_jsonb;
use crate::error::{Failure, broken};
use crate::ledger::attribution;
use crate::ledger::buffer::{self, Fields};
use crate::ledger::by_place::Now;
use crate::ledger::catalog::state;
use crate::ledger::system_entry::is_reserved;
use crate::ledger::{chains, flush};
use crate::pg::relation::OpenRelation;
use crate::pg::session;

/// Arguments of `audit_chain_append(kind, pk, payload, chain)`; `None` for NULL.
pub struct ByHand<'a> {
    /// Kind of the event.
    pub kind: Option<&'a [u8]>,
    /// Key of what it is about.
    pub pk: Option<&'a [u8]>,
    /// Binary jsonb.
    pub payload: Option<&'a [u8]>,
    /// Name of the chain.
    pub chain: Option<&'a [u8]>,
}

/// Appends the event at once, behind all pending ones (within a trigger ahead of them), and returns the
/// entry as a row of auditspine.audit_chain.
pub fn by_hand(arguments: &ByHand<'_>) -> pg_sys::Datum {
    let Some(kind) = arguments.kind.filter(|kind| !kind.is_empty()) else {
        Failure::InvalidValue.raise(
            "the kind of an audit event is null or empty",
            "pass a kind that names the source of the event",
        );
    };
    if is_reserved(&String::from_utf8_lossy(kind)) {
        Failure::InvalidValue.raise(
            format!(
                "kind \"{}\" is reserved for auditspine's own entries",
                String::from_utf8_lossy(kind)
            ),
            "pass a kind that does not begin with 'auditspine.'",
        );
    }
    let Some(chain) = arguments.chain else {
        Failure::InvalidValue.raise(
            "the chain of an audit event is null",
            "leave the argument out for chain main",
        );
    };
    chains::expect_named(chain);
    let payload = arguments.payload.map(|payload| {
        let mut canonical = Vec::new();
        write_jsonb(payload, Numbers::Exact, &mut canonical);
        canonical
    });
    let fields = Fields {
        chain: buffer::intern(chain),
        creates_chain: false,
        kind: buffer::intern(kind),
        op: b'A',
        attribution: attribution::current(),
        layout: None,
        payload_hash: Hash::of(payload.as_deref().unwrap_or(b"null")),
    };
    // JSON null and SQL NULL have one hash, so they are stored alike.
    let stored = payload.as_deref().filter(|payload| *payload != b"null");
    // What the statements around a trigger have changed before may still have to be told.
    let place = if session::trigger_depth() > 0 {
        flush::link_alone(fields, arguments.pk, stored)
    } else {
        buffer::with_mut(|buffer| buffer.push(fields, arguments.pk, stored));
        flush::flush().1
    };
    match place {
        Some(place) => row_at(place),
        None => broken("an event that was just buffered was not linked".to_owned()),
    }
}

/// The entry at a place, as a composite value in the current memory context.
fn row_at(place: flush::Place) -> pg_sys::Datum {
    let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
    // Anew: only under the lock on the table does an index stay the one to search.
    let state = state();
    let now = Now {
        table: &table,
        index: state.head_index(),
    };
    let row = now.at((place.chain_id, place.lane, place.pos), |row| {
        row.to_record()
    });
    row.unwrap_or_else(|| broken(format!("the entry just written is gone: {place:?}")))
}
