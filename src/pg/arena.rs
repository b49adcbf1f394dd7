//! Short-lived varlena values with stable addresses, built without asking PostgreSQL for memory.

use pgrx::pg_sys;

/// Holds the text and bytea values of one batch of tuples. An address handed out stays valid until
/// [`DatumArena::clear`].
#[derive(Default)]
pub struct DatumArena {
    blocks: Vec<Vec<u64>>,
    words_used: usize,
}

/// The first block has room for one entry, the next ones for many.
const FIRST_WORDS: usize = 128;
const BLOCK_WORDS: usize = 8 * 1024;
/// The largest value with a one-byte header, header included (VARATT_SHORT_MAX).
const SHORT_MAX: usize = 0x7f;

impl DatumArena {
    /// Forgets all values, keeping the last block.
    pub fn clear(&mut self) {
        self.blocks.drain(..self.blocks.len().saturating_sub(1));
        self.words_used = 0;
    }

    /// A `text` or `bytea` value holding `bytes`.
    pub fn varlena(&mut self, bytes: &[u8]) -> pg_sys::Datum {
        let short = bytes.len() < SHORT_MAX;
        let header = if short { 1 } else { pg_sys::VARHDRSZ };
        let start = self.reserve(header + bytes.len());
        // SAFETY: `reserve` returned room for header and bytes, aligned to 8.
        unsafe {
            if short {
                pgrx::set_varsize_short(start.cast(), (header + bytes.len()) as i32);
            } else {
                pgrx::set_varsize_4b(start.cast(), (header + bytes.len()) as i32);
            }
            start
                .add(header)
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        pg_sys::Datum::from(start)
    }

    /// A value of fixed length, passed by reference.
    pub fn fixed(&mut self, bytes: &[u8]) -> pg_sys::Datum {
        let start = self.reserve(bytes.len());
        // SAFETY: `reserve` returned room for the bytes.
        unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        pg_sys::Datum::from(start)
    }

    fn reserve(&mut self, bytes: usize) -> *mut u8 {
        let words = bytes.div_ceil(8);
        let fits = self
            .blocks
            .last()
            .is_some_and(|block| block.len() - self.words_used >= words);
        if !fits {
            let least = if self.blocks.is_empty() {
                FIRST_WORDS
            } else {
                BLOCK_WORDS
            };
            self.blocks.push(vec![0; words.max(least)]);
            self.words_used = 0;
        }
        let block = self
            .blocks
            .last_mut()
            .map_or(std::ptr::null_mut(), |block| block.as_mut_ptr());
        // SAFETY: the last block has at least `words` words from `words_used` on.
        let start = unsafe { block.add(self.words_used) };
        self.words_used += words;
        start.cast()
    }
}
