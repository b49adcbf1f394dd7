//! Chains of the older shape: verified, anchored by an entry, and held against it later.

mod source;

use auditspine_core::adopted::{
    Anchor, Audit, Break, Change, Comparison, MAX_LISTED, Segments, Summary,
};
use auditspine_core::canonical::{Numbers, canonical_text};
use auditspine_core::finding::AdoptedKind;
use auditspine_core::hash::Hash;
use pgrx::pg_sys;

use crate::capture::audited;
use crate::error::Failure;
use crate::ledger::catalog::state;
use crate::ledger::snapshot::CurrentSnapshot;
use crate::ledger::system_entry;
use crate::ledger::visibility;
use crate::pg::arena::DatumArena;
use crate::pg::privilege::expect_select;
use crate::pg::receiver::for_each_row;
use crate::verify::adopted::source::{Problem, Source};

/// Kind of the entries that anchor adopted chains.
pub const KIND: &str = "auditspine.adopt";

/// One thing that is wrong with an adopted chain.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Number of the row, or of the last row of a segment; `None` where it is about the table.
    pub seq: Option<i64>,
    /// What was found.
    pub kind: AdoptedKind,
    /// The facts, in a sentence.
    pub detail: String,
    /// The hash that should stand there.
    pub expected: Option<Hash>,
    /// What stands there, at most the first 64 bytes.
    pub found: Option<Vec<u8>>,
    /// Whether it was there already when the chain was adopted, and is part of the anchor.
    pub anchored: bool,
}

/// What a verification against the anchor says.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Qualified name of the table.
    pub table: String,
    /// The entry that anchors it.
    pub anchor_seq: Option<i64>,
    /// How many rows were anchored.
    pub anchored: u64,
    /// How many rows there are.
    pub entries: u64,
    /// How many of them came after.
    pub appended: u64,
    /// All breaks.
    pub breaks: u64,
    /// Breaks that the anchor does not tell.
    pub new_breaks: u64,
    /// Segments that are not as they were anchored, and what is wrong with the anchor or the table.
    pub changes: u64,
}

impl Report {
    /// Whether the chain is as it was anchored, and goes on soundly.
    pub fn ok(&self) -> bool {
        self.new_breaks == 0 && self.changes == 0
    }
}

/// What adopting came to.
pub struct Adopted {
    /// `adopted`, `unchanged` or `changed`.
    pub outcome: &'static str,
    /// What is anchored now, or would be.
    pub anchor: Anchor,
}

/// Verifies a chain and anchors it. One that is anchored already is anchored anew only if it changed,
/// and `again` says so.
pub fn adopt(target: pg_sys::Oid, again: bool) -> Adopted {
    expect_select(target);
    // No row with a smaller number may be on its way, nor another adoption.
    let lock = pg_sys::ShareRowExclusiveLock;
    let source = Source::expect(target, lock);
    audited::leaves(target, lock);
    let _own_entries = CurrentSnapshot::push();
    let _snapshot = CurrentSnapshot::push_latest();
    let mut segments = Segments::new(source.count());
    let mut audit = None;
    let variant = source.rows(None, &mut |variant, row| {
        segments.row(row);
        audit
            .get_or_insert_with(|| Audit::new(variant))
            .row(row, &mut |_| {});
    });
    let (Some(variant), Some(audit)) = (variant, audit) else {
        Failure::NotAChain.raise(
            format!("table {} is empty: there is no chain to adopt", source.name),
            "adopt a chain when it has rows; a new one is better made with audit_attach()",
        );
    };
    let anchor = Anchor {
        table: source.name.clone(),
        variant,
        summary: audit.finish(),
        segments: segments.finish(),
    };
    let mut payload = Vec::new();
    anchor.write(&mut payload);
    let before = latest(&source.name);
    let outcome = match &before {
        Some(before) if before.payload == payload => "unchanged",
        Some(_) if !again => "changed",
        _ => {
            system_entry::push(KIND, source.name.as_bytes(), &payload);
            "adopted"
        }
    };
    Adopted { outcome, anchor }
}

/// The last entry that anchors a table.
struct Stored {
    seq: i64,
    payload: Vec<u8>,
    /// `None` if it is not what was once written there.
    anchor: Option<Anchor>,
}

fn latest(table: &str) -> Option<Stored> {
    expect_select(state().audit_chain);
    visibility::expect_whole("verifying an adopted chain");
    let mut arena = DatumArena::default();
    let name = arena.varlena(table.as_bytes());
    let mut stored = None;
    for_each_row(
        c"SELECT seq, payload::pg_catalog.text, payload_hash FROM ONLY auditspine.audit_chain \
          WHERE event_kind OPERATOR(pg_catalog.=) 'auditspine.adopt' AND op OPERATOR(pg_catalog.=) 'S' \
          AND event_pk OPERATOR(pg_catalog.=) $1 ORDER BY seq DESC LIMIT 1",
        &[(pg_sys::TEXTOID, name)],
        &mut |row| {
            let payload = row
                .bytes(1)
                .and_then(|text| canonical_text(&text, Numbers::Exact).ok())
                .unwrap_or_default();
            let sound = row.hash(2) == Some(Hash::of(&payload));
            stored = Some(Stored {
                seq: row.int8(0).unwrap_or(0),
                anchor: sound.then(|| Anchor::parse(&payload)).flatten(),
                payload,
            });
        },
    );
    stored
}

/// Holds a chain against its anchor and hands every finding to `sink`; an ERROR if it has none.
pub fn verify(target: pg_sys::Oid, sink: &mut dyn FnMut(Finding)) -> Report {
    let source = Source::expect(target, pg_sys::AccessShareLock);
    let _snapshot = CurrentSnapshot::push();
    let Some(stored) = latest(&source.name) else {
        Failure::NotAdopted.raise(
            format!("table {} was not adopted under that name", source.name),
            "adopt it with adopt_chain(); adopted tables are the event_pk of entries of kind auditspine.adopt",
        );
    };
    against(&source, &stored, sink)
}

/// Every finding of [`verify`]; of a table that was not adopted, every break.
pub fn findings(target: pg_sys::Oid, sink: &mut dyn FnMut(Finding)) {
    let source = Source::expect(target, pg_sys::AccessShareLock);
    let _snapshot = CurrentSnapshot::push();
    match latest(&source.name) {
        Some(stored) => drop(against(&source, &stored, sink)),
        None => {
            let mut audit = None;
            source.rows(None, &mut |variant, row| {
                audit
                    .get_or_insert_with(|| Audit::new(variant))
                    .row(row, &mut |found| sink(of_break(found, false)));
            });
        }
    }
}

/// Names of the tables that were adopted, and what has these names now, if anything.
pub fn adopted() -> Vec<(String, Option<pg_sys::Oid>)> {
    let _snapshot = CurrentSnapshot::push();
    expect_select(state().audit_chain);
    let mut tables = Vec::new();
    for_each_row(
        // Names are compared, not parsed: a forged one is just not found.
        c"SELECT e.event_pk, t.oid \
          FROM (SELECT DISTINCT event_pk FROM ONLY auditspine.audit_chain \
                WHERE event_kind OPERATOR(pg_catalog.=) 'auditspine.adopt' \
                AND op OPERATOR(pg_catalog.=) 'S' AND event_pk IS NOT NULL) AS e \
          LEFT JOIN (SELECT c.oid, pg_catalog.format('%I.%I', nspname, relname) AS name \
                     FROM pg_catalog.pg_class AS c \
                     JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) relnamespace) AS t \
              ON t.name OPERATOR(pg_catalog.=) e.event_pk \
          ORDER BY e.event_pk",
        &[],
        &mut |row| {
            if let Some(name) = row.text(0) {
                tables.push((name, row.oid(1)));
            }
        },
    );
    tables
}

/// Holds an adopted chain against its anchor. What is wrong with the table itself, such as that it is gone,
/// is a finding too. `None` if no entry says any more that it was adopted.
pub fn verify_adopted(
    name: &str,
    table: Option<pg_sys::Oid>,
    sink: &mut dyn FnMut(Finding),
) -> Option<Report> {
    let source = match table {
        None => Err(Problem::missing(name)),
        Some(oid) => {
            expect_select(oid);
            Source::open(oid, pg_sys::AccessShareLock)
        }
    };
    let _snapshot = CurrentSnapshot::push();
    let stored = latest(name);
    Some(match (source, stored) {
        (Ok(source), Some(stored)) => against(&source, &stored, sink),
        (Ok(_), None) => return None,
        (Err(problem), stored) => {
            sink(about(problem.kind, problem.message));
            Report {
                table: name.to_owned(),
                anchor_seq: stored.as_ref().map(|stored| stored.seq),
                anchored: stored
                    .and_then(|stored| stored.anchor)
                    .map_or(0, |anchor| anchor.summary.count),
                changes: 1,
                ..Report::default()
            }
        }
    })
}

fn against(source: &Source, stored: &Stored, sink: &mut dyn FnMut(Finding)) -> Report {
    let mut report = Report {
        table: source.name.clone(),
        anchor_seq: Some(stored.seq),
        ..Report::default()
    };
    let Some(anchor) = &stored.anchor else {
        report.changes = 1;
        sink(about(
            AdoptedKind::AnchorDamaged,
            format!(
                "the payload of entry {} is not what was recorded when the chain was adopted",
                stored.seq
            ),
        ));
        return report;
    };
    report.anchored = anchor.summary.count;
    let known = Known::new(&anchor.summary);
    let mut comparison = Comparison::new(anchor.segments.clone());
    let mut audit = Audit::new(anchor.variant);
    source.rows(Some(anchor.variant), &mut |_, row| {
        let within = comparison.row(row);
        audit.row(row, &mut |found| {
            let anchored = within && known.holds(&found);
            report.new_breaks += u64::from(!anchored);
            sink(of_break(found, anchored));
        });
    });
    let summary = audit.finish();
    let (changes, appended) = comparison.finish();
    report.entries = summary.count;
    report.breaks = summary.breaks;
    report.appended = appended;
    report.changes = changes.len() as u64;
    for change in changes {
        sink(of_change(&change));
    }
    report
}

/// The breaks that an anchor tells.
struct Known<'a> {
    summary: &'a Summary,
}

impl<'a> Known<'a> {
    fn new(summary: &'a Summary) -> Known<'a> {
        Known { summary }
    }

    fn holds(&self, found: &Break) -> bool {
        let listed = &self.summary.listed;
        // Listed in the order of seq. Of the ones beyond the list, a change of the rows tells.
        let from = listed.partition_point(|(seq, _)| *seq < found.seq);
        let mut same = listed[from..]
            .iter()
            .take_while(|(seq, _)| *seq == found.seq);
        same.any(|(_, kind)| *kind == found.kind)
            || (self.summary.breaks > MAX_LISTED as u64
                && listed.last().is_some_and(|(seq, _)| *seq <= found.seq))
    }
}

fn of_break(found: Break, anchored: bool) -> Finding {
    Finding {
        seq: Some(found.seq),
        kind: found.kind.finding(),
        detail: found.detail,
        expected: found.expected,
        found: found.found,
        anchored,
    }
}

fn of_change(change: &Change) -> Finding {
    let from = match change.after_seq {
        Some(seq) => format!("above {seq} and "),
        None => String::new(),
    };
    Finding {
        seq: Some(change.last_seq),
        kind: change.kind.finding(),
        detail: format!(
            "of rows with seq {from}up to {}, {} were anchored and {} are there, with other content",
            change.last_seq, change.anchored, change.found
        ),
        expected: Some(change.expected),
        found: Some(change.digest.0.to_vec()),
        anchored: false,
    }
}

fn about(kind: AdoptedKind, detail: String) -> Finding {
    Finding {
        seq: None,
        kind,
        detail,
        expected: None,
        found: None,
        anchored: false,
    }
}
