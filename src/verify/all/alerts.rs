//! Alerts of a run: one for each break that is new.
//!
//! A break is known while it stands in auditspine.open_break: from the run that found it until a full
//! one that did not. Whether it is known is decided before the alert is written, and what is written is
//! read again: a trigger that keeps an alert out, or changes it, fails the run.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use auditspine_core::hash::Hash;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::spi::{OwnedPreparedStatement, Spi};

use crate::ledger::evidence::{self, row_hash};
use crate::pg::lock::AdvisoryLock;
use crate::verify::all::breaks::{self, Break};
use crate::verify::all::written::{self, ALERT, OPEN_BREAK, expect};

/// Kind of every alert.
const KIND: &str = "audit_chain_break";

/// Alerts of a run that are sent one by one; PostgreSQL holds them in memory until the commit.
const NOTIFIED: usize = 1000;

/// Rows written by one statement.
const BATCH: usize = 1000;

/// Shows the hash of the row that is to be written, and of that which was, NULL if none was.
fn insert_alert() -> String {
    format!(
        "WITH wanted AS MATERIALIZED (
             SELECT ROW($1, pg_catalog.clock_timestamp(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::pg_catalog.jsonb,
                        $13, $14, (
                 SELECT pg_catalog.min(n)::pg_catalog.int4
                 FROM pg_catalog.generate_series(1, 1 + (SELECT pg_catalog.count(*) FROM ONLY auditspine.alert AS a
                                                         WHERE a.break_digest = $14)) AS n
                 WHERE NOT EXISTS (SELECT FROM ONLY auditspine.alert AS a
                                   WHERE a.break_digest = $14 AND a.occurrence = n))
             )::auditspine.alert AS alert),
         written AS (INSERT INTO auditspine.alert AS a SELECT (w.alert).* FROM wanted AS w RETURNING a)
         SELECT {}, CASE WHEN x.a IS DISTINCT FROM NULL THEN {} END FROM wanted AS w LEFT JOIN written AS x ON true",
        row_hash("(w.alert).*"),
        row_hash("(x.a).*")
    )
}

/// Until 0.4.0 a break was known until everything was found in order.
const BEFORE_OPEN_BREAK: &str = "
    SELECT a.break_digest, a.verification_id FROM ONLY auditspine.alert AS a
    WHERE NOT EXISTS (SELECT FROM ONLY auditspine.verification AS v
                      WHERE v.ok AND v.scope = 'full' AND v.started_at > a.raised_at)";

/// Breaks that are open: digest, and the run that found it first.
pub type Open = BTreeMap<Vec<u8>, i64>;

/// The alerts that a run raises.
pub struct Alerts {
    verification_id: i64,
    /// Number and hash of the row of each.
    raised: Vec<(i64, Vec<u8>)>,
    /// Digests of all breaks that were found, known ones too.
    found: Vec<Hash>,
    /// What was open when the run began. What others have found since is not for this run to close.
    before: Open,
    ledger: Option<Ledger>,
    /// Whether what stands in auditspine.open_break counts.
    believed: bool,
}

/// What is there as soon as a break was found, under the lock.
struct Ledger {
    open: HashSet<Vec<u8>>,
    insert: OwnedPreparedStatement,
}

/// A point of a run.
#[derive(Default)]
pub struct Mark {
    raised: usize,
    found: usize,
}

impl Alerts {
    /// Without any yet. Unless auditspine.open_break is `believed`, every break is new.
    pub fn new(verification_id: i64, believed: bool) -> Alerts {
        Alerts {
            verification_id,
            raised: Vec::new(),
            found: Vec::new(),
            before: open_breaks(),
            ledger: None,
            believed,
        }
    }

    /// How many were raised.
    pub fn count(&self) -> usize {
        self.raised.len()
    }

    /// How far it is, to return to.
    pub fn mark(&self) -> Mark {
        Mark {
            raised: self.raised.len(),
            found: self.found.len(),
        }
    }

    /// Forgets what was raised since, because it was rolled back.
    pub fn return_to(&mut self, mark: &Mark) {
        self.raised.truncate(mark.raised);
        self.found.truncate(mark.found);
        // The lock may have gone with them.
        self.ledger = None;
    }

    /// Raises an alert unless this break is known.
    pub fn found(&mut self, found: &Break<'_>) {
        let digest = found.digest();
        let ledger = match &mut self.ledger {
            Some(ledger) => ledger,
            None => {
                lock();
                let mut open = HashSet::new();
                if self.believed {
                    open.extend(open_breaks().into_keys());
                }
                open.extend(self.found.iter().map(|digest| digest.0.to_vec()));
                let insert = prepare_alert();
                self.ledger.insert(Ledger { open, insert })
            }
        };
        self.found.push(digest);
        if !ledger.open.insert(digest.0.to_vec()) {
            return;
        }
        let alert_id = written::fresh_id("alert_id_seq", "alert", "alert_id");
        let hash = insert(
            &ledger.insert,
            alert_id,
            self.verification_id,
            found,
            &digest,
        );
        self.raised.push((alert_id, hash));
        if self.raised.len() <= NOTIFIED {
            notify(&found.notification(alert_id, KIND));
        }
    }

    /// Ends the run: what was raised must be there, and what is open is kept for the next. A `full` run
    /// closes the breaks that it did not find again.
    pub fn finish(&mut self, full: bool) {
        self.keep_open(full);
        if let Some(more) = self.raised.len().checked_sub(NOTIFIED).filter(|it| *it > 0) {
            notify(&breaks::notification_of_more(more as i64, KIND));
        }
        self.expect_raised();
    }

    fn keep_open(&mut self, full: bool) {
        if !self.believed {
            lock();
            run("DELETE FROM ONLY auditspine.open_break", &[]);
            self.before.clear();
        }
        let found: BTreeSet<Vec<u8>> = self.found.iter().map(|hash| hash.0.to_vec()).collect();
        let over: Open = match full {
            true => self.before.clone(),
            false => Open::new(),
        };
        let over: Open = over
            .into_iter()
            .filter(|(digest, _)| !found.contains(digest))
            .collect();
        if found.is_empty() && over.is_empty() || !evidence::is_installed() {
            return;
        }
        lock();
        let mut open = open_breaks();
        let new: Vec<Vec<u8>> = found
            .into_iter()
            .filter(|digest| !open.contains_key(digest))
            .collect();
        open.retain(|digest, run| over.get(digest) != Some(&*run));
        open.extend(new.iter().map(|it| (it.clone(), self.verification_id)));
        let over: Vec<(Vec<u8>, i64)> = over.into_iter().collect();
        for batch in over.chunks(BATCH) {
            let (digests, runs): (Vec<Vec<u8>>, Vec<i64>) = batch.iter().cloned().unzip();
            run(
                "DELETE FROM ONLY auditspine.open_break AS b USING ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) \
                     AS over (digest, run) WHERE b.break_digest = over.digest AND b.verification_id = over.run",
                &[digests.into(), runs.into()],
            );
        }
        for batch in new.chunks(BATCH) {
            run(
                "INSERT INTO auditspine.open_break (break_digest, verification_id) \
                 SELECT digest, $2 FROM pg_catalog.unnest($1) AS digest",
                &[batch.to_vec().into(), self.verification_id.into()],
            );
        }
        if open_breaks() != open {
            OPEN_BREAK.not_as_written("what the run found open");
        }
    }

    fn expect_raised(&self) {
        if self.raised.is_empty() {
            return;
        }
        let ids: Vec<i64> = self.raised.iter().map(|(id, _)| *id).collect();
        let there = written::hashes(
            ALERT,
            "alert_id",
            "alert_id = ANY ($1::bigint[])",
            &[ids.into()],
        );
        let lost = self
            .raised
            .iter()
            .find(|(id, hash)| there.get(id) != Some(hash));
        if let Some((id, _)) = lost {
            ALERT.not_as_written(&format!("alert {id}"));
        }
    }
}

/// Lets one run at a time tell new breaks from known ones: two that found the same ones in another
/// order could deadlock otherwise.
fn lock() {
    AdvisoryLock::new(written::ALERTS, 0, evidence::EVIDENCE_LOCK).acquire();
}

/// As [`lock`], but does not wait; false if another run has it.
pub fn try_lock() -> bool {
    AdvisoryLock::new(written::ALERTS, 0, evidence::EVIDENCE_LOCK).try_acquire()
}

/// How many breaks are open, and which, for the entry of the run. Under the lock.
pub fn digest() -> Option<String> {
    let digest = evidence::digest_of("open_break", "t.break_digest", "true");
    evidence::one(&format!("SELECT {digest}"), &[])
}

/// The breaks that are open.
fn open_breaks() -> Open {
    let query = match evidence::is_installed() {
        true => "SELECT break_digest, verification_id FROM ONLY auditspine.open_break",
        false => BEFORE_OPEN_BREAK,
    };
    expect(Spi::connect_mut(|client| {
        client
            .update(query, None, &[])?
            .map(|row| {
                Ok((
                    row.get(1)?.unwrap_or_default(),
                    row.get(2)?.unwrap_or_default(),
                ))
            })
            .collect()
    }))
}

/// Writes an alert; returns the hash of its row.
fn insert(
    statement: &OwnedPreparedStatement,
    alert_id: i64,
    verification_id: i64,
    found: &Break<'_>,
    digest: &Hash,
) -> Vec<u8> {
    let lossy = |text: Option<&[u8]>| text.map(|t| String::from_utf8_lossy(t).into_owned());
    let evidence = String::from_utf8_lossy(&found.evidence()).into_owned();
    let arguments: [DatumWithOid<'_>; 14] = [
        alert_id.into(),
        KIND.into(),
        found.definition.severity.label().into(),
        found.definition.layer.label().into(),
        found.chain.into(),
        found.table.into(),
        lossy(found.kind).into(),
        lossy(found.pk).into(),
        found.seq.into(),
        found.definition.label.into(),
        found.detail.into(),
        evidence.into(),
        verification_id.into(),
        (&digest.0[..]).into(),
    ];
    let (wanted, written) = expect(Spi::connect_mut(|client| {
        client
            .update(statement, None, &arguments)?
            .first()
            .get_two::<Vec<u8>, Vec<u8>>()
    }));
    match wanted {
        Some(hash) if written.as_ref() == Some(&hash) => hash,
        _ => ALERT.not_as_written(&format!("the alert of finding {}", found.definition.label)),
    }
}

fn prepare_alert() -> OwnedPreparedStatement {
    use pg_sys::BuiltinOid::*;
    let types = [
        INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, TEXTOID,
        TEXTOID, TEXTOID, INT8OID, BYTEAOID,
    ]
    .map(pgrx::PgOid::from);
    let statement = insert_alert();
    expect(Spi::connect_mut(|client| {
        client
            .prepare_mut(&statement[..], &types)
            .map(|statement| statement.keep())
    }))
}

fn notify(payload: &[u8]) {
    let payload = String::from_utf8_lossy(payload).into_owned();
    run(
        "SELECT pg_catalog.pg_notify('auditspine_alert', $1)",
        &[payload.into()],
    );
}

fn run(statement: &str, arguments: &[DatumWithOid<'_>]) {
    expect(Spi::connect_mut(|client| {
        client.update(statement, None, arguments).map(|_| ())
    }));
}
