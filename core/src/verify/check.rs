//! The work on one entry alone: recompute its hashes. This is where the time goes, and it needs
//! nothing but the entry, so any number of threads may do it.

use std::sync::Arc;

use super::kept::{Facts, Kept};
use super::view::{Chains, EntryView};
use crate::entry::{Event, Format, Rest};
use crate::hash::{BLOCK, Begun, Hash, INITIAL, compress_two, pad, state_of};
use crate::time::write_entry_time;

/// What the links need to know of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    pub(super) seq: i64,
    pub(super) pos: i64,
    pub(super) chain_id: i32,
    pub(super) lane: i16,
    pub(super) appended_at: i64,
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

    /// Whether the entry agrees with itself: format, event hash, chain hash and payload.
    pub fn is_sound(&self) -> bool {
        self.sound
    }
}

/// Recomputes the hashes of entries.
#[derive(Clone, Debug)]
pub struct Checker {
    chains: Arc<Chains>,
    kept: Arc<Kept>,
    shared: Shared,
    rest: Rest,
    /// What is hashed of the event behind the blocks that it shares, padded.
    event: Vec<u8>,
}

/// What an entry says of its hashes, to be held against what its messages come to.
pub(super) struct Claim<'a> {
    pub event: &'a [u8; 32],
    pub prev: &'a [u8; 32],
    pub chain: &'a [u8; 32],
    /// What of the event is compressed already.
    pub begun: Begun,
}

/// The beginning of the event that was hashed last: entries of one transaction have the same.
#[derive(Clone, Debug, Default)]
struct Shared {
    /// `None` before the first.
    format: Option<Format>,
    chain_id: i32,
    /// How many lanes the chain has; none if there is no such chain.
    lanes: i16,
    appended_at: i64,
    actor: Option<Vec<u8>>,
    context: Option<Vec<u8>>,
    db_user: Vec<u8>,
    kind: Vec<u8>,
    text: Vec<u8>,
    /// The time, and where it stands in `text`.
    time: Vec<u8>,
    time_at: usize,
    /// The whole blocks of `text`, once it was of use twice.
    begun: Option<Begun>,
}

impl Checker {
    /// A checker that knows these chains, and which entries keep their payload.
    pub fn new(chains: Arc<Chains>, kept: Arc<Kept>) -> Checker {
        Checker {
            chains,
            kept,
            shared: Shared::default(),
            rest: Rest::default(),
            event: Vec::new(),
        }
    }

    /// Checks one entry against itself.
    #[inline]
    pub fn check(&mut self, view: &EntryView<'_>) -> Checked {
        let mut text = std::mem::take(&mut self.event);
        text.clear();
        let sound = self.claim(view, &mut text).filter(|claim| {
            let (mut event, mut link) = (claim.begun.state, INITIAL);
            let total = claim.begun.bytes() + text.len();
            pad(&mut text, total);
            let mut message = LinkMessage::default();
            message.set(claim, view.seq);
            compress_two(
                (&mut event, text.as_chunks().0),
                (&mut link, message.blocks()),
            );
            event == state_of(claim.event) && link == state_of(claim.chain)
        });
        self.event = text;
        Checked::of(view, sound.as_ref())
    }

    /// What the entry says of its hashes, if all else that it says is possible. Adds to `text` what of the event is
    /// still to be compressed.
    #[inline]
    pub(super) fn claim<'a>(
        &mut self,
        view: &EntryView<'a>,
        text: &mut Vec<u8>,
    ) -> Option<Claim<'a>> {
        let payload = Hash::from_slice(view.payload_hash)?;
        let event = view.event_hash.try_into().ok()?;
        let prev = view.prev_hash.try_into().ok()?;
        let chain = view.chain_hash.try_into().ok()?;
        let format = Format::parse(view.version)?;
        let kept = match view.stored_payload_hash {
            Some(stored) => stored == payload,
            None => !self.kept.misses(&facts_of(view, payload)),
        };
        let possible = view.pos >= 1 && kept;
        if !possible {
            return None;
        }
        let begun = self.shared.begin(view, format, &self.chains)?;
        text.extend_from_slice(&self.shared.text[begun.bytes()..]);
        self.rest.put(&event_of(view, format, "", payload), text);
        Some(Claim {
            event,
            prev,
            chain,
            begun,
        })
    }
}

impl Checked {
    /// Of an entry that agrees with itself as it claims; of one that does not, if there is no claim.
    #[inline]
    pub(super) fn of(view: &EntryView<'_>, claim: Option<&Claim<'_>>) -> Checked {
        Checked {
            seq: view.seq,
            pos: view.pos,
            chain_id: view.chain_id,
            lane: view.lane,
            appended_at: view.appended_at,
            sound: claim.is_some(),
            prev: claim.map_or(Hash::ZERO, |claim| Hash(*claim.prev)),
            chain: claim.map_or(Hash::ZERO, |claim| Hash(*claim.chain)),
        }
    }
}

/// The message that [`crate::entry::chain_hash`] is taken over, padded.
#[derive(Clone, Debug)]
pub(super) struct LinkMessage([[u8; BLOCK]; 2]);

impl Default for LinkMessage {
    fn default() -> LinkMessage {
        let mut blocks = [[0; BLOCK]; 2];
        blocks[1][8] = 0x80;
        blocks[1][56..].copy_from_slice(&(72u64 * 8).to_be_bytes());
        LinkMessage(blocks)
    }
}

impl LinkMessage {
    /// Makes it that of an entry.
    #[inline]
    pub fn set(&mut self, claim: &Claim<'_>, seq: i64) {
        let [hashes, rest] = &mut self.0;
        hashes[..32].copy_from_slice(claim.prev);
        hashes[32..].copy_from_slice(claim.event);
        rest[..8].copy_from_slice(&seq.to_be_bytes());
    }

    /// The `event_hash` in it.
    #[inline]
    pub fn event(&self) -> &[u8; 32] {
        let (hashes, _) = self.0[0].as_chunks();
        &hashes[1]
    }

    /// Its blocks.
    #[inline]
    pub fn blocks(&self) -> &[[u8; BLOCK]] {
        &self.0
    }
}

impl Shared {
    /// Makes `text` that of `view`. Returns what of it is compressed already; `None` if there is no such chain or lane.
    #[inline]
    fn begin(&mut self, view: &EntryView<'_>, format: Format, chains: &Chains) -> Option<Begun> {
        let fits = self.appended_at == view.appended_at && self.fits_but_for_time(view, format);
        if !fits {
            self.renew(view, format, chains);
        }
        if !(0..self.lanes).contains(&view.lane) {
            return None;
        }
        if !fits {
            return Some(Begun::default());
        }
        Some(*self.begun.get_or_insert_with(|| Begun::with(&self.text)))
    }

    #[inline]
    fn fits_but_for_time(&self, view: &EntryView<'_>, format: Format) -> bool {
        self.format == Some(format)
            && self.chain_id == view.chain_id
            && self.kind == view.kind
            && self.db_user == view.db_user
            && self.actor.as_deref() == view.actor
            && self.context.as_deref() == view.context
    }

    fn renew(&mut self, view: &EntryView<'_>, format: Format, chains: &Chains) {
        self.begun = None;
        let len = self.time.len();
        self.time.clear();
        write_entry_time(view.appended_at, &mut self.time);
        if self.fits_but_for_time(view, format) && len == self.time.len() {
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
        let chain = chains.get(view.chain_id);
        self.format = Some(format);
        self.chain_id = view.chain_id;
        self.lanes = chain.map_or(0, |chain| chain.lanes);
        self.appended_at = view.appended_at;
        set(&mut self.actor, view.actor);
        set(&mut self.context, view.context);
        self.db_user.clear();
        self.db_user.extend_from_slice(view.db_user);
        self.kind.clear();
        self.kind.extend_from_slice(view.kind);
        self.text.clear();
        let name = chain.map_or("", |chain| &*chain.name);
        let event = event_of(view, format, name, Hash::ZERO);
        event.write_before_time(&mut self.text);
        self.time_at = self.text.len();
        self.text.extend_from_slice(&self.time);
        event.write_after_time(&mut self.text);
    }
}

/// What decides whether an entry was written with its payload.
pub(super) fn facts_of<'a>(view: &EntryView<'a>, payload_hash: Hash) -> Facts<'a> {
    Facts {
        seq: view.seq,
        op: view.op,
        kind: view.kind,
        layout: view.layout,
        payload_hash,
    }
}

/// The event that an entry records, by its columns, if it has this format.
pub(super) fn event_of<'a>(
    view: &EntryView<'a>,
    format: Format,
    chain: &'a str,
    payload_hash: Hash,
) -> Event<'a> {
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
        format,
        xid: view.xid,
    }
}
