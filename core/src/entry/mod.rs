//! The entry of a chain: what is hashed, and how (format version 1).
//!
//! ```text
//! payload_hash = SHA-256(canonical JSON of the row or payload)
//! event_hash   = SHA-256(canonical JSON of the event)
//! chain_hash   = SHA-256(prev_hash || event_hash || seq as 8 bytes, big-endian)
//! ```
//!
//! The event is exactly, without line breaks and with names in this order:
//!
//! ```text
//! {"actor":null,"appended_at":"2026-11-20T23:57:42.123456Z","chain":"main","context":null,
//!  "db_user":"alice","kind":"finding","lane":0,"layout":null,"op":"I",
//!  "payload_hash":"<64 hex>","pk":"42","pos":"7","v":1,"xid":"12345"}
//! ```
//!
//! `prev_hash` is 32 zero bytes at `pos = 1`. The format is also told, with a worked example, in
//! `docs/FORMAT.md`.

mod format;
mod hasher;
mod v1;

pub use self::format::Format;
use self::format::Part;
pub use self::hasher::EventHasher;
pub(crate) use self::hasher::Rest;

use crate::canonical::write_string;
use crate::hash::{Hash, Sink};
use crate::time::write_entry_time;

/// What an entry records. Texts are UTF-8; absent ones are written as `null`.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Setting `auditspine.actor` when the change was made.
    pub actor: Option<&'a [u8]>,
    /// Microseconds since 2000-01-01 00:00 UTC.
    pub appended_at: i64,
    /// Name of the chain.
    pub chain: &'a [u8],
    /// Setting `auditspine.context` when the change was made, as canonical JSON.
    pub context: Option<&'a [u8]>,
    /// The session user.
    pub db_user: &'a [u8],
    /// The source, by default the table.
    pub kind: &'a [u8],
    /// Lane within the chain.
    pub lane: i16,
    /// The recorded column layout that the row was hashed under.
    pub layout: Option<i32>,
    /// `I`, `U`, `D`, `T`, `A` or `S`; any byte in a tampered entry.
    pub op: u8,
    /// SHA-256 of the canonical payload.
    pub payload_hash: Hash,
    /// Key of the row.
    pub pk: Option<&'a [u8]>,
    /// Position within the lane, from 1.
    pub pos: i64,
    /// What the entry is hashed as.
    pub format: Format,
    /// Full transaction id.
    pub xid: u64,
}

impl Event<'_> {
    /// Writes the canonical JSON of the event.
    pub fn write<S: Sink>(&self, out: &mut S) {
        self.write_shared(out);
        self.write_rest(out);
    }

    /// `event_hash`. `scratch` is cleared and reused.
    pub fn hash(&self, scratch: &mut Vec<u8>) -> Hash {
        scratch.clear();
        self.write(scratch);
        Hash::of(scratch)
    }

    /// The part of the event that the entries of one flush mostly share.
    fn write_shared<S: Sink>(&self, out: &mut S) {
        self.write_before_time(out);
        write_entry_time(self.appended_at, out);
        self.write_after_time(out);
    }

    #[inline]
    pub(crate) fn write_before_time<S: Sink>(&self, out: &mut S) {
        self.format.write(Part::BeforeTime, self, out);
    }

    /// What comes between the time and [`Event::write_manner`].
    #[inline]
    pub(crate) fn write_after_time<S: Sink>(&self, out: &mut S) {
        self.format.write(Part::AfterTime, self, out);
    }

    /// All that comes behind what the entries of one flush share.
    fn write_rest<S: Sink>(&self, out: &mut S) {
        self.write_manner(out);
        self.write_own(out);
        self.write_transaction(out);
    }

    /// What lane, layout and operation decide.
    #[inline]
    fn write_manner<S: Sink>(&self, out: &mut S) {
        self.format.write(Part::Manner, self, out);
    }

    /// What each event has for itself.
    #[inline]
    fn write_own<S: Sink>(&self, out: &mut S) {
        self.format.write(Part::Own, self, out);
    }

    /// What the transaction decides.
    #[inline]
    fn write_transaction<S: Sink>(&self, out: &mut S) {
        self.format.write(Part::Transaction, self, out);
    }
}

/// `chain_hash`: binds an event to its predecessor and its place in the database-wide order.
pub fn chain_hash(prev: &Hash, event: &Hash, seq: i64) -> Hash {
    let mut link = [0; 72];
    link[..32].copy_from_slice(&prev.0);
    link[32..64].copy_from_slice(&event.0);
    link[64..].copy_from_slice(&seq.to_be_bytes());
    Hash::of(&link)
}

fn write_optional<S: Sink>(text: Option<&[u8]>, out: &mut S) {
    match text {
        Some(text) => write_string(text, out),
        None => out.put(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event<'static> {
        Event {
            actor: None,
            appended_at: 848_534_262_123_456,
            chain: b"main",
            context: None,
            db_user: b"alice",
            kind: b"finding",
            lane: 0,
            layout: None,
            op: b'I',
            payload_hash: Hash::of(b"{\"id\":42}"),
            pk: Some(b"42"),
            pos: 7,
            format: Format::CURRENT,
            xid: 12345,
        }
    }

    #[test]
    fn event_text_is_the_documented_one() {
        let mut text = Vec::new();
        event().write(&mut text);
        let expected = format!(
            "{{\"actor\":null,\"appended_at\":\"2026-11-20T23:57:42.123456Z\",\"chain\":\"main\",\
             \"context\":null,\"db_user\":\"alice\",\"kind\":\"finding\",\"lane\":0,\
             \"layout\":null,\"op\":\"I\",\"payload_hash\":\"{}\",\"pk\":\"42\",\"pos\":\"7\",\
             \"v\":1,\"xid\":\"12345\"}}",
            Hash::of(b"{\"id\":42}")
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn every_fact_is_inside_the_hash() {
        let base = event();
        let variants = [
            Event {
                actor: Some(b""),
                ..base
            },
            Event {
                appended_at: base.appended_at + 1,
                ..base
            },
            Event {
                chain: b"mai",
                ..base
            },
            Event {
                context: Some(b"null "),
                ..base
            },
            Event {
                db_user: b"alicf",
                ..base
            },
            Event {
                kind: b"findinh",
                ..base
            },
            Event { lane: 1, ..base },
            Event {
                layout: Some(0),
                ..base
            },
            Event { op: b'U', ..base },
            Event { op: 200, ..base },
            Event {
                payload_hash: Hash::ZERO,
                ..base
            },
            Event { pk: None, ..base },
            Event {
                pk: Some(b"43"),
                ..base
            },
            Event { pos: 8, ..base },
            Event { xid: 12346, ..base },
        ];
        let mut hashes: Vec<Hash> = variants.iter().map(|e| e.hash(&mut Vec::new())).collect();
        hashes.push(base.hash(&mut Vec::new()));
        let count = hashes.len();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), count);
    }

    #[test]
    fn chain_hash_is_the_hash_of_72_bytes() {
        let (prev, event) = (Hash::of(b"p"), Hash::of(b"e"));
        let bytes = [&prev.0[..], &event.0[..], &258i64.to_be_bytes()[..]].concat();
        assert_eq!(chain_hash(&prev, &event, 258), Hash::of(&bytes));
        assert_ne!(chain_hash(&event, &prev, 258), Hash::of(&bytes));
    }
}
