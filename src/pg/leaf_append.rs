//! Many ascending keys into a B-tree on integers, a leaf page at a time.
//!
//! The access method takes keys one by one: it descends the tree for each, and logs each. Of a bulk load most keys go
//! behind the last one of a leaf page, one behind the other. Those are put there here, as many as there is room for,
//! under one lock and with one WAL record. The index is the same as if the access method had entered them.
//!
//! # Which keys
//!
//! The page itself has to say that they belong there, while it is locked: it is a leaf, in use, its split complete, no
//! tuple on it marked as dead; its last key is below them, and its high key, if it has one, is above them. Leaf pages divide all keys among them, so
//! such a key belongs to this page and to no other, and none that equals it is anywhere in the tree. How the page was
//! found does not matter. All other keys are for the access method: those that a page has no room for, that are at the
//! beginning or in the middle of one, or that are there already, alive or dead; it splits, waits and refuses, and clears
//! away what is marked as dead.
//!
//! Of the page only the free space changes, and where it begins and ends. What is kept on pages without WAL records
//! (LP_DEAD, the cycle of a VACUUM) is not part of the record, and is not touched where it is replayed.

use pgrx::pg_sys;

use super::index_page::{High, IndexPage, leaf_for};
use super::raw;
use super::relation::OpenRelation;

/// Most columns of such a key.
pub(super) const COLUMNS: usize = 3;
/// The longest tuple.
const LONGEST: usize = TUPLE_HEADER + 8 * COLUMNS;
/// The header of a tuple.
pub(super) const TUPLE_HEADER: usize = size_of::<pg_sys::IndexTupleData>();
/// What a tuple's place on the page takes.
const POINTER: usize = size_of::<pg_sys::ItemIdData>();

/// So few keys are not worth a look for their page.
const FEW: usize = 16;
/// So many keys the access method takes where pages did not, again and again.
const PAUSE: usize = 32;

/// The values of a key's columns; 0 where there is no column.
pub(super) type Key = [i64; COLUMNS];

#[derive(Clone, Copy)]
enum Width {
    Two,
    Four,
    Eight,
}

#[derive(Clone, Copy)]
struct Column {
    /// Zero-based column of the table.
    of_table: usize,
    width: Width,
    /// Where its value is in a tuple.
    offset: usize,
}

/// What the tuples of such an index look like.
pub(super) struct Shape {
    columns: Vec<Column>,
    /// Of a whole tuple.
    size: usize,
}

impl Shape {
    /// Of an index, if it is a B-tree on integers alone, in ascending order. `columns` are those of the table.
    pub(super) fn of(index: &OpenRelation, columns: &[usize]) -> Option<Shape> {
        if columns.is_empty() || columns.len() > COLUMNS || index.is_partial() {
            return None;
        }
        let mut all = Vec::with_capacity(columns.len());
        let mut end = TUPLE_HEADER;
        // SAFETY: an open index has these fields, and the arrays a member for each key column.
        unsafe {
            let rel = index.raw();
            let form = (*rel).rd_index;
            let keys = usize::try_from((*form).indnkeyatts).ok()?;
            if (*(*rel).rd_rel).relam != pg_sys::BTREE_AM_OID || keys != columns.len() {
                return None;
            }
            for (at, of_table) in columns.iter().enumerate() {
                if *(*rel).rd_opfamily.add(at) != pg_sys::INTEGER_BTREE_FAM_OID
                    || *(*rel).rd_indoption.add(at) != 0
                {
                    return None;
                }
                let width = match *(*rel).rd_opcintype.add(at) {
                    pg_sys::INT2OID => Width::Two,
                    pg_sys::INT4OID => Width::Four,
                    pg_sys::INT8OID => Width::Eight,
                    _ => return None,
                };
                let bytes = width.bytes();
                let offset = end.next_multiple_of(bytes);
                end = offset + bytes;
                all.push(Column {
                    of_table: *of_table,
                    width,
                    offset,
                });
            }
        }
        Some(Shape {
            columns: all,
            size: end.next_multiple_of(8),
        })
    }

    /// How many columns it has.
    pub(super) fn count(&self) -> usize {
        self.columns.len()
    }

    /// How long its tuples are.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Where a tuple with the first `count` columns ends, at the earliest.
    pub(super) fn end_of(&self, count: usize) -> usize {
        let last = count.checked_sub(1).and_then(|last| self.columns.get(last));
        last.map_or(TUPLE_HEADER, |last| last.offset + last.width.bytes())
    }

    fn key(&self, values: &[pg_sys::Datum]) -> Key {
        let mut key = [0; COLUMNS];
        for (column, value) in self.columns.iter().zip(&mut key) {
            let bits = values[column.of_table].value();
            *value = match column.width {
                Width::Two => i64::from(bits as i16),
                Width::Four => i64::from(bits as i32),
                Width::Eight => bits as i64,
            };
        }
        key
    }

    /// The first `count` columns of a tuple's key.
    ///
    /// # Safety
    /// So many are there.
    pub(super) unsafe fn key_at(&self, tuple: *const u8, count: usize) -> Key {
        let mut key = [0; COLUMNS];
        for (column, value) in self.columns.iter().take(count).zip(&mut key) {
            // SAFETY: the caller's.
            *value = unsafe {
                let at = tuple.add(column.offset);
                match column.width {
                    Width::Two => i64::from(at.cast::<i16>().read_unaligned()),
                    Width::Four => i64::from(at.cast::<i32>().read_unaligned()),
                    Width::Eight => at.cast::<i64>().read_unaligned(),
                }
            };
        }
        key
    }

    /// A tuple as the access method forms it: what pads it is zero.
    fn tuple(&self, key: &Key, tid: pg_sys::ItemPointerData) -> Tuple {
        let mut tuple = Tuple([0; LONGEST]);
        let at = tuple.0.as_mut_ptr();
        // SAFETY: header and columns lie within the longest tuple.
        unsafe {
            let header = at.cast::<pg_sys::IndexTupleData>();
            header.write_unaligned(pg_sys::IndexTupleData {
                t_tid: tid,
                t_info: self.size as u16,
            });
            for (column, value) in self.columns.iter().zip(key) {
                let at = at.add(column.offset);
                match column.width {
                    Width::Two => at.cast::<i16>().write_unaligned(*value as i16),
                    Width::Four => at.cast::<i32>().write_unaligned(*value as i32),
                    Width::Eight => at.cast::<i64>().write_unaligned(*value),
                }
            }
        }
        tuple
    }
}

impl Width {
    fn bytes(self) -> usize {
        match self {
            Width::Two => 2,
            Width::Four => 4,
            Width::Eight => 8,
        }
    }
}

#[repr(C, align(8))]
struct Tuple([u8; LONGEST]);

/// A key of a batch, and which row's it is.
#[derive(Clone, Copy)]
struct Row {
    key: Key,
    row: u32,
}

/// The keys of a batch, in the order of the index.
pub(super) struct Leaves {
    shape: Shape,
    rows: Vec<Row>,
}

impl Leaves {
    pub(super) fn new(shape: Shape) -> Leaves {
        Leaves {
            shape,
            rows: Vec::new(),
        }
    }

    /// Takes the keys of a batch in, if it is one for this: see [`Leaves::is_ready`].
    pub(super) fn arrange(&mut self, natts: usize, values: &[pg_sys::Datum], nulls: &[bool]) {
        let Leaves { shape, rows } = self;
        rows.clear();
        if values.len() / natts < FEW {
            return;
        }
        let all = values.chunks_exact(natts).zip(nulls.chunks_exact(natts));
        for ((values, nulls), row) in all.zip(0..) {
            let is_null = |column: &Column| nulls[column.of_table];
            if shape.columns.iter().any(is_null) {
                return rows.clear();
            }
            let key = shape.key(values);
            rows.push(Row { key, row });
        }
        if !rows.is_sorted_by(|row, next| row.key < next.key) {
            rows.sort_unstable_by_key(|row| row.key);
            // The access method refuses them.
            if !rows.is_sorted_by(|row, next| row.key < next.key) {
                rows.clear();
            }
        }
    }

    /// Whether there are keys; otherwise the access method has to take them all.
    pub(super) fn is_ready(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Enters the keys; `one` has the access method take that of a row.
    ///
    /// # Safety
    /// Within [`raw::guarded`]: the index is the one that the shape is of, is open and locked for writing, and its
    /// table has the rows at these places.
    pub(super) unsafe fn insert(
        &self,
        index: pg_sys::Relation,
        tids: &[pg_sys::ItemPointerData],
        mut one: impl FnMut(usize),
    ) {
        let mut rest = &self.rows[..];
        // How many keys the access method takes before a page is asked for again, and how often none was found.
        let (mut pause, mut refused) = (0usize, 0usize);
        while let Some((first, others)) = rest.split_first() {
            if pause == 0 && self.is_run(rest) {
                // SAFETY: the caller's.
                let done = unsafe { self.append(index, rest, tids) };
                rest = rest.get(done..).unwrap_or_default();
                // What did not go to the page makes room, by a split, or is of another page.
                refused = if done > 0 { 0 } else { refused + 1 };
                pause = if refused > 1 { PAUSE } else { 1 };
                continue;
            }
            one(first.row as usize);
            rest = others;
            pause = pause.saturating_sub(1);
        }
    }

    /// Whether the first [`FEW`] of these keys differ in their last column only.
    fn is_run(&self, rows: &[Row]) -> bool {
        let leading = self.shape.count() - 1;
        let (first, last) = (rows.first(), rows.get(FEW - 1));
        first.zip(last).is_some_and(|(first, last)| {
            let mut columns = first.key.iter().zip(&last.key).take(leading);
            columns.all(|(one, other)| one == other)
        })
    }

    /// Enters those keys that go behind the last one of a leaf page: the first so many, perhaps none.
    ///
    /// # Safety
    /// As for [`Leaves::insert`].
    unsafe fn append(
        &self,
        index: pg_sys::Relation,
        rows: &[Row],
        tids: &[pg_sys::ItemPointerData],
    ) -> usize {
        let Some(first) = rows.first() else { return 0 };
        // SAFETY: the caller's. The page is pinned and locked from `leaf_for` on; what is changed is the copy that
        // PostgreSQL keeps of it, which `GenericXLogFinish` puts in its place together with the WAL record.
        unsafe {
            let Some(leaf) = leaf_for(index, &self.shape, &first.key) else {
                return 0;
            };
            let count = self.fitting(&leaf.page, rows);
            if count == 0 {
                raw::UnlockReleaseBuffer(leaf.buffer);
                return 0;
            }
            // As the access method does, with the page locked: whoever has read it reads on as if this was not there.
            raw::CheckForSerializableConflictIn(index, std::ptr::null_mut(), leaf.block);
            let state = raw::GenericXLogStart(index);
            let copy = raw::GenericXLogRegisterBuffer(state, leaf.buffer, 0);
            let mut at = leaf.page.count();
            let mut is_whole = true;
            for row in rows.iter().take(count) {
                at += 1;
                let Some(tid) = tids.get(row.row as usize) else {
                    is_whole = false;
                    break;
                };
                let tuple = self.shape.tuple(&row.key, *tid);
                let item = tuple.0.as_ptr().cast();
                is_whole &= raw::PageAddItemExtended(copy, item, self.shape.size(), at, 0) == at;
            }
            if is_whole {
                raw::GenericXLogFinish(state);
            } else {
                raw::GenericXLogAbort(state);
            }
            raw::UnlockReleaseBuffer(leaf.buffer);
            if is_whole { count } else { 0 }
        }
    }

    /// How many of the keys, from the first on, go behind the last one of a page.
    ///
    /// # Safety
    /// The page is a leaf of the index, and locked.
    unsafe fn fitting(&self, page: &IndexPage, rows: &[Row]) -> usize {
        // SAFETY: the caller's.
        let (last, high) = unsafe {
            let Some(last) = page.last_key(&self.shape) else {
                return 0;
            };
            (last, page.high_key(&self.shape))
        };
        let begins = rows.first().is_some_and(|first| last < first.key);
        let room = page.room() / (self.shape.size() + POINTER);
        let below = |row: &&Row| match &high {
            High::None => true,
            High::Key(high) => high.is_above(&row.key),
            High::Unknown => false,
        };
        if !begins {
            return 0;
        }
        rows.iter().take(room).take_while(below).count()
    }
}
