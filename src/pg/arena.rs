//! Short-lived values with stable addresses, built without asking PostgreSQL for memory.

use pgrx::pg_sys;

/// Holds the text and bytea values of one batch of tuples, or the tuples. An address handed out stays valid until
/// [`DatumArena::clear`].
#[derive(Default)]
pub struct DatumArena {
    blocks: Vec<Vec<u64>>,
    /// The block in use, and how much of it is.
    at: usize,
    words_used: usize,
}

/// The first block has room for one entry, the next ones for many.
const FIRST_WORDS: usize = 128;
const BLOCK_WORDS: usize = 8 * 1024;
/// Most blocks that are kept.
const KEPT_BLOCKS: usize = 8;
/// The largest value with a one-byte header, header included (VARATT_SHORT_MAX).
const SHORT_MAX: usize = 0x7f;

/// How a varlena value of so many bytes begins: with a header of one byte, or of four.
pub(super) const fn header_of(bytes: usize) -> usize {
    if bytes < SHORT_MAX {
        1
    } else {
        pg_sys::VARHDRSZ
    }
}

/// Writes a varlena value.
///
/// # Safety
/// There is room for header and bytes, which do not overlap; a header of four bytes is aligned.
#[inline]
pub(super) unsafe fn write_varlena(start: *mut u8, bytes: &[u8]) {
    let header = header_of(bytes.len());
    // SAFETY: the caller's.
    unsafe {
        if header == 1 {
            pgrx::set_varsize_short(start.cast(), (header + bytes.len()) as i32);
        } else {
            pgrx::set_varsize_4b(start.cast(), (header + bytes.len()) as i32);
        }
        start
            .add(header)
            .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
    }
}

impl DatumArena {
    /// Forgets all values, keeping some of the memory.
    pub fn clear(&mut self) {
        (self.at, self.words_used) = (0, 0);
        self.blocks.retain(|block| block.len() <= BLOCK_WORDS);
        self.blocks.truncate(KEPT_BLOCKS);
    }

    /// Memory that it has, in bytes.
    pub fn capacity(&self) -> usize {
        self.blocks.iter().map(|block| 8 * block.len()).sum()
    }

    /// A `text` or `bytea` value holding `bytes`.
    pub fn varlena(&mut self, bytes: &[u8]) -> pg_sys::Datum {
        let start = self.reserve(header_of(bytes.len()) + bytes.len());
        // SAFETY: `reserve` returned room for header and bytes, aligned to 8.
        unsafe { write_varlena(start, bytes) };
        pg_sys::Datum::from(start)
    }

    /// A value of fixed length, passed by reference.
    pub fn fixed(&mut self, bytes: &[u8]) -> pg_sys::Datum {
        let start = self.reserve(bytes.len());
        // SAFETY: `reserve` returned room for the bytes.
        unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        pg_sys::Datum::from(start)
    }

    /// Room for so many bytes, aligned to 8. What is in it is of no value.
    #[inline]
    pub(super) fn reserve(&mut self, bytes: usize) -> *mut u8 {
        let words = bytes.div_ceil(8);
        let fits = |block: Option<&Vec<u64>>, used: usize| {
            block.is_some_and(|block| block.len() - used >= words)
        };
        if !fits(self.blocks.get(self.at), self.words_used) {
            if !self.blocks.is_empty() {
                self.at += 1;
            }
            self.words_used = 0;
            if !fits(self.blocks.get(self.at), 0) {
                let least = match self.at {
                    0 => FIRST_WORDS,
                    _ => BLOCK_WORDS,
                };
                self.blocks.insert(self.at, vec![0; words.max(least)]);
            }
        }
        // SAFETY: the block has at least `words` words from `words_used` on.
        let start = unsafe { self.blocks[self.at].as_mut_ptr().add(self.words_used) };
        self.words_used += words;
        start.cast()
    }

    /// Gives back what was reserved last but for some of its bytes.
    #[inline]
    pub(super) fn give_back(&mut self, reserved: usize, kept: usize) {
        self.words_used -= reserved.div_ceil(8) - kept.div_ceil(8);
    }
}
