//! What a run leaves behind: a row of auditspine.verification, an alert for each new break, and where
//! the next incremental run goes on.
//!
//! All of it is written by ordinary statements, as the extension's owner, so that triggers on these
//! tables fire. Two locks of the transaction keep concurrent runs apart: under ALERTS breaks are told
//! from known ones, else two runs that find the same breaks in another order could deadlock on the
//! unique key; HEADS is only tried, since heads may as well be moved on by the other run.

use auditspine_core::verify::Head;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::spi::{OwnedPreparedStatement, Spi, SpiError};

use super::breaks::{self, Break};
use crate::pg::lane;
use crate::pg::owner::as_owner;
use crate::pg::state::broken;

/// Class of these locks, beside those of lanes (3) and names (4).
const ROUTINE_LOCK: u16 = 5;
const ALERTS: u32 = 1;
const HEADS: u32 = 2;

/// Kind and severity of every alert.
const KIND: &str = "audit_chain_break";
const SEVERITY: &str = "critical";

/// Alerts of a run that are sent one by one; PostgreSQL holds them in memory until the commit.
const NOTIFIED: i64 = 1000;

/// Heads written by one statement.
const BATCH: usize = 1000;

/// A break is known if it raised an alert and no full verification that began later was clean.
const INSERT_ALERT: &str = "
    INSERT INTO auditspine.alert (alert_id, raised_at, kind, severity, layer, chain, table_name, event_kind, pk, seq,
                                  finding, detail, evidence, verification_id, break_digest, occurrence)
    SELECT pg_catalog.nextval('auditspine.alert_id_seq'), pg_catalog.clock_timestamp(), $1, $2, $3, $4, $5, $6, $7, $8,
           $9, $10, $11::pg_catalog.jsonb, $12, $13,
           1 + (SELECT pg_catalog.count(*) FROM ONLY auditspine.alert AS a WHERE a.break_digest = $13)
    WHERE NOT EXISTS (
        SELECT FROM ONLY auditspine.alert AS a
        WHERE a.break_digest = $13 AND NOT EXISTS (
            SELECT FROM ONLY auditspine.verification AS v
            WHERE v.ok AND v.scope = 'full' AND v.started_at > a.raised_at))
    ON CONFLICT ON CONSTRAINT alert_break_key DO NOTHING
    RETURNING alert_id";

const INSERT_VERIFICATION: &str = "
    INSERT INTO auditspine.verification (verification_id, started_at, finished_at, took, scope, reason, from_seq, to_seq,
                                         chains, entries, tables, rows, unverifiable, findings, alerts, ok, version, db_user)
    VALUES ($1, $2, pg_catalog.clock_timestamp(), pg_catalog.make_interval(secs => $3), $4, $5, $6, $7, $8, $9, $10, $11,
            $12, $13, $14, $13 = 0, $15, session_user)";

const UPDATE_HEADS: &str = "
    INSERT INTO auditspine.verified_head AS known (chain_id, lane, pos, seq, chain_hash)
    SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),
                             pg_catalog.unnest($4), pg_catalog.unnest($5))
    ON CONFLICT (chain_id, lane) DO UPDATE
    SET pos = EXCLUDED.pos, seq = EXCLUDED.seq, chain_hash = EXCLUDED.chain_hash
    WHERE known.pos < EXCLUDED.pos";

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
    alerts: i64,
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
}

struct Record {
    verification_id: i64,
    alerts: i64,
    insert: Option<OwnedPreparedStatement>,
}

impl Run {
    /// Begins a run; in a read-only transaction, or on a standby, one that leaves nothing behind.
    pub fn begin() -> Run {
        // SAFETY: plain globals and clocks of this backend's transaction.
        let (writable, started_at) = unsafe {
            let writable = !pg_sys::XactReadOnly && !pg_sys::RecoveryInProgress();
            // What an older snapshot shows is how things were then.
            let old = pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32;
            let at = if old {
                pg_sys::GetCurrentTransactionStartTimestamp()
            } else {
                pg_sys::GetCurrentTimestamp()
            };
            (writable, at)
        };
        Run {
            totals: Totals::default(),
            started_at,
            clock: std::time::Instant::now(),
            record: writable.then(|| Record {
                verification_id: next_verification_id(),
                alerts: 0,
                insert: None,
            }),
            alerting: false,
        }
    }

    /// How far it is, to return to.
    pub fn mark(&self) -> Mark {
        Mark {
            findings: self.totals.findings,
            alerts: self.record.as_ref().map_or(0, |record| record.alerts),
        }
    }

    /// Forgets what was found since, because the alerts of that were rolled back.
    pub fn return_to(&mut self, mark: Mark) {
        self.totals.findings = mark.findings;
        if let Some(record) = &mut self.record {
            record.alerts = mark.alerts;
            // The lock may have gone with them.
            record.insert = None;
        }
    }

    /// Takes in one finding: raises an alert unless this break is known.
    pub fn found(&mut self, found: &Break<'_>) {
        self.totals.findings += 1;
        if let Some(record) = &mut self.record {
            self.alerting = true;
            as_owner(|| record.alert(found));
            self.alerting = false;
        }
    }

    /// Whether an ERROR that is on its way was raised with an alert: by a trigger on it.
    pub fn is_alerting(&self) -> bool {
        self.alerting
    }

    /// Ends the run. If it was clean, `heads` are where the next incremental one goes on.
    pub fn finish(mut self, scope: &str, reason: Option<&str>, heads: &[Head]) {
        let Some(record) = self.record.take() else {
            pgrx::pg_sys::panic::ErrorReport::new(
                pgrx::PgSqlErrorCode::ERRCODE_WARNING,
                "this verification is not recorded, and raises no alerts: the transaction is read-only",
                "auditspine",
            )
            .report(pgrx::PgLogLevel::NOTICE);
            return;
        };
        as_owner(|| {
            if self.totals.findings == 0 {
                move_heads(heads);
            }
            if record.alerts > NOTIFIED {
                let more = record.alerts - NOTIFIED;
                notify(&breaks::notification_of_more(more, KIND, SEVERITY));
            }
            self.write(&record, scope, reason);
        });
    }

    fn write(&self, record: &Record, scope: &str, reason: Option<&str>) {
        let totals = &self.totals;
        // SAFETY: a timestamptz is an i64 of microseconds.
        let started_at = unsafe { DatumWithOid::new(self.started_at, pg_sys::TIMESTAMPTZOID) };
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
            record.alerts.into(),
            env!("CARGO_PKG_VERSION").into(),
        ];
        expect(Spi::connect_mut(|client| {
            client
                .update(INSERT_VERIFICATION, None, &arguments)
                .map(|_| ())
        }));
    }
}

impl Record {
    fn alert(&mut self, found: &Break<'_>) {
        let insert = match &self.insert {
            Some(insert) => insert,
            None => {
                lane::lock(&lane::tag(ALERTS, 0, ROUTINE_LOCK), false);
                self.insert.insert(prepare_alert())
            }
        };
        let lossy = |text: Option<&[u8]>| text.map(|t| String::from_utf8_lossy(t).into_owned());
        let digest = found.digest();
        let evidence = String::from_utf8_lossy(&found.evidence()).into_owned();
        let arguments: [DatumWithOid<'_>; 13] = [
            KIND.into(),
            SEVERITY.into(),
            found.layer.into(),
            found.chain.into(),
            found.table.into(),
            lossy(found.kind).into(),
            lossy(found.pk).into(),
            found.seq.into(),
            found.finding.into(),
            found.detail.into(),
            evidence.into(),
            self.verification_id.into(),
            (&digest.0[..]).into(),
        ];
        let alert_id: Option<i64> = expect(Spi::connect_mut(|client| {
            let rows = client.update(insert, None, &arguments)?;
            if rows.is_empty() {
                Ok(None)
            } else {
                rows.first().get_one()
            }
        }));
        if let Some(alert_id) = alert_id {
            self.alerts += 1;
            if self.alerts <= NOTIFIED {
                notify(&found.notification(alert_id, KIND, SEVERITY));
            }
        }
    }
}

fn notify(payload: &[u8]) {
    let payload = String::from_utf8_lossy(payload).into_owned();
    expect(Spi::connect_mut(|client| {
        let query = "SELECT pg_catalog.pg_notify('auditspine_alert', $1)";
        client.update(query, None, &[payload.into()]).map(|_| ())
    }));
}

fn prepare_alert() -> OwnedPreparedStatement {
    use pg_sys::BuiltinOid::*;
    let types = [
        TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, TEXTOID, TEXTOID,
        TEXTOID, INT8OID, BYTEAOID,
    ]
    .map(pgrx::PgOid::from);
    expect(Spi::connect_mut(|client| {
        client
            .prepare_mut(INSERT_ALERT, &types)
            .map(|statement| statement.keep())
    }))
}

fn next_verification_id() -> i64 {
    let id: Option<i64> = expect(as_owner(|| {
        Spi::get_one("SELECT pg_catalog.nextval('auditspine.verification_id_seq')")
    }));
    id.unwrap_or_else(|| broken("auditspine.verification_id_seq gave no number".to_owned()))
}

/// Unless another run is at it: then the next one goes on from where that one, or an earlier one, was.
fn move_heads(heads: &[Head]) {
    if heads.is_empty() || !lane::lock(&lane::tag(HEADS, 0, ROUTINE_LOCK), true) {
        return;
    }
    for batch in heads.chunks(BATCH) {
        let chain_ids: Vec<i32> = batch.iter().map(|head| head.chain_id).collect();
        let lanes: Vec<i16> = batch.iter().map(|head| head.lane).collect();
        let places: Vec<i64> = batch.iter().map(|head| head.pos).collect();
        let seqs: Vec<i64> = batch.iter().map(|head| head.seq).collect();
        let hashes: Vec<Vec<u8>> = batch
            .iter()
            .map(|head| head.chain_hash.0.to_vec())
            .collect();
        let arguments: [DatumWithOid<'_>; 5] = [
            chain_ids.into(),
            lanes.into(),
            places.into(),
            seqs.into(),
            hashes.into(),
        ];
        expect(Spi::connect_mut(|client| {
            client.update(UPDATE_HEADS, None, &arguments).map(|_| ())
        }));
    }
}

/// The statements are fixed, so what SPI itself refuses is that the tables are not ours any more.
fn expect<T>(result: Result<T, SpiError>) -> T {
    result.unwrap_or_else(|error| broken(format!("a state table could not be written: {error}")))
}
