//! Rows held against the entries that recorded them.
//!
//! What is compared are records of a fixed size, one for each entry and one for each row, which name the
//! key by a digest. [`Join`] brings together those of one key, in bounded memory. Which columns a row
//! was hashed from when its entry was written, and where these are in the table now, is worked out by
//! [`Layouts`].

mod cells;
mod column_mapping;
mod conversion;
mod fate;
mod in_force;
mod join;
mod join_record;
pub mod key_text;
mod layout;
mod mapping;
pub mod members;
mod names;
mod pile;
mod removals;
mod shapes;
mod types;

pub use crate::finding::RowKind as RowFindingKind;
pub use cells::{Expected, Uncovered};
pub use column_mapping::Layouts;
pub use conversion::Undo;
pub use join::{How, Join, Outcome};
pub use join_record::{EntryRecord, KeyDigest, KeyHasher, Place, RowRecord};
pub use layout::{
    Column, CurrentColumns, Incarnation, Layout, MalformedLayout, TypeId, Upon, split_name,
};
pub use mapping::{Gone, Mapping, Relation, Source};
pub use names::{ByPayload, KeyEpochs, Leftover, NamePart, OldName, Renamed, Translation, compose};
pub use pile::{Storage, Tape};
pub use removals::Removals;
pub use types::{Attribute, Form, Label, Overrides, Shape, Shapes};
