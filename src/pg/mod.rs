//! Everything unsafe: PostgreSQL's heap, indexes, locks, snapshots and binary formats, each behind a
//! safe face.

pub mod json;
pub mod jsonb;
mod numeric;
pub mod row;
pub mod sink;
pub mod sqltypes;
mod varlena;
