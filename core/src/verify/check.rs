//! The work on one entry alone: recompute its hashes. This is where the time goes, and it needs
//! nothing but the entry, so any number of threads may do it.

use std::sync::Arc;

use super::digest::{BLOCK, START, State, compress, compress_two, pad, state_of};
use super::view::{Chains, EntryView};
use crate::entry::{Event, VERSION};
use crate::hash::Hash;
use crate::time::write_entry_time;

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

/// Recomputes the hashes of entries, two entries at a time.
#[derive(Clone, Debug)]
pub struct Checker {
    chains: Arc<Chains>,
    shared: Shared,
    /// Entries whose hashes are still to be computed: the first, if `waiting`.
    prepared: [Prepared; 2],
    waiting: bool,
}

/// An entry with all that is hashed for it, padded.
#[derive(Clone, Debug)]
struct Prepared {
    entry: Checked,
    event: Vec<u8>,
    event_state: State,
    event_hash: State,
    link: [[u8; BLOCK]; 2],
}

/// The beginning of the event that was hashed last: entries of one transaction have the same.
#[derive(Clone, Debug, Default)]
struct Shared {
    chain_id: i32,
    appended_at: i64,
    actor: Option<Vec<u8>>,
    context: Option<Vec<u8>>,
    db_user: Vec<u8>,
    kind: Vec<u8>,
    text: Vec<u8>,
    /// The time, and where it stands in `text`.
    time: Vec<u8>,
    time_at: usize,
    /// The state after the whole blocks of `text`, once it was of use twice.
    state: Option<State>,
}

impl Checker {
    /// A checker that knows these chains.
    pub fn new(chains: Arc<Chains>) -> Checker {
        let prepared = [Prepared::new(), Prepared::new()];
        Checker {
            chains,
            shared: Shared::default(),
            prepared,
            waiting: false,
        }
    }

    /// Checks one entry against itself. Results are handed to `done` in any order, up to one entry
    /// late: call [`Checker::flush`] after the last.
    #[inline]
    pub fn check(&mut self, view: &EntryView<'_>, done: &mut impl FnMut(&Checked)) {
        let prepared = &mut self.prepared[usize::from(self.waiting)];
        prepared.entry = Checked {
            seq: view.seq,
            pos: view.pos,
            chain_id: view.chain_id,
            lane: view.lane,
            sound: false,
            prev: Hash::ZERO,
            chain: Hash::ZERO,
        };
        if prepared
            .take(view, &self.chains, &mut self.shared)
            .is_none()
        {
            return done(&prepared.entry);
        }
        if !self.waiting {
            self.waiting = true;
            return;
        }
        self.waiting = false;
        let [a, b] = &mut self.prepared;
        let (mut a_link, mut b_link) = (START, START);
        compress_two(
            (&mut a.event_state, a.event.as_chunks().0),
            (&mut b.event_state, b.event.as_chunks().0),
        );
        compress_two((&mut a_link, &a.link), (&mut b_link, &b.link));
        done(a.judge(&a_link));
        done(b.judge(&b_link));
    }

    /// Hands out the result that is still due, if any.
    pub fn flush(&mut self, done: &mut impl FnMut(&Checked)) {
        if std::mem::take(&mut self.waiting) {
            let [last, _] = &mut self.prepared;
            let mut link = START;
            compress_two(
                (&mut last.event_state, last.event.as_chunks().0),
                (&mut link, &last.link),
            );
            done(last.judge(&link));
        }
    }
}

impl Prepared {
    fn new() -> Prepared {
        Prepared {
            entry: Checked {
                seq: 0,
                pos: 0,
                chain_id: 0,
                lane: 0,
                sound: false,
                prev: Hash::ZERO,
                chain: Hash::ZERO,
            },
            event: Vec::with_capacity(1024),
            event_state: START,
            event_hash: START,
            link: [[0; BLOCK]; 2],
        }
    }

    /// Prepares the messages of an entry. `None` if it cannot be sound, whatever its hashes.
    #[inline]
    fn take(&mut self, view: &EntryView<'_>, chains: &Chains, shared: &mut Shared) -> Option<()> {
        let payload = Hash::from_slice(view.payload_hash)?;
        let event = Hash::from_slice(view.event_hash)?;
        self.entry.prev = Hash::from_slice(view.prev_hash)?;
        self.entry.chain = Hash::from_slice(view.chain_hash)?;
        let chain = chains.get(view.chain_id)?;
        let possible = view.version == VERSION
            && view.pos >= 1
            && chain.has_lane(view.lane)
            && view
                .stored_payload_hash
                .is_none_or(|stored| stored == payload);
        if !possible {
            return None;
        }
        if !shared.fits(view) {
            shared.renew(view, &chain.name);
        } else if shared.state.is_none() {
            let mut state = START;
            compress(&mut state, shared.text.as_chunks().0);
            shared.state = Some(state);
        }
        let (start, state) = match shared.state {
            Some(state) => (shared.text.len() / BLOCK * BLOCK, state),
            None => (0, START),
        };
        self.event.clear();
        self.event.extend_from_slice(&shared.text[start..]);
        event_of(view, "", payload).write_own(&mut self.event);
        let total = start + self.event.len();
        pad(&mut self.event, total);
        self.event_state = state;
        self.event_hash = state_of(&event);
        let [hashes, rest] = &mut self.link;
        hashes[..32].copy_from_slice(&self.entry.prev.0);
        hashes[32..].copy_from_slice(&event.0);
        rest[..8].copy_from_slice(&view.seq.to_be_bytes());
        rest[8] = 0x80;
        rest[56..].copy_from_slice(&(72u64 * 8).to_be_bytes());
        Some(())
    }

    /// The entry, once its messages were compressed.
    #[inline]
    fn judge(&mut self, link: &State) -> &Checked {
        self.entry.sound =
            self.event_state == self.event_hash && *link == state_of(&self.entry.chain);
        &self.entry
    }
}

impl Shared {
    #[inline]
    fn fits(&self, view: &EntryView<'_>) -> bool {
        self.appended_at == view.appended_at && self.fits_but_for_time(view)
    }

    #[inline]
    fn fits_but_for_time(&self, view: &EntryView<'_>) -> bool {
        self.chain_id == view.chain_id
            && self.kind == view.kind
            && self.db_user == view.db_user
            && self.actor.as_deref() == view.actor
            && self.context.as_deref() == view.context
            && !self.text.is_empty()
    }

    fn renew(&mut self, view: &EntryView<'_>, chain: &str) {
        self.state = None;
        let len = self.time.len();
        self.time.clear();
        write_entry_time(view.appended_at, &mut self.time);
        if self.fits_but_for_time(view) && len == self.time.len() {
            self.appended_at = view.appended_at;
            self.text[self.time_at..self.time_at + len].copy_from_slice(&self.time);
            return;
        }
        fn set(own: &mut Option<Vec<u8>>, text: Option<&[u8]>) {
            *own = text.map(|text| {
                let mut own = own.take().unwrap_or_default();
                own.clear();
                own.extend_from_slice(text);
                own
            });
        }
        self.chain_id = view.chain_id;
        self.appended_at = view.appended_at;
        set(&mut self.actor, view.actor);
        set(&mut self.context, view.context);
        self.db_user.clear();
        self.db_user.extend_from_slice(view.db_user);
        self.kind.clear();
        self.kind.extend_from_slice(view.kind);
        self.text.clear();
        let event = event_of(view, chain, Hash::ZERO);
        event.write_before_time(&mut self.text);
        self.time_at = self.text.len();
        self.text.extend_from_slice(&self.time);
        event.write_after_time(&mut self.text);
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
