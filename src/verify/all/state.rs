//! The state layer of a run: the extension's own tables, sequences and functions, against what a fresh
//! installation has, and recorded layouts against the entries that tell of them.
//!
//! What is read of a table that was altered is not what was written to it: a child adds rows, a rule or a
//! trigger swallows them, a policy hides them. So whatever differs is told; nothing here changes what
//! another layer says.

use std::collections::BTreeSet;

use auditspine_core::finding::{Layer, StateKind};
use auditspine_core::hash::Hash;

use crate::capture::layouts;
use crate::ledger::owner::as_owner;
use crate::ledger::text_rows::query;
use crate::verify::all::Line;
use crate::verify::all::breaks::Break;
use crate::verify::all::guard::{guarded, not_verified};
use crate::verify::all::links::summary;
use crate::verify::all::run_log::Run;

/// Name of the layer.
pub const LAYER: Layer = Layer::State;
/// Subject of lines, and of what is about no table.
const SUBJECT: &str = "auditspine";

/// What the state is, a fact a row.
const FACTS: &str = include_str!("../../../sql/state/facts.sql");
/// What a fresh installation of this version is, a fact a line.
const FRESH: &str = include_str!("../../../sql/state/facts.txt");

const VERSION: &str = "
    SELECT extversion FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'auditspine'";

/// The last layout entry of each number, as stored: number, canonical payload, its hash, kind.
const TOLD: &str = "
    SELECT DISTINCT ON (event_pk) event_pk, payload::text, encode(payload_hash, 'hex'), payload ->> 'kind'
    FROM ONLY auditspine.audit_chain
    WHERE event_kind = 'auditspine.layout' AND op = 'S' AND event_pk IS NOT NULL
    ORDER BY event_pk, seq";
const LAYOUTS: &str = "
    SELECT layout_id::text, encode(digest, 'hex'), kind FROM ONLY auditspine.layout ORDER BY layout_id";

/// One thing that is not as it should be.
struct Altered {
    /// Name of the table, sequence or sort of object.
    subject: String,
    /// What is meant, in few words; tells one finding from another.
    what: String,
    detail: String,
}

/// Verifies the state and adds a line if something is wrong, or if it could not be looked at.
pub fn verify(run: &mut Run, lines: &mut Vec<Line>) {
    match guarded(run, all) {
        Ok(line) => lines.extend(line),
        Err(message) => lines.push(not_verified(LAYER, SUBJECT, &message, run)),
    }
}

fn all(run: &mut Run) -> Option<Line> {
    let installed = as_owner(|| query(VERSION, &[]));
    let installed = installed.into_iter().flatten().flatten().next();
    if installed.as_deref() != Some(env!("CARGO_PKG_VERSION")) {
        return Some(Line {
            layer: LAYER,
            subject: SUBJECT.to_owned(),
            checked: 0,
            findings: 0,
            first_bad_seq: None,
            detail: Some(format!(
                "not verified: the extension is at version {}, its library at {}; ALTER EXTENSION auditspine UPDATE",
                installed.unwrap_or_default(),
                env!("CARGO_PKG_VERSION")
            )),
        });
    }
    let (mut altered, facts) = as_owner(shape);
    altered.extend(as_owner(recorded_layouts));
    let mut first = None;
    for finding in &altered {
        let table = match finding.subject.as_str() {
            "function" | "event trigger" => SUBJECT.to_owned(),
            name => format!("auditspine.{name}"),
        };
        let found = Break {
            table: Some(&table),
            pk: Some(finding.what.as_bytes()),
            ..Break::new(StateKind::StateAltered, &finding.detail)
        };
        first.get_or_insert_with(|| found.sentence());
        run.found(&found);
    }
    let findings = altered.len() as u64;
    first.map(|first| Line {
        layer: LAYER,
        subject: SUBJECT.to_owned(),
        checked: facts as i64,
        findings: findings as i64,
        first_bad_seq: None,
        detail: Some(summary(&first, findings)),
    })
}

/// What differs from a fresh installation, and how many facts there are.
fn shape() -> (Vec<Altered>, usize) {
    let found: BTreeSet<String> = query(FACTS, &[])
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect();
    let fresh: BTreeSet<&str> = FRESH.lines().filter(|line| !line.is_empty()).collect();
    let tell = |fact: &str, detail: String| Altered {
        subject: subject_of(fact).to_owned(),
        what: fact.to_owned(),
        detail,
    };
    let lacking = fresh
        .iter()
        .filter(|fact| !found.contains(**fact))
        .map(|fact| {
            tell(
                fact,
                format!("the extension made this, and it is gone or altered: {fact}"),
            )
        });
    let added = found
        .iter()
        .filter(|fact| !fresh.contains(fact.as_str()))
        .map(|fact| {
            tell(
                fact,
                format!("the extension did not make this, or not so: {fact}"),
            )
        });
    (lacking.chain(added).collect(), found.len())
}

/// What a fact is about: its first word, which for some sorts of objects is two.
fn subject_of(fact: &str) -> &str {
    if fact.starts_with("event trigger ") {
        return "event trigger";
    }
    fact.split(' ').next().unwrap_or_default()
}

/// Rows of auditspine.layout that differ from the entries that tell of them: writers find the number of
/// their layout there.
fn recorded_layouts() -> Vec<Altered> {
    let told: Vec<Told> = query(TOLD, &[])
        .into_iter()
        .filter_map(|row| Told::read(row.try_into().ok()?))
        .collect();
    let rows: Vec<[Option<String>; 3]> = query(LAYOUTS, &[])
        .into_iter()
        .filter_map(|row| row.try_into().ok())
        .collect();
    let altered = |id: &str, detail: String| Altered {
        subject: "layout".to_owned(),
        what: format!("layout {id}"),
        detail,
    };
    let mut findings = Vec::new();
    for [id, digest, kind] in &rows {
        let id = id.as_deref().unwrap_or("without a number");
        let entry = told.iter().find(|entry| entry.id == id);
        let detail = match entry {
            None => "no entry tells of it",
            // What is wrong with the entry, the links tell.
            Some(Told { digest: None, .. }) => continue,
            Some(entry) if entry.digest != *digest || entry.kind != *kind => {
                "the row is not what its entry recorded"
            }
            Some(_) => continue,
        };
        findings.push(altered(id, format!("layout {id}: {detail}")));
    }
    let gone = told
        .iter()
        .filter(|entry| rows.iter().all(|[id, ..]| id.as_ref() != Some(&entry.id)));
    findings.extend(gone.map(|entry| {
        altered(
            &entry.id,
            format!(
                "layout {}: the row is gone, and an entry tells of it",
                entry.id
            ),
        )
    }));
    findings
}

/// What an entry tells of a layout.
struct Told {
    id: String,
    /// That of the row, in hex; `None` if the entry is not what it was.
    digest: Option<String>,
    kind: Option<String>,
}

impl Told {
    fn read([id, payload, hash, kind]: [Option<String>; 4]) -> Option<Told> {
        let canonical = payload.and_then(|payload| {
            let json = payload.as_bytes();
            auditspine_core::canonical::canonical_text(
                json,
                auditspine_core::canonical::Numbers::Exact,
            )
            .ok()
        });
        let digest = canonical
            .filter(|payload| hash == Some(Hash::of(payload).to_string()))
            .and_then(|payload| layouts::digest_of(&payload))
            .map(|digest| digest.to_string());
        Some(Told {
            id: id?,
            digest,
            kind,
        })
    }
}
