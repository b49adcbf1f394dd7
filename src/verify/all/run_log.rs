//! What a run leaves behind: a row of auditspine.verification, an alert for each new break, and where
//! the next incremental run goes on.
//!
//! All of it is written by ordinary statements, as the extension's owner, so that triggers on these
//! tables fire. Two locks of the transaction keep concurrent runs apart: under ALERTS breaks are told
//! from known ones, else two runs that find the same breaks in another order could deadlock on the
//! unique key; HEADS is only tried, since heads may as well be moved on by the other run.

use auditspine_core::verify::Head;
use pgrx::datum::DatumWithOid;
use pgrx::spi::Spi;

use crate::ledger::evidence::{self, OfRun, row_hash};
use crate::ledger::owner::as_owner;
use crate::pg::lock::{self, LockTimeoutGuard};
use crate::pg::{clock, session, snapshot};
use crate::verify::all::Scope;
use crate::verify::all::alerts::{self, Alerts};
use crate::verify::all::breaks::Break;
use crate::verify::all::evidence::Left;
use crate::verify::all::heads;
use crate::verify::all::written::{self, VERIFICATION, expect};

/// Shows the hash of the row that is to be written, and of that which was, NULL if none was.
fn insert_verification() -> String {
    format!(
        "WITH wanted AS MATERIALIZED (
             SELECT ROW($1, $2, pg_catalog.clock_timestamp(), pg_catalog.make_interval(secs => $3), $4, $5, $6, $7, $8, $9,
                        $10, $11, $12, $13, $14, $13 = 0, $15, session_user)::auditspine.verification AS run),
         written AS (INSERT INTO auditspine.verification AS v SELECT (w.run).* FROM wanted AS w RETURNING v)
         SELECT {}, CASE WHEN x.v IS DISTINCT FROM NULL THEN {} END FROM wanted AS w LEFT JOIN written AS x ON true",
        row_hash("(w.run).*"),
        row_hash("(x.v).*")
    )
}

/// What was verified and found, over all layers.
#[derive(Debug, Default)]
pub struct Totals {
    /// Chains.
    pub chains: i32,
    /// Entries of them.
    pub entries: i64,
    /// Smallest `seq` of these.
    pub from_seq: Option<i64>,
    /// Largest `seq` of these.
    pub to_seq: Option<i64>,
    /// Audited tables.
    pub tables: i32,
    /// Rows of them.
    pub rows: i64,
    /// Rows that cannot be verified any more.
    pub unverifiable: i64,
    /// Everything that is wrong.
    pub findings: i64,
}

/// A point of a run.
pub struct Mark {
    findings: i64,
    alerts: alerts::Mark,
}

/// A run of verify_all().
pub struct Run {
    /// What it verified so far.
    pub totals: Totals,
    started_at: i64,
    clock: std::time::Instant,
    /// `None` where nothing can be written.
    record: Option<Record>,
    alerting: bool,
    /// What waits for locks are limited to outside of the parts of a run, in milliseconds.
    lock_timeout: i32,
    left: Left,
}

struct Record {
    verification_id: i64,
    alerts: Alerts,
}

impl Run {
    /// Begins a run; in a read-only transaction, or on a standby, one that leaves nothing behind.
    pub fn begin(left: Left) -> Run {
        // What an older snapshot shows is how things were then.
        let started_at = if snapshot::is_kept() {
            clock::transaction_start()
        } else {
            clock::now()
        };
        let writable = !session::is_read_only();
        Run {
            totals: Totals::default(),
            started_at,
            clock: std::time::Instant::now(),
            record: writable.then(|| as_owner(|| Record::begin(left))),
            left,
            alerting: false,
            lock_timeout: lock::timeout(),
        }
    }

    /// How far it is, to return to.
    pub fn mark(&self) -> Mark {
        Mark {
            findings: self.totals.findings,
            alerts: self
                .record
                .as_ref()
                .map(|record| record.alerts.mark())
                .unwrap_or_default(),
        }
    }

    /// Forgets what was found since, because the alerts of that were rolled back.
    pub fn return_to(&mut self, mark: Mark) {
        self.totals.findings = mark.findings;
        if let Some(record) = &mut self.record {
            record.alerts.return_to(&mark.alerts);
        }
    }

    /// Its number, where it is recorded.
    pub fn verification_id(&self) -> Option<i64> {
        Some(self.record.as_ref()?.verification_id)
    }

    /// Takes in one finding: raises an alert unless this break is known.
    pub fn found(&mut self, found: &Break<'_>) {
        self.totals.findings += 1;
        if let Some(record) = &mut self.record {
            self.alerting = true;
            let _waits = LockTimeoutGuard::set(self.lock_timeout);
            as_owner(|| record.alerts.found(found));
            self.alerting = false;
        }
    }

    /// Whether an ERROR that is on its way was raised with an alert: by a trigger on it.
    pub fn is_alerting(&self) -> bool {
        self.alerting
    }

    /// Ends the run. If it was clean, `heads` are where the next incremental one goes on.
    pub fn finish(mut self, scope: Scope, reason: Option<&str>, heads: &[Head]) {
        let Some(mut record) = self.record.take() else {
            pgrx::pg_sys::panic::ErrorReport::new(
                pgrx::PgSqlErrorCode::ERRCODE_WARNING,
                "this verification is not recorded, and raises no alerts: the transaction is read-only",
                "auditspine",
            )
            .report(pgrx::PgLogLevel::NOTICE);
            return;
        };
        as_owner(|| {
            if self.left.verified_heads == Some(false) {
                heads::forget();
            }
            if self.totals.findings == 0 {
                heads::move_on(heads);
            }
            record.alerts.finish(scope == Scope::Full);
            let scope = scope.label();
            let row = self.write(&record, &scope, reason);
            if !evidence::is_installed() {
                return;
            }
            let entry = OfRun {
                row: &row,
                scope: &scope,
                findings: self.totals.findings,
                open_breaks: alerts::try_lock().then(alerts::digest).flatten(),
                verified_heads: heads::lock().then(heads::digest).flatten(),
            };
            evidence::record_run(record.verification_id, &entry);
        });
    }

    /// Writes the row of the run; returns its hash, in hex.
    fn write(&self, record: &Record, scope: &str, reason: Option<&str>) -> String {
        let totals = &self.totals;
        let started_at = clock::argument(self.started_at);
        // Where the extension is still to be updated, there is no evidence of the run: nor is it expected.
        let version = match evidence::is_installed() {
            true => Some(env!("CARGO_PKG_VERSION").to_owned()),
            false => evidence::one(
                "SELECT e.extversion FROM pg_catalog.pg_extension AS e WHERE e.extname = 'auditspine'",
                &[],
            ),
        };
        let arguments: [DatumWithOid<'_>; 15] = [
            record.verification_id.into(),
            started_at,
            self.clock.elapsed().as_secs_f64().into(),
            scope.into(),
            reason.into(),
            totals.from_seq.into(),
            totals.to_seq.into(),
            totals.chains.into(),
            totals.entries.into(),
            totals.tables.into(),
            totals.rows.into(),
            totals.unverifiable.into(),
            totals.findings.into(),
            (record.alerts.count() as i64).into(),
            version.into(),
        ];
        let (wanted, written) = expect(Spi::connect_mut(|client| {
            client
                .update(&insert_verification()[..], None, &arguments)?
                .first()
                .get_two::<Vec<u8>, Vec<u8>>()
        }));
        let id = record.verification_id;
        let is_there = || {
            written::hashes(
                VERIFICATION,
                "verification_id",
                "verification_id = $1",
                &[id.into()],
            )
        };
        match wanted {
            Some(hash) if written.as_ref() == Some(&hash) && is_there().get(&id) == Some(&hash) => {
                hash.iter().map(|byte| format!("{byte:02x}")).collect()
            }
            _ => VERIFICATION.not_as_written(&format!("run {id}")),
        }
    }
}

impl Record {
    fn begin(left: Left) -> Record {
        let verification_id =
            written::fresh_id("verification_id_seq", "verification", "verification_id");
        Record {
            verification_id,
            alerts: Alerts::new(verification_id, left.open_breaks != Some(false)),
        }
    }
}
