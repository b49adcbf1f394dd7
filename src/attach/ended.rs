//! A kind that ends: whether its rows are in order then is told by the entry that ends it, since nobody
//! compares them with their entries afterwards.

use std::collections::BTreeMap;
use std::convert::Infallible;

use pgrx::pg_sys;

use crate::ledger::owner::as_owner;
use crate::pg::subtransaction::attempt;
use crate::verify::rows::{self, Detail, Request, Rows};

/// What speaks against the rows of kinds that end, by kind.
pub struct Ended(Option<BTreeMap<String, u64>>);

/// Verifies the rows of a table, which the caller has locked against writers, under every kind of its. Reads
/// the whole table.
pub fn verify(target: pg_sys::Oid) -> Ended {
    let request = Request {
        relation: target,
        rows: Rows::All,
        chain: None,
        detail: Detail::Brief,
    };
    // With the sight of all chains, whoever ends it; nothing of it is shown.
    let reports = attempt(|| Ok::<_, Infallible>(as_owner(|| rows::verify(&request, &mut |_| {}))));
    let Ok(Ok(reports)) = reports else {
        return Ended(None);
    };
    let speaks_against = |report: &rows::TableReport| {
        // Rows from before the first entry were perhaps never recorded, on purpose.
        let slipped_in = if report.entries > 0 {
            report.unrecorded
        } else {
            0
        };
        report.edited + report.deleted + slipped_in
    };
    Ended(Some(
        reports
            .iter()
            .map(|report| (report.kind.clone(), speaks_against(report)))
            .collect(),
    ))
}

impl Ended {
    /// How many rows of a kind are not as recorded; `None` if that could not be found out.
    pub fn findings(&self, kind: &str) -> Option<u64> {
        let kinds = self.0.as_ref()?;
        Some(kinds.get(kind).copied().unwrap_or(0))
    }

    /// Warns if a kind of a table ends while its rows are not in order.
    pub fn warn(&self, table: &str, kind: &str) {
        let what = match self.findings(kind) {
            Some(0) => return,
            Some(rows) => format!("{rows} of its rows are not as their last entries recorded"),
            None => "its rows could not be verified".to_owned(),
        };
        pgrx::warning!(
            "the audit of table {table} under kind \"{kind}\" ends, and {what}: verify_all() tells so until \
             audit_detach_kind() is called for this kind"
        );
    }
}
