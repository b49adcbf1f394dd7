//! Rows held against the entries that recorded them.
//!
//! What is compared are records of a fixed size, one for each entry and one for each row, which name the
//! key by a digest. [`Join`] brings together those of one key, in bounded memory. Which columns a row
//! was hashed from when its entry was written, and where these are in the table now, is worked out by
//! [`Layouts`].

mod in_force;
mod join;
pub mod keytext;
mod layout;
mod lineage;
mod record;
mod removals;

pub use crate::finding::RowKind as RowFindingKind;
pub use join::{Join, Outcome, Storage, Tape};
pub use layout::{Column, Incarnation, Layout, MalformedLayout, Present, split_name};
pub use lineage::{Layouts, Mapping, Relation, Source};
pub use record::{EntryRecord, KeyDigest, KeyHasher, Place, RowRecord};
pub use removals::Removals;
