//! Many entries checked one after the other: their messages are gathered first, so that several can be
//! compressed abreast.

use super::check::{Checked, Checker, LinkMessage};
use super::digest::{ABREAST, BLOCK, Compress, START, State, state_of};
use super::view::EntryView;
use crate::hash::Hash;

/// Entries that are gathered: their messages are to stay in the first cache.
const ENTRIES: usize = 64;
/// Bytes of messages that are gathered, about.
const BYTES: usize = 64 * 1024;
/// Events of up to so many blocks wait for others of their length.
const SHORT: usize = 8;

/// Checks entries, some at a time.
#[derive(Debug)]
pub struct Sweep {
    checker: Checker,
    compress: Compress,
    /// Entries whose hashes are still to be compared, and of each its messages.
    gathered: Vec<Checked>,
    events: Vec<EventMessage>,
    links: Vec<LinkMessage>,
    /// The events' blocks.
    text: Vec<u8>,
    /// Events by the number of their blocks, from 1.
    short: [Vec<u32>; SHORT],
    long: Vec<u32>,
}

/// What is still to be compressed of an event.
#[derive(Clone, Debug)]
struct EventMessage {
    state: State,
    /// The first of its blocks, and how many there are.
    first: u32,
    blocks: u32,
}

impl Sweep {
    /// Checks as the checker does.
    pub(super) fn new(checker: Checker, compress: Compress) -> Sweep {
        Sweep {
            checker,
            compress,
            gathered: Vec::with_capacity(ENTRIES),
            events: Vec::with_capacity(ENTRIES),
            links: vec![LinkMessage::default(); ENTRIES],
            text: Vec::new(),
            short: Default::default(),
            long: Vec::new(),
        }
    }

    /// Takes in an entry; shows it, and those before it that were not shown yet, once they are checked.
    #[inline]
    pub fn add(&mut self, view: &EntryView<'_>, show: &mut impl FnMut(&Checked)) {
        let first = self.text.len() / BLOCK;
        let at = self.gathered.len();
        let claim = self.checker.claim(view, &mut self.text);
        let blocks = self.text.len() / BLOCK - first;
        self.gathered.push(Checked::of(view, claim.as_ref()));
        self.events.push(EventMessage {
            state: claim.as_ref().map_or(START, |claim| claim.start),
            first: first as u32,
            blocks: blocks as u32,
        });
        if let Some(claim) = claim {
            self.links[at].set(&claim, view.seq);
            match self.short.get_mut(blocks.wrapping_sub(1)) {
                Some(queue) => queue.push(at as u32),
                None => self.long.push(at as u32),
            }
        }
        if self.gathered.len() >= ENTRIES || self.text.len() >= BYTES {
            self.finish(show);
        }
    }

    /// Shows the entries that were not shown yet.
    pub fn finish(&mut self, show: &mut impl FnMut(&Checked)) {
        self.compress_all_events();
        self.check_links();
        for entry in &self.gathered {
            show(entry);
        }
        self.gathered.clear();
        self.events.clear();
        self.text.clear();
    }

    /// Compresses events, those of one length abreast.
    fn compress_all_events(&mut self) {
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
            let blocks = some.iter().map(|at| self.events[*at as usize].blocks);
            self.compress_events(some, blocks.min().unwrap_or_default());
        }
        left.clear();
        self.long = left;
    }

    /// Compresses so many blocks of each of these events abreast, and what is left of them alone.
    fn compress_events(&mut self, events: &[u32], abreast: u32) {
        let (blocks, _) = self.text.as_chunks::<BLOCK>();
        let mut states = [START; ABREAST];
        let mut messages: [&[[u8; BLOCK]]; ABREAST] = [&[]; ABREAST];
        for (at, event) in events.iter().enumerate() {
            let event = &self.events[*event as usize];
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
            self.events[*event as usize].state = states[at];
        }
    }

    /// Compresses links, and compares both hashes of each entry.
    fn check_links(&mut self) {
        let links = self.links.chunks(ABREAST);
        let events = self.events.chunks(ABREAST);
        for ((some, events), links) in self.gathered.chunks_mut(ABREAST).zip(events).zip(links) {
            let mut states = [START; ABREAST];
            let messages: [&[[u8; BLOCK]]; ABREAST] = std::array::from_fn(|at| links[at].blocks());
            (self.compress)(&mut states[..some.len()], &messages[..some.len()]);
            for (at, entry) in some.iter_mut().enumerate() {
                entry.sound &= states[at] == state_of(&entry.chain.0)
                    && events[at].state == state_of(links[at].event());
                if !entry.sound {
                    (entry.prev, entry.chain) = (Hash::ZERO, Hash::ZERO);
                }
            }
        }
    }
}
