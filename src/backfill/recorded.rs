//! What the chain says of a key by now: whether a row with it is recorded, and still there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

use auditspine_core::rows::OldName;
use pgrx::pg_sys;

use crate::pg::index_scan::{IndexScan, Under};
use crate::pg::values::Values;

use crate::capture::row_spec::Spec;
use crate::ledger::catalog::{column, state};
use crate::ledger::key_index::finder::{Finder, Tail};
use crate::ledger::key_index::places;
use crate::ledger::owner::as_owner;
use crate::pg::arena::DatumArena;
use crate::pg::query;
use crate::pg::relation::OpenRelation;
use crate::pg::row_json::DeformedRow;
use crate::pg::snapshot::ActiveSnapshot;
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

/// Looks up keys of one kind: in an ordinary index on (event_kind, event_pk), if there is one, under SnapshotSelf, else
/// in the index by key and its tail, under the snapshot that rows are read under.
///
/// That is enough: entries are committed together with the row versions that they tell of, so what a snapshot shows of a
/// row and of its entries belongs together. What was changed since cannot be locked.
pub struct Lookup {
    source: Source,
    kind: Box<[u8]>,
    removals: Removals,
    arena: DatumArena,
}

enum Source {
    Ordinary(IndexScan<OpenRelation, OpenRelation>),
    /// The finder is there while rows are looked up.
    Runs(Option<Finder>, Rc<RefCell<Tail>>),
}

const REMOVALS: &CStr = c"
SELECT r.seq, r.payload_hash OPERATOR(pg_catalog.=) pg_catalog.sha256('null'), l.value::integer
FROM auditspine.removals($1) r LEFT JOIN LATERAL pg_catalog.jsonb_array_elements_text(
    CASE pg_catalog.jsonb_typeof(r.payload OPERATOR(pg_catalog.->) 'layouts')
         WHEN 'array' THEN r.payload OPERATOR(pg_catalog.->) 'layouts' ELSE '[]' END) l(value) ON true";

impl Lookup {
    /// Begins to look up keys of a kind, whose tail is kept. The caller holds a lock on the audited table that keeps
    /// TRUNCATE out; what is allocated lives in the current memory context.
    pub fn open(kind: &[u8], tail: &Rc<RefCell<Tail>>) -> Lookup {
        let removals = Removals::of(kind);
        let chain = OpenRelation::table(state().audit_chain, pg_sys::RowExclusiveLock);
        let source = match places::ordinary_index(&chain) {
            Some(index) => Source::Ordinary(IndexScan::begin(chain, index, Under::Now, 2)),
            None => Source::Runs(None, tail.clone()),
        };
        Lookup {
            source,
            kind: kind.into(),
            removals,
            arena: DatumArena::default(),
        }
    }

    /// Has `snapshot` make a snapshot active, under which rows are looked up until [`Lookup::rest`].
    pub fn begin(&mut self, snapshot: impl FnOnce() -> ActiveSnapshot) -> ActiveSnapshot {
        if let Source::Runs(_, tail) = &self.source {
            tail.borrow_mut().mark();
        }
        let snapshot = snapshot();
        if let Source::Runs(finder, tail) = &mut self.source {
            *finder = Some(Finder::open(tail.clone()));
        }
        snapshot
    }

    /// Ends the use of a snapshot, which can then go.
    pub fn rest(&mut self) {
        if let Source::Runs(finder, _) = &mut self.source {
            *finder = None;
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
        let mut latest: Option<(i64, u8, Option<i32>)> = None;
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
        match &mut self.source {
            Source::Ordinary(scan) => {
                self.arena.clear();
                scan.search(&places::of_key(&mut self.arena, &self.kind, key));
                while scan.next_row(column::LAYOUT + 1, &mut look_at).is_some() {}
                scan.clear();
            }
            Source::Runs(Some(finder), _) => finder.find(key, &mut look_at),
            Source::Runs(None, _) => unreachable!("rows are looked up under a snapshot"),
        }
        match latest {
            None => Recorded::Never,
            Some((_, b'D', _)) => Recorded::Gone,
            Some((seq, _, layout)) if self.removals.after(seq, layout) => Recorded::Gone,
            Some(_) => Recorded::Present,
        }
    }

    /// Ends the search.
    pub fn close(self) {
        drop(self.source);
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
