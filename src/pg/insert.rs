//! Inserting tuples into one of our tables, heap and indexes, without SPI, privileges or triggers.

use pgrx::pg_sys;

use crate::pg::compat;

use super::char_filter::CharFilter;
use super::relation::{OpenRelation, index_columns, name_of};
use crate::error::{Failure, broken};

/// How many tuples go to the heap in one call.
pub const BATCH: usize = 1000;

/// An index that every new tuple gets an entry in.
struct TargetIndex {
    index: OpenRelation,
    /// Zero-based columns of the table.
    columns: Vec<usize>,
    info: *mut pg_sys::IndexInfo,
    unique: bool,
    /// A block-range index on one column: it keeps a minimum and a maximum per range, so the first
    /// and the last tuple of a block say it all when the column grows.
    summarizing: bool,
    /// The rows that it is on, if it is not on all.
    filter: Option<CharFilter>,
}

/// A table opened for inserting.
pub struct Inserter {
    table: OpenRelation,
    indexes: Vec<TargetIndex>,
    slots: Vec<*mut pg_sys::TupleTableSlot>,
}

impl Inserter {
    /// Opens `table` and its indexes, for calls of up to `rows` rows. `ascending` is the column that
    /// grows with every tuple. What it allocates lives in the current memory context.
    pub fn open(table: pg_sys::Oid, rows: usize, ascending: Option<usize>) -> Inserter {
        let table = OpenRelation::table(table, pg_sys::RowExclusiveLock);
        let indexes = table
            .index_oids()
            .into_iter()
            .filter_map(|oid| TargetIndex::open(&table, oid, ascending))
            .collect();
        // A single row needs no slot.
        let slots = if rows > 1 { rows.min(BATCH) } else { 0 };
        let slots = (0..slots)
            .map(|_| {
                // SAFETY: the descriptor is that of the open table.
                unsafe {
                    let ops = &raw const pg_sys::TTSOpsHeapTuple;
                    pg_sys::MakeSingleTupleTableSlot(table.tuple_desc(), ops)
                }
            })
            .collect();
        Inserter {
            table,
            indexes,
            slots,
        }
    }

    /// The table.
    pub fn table(&self) -> &OpenRelation {
        &self.table
    }

    /// Inserts rows of one value and null flag per column, no more than `open` was told. The tuples
    /// take memory from the current context, which the caller resets.
    pub fn insert(&mut self, rows: &[(&[pg_sys::Datum], &[bool])]) {
        let desc = self.table.tuple_desc();
        // SAFETY: values and nulls have a member per column of the table (checked by `state`), and
        // the tuples formed from them live in the current context until the end of this call.
        unsafe {
            let cid = pg_sys::GetCurrentCommandId(true);
            let tuples: Vec<pg_sys::HeapTuple> = rows
                .iter()
                .map(|(values, nulls)| {
                    debug_assert_eq!(values.len(), (*desc).natts as usize);
                    pg_sys::heap_form_tuple(
                        desc,
                        values.as_ptr().cast_mut(),
                        nulls.as_ptr().cast_mut(),
                    )
                })
                .collect();
            if let [tuple] = tuples[..] {
                pg_sys::heap_insert(self.table.raw(), tuple, cid, 0, std::ptr::null_mut());
                self.index(rows, &[(*tuple).t_self]);
                return;
            }
            for (slot, tuple) in self.slots.iter().zip(&tuples) {
                pg_sys::ExecStoreHeapTuple(*tuple, *slot, false);
            }
            pg_sys::heap_multi_insert(
                self.table.raw(),
                self.slots.as_mut_ptr(),
                tuples.len() as i32,
                cid,
                0,
                std::ptr::null_mut(),
            );
            let tids: Vec<pg_sys::ItemPointerData> = self
                .slots
                .iter()
                .take(tuples.len())
                .map(|slot| (**slot).tts_tid)
                .collect();
            self.index(rows, &tids);
            for slot in self.slots.iter().take(tuples.len()) {
                pg_sys::ExecClearTuple(*slot);
            }
        }
    }

    fn index(&mut self, rows: &[(&[pg_sys::Datum], &[bool])], tids: &[pg_sys::ItemPointerData]) {
        let block = |at: usize| {
            tids.get(at)
                .map(|tid| (tid.ip_blkid.bi_hi, tid.ip_blkid.bi_lo))
        };
        for target in &self.indexes {
            for (at, (values, nulls)) in rows.iter().enumerate() {
                let inside = at > 0 && block(at - 1) == block(at) && block(at) == block(at + 1);
                if target.summarizing && inside {
                    continue;
                }
                let filter = target.filter.as_ref();
                if filter.is_some_and(|filter| !filter.holds(values, nulls)) {
                    continue;
                }
                target.insert(&self.table, values, nulls, tids[at]);
            }
        }
    }

    /// Closes the table and its indexes.
    pub fn close(self) {
        for slot in &self.slots {
            // SAFETY: made by us, dropped once.
            unsafe { pg_sys::ExecDropSingleTupleTableSlot(*slot) };
        }
        for target in &self.indexes {
            // SAFETY: index and info belong together and are still open.
            unsafe { compat::index_insert_cleanup(target.index.raw(), target.info) };
        }
    }
}

impl TargetIndex {
    fn open(
        table: &OpenRelation,
        oid: pg_sys::Oid,
        ascending: Option<usize>,
    ) -> Option<TargetIndex> {
        let index = OpenRelation::index(oid, pg_sys::RowExclusiveLock);
        let filter = index.is_partial().then(|| CharFilter::of(&index)).flatten();
        // SAFETY: `index` is open; BuildIndexInfo reads its catalog rows.
        let (info, am) = unsafe {
            (
                pg_sys::BuildIndexInfo(index.raw()),
                (*(*index.raw()).rd_rel).relam,
            )
        };
        // SAFETY: as above; the names are those of open relations.
        unsafe {
            if !(*info).ii_ReadyForInserts {
                return None;
            }
            if !(*info).ii_Expressions.is_null()
                || (!(*info).ii_Predicate.is_null() && filter.is_none())
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
            let columns: Vec<usize> = index_columns(&index)
                .iter()
                .map(|attnum| {
                    usize::try_from(*attnum - 1).unwrap_or_else(|_| {
                        broken("an index on a state table is on a system column".to_owned())
                    })
                })
                .collect();
            let summarizing =
                am == pg_sys::BRIN_AM_OID && ascending.is_some_and(|column| columns == [column]);
            Some(TargetIndex {
                index,
                columns,
                info,
                unique: (*info).ii_Unique,
                summarizing,
                filter,
            })
        }
    }

    fn insert(
        &self,
        table: &OpenRelation,
        values: &[pg_sys::Datum],
        nulls: &[bool],
        mut tid: pg_sys::ItemPointerData,
    ) {
        let mut key = [pg_sys::Datum::from(0usize); pg_sys::INDEX_MAX_KEYS as usize];
        let mut key_nulls = [false; pg_sys::INDEX_MAX_KEYS as usize];
        for (at, column) in self.columns.iter().enumerate() {
            key[at] = values[*column];
            key_nulls[at] = nulls[*column];
        }
        let check = if self.unique {
            pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES
        } else {
            pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO
        };
        // SAFETY: key and key_nulls have a member per index column; the tid is that of the tuple
        // just inserted into the table that the index is on.
        unsafe {
            pg_sys::index_insert(
                self.index.raw(),
                key.as_mut_ptr(),
                key_nulls.as_mut_ptr(),
                &mut tid,
                table.raw(),
                check,
                false,
                self.info,
            );
        }
    }
}
