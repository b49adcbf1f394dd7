//! Beginning anew: the rows of a table are verified as far as they can be, recorded under their present key and
//! columns, and from then on held against these entries alone. One entry tells what was verified, and by whom.

use std::collections::BTreeMap;

use pgrx::pg_sys;

use super::{LOCK, entries, resolve_leaves, target};
use crate::capture::audited::{self, members};
use crate::capture::existing_rows;
use crate::error::Failure;
use crate::ledger::flush;
use crate::ledger::owner::as_owner;
use crate::pg::privilege;
use crate::pg::relation::OpenRelation;
use crate::pg::row_json::with_plain_names;
use crate::verify::rows::{self, Detail, Finding, Request, Rows, TableReport};

/// Findings that an error shows.
const SHOWN: usize = 3;

/// Records all rows of an audited table anew; returns how many. Writers wait until the transaction ends.
///
/// Raises 42704 if it is not audited, 42809 for a partition, 42501 unless the caller owns it and sees all of its
/// rows, 23001 while a row, or how it is audited, is not in order.
pub fn rebaseline(target: pg_sys::Oid) -> u64 {
    with_plain_names(|| rebaseline_plainly(target))
}

fn rebaseline_plainly(target: pg_sys::Oid) -> u64 {
    target::expect_auditable(target);
    let table = OpenRelation::table(target, LOCK);
    target::check_auditable(&table);
    let name = table.qualified();
    if privilege::is_limited_for(target, table.owner()) {
        Failure::RowSecurity.raise(
            format!("row security of table {name} would hide rows from audit_rebaseline()"),
            "ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or give the table an owner with BYPASSRLS",
        );
    }
    drop(table);
    for member in &members(target, LOCK)[1..] {
        target::expect_auditable_partition(*member, &name);
    }
    let audited = audited::of(&OpenRelation::table(target, LOCK));
    if audited.is_empty() {
        Failure::NotAudited.raise(
            format!("table {name} is not audited"),
            "attach it with audit_attach() first",
        );
    }
    flush::flush();
    let verified = verify(target, &name);
    let mut rows = 0;
    for audited in audited {
        let kind = String::from_utf8_lossy(&audited.kind).into_owned();
        let report = verified.iter().find(|report| report.kind == kind);
        // Ahead of the rows' entries: those from this one on count.
        entries::rebaselined(&name, &kind, report);
        resolve_leaves(target, &audited.declaration, |spec, table| {
            spec.layout_id();
            rows += existing_rows::record_rows(table, spec, |_, _| Some(b'I')).0;
        });
    }
    pgrx::notice!(
        "table {name}: {rows} rows recorded, which verification begins with from here on"
    );
    rows
}

/// Verifies the rows, which the caller has locked against writers; raises if they are not in order.
fn verify(target: pg_sys::Oid, name: &str) -> Vec<TableReport> {
    let mut count = 0u64;
    let mut labels: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut shown: Vec<String> = Vec::new();
    let mut look_at = |finding: Finding| {
        if !finding.kind.is_bad() {
            return;
        }
        count += 1;
        *labels.entry(finding.kind.label()).or_default() += 1;
        if shown.len() < SHOWN {
            let row = finding
                .seq
                .map_or_else(String::new, |seq| format!(" (entry {seq})"));
            shown.push(format!("{}{row}: {}", finding.kind.label(), finding.detail));
        }
    };
    let request = Request {
        relation: target,
        rows: Rows::All,
        chain: None,
        detail: Detail::Brief,
    };
    // With the sight of all chains, whoever begins anew; of what rows contain nothing is shown.
    let reports = as_owner(|| rows::verify(&request, &mut look_at));
    if count > 0 {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, count)| format!("{count} {label}"))
            .collect();
        Failure::NotInOrder.raise(
            format!(
                "table {name} is not in order, so it cannot begin anew: {}; {}{}",
                labels.join(", "),
                shown.join("; "),
                if count > shown.len() as u64 {
                    "; …"
                } else {
                    ""
                }
            ),
            format!(
                "SELECT * FROM verify_table_findings({}) tells all of it; put it right first",
                pgrx::spi::quote_literal(name)
            ),
        );
    }
    reports
}
