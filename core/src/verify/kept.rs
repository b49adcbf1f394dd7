//! Which entries keep their payload, and of which it was erased on record.
//!
//! `payload_hash` is in the hashes of an entry and `payload` is not, so that what a row held can be erased.
//! An entry that was written with its payload, has none any more, and of which no entry says that it was
//! erased, has lost it to somebody who did not say so.

use std::collections::{BTreeMap, HashMap};

use crate::hash::Hash;

/// Whether the rows under a layout are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// The layout says so.
    Rows,
    /// The layout says that hashes alone are kept.
    Hashes,
    /// The layout does not say: what the table was attached with tells, if anything does.
    Unsaid,
}

/// What entries that are not at hand say of the others; by default nothing is known, and nothing missed.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    layouts: BTreeMap<i32, Keeps>,
    /// By kind: from which entry on its rows are kept, or not; in order.
    declared: HashMap<Vec<u8>, Vec<(i64, bool)>>,
    /// Entries whose payload was erased, in order.
    erased: Vec<i64>,
    is_known: bool,
}

/// What decides of one entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub seq: i64,
    pub op: u8,
    pub kind: &'a [u8],
    pub layout: Option<i32>,
    pub payload_hash: Hash,
}

impl Kept {
    /// Nothing kept or erased, as far as entries say that tell such things: they have been looked at.
    pub fn known() -> Kept {
        Kept {
            is_known: true,
            ..Kept::default()
        }
    }

    /// Takes in what a recorded layout says.
    pub fn layout(&mut self, id: i32, keeps: Keeps) {
        self.layouts.insert(id, keeps);
    }

    /// Takes in that a kind was attached with the entry `seq`, and whether its rows were to be kept.
    pub fn declared(&mut self, kind: &[u8], seq: i64, keeps: bool) {
        let of_kind = self.declared.entry(kind.to_vec()).or_default();
        let at = of_kind.partition_point(|(known, _)| *known < seq);
        of_kind.insert(at, (seq, keeps));
    }

    /// Takes in the entries whose payload was erased on record, in any order.
    pub fn erased(&mut self, entries: impl IntoIterator<Item = i64>) {
        self.erased.extend(entries);
        self.erased.sort_unstable();
        self.erased.dedup();
    }

    /// Whether an entry without a payload was written with one, and no entry says that it was erased.
    #[inline]
    pub(super) fn misses(&self, facts: &Facts<'_>) -> bool {
        self.is_known && self.were_kept(facts) && self.erased.binary_search(&facts.seq).is_err()
    }

    #[inline]
    fn were_kept(&self, facts: &Facts<'_>) -> bool {
        match facts.op {
            b'I' | b'U' | b'D' => match facts.layout.and_then(|id| self.layouts.get(&id)) {
                Some(Keeps::Rows) => true,
                Some(Keeps::Hashes) => false,
                Some(Keeps::Unsaid) | None => self.were_declared(facts),
            },
            // The extension's own, and those written by hand, keep what they were given.
            b'A' | b'S' | b'T' => facts.payload_hash != Hash::of(b"null"),
            _ => false,
        }
    }

    fn were_declared(&self, facts: &Facts<'_>) -> bool {
        // Mostly nothing is declared for good, or nothing is kept.
        if self.declared.is_empty() {
            return false;
        }
        let Some(of_kind) = self.declared.get(facts.kind) else {
            return false;
        };
        let at = of_kind.partition_point(|(seq, _)| *seq < facts.seq);
        at.checked_sub(1).is_some_and(|at| of_kind[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(op: u8, seq: i64, layout: Option<i32>) -> Facts<'static> {
        Facts {
            seq,
            op,
            kind: b"k",
            layout,
            payload_hash: Hash::of(b"{}"),
        }
    }

    #[test]
    fn layouts_say_first() {
        let mut kept = Kept::known();
        kept.layout(1, Keeps::Rows);
        kept.layout(2, Keeps::Hashes);
        kept.layout(3, Keeps::Unsaid);
        kept.declared(b"k", 10, true);
        kept.declared(b"k", 20, false);
        let misses = |seq, layout| kept.misses(&facts(b'U', seq, Some(layout)));
        assert!(misses(5, 1) && misses(25, 1));
        assert!(!misses(15, 2));
        assert!(!misses(5, 3) && misses(15, 3) && !misses(25, 3));
        assert!(kept.misses(&facts(b'D', 15, None)));
        assert!(!Kept::known().misses(&facts(b'I', 15, Some(3))));
        assert!(!Kept::default().misses(&facts(b'A', 15, None)));
    }

    #[test]
    fn what_was_erased_is_not_missed() {
        let mut kept = Kept::known();
        kept.layout(1, Keeps::Rows);
        kept.erased([9, 7, 9]);
        assert!(!kept.misses(&facts(b'U', 7, Some(1))));
        assert!(kept.misses(&facts(b'U', 8, Some(1))));
    }

    #[test]
    fn entries_by_hand_keep_what_they_were_given() {
        let kept = Kept::known();
        for op in [b'A', b'S', b'T'] {
            assert!(kept.misses(&facts(op, 1, None)));
            let nothing = Facts {
                payload_hash: Hash::of(b"null"),
                ..facts(op, 1, None)
            };
            assert!(!kept.misses(&nothing));
        }
        assert!(!kept.misses(&facts(b'x', 1, None)));
    }
}
