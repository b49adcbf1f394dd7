//! An entry looked at closely: everything that its columns say, held against each other, so that
//! with its neighbours at hand the changed column can be told from the untouched ones.

use super::check::event_of;
use super::finding::Neighbour;
use super::kept::{Facts, Kept};
use super::view::{Chain, EntryView};
use crate::entry::{Event, Format, chain_hash};
use crate::hash::Hash;

/// An entry with more than this in texts is not held for telling where it was moved from.
const CONTENT_BYTES: usize = 16 * 1024;

/// Of a longer text, only the beginning is kept as evidence.
const TEXT_BYTES: usize = 4096;

/// As much of a UTF-8 text as is kept, whole characters only.
fn beginning(text: &[u8]) -> Vec<u8> {
    let mut end = text.len().min(TEXT_BYTES);
    while end > 0 && text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    text[..end].to_vec()
}

/// A hash column as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// The digest, where the column holds 32 bytes.
    pub hash: Option<Hash>,
    /// Length in bytes.
    pub len: usize,
    /// The beginning of what is no digest.
    odd: Vec<u8>,
}

impl Column {
    fn new(bytes: &[u8]) -> Column {
        let hash = Hash::from_slice(bytes);
        let odd = if hash.is_some() {
            Vec::new()
        } else {
            bytes[..bytes.len().min(64)].to_vec()
        };
        Column {
            hash,
            len: bytes.len(),
            odd,
        }
    }

    /// The stored bytes, as a finding shows them.
    pub fn found(&self) -> Option<Vec<u8>> {
        Some(
            self.hash
                .map_or_else(|| self.odd.clone(), |hash| hash.0.to_vec()),
        )
    }
}

/// What an entry's event is made of, without its place.
#[derive(Clone, Debug)]
pub(super) struct Content {
    actor: Option<Vec<u8>>,
    appended_at: i64,
    context: Option<Vec<u8>>,
    db_user: Vec<u8>,
    kind: Vec<u8>,
    layout: Option<i32>,
    op: u8,
    payload_hash: Hash,
    pk: Option<Vec<u8>>,
    format: Format,
    xid: u64,
}

impl Content {
    fn of(view: &EntryView<'_>) -> Option<Content> {
        let payload_hash = Hash::from_slice(view.payload_hash)?;
        let format = Format::parse(view.version)?;
        let optional = |text: Option<&[u8]>| text.map_or(0, <[u8]>::len);
        let bytes = view.db_user.len()
            + view.kind.len()
            + optional(view.actor)
            + optional(view.context)
            + optional(view.pk);
        (bytes <= CONTENT_BYTES).then(|| Content {
            actor: view.actor.map(<[u8]>::to_vec),
            appended_at: view.appended_at,
            context: view.context.map(<[u8]>::to_vec),
            db_user: view.db_user.to_vec(),
            kind: view.kind.to_vec(),
            layout: view.layout,
            op: view.op,
            payload_hash,
            pk: view.pk.map(<[u8]>::to_vec),
            format,
            xid: view.xid,
        })
    }

    /// The event hash that this content would have at another place.
    pub fn hash_at(&self, chain: &str, lane: i16, pos: i64, scratch: &mut Vec<u8>) -> Hash {
        Event {
            actor: self.actor.as_deref(),
            appended_at: self.appended_at,
            chain: chain.as_bytes(),
            context: self.context.as_deref(),
            db_user: &self.db_user,
            kind: &self.kind,
            lane,
            layout: self.layout,
            op: self.op,
            payload_hash: self.payload_hash,
            pk: self.pk.as_deref(),
            pos,
            format: self.format,
            xid: self.xid,
        }
        .hash(scratch)
    }
}

/// Later positions that an entry may have been moved up from, after others were removed.
fn behind(pos: i64) -> impl Iterator<Item = i64> {
    const SHIFT: i64 = 16;
    (1..=SHIFT).filter_map(move |by| pos.checked_add(by))
}

/// Which single column explains that the content does not match `event_hash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// With this format it would match.
    Format(Format),
    /// With the hash of the stored payload, which is given, it would match.
    PayloadHash(Hash),
    /// Any other.
    Unknown,
}

/// An entry and what its columns say of each other.
#[derive(Clone, Debug)]
pub(super) struct Examined {
    pub chain_id: i32,
    pub lane: i16,
    /// Of its chain, if known.
    lanes: Option<i16>,
    pub pos: i64,
    pub seq: i64,
    pub version: i16,
    /// Of `version`, if it is known.
    format: Option<Format>,
    /// The content does not match `event_hash` here, but would a few positions later.
    pub moved_up: bool,
    pub payload: Column,
    pub event: Column,
    pub prev: Column,
    pub chain: Column,
    /// `event_hash` recomputed; `None` without a format, a chain name or a payload hash.
    pub own_event: Option<Hash>,
    /// `chain_hash` recomputed from the stored `prev_hash`, `event_hash` and `seq`.
    pub own_link: Option<Hash>,
    /// Of the stored payload, where it is not the one that `payload_hash` names.
    pub other_payload: Option<Hash>,
    /// There is no stored payload.
    no_payload: bool,
    op: u8,
    layout: Option<i32>,
    /// `None` where the content matches `event_hash`.
    pub cause: Option<Cause>,
    pub kind: Vec<u8>,
    pub pk: Option<Vec<u8>>,
    /// Only where the content does not match `event_hash`.
    pub content: Option<Box<Content>>,
}

impl Examined {
    /// Looks closely at `view`. `chain` is its chain, if known; `scratch` is reused.
    pub fn new(view: &EntryView<'_>, chain: Option<&Chain>, scratch: &mut Vec<u8>) -> Examined {
        let payload = Column::new(view.payload_hash);
        let event = Column::new(view.event_hash);
        let prev = Column::new(view.prev_hash);
        let format = Format::parse(view.version);
        let mut event_with = |payload: Option<Hash>, format| {
            Some(event_of(view, format?, &chain?.name, payload?).hash(scratch))
        };
        let other_payload = view
            .stored_payload_hash
            .filter(|&stored| payload.hash != Some(stored));
        let own_event = event_with(payload.hash, format);
        let matches = |hash: Option<Hash>| hash.is_some() && hash == event.hash;
        let others = || {
            Format::ALL
                .into_iter()
                .filter(|&other| Some(other) != format)
        };
        let cause = if matches(own_event) {
            None
        } else if let Some(other) =
            others().find(|&other| matches(event_with(payload.hash, Some(other))))
        {
            Some(Cause::Format(other))
        } else if matches(event_with(other_payload, format)) {
            other_payload.map(Cause::PayloadHash)
        } else {
            Some(Cause::Unknown)
        };
        let content = cause.and_then(|_| Content::of(view)).map(Box::new);
        Examined {
            chain_id: view.chain_id,
            lane: view.lane,
            lanes: chain.map(|chain| chain.lanes),
            pos: view.pos,
            seq: view.seq,
            version: view.version,
            format,
            moved_up: chain
                .zip(content.as_deref())
                .is_some_and(|(chain, content)| {
                    let at = |pos| content.hash_at(&chain.name, view.lane, pos, scratch);
                    behind(view.pos)
                        .map(at)
                        .any(|hash| Some(hash) == event.hash)
                }),
            own_link: prev
                .hash
                .zip(event.hash)
                .map(|(p, e)| chain_hash(&p, &e, view.seq)),
            payload,
            event,
            prev,
            chain: Column::new(view.chain_hash),
            own_event,
            other_payload,
            no_payload: view.stored_payload_hash.is_none(),
            op: view.op,
            layout: view.layout,
            kind: beginning(view.kind),
            pk: view.pk.map(beginning),
            content,
            cause,
        }
    }

    /// The entry was written with its payload, and lost it.
    pub fn lost_payload(&self, kept: &Kept) -> bool {
        self.payload.hash.is_some_and(|payload_hash| {
            let facts = Facts {
                seq: self.seq,
                op: self.op,
                kind: &self.kind,
                layout: self.layout,
                payload_hash,
            };
            self.no_payload && kept.misses(&facts)
        })
    }

    /// The format is one that this code cannot recompute.
    pub fn foreign(&self) -> bool {
        self.format.is_none() && !matches!(self.cause, Some(Cause::Format(_)))
    }

    /// The content is what `event_hash` says.
    pub fn content_holds(&self) -> bool {
        self.cause.is_none()
    }

    /// `chain_hash` follows from `prev_hash`, `event_hash` and `seq`.
    pub fn link_holds(&self) -> bool {
        self.own_link.is_some() && self.own_link == self.chain.hash
    }

    /// `lane` and `pos` are possible ones.
    pub fn place_holds(&self) -> bool {
        self.pos >= 1 && self.lane >= 0 && self.lanes.is_none_or(|lanes| self.lane < lanes)
    }

    /// Everything but the payload agrees.
    pub fn sound(&self) -> bool {
        self.content_holds()
            && self.link_holds()
            && self.format.is_some()
            && self.place_holds()
            && self.payload.hash.is_some()
    }

    /// The hashes that a successor may rightly continue: the stored one, and what it was if one of
    /// the hash columns was changed.
    pub fn heads(&self) -> Vec<Hash> {
        let mut heads: Vec<Hash> = self.chain.hash.into_iter().collect();
        if !self.link_holds() && !self.foreign() {
            heads.extend(self.own_link);
            if let (Some(prev), Some(event), Some(Cause::Unknown)) =
                (self.prev.hash, self.own_event, self.cause)
            {
                heads.push(chain_hash(&prev, &event, self.seq));
            }
        }
        heads
    }

    /// The head among `heads` that this entry continues: by its `prev_hash`, or, where that was
    /// changed, by its `chain_hash`.
    pub fn continues(&self, heads: &[Hash]) -> Option<Hash> {
        let named = heads.iter().find(|&&head| self.prev.hash == Some(head));
        named.copied().or_else(|| {
            let hidden = !self.link_holds() && !self.foreign();
            heads
                .iter()
                .copied()
                .find(|head| hidden && self.links_from(head))
        })
    }

    /// Whether `chain_hash` is right with `head` in the place of `prev_hash`.
    pub fn links_from(&self, head: &Hash) -> bool {
        let events = [self.event.hash, self.own_event];
        self.chain.hash.is_some()
            && events
                .into_iter()
                .flatten()
                .any(|event| Some(chain_hash(head, &event, self.seq)) == self.chain.hash)
    }

    /// As evidence for a finding at another entry.
    pub fn neighbour(&self) -> Neighbour {
        Neighbour {
            pos: self.pos,
            seq: self.seq,
            prev_hash: self.prev.hash,
            chain_hash: self.chain.hash,
        }
    }

    /// A total order among entries at one place that does not depend on how they are stored: what equals
    /// in it is told of in the same words.
    pub fn order(&self) -> impl Ord + use<'_> {
        fn hash(column: &Column) -> (Option<Hash>, usize, &[u8]) {
            (column.hash, column.len, &column.odd)
        }
        let hashes = (
            hash(&self.chain),
            hash(&self.event),
            hash(&self.prev),
            hash(&self.payload),
        );
        let told = (self.version, &self.kind, &self.pk);
        (self.seq, hashes, self.own_event, self.other_payload, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "ä".repeat(TEXT_BYTES);
        for skip in 0..2 {
            let kept = beginning(&[&b"x"[..skip], text.as_bytes()].concat());
            assert_eq!(kept.len(), TEXT_BYTES - skip);
            assert!(std::str::from_utf8(&kept).is_ok());
        }
        assert_eq!(beginning(b"short"), b"short");
        assert_eq!(beginning(&[0x80; 5000]), b"");
    }
}
