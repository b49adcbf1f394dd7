//! Entries by kind and key, without an index that commits have to keep up.
//!
//! Sorted runs ([`auditspine_core::key_index`]) hold what was there when they were last filled; what has come since is
//! the *tail*, which is read as it lies. Both are looked at under one snapshot, and whatever they lead to is looked at
//! again, so nothing that they hold can show an entry that is not there.
//!
//! # Why no entry is missed
//!
//! - A fill enters all that its snapshot sees. Within a lane commits are in the order of positions, so for each lane it
//!   goes on behind the last position that it entered.
//! - What the snapshot of the last fill did not see was written by transactions that ran then, or began later. The fill
//!   looks for a mark (number drawn, next transaction id) behind which all of these began; what they wrote has larger
//!   numbers, so the tail is what is above that number. Prepared transactions and parts of transactions are no
//!   exception: they are in the snapshot as running.
//! - Whoever sees a fill sees what it saw, since its commit came later.
//! - Numbers grow unless somebody sets the sequence back. Where it stands below the mark, the runs are not used. As a
//!   second net, what lies physically behind the mark is part of the tail, whatever its number is.
//! - Where the table's file is another than at the fill, the runs are not used: after a TRUNCATE there may be other
//!   entries at the same places.
//!
//! Who edits entries, or inserts some by hand, is found by verification, not here.

pub mod fill;
pub mod finder;
pub mod lanes;
pub mod places;
pub mod search;
pub mod tables;
pub mod tail;
pub mod told;
pub mod write;
