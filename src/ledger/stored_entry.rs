//! Entries as they are stored, read for verification.

use auditspine_core::canonical::Numbers;
use auditspine_core::hash::HashSink;
use auditspine_core::verify::EntryView;

use crate::encoding::jsonb::write_jsonb;
use crate::error::broken;
use crate::ledger::catalog::column;
use crate::pg::heap::Tuple;
use crate::pg::values::{RowRoom, Values};

/// What [`EntryReader`] shows for a `chain_id` that is null: no chain has this number.
pub const NO_CHAIN: i32 = i32::MIN;
/// The same for a `lane`.
pub const NO_LANE: i16 = -1;
/// The same for a `pos`.
pub const NO_POS: i64 = i64::MIN;

/// Decodes tuples of auditspine.audit_chain, reusing its buffers.
pub struct EntryReader {
    row: RowRoom<{ column::COUNT }>,
    context: Vec<u8>,
    payload: Vec<u8>,
}

impl EntryReader {
    /// A reader with empty buffers.
    pub fn new() -> EntryReader {
        EntryReader {
            row: RowRoom::new(),
            context: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// Calls `show` with the entry that a tuple holds. Nothing in it is trusted: nulls where the
    /// table allows none come out as what no entry has: the above, zero or empty, and version 0 where the
    /// text could be empty.
    ///
    /// An ERROR if the tuple is not one of auditspine.audit_chain, by its columns.
    pub fn read<R>(&mut self, tuple: &Tuple<'_>, show: impl FnOnce(&EntryView<'_>) -> R) -> R {
        let EntryReader {
            row,
            context,
            payload,
        } = self;
        row.show(tuple, |row| show_entry(row, context, payload, show))
            .unwrap_or_else(|| {
                broken(
                    "auditspine.audit_chain does not have the columns it was created with"
                        .to_owned(),
                )
            })
    }
}

fn show_entry<R>(
    row: &Values<'_>,
    context_text: &mut Vec<u8>,
    payload_text: &mut Vec<u8>,
    show: impl FnOnce(&EntryView<'_>) -> R,
) -> R {
    let content = |at: usize| row.content(at);
    let [kind, pk, db_user, actor] = [
        column::EVENT_KIND,
        column::EVENT_PK,
        column::DB_USER,
        column::ACTOR,
    ]
    .map(content);
    let [payload_hash, event_hash, prev_hash, chain_hash] = [
        column::PAYLOAD_HASH,
        column::EVENT_HASH,
        column::PREV_HASH,
        column::CHAIN_HASH,
    ]
    .map(content);
    let [context, payload] = [column::CONTEXT, column::PAYLOAD].map(content);
    if let Some(context) = &context {
        context_text.clear();
        write_jsonb(context, Numbers::Exact, context_text);
    }
    let stored_payload_hash = payload.map(|payload| {
        let mut sink = HashSink::with_buffer(std::mem::take(payload_text));
        write_jsonb(&payload, Numbers::Exact, &mut sink);
        let (hash, buffer) = sink.finish();
        *payload_text = buffer;
        hash
    });
    show(&EntryView {
        seq: row.int8(column::SEQ).unwrap_or(0),
        chain_id: row.int4(column::CHAIN_ID).unwrap_or(NO_CHAIN),
        lane: row.int2(column::LANE).unwrap_or(NO_LANE),
        pos: row.int8(column::POS).unwrap_or(NO_POS),
        version: kind
            .as_ref()
            .and_then(|_| row.int2(column::VERSION))
            .unwrap_or(0),
        op: row.char(column::OP).unwrap_or(0),
        kind: kind.as_deref().unwrap_or_default(),
        pk: pk.as_deref(),
        xid: row.int8(column::XID).unwrap_or(0) as u64,
        appended_at: row.int8(column::APPENDED_AT).unwrap_or(0),
        db_user: db_user.as_deref().unwrap_or_default(),
        actor: actor.as_deref(),
        context: context.map(|_| &context_text[..]),
        layout: row.int4(column::LAYOUT),
        stored_payload_hash,
        payload_hash: payload_hash.as_deref().unwrap_or_default(),
        event_hash: event_hash.as_deref().unwrap_or_default(),
        prev_hash: prev_hash.as_deref().unwrap_or_default(),
        chain_hash: chain_hash.as_deref().unwrap_or_default(),
    })
}
