//! Messages that are gathered first, so that those of one length can be compressed abreast.

use super::Hash;
use super::blocks::{ABREAST, BLOCK, Compress, INITIAL, State, compress, pad};

/// Messages of up to so many blocks wait for others of their length.
const SHORT: usize = 8;

/// Messages, and the digests that they come to. The buffers are meant to be reused.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    /// The blocks of all; behind them what is being written.
    text: Vec<u8>,
    all: Vec<Message>,
    /// Messages by the number of their blocks, from 1.
    short: [Vec<u32>; SHORT],
    long: Vec<u32>,
}

/// How a message begins that is compressed in part.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// How many blocks are.
    pub blocks: usize,
    /// The state after them.
    pub state: State,
}

/// Of nothing.
impl Default for Begun {
    fn default() -> Begun {
        Begun {
            blocks: 0,
            state: INITIAL,
        }
    }
}

impl Begun {
    /// With the whole blocks of `text`.
    pub fn with(text: &[u8]) -> Begun {
        let (blocks, _) = text.as_chunks();
        let mut state = INITIAL;
        compress(&mut state, blocks);
        Begun {
            blocks: blocks.len(),
            state,
        }
    }

    /// How many bytes are.
    pub fn bytes(&self) -> usize {
        BLOCK * self.blocks
    }
}

#[derive(Clone, Copy, Debug)]
struct Message {
    state: State,
    /// The first of its blocks, and how many there are.
    first: u32,
    blocks: u32,
}

impl Messages {
    /// Takes in a message, if `write` says so: what it appends, behind so many blocks that are compressed already,
    /// into this state. Returns what `write` has to tell beside that.
    #[inline]
    pub fn try_add<T>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Option<(Begun, T)>,
    ) -> Option<T> {
        let start = self.text.len();
        let Some((begun, told)) = write(&mut self.text) else {
            self.text.truncate(start);
            return None;
        };
        let total = begun.bytes() + self.text.len() - start;
        pad(&mut self.text, total);
        let at = self.all.len() as u32;
        let blocks = (self.text.len() - start) / BLOCK;
        self.all.push(Message {
            state: begun.state,
            first: (start / BLOCK) as u32,
            blocks: blocks as u32,
        });
        match self.short.get_mut(blocks.wrapping_sub(1)) {
            Some(queue) => queue.push(at),
            None => self.long.push(at),
        }
        Some(told)
    }

    /// Takes in what `write` appends behind what is compressed already.
    #[inline]
    pub fn add_to(&mut self, begun: Begun, write: impl FnOnce(&mut Vec<u8>)) {
        self.try_add(|out| {
            write(out);
            Some((begun, ()))
        });
    }

    /// Takes in a whole message: what `write` appends.
    #[inline]
    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.add_to(Begun::default(), write);
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Bytes that they take.
    #[inline]
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// Shows the digest of each, in the order in which they were taken in, and forgets them.
    pub fn finish(&mut self, compress: Compress, mut show: impl FnMut(Hash)) {
        self.compress_all(compress);
        for message in &self.all {
            show(Hash::of_state(&message.state));
        }
        self.clear();
    }

    /// Forgets all messages.
    pub fn clear(&mut self) {
        self.text.clear();
        self.all.clear();
        self.short.iter_mut().for_each(Vec::clear);
        self.long.clear();
    }

    /// Memory that is kept for the next messages, about.
    pub fn capacity(&self) -> usize {
        self.text.capacity() + self.all.capacity() * size_of::<Message>()
    }

    /// Compresses all of them, those of one length abreast.
    fn compress_all(&mut self, compress: Compress) {
        let mut left = std::mem::take(&mut self.long);
        for at in 0..SHORT {
            let mut queue = std::mem::take(&mut self.short[at]);
            let (whole, rest) = queue.as_chunks::<ABREAST>();
            for some in whole {
                self.compress_some(some, at + 1, compress);
            }
            left.extend_from_slice(rest);
            queue.clear();
            self.short[at] = queue;
        }
        // Those of unlike length go abreast as far as the shortest goes, and alone from there.
        for some in left.chunks(ABREAST) {
            let blocks = some.iter().map(|at| self.all[*at as usize].blocks);
            self.compress_some(some, blocks.min().unwrap_or_default() as usize, compress);
        }
        left.clear();
        self.long = left;
    }

    /// Compresses so many blocks of each of these messages abreast, and what is left of them alone.
    fn compress_some(&mut self, some: &[u32], abreast: usize, compress: Compress) {
        let (blocks, _) = self.text.as_chunks::<BLOCK>();
        let mut states = [INITIAL; ABREAST];
        let mut messages: [&[[u8; BLOCK]]; ABREAST] = [&[]; ABREAST];
        for (at, message) in some.iter().enumerate() {
            let message = &self.all[*message as usize];
            states[at] = message.state;
            messages[at] = &blocks[message.first as usize..][..message.blocks as usize];
        }
        let heads = messages.map(|message| &message[..message.len().min(abreast)]);
        compress(&mut states[..some.len()], &heads[..some.len()]);
        for (at, message) in some.iter().enumerate() {
            let rest = &messages[at][abreast..];
            if !rest.is_empty() {
                compress(&mut states[at..=at], &[rest]);
            }
            self.all[*message as usize].state = states[at];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::in_turns;
    use super::*;

    /// Texts of many lengths, as those around the ends of blocks are of interest.
    fn texts(count: usize, seed: usize) -> Vec<Vec<u8>> {
        let length = |at: usize| match (at * 7 + seed) % 5 {
            0 => (at * 31 + seed) % 200,
            1 => 64 * ((at + seed) % 11) + 55 + at % 3,
            2 => 64 * (at % 12) + seed % 2,
            3 => 183 + (at % 2),
            _ => (at * at * 13 + seed) % 1500,
        };
        (0..count)
            .map(|at| {
                (0..length(at))
                    .map(|byte| (byte * 11 + at + seed) as u8)
                    .collect()
            })
            .collect()
    }

    #[test]
    fn each_comes_to_its_own_digest() {
        let mut messages = Messages::default();
        for count in (0..40).chain([63, 64, 65, 150]) {
            for seed in 0..6 {
                let texts = texts(count, seed);
                for text in &texts {
                    messages.add(|out| out.extend_from_slice(text));
                }
                assert_eq!(messages.len(), count);
                let mut digests = Vec::new();
                messages.finish(in_turns, |digest| digests.push(digest));
                let expected: Vec<Hash> = texts.iter().map(|text| Hash::of(text)).collect();
                assert_eq!(digests, expected, "{count} messages, seed {seed}");
                assert!(messages.is_empty() && messages.size() == 0);
            }
        }
    }

    #[test]
    fn blocks_that_are_compressed_count() {
        let mut messages = Messages::default();
        let texts = texts(100, 3);
        for text in &texts {
            let begun = Begun::with(&text[..text.len() / 2]);
            messages.add_to(begun, |out| out.extend_from_slice(&text[begun.bytes()..]));
            let refused = messages.try_add::<()>(|out| {
                out.extend_from_slice(text);
                None
            });
            assert!(refused.is_none());
        }
        let mut texts = texts.iter();
        messages.finish(in_turns, |digest| {
            let text = texts.next().map(Vec::as_slice).unwrap_or_default();
            assert_eq!(digest, Hash::of(text));
        });
        assert!(texts.next().is_none());
    }
}
