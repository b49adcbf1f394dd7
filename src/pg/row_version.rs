//! Which versions of a row a change ended and began, and by which command, as their tuples tell: a tuple
//! made or ended by the running transaction has the number of the command that did it.

use auditspine_core::versions::{Change, Version};
use pgrx::pg_sys;

use super::compat;
use super::heap::Slot;
use super::relation::OpenRelation;
use super::trigger_call::{Call, Operation};

/// The versions of the row whose change fired a trigger.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    /// The command that made the change.
    pub command: u32,
    /// The one that the change ended.
    pub ended: Option<Version>,
    /// The one that it began.
    pub began: Option<Version>,
}

impl Call<'_> {
    /// The versions of the row; `None` if the rows that a trigger gets are not those of a heap.
    pub fn versions(&self) -> Option<Versions> {
        let data = self.data();
        let (ended, began) = match self.operation() {
            Operation::Insert => (None, version_of(data.tg_trigtuple)),
            Operation::Delete => (version_of(data.tg_trigtuple), None),
            _ => (version_of(data.tg_trigtuple), version_of(data.tg_newtuple)),
        };
        let command = match (ended, began) {
            // SAFETY: of a heap's row, which this transaction has begun.
            (_, Some((tuple, _))) => unsafe { command_that_began((*tuple).t_data) },
            // SAFETY: the same, which this transaction has ended.
            (Some((tuple, _)), None) => unsafe { command_that_ended((*tuple).t_data) },
            (None, None) => return None,
        };
        Some(Versions {
            command,
            ended: ended.map(|(_, version)| version),
            began: began.map(|(_, version)| version),
        })
    }

    /// Whether the old row of an UPDATE or DELETE was made by this transaction.
    pub fn old_row_is_own(&self) -> bool {
        version_of(self.data().tg_trigtuple).is_some_and(|(tuple, _)| {
            // SAFETY: of a heap's row, which has a header.
            unsafe { is_own((*(*tuple).t_data).t_choice.t_heap.t_xmin) }
        })
    }
}

/// A row's place, if it is one of a heap: others are made up for the trigger, and have none.
fn version_of(tuple: pg_sys::HeapTuple) -> Option<(pg_sys::HeapTuple, Version)> {
    // SAFETY: null, or a tuple that PostgreSQL gave the trigger.
    let place = unsafe { tuple.as_ref()? }.t_self;
    let block = (u32::from(place.ip_blkid.bi_hi) << 16) | u32::from(place.ip_blkid.bi_lo);
    if block == u32::MAX {
        return None;
    }
    Some((tuple, Version::at(block, place.ip_posid)?))
}

/// # Safety
/// The header of a tuple that the running transaction has made.
unsafe fn command_that_began(header: pg_sys::HeapTupleHeader) -> u32 {
    // SAFETY: the caller's; a tuple that the transaction has ended as well has a number for both commands.
    unsafe {
        if u32::from((*header).t_infomask) & pg_sys::HEAP_COMBOCID != 0 {
            pg_sys::HeapTupleHeaderGetCmin(header)
        } else {
            (*header).t_choice.t_heap.t_field3.t_cid
        }
    }
}

/// # Safety
/// The header of a tuple that the running transaction has ended.
unsafe fn command_that_ended(header: pg_sys::HeapTupleHeader) -> u32 {
    // SAFETY: as above.
    unsafe {
        if u32::from((*header).t_infomask) & pg_sys::HEAP_COMBOCID != 0 {
            pg_sys::HeapTupleHeaderGetCmax(header)
        } else {
            (*header).t_choice.t_heap.t_field3.t_cid
        }
    }
}

fn is_own(xid: pg_sys::TransactionId) -> bool {
    // SAFETY: compares with the transaction's own ids.
    unsafe { pg_sys::TransactionIdIsCurrentTransactionId(xid) }
}

/// The file that holds a relation's rows now.
pub fn file_of(relation: &OpenRelation) -> u32 {
    // SAFETY: the relation is open.
    compat::number_of(&unsafe { compat::file_of(relation.raw()) })
}

/// Reads row versions of a heap by place, whoever sees them.
pub struct VersionReader<'a> {
    table: &'a OpenRelation,
    slot: Slot,
}

impl<'a> VersionReader<'a> {
    /// Of an open heap.
    pub fn new(table: &'a OpenRelation) -> VersionReader<'a> {
        VersionReader {
            table,
            slot: Slot::new(table),
        }
    }

    /// Shows the tuple of a version, if there is one at that place.
    pub fn show<R>(
        &mut self,
        version: Version,
        show: impl FnOnce(super::heap::Tuple<'_>) -> R,
    ) -> Option<R> {
        if !self.table.is_heap() || version.block() >= self.table.pages() {
            return None;
        }
        // SAFETY: table and slot belong together, and the block is there. The snapshot is a static one that
        // shows every tuple; the slot then holds one, until it is cleared.
        unsafe {
            let mut tid = pg_sys::ItemPointerData::default();
            pgrx::itemptr::item_pointer_set_all(&mut tid, version.block(), version.offset());
            let found = pg_sys::table_tuple_fetch_row_version(
                self.table.raw(),
                &mut tid,
                &raw mut pg_sys::SnapshotAnyData,
                self.slot.raw(),
            );
            if !found {
                return None;
            }
            let answer = self.slot.show(self.table, show);
            pg_sys::ExecClearTuple(self.slot.raw());
            Some(answer)
        }
    }

    /// Whether what a change of this transaction left is in the table's file as it is now: the version that
    /// it began, or the one that it ended.
    pub fn holds(&mut self, change: &Change) -> bool {
        let Some(version) = change.began.or(change.ended) else {
            return false;
        };
        let by = self.show(version, |tuple| {
            let header: pg_sys::HeapTupleHeader = tuple.bytes().as_ptr().cast_mut().cast();
            // SAFETY: a tuple's bytes begin with its header; each number is asked for only of a tuple that
            // this transaction has made, or ended.
            unsafe {
                let heap = (*header).t_choice.t_heap;
                if change.began.is_some() {
                    is_own(heap.t_xmin).then(|| command_that_began(header))
                } else {
                    let locked = u32::from((*header).t_infomask) & pg_sys::HEAP_XMAX_IS_MULTI != 0;
                    let by = if locked {
                        pg_sys::HeapTupleGetUpdateXid(header)
                    } else {
                        heap.t_xmax
                    };
                    is_own(by).then(|| command_that_ended(header))
                }
            }
        });
        by.flatten() == Some(change.command)
    }
}
