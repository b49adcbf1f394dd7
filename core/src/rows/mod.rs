//! Rows held against the entries that recorded them.
//!
//! What is compared are records of a fixed size, one for each entry and one for each row, which name the
//! key by a digest. [`Join`] brings together those of one key, in bounded memory. Which columns a row
//! was hashed from when its entry was written, and where these are in the table now, is worked out by
//! [`Layouts`].

mod column_mapping;
mod in_force;
mod join;
mod join_record;
pub mod key_text;
mod layout;
mod removals;

pub use crate::finding::RowKind as RowFindingKind;
pub use column_mapping::{Layouts, Mapping, Relation, Source};
pub use join::{Join, Outcome, Storage, Tape};
pub use join_record::{EntryRecord, KeyDigest, KeyHasher, Place, RowRecord};
pub use layout::{Column, CurrentColumns, Incarnation, Layout, MalformedLayout, split_name};
pub use removals::Removals;
