//! What a backend knows of a table that it inserts into, kept until PostgreSQL says that the table has changed: its
//! indexes, what the access methods want to know of them, and slots for tuples.

use std::cell::{Cell, RefCell};

use pgrx::pg_sys;

use super::char_filter::{CharFilter, Chars};
use super::compat;
use super::leaf_append::{Leaves, Shape};
use super::memory::LastingContext;
use super::raw::{self, guarded};
use super::relation::{OpenRelation, index_columns, name_of};
use crate::error::{Failure, broken};

/// An index that every new tuple gets an entry in.
pub(super) struct TargetIndex {
    oid: pg_sys::Oid,
    /// Null while it is not open.
    open: pg_sys::Relation,
    /// Zero-based columns of the table.
    columns: Vec<usize>,
    info: *mut pg_sys::IndexInfo,
    check: pg_sys::IndexUniqueCheck::Type,
    /// A block-range index on one column: it keeps a minimum and a maximum per range, so the first
    /// and the last tuple of a block say it all when the column grows.
    summarizing: bool,
    /// The rows that it is on, if it is not on all.
    filter: Option<CharFilter>,
    /// A B-tree on integers, which takes many keys at once.
    leaves: Option<Leaves>,
    /// Whether the access method keeps nothing beside the information from one call to the next.
    lasting: bool,
}

/// The values and null flags of rows, one after the other, with so many of each.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    natts: usize,
    values: &'a [pg_sys::Datum],
    nulls: &'a [bool],
    /// What the columns of type "char" hold, if that is known.
    chars: Option<Chars>,
}

impl<'a> Keys<'a> {
    /// As many of both.
    pub fn new(
        natts: usize,
        values: &'a [pg_sys::Datum],
        nulls: &'a [bool],
        chars: Option<Chars>,
    ) -> Keys<'a> {
        Keys {
            natts,
            values,
            nulls,
            chars,
        }
    }

    /// Those of a row.
    #[inline]
    pub fn of(&self, row: usize) -> (&'a [pg_sys::Datum], &'a [bool]) {
        let columns = row * self.natts..(row + 1) * self.natts;
        (&self.values[columns.clone()], &self.nulls[columns])
    }

    /// Whether a row may be one of an index on some rows.
    fn meet(&self, filter: &CharFilter) -> bool {
        match &self.chars {
            Some(chars) => filter.meets(chars),
            None => {
                let values = self.values.chunks_exact(self.natts);
                let mut rows = values.zip(self.nulls.chunks_exact(self.natts));
                rows.any(|(values, nulls)| filter.holds(values, nulls))
            }
        }
    }
}

/// A table's indexes and slots.
#[derive(Default)]
pub(super) struct Target {
    table: pg_sys::Oid,
    /// How many changes there had been when this was found out.
    found_at: u64,
    indexes: Vec<TargetIndex>,
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    /// A copy of the table's, so that slots need not be given back with each transaction.
    desc: Option<pg_sys::TupleDesc>,
    memory: Option<LastingContext>,
}

const LOCK: pg_sys::LOCKMODE = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;

/// Most slots that are kept.
const KEPT_SLOTS: usize = 64;

thread_local! {
    /// What is known, and is not in use at this moment.
    static KNOWN: RefCell<Vec<Target>> = const { RefCell::new(Vec::new()) };
    /// Counts changes of tables and indexes that something is known of.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    /// These tables and indexes, as of how many changes.
    static WATCHED: RefCell<(u64, Vec<pg_sys::Oid>)> = const { RefCell::new((0, Vec::new())) };
}

/// To be called from the relcache callback; `relid` invalid stands for every relation. Touches no catalog.
pub fn relation_changed(relid: pg_sys::Oid) {
    let ours = relid == pg_sys::InvalidOid
        || WATCHED.with(|watched| {
            let watched = watched.try_borrow();
            watched.map_or(true, |watched| watched.1.contains(&relid))
        });
    if ours {
        CHANGES.set(CHANGES.get() + 1);
    }
}

/// What is known of a table that is open under a lock, or is found out now.
pub(super) fn of(table: &OpenRelation, ascending: Option<usize>) -> Target {
    let known = KNOWN.with(|known| {
        let mut known = known.borrow_mut();
        known.retain(|known| known.found_at == CHANGES.get());
        let at = known.iter().position(|known| known.table == table.oid())?;
        Some(known.swap_remove(at))
    });
    known.unwrap_or_else(|| Target::find(table, ascending))
}

/// Keeps what is known for the next time.
pub(super) fn keep(mut target: Target) {
    for slot in target.slots.drain(KEPT_SLOTS.min(target.slots.len())..) {
        // SAFETY: made by us, dropped once; it holds no tuple that it would free.
        unsafe { pg_sys::ExecDropSingleTupleTableSlot(slot) };
    }
    KNOWN.with(|known| known.borrow_mut().push(target));
}

impl Target {
    fn find(table: &OpenRelation, ascending: Option<usize>) -> Target {
        // Ahead of looking: what changes meanwhile counts.
        let found_at = CHANGES.get();
        let memory = LastingContext::new();
        let oids = table.index_oids();
        WATCHED.with(|watched| {
            let (as_of, watched) = &mut *watched.borrow_mut();
            if std::mem::replace(as_of, found_at) != found_at {
                watched.clear();
            }
            watched.push(table.oid());
            watched.extend_from_slice(&oids);
        });
        let indexes = oids
            .into_iter()
            .filter_map(|oid| TargetIndex::find(table, oid, ascending, &memory))
            .collect();
        Target {
            table: table.oid(),
            found_at,
            indexes,
            slots: Vec::new(),
            desc: None,
            memory: Some(memory),
        }
    }

    /// Opens the indexes, under locks; one that is on few rows only once there is such a row.
    pub(super) fn open_indexes(&mut self) {
        let indexes = &mut self.indexes[..];
        // SAFETY: raises for an index that is gone, and otherwise returns a pinned relation.
        unsafe {
            guarded(|| {
                for index in indexes.iter_mut().filter(|index| index.filter.is_none()) {
                    index.open = raw::index_open(index.oid, LOCK);
                }
            });
        }
        for index in indexes
            .iter_mut()
            .filter(|index| !index.lasting && index.is_open())
        {
            // SAFETY: the index is open; what is built lives in the current context, until the end of the flush.
            index.info = unsafe { pg_sys::BuildIndexInfo(index.open) };
        }
    }

    /// Gets ready for these rows: opens the indexes that are on some of them, and are not open yet.
    pub(super) fn open_for(&mut self, keys: &Keys<'_>) {
        for index in &mut self.indexes {
            if let Some(leaves) = &mut index.leaves {
                leaves.arrange(keys.natts, keys.values, keys.nulls);
            }
            if index.is_open() {
                continue;
            }
            if index
                .filter
                .as_ref()
                .is_some_and(|filter| keys.meet(filter))
            {
                // SAFETY: as in `open_indexes`; what is built lives in the current context, until the end of the
                // flush.
                unsafe {
                    index.open = pg_sys::index_open(index.oid, LOCK);
                    if !index.lasting {
                        index.info = pg_sys::BuildIndexInfo(index.open);
                    }
                }
            }
        }
    }

    /// Closes them; their locks stay.
    pub(super) fn close_indexes(&mut self) {
        let open = |index: &&TargetIndex| !index.lasting && index.is_open();
        for index in self.indexes.iter().filter(open) {
            // SAFETY: index and info belong together, and the index is still open.
            unsafe { compat::index_insert_cleanup(index.open, index.info) };
        }
        let indexes = &mut self.indexes[..];
        // SAFETY: opened by `open_indexes`, closed once.
        unsafe {
            guarded(|| {
                for index in indexes.iter_mut().filter(|index| index.is_open()) {
                    raw::index_close(index.open, pg_sys::NoLock as pg_sys::LOCKMODE);
                    index.open = std::ptr::null_mut();
                }
            });
        }
    }

    /// The indexes.
    pub(super) fn indexes(&self) -> &[TargetIndex] {
        &self.indexes
    }

    /// So many slots for tuples of the table.
    pub(super) fn slots(
        &mut self,
        desc: pg_sys::TupleDesc,
        count: usize,
    ) -> *mut *mut pg_sys::TupleTableSlot {
        let memory = self.memory.get_or_insert_with(LastingContext::new);
        // SAFETY: both contexts are alive; the copy of the descriptor lives as long as the slots, all of them in memory
        // that goes with `self`.
        unsafe {
            let previous = pg_sys::MemoryContextSwitchTo(memory.raw());
            let copy = *self
                .desc
                .get_or_insert_with(|| pg_sys::CreateTupleDescCopy(desc));
            while self.slots.len() < count {
                let ops = &raw const pg_sys::TTSOpsHeapTuple;
                self.slots.push(pg_sys::MakeSingleTupleTableSlot(copy, ops));
            }
            pg_sys::MemoryContextSwitchTo(previous);
        }
        self.slots.as_mut_ptr()
    }
}

impl TargetIndex {
    fn find(
        table: &OpenRelation,
        oid: pg_sys::Oid,
        ascending: Option<usize>,
        memory: &LastingContext,
    ) -> Option<TargetIndex> {
        let index = OpenRelation::index(oid, pg_sys::RowExclusiveLock);
        let filter = index.is_partial().then(|| CharFilter::of(&index)).flatten();
        // SAFETY: `index` is open; BuildIndexInfo reads its catalog rows, and what it returns lives as long as `memory`.
        let (info, am) = unsafe {
            let previous = pg_sys::MemoryContextSwitchTo(memory.raw());
            let info = pg_sys::BuildIndexInfo(index.raw());
            pg_sys::MemoryContextSwitchTo(previous);
            (info, (*(*index.raw()).rd_rel).relam)
        };
        // SAFETY: as above; the names are those of open relations.
        let unique = unsafe {
            if !(*info).ii_ReadyForInserts {
                return None;
            }
            if !(*info).ii_Expressions.is_null()
                || !(*info).ii_Predicate.is_null() && filter.is_none()
            {
                let name = String::from_utf8_lossy(name_of(&(*(*index.raw()).rd_rel).relname));
                Failure::BrokenInstallation.raise(
                    format!(
                        "index \"{name}\" on auditspine.{} has an expression or a WHERE clause, \
                         which the append does not maintain",
                        String::from_utf8_lossy(name_of(&(*(*table.raw()).rd_rel).relname)),
                    ),
                    format!(
                        "DROP INDEX auditspine.\"{name}\"; an index on plain columns is kept up"
                    ),
                );
            }
            (*info).ii_Unique
        };
        let columns: Vec<usize> = index_columns(&index)
            .iter()
            .map(|attnum| {
                usize::try_from(*attnum - 1).unwrap_or_else(|_| {
                    broken("an index on a state table is on a system column".to_owned())
                })
            })
            .collect();
        let is_brin = am == pg_sys::BRIN_AM_OID;
        Some(TargetIndex {
            oid,
            open: std::ptr::null_mut(),
            summarizing: is_brin && ascending.is_some_and(|column| columns == [column]),
            lasting: am == pg_sys::BTREE_AM_OID || is_brin && compat::BRIN_KEEPS_NOTHING,
            leaves: Shape::of(&index, &columns).map(Leaves::new),
            columns,
            info,
            filter,
            check: if unique {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES
            } else {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO
            },
        })
    }

    fn is_open(&self) -> bool {
        !self.open.is_null()
    }

    /// Enters tuples.
    ///
    /// # Safety
    /// Within [`guarded`]: the index is open, or on none of the rows, and is one of `heap`, which has the tuples at
    /// these places.
    pub(super) unsafe fn insert(
        &self,
        heap: pg_sys::Relation,
        keys: &Keys<'_>,
        tids: &[pg_sys::ItemPointerData],
    ) {
        let filter = self.filter.as_ref();
        if !self.is_open() || filter.is_some_and(|filter| !keys.meet(filter)) {
            return;
        }
        let one = |at: usize| {
            // SAFETY: the caller's.
            unsafe { self.insert_one(heap, keys, tids, at) }
        };
        match &self.leaves {
            // SAFETY: the caller's; the index is open.
            Some(leaves) if leaves.is_ready() => unsafe { leaves.insert(self.open, tids, one) },
            _ => (0..tids.len()).for_each(one),
        }
    }

    /// Has the access method enter a tuple.
    ///
    /// # Safety
    /// As for [`TargetIndex::insert`]; there are more tuples than `at`.
    unsafe fn insert_one(
        &self,
        heap: pg_sys::Relation,
        keys: &Keys<'_>,
        tids: &[pg_sys::ItemPointerData],
        at: usize,
    ) {
        let block = |at: usize| {
            tids.get(at)
                .map(|tid| (tid.ip_blkid.bi_hi, tid.ip_blkid.bi_lo))
        };
        if self.summarizing && at > 0 && block(at - 1) == block(at) && block(at) == block(at + 1) {
            return;
        }
        let Some(mut tid) = tids.get(at).copied() else {
            return;
        };
        let (values, nulls) = keys.of(at);
        if let Some(filter) = &self.filter
            && !filter.holds(values, nulls)
        {
            return;
        }
        let mut key = [pg_sys::Datum::null(); pg_sys::INDEX_MAX_KEYS as usize];
        let mut key_nulls = [false; pg_sys::INDEX_MAX_KEYS as usize];
        for (column, (key, null)) in self.columns.iter().zip(key.iter_mut().zip(&mut key_nulls)) {
            (*key, *null) = (values[*column], nulls[*column]);
        }
        // SAFETY: the caller's; an index has no more columns than the arrays have members.
        unsafe {
            raw::index_insert(
                self.open,
                key.as_mut_ptr(),
                key_nulls.as_mut_ptr(),
                &mut tid,
                heap,
                self.check,
                false,
                self.info,
            );
        }
    }
}
