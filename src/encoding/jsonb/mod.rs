//! Binary jsonb, read as it lies, without a call into PostgreSQL per token.

pub mod layout;
mod loss;
mod shape;
mod write;

pub use loss::{root_string, tells_all};
pub use write::{write_jsonb, write_jsonb_text};
