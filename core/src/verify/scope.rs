//! Which entries a verification is about: those of a window of `seq`, or those behind known heads.

use std::collections::HashMap;

use super::view::{EntryView, Window};
use crate::hash::Hash;

/// The last entry of a lane, where a verification found it and everything before it in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which chain.
    pub chain_id: i32,
    /// Lane within the chain.
    pub lane: i16,
    /// Position of the entry within the lane.
    pub pos: i64,
    /// Number of the entry.
    pub seq: i64,
    /// Its `chain_hash`, which commits to everything before it in the lane.
    pub chain_hash: Hash,
}

/// See the module's text. A lane is named by `(chain_id, lane)`.
#[derive(Debug)]
pub(super) struct Scope {
    window: Window,
    heads: HashMap<(i32, i16), Head>,
}

impl Scope {
    /// The entries of a window.
    pub fn of_window(window: Window) -> Scope {
        Scope {
            window,
            heads: HashMap::new(),
        }
    }

    /// What stands behind `heads`, and all of the lanes that have none. Of two heads of a lane the
    /// earlier one counts.
    pub fn behind(heads: impl IntoIterator<Item = Head>) -> Scope {
        let mut scope = Scope::of_window(Window::ALL);
        for head in heads {
            let known = scope
                .heads
                .entry((head.chain_id, head.lane))
                .or_insert(head);
            if head.pos < known.pos {
                *known = head;
            }
        }
        scope
    }

    /// Whether an entry at this place, with this `seq`, is verified.
    #[inline]
    pub fn contains(&self, lane: (i32, i16), pos: i64, seq: i64) -> bool {
        self.window.contains(seq)
            && (self.heads.is_empty() || self.head(lane).is_none_or(|head| pos > head.pos))
    }

    /// Whether this entry is verified.
    #[inline]
    pub fn contains_entry(&self, entry: &EntryView<'_>) -> bool {
        self.contains((entry.chain_id, entry.lane), entry.pos, entry.seq)
    }

    /// The entry behind which the lane is verified.
    pub fn head(&self, lane: (i32, i16)) -> Option<&Head> {
        self.heads.get(&lane)
    }

    /// Whether no entry of the lane lies outside.
    pub fn is_whole(&self, lane: (i32, i16)) -> bool {
        self.window == Window::ALL && self.head(lane).is_none()
    }

    /// The position after which the lane is verified without a gap; `None` if the window, not the
    /// position, says where it begins.
    pub fn beginning(&self, lane: (i32, i16)) -> Option<i64> {
        match self.head(lane) {
            Some(head) => Some(head.pos),
            None => self.window.has_beginning().then_some(0),
        }
    }

    /// The smallest position that can lie inside.
    pub fn first_pos(&self, lane: (i32, i16)) -> i64 {
        self.head(lane)
            .map_or(i64::MIN, |head| head.pos.saturating_add(1))
    }
}
