//! What the chain says of a key by now: whether a row with it is recorded, and still there.

use std::collections::HashMap;
use std::ffi::CStr;

use auditspine_core::rows::OldName;
use pgrx::pg_sys;

use crate::pg::index_scan::{Condition, IndexScan, Under};
use crate::pg::values::Values;

use crate::capture::row_spec::Spec;
use crate::error::Failure;
use crate::ledger::catalog::{column, state};
use crate::ledger::owner::as_owner;
use crate::pg::arena::DatumArena;
use crate::pg::query;
use crate::pg::relation::{OpenRelation, index_columns};
use crate::pg::row_json::DeformedRow;
use crate::verify::rows::renamed::Recipe;

/// What the latest entry of a key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// There is none.
    Never,
    /// The row is there.
    Present,
    /// The row is gone: deleted, truncated, or in a partition that was detached.
    Gone,
    /// There may be one that names the row as it was called under an earlier key, and as it cannot be called
    /// any more.
    Unknown,
}

/// What removed rows of a kind without naming them: TRUNCATE, and the detaching of partitions.
#[derive(Default)]
struct Removals {
    /// `seq` of the last one that removed all rows.
    all: i64,
    /// `seq` of the last one that removed the rows of a layout.
    of_layout: HashMap<i32, i64>,
}

/// Looks up keys of one kind in the index on (event_kind, event_pk), under SnapshotSelf: what is
/// committed by now, at every isolation level.
pub struct Lookup {
    scan: IndexScan<OpenRelation, OpenRelation>,
    kind: Box<[u8]>,
    removals: Removals,
    arena: DatumArena,
}

/// Columns of auditspine.audit_chain that the index begins with.
const INDEXED: [i16; 2] = [column::EVENT_KIND as i16 + 1, column::EVENT_PK as i16 + 1];

const REMOVALS: &CStr = c"
SELECT r.seq, r.payload_hash OPERATOR(pg_catalog.=) pg_catalog.sha256('null'), l.value::integer
FROM auditspine.removals($1) r LEFT JOIN LATERAL pg_catalog.jsonb_array_elements_text(
    CASE pg_catalog.jsonb_typeof(r.payload OPERATOR(pg_catalog.->) 'layouts')
         WHEN 'array' THEN r.payload OPERATOR(pg_catalog.->) 'layouts' ELSE '[]' END) l(value) ON true";

impl Lookup {
    /// Begins to look up keys of a kind. The caller holds a lock on the audited table that keeps
    /// TRUNCATE out; what is allocated lives in the current memory context.
    ///
    /// Raises 55000 without an index to search.
    pub fn open(kind: &[u8]) -> Lookup {
        let removals = Removals::of(kind);
        let chain = OpenRelation::table(state().audit_chain, pg_sys::RowExclusiveLock);
        let index = event_index(&chain);
        Lookup {
            scan: IndexScan::begin(chain, index, Under::Now, 2),
            kind: kind.into(),
            removals,
            arena: DatumArena::default(),
        }
    }

    /// What the chain says of a row, however it was called: `key` is what it is called now.
    pub fn find_row(
        &mut self,
        key: &[u8],
        newest: i64,
        older: &[(Recipe, i64, i64)],
        spec: &Spec,
        row: &DeformedRow,
    ) -> Recorded {
        let found = self.find(key, newest, i64::MAX);
        if found != Recorded::Never {
            return found;
        }
        for (recipe, from, until) in older {
            match recipe.read(spec, row) {
                OldName::Is(name) => {
                    let found = self.find(&name, *from, *until);
                    if found != Recorded::Never {
                        return found;
                    }
                }
                OldName::Lost => return Recorded::Unknown,
                OldName::None => {}
            }
        }
        Recorded::Never
    }

    /// What the chain says of a key, from one entry on and before another.
    fn find(&mut self, key: &[u8], from: i64, until: i64) -> Recorded {
        self.arena.clear();
        let values = [self.arena.varlena(&self.kind), self.arena.varlena(key)];
        let mut latest: Option<(i64, u8, Option<i32>)> = None;
        self.scan.search(
            &values.map(|value| {
                Condition::new(pg_sys::BTEqualStrategyNumber, pg_sys::F_TEXTEQ, value)
            }),
        );
        let mut look_at = |row: &Values<'_>| {
            let (Some(seq), Some(op)) = (row.int8(column::SEQ), row.char(column::OP)) else {
                return;
            };
            if b"IUD".contains(&op)
                && from <= seq
                && seq < until
                && latest.is_none_or(|(last, ..)| seq > last)
            {
                latest = Some((seq, op, row.int4(column::LAYOUT)));
            }
        };
        while self
            .scan
            .next_row(column::LAYOUT + 1, &mut look_at)
            .is_some()
        {}
        self.scan.clear();
        match latest {
            None => Recorded::Never,
            Some((_, b'D', _)) => Recorded::Gone,
            Some((seq, _, layout)) if self.removals.after(seq, layout) => Recorded::Gone,
            Some(_) => Recorded::Present,
        }
    }

    /// Ends the search.
    pub fn close(self) {
        drop(self.scan);
    }
}

impl Removals {
    fn of(kind: &[u8]) -> Removals {
        let mut removals = Removals::default();
        let mut arena = DatumArena::default();
        let arguments = [(pg_sys::TEXTOID, Some(arena.varlena(kind)))];
        as_owner(|| {
            query::run(REMOVALS, &arguments, |row| {
                let (Some(seq), Some(all)) = (row.int8(0), row.bool(1)) else {
                    return;
                };
                if all {
                    removals.all = removals.all.max(seq);
                } else if let Some(layout) = row.int4(2) {
                    let last = removals.of_layout.entry(layout).or_default();
                    *last = seq.max(*last);
                }
            });
        });
        removals
    }

    fn after(&self, seq: i64, layout: Option<i32>) -> bool {
        let of_layout = layout.and_then(|layout| self.of_layout.get(&layout));
        self.all > seq || of_layout.is_some_and(|last| *last > seq)
    }
}

fn event_index(chain: &OpenRelation) -> OpenRelation {
    let found = chain.index_oids().into_iter().find_map(|oid| {
        let index = OpenRelation::index(oid, pg_sys::AccessShareLock);
        (index.is_usable_btree() && index_columns(&index).starts_with(&INDEXED)).then_some(index)
    });
    found.unwrap_or_else(|| {
        Failure::BrokenInstallation.raise(
            "auditspine.audit_chain has no index on (event_kind, event_pk), by which rows that are \
             already recorded are found",
            "CREATE INDEX audit_chain_event_idx ON auditspine.audit_chain (event_kind, event_pk)",
        )
    })
}
