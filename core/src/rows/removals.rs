//! Entries that take away many keys at once: a TRUNCATE, a partition that was detached.

use std::collections::HashMap;

/// Which keys are gone without an entry of their own. A key is gone if its last entry is older than a
/// removal that covers it.
#[derive(Clone, Debug, Default)]
pub struct Removals {
    /// The last removal of all keys.
    all: Option<i64>,
    /// By layout: the last removal of the keys whose last entry names it.
    of_layout: HashMap<i32, i64>,
}

impl Removals {
    /// All keys whose last entry is older than `seq` are gone.
    pub fn remove_all(&mut self, seq: i64) {
        self.all = self.all.max(Some(seq));
    }

    /// The keys whose last entry is older than `seq` and names this layout are gone.
    pub fn remove_layout(&mut self, seq: i64, layout: i32) {
        let last = self.of_layout.entry(layout).or_insert(seq);
        *last = seq.max(*last);
    }

    /// Whether the row of this last entry was taken away later.
    #[inline]
    pub fn cover(&self, seq: i64, layout: Option<i32>) -> bool {
        self.last(seq, layout).is_some()
    }

    /// The last removal that covers the row of this last entry.
    #[inline]
    pub fn last(&self, seq: i64, layout: Option<i32>) -> Option<i64> {
        let of_layout = layout.and_then(|layout| self.of_layout.get(&layout).copied());
        self.all.max(of_layout).filter(|last| seq < *last)
    }
}

#[cfg(test)]
mod tests {
    use super::Removals;

    #[test]
    fn only_older_entries_are_covered() {
        let mut removals = Removals::default();
        assert!(!removals.cover(i64::MIN, Some(1)));
        removals.remove_layout(10, 3);
        removals.remove_layout(7, 3);
        assert!(removals.cover(9, Some(3)));
        assert!(!removals.cover(10, Some(3)));
        assert!(!removals.cover(9, Some(4)));
        assert!(!removals.cover(9, None));
        removals.remove_all(8);
        removals.remove_all(5);
        assert!(removals.cover(7, None) && removals.cover(7, Some(4)));
        assert!(!removals.cover(8, Some(4)));
        assert!(removals.cover(8, Some(3)));
    }
}
