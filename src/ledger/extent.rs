//! A part of a table, read in physical order.

use crate::pg::heap::{Tuple, in_physical_order};
use crate::pg::relation::OpenRelation;

/// Some pages of a table, or all.
pub struct Extent {
    /// The table.
    pub table: OpenRelation,
    /// First page and number; `None` for the whole table.
    pub limits: Option<(u32, u32)>,
    /// How many pages that is.
    pub pages: u32,
}

impl Extent {
    /// Calls `show` with every tuple in these pages.
    pub fn tuples(&self, show: impl FnMut(Tuple<'_>)) {
        in_physical_order(&self.table, self.limits, show);
    }
}
