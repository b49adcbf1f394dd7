//! The work on one entry alone: recompute its hashes. This is where the time goes, and it needs
//! nothing but the entry, so any number of threads may do it.

use std::sync::Arc;

use super::view::{Chains, EntryView};
use crate::entry::{Event, EventHasher, VERSION, chain_hash};
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

impl Checked {
    /// Which chain the entry says it belongs to.
    pub fn chain_id(&self) -> i32 {
        self.chain_id
    }
}

/// Recomputes the hashes of entries, one at a time.
#[derive(Debug)]
pub struct Checker {
    chains: Arc<Chains>,
    scratch: Vec<u8>,
    /// What the entries of one flush share, once two in a row have it.
    shared: Option<Shared>,
    last_time: i64,
}

/// The part of an event that all of a flush have in common, hashed.
#[derive(Debug)]
struct Shared {
    chain_id: i32,
    appended_at: i64,
    kind: Vec<u8>,
    db_user: Vec<u8>,
    actor: Option<Vec<u8>>,
    context: Option<Vec<u8>>,
    hasher: EventHasher,
}

impl Shared {
    fn new(view: &EntryView<'_>, event: &Event<'_>) -> Shared {
        Shared {
            chain_id: view.chain_id,
            appended_at: view.appended_at,
            kind: view.kind.to_vec(),
            db_user: view.db_user.to_vec(),
            actor: view.actor.map(<[u8]>::to_vec),
            context: view.context.map(<[u8]>::to_vec),
            hasher: EventHasher::new(event),
        }
    }

    fn fits(&self, view: &EntryView<'_>) -> bool {
        self.appended_at == view.appended_at
            && self.chain_id == view.chain_id
            && self.kind == view.kind
            && self.db_user == view.db_user
            && self.actor.as_deref() == view.actor
            && self.context.as_deref() == view.context
    }
}

impl Checker {
    /// A checker that knows these chains.
    pub fn new(chains: Arc<Chains>) -> Checker {
        Checker {
            chains,
            scratch: Vec::with_capacity(1024),
            shared: None,
            last_time: i64::MIN,
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
        let chains = Arc::clone(&self.chains);
        let name = chains.name(view.chain_id)?;
        let sound = view.version == VERSION
            && view.pos >= 1
            && view.lane >= 0
            && view
                .stored_payload_hash
                .is_none_or(|stored| stored == payload)
            && self.event_hash(view, name, payload) == event
            && chain_hash(&prev, &event, view.seq) == chain;
        sound.then_some((prev, chain))
    }
}

impl Checker {
    fn event_hash(&mut self, view: &EntryView<'_>, chain: &str, payload_hash: Hash) -> Hash {
        let event = event_of(view, chain, payload_hash);
        if let Some(shared) = self.shared.as_mut().filter(|shared| shared.fits(view)) {
            return shared.hasher.hash(&event);
        }
        // A single-row transaction shares nothing with its neighbours; don't prepare for more.
        if std::mem::replace(&mut self.last_time, view.appended_at) == view.appended_at {
            self.shared = Some(Shared::new(view, &event));
        }
        event.hash(&mut self.scratch)
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
