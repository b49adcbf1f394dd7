//! The work on one entry alone: recompute its hashes. This is where the time goes, and it needs
//! nothing but the entry, so any number of threads may do it.

use std::sync::Arc;

use super::view::{Chains, EntryView};
use crate::entry::{Event, VERSION, chain_hash};
use crate::hash::Hash;

/// What the links need to know of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    pub(super) seq: i64,
    pub(super) pos: i64,
    pub(super) chain_id: i32,
    pub(super) lane: i16,
    /// The entry agrees with itself: format, event hash, chain hash and payload. If not, the hashes
    /// mean nothing and the entry is read again.
    pub(super) sound: bool,
    pub(super) prev: Hash,
    pub(super) chain: Hash,
}

/// Recomputes the hashes of entries, one at a time.
#[derive(Clone, Debug)]
pub struct Checker {
    chains: Arc<Chains>,
    scratch: Vec<u8>,
}

impl Checker {
    /// A checker that knows these chains.
    pub fn new(chains: Arc<Chains>) -> Checker {
        Checker {
            chains,
            scratch: Vec::with_capacity(1024),
        }
    }

    /// Checks one entry against itself.
    pub fn check(&mut self, view: &EntryView<'_>) -> Checked {
        let sound = self.sound(view);
        let (prev, chain, sound) =
            sound.map_or((Hash::ZERO, Hash::ZERO, false), |(p, c)| (p, c, true));
        Checked {
            seq: view.seq,
            pos: view.pos,
            chain_id: view.chain_id,
            lane: view.lane,
            sound,
            prev,
            chain,
        }
    }

    fn sound(&mut self, view: &EntryView<'_>) -> Option<(Hash, Hash)> {
        let payload = Hash::from_slice(view.payload_hash)?;
        let event = Hash::from_slice(view.event_hash)?;
        let prev = Hash::from_slice(view.prev_hash)?;
        let chain = Hash::from_slice(view.chain_hash)?;
        let name = self.chains.name(view.chain_id)?;
        let sound = view.version == VERSION
            && view.pos >= 1
            && view.lane >= 0
            && view
                .stored_payload_hash
                .is_none_or(|stored| stored == payload)
            && event_of(view, name, payload).hash(&mut self.scratch) == event
            && chain_hash(&prev, &event, view.seq) == chain;
        sound.then_some((prev, chain))
    }
}

/// The event that an entry records, by its columns.
pub(super) fn event_of<'a>(view: &EntryView<'a>, chain: &'a str, payload_hash: Hash) -> Event<'a> {
    Event {
        actor: view.actor,
        appended_at: view.appended_at,
        chain: chain.as_bytes(),
        context: view.context,
        db_user: view.db_user,
        kind: view.kind,
        lane: view.lane,
        layout: view.layout,
        op: view.op,
        payload_hash,
        pk: view.pk,
        pos: view.pos,
        version: view.version,
        xid: view.xid,
    }
}
