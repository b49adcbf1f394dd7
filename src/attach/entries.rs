//! What the audit's own entries say of attaching: canonical JSON, its names in order.

use super::ddl::Policy;
use crate::capture::declaration::ChainOf;
use crate::ledger::system_entry::Object;
use crate::verify::rows::TableReport;

/// `auditspine.attach`: a table is audited from here on, as told.
pub fn attached(table: &str, policy: &Policy, key: &[String]) {
    let declaration = &policy.declaration;
    let object = Object::new().raw(
        "append_only",
        if policy.append_only { "true" } else { "false" },
    );
    let object = match &declaration.chain {
        ChainOf::Named(chain) => object.text("chain", chain).raw("chain_by", "null"),
        ChainOf::By(columns) => object.raw("chain", "null").texts("chain_by", columns),
    };
    let object = object
        .texts("exclude", &declaration.exclude)
        .text("kind", policy.kind())
        .text(
            "payload",
            if declaration.full_payload {
                "full"
            } else {
                "hash"
            },
        )
        .texts("pk", key)
        .text("table", table);
    let object = if declaration.skip_unchanged {
        object.text("unchanged", "skip")
    } else {
        object
    };
    object.push("auditspine.attach", policy.kind());
}

/// `auditspine.detach`: rows of this kind are not recorded from here on. `findings` says how many rows were not
/// in order then, `None` that nobody knows; it is left out if they all were.
pub fn detached(table: &str, kind: &str, findings: Option<u64>) {
    let object = match findings {
        Some(0) => Object::new(),
        Some(rows) => Object::new().raw("findings", &rows.to_string()),
        None => Object::new().raw("findings", "null"),
    };
    object
        .text("kind", kind)
        .text("table", table)
        .push("auditspine.detach", kind);
}

/// `auditspine.backfill`: the rows that were there are recorded.
pub fn backfilled(table: &str, kind: &str, rows: u64, skipped: u64) {
    Object::new()
        .text("kind", kind)
        .raw("rows", &rows.to_string())
        .raw("skipped", &skipped.to_string())
        .text("table", table)
        .push("auditspine.backfill", kind);
}

/// `auditspine.baseline`: all rows are recorded anew behind this entry, and held against what follows alone.
/// `verified` is what was verified of them before.
pub fn rebaselined(table: &str, kind: &str, verified: Option<&TableReport>) {
    let count = |count: fn(&TableReport) -> u64| verified.map_or(0, count).to_string();
    Object::new()
        .raw("entries", &count(|report| report.entries))
        .text("kind", kind)
        .raw("rows", &count(|report| report.rows))
        .text("table", table)
        .raw("unverifiable", &count(|report| report.unverifiable))
        .push("auditspine.baseline", kind);
}

/// `auditspine.partition_attach`: a table became a partition, and its rows were recorded.
pub fn partition_attached(table: &str, kind: &str, rows: u64) {
    Object::new()
        .text("kind", kind)
        .raw("rows", &rows.to_string())
        .text("table", table)
        .push("auditspine.partition_attach", kind);
}

/// `auditspine.partition_detach`: rows whose last entry names one of these layouts left the table.
pub fn partition_detached(table: &str, kind: &str, layouts: &[i32]) {
    partition_gone("auditspine.partition_detach", table, kind, layouts);
}

/// `auditspine.partition_drop`: they went with a partition that was dropped.
pub fn partition_dropped(table: &str, kind: &str, layouts: &[i32]) {
    partition_gone("auditspine.partition_drop", table, kind, layouts);
}

fn partition_gone(entry: &str, table: &str, kind: &str, layouts: &[i32]) {
    let layouts: Vec<String> = layouts.iter().map(i32::to_string).collect();
    Object::new()
        .text("kind", kind)
        .raw("layouts", &format!("[{}]", layouts.join(",")))
        .text("table", table)
        .push(entry, kind);
}
