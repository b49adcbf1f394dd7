//! Pages of a B-tree on integers, as the access method lays them out (access/nbtree.h): found, and looked at.

use pgrx::pg_sys;

use super::leaf_append::{Key, Shape, TUPLE_HEADER};
use super::raw;

/// BTPageOpaqueData, at the end of each page.
#[repr(C)]
#[derive(Clone, Copy)]
struct Opaque {
    previous: u32,
    next: u32,
    level: u32,
    flags: u16,
    cycle: u16,
}

/// What BTMetaPageData begins with, on the first page.
#[repr(C)]
#[derive(Clone, Copy)]
struct Meta {
    magic: u32,
    version: u32,
    root: u32,
    level: u32,
    fast_root: u32,
    fast_level: u32,
}

const MAGIC: u32 = 0x0005_3162;
/// From it on, equal keys are in the order of their places.
const VERSION: u32 = 4;

const LEAF: u16 = 1 << 0;
const DELETED: u16 = 1 << 2;
const META: u16 = 1 << 3;
const HALF_DEAD: u16 = 1 << 4;
/// Tuples are marked as dead, which nothing in the WAL tells of.
const HAS_GARBAGE: u16 = 1 << 6;
const INCOMPLETE_SPLIT: u16 = 1 << 7;
/// No page at the side.
const NONE: u32 = 0;

/// Of `t_info`: how long the tuple is, and that the place in it tells something else as well.
const SIZE: u16 = 0x1FFF;
const ALTERNATIVE: u16 = 0x2000;
const HAS_NULLS: u16 = 0x8000;
/// Of the number in such a place on an inner page, or of a high key: how many columns there are.
const KEYS: u16 = 0x0FFF;

/// Most pages that are looked at on the way.
const STEPS: usize = 64;

/// A page that is pinned and locked.
pub(super) struct IndexPage {
    raw: *const u8,
    opaque: Opaque,
    lower: usize,
    upper: usize,
}

/// A leaf, pinned and locked for writing.
pub(super) struct Leaf {
    pub(super) buffer: pg_sys::Buffer,
    pub(super) block: pg_sys::BlockNumber,
    pub(super) page: IndexPage,
}

/// A key that divides pages: columns that are not there are less than any value.
pub(super) struct Bound {
    key: Key,
    count: usize,
}

/// Above which no key of a page is.
pub(super) enum High {
    /// It is the last page of its level.
    None,
    /// This.
    Key(Bound),
    /// It cannot be read.
    Unknown,
}

impl Bound {
    /// Whether it is greater than a key.
    pub(super) fn is_above(&self, key: &Key) -> bool {
        // Of equal columns those that follow decide, and there are none in the bound that are greater.
        self.key
            .iter()
            .take(self.count)
            .gt(key.iter().take(self.count))
    }
}

impl IndexPage {
    /// `None` if it is not a page of a B-tree that is in use.
    ///
    /// # Safety
    /// It stays pinned and locked.
    unsafe fn of(buffer: pg_sys::Buffer) -> Option<IndexPage> {
        // SAFETY: the caller's; a page has a header, and what that says is held against its size.
        unsafe {
            let raw = pg_sys::BufferGetPage(buffer).cast::<u8>().cast_const();
            let header = raw.cast::<pg_sys::PageHeaderData>();
            let (lower, upper, special) = (
                usize::from((*header).pd_lower),
                usize::from((*header).pd_upper),
                usize::from((*header).pd_special),
            );
            let end = pg_sys::BLCKSZ as usize;
            let is_page = POINTERS <= lower
                && lower <= upper
                && upper <= special
                && special + size_of::<Opaque>() == end;
            if !is_page {
                return None;
            }
            let opaque = raw.add(special).cast::<Opaque>().read();
            Some(IndexPage {
                raw,
                opaque,
                lower,
                upper,
            })
        }
    }

    /// How many tuples it has.
    pub(super) fn count(&self) -> u16 {
        ((self.lower - POINTERS) / size_of::<pg_sys::ItemIdData>()) as u16
    }

    /// Bytes for further tuples and their pointers.
    pub(super) fn room(&self) -> usize {
        self.upper - self.lower
    }

    fn is_last(&self) -> bool {
        self.opaque.next == NONE
    }

    fn first_data(&self) -> u16 {
        if self.is_last() { 1 } else { 2 }
    }

    fn has(&self, flags: u16) -> bool {
        self.opaque.flags & flags != 0
    }

    /// A tuple by its number from 1, and `t_info`; `None` if it is not on the page as a whole.
    ///
    /// # Safety
    /// The page is still pinned and locked.
    unsafe fn tuple(&self, number: u16) -> Option<(*const u8, u16)> {
        if number == 0 || number > self.count() {
            return None;
        }
        // SAFETY: there are so many pointers; where one points to is held against the page.
        unsafe {
            let pointers = self.raw.add(POINTERS).cast::<pg_sys::ItemIdData>();
            let pointer = &*pointers.add(usize::from(number) - 1);
            let (at, length) = (pointer.lp_off() as usize, pointer.lp_len() as usize);
            if length < TUPLE_HEADER || at < self.upper || at + length > pg_sys::BLCKSZ as usize {
                return None;
            }
            let tuple = self.raw.add(at);
            let info = (*tuple.cast::<pg_sys::IndexTupleData>()).t_info;
            (usize::from(info & SIZE) <= length).then_some((tuple, info))
        }
    }

    /// The key of the last tuple of a leaf; `None` if there is none.
    ///
    /// # Safety
    /// As for `tuple`.
    pub(super) unsafe fn last_key(&self, shape: &Shape) -> Option<Key> {
        let last = self.count();
        if last < self.first_data() {
            return None;
        }
        // SAFETY: the caller's; the tuples of a leaf have all columns, one for several places too.
        unsafe {
            let (tuple, info) = self.tuple(last)?;
            let is_whole = info & HAS_NULLS == 0 && usize::from(info & SIZE) >= shape.size();
            is_whole.then(|| shape.key_at(tuple, shape.count()))
        }
    }

    /// Its high key.
    ///
    /// # Safety
    /// As for `tuple`.
    pub(super) unsafe fn high_key(&self, shape: &Shape) -> High {
        if self.is_last() {
            return High::None;
        }
        // SAFETY: the caller's.
        match unsafe { self.bound(1, shape) } {
            Some(bound) => High::Key(bound),
            None => High::Unknown,
        }
    }

    /// A tuple of an inner page, or a high key.
    ///
    /// # Safety
    /// As for `tuple`.
    unsafe fn bound(&self, number: u16, shape: &Shape) -> Option<Bound> {
        // SAFETY: the caller's; such a tuple tells how many columns it has.
        unsafe {
            let (tuple, info) = self.tuple(number)?;
            if info & HAS_NULLS != 0 {
                return None;
            }
            let count = match info & ALTERNATIVE {
                0 => shape.count(),
                _ => usize::from((*tuple.cast::<pg_sys::IndexTupleData>()).t_tid.ip_posid & KEYS),
            };
            if count > shape.count() || usize::from(info & SIZE) < shape.end_of(count) {
                return None;
            }
            let key = shape.key_at(tuple, count);
            Some(Bound { key, count })
        }
    }

    /// Of an inner page, the page below where a key has to be looked for.
    ///
    /// # Safety
    /// As for `tuple`.
    unsafe fn child(&self, shape: &Shape, key: &Key) -> Option<u32> {
        // The first one stands for all that is less than the second.
        let (mut low, mut high) = (self.first_data(), self.count() + 1);
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            // SAFETY: the caller's.
            if unsafe { self.bound(middle, shape) }?.is_above(key) {
                high = middle;
            } else {
                low = middle;
            }
        }
        // SAFETY: the caller's.
        let (tuple, _) = unsafe { self.tuple(low) }?;
        // SAFETY: a tuple begins with a place, whose page is the one below.
        let block = unsafe { (*tuple.cast::<pg_sys::IndexTupleData>()).t_tid.ip_blkid };
        Some(u32::from(block.bi_hi) << 16 | u32::from(block.bi_lo))
    }
}

/// Where the pointers to tuples begin.
const POINTERS: usize = std::mem::offset_of!(pg_sys::PageHeaderData, pd_linp);

/// The leaf where a key would be entered; `None` if the way to it is not plain.
///
/// # Safety
/// Within [`raw::guarded`]: the index is the one that the shape is of, and is open.
pub(super) unsafe fn leaf_for(index: pg_sys::Relation, shape: &Shape, key: &Key) -> Option<Leaf> {
    const SHARE: i32 = pg_sys::BUFFER_LOCK_SHARE as i32;
    const EXCLUSIVE: i32 = pg_sys::BUFFER_LOCK_EXCLUSIVE as i32;
    // SAFETY: the caller's. Blocks are those that the index says it has, which never become fewer while it is open; a
    // page is looked at while it is pinned and locked, and no two are locked at a time.
    unsafe {
        let buffer = raw::ReadBuffer(index, 0);
        raw::LockBuffer(buffer, SHARE);
        let meta = IndexPage::of(buffer).map(|page| page.raw.add(POINTERS).cast::<Meta>().read());
        raw::UnlockReleaseBuffer(buffer);
        let meta = meta.filter(|meta| meta.magic == MAGIC && meta.version >= VERSION)?;
        let (mut block, mut level) = (meta.fast_root, meta.fast_level);
        for _ in 0..STEPS {
            if block == NONE {
                return None;
            }
            let buffer = raw::ReadBuffer(index, block);
            raw::LockBuffer(buffer, if level == 0 { EXCLUSIVE } else { SHARE });
            let page = IndexPage::of(buffer).filter(|page| {
                page.opaque.level == level
                    && page.has(LEAF) == (level == 0)
                    && !page.has(DELETED | HALF_DEAD | META)
            });
            let next = page.as_ref().and_then(|page| match page.high_key(shape) {
                // Split since its parent was read.
                High::Key(high) if !high.is_above(key) => Some((page.opaque.next, level)),
                High::Unknown => None,
                _ if level > 0 => Some((page.child(shape, key)?, level - 1)),
                _ => None,
            });
            match (next, page) {
                (Some(next), _) => (block, level) = next,
                (None, Some(page)) if level == 0 && !page.has(INCOMPLETE_SPLIT | HAS_GARBAGE) => {
                    return Some(Leaf {
                        buffer,
                        block,
                        page,
                    });
                }
                (None, _) => {
                    raw::UnlockReleaseBuffer(buffer);
                    return None;
                }
            }
            raw::UnlockReleaseBuffer(buffer);
        }
        None
    }
}
