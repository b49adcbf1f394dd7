//! Relations opened for the length of a scope, and the plain indexes on them.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::pg::compat;

/// A relation held open; closed on drop, its lock kept to the end of the transaction unless it was
/// taken [`OpenRelation::briefly`].
pub struct OpenRelation {
    raw: pg_sys::Relation,
    closes: Closes,
    /// What is unlocked on drop.
    release: u32,
}

/// How a relation is closed on drop.
enum Closes {
    Relation,
    Index,
    /// Not at all: somebody else has it open for longer.
    Nothing,
}

impl OpenRelation {
    /// One that PostgreSQL holds open.
    ///
    /// # Safety
    /// The relation stays open as long as the result lives.
    pub unsafe fn borrow(raw: pg_sys::Relation) -> OpenRelation {
        OpenRelation {
            raw,
            closes: Closes::Nothing,
            release: pg_sys::NoLock,
        }
    }

    /// Opens a table or sequence under `lock`; an ERROR if it does not exist.
    pub fn table(oid: pg_sys::Oid, lock: u32) -> OpenRelation {
        // SAFETY: relation_open raises for an unknown oid and otherwise returns a pinned relation.
        let raw = unsafe { pg_sys::relation_open(oid, lock as pg_sys::LOCKMODE) };
        OpenRelation {
            raw,
            closes: Closes::Relation,
            release: pg_sys::NoLock,
        }
    }

    /// As [`OpenRelation::table`]; `None` if it does not exist any more.
    pub fn if_exists(oid: pg_sys::Oid, lock: u32) -> Option<OpenRelation> {
        // SAFETY: returns a pinned relation, or null.
        let raw = unsafe { pg_sys::try_relation_open(oid, lock as pg_sys::LOCKMODE) };
        // Not `then_some`: what that makes ahead would be dropped, and close nothing.
        (!raw.is_null()).then(|| OpenRelation {
            raw,
            closes: Closes::Relation,
            release: pg_sys::NoLock,
        })
    }

    /// Opens an index under `lock`; an ERROR if it does not exist.
    pub fn index(oid: pg_sys::Oid, lock: u32) -> OpenRelation {
        // SAFETY: as for `table`.
        let raw = unsafe { pg_sys::index_open(oid, lock as pg_sys::LOCKMODE) };
        OpenRelation {
            raw,
            closes: Closes::Index,
            release: pg_sys::NoLock,
        }
    }

    /// Gives the lock back on drop. For a look at a definition before the transaction's real work: a
    /// lock kept from it and raised later could deadlock with REINDEX.
    pub fn briefly(mut self, lock: u32) -> OpenRelation {
        self.release = lock;
        self
    }

    /// The relation, valid while `self` lives.
    pub fn raw(&self) -> pg_sys::Relation {
        self.raw
    }

    /// Whether it is an index on some rows only. PostgreSQL's own RelationGetIndexPredicate() would work out
    /// what is constant in the predicate, and with it run code of the table's owner's.
    pub fn is_partial(&self) -> bool {
        // SAFETY: an open index has a tuple of pg_index; of another relation there is none.
        unsafe {
            let tuple = (*self.raw).rd_indextuple;
            !tuple.is_null()
                && !pg_sys::heap_attisnull(
                    tuple,
                    pg_sys::Anum_pg_index_indpred as i32,
                    std::ptr::null_mut(),
                )
        }
    }

    /// Its row type, valid while `self` lives.
    pub fn tuple_desc(&self) -> pg_sys::TupleDesc {
        // SAFETY: `raw` is an open relation, whose rd_att is set.
        unsafe { (*self.raw).rd_att }
    }

    /// Raises PostgreSQL's own error unless the current user owns it, or may act as its owner.
    pub fn expect_owner(&self) {
        // SAFETY: `raw` is an open relation, whose rd_rel is set.
        unsafe {
            if !compat::owns_relation((*self.raw).rd_id) {
                let form = (*self.raw).rd_rel;
                pg_sys::aclcheck_error(
                    pg_sys::AclResult::ACLCHECK_NOT_OWNER,
                    pg_sys::get_relkind_objtype((*form).relkind),
                    (*form).relname.data.as_ptr(),
                );
            }
        }
    }

    /// How many rows the planner takes it to have.
    pub fn estimated_rows(&self) -> f64 {
        let (mut pages, mut rows, mut visible) = (0, 0.0, 0.0);
        // SAFETY: `raw` is an open table; without widths, none are asked for.
        unsafe {
            pg_sys::estimate_rel_size(
                self.raw,
                std::ptr::null_mut(),
                &mut pages,
                &mut rows,
                &mut visible,
            );
        }
        rows
    }

    /// The oids of its indexes, valid or not.
    pub fn index_oids(&self) -> Vec<pg_sys::Oid> {
        // SAFETY: `raw` is an open relation; the list is a fresh copy of oids.
        unsafe { take_oids(pg_sys::RelationGetIndexList(self.raw)) }
    }
}

impl Drop for OpenRelation {
    #[inline]
    fn drop(&mut self) {
        if matches!(self.closes, Closes::Nothing) || std::thread::panicking() {
            // While an ERROR is on its way, the resource owner closes what is open.
            return;
        }
        // SAFETY: opened by us, closed once; NoLock keeps the lock to the end of the transaction, and another
        // value is the lock that it was opened with.
        unsafe {
            match self.closes {
                Closes::Index => pg_sys::index_close(self.raw, self.release as pg_sys::LOCKMODE),
                Closes::Relation => {
                    pg_sys::relation_close(self.raw, self.release as pg_sys::LOCKMODE);
                }
                Closes::Nothing => {}
            }
        }
    }
}

/// The members of a list, which is freed.
///
/// # Safety
/// `list` is null or a valid list of oids that nobody else uses.
pub(super) unsafe fn take_oids(list: *mut pg_sys::List) -> Vec<pg_sys::Oid> {
    // SAFETY: the caller's.
    unsafe {
        let count = if list.is_null() { 0 } else { (*list).length };
        let all = (0..count)
            .map(|at| (*(*list).elements.add(at as usize)).oid_value)
            .collect();
        pg_sys::list_free(list);
        all
    }
}

/// The name that PostgreSQL holds in a fixed-size, NUL-terminated field.
pub fn name_of(name: &pg_sys::NameData) -> &[u8] {
    // SAFETY: a NameData is NUL-terminated within its 64 bytes.
    unsafe { CStr::from_ptr(name.data.as_ptr()).to_bytes() }
}

/// Column numbers that an index is on, in order; 0 stands for an expression.
pub fn index_columns(index: &OpenRelation) -> Vec<i16> {
    // SAFETY: rd_index of an open index is its pg_index row, whose indkey has indnatts values.
    unsafe {
        let form = (*index.raw()).rd_index;
        let count = (*form).indnatts as usize;
        std::slice::from_raw_parts((*form).indkey.values.as_ptr(), count).to_vec()
    }
}
