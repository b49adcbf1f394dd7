//! The state layer of a run, second part: runs, alerts, publications, auditors, verified heads and open
//! breaks, held against their entries on the chain of evidence.

use std::convert::Infallible;

use auditspine_core::finding::StateKind;

use crate::ledger::catalog::verbs_schema;
use crate::ledger::evidence::{
    AUDITOR, IS_EVIDENCE, PUBLICATION, RUN, digest, digest_of, how_many, is_installed, lasts,
    of_kind, row_hash, rows,
};
use crate::ledger::snapshot::CurrentSnapshot;
use crate::ledger::text_rows::Texts;
use crate::pg::subtransaction::attempt;
use crate::pg::subtransaction::is_verdict;
use crate::verify::all::Line;
use crate::verify::all::breaks::Break;
use crate::verify::all::guard::{guarded, not_verified};
use crate::verify::all::history;
use crate::verify::all::links::summary;
use crate::verify::all::run_log::Run;
use crate::verify::all::state::LAYER;

/// Subject where it cannot be said which table it is.
const SUBJECT: &str = "auditspine.verification";

/// Whether what earlier runs have left is as the last of them left it.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// `auditspine.verified_head`; `None` if no run tells.
    pub verified_heads: Option<bool>,
    /// `auditspine.open_break`; `None` if no run tells.
    pub open_breaks: Option<bool>,
}

impl Left {
    /// What the last evidence of runs tells, against the tables. Where that cannot be read, nothing is as it
    /// was left.
    pub fn read() -> Left {
        match attempt(|| Ok::<_, Infallible>(Left::against_evidence())) {
            Ok(Ok(left)) => left,
            Err(raised) if is_verdict(&raised) => Left {
                verified_heads: Some(false),
                open_breaks: Some(false),
            },
            Err(raised) => raised.rethrow(),
        }
    }

    fn against_evidence() -> Left {
        let mut left = Left {
            verified_heads: None,
            open_breaks: None,
        };
        if !is_installed() {
            return left;
        }
        let _snapshot = CurrentSnapshot::push();
        let row = rows(&last(), &[RUN]);
        let mut values = row.into_iter().flatten();
        let mut next = || values.next().flatten();
        let (told, is) = (next(), next());
        left.verified_heads = told.map(|told| is == Some(told));
        let (told, is) = (next(), next());
        left.open_breaks = told.map(|told| is == Some(told));
        left
    }
}

/// One statement, so that evidence and tables are seen at one time.
fn last() -> String {
    let told = |member| {
        let tells = format!("{} AND e.payload ->> '{member}' IS NOT NULL", of_kind());
        format!(
            "(SELECT CASE WHEN {0}.canonical_json_hash(e.payload) = e.payload_hash THEN e.payload ->> '{member}' ELSE '' END
              FROM {1} AS e ORDER BY e.seq DESC LIMIT 1)",
            verbs_schema(),
            lasts("e.seq, e.payload, e.payload_hash", &tells),
        )
    };
    format!(
        "SELECT {}, {}, {}, {}",
        told("verified_heads"),
        digest_of("verified_head", "t.chain_id, t.lane", "true"),
        told("open_breaks"),
        digest_of("open_break", "t.break_digest", "true"),
    )
}

/// Verifies what `left` says, and what evidence tells of our tables: all of them in a full run, the latest
/// in others. Adds a line if something is wrong.
///
/// Returns whether the index of histories was altered.
pub fn verify(left: Left, full: bool, run: &mut Run, lines: &mut Vec<Line>) -> bool {
    if !is_installed() {
        return false;
    }
    match guarded(run, |run| all(left, full, run)) {
        Ok((line, index_altered)) => {
            lines.extend(line);
            index_altered
        }
        Err(message) => {
            lines.push(not_verified(LAYER, SUBJECT, &message, run));
            true
        }
    }
}

fn all(left: Left, full: bool, run: &mut Run) -> (Option<Line>, bool) {
    let mut altered: Vec<Texts> = Vec::new();
    let mut tell = |table: &str, told: Option<bool>| {
        if told == Some(false) {
            let detail = "it is not as the last run that tells of it left it".to_owned();
            altered.push(vec![Some(table.to_owned()), None, None, Some(detail)]);
        }
    };
    tell("verified_head", left.verified_heads);
    tell("open_break", left.open_breaks);
    let index = history::altered(full);
    let index_altered = !index.is_empty();
    altered.extend(index);
    let own = run.verification_id().unwrap_or_default().to_string();
    {
        let _snapshot = CurrentSnapshot::push();
        altered.extend(rows(&runs(full), &[RUN, &own]));
        altered.extend(rows(&publications(full), &[PUBLICATION, RUN]));
        altered.extend(rows(&auditors(full), &[AUDITOR, RUN]));
    }
    let mut first = None;
    for row in &altered {
        let text = |at: usize| row.get(at).and_then(Option::as_deref);
        let table = format!("auditspine.{}", text(0).unwrap_or_default());
        let detail = text(3).unwrap_or_default();
        let found = Break {
            table: Some(&table),
            pk: text(1).map(str::as_bytes),
            ..Break::new(StateKind::StateAltered, detail)
        };
        first.get_or_insert_with(|| format!("{table}: {}", found.sentence()));
        run.found(&found);
    }
    let findings = altered.len() as u64;
    let line = first.map(|first| Line {
        layer: LAYER,
        subject: "recorded state".to_owned(),
        checked: findings as i64,
        findings: findings as i64,
        first_bad_seq: None,
        detail: Some(summary(&first, findings)),
    });
    (line, index_altered)
}

/// Numbers that an incremental run looks at, counted from the last one.
const WINDOW: i64 = 2000;

/// A table of ours whose rows evidence tells of by number.
struct Numbered {
    table: &'static str,
    id: &'static str,
    sequence: &'static str,
    /// What only the first entry about them has.
    earlier: &'static str,
}

const VERIFICATIONS: Numbered = Numbered {
    table: "verification",
    id: "verification_id",
    sequence: "verification_id_seq",
    earlier: "earlier_runs",
};
const PUBLICATIONS: Numbered = Numbered {
    table: "publication",
    id: "publication_id",
    sequence: "publication_id_seq",
    earlier: "earlier",
};

impl Numbered {
    /// Common table expressions: `span`, the first number that is looked at and the last; `entry`, evidence of
    /// kind $1 with number, seq, and payload if it is as its hash says; `first`, the number from which on
    /// every row has one, and the first entry if all are looked at.
    fn entries(&self, full: bool) -> String {
        let Numbered {
            table,
            id,
            sequence,
            earlier,
        } = self;
        let start = match full {
            true => i64::MIN.to_string(),
            false => format!("s.last - {WINDOW}"),
        };
        let of_kind = of_kind();
        // By key, so that the index on it serves.
        let within = match full {
            true => "",
            false => {
                "AND e.event_pk = ANY (ARRAY(SELECT n::text FROM span AS s, pg_catalog.generate_series(s.start, s.last) AS n))"
            }
        };
        let told = match full {
            // Of runs that were the first at the same time, one with a smaller number may have known of another.
            true => format!(
                "SELECT * FROM (SELECT id, payload, true AS whole FROM entry WHERE payload ? '{earlier}' ORDER BY id, seq LIMIT 1) AS f
                 UNION ALL
                 SELECT {start}, NULL, false
                 WHERE EXISTS (SELECT FROM entry) AND NOT EXISTS (SELECT FROM entry WHERE payload ? '{earlier}')"
            ),
            false => format!(
                "SELECT coalesce((SELECT pg_catalog.min(id) FROM entry WHERE payload ? '{earlier}'), s.start) AS id,
                        NULL::jsonb AS payload, false AS whole
                 FROM span AS s WHERE EXISTS (SELECT FROM ONLY auditspine.audit_chain AS e WHERE {of_kind})"
            ),
        };
        format!(
            "span AS MATERIALIZED (
                 SELECT {start} AS start, s.last
                 FROM (SELECT greatest(q.last_value, (SELECT pg_catalog.max(t.{id}) FROM ONLY auditspine.{table} AS t)) AS last
                       FROM auditspine.{sequence} AS q) AS s),
             entry AS MATERIALIZED (
                 SELECT e.event_pk::bigint AS id, e.seq,
                        CASE WHEN {verbs}.canonical_json_hash(e.payload) = e.payload_hash THEN e.payload END AS payload
                 FROM ONLY auditspine.audit_chain AS e WHERE {of_kind} {within}),
             first AS MATERIALIZED ({told})",
            verbs = verbs_schema()
        )
    }
}

/// Condition of rows from before the first entry that no entry of their own tells of.
fn untold(id: &str) -> String {
    format!("t.{id} < f.id AND NOT EXISTS (SELECT FROM entry AS e WHERE e.id = t.{id})")
}

/// The first evidence of a run, of kind $2.
fn first_run() -> String {
    format!(
        "SELECT e.event_pk::bigint AS id, e.seq,
                CASE WHEN {}.canonical_json_hash(e.payload) = e.payload_hash THEN e.payload END AS payload
         FROM ONLY auditspine.audit_chain AS e WHERE {IS_EVIDENCE} AND e.event_kind = $2 AND e.payload ? '{}' ORDER BY 1, 2 LIMIT 1",
        verbs_schema(),
        VERIFICATIONS.earlier
    )
}

/// What differs: table, number, seq of the entry, in words.
fn runs(full: bool) -> String {
    format!(
        "WITH {entries},
              run AS MATERIALIZED (
                  SELECT t.verification_id AS id, pg_catalog.encode({row}, 'hex') AS hash,
                         -- Versions that told nothing.
                         t.version <> ALL ('{{0.2.0,0.3.0,0.4.0}}'::text[]) AS tells
                  FROM span AS s, ONLY auditspine.verification AS t WHERE t.verification_id >= s.start),
              told AS MATERIALIZED (
                  SELECT t.verification_id AS id, {digest} AS hash
                  FROM span AS s, ONLY auditspine.alert AS t
                  WHERE t.verification_id >= s.start AND t.verification_id <> $2::bigint GROUP BY t.verification_id)
         SELECT * FROM (
             SELECT 'verification', e.id::text, e.seq::text,
                    CASE WHEN e.payload IS NULL THEN 'the evidence of run ' || e.id || ' is not what it was'
                         WHEN r.id IS NULL THEN 'run ' || e.id || ' is gone, and evidence tells of it'
                         ELSE 'run ' || e.id || ' is not what its evidence tells' END
             FROM entry AS e LEFT JOIN run AS r USING (id)
             WHERE e.payload ->> 'run' IS DISTINCT FROM r.hash OR e.payload IS NULL
             UNION ALL
             SELECT 'verification', r.id::text, NULL, 'run ' || r.id || ': no evidence tells of it'
             FROM run AS r LEFT JOIN first AS f ON true
             WHERE (r.id >= f.id OR r.tells) AND NOT EXISTS (SELECT FROM entry AS e WHERE e.id = r.id)
             UNION ALL
             SELECT 'audit_chain', NULL, NULL, 'entries of chain auditspine.evidence are gone'
             WHERE (SELECT pg_catalog.max((e.payload ->> 'entries')::numeric) FROM entry AS e) > {how_many}
             UNION ALL
             SELECT 'alert', e.id::text, e.seq::text, 'alerts of run ' || e.id || ' are not what its evidence tells'
             FROM entry AS e LEFT JOIN told AS a USING (id)
             WHERE e.payload IS NOT NULL AND e.payload ->> 'alerts' IS DISTINCT FROM coalesce(a.hash, {none})
             UNION ALL
             SELECT 'alert', a.id::text, NULL, 'alerts of run ' || a.id || ': no evidence tells of it'
             FROM told AS a, first AS f WHERE a.id >= f.id AND NOT EXISTS (SELECT FROM entry AS e WHERE e.id = a.id)
             UNION ALL
             SELECT 'alert', NULL, NULL, 'alerts from before run ' || f.id || ' are not what its evidence tells'
             FROM first AS f WHERE f.whole AND f.payload ->> 'earlier_alerts' IS DISTINCT FROM {earlier_alerts}
             UNION ALL
             SELECT 'verification', NULL, NULL, 'runs from before run ' || f.id || ' are not what its evidence tells'
             FROM first AS f WHERE f.whole AND f.payload ->> 'earlier_runs' IS DISTINCT FROM {earlier_runs}
         ) AS differs (state, id, seq, detail) ORDER BY seq::bigint, state, id, detail",
        entries = VERIFICATIONS.entries(full),
        how_many = how_many(),
        row = row_hash("t.*"),
        digest = digest("t.alert_id"),
        none = digest_of("alert", "t.alert_id", "false"),
        earlier_alerts = digest_of("alert", "t.alert_id", &untold("verification_id")),
        earlier_runs = digest_of("verification", "t.verification_id", &untold("verification_id")),
    )
}

/// The same of publications.
fn publications(full: bool) -> String {
    let order = "t.publication_id, t.chain_id, t.lane";
    format!(
        "WITH {entries},
              run AS MATERIALIZED ({first_run}),
              head AS MATERIALIZED (
                  SELECT t.publication_id AS id, {digest} AS hash
                  FROM span AS s, ONLY auditspine.publication AS t WHERE t.publication_id >= s.start
                  GROUP BY t.publication_id)
         SELECT * FROM (
             SELECT 'publication', e.id::text, e.seq::text, 'publication ' || e.id || ' is not what its evidence tells'
             FROM entry AS e LEFT JOIN head AS h USING (id)
             WHERE e.payload ->> 'heads' IS DISTINCT FROM h.hash OR e.payload IS NULL
             UNION ALL
             SELECT 'publication', h.id::text, NULL, 'publication ' || h.id || ': no evidence tells of it'
             FROM head AS h, first AS f WHERE h.id >= f.id AND NOT EXISTS (SELECT FROM entry AS e WHERE e.id = h.id)
             UNION ALL
             SELECT 'publication', NULL, NULL, 'publications from before ' || f.id || ' are not what its evidence tells'
             FROM first AS f WHERE f.whole AND f.payload ->> 'earlier' IS DISTINCT FROM {earlier}
             UNION ALL
             SELECT 'publication', NULL, NULL, 'publications are not what run ' || r.id || ' told'
             FROM run AS r
             WHERE NOT EXISTS (SELECT FROM ONLY auditspine.audit_chain AS e WHERE {of_kind})
               AND r.payload ->> 'earlier_publications' IS DISTINCT FROM {whole}
         ) AS differs (state, id, seq, detail) ORDER BY seq::bigint, id, detail",
        entries = PUBLICATIONS.entries(full),
        of_kind = of_kind(),
        first_run = match full {
            true => first_run(),
            false => "SELECT NULL::bigint AS id, NULL::jsonb AS payload WHERE $2 = ''".to_owned(),
        },
        digest = digest(order),
        earlier = digest_of("publication", order, &untold("publication_id")),
        whole = digest_of("publication", order, "true"),
    )
}

/// The same of auditors.
fn auditors(full: bool) -> String {
    let earlier = match full {
        true => format!(
            "SELECT r.seq, r.payload ->> 'earlier_auditors' FROM ({}) AS r WHERE NOT EXISTS (SELECT FROM last)",
            first_run()
        ),
        false => "SELECT NULL::bigint, NULL WHERE $2 = ''".to_owned(),
    };
    format!(
        "WITH entry AS (
             SELECT e.seq, CASE WHEN {verbs}.canonical_json_hash(e.payload) = e.payload_hash THEN e.payload END AS payload
             FROM ONLY auditspine.audit_chain AS e WHERE {of_kind}),
              last AS (SELECT seq, payload ->> 'auditors' AS hash FROM entry ORDER BY seq DESC LIMIT 1),
              expected (seq, hash) AS (SELECT seq, hash FROM last UNION ALL {earlier})
         SELECT 'auditor', NULL::text, e.seq::text, 'auditors are not what the last evidence about them tells'
         FROM expected AS e WHERE e.hash IS DISTINCT FROM {whole}",
        verbs = verbs_schema(),
        of_kind = of_kind(),
        whole = digest_of("auditor", "t.role_name", "true"),
    )
}
