//! `CALL audit_backfill(table)`: rows that were there before their table was audited are recorded, as
//! insertions, in batches that are committed one by one.
//!
//! A run begins at the first key, whatever an earlier one did: what the chain knows is skipped without
//! a lock, at a fraction of the cost, and so a run relies on nothing but the chain. An earlier run may
//! have left rows behind that were locked when it came by, and others may have come in behind the
//! trigger's back since.

mod batch;
mod keyset;
pub mod progress;
pub mod recorded;

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;

use crate::backfill::batch::{Outcome, Rows};
use crate::backfill::keyset::{Keyset, Position};
use crate::backfill::progress::{Counts, Progress};
use crate::capture::audited::{self, Audited};
use crate::capture::declaration::Declaration;
use crate::capture::row_spec::Spec;
use crate::error::Failure;
use crate::ledger::key_index::fill::{Request, fill};
use crate::ledger::key_index::finder::Tail;
use crate::ledger::lane::SessionLock;
use crate::ledger::owner::as_table_owner;
use crate::ledger::system_entry;
use crate::pg::query::Session;
use crate::pg::relation::OpenRelation;
use crate::pg::snapshot::ActiveSnapshot;
use crate::pg::subtransaction::{Raised, attempt, is_verdict, message_of};
use crate::pg::transaction::{self, Committing};
use crate::pg::{privilege, session};
use auditspine_core::canonical::write_string;
use auditspine_core::digits::write_integer;
use auditspine_core::hash::Sink;

/// Rows of a batch, at most.
const MOST_ROWS: i32 = 1_000_000;
/// Rows left for later, at most, before they are looked at again.
const MOST_LATER: usize = 100_000;
/// How many rows a warning names.
const NAMED: usize = 5;
/// Entries in memory beyond which the index by key is filled.
const LONG_TAIL: usize = 50_000;

/// What is to be recorded.
pub struct Job {
    /// The table.
    pub target: pg_sys::Oid,
    /// The table's qualified name, quoted.
    pub name: String,
    /// Kind of its events.
    pub kind: Vec<u8>,
    /// The trigger that records its changes.
    pub trigger: pg_sys::Oid,
    /// The trigger's arguments.
    pub declaration: Declaration,
    /// Rows of a batch, at most.
    pub batch_size: usize,
    /// Entries of the kind that the index by key does not have yet.
    pub tail: Rc<RefCell<Tail>>,
}

/// Runs the procedure. `atomic` says that the caller does not let it commit.
///
/// Raises, before any work: 22004 and 22023 for its arguments, 2D000 where it cannot commit, 25006
/// where it cannot write, 42501 unless the caller owns the table and sees all its rows, 42704 if it
/// is not audited, 55000 if its trigger is disabled, 55P03 if another run of the table goes on.
pub fn backfill(target: Option<pg_sys::Oid>, batch_size: Option<i32>, atomic: bool) {
    let (target, batch_size) = arguments(target, batch_size);
    if atomic || session::is_in_subtransaction() {
        Failure::CannotCommit.raise(
            "audit_backfill() commits each batch, so it cannot run inside a transaction block, \
             a function or an exception block",
            "CALL it by itself, outside BEGIN … COMMIT",
        );
    }
    session::expect_writable(c"CALL audit_backfill");
    let connection = Committing::connect();
    for job in jobs(target, batch_size) {
        let _lock = SessionLock::take(audited::root_of_any(job.target)).unwrap_or_else(|| {
            Failure::AlreadyRunning.raise(
                format!("another audit_backfill() of table {} is running", job.name),
                "see auditspine.progress for how far it is, and in which process",
            )
        });
        Run::begin(&job).finish();
    }
    connection.close();
}

fn arguments(target: Option<pg_sys::Oid>, batch_size: Option<i32>) -> (pg_sys::Oid, usize) {
    let Some(target) = target else {
        Failure::NullElement.raise("the table to backfill is null", "name an audited table");
    };
    match batch_size {
        Some(rows @ 1..=MOST_ROWS) => (target, rows.unsigned_abs() as usize),
        other => Failure::InvalidValue.raise(
            format!(
                "batch_size is {}",
                other.map_or_else(|| "null".to_owned(), |rows| rows.to_string())
            ),
            format!("a batch has 1 to {MOST_ROWS} rows; 10000 suits most"),
        ),
    }
}

/// One job for each row trigger of ours on the table, which the caller may backfill.
fn jobs(target: pg_sys::Oid, batch_size: usize) -> Vec<Job> {
    let table = OpenRelation::table(target, pg_sys::AccessShareLock);
    let name = table.qualified();
    table.expect_owner();
    let all = audited::of(&table);
    if all.is_empty() {
        Failure::NotAudited.raise(
            format!("table {name} is not audited"),
            "attach it with audit_attach() first",
        );
    }
    // Whether policies apply to its owner, as whom rows are read.
    let hidden = privilege::is_limited_for(target, table.owner());
    if hidden {
        Failure::RowSecurity.raise(
            format!("row security of table {name} would hide rows from audit_backfill()"),
            "ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or give the table an owner with BYPASSRLS",
        );
    }
    all.into_iter()
        .map(|audited| Job::new(audited, &name, batch_size))
        .collect()
}

impl Job {
    fn new(audited: Audited, name: &str, batch_size: usize) -> Job {
        let job = Job {
            target: audited.relation,
            name: name.to_owned(),
            tail: Rc::new(RefCell::new(Tail::new(&audited.kind))),
            kind: audited.kind,
            trigger: audited.trigger,
            declaration: audited.declaration,
            batch_size,
        };
        job.expect_enabled(audited.enabled);
        job
    }

    fn expect_enabled(&self, enabled: u8) {
        if matches!(enabled, b'D' | b'R') {
            Failure::TriggerDisabled.raise(
                format!("the audit trigger of table {} is disabled", self.name),
                "ALTER TABLE … ENABLE ALWAYS TRIGGER …: without it, rows could change unrecorded \
                 while they are recorded",
            );
        }
    }

    /// Opens the table for a batch, if it is as it was when the run began.
    pub fn open(&self) -> OpenRelation {
        let Some(table) = OpenRelation::if_exists(self.target, pg_sys::RowShareLock) else {
            Failure::UnknownTable.raise(
                format!("table {} was dropped while it was backfilled", self.name),
                "nothing is left to be done",
            )
        };
        let now = audited::of(&table)
            .into_iter()
            .find(|audited| audited.trigger == self.trigger);
        match now {
            Some(now) if now.kind == self.kind && now.declaration == self.declaration => {
                self.expect_enabled(now.enabled);
                table
            }
            _ => Failure::TriggerDisabled.raise(
                format!(
                    "the audit trigger of table {} was changed while it was backfilled",
                    self.name
                ),
                "CALL audit_backfill() again; what is recorded will be skipped",
            ),
        }
    }

    /// Takes the locks of a batch on all tables that hold rows.
    fn lock_tables(&self) {
        let table = self.open();
        audited::leaves(self.target, pg_sys::RowShareLock);
        drop(table);
    }
}

/// A run of one job.
struct Run<'a> {
    job: &'a Job,
    progress: Progress,
    counts: Counts,
    gone: Warned,
    later: Vec<Position>,
}

/// Rows to warn of: how many, and the first of them.
#[derive(Default)]
struct Warned {
    count: u64,
    named: Vec<String>,
}

impl Warned {
    fn add(&mut self, name: String) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(name);
        }
    }

    fn names(&self) -> String {
        let dots = if self.count > self.named.len() as u64 {
            ", …"
        } else {
            ""
        };
        self.named.join(", ") + dots
    }
}

impl<'a> Run<'a> {
    /// Begins a run: its row of auditspine.progress is there for all to see.
    fn begin(job: &'a Job) -> Run<'a> {
        let total = estimate(job.target);
        let progress = Progress::begin(&job.name, total);
        next_transaction();
        Run {
            job,
            progress,
            counts: Counts::default(),
            gone: Warned::default(),
            later: Vec::new(),
        }
    }

    fn finish(mut self) {
        if let Err(error) = self.work() {
            // The transaction is in order again: what failed was rolled back.
            let state = match sqlstate(&error) {
                pgrx::PgSqlErrorCode::ERRCODE_QUERY_CANCELED => "interrupted",
                _ => "failed",
            };
            self.progress.update(state, &self.counts, None);
            next_transaction();
            error.rethrow();
        }
    }

    fn work(&mut self) -> Result<(), Raised> {
        let mut reached: Option<Position> = None;
        self.fill();
        loop {
            let outcome = self.batch(Rows::Behind(reached.as_ref()), false)?;
            let at_end = outcome.at_end;
            if let Some(position) = self.adopt(outcome)? {
                reached = Some(position);
            }
            if at_end || self.later.len() > MOST_LATER {
                self.catch_up()?;
            }
            if at_end {
                break;
            }
        }
        let null_keys = settled(attempt(|| Ok(self.null_keys())))?;
        self.counts.skipped += null_keys.count;
        settled(attempt(|| {
            self.progress.update("finished", &self.counts, None);
            if self.counts.recorded > 0 {
                system_entry::push("auditspine.backfill", &self.job.kind, &self.summary());
            }
            Ok(())
        }))?;
        next_transaction();
        self.progress.tell_end(&self.counts);
        self.warn(&null_keys);
        Ok(())
    }

    /// The rows that were locked when their batch came by: one is waited for, by itself, and the
    /// others are tried again, until none is left.
    fn catch_up(&mut self) -> Result<(), Raised> {
        loop {
            let later = std::mem::take(&mut self.later);
            let Some((first, rest)) = later.split_first() else {
                return Ok(());
            };
            let outcome = self.batch(Rows::Of(std::slice::from_ref(first)), true)?;
            self.adopt(outcome)?;
            let mut rest = rest;
            while !rest.is_empty() {
                let part = &rest[..rest.len().min(self.job.batch_size)];
                let outcome = self.batch(Rows::Of(part), false)?;
                rest = &rest[outcome.keys..];
                self.adopt(outcome)?;
            }
        }
    }

    /// Runs a batch, without committing it.
    fn batch(&self, rows: Rows<'_>, wait: bool) -> Result<Outcome, Raised> {
        loop {
            match attempt(|| batch::run(self.job, rows, wait))? {
                Ok(outcome) => return Ok(outcome),
                // No row is locked now. Tables come before lanes, as they do for who writes to them: a
                // TRUNCATE holds its table when it wants a lane.
                Err(chains) => settled(attempt(|| {
                    self.job.lock_tables();
                    chains.wait_for();
                    Ok(())
                }))?,
            }
        }
    }

    /// Adds up what a batch did and commits it. Returns the position that it reached.
    fn adopt(&mut self, outcome: Outcome) -> Result<Option<Position>, Raised> {
        self.counts.recorded += outcome.recorded;
        self.counts.skipped += outcome.present + outcome.gone.len() as u64;
        for key in outcome.gone {
            self.gone.add(String::from_utf8_lossy(&key).into_owned());
        }
        self.later.extend(outcome.later);
        let (position, key) = outcome.last.unzip();
        settled(attempt(|| {
            self.progress
                .update("running", &self.counts, key.as_deref());
            Ok(())
        }))?;
        next_transaction();
        if self.job.tail.borrow().len() > LONG_TAIL {
            self.fill();
        }
        self.progress.tell(&self.counts);
        Ok(position)
    }

    /// Has the index by key take in what the run has recorded, so that it is not kept in memory. Where that cannot be,
    /// the run goes on without.
    fn fill(&self) {
        let request = Request {
            least: LONG_TAIL as u64,
            wait: false,
            rebuild: false,
        };
        if let Err(raised) = attempt(|| Ok::<_, Infallible>(fill(request))) {
            if !is_verdict(&raised) {
                raised.rethrow();
            }
            pgrx::warning!(
                "the index of histories was not filled: {}",
                message_of(&raised)
            );
        }
        next_transaction();
    }

    /// The rows that have no key.
    fn null_keys(&self) -> Warned {
        let table = self.job.open();
        let key = Spec::resolve(&table, &self.job.declaration).key;
        let query = Keyset::new(&table, &key, 1).null_query();
        let mut rows = Warned::default();
        let Some(query) = query else {
            return rows;
        };
        as_table_owner(&table, || {
            let session = Session::connect();
            let snapshot = ActiveSnapshot::push();
            session.prepare(&query, &[]).read(&[], |row, _| {
                let text = |at: usize| row.text(at).unwrap_or_default();
                rows.add(format!("{} of {}", text(1), text(0)));
                std::ops::ControlFlow::Continue(())
            });
            drop(snapshot);
            session.close();
        });
        rows
    }

    /// What the run did, as the entry that ends it says.
    fn summary(&self) -> Vec<u8> {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let mut json = Vec::new();
        json.put(b"{\"kind\":");
        write_string(&self.job.kind, &mut json);
        json.put(b",\"rows\":");
        write_integer(number(self.counts.recorded), &mut json);
        json.put(b",\"skipped\":");
        write_integer(number(self.counts.skipped), &mut json);
        json.put(b",\"table\":");
        write_string(self.job.name.as_bytes(), &mut json);
        json.put_byte(b'}');
        json
    }

    fn warn(&self, null_keys: &Warned) {
        let name = &self.job.name;
        if self.gone.count > 0 {
            Failure::RowGone.warn(
                format!(
                    "{} rows of table {name} are there although the audit chain says that they are gone; they were not recorded",
                    self.gone.count
                ),
                format!("keys: {}", self.gone.names()),
                format!(
                    "see verify_table_findings('{}'); an UPDATE of such a row records it as it is",
                    name.replace('\'', "''")
                ),
            );
        }
        if null_keys.count > 0 {
            Failure::NullKey.warn(
                format!(
                    "{} rows of table {name} have a null in their key, so they cannot be named in the audit chain; they were not recorded",
                    null_keys.count
                ),
                format!("rows: {}", null_keys.names()),
                "name columns that are never null in the trigger's argument 'pk=…'",
            );
        }
    }
}

/// About how many rows a table, or all its partitions, have.
fn estimate(target: pg_sys::Oid) -> u64 {
    let rows = audited::leaves(target, pg_sys::AccessShareLock)
        .into_iter()
        .map(|leaf| OpenRelation::table(leaf, pg_sys::AccessShareLock).estimated_rows());
    rows.sum::<f64>() as u64
}

/// Commits, and begins a transaction in which a changed row is seen as it is now, whatever the
/// session's default: batches do not depend on each other.
fn next_transaction() {
    transaction::next();
}

/// The result of an attempt that can only end by an ERROR.
fn settled<R>(outcome: Result<Result<R, std::convert::Infallible>, Raised>) -> Result<R, Raised> {
    outcome.map(|Ok(result)| result)
}

fn sqlstate(error: &CaughtError) -> pgrx::PgSqlErrorCode {
    match error {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => {
            report.sql_error_code()
        }
        CaughtError::RustPanic { ereport, .. } => ereport.sql_error_code(),
    }
}
