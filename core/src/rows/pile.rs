//! Records one after the other, in memory that is shared by many piles, and before that on tapes.

use std::marker::PhantomData;

use super::join_record::Record;

/// Makes tapes. What fails unwinds.
pub trait Storage {
    /// What it makes.
    type Tape: Tape;

    /// An empty tape.
    fn tape(&mut self) -> Self::Tape;
}

/// Bytes outside of memory: written one after the other, then read from the beginning.
pub trait Tape {
    /// Appends.
    fn write(&mut self, bytes: &[u8]);
    /// Goes back to the beginning; only [`Tape::read`] follows.
    fn rewind(&mut self);
    /// Fills the buffer with the next bytes, less than all of it only at the end; returns how many.
    fn read(&mut self, buffer: &mut [u8]) -> usize;
}

/// Bytes of a block, which one pile has for itself.
const BLOCK: usize = 8 * 1024;
/// Blocks that are taken from the system at once. All of them are used again whenever piles were written to tapes, so
/// that nothing else ever comes to lie between them.
const BLOCKS_PER_SLAB: usize = 128;
/// Bytes read from a tape at once, about.
const READ_BYTES: usize = 64 * 1024;

/// The memory of many piles.
pub(super) struct Room {
    slabs: Vec<Vec<u8>>,
    /// Blocks that piles have.
    taken: usize,
    /// Blocks that they may have.
    most: usize,
    cleared: bool,
}

impl Room {
    /// Room for about so many bytes, none of which is taken yet.
    pub fn new(bytes: usize) -> Room {
        Room {
            slabs: Vec::new(),
            taken: 0,
            most: bytes / BLOCK,
            cleared: false,
        }
    }

    /// Gives room for more.
    pub fn extend_to(&mut self, bytes: usize) {
        self.most = bytes / BLOCK;
    }

    /// Whether piles have to be written to tapes.
    #[inline]
    pub fn is_exceeded(&self) -> bool {
        self.taken > self.most
    }

    /// Takes all blocks back: the piles were written to tapes.
    pub fn clear(&mut self) {
        self.taken = 0;
        self.cleared = true;
    }

    /// Whether something was written to tapes.
    pub fn was_cleared(&self) -> bool {
        self.cleared
    }

    fn take(&mut self) -> usize {
        if self.taken == self.slabs.len() * BLOCKS_PER_SLAB {
            self.slabs.push(vec![0; BLOCKS_PER_SLAB * BLOCK]);
        }
        self.taken += 1;
        self.taken - 1
    }

    #[inline]
    fn block(&self, number: usize) -> &[u8] {
        &self.slabs[number / BLOCKS_PER_SLAB][number % BLOCKS_PER_SLAB * BLOCK..][..BLOCK]
    }

    #[inline]
    fn block_mut(&mut self, number: usize) -> &mut [u8] {
        &mut self.slabs[number / BLOCKS_PER_SLAB][number % BLOCKS_PER_SLAB * BLOCK..][..BLOCK]
    }
}

/// Records of one kind and part.
pub(super) struct Pile<R, T> {
    blocks: Vec<usize>,
    /// Records in the last of the blocks.
    in_last: usize,
    tape: Option<T>,
    count: usize,
    of: PhantomData<R>,
}

impl<R: Record, T: Tape> Pile<R, T> {
    const PER_BLOCK: usize = BLOCK / R::BYTES;

    /// An empty one.
    pub fn new() -> Pile<R, T> {
        Pile {
            blocks: Vec::new(),
            in_last: Self::PER_BLOCK,
            tape: None,
            count: 0,
            of: PhantomData,
        }
    }

    /// How many records it has.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds a record. All of the piles that share a room go to tapes together once it is exceeded.
    #[inline]
    pub fn push(&mut self, record: &R, room: &mut Room) {
        if self.in_last == Self::PER_BLOCK {
            self.blocks.push(room.take());
            self.in_last = 0;
        }
        if let Some(last) = self.blocks.last() {
            record.encode(&mut room.block_mut(*last)[self.in_last * R::BYTES..][..R::BYTES]);
        }
        self.in_last += 1;
        self.count += 1;
    }

    /// Writes all that is in memory to the tape; [`Room::clear`] is to follow.
    pub fn spill(&mut self, storage: &mut impl Storage<Tape = T>, room: &Room) {
        if self.blocks.is_empty() {
            return;
        }
        let tape = self.tape.get_or_insert_with(|| storage.tape());
        for bytes in filled::<R>(&self.blocks, self.in_last, room) {
            tape.write(bytes);
        }
        self.blocks.clear();
        self.in_last = Self::PER_BLOCK;
    }

    /// Shows every record in the order in which they were added.
    pub fn drain(self, room: &Room, mut show: impl FnMut(R)) {
        let mut show_all = |bytes: &[u8]| {
            bytes
                .chunks_exact(R::BYTES)
                .for_each(|bytes| show(R::decode(bytes)))
        };
        if let Some(mut tape) = self.tape {
            tape.rewind();
            let mut buffer = vec![0; READ_BYTES / R::BYTES * R::BYTES];
            loop {
                let read = tape.read(&mut buffer);
                show_all(&buffer[..read]);
                if read < buffer.len() {
                    break;
                }
            }
        }
        filled::<R>(&self.blocks, self.in_last, room).for_each(show_all);
    }
}

/// The records' bytes in each of a pile's blocks: all are full but the last.
fn filled<'a, R: Record>(
    blocks: &'a [usize],
    in_last: usize,
    room: &'a Room,
) -> impl Iterator<Item = &'a [u8]> + 'a {
    let full = BLOCK / R::BYTES;
    blocks.iter().enumerate().map(move |(at, number)| {
        let records = if at + 1 == blocks.len() {
            in_last
        } else {
            full
        };
        &room.block(*number)[..records * R::BYTES]
    })
}
