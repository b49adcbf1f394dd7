//! Everything unsafe: PostgreSQL's heap, indexes, locks, snapshots and binary formats, each behind a
//! safe face.
