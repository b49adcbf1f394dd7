//! Many entries checked one after the other: their messages are gathered first, so that several can be
//! compressed abreast.

use super::check::{Checked, Checker, LinkMessage};
use super::view::EntryView;
use crate::hash::{ABREAST, BLOCK, Compress, Hash, INITIAL, Messages, state_of};

/// Entries that are gathered: their messages are to stay in the first cache.
const ENTRIES: usize = 64;
/// Bytes of messages that are gathered, about.
const BYTES: usize = 64 * 1024;

/// Checks entries, some at a time.
#[derive(Debug)]
pub struct Sweep {
    checker: Checker,
    compress: Compress,
    /// Entries whose hashes are still to be compared, and of each the message of its link.
    gathered: Vec<Checked>,
    links: Vec<LinkMessage>,
    /// The events of those that may be sound.
    events: Messages,
}

impl Sweep {
    /// Checks as the checker does.
    pub(super) fn new(checker: Checker, compress: Compress) -> Sweep {
        Sweep {
            checker,
            compress,
            gathered: Vec::with_capacity(ENTRIES),
            links: vec![LinkMessage::default(); ENTRIES],
            events: Messages::default(),
        }
    }

    /// Takes in an entry; shows it, and those before it that were not shown yet, once they are checked.
    #[inline]
    pub fn add(&mut self, view: &EntryView<'_>, show: &mut impl FnMut(&Checked)) {
        let checker = &mut self.checker;
        let claim = self.events.try_add(|text| {
            let claim = checker.claim(view, text)?;
            Some((claim.begun, claim))
        });
        if let Some(claim) = &claim {
            self.links[self.gathered.len()].set(claim, view.seq);
        }
        self.gathered.push(Checked::of(view, claim.as_ref()));
        if self.gathered.len() >= ENTRIES || self.events.size() >= BYTES {
            self.finish(show);
        }
    }

    /// Shows the entries that were not shown yet.
    pub fn finish(&mut self, show: &mut impl FnMut(&Checked)) {
        self.check_events();
        self.check_links();
        for entry in &self.gathered {
            show(entry);
        }
        self.gathered.clear();
    }

    /// Compresses events, and compares the hash of each.
    fn check_events(&mut self) {
        let entries = self.gathered.iter_mut().zip(&self.links);
        let mut claimed = entries.filter(|(entry, _)| entry.sound);
        self.events.finish(self.compress, |hash| {
            if let Some((entry, link)) = claimed.next() {
                entry.sound = hash == Hash(*link.event());
            }
        });
    }

    /// Compresses links, and compares the hash of each entry that is sound so far.
    fn check_links(&mut self) {
        let links = self.links.chunks(ABREAST);
        for (some, links) in self.gathered.chunks_mut(ABREAST).zip(links) {
            let mut states = [INITIAL; ABREAST];
            let messages: [&[[u8; BLOCK]]; ABREAST] = std::array::from_fn(|at| links[at].blocks());
            (self.compress)(&mut states[..some.len()], &messages[..some.len()]);
            for (at, entry) in some.iter_mut().enumerate() {
                entry.sound &= states[at] == state_of(&entry.chain.0);
                if !entry.sound {
                    (entry.prev, entry.chain) = (Hash::ZERO, Hash::ZERO);
                }
            }
        }
    }
}
