//! A part of a table, read in physical order.

use auditspine_core::verify::EntryView;

use super::entries::EntryReader;
use super::heap::{in_physical_order, show_bytes};
use super::relation::OpenRelation;

/// Where the entries of a window are.
pub struct Extent {
    /// The table of entries.
    pub table: OpenRelation,
    /// First page and number; `None` for the whole table.
    pub limits: Option<(u32, u32)>,
    /// How many pages that is.
    pub pages: u32,
}

impl Extent {
    /// Calls `show` with the bytes of every tuple in these pages.
    pub fn tuples(&self, mut show: impl FnMut(&[u8])) {
        in_physical_order(&self.table, self.limits, |tuple| show(tuple.bytes()));
    }

    /// Reads a tuple that [`Extent::tuples`] showed, or a copy of it that is aligned to 8 bytes.
    pub fn read<R>(
        &self,
        reader: &mut EntryReader,
        bytes: &[u8],
        show: impl FnOnce(&EntryView<'_>) -> R,
    ) -> R {
        // SAFETY: the bytes are those of a tuple of this table, whose columns the catalog has checked.
        unsafe { show_bytes(&self.table, bytes, |tuple| reader.read(&tuple, show)) }
    }
}
