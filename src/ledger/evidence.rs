//! Entries on the chain of evidence tell what our own tables hold: runs, publications, auditors. What stands in
//! these tables is held against them, in [`crate::verify::all`].

use std::convert::Infallible;
use std::ffi::CString;
use std::ops::ControlFlow;

use pgrx::{pg_sys, warning};

use crate::ledger::catalog::verbs_schema;
use crate::ledger::scan;
use crate::ledger::snapshot::CurrentSnapshot;
use crate::ledger::system_entry;
use crate::ledger::system_entry::Object;
use crate::ledger::text_rows::Texts;
use crate::ledger::{chains, flush};
use crate::pg::arena::DatumArena;
use crate::pg::lock::AdvisoryLock;
use crate::pg::session;
use crate::pg::subtransaction::{attempt, is_verdict, message_of};

/// Kind of the evidence of runs, by number.
pub const RUN: &str = "auditspine.verification";
/// Kind of the evidence of publications, by number.
pub const PUBLICATION: &str = "auditspine.publication";
/// Kind of the evidence of auditors, by role.
pub const AUDITOR: &str = "auditspine.auditor";

/// Kind of the evidence of fills of the index by which histories are read, by number.
pub const HISTORY: &str = "auditspine.history";

/// Condition of the entries `e` that are evidence.
pub const IS_EVIDENCE: &str = "e.chain_id = (SELECT c.chain_id FROM ONLY auditspine.chain AS c WHERE c.name = 'auditspine.evidence') AND e.op = 'S'";

/// Condition of those of kind $1.
pub fn of_kind() -> String {
    format!("{IS_EVIDENCE} AND e.event_kind = $1")
}

/// How many entries of evidence there are, as a query of one number. Positions have no gaps.
pub fn how_many() -> String {
    let heads = lasts("e.pos", IS_EVIDENCE);
    format!("(SELECT coalesce(pg_catalog.sum(l.pos), 0) FROM {heads} AS l)")
}

/// Columns of the last entry `e` of each lane of evidence that fulfils a condition.
pub fn lasts(columns: &str, condition: &str) -> String {
    let lanes = chains::MAX_LANES - 1;
    format!(
        "(SELECT e.* FROM pg_catalog.generate_series(0, {lanes}) AS l (lane), LATERAL (
              SELECT {columns} FROM ONLY auditspine.audit_chain AS e WHERE {condition} AND e.lane = l.lane::smallint
              ORDER BY e.pos DESC LIMIT 1) AS e)"
    )
}

/// Class of locks on what is told of, beside those that lane.rs has.
pub const EVIDENCE_LOCK: u16 = 9;
/// Auditors are changed and told of.
const AUDITORS: u32 = 3;

/// The call of canonical_row_hash() for a row of these columns. It is given a plain record: for a row of a named
/// type, a function that somebody else has put beside ours could be a better match.
pub fn row_hash(columns: &str) -> String {
    format!(
        "{}.canonical_row_hash((SELECT r FROM (SELECT {columns}) AS r))",
        verbs_schema()
    )
}

/// Rows of a table of ours, as a query of one text: how many, and SHA-256 of their hashes
/// (`canonical_row_hash`) one behind the other, in hex.
pub fn digest_of(table: &str, order: &str, condition: &str) -> String {
    format!(
        "(SELECT {} FROM ONLY auditspine.{table} AS t WHERE {condition})",
        digest(order)
    )
}

/// The same, as an aggregate over rows `t`.
pub fn digest(order: &str) -> String {
    format!(
        "pg_catalog.count(*)::text || ' ' || pg_catalog.encode(pg_catalog.sha256(coalesce(pg_catalog.string_agg(\
         {}, ''::bytea ORDER BY {order}), ''::bytea)), 'hex')",
        row_hash("t.*")
    )
}

/// Rows of texts of a query under the active snapshot, as the extension's owner.
pub fn rows(statement: &str, arguments: &[&str]) -> Vec<Texts> {
    let statement = CString::new(statement).unwrap_or_default();
    let mut arena = DatumArena::default();
    let types = vec![pg_sys::TEXTOID; arguments.len()];
    let arguments: Vec<pg_sys::Datum> = arguments
        .iter()
        .map(|text| arena.varlena(text.as_bytes()))
        .collect();
    let mut rows = Vec::new();
    scan::select(&statement, &types, &arguments, |row| {
        rows.push((0..row.all().len()).map(|at| row.text(at)).collect());
        ControlFlow::Continue(())
    });
    rows
}

/// As [`rows`], of this moment, what this transaction has just written included.
fn now(statement: &str, arguments: &[&str]) -> Vec<Texts> {
    session::next_command();
    let _snapshot = CurrentSnapshot::push_latest();
    rows(statement, arguments)
}

/// The one text that a query gives now, at every isolation level, as the extension's owner.
pub fn one(statement: &str, arguments: &[&str]) -> Option<String> {
    now(statement, arguments)
        .into_iter()
        .flatten()
        .flatten()
        .next()
}

/// Whether this version's tables are there: not until the extension is updated from 0.4.0.
pub fn is_installed() -> bool {
    one(
        "SELECT 'yes' WHERE pg_catalog.to_regclass('auditspine.open_break') IS NOT NULL",
        &[],
    )
    .is_some()
}

/// Whether there is evidence of that kind yet.
fn any(kind: &str) -> bool {
    let of_kind = of_kind();
    let query =
        format!("SELECT 'yes' FROM ONLY auditspine.audit_chain AS e WHERE {of_kind} LIMIT 1");
    one(&query, &[kind]).is_some()
}

/// Writes evidence at once. Where the chain is damaged so far that nothing can be linked to it, what was to be
/// told stands all the same, and the next run tells that no evidence vouches for it: a run that fails would raise no
/// alert.
fn push(kind: &str, about: &str, payload: Object) {
    let link = || {
        push_or_fail(kind, about, payload);
        Ok::<_, Infallible>(())
    };
    match attempt(link) {
        Ok(_) => (),
        Err(raised) if is_verdict(&raised) => warning!(
            "no evidence was written of {kind} {about}: {}",
            message_of(&raised)
        ),
        Err(raised) => raised.rethrow(),
    }
}

/// Writes evidence at once, or fails.
pub fn push_or_fail(kind: &str, about: &str, payload: Object) {
    system_entry::push_evidence(kind, about.as_bytes(), &payload.finish());
    flush::flush();
}

/// Whether an entry of this kind is evidence, and tells of no row.
pub fn is_kind(kind: &[u8]) -> bool {
    [RUN, PUBLICATION, AUDITOR, HISTORY]
        .iter()
        .any(|it| it.as_bytes() == kind)
}

/// What the evidence of a run tells.
pub struct OfRun<'a> {
    /// Hash of its row, in hex.
    pub row: &'a str,
    /// As its row has it.
    pub scope: &'a str,
    /// As its row has it.
    pub findings: i64,
    /// Digest of the open breaks, if no other run can be about to change them.
    pub open_breaks: Option<String>,
    /// The same of verified heads.
    pub verified_heads: Option<String>,
}

/// Records a run that has been written.
pub fn record_run(verification_id: i64, run: &OfRun<'_>) {
    let id = verification_id.to_string();
    let alerts = digest_of("alert", "t.alert_id", "t.verification_id = $1::bigint");
    let mut object = Object::new().optional(
        "alerts",
        one(&format!("SELECT {alerts}"), &[&id]).as_deref(),
    );
    if !any(RUN) {
        // What was there before there was evidence.
        let earlier = format!(
            "SELECT {}, {}, {}, {}",
            digest_of("alert", "t.alert_id", "t.verification_id < $1::bigint"),
            digest_of("auditor", "t.role_name", "true"),
            digest_of(
                "publication",
                "t.publication_id, t.chain_id, t.lane",
                "true"
            ),
            digest_of(
                "verification",
                "t.verification_id",
                "t.verification_id < $1::bigint"
            ),
        );
        let names = [
            "earlier_alerts",
            "earlier_auditors",
            "earlier_publications",
            "earlier_runs",
        ];
        let row = now(&earlier, &[&id]);
        for (name, value) in names.iter().zip(row.into_iter().flatten()) {
            object = object.optional(name, value.as_deref());
        }
    }
    let object = object
        .optional(
            "entries",
            one(&format!("SELECT {}::text", how_many()), &[]).as_deref(),
        )
        .raw("findings", &run.findings.to_string())
        .optional("open_breaks", run.open_breaks.as_deref())
        .text("run", run.row)
        .text("scope", run.scope)
        .optional("verified_heads", run.verified_heads.as_deref());
    push(RUN, &id, object);
}

/// Records a publication to one file that has been written.
pub fn record_publication(publication_id: i64) {
    if !is_installed() {
        return;
    }
    let id = publication_id.to_string();
    let of = |condition| {
        let digest = digest_of(
            "publication",
            "t.publication_id, t.chain_id, t.lane",
            condition,
        );
        one(&format!("SELECT {digest}"), &[&id])
    };
    let mut object = Object::new();
    if !any(PUBLICATION) {
        let earlier = of("t.publication_id < $1::bigint");
        object = object.optional("earlier", earlier.as_deref());
    }
    let heads = of("t.publication_id = $1::bigint");
    let object = object.optional("heads", heads.as_deref());
    push(PUBLICATION, &id, object);
}

/// Records who auditors are, after this role's scope was changed.
pub fn record_auditors(role: &str, scope: &str) {
    if !is_installed() {
        return;
    }
    // Evidence is in the order of what it tells.
    AdvisoryLock::new(AUDITORS, 0, EVIDENCE_LOCK).acquire();
    let digest = digest_of("auditor", "t.role_name", "true");
    let digest = one(&format!("SELECT {digest}"), &[]);
    let object = Object::new()
        .optional("auditors", digest.as_deref())
        .text("role", role)
        .text("scope", scope);
    push(AUDITOR, role, object);
}
