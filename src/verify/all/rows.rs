//! The rows layer of a run: every audited table, and every one that entries say is audited.

use std::collections::HashSet;
use std::ops::ControlFlow;

use auditspine_core::finding;
use auditspine_core::rows::RowFindingKind;
use pgrx::pg_sys;

use crate::capture::audited;
use crate::ledger::scan;
use crate::ledger::snapshot::CurrentSnapshot;
use crate::pg::relation::OpenRelation;
use crate::pg::table;
use crate::verify::all::Line;
use crate::verify::all::breaks::Break;
use crate::verify::all::guard::{self, Outcome, not_verified};
use crate::verify::all::links::summary;
use crate::verify::all::run_log::Run;
use crate::verify::rows::{
    self, Detail, Ended, Finding, Recorded, Request, Rows as Which, TableReport, Tracked,
};

const LAYER: finding::Layer = finding::Layer::Rows;

/// Verifies the rows that entries from `since` on tell of, or all, and adds a line per table.
pub fn verify(since: Option<i64>, run: &mut Run, lines: &mut Vec<Line>) {
    let _snapshot = CurrentSnapshot::push();
    let recorded = Recorded::read();
    let mut layer = Layer {
        since,
        recorded: &recorded,
        run,
        lines,
        kinds: HashSet::new(),
        failed: HashSet::new(),
    };
    layer.tables(
        audited_tables()
            .into_iter()
            .map(|(oid, name)| (oid, name, None))
            .collect(),
    );
    let mut found = Vec::new();
    for tracked in recorded.attached() {
        if layer.kinds.contains(&tracked.kind) {
            continue;
        }
        match table_of(&tracked) {
            // It is told of with the kinds that the table has now.
            Some(oid) if layer.failed.contains(&oid) || rows::is_audited(oid) => {}
            // Of the same kind as if the trigger were there: so a row's break is the same, too.
            Some(oid) => found.push((oid, tracked.table, Some(tracked.kind.into_bytes()))),
            None => layer.missing(&tracked),
        }
    }
    layer.tables(found);
    for ended in recorded.ended_not_in_order() {
        layer.ended(ended);
    }
}

/// A table, its name, and the kind of its events, if that is not to be read from its triggers.
type Table = (pg_sys::Oid, String, Option<Vec<u8>>);

struct Layer<'a> {
    since: Option<i64>,
    recorded: &'a Recorded,
    run: &'a mut Run,
    lines: &'a mut Vec<Line>,
    /// Kinds that were verified.
    kinds: HashSet<String>,
    /// Tables that could not be verified.
    failed: HashSet<pg_sys::Oid>,
}

impl Layer<'_> {
    /// Verifies tables; those that another session has locked when all others are done.
    fn tables(&mut self, tables: Vec<Table>) {
        let locked: Vec<Table> = tables
            .into_iter()
            .filter(|table| !self.table(table, false))
            .collect();
        for table in &locked {
            self.table(table, true);
        }
    }

    /// Verifies a table. False if it is locked, and not to be waited for.
    fn table(&mut self, (oid, name, kind): &Table, wait: bool) -> bool {
        let oid = *oid;
        let mut first = None;
        let request = Request {
            relation: oid,
            rows: self.since.map_or(Which::All, Which::Since),
            chain: None,
            detail: Detail::Evidence,
        };
        let recorded = self.recorded;
        let outcome = guard::of_table(self.run, oid, wait, |run| {
            let kind = kind.clone().or_else(|| only_kind(oid));
            rows::verify_recorded(&request, recorded, &mut |finding| {
                tell(&finding, kind.as_deref(), run, &mut first);
            })
        });
        match outcome {
            Outcome::Busy => return false,
            Outcome::Done(reports) => {
                let many = reports.len() > 1;
                for report in reports {
                    self.add(report, many, first.take());
                }
            }
            Outcome::Failed(message) => {
                self.failed.insert(oid);
                // What was dropped meanwhile is the next run's to judge.
                if table::exists(oid) {
                    self.run.totals.tables += 1;
                    self.lines
                        .push(not_verified(LAYER, name, &message, self.run));
                }
            }
        }
        true
    }

    fn add(&mut self, report: TableReport, many: bool, first: Option<String>) {
        let findings = report.bad;
        let totals = &mut self.run.totals;
        totals.tables += 1;
        totals.rows += report.rows as i64;
        totals.unverifiable += report.unverifiable as i64;
        let see = format!("see verify_table_findings('{}')", report.table);
        let unverifiable = (report.unverifiable > 0).then(|| {
            format!(
                "{} rows cannot be verified in full: columns that they were hashed with are gone or were altered, or no entry \
                 covers a column",
                report.unverifiable
            )
        });
        self.lines.push(Line {
            layer: LAYER,
            subject: if many {
                format!("{} as {}", report.table, report.kind)
            } else {
                report.table
            },
            checked: report.rows as i64,
            findings: findings as i64,
            first_bad_seq: report.first_bad_seq,
            detail: match first {
                _ if findings == 0 => unverifiable,
                Some(first) => Some(summary(&first, findings)),
                None => Some(see),
            },
        });
        self.kinds.insert(report.kind);
    }

    /// A kind that entries say is attached, and of which there is no table any more.
    fn missing(&mut self, tracked: &Tracked) {
        let detail = format!(
            "the table does not exist, though entries say that it is audited under kind \"{}\"",
            tracked.kind
        );
        let found = Break {
            table: Some(&tracked.table),
            kind: Some(tracked.kind.as_bytes()),
            ..Break::new(RowFindingKind::TableMissing, &detail)
        };
        self.run.found(&found);
        self.run.totals.tables += 1;
        self.lines.push(Line {
            layer: LAYER,
            subject: tracked.table.clone(),
            checked: 0,
            findings: 1,
            first_bad_seq: None,
            detail: Some(found.sentence()),
        });
    }
}

impl Layer<'_> {
    /// A kind that ended while its rows were not in order.
    fn ended(&mut self, ended: &Ended) {
        let what = match ended.findings {
            Some(rows) => format!("{rows} of its rows were not as recorded"),
            None => "its rows could not be verified".to_owned(),
        };
        let detail = format!(
            "kind \"{}\" of table {} ended, and {what}; audit_detach_kind() says that this was meant",
            ended.kind, ended.table
        );
        let found = Break {
            table: Some(&ended.table),
            kind: Some(ended.kind.as_bytes()),
            seq: Some(ended.seq),
            ..Break::new(RowFindingKind::EndedNotInOrder, &detail)
        };
        self.run.found(&found);
        self.lines.push(Line {
            layer: LAYER,
            subject: format!("{} as {}", ended.table, ended.kind),
            checked: 0,
            findings: 1,
            first_bad_seq: Some(ended.seq),
            detail: Some(found.sentence()),
        });
    }
}

fn tell(finding: &Finding, kind: Option<&[u8]>, run: &mut Run, first: &mut Option<String>) {
    if !finding.kind.is_bad() {
        return;
    }
    let number = |number: Option<i32>| number.map(|number| number.to_string().into_bytes());
    let more = [
        ("layout", number(finding.layout)),
        ("current_layout", number(finding.current_layout)),
    ];
    let found = Break {
        table: Some(&finding.table),
        kind,
        pk: finding.key.as_deref(),
        seq: finding.seq,
        expected: finding.expected.as_ref().map(|hash| &hash.0[..]),
        found: finding.found.as_ref().map(|hash| &hash.0[..]),
        more: more
            .into_iter()
            .filter_map(|(name, json)| Some((name, json?)))
            .collect(),
        ..Break::new(finding.kind, &finding.detail)
    };
    first.get_or_insert_with(|| found.sentence());
    run.found(&found);
}

/// The kind of a table's events, if there is but one.
fn only_kind(oid: pg_sys::Oid) -> Option<Vec<u8>> {
    let mut kinds: Vec<Vec<u8>> =
        audited::understood(&OpenRelation::if_exists(oid, pg_sys::AccessShareLock)?)
            .into_iter()
            .map(|audited| audited.kind)
            .collect();
    kinds.dedup();
    (kinds.len() == 1).then(|| kinds.remove(0))
}

/// Oid and qualified name of the tables that have a row trigger of ours; partitions stand for the
/// partitioned table.
fn audited_tables() -> Vec<(pg_sys::Oid, String)> {
    let query = c"SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) \
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
        WHERE c.oid OPERATOR(pg_catalog.=) ANY (SELECT coalesce(pg_catalog.pg_partition_root(t.tgrelid)::pg_catalog.oid, t.tgrelid) \
            FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid \
            WHERE p.prosrc OPERATOR(pg_catalog.=) 'auditspine_append_trigger' \
            AND t.tgtype OPERATOR(pg_catalog.&) 1::pg_catalog.int2 OPERATOR(pg_catalog.=) 1::pg_catalog.int2) \
        ORDER BY 2";
    let mut tables = Vec::new();
    scan::select(query, &[], &[], |row| {
        tables.extend(row.oid(0).zip(row.text(1)));
        ControlFlow::Continue(())
    });
    tables
}

/// The table that entries tell of, as it is known now: the one that they were written about, or one of
/// its name.
fn table_of(tracked: &Tracked) -> Option<pg_sys::Oid> {
    let query = c"SELECT c.oid FROM pg_catalog.pg_class AS c \
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
        WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[]) AND (c.oid OPERATOR(pg_catalog.=) $1 \
            OR pg_catalog.format('%I.%I', n.nspname, c.relname) OPERATOR(pg_catalog.=) $2) \
        ORDER BY c.oid OPERATOR(pg_catalog.=) $1 DESC";
    let mut arena = crate::pg::arena::DatumArena::default();
    let oid = tracked.oid.unwrap_or_default();
    let arguments = [
        pg_sys::Oid::from(oid).into(),
        arena.varlena(tracked.table.as_bytes()),
    ];
    let mut found = None;
    scan::select(
        query,
        &[pg_sys::OIDOID, pg_sys::TEXTOID],
        &arguments,
        |row| {
            found = row.oid(0);
            ControlFlow::Break(())
        },
    );
    found
}
