//! The hashes of events that have much in common: what they share is written, and compressed, once.

use super::{Event, Format};
use crate::hash::{Begun, Messages};

/// Writes what comes behind the part that the events of one flush share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rest {
    manner: Kept<(Format, i16, Option<i32>, u8)>,
    transaction: Kept<(Format, u64)>,
}

impl Rest {
    /// Writes it for an event.
    #[inline]
    pub fn put(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let manner = (event.format, event.lane, event.layout, event.op);
        self.manner
            .put(manner, out, |text| event.write_manner(text));
        event.write_own(out);
        let transaction = (event.format, event.xid);
        self.transaction
            .put(transaction, out, |text| event.write_transaction(text));
    }
}

/// A part of the event before, with what decides it: most have the same.
#[derive(Clone, Debug)]
struct Kept<Of> {
    of: Option<Of>,
    text: Vec<u8>,
}

impl<Of> Default for Kept<Of> {
    fn default() -> Self {
        Kept {
            of: None,
            text: Vec::new(),
        }
    }
}

impl<Of: PartialEq> Kept<Of> {
    #[inline]
    fn put(&mut self, of: Of, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.of.as_ref() != Some(&of) {
            self.of = Some(of);
            self.text.clear();
            write(&mut self.text);
        }
        out.extend_from_slice(&self.text);
    }
}

/// The messages of the events of one flush, which share everything that comes before `lane`: that part is compressed
/// once.
#[derive(Debug)]
pub struct EventHasher {
    shared: Begun,
    /// What of the shared part is no whole block.
    begun: Vec<u8>,
    rest: Rest,
}

impl EventHasher {
    /// A hasher for events that agree with `first` in format, actor, time, chain, context, user and kind.
    pub fn new(first: &Event<'_>) -> EventHasher {
        let mut begun = Vec::with_capacity(512);
        first.write_shared(&mut begun);
        let shared = Begun::with(&begun);
        begun.drain(..shared.bytes());
        EventHasher {
            shared,
            begun,
            rest: Rest::default(),
        }
    }

    /// Adds the message that `event_hash` is the digest of, for an event that agrees with the first one as
    /// [`EventHasher::new`] says.
    #[inline]
    pub fn add(&mut self, event: &Event<'_>, messages: &mut Messages) {
        messages.add_to(self.shared, |out| {
            out.extend_from_slice(&self.begun);
            self.rest.put(event, out);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{Hash, in_turns};

    #[test]
    fn what_is_shared_changes_no_hash() {
        // Shared parts of every length modulo that of a block, and texts that end at any place in one.
        for actor in 0..70 {
            let actor = "b\"ob ".repeat(20)[..actor].to_owned();
            let first = Event {
                actor: Some(actor.as_bytes()),
                appended_at: 848_534_262_123_456,
                chain: b"main",
                context: Some(b"{\"a\":1}"),
                db_user: b"alice",
                kind: b"finding",
                lane: 0,
                layout: None,
                op: b'I',
                payload_hash: Hash::of(actor.as_bytes()),
                pk: Some(b"42"),
                pos: 7,
                format: Format::CURRENT,
                xid: 12345,
            };
            let mut hasher = EventHasher::new(&first);
            let mut messages = Messages::default();
            let mut expected = Vec::new();
            let mut add = |event: Event<'_>| {
                hasher.add(&event, &mut messages);
                expected.push(event.hash(&mut Vec::new()));
            };
            for (at, pos) in (0..).zip([1, 8, 99_999, 1 << 40, i64::MAX, i64::MIN]) {
                let pk = "k".repeat(actor.len() % 13 * at);
                let keyed = Event {
                    pos,
                    pk: Some(pk.as_bytes()),
                    ..first
                };
                let other = Event {
                    layout: Some(-3),
                    op: b'U',
                    lane: at as i16,
                    pk: None,
                    xid: u64::MAX,
                    ..keyed
                };
                [keyed, other, keyed, first].into_iter().for_each(&mut add);
            }
            let mut expected = expected.into_iter();
            messages.finish(in_turns, |hash| assert_eq!(Some(hash), expected.next()));
            assert!(expected.next().is_none());
        }
    }
}
