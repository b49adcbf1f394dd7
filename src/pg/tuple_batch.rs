//! Copies of a table's tuples that may leave the backend's thread: helpers read their bytes, and the backend
//! takes apart what needs PostgreSQL.

use std::marker::PhantomData;

use pgrx::pg_sys;

use super::heap::Tuple;
use super::relation::OpenRelation;

/// Bytes of tuples that make a batch.
const BATCH_BYTES: usize = 256 * 1024;

/// Copies of tuples of a table that stays open for `'t`, each aligned to 8 bytes.
pub struct TupleBatch<'t> {
    words: Vec<u64>,
    /// First word and length in bytes.
    tuples: Vec<(usize, usize)>,
    /// The table that the tuples are of.
    table: pg_sys::Oid,
    /// While it is open, nobody can give its columns other types.
    open: PhantomData<&'t ()>,
}

impl<'t> TupleBatch<'t> {
    /// An empty one, for tuples of this table.
    pub fn of(table: &'t OpenRelation) -> TupleBatch<'t> {
        TupleBatch {
            words: Vec::new(),
            tuples: Vec::new(),
            table: table.oid(),
            open: PhantomData,
        }
    }

    /// Adds a copy of a tuple of the table.
    #[inline]
    pub fn push(&mut self, tuple: &Tuple<'_>) {
        assert_eq!(tuple.table(), self.table);
        let bytes = tuple.bytes();
        let first = self.words.len();
        let words = bytes.len().div_ceil(8);
        self.words.reserve(words);
        if let Some(last) = self.words.spare_capacity_mut()[..words].last_mut() {
            last.write(0);
        }
        // SAFETY: there is room for so many words, and the bytes fill all but perhaps a part of the last one, which was
        // written just now; u64 has no invalid bit patterns.
        unsafe {
            let target = self.words.as_mut_ptr().add(first).cast::<u8>();
            target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            self.words.set_len(first + words);
        }
        self.tuples.push((first, bytes.len()));
    }

    /// Whether it is large enough to be handed over.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.words.len() * 8 >= BATCH_BYTES
    }

    /// How many tuples it has.
    pub fn len(&self) -> usize {
        self.tuples.len()
    }

    /// Bytes of a tuple, aligned to 8.
    #[inline]
    pub fn bytes(&self, at: usize) -> &[u8] {
        let (first, length) = self.tuples[at];
        // SAFETY: `push` laid that many bytes there.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().add(first).cast(), length) }
    }

    /// Shows a tuple as one of the table, which is the one that the batch was made for.
    pub fn show<R>(&self, at: usize, table: &OpenRelation, show: impl FnOnce(Tuple<'_>) -> R) -> R {
        assert_eq!(table.oid(), self.table);
        let bytes = self.bytes(at);
        // SAFETY: a copy of a tuple of this table, which has been open since, aligned as tuples are; it is not
        // looked at any more when the bytes go.
        unsafe {
            let mut tuple: pg_sys::HeapTupleData = std::mem::zeroed();
            tuple.t_len = bytes.len() as u32;
            tuple.t_data = bytes.as_ptr().cast_mut().cast();
            show(Tuple::new(&mut tuple, table.tuple_desc()))
        }
    }

    /// Forgets the tuples and keeps the room.
    pub fn clear(&mut self) {
        self.words.clear();
        self.tuples.clear();
    }
}
