//! Which column of a damaged entry was changed, as far as its neighbours tell.

use super::examined::{Cause, Examined};
use super::finding::FindingKind;
use crate::hash::Hash;

/// What is wrong with an entry that does not agree with itself.
#[derive(Debug)]
pub(super) struct Diagnosis {
    pub kind: FindingKind,
    pub detail: String,
    pub expected: Option<Hash>,
    pub found: Option<Vec<u8>>,
    /// What may still turn out about it once all damage is known.
    pub doubt: Doubt,
}

/// What an entry may be mistaken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Nothing: the changed column is known.
    None,
    /// Nothing, but another entry may belong where it stands.
    Place,
    /// Its content or its place may be another entry's.
    Content,
    /// Its `seq` may be another entry's.
    Seq,
}

/// Diagnoses an entry that is not sound. `heads` are the hashes of its predecessor, none if that is
/// not known; `next` is the entry after it, if it stands at the next position.
pub(super) fn diagnose(entry: &Examined, heads: &[Hash], next: Option<&Examined>) -> Diagnosis {
    let mut diagnosis = misshapen(entry)
        .or_else(|| content_changed(entry, heads))
        .unwrap_or_else(|| link_changed(entry, heads, next));
    if entry.other_payload.is_some() && !matches!(entry.cause, Some(Cause::PayloadHash(_))) {
        diagnosis
            .detail
            .push_str("; its stored payload does not match payload_hash either");
    }
    diagnosis
}

/// Columns that hold what no entry can hold, and formats that are not known.
fn misshapen(entry: &Examined) -> Option<Diagnosis> {
    let doubt = if entry.content_holds() {
        Doubt::None
    } else {
        Doubt::Content
    };
    if !entry.place_holds() {
        return Some(Diagnosis {
            kind: FindingKind::Malformed,
            detail: format!(
                "lane {}, pos {} is no place in this chain: lanes are numbered from 0, positions from 1",
                entry.lane, entry.pos
            ),
            expected: None,
            found: None,
            doubt,
        });
    }
    if entry.foreign() {
        return Some(Diagnosis {
            kind: FindingKind::UnknownVersion,
            detail: format!(
                "version is {}; this verifier knows version 1",
                entry.version
            ),
            expected: None,
            found: None,
            doubt: Doubt::None,
        });
    }
    let columns = [
        ("payload_hash", &entry.payload, entry.other_payload),
        ("event_hash", &entry.event, entry.own_event),
        ("prev_hash", &entry.prev, None),
        ("chain_hash", &entry.chain, entry.own_link),
    ];
    let (name, column, expected) = columns.into_iter().find(|(_, c, _)| c.hash.is_none())?;
    let length = match column.len {
        0 => "is empty or null".to_owned(),
        len => format!("has {len} bytes"),
    };
    Some(Diagnosis {
        kind: FindingKind::Malformed,
        detail: format!("{name} {length}; a SHA-256 digest has 32"),
        expected,
        found: column.found(),
        doubt: Doubt::None,
    })
}

/// The content does not match `event_hash`.
fn content_changed(entry: &Examined, heads: &[Hash]) -> Option<Diagnosis> {
    let edited = |detail: String, expected, found: Option<Vec<u8>>, doubt| {
        Some(Diagnosis {
            kind: FindingKind::EntryEdited,
            detail,
            expected,
            found,
            doubt,
        })
    };
    let bytes = |hash: Option<Hash>| hash.map(|hash| hash.0.to_vec());
    match entry.cause? {
        Cause::Format(format) => edited(
            format!(
                "version was changed from {} to {}",
                format.version(),
                entry.version
            ),
            entry.event.hash,
            bytes(entry.own_event),
            Doubt::None,
        ),
        Cause::PayloadHash(payload) => edited(
            "payload_hash was changed: event_hash and the stored payload agree on another".into(),
            Some(payload),
            entry.payload.found(),
            Doubt::None,
        ),
        Cause::Unknown => {
            let own = entry.own_event.filter(|_| !entry.link_holds());
            let by_link = entry
                .prev
                .hash
                .iter()
                .chain(heads)
                .any(|head| entry.links_from(head));
            match own {
                Some(own) if by_link => edited(
                    "event_hash was changed: the content and chain_hash agree on another".into(),
                    Some(own),
                    entry.event.found(),
                    Doubt::None,
                ),
                _ => edited(
                    "the content does not match event_hash".into(),
                    entry.event.hash,
                    bytes(entry.own_event),
                    Doubt::Content,
                ),
            }
        }
    }
}

/// The content matches `event_hash`, but `chain_hash` does not follow.
fn link_changed(entry: &Examined, heads: &[Hash], next: Option<&Examined>) -> Diagnosis {
    let edited = |detail: &str, expected, found, doubt| Diagnosis {
        kind: FindingKind::EntryEdited,
        detail: detail.to_owned(),
        expected,
        found,
        doubt,
    };
    let prev_fits = entry.prev.hash.is_some_and(|prev| heads.contains(&prev));
    if let Some(head) = heads
        .iter()
        .find(|head| !prev_fits && entry.links_from(head))
    {
        return edited(
            "prev_hash was changed: chain_hash and the predecessor agree on another",
            Some(*head),
            entry.prev.found(),
            Doubt::None,
        );
    }
    let next_says = next.and_then(|next| next.prev.hash);
    if next_says.is_some() && next_says == entry.own_link {
        return edited(
            "chain_hash was changed: prev_hash, event_hash, seq and the successor agree on another",
            entry.own_link,
            entry.chain.found(),
            Doubt::None,
        );
    }
    let detail = match (
        prev_fits,
        next_says.is_some() && next_says == entry.chain.hash,
    ) {
        (true, true) => "seq was changed: the neighbours agree with prev_hash and chain_hash",
        (true, false) => "seq or chain_hash was changed: chain_hash does not follow from the rest",
        (false, true) => "seq or prev_hash was changed: chain_hash does not follow from them",
        (false, false) => "chain_hash does not follow from prev_hash, event_hash and seq",
    };
    edited(detail, entry.own_link, entry.chain.found(), Doubt::Seq)
}
