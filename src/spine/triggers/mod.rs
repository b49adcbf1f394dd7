//! What the triggers of the ProofSpine tables do.
//!
//! They find the tables beside theirs by their own table's schema, and act as its owner.

pub mod fired;
mod history;
mod root;
mod segments;
mod supersession;

pub use history::history;
pub use root::root;
pub use segments::{count, links};
pub use supersession::supersession;

/// A text that is shown: quoted, or null.
fn shown(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| format!("\"{text}\""))
}
