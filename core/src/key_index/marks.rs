//! From where on entries may be missing in the runs, although nobody enumerates the lanes.
//!
//! A mark is taken by looking at the sequence, at the number of pages, and then at the next transaction id. Whoever
//! gets an id from then on draws larger numbers. A fill enters all that its snapshot sees. So what is missing was
//! written by a transaction that the snapshot does not see as over; if the oldest of these began behind a mark, all
//! that is missing has a number above the mark's.

/// A mark: how things stood at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The last number that was drawn, or an earlier one.
    pub seq: i64,
    /// How many pages the table of entries had.
    pub page: u32,
    /// The next transaction id, looked at behind the others.
    pub next_xid: u64,
}

/// The latest mark behind which all of these transactions began: those from `oldest` on. Without one, everything may be
/// missing.
pub fn bound(marks: &[Mark], oldest: u64) -> Option<Mark> {
    let before = marks.iter().filter(|mark| mark.next_xid <= oldest);
    before.copied().max_by_key(|mark| mark.next_xid)
}
