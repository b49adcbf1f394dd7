//! Entries as they are stored, read for verification.

use auditspine_core::canonical::Numbers;
use auditspine_core::hash::HashSink;
use auditspine_core::verify::EntryView;
use pgrx::pg_sys;

use super::heap::Tuple;
use super::memory::SideContext;
use crate::encoding::jsonb::write_jsonb;
use crate::error::broken;
use crate::ledger::catalog::column;

/// What [`EntryReader`] shows for a `chain_id` that is null: no chain has this number.
pub const NO_CHAIN: i32 = i32::MIN;
/// The same for a `lane`.
pub const NO_LANE: i16 = -1;
/// The same for a `pos`.
pub const NO_POS: i64 = i64::MIN;

/// Decodes tuples of auditspine.audit_chain, reusing its buffers.
pub struct EntryReader {
    values: [pg_sys::Datum; column::COUNT],
    nulls: [bool; column::COUNT],
    context: Vec<u8>,
    payload: Vec<u8>,
    detoasted: SideContext,
}

impl EntryReader {
    /// A reader with empty buffers.
    pub fn new() -> EntryReader {
        EntryReader {
            values: [pg_sys::Datum::from(0usize); column::COUNT],
            nulls: [false; column::COUNT],
            context: Vec::new(),
            payload: Vec::new(),
            detoasted: SideContext::new(),
        }
    }

    /// Calls `show` with the entry that a tuple holds. Nothing in it is trusted: nulls where the
    /// table allows none come out as what no entry has: the above, zero or empty, and version 0 where the
    /// text could be empty.
    ///
    /// An ERROR if the tuple is not one of auditspine.audit_chain, by the number of its columns; `catalog` has checked
    /// their types.
    pub fn read<R>(&mut self, tuple: &Tuple<'_>, show: impl FnOnce(&EntryView<'_>) -> R) -> R {
        if !tuple.deform_into(&mut self.values, &mut self.nulls) {
            broken(
                "auditspine.audit_chain does not have the columns it was created with".to_owned(),
            );
        }
        // SAFETY: the columns' types were checked when the state was found; a non-null datum of one
        // of these columns is a varlena within the tuple.
        let varlena = |at: usize| unsafe { self.varlena(at) };
        let [kind, pk, db_user, actor] = [
            column::EVENT_KIND,
            column::EVENT_PK,
            column::DB_USER,
            column::ACTOR,
        ]
        .map(varlena);
        let [payload_hash, event_hash, prev_hash, chain_hash] = [
            column::PAYLOAD_HASH,
            column::EVENT_HASH,
            column::PREV_HASH,
            column::CHAIN_HASH,
        ]
        .map(|at| varlena(at).unwrap_or_default());
        let [context, payload] = [column::CONTEXT, column::PAYLOAD].map(varlena);
        if let Some(context) = context {
            self.context.clear();
            write_jsonb(context, Numbers::Exact, &mut self.context);
        }
        let stored_payload_hash = payload.map(|payload| {
            let mut sink = HashSink::with_buffer(std::mem::take(&mut self.payload));
            write_jsonb(payload, Numbers::Exact, &mut sink);
            let (hash, buffer) = sink.finish();
            self.payload = buffer;
            hash
        });
        let answer = show(&EntryView {
            seq: self.value(column::SEQ) as i64,
            chain_id: self.or(column::CHAIN_ID, NO_CHAIN, |value| value as i32),
            lane: self.or(column::LANE, NO_LANE, |value| value as i16),
            pos: self.or(column::POS, NO_POS, |value| value as i64),
            version: if kind.is_some() {
                self.value(column::VERSION) as i16
            } else {
                0
            },
            op: self.value(column::OP) as u8,
            kind: kind.unwrap_or_default(),
            pk,
            xid: self.value(column::XID) as u64,
            appended_at: self.value(column::APPENDED_AT) as i64,
            db_user: db_user.unwrap_or_default(),
            actor,
            context: context.map(|_| &self.context[..]),
            layout: (!self.nulls[column::LAYOUT]).then(|| self.value(column::LAYOUT) as i32),
            stored_payload_hash,
            payload_hash,
            event_hash,
            prev_hash,
            chain_hash,
        });
        self.detoasted.reset();
        answer
    }

    fn value(&self, at: usize) -> usize {
        self.or(at, 0, |value| value)
    }

    fn or<T>(&self, at: usize, null: T, read: impl FnOnce(usize) -> T) -> T {
        if self.nulls[at] {
            null
        } else {
            read(self.values[at].value())
        }
    }

    /// The bytes of a varlena column, read in place unless toasted.
    ///
    /// # Safety
    /// The column must hold a varlena, valid for `'a`.
    unsafe fn varlena<'a>(&self, at: usize) -> Option<&'a [u8]> {
        if self.nulls[at] {
            return None;
        }
        // SAFETY: the caller's; a toasted value is replaced by a copy in the reader's own context.
        unsafe {
            let mut value = self.values[at].cast_mut_ptr::<pg_sys::varlena>();
            if pgrx::varatt_is_1b_e(value) || pgrx::varatt_is_4b_c(value) {
                value = self
                    .detoasted
                    .run(|| pg_sys::pg_detoast_datum_packed(value));
            }
            Some(pgrx::varlena_to_byte_slice(value))
        }
    }
}
