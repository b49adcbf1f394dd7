//! How far a run is: a row of auditspine.progress, changed with each batch's commit, and notices.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::datum::IntoDatum;
use pgrx::{PgLogLevel, PgSqlErrorCode, pg_sys};

use crate::error::broken;
use crate::ledger::owner::as_owner;
use crate::pg::arena::DatumArena;
use crate::pg::query::{self, Argument};

/// What the row's column `what` says.
const WHAT: &str = "audit_backfill";
/// How long the user hears nothing, at most, while batches end.
const SILENCE: Duration = Duration::from_secs(5);

// The lock on the table says that no other run of it goes on; any other run has a backend.
const FORGOTTEN: &CStr = c"
UPDATE ONLY auditspine.progress p SET state = 'interrupted', finished_at = pg_catalog.clock_timestamp()
WHERE p.what OPERATOR(pg_catalog.=) $1 AND p.state OPERATOR(pg_catalog.=) 'running'
  AND (p.target OPERATOR(pg_catalog.=) $2 OR NOT EXISTS (
      SELECT FROM pg_catalog.pg_stat_activity s
      WHERE s.pid OPERATOR(pg_catalog.=) p.pid AND s.backend_start OPERATOR(pg_catalog.<=) p.started_at))";
const BEGIN: &CStr = c"
INSERT INTO auditspine.progress
    (progress_id, what, target, started_at, updated_at, state, done, recorded, skipped, total_estimate, pid, db_user)
VALUES (pg_catalog.nextval('auditspine.progress_id_seq'), $1, $2, pg_catalog.clock_timestamp(),
        pg_catalog.clock_timestamp(), 'running', 0, 0, 0, $3, pg_catalog.pg_backend_pid(), SESSION_USER)
RETURNING progress_id";
const UPDATE: &CStr = c"
UPDATE ONLY auditspine.progress SET state = $2, done = $3, recorded = $4, skipped = $5, rate = $6,
    remaining = pg_catalog.make_interval(secs => $7), last_key = coalesce($8, last_key),
    updated_at = pg_catalog.clock_timestamp(),
    finished_at = CASE WHEN $2 OPERATOR(pg_catalog.<>) 'running' THEN pg_catalog.clock_timestamp() END
WHERE progress_id OPERATOR(pg_catalog.=) $1";

/// What was done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Rows recorded.
    pub recorded: u64,
    /// Rows not recorded, for whatever reason.
    pub skipped: u64,
}

impl Counts {
    /// Rows dealt with.
    pub fn done(&self) -> u64 {
        self.recorded + self.skipped
    }
}

/// A run under way.
pub struct Progress {
    id: i64,
    table: String,
    /// Rows of the table, as the planner estimates them.
    total: u64,
    started: Instant,
    told: Instant,
}

fn text(arena: &mut DatumArena, text: &str) -> Argument {
    (pg_sys::TEXTOID, Some(arena.varlena(text.as_bytes())))
}

fn number(number: u64) -> Argument {
    (
        pg_sys::INT8OID,
        i64::try_from(number).unwrap_or(i64::MAX).into_datum(),
    )
}

impl Progress {
    /// Begins a run, and notes that earlier ones which still seem to run do not.
    pub fn begin(table: &str, total: u64) -> Progress {
        let mut arena = DatumArena::default();
        let arguments = [
            text(&mut arena, WHAT),
            text(&mut arena, table),
            number(total),
        ];
        let mut id = None;
        as_owner(|| {
            query::run(FORGOTTEN, &arguments[..2], |_| ());
            query::run(BEGIN, &arguments, |row| id = row.int8(0));
        });
        let Some(id) = id else {
            broken("auditspine.progress takes no rows".to_owned())
        };
        Progress {
            id,
            table: table.to_owned(),
            total,
            started: Instant::now(),
            told: Instant::now(),
        }
    }

    /// Notes how far the run is; `last` is the key reached, if it is another than before.
    pub fn update(&self, state: &str, counts: &Counts, last: Option<&[u8]>) {
        let mut arena = DatumArena::default();
        let last = last.map(|key| arena.varlena(key));
        let float = |value: Option<f64>| (pg_sys::FLOAT8OID, value.and_then(IntoDatum::into_datum));
        let arguments = [
            (pg_sys::INT8OID, self.id.into_datum()),
            text(&mut arena, state),
            number(counts.done()),
            number(counts.recorded),
            number(counts.skipped),
            float(self.rate(counts)),
            float(if state == "running" {
                self.remaining(counts)
            } else {
                None
            }),
            (pg_sys::TEXTOID, last),
        ];
        as_owner(|| query::run(UPDATE, &arguments, |_| ()));
    }

    /// Tells the user how far the run is, if that was some time ago.
    pub fn tell(&mut self, counts: &Counts) {
        if self.told.elapsed() < SILENCE {
            return;
        }
        self.told = Instant::now();
        let mut message = format!(
            "audit_backfill of table {}: {} of about {} rows done",
            self.table,
            counts.done(),
            self.total.max(counts.done())
        );
        if let Some(rate) = self.rate(counts) {
            message += &format!(", {rate:.0} rows/s");
        }
        if let Some(remaining) = self.remaining(counts) {
            message += &format!(", {remaining:.0} s left");
        }
        notice(message, None);
    }

    /// Tells the user that the run has ended.
    pub fn tell_end(&self, counts: &Counts) {
        let seconds = self.started.elapsed().as_secs_f64();
        notice(
            format!(
                "audit_backfill of table {}: {} rows recorded, {} skipped",
                self.table, counts.recorded, counts.skipped
            ),
            Some(format!(
                "{} rows in {seconds:.1} s, {:.0} rows/s",
                counts.done(),
                self.rate(counts).unwrap_or_default()
            )),
        );
    }

    /// Rows per second.
    fn rate(&self, counts: &Counts) -> Option<f64> {
        let seconds = self.started.elapsed().as_secs_f64();
        (seconds > 0.0).then(|| counts.done() as f64 / seconds)
    }

    /// Seconds left.
    fn remaining(&self, counts: &Counts) -> Option<f64> {
        let rate = self.rate(counts).filter(|rate| *rate > 0.0)?;
        Some(self.total.saturating_sub(counts.done()) as f64 / rate)
    }
}

fn notice(message: String, detail: Option<String>) {
    let report = pg_sys::panic::ErrorReport::new(
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        message,
        "auditspine",
    );
    match detail {
        Some(detail) => report.set_detail(detail),
        None => report,
    }
    .report(PgLogLevel::NOTICE);
}
