//! What neighbours say of an entry, and who is to blame where two do not link.

use super::diagnose::{Diagnosis, Doubt};
use super::examined::Examined;
use super::finding::FindingKind;
use super::reader::Slot;
use crate::hash::Hash;

/// How an entry came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing against it: a successor must continue it.
    Firm,
    /// Damaged, so a successor need not.
    Damaged,
    /// Sound, but it does not belong here.
    Stray,
}

/// What is known of the position before an entry.
pub(super) struct Past {
    /// Hashes that the entry may rightly continue.
    pub heads: Vec<Hash>,
    pub standing: Standing,
    pub kind: PastKind,
}

/// What stands at the position before an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PastKind {
    /// Nothing can be before position 1.
    Genesis,
    /// The entry last judged.
    Judged,
    /// An entry outside the window.
    Outside,
    /// No entry.
    Absent,
}

/// What the next position says of an entry.
#[derive(Clone, Copy)]
pub(super) enum Forward<'e> {
    /// This entry continues it.
    Joined(&'e Examined),
    /// This entry is to be believed, and continues another one.
    Denied(&'e Examined),
    /// This entry does not continue it, but nothing continues this entry either.
    Stray(&'e Examined),
    /// This entry is damaged.
    Unclear(&'e Examined),
    /// There is none.
    End,
}

impl<'e> Forward<'e> {
    /// Asks the two positions that come after `entry`, as far as they are right behind.
    pub fn of(entry: &Examined, next: Option<&'e Slot>, after: Option<&Slot>) -> Forward<'e> {
        let Some(next) = next.filter(|next| next.follows(entry.pos)) else {
            return Forward::End;
        };
        let after = after.filter(|after| after.follows(next.pos));
        let followed = |heads: &[Hash]| {
            after.is_some_and(|after| after.entries.iter().any(|e| e.continues(heads).is_some()))
        };
        let heads = entry.heads();
        let joined = next
            .entries
            .iter()
            .filter(|next| next.continues(&heads).is_some());
        if let Some(next) = joined.max_by_key(|next| next.sound()) {
            return Forward::Joined(next);
        }
        let contradicted = after.is_some_and(|after| after.entries.iter().any(Examined::sound));
        let mut stray = None;
        // What was moved up stood behind another entry, and says nothing of this one.
        for candidate in next
            .entries
            .iter()
            .filter(|candidate| candidate.link_holds())
        {
            let followed = followed(&candidate.heads());
            if candidate.sound() && contradicted && !followed {
                stray.get_or_insert(candidate);
            } else if candidate.content_holds() || (followed && !candidate.moved_up) {
                return Forward::Denied(candidate);
            }
        }
        match (stray, next.entries.first()) {
            (Some(stray), _) => Forward::Stray(stray),
            (None, Some(first)) => Forward::Unclear(first),
            (None, None) => Forward::End,
        }
    }

    /// The entry that says it.
    pub fn entry(self) -> Option<&'e Examined> {
        match self {
            Forward::Joined(e) | Forward::Denied(e) | Forward::Stray(e) | Forward::Unclear(e) => {
                Some(e)
            }
            Forward::End => None,
        }
    }
}

/// Which entry of a position belongs there: the one that its neighbours know, else a sound one,
/// else the one appended first.
pub(super) fn rightful(slot: &Slot, past: &Past, next: Option<&Slot>) -> usize {
    let score = |entry: &Examined| {
        let forward = matches!(Forward::of(entry, next, None), Forward::Joined(_));
        let back = entry.continues(&past.heads).is_some();
        2 * u8::from(forward) + 2 * u8::from(back) + u8::from(entry.sound())
    };
    let mut best = (0, 0);
    if slot.entries.len() > 1 {
        for (at, entry) in slot.entries.iter().enumerate() {
            let score = score(entry);
            if score > best.0 {
                best = (score, at);
            }
        }
    }
    best.1
}

/// Judges the links of a sound entry; `None` if nothing is wrong with them. `head` is what it
/// continues of what stands before it.
pub(super) fn judge_links(
    entry: &Examined,
    past: &Past,
    head: Option<Hash>,
    forward: Forward<'_>,
) -> Option<Diagnosis> {
    let diagnosis = |kind, detail: &str, expected, found| {
        let (detail, doubt) = (detail.to_owned(), Doubt::Place);
        Some(Diagnosis {
            kind,
            detail,
            expected,
            found,
            doubt,
        })
    };
    let unlinked = |kind, detail| {
        diagnosis(
            kind,
            detail,
            past.heads.first().copied(),
            entry.prev.found(),
        )
    };
    let rewritten = |next: &Examined| {
        let detail = "the successor commits to another entry at this position: this one, or a run \
                      of entries that ends here, was replaced and its hashes recomputed";
        diagnosis(
            FindingKind::EntryRewritten,
            detail,
            next.prev.hash,
            entry.chain.found(),
        )
    };
    match (head, past.kind, past.standing, forward) {
        (Some(_), _, _, Forward::Denied(next)) if next.continues(&past.heads).is_some() => {
            unlinked(FindingKind::EntryInserted, "its neighbours link around it")
        }
        (Some(_), _, _, Forward::Denied(next)) => rewritten(next),
        (Some(_), ..) => None,
        (None, PastKind::Absent, _, Forward::Denied(next)) => rewritten(next),
        (None, PastKind::Absent, ..) => None,
        (None, _, Standing::Firm | Standing::Stray, Forward::Denied(_) | Forward::Stray(_))
        | (None, _, Standing::Damaged, Forward::Denied(_)) => unlinked(
            FindingKind::EntryInserted,
            "fits neither its predecessor nor its successor, though its own hashes agree: forged, \
             or put in the place of another",
        ),
        (None, kind, Standing::Firm, _) => unlinked(
            FindingKind::LinkBroken,
            match kind {
                PastKind::Genesis => "prev_hash of a lane's first entry must be zero",
                PastKind::Outside => {
                    "prev_hash is not the chain_hash of the entry before it, outside the window"
                }
                _ => "prev_hash is not the chain_hash of the entry before it",
            },
        ),
        (None, ..) => None,
    }
}
