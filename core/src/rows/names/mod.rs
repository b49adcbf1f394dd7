//! What names a row: the text of its key, which changes when the key does, and the row does not.
//!
//! While a table's key stays as it is there is one epoch, and a name is a name. Otherwise an entry's name is
//! that of its epoch: [`KeyEpochs`] tells which epochs there were, [`Translation`] what a name of one is in
//! another, as far as that follows from the texts, and [`Renamed`] holds names and rows against each other.

mod chains;
mod epochs;
mod matching;
mod renamed;
mod texts;

pub use epochs::{KeyEpochs, NamePart};
pub use renamed::{ByPayload, Leftover, OldName, Renamed};
pub use texts::{Translation, compose};
