//! Whether tables were altered after the snapshot was taken.
//!
//! A snapshot does not hold for a table that is rewritten or truncated later: its rows look gone, or its
//! new ones look as if they had always been there, while the entries are those of before. Nor does it
//! for the list of partitions, which is always the latest. So once the tables are locked, their rows of
//! pg_class are compared, as the snapshot has them and as they are: every such change writes a new one.

use std::collections::HashMap;

use pgrx::pg_sys;

use crate::pg::arena::DatumArena;
use crate::pg::receiver::for_each_row;
use crate::pg::table;

/// Whether one of these relations was made, altered, truncated or dropped since the active snapshot was
/// taken.
pub fn moved_on(relations: &[pg_sys::Oid]) -> bool {
    let oids: Vec<String> = relations
        .iter()
        .map(|oid| oid.to_u32().to_string())
        .collect();
    let mut arena = DatumArena::default();
    let list = arena.varlena(format!("{{{}}}", oids.join(",")).as_bytes());
    let query = c"SELECT oid, xmin FROM pg_catalog.pg_class \
        WHERE oid OPERATOR(pg_catalog.=) ANY (CAST($1 AS pg_catalog.oid[]))";
    let mut then: HashMap<u32, usize> = HashMap::new();
    for_each_row(query, &[(pg_sys::TEXTOID, list)], &mut |row| {
        if let (Some(oid), Some(version)) = (row.oid(0), row.datum(1)) {
            then.insert(oid.to_u32(), version.value());
        }
    });
    relations
        .iter()
        .any(|oid| then.get(&oid.to_u32()).copied() != table::version(*oid))
}
