//! Many entries checked one after the other: their messages are gathered first, so that several can be
//! compressed abreast.

use super::check::{Checked, Checker, link_blocks};
use super::digest::{ABREAST, BLOCK, Compress, START, State, state_of};
use super::view::EntryView;
use crate::hash::Hash;

/// Entries that are gathered.
const ENTRIES: usize = 256;
/// Bytes of messages that are gathered, about.
const BYTES: usize = 128 * 1024;
/// Events of up to so many blocks wait for others of their length.
const SHORT: usize = 8;

/// Checks entries, some at a time.
#[derive(Debug)]
pub struct Sweep {
    checker: Checker,
    compress: Compress,
    gathered: Vec<Gathered>,
    /// The events' blocks.
    text: Vec<u8>,
    /// Events by the number of their blocks, from 1.
    short: [Vec<u32>; SHORT],
    long: Vec<u32>,
}

/// An entry whose hashes are still to be compared.
#[derive(Debug)]
struct Gathered {
    checked: Checked,
    event: Hash,
    /// The state of its event.
    state: State,
    /// The blocks of its event that are still to be compressed: the first, and how many.
    first: u32,
    blocks: u32,
}

impl Sweep {
    /// Checks as the checker does.
    pub(super) fn new(checker: Checker, compress: Compress) -> Sweep {
        Sweep {
            checker,
            compress,
            gathered: Vec::new(),
            text: Vec::new(),
            short: Default::default(),
            long: Vec::new(),
        }
    }

    /// Takes in an entry; shows it, and those before it that were not shown yet, once they are checked.
    #[inline]
    pub fn add(&mut self, view: &EntryView<'_>, show: &mut impl FnMut(&Checked)) {
        let begun = self.text.len();
        let at = self.gathered.len() as u32;
        let claim = self.checker.claim(view, &mut self.text);
        let checked = Checked::of(view, claim.as_ref());
        let (event, state) = claim.map_or((Hash::ZERO, START), |claim| (claim.event, claim.start));
        let blocks = (self.text.len() - begun) / BLOCK;
        self.gathered.push(Gathered {
            checked,
            event,
            state,
            first: (begun / BLOCK) as u32,
            blocks: blocks as u32,
        });
        if checked.sound {
            match self.short.get_mut(blocks.wrapping_sub(1)) {
                Some(queue) => queue.push(at),
                None => self.long.push(at),
            }
        }
        if self.gathered.len() >= ENTRIES || self.text.len() >= BYTES {
            self.finish(show);
        }
    }

    /// Shows the entries that were not shown yet.
    pub fn finish(&mut self, show: &mut impl FnMut(&Checked)) {
        self.check_events();
        self.check_links();
        for entry in self.gathered.drain(..) {
            show(&entry.checked);
        }
        self.text.clear();
    }

    /// Compresses events, those of one length abreast.
    fn check_events(&mut self) {
        let mut left = std::mem::take(&mut self.long);
        for at in 0..SHORT {
            let mut queue = std::mem::take(&mut self.short[at]);
            let whole = queue.len() - queue.len() % ABREAST;
            for some in queue[..whole].chunks(ABREAST) {
                self.compress_events(some, at as u32 + 1);
            }
            left.extend_from_slice(&queue[whole..]);
            queue.clear();
            self.short[at] = queue;
        }
        // Those of unlike length go abreast as far as the shortest goes, and alone from there.
        for some in left.chunks(ABREAST) {
            let blocks = some.iter().map(|at| self.gathered[*at as usize].blocks);
            self.compress_events(some, blocks.min().unwrap_or_default());
        }
        left.clear();
        self.long = left;
        for entry in &mut self.gathered {
            entry.checked.sound &= entry.state == state_of(&entry.event);
        }
    }

    /// Compresses so many blocks of each of these events abreast, and what is left of them alone.
    fn compress_events(&mut self, events: &[u32], abreast: u32) {
        let (blocks, _) = self.text.as_chunks::<BLOCK>();
        let mut states = [START; ABREAST];
        let mut messages: [&[[u8; BLOCK]]; ABREAST] = [&[]; ABREAST];
        for (at, event) in events.iter().enumerate() {
            let event = &self.gathered[*event as usize];
            states[at] = event.state;
            messages[at] = &blocks[event.first as usize..][..event.blocks as usize];
        }
        let heads = messages.map(|message| &message[..message.len().min(abreast as usize)]);
        (self.compress)(&mut states[..events.len()], &heads[..events.len()]);
        for (at, event) in events.iter().enumerate() {
            let rest = &messages[at][abreast as usize..];
            if !rest.is_empty() {
                (self.compress)(&mut states[at..=at], &[rest]);
            }
            self.gathered[*event as usize].state = states[at];
        }
    }

    fn check_links(&mut self) {
        for some in self.gathered.chunks_mut(ABREAST) {
            let mut states = [START; ABREAST];
            let mut links = [[[0; BLOCK]; 2]; ABREAST];
            for (link, entry) in links.iter_mut().zip(&*some) {
                *link = link_blocks(&entry.checked.prev, &entry.event, entry.checked.seq);
            }
            let messages = links.each_ref().map(|link| &link[..]);
            (self.compress)(&mut states[..some.len()], &messages[..some.len()]);
            for (entry, state) in some.iter_mut().zip(states) {
                let checked = &mut entry.checked;
                checked.sound &= state == state_of(&checked.chain);
                if !checked.sound {
                    (checked.prev, checked.chain) = (Hash::ZERO, Hash::ZERO);
                }
            }
        }
    }
}
