//! One batch: rows that the chain does not know are locked, hashed as locked, and recorded.
//!
//! # Why it is right beside writers
//!
//! - The latest entry of a key is read first, under the snapshot that shows the row, or a later one. Where it says that
//!   the row is there, nothing is to be done: every later change of the row is recorded by the trigger. If the version
//!   that the snapshot shows was recorded, it shows the entry, too: both were committed at once.
//! - Else the row version that the snapshot shows is locked FOR SHARE, at its very place. The lock is
//!   had only if that version is the newest, and nobody is changing it; so it is the one hashed. Until
//!   the commit nobody can change it, so the entries of later changes have larger numbers.
//! - A version that somebody changed, or is changing, is left for later, by its key: meanwhile the
//!   change may have been recorded, or rolled back, or made behind the trigger's back.
//! - That the entry of a key says "gone" is believed only once the row is locked: a row deleted after
//!   the snapshot was taken is still shown by it.
//! - The table's lock keeps TRUNCATE out of the batch.
//!
//! # Why no writer gets a deadlock from it
//!
//! While it holds row locks, the batch waits for nobody: rows are locked without waiting, entries are
//! linked only if lanes are free. Otherwise it is rolled back, and repeated with tables and lanes in hand,
//! taken in this order. A row that is waited for is the only one in its transaction. (A transaction that
//! flushed early, and so holds a lane, when it goes on to TRUNCATE or alter the table can still meet a
//! batch that waits for that lane; PostgreSQL then cancels one of the two.)

use std::collections::HashMap;
use std::ops::ControlFlow;

use auditspine_core::rows::Place;
use pgrx::pg_sys;

use crate::backfill::Job;
use crate::backfill::keyset::{Keyset, Position};
use crate::backfill::recorded::{Lookup, Recorded};
use crate::capture::row_spec::Spec;
use crate::capture::{audited, event};
use crate::error::Failure;
use crate::ledger::buffer;
use crate::ledger::flush::{self, Chains};
use crate::ledger::owner::as_table_owner;
use crate::pg::heap::Fetcher;
use crate::pg::memory::ScratchContext;
use crate::pg::query::{Plan, Session};
use crate::pg::relation::OpenRelation;
use crate::pg::row_lock::{RowLock, RowLocker};
use crate::pg::snapshot::ActiveSnapshot;
use crate::pg::values::Values;
use crate::settings;
use crate::verify::rows::older::OlderNames;
use crate::verify::rows::renamed::Recipe;

/// Which rows a batch looks at.
#[derive(Clone, Copy)]
pub enum Rows<'a> {
    /// The next ones in the order of the key, behind a position or from the first.
    Behind(Option<&'a Position>),
    /// Those of these positions' keys, which were left for later.
    Of(&'a [Position]),
}

/// What a batch did.
#[derive(Default)]
pub struct Outcome {
    /// Rows recorded.
    pub recorded: u64,
    /// Rows that the chain knew.
    pub present: u64,
    /// Keys of rows that are there although the chain says that they are gone.
    pub gone: Vec<Vec<u8>>,
    /// Where rows are that were locked by somebody.
    pub later: Vec<Position>,
    /// Behind the last row that was looked at; `None` if there was no row.
    pub last: Option<(Position, Vec<u8>)>,
    /// How many of the keys of [`Rows::Of`] were looked at.
    pub keys: usize,
    /// Whether the end of the table was reached.
    pub at_end: bool,
}

/// Runs a batch, in a subtransaction of the caller's. `wait` has it wait for row locks. Returns the
/// chains to wait for, if entries could not be linked without waiting.
pub fn run(job: &Job, rows: Rows<'_>, wait: bool) -> Result<Outcome, Chains> {
    let scratch = ScratchContext::enter();
    let table = job.open();
    let outcome = as_table_owner(&table, || {
        let session = Session::connect();
        let mut batch = Batch::new(job, &table, wait);
        batch.look_at(&session, rows);
        let outcome = batch.close();
        session.close();
        outcome
    });
    drop(table);
    drop(scratch);
    flush::flush_unless_busy()?;
    Ok(outcome)
}

struct Batch<'a> {
    job: &'a Job,
    wait: bool,
    keyset: Keyset,
    lookup: Lookup,
    older: OlderNames,
    partitions: HashMap<pg_sys::Oid, Partition>,
    key: Vec<u8>,
    /// Rows looked at.
    rows: usize,
    outcome: Outcome,
}

impl<'a> Batch<'a> {
    fn new(job: &'a Job, table: &OpenRelation, wait: bool) -> Batch<'a> {
        let key = Spec::resolve(table, &job.declaration).key;
        let mut older = OlderNames::of(&String::from_utf8_lossy(&job.kind));
        for leaf in audited::leaves(job.target, pg_sys::RowShareLock) {
            let leaf = OpenRelation::table(leaf, pg_sys::NoLock);
            older.add(&leaf, &Spec::resolve(&leaf, &job.declaration));
        }
        Batch {
            job,
            older,
            wait,
            keyset: Keyset::new(table, &key, job.batch_size),
            lookup: Lookup::open(&job.kind, &job.tail),
            partitions: HashMap::new(),
            key: Vec::new(),
            rows: 0,
            outcome: Outcome::default(),
        }
    }

    fn look_at(&mut self, session: &Session, rows: Rows<'_>) {
        let types = self.keyset.types();
        match rows {
            Rows::Behind(from) => {
                let mut plans = Pages {
                    session,
                    types,
                    first: None,
                    behind: None,
                };
                let mut from = from.map(Position::datums);
                while self.rows < self.job.batch_size && !self.is_full() && !self.outcome.at_end {
                    let limit = self.keyset.page.min(self.job.batch_size - self.rows);
                    let plan = plans.plan(&self.keyset, from.is_some(), limit);
                    let seen = self.page(plan, from.as_deref().unwrap_or_default());
                    self.outcome.at_end = seen < limit && !self.is_full();
                    from = self
                        .outcome
                        .last
                        .as_ref()
                        .map(|(last, _)| last.datums())
                        .or(from);
                }
            }
            Rows::Of(positions) => {
                let plan = session.prepare(&self.keyset.key_query(), &types);
                for position in positions {
                    if self.is_full() {
                        break;
                    }
                    self.page(&plan, &position.datums());
                    self.outcome.keys += 1;
                }
            }
        }
    }

    /// Looks at the rows that a query returns; returns how many.
    fn page(&mut self, plan: &Plan<'_>, values: &[pg_sys::Datum]) -> usize {
        pgrx::check_for_interrupts!();
        let snapshot = self.lookup.begin(ActiveSnapshot::push);
        let before = self.rows;
        plan.read(values, |row, last| {
            self.look_at_row(row);
            self.rows += 1;
            let full = self.is_full();
            if full || last {
                self.outcome.last = Some((self.keyset.position(row), self.key.clone()));
            }
            if self.rows.is_multiple_of(1024) {
                pgrx::check_for_interrupts!();
            }
            if full {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        self.lookup.rest();
        drop(snapshot);
        self.rows - before
    }

    /// Whether the events should be linked before there are more: half of what would have them
    /// linked ahead of the commit, waiting for a lane.
    fn is_full(&self) -> bool {
        buffer::pending_size() > settings::buffer_bytes() / 2
    }

    fn look_at_row(&mut self, found: &Values<'_>) {
        let (Some(oid), Some((block, offset))) = (found.oid(0), found.place(1)) else {
            return;
        };
        let Batch {
            job,
            wait,
            keyset,
            lookup,
            partitions,
            key,
            outcome,
            older,
            ..
        } = self;
        let Partition {
            rows,
            locker,
            spec,
            older: recipes,
        } = partitions
            .entry(oid)
            .or_insert_with_key(|oid| Partition::open(*oid, job, older));
        event::with_work(|work| {
            // Taken out, so that what records it can borrow the rest.
            let mut room = std::mem::take(&mut work.new);
            rows.fetch(Place { block, offset }, |tuple| {
                tuple.deform(&mut room, |row| {
                    spec.write_key(row, key);
                    let recorded = lookup.find_row(key, older.newest(), recipes, spec, row);
                    // One whose older name cannot be read may have been edited: audit_rebaseline() verifies it first.
                    if matches!(recorded, Recorded::Present | Recorded::Unknown) {
                        outcome.present += 1;
                        return;
                    }
                    // Recorded now if it is new, while as little as possible is locked.
                    spec.layout_id();
                    match (locker.share(&tuple, *wait), recorded) {
                        (RowLock::Had, Recorded::Never) => {
                            event::record_row(spec, row, work, b'I');
                            outcome.recorded += 1;
                        }
                        (RowLock::Had, _) => outcome.gone.push(key.clone()),
                        (RowLock::Busy, _) => outcome.later.push(keyset.position(found)),
                        (RowLock::Gone, _) => {}
                    }
                });
            });
            work.new = room;
        });
    }

    fn close(self) -> Outcome {
        drop(self.partitions);
        self.lookup.close();
        self.outcome
    }
}

/// The queries of a batch for pages, prepared when needed.
struct Pages<'a> {
    session: &'a Session,
    types: Vec<pg_sys::Oid>,
    first: Option<Plan<'a>>,
    behind: Option<(usize, Plan<'a>)>,
}

impl<'a> Pages<'a> {
    fn plan(&mut self, keyset: &Keyset, behind: bool, limit: usize) -> &Plan<'a> {
        let session = self.session;
        if !behind {
            return self
                .first
                .get_or_insert_with(|| session.prepare(&keyset.page_query(false, limit), &[]));
        }
        if self.behind.as_ref().is_some_and(|(of, _)| *of != limit) {
            self.behind = None;
        }
        let types = &self.types;
        let (_, plan) = self.behind.get_or_insert_with(|| {
            (
                limit,
                session.prepare(&keyset.page_query(true, limit), types),
            )
        });
        plan
    }
}

/// A table or partition that holds rows.
struct Partition {
    rows: Fetcher,
    locker: RowLocker,
    spec: Spec,
    /// How its rows were called before.
    older: Vec<(Recipe, i64, i64)>,
}

impl Partition {
    fn open(oid: pg_sys::Oid, job: &Job, older: &OlderNames) -> Partition {
        let open = || OpenRelation::table(oid, pg_sys::RowShareLock);
        let relation = open();
        if relation.kind() != pg_sys::RELKIND_RELATION {
            Failure::NotAuditable.raise(
                format!(
                    "{} holds rows of table {}, but is no table of this database",
                    relation.qualified(),
                    job.name
                ),
                "rows of a foreign table can be locked and recorded only where they are",
            );
        }
        let spec = Spec::resolve(&relation, &job.declaration);
        Partition {
            older: older.recipes(&relation, &spec),
            rows: Fetcher::new(relation),
            locker: RowLocker::new(open()),
            spec,
        }
    }
}
