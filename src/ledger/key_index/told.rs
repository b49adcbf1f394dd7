//! What the tables of the index hold, as the evidence of the last fill tells it.

use crate::ledger::catalog::verbs_schema;
use crate::ledger::evidence::{self, HISTORY, digest_of, lasts, of_kind};
use crate::ledger::key_index::search::RunReader;
use crate::ledger::key_index::tables::Tables;
use crate::ledger::snapshot::CurrentSnapshot;
use crate::ledger::system_entry::Object;

/// Table and order of its rows, for their digest, by the evidence's members in canonical order.
const TABLES: [(&str, &str, &str); 3] = [
    ("fills", "history_fill", "t.fill_id"),
    ("heads", "history_head", "t.chain_id, t.lane"),
    ("runs", "history_run", "t.run"),
];

/// Writes evidence of a fill, whose rows are there; an ERROR if that cannot be.
pub fn record(fill_id: i64) {
    let mut object = Object::new();
    for (member, table, order) in TABLES {
        let digest = evidence::one(&format!("SELECT {}", digest_of(table, order, "true")), &[]);
        object = object.optional(member, digest.as_deref());
    }
    evidence::push_or_fail(HISTORY, &fill_id.to_string(), object);
}

/// Tables that are not as the last fill left them. Tables without any row are as they should be: histories are read from
/// the entries then, as after a restore.
pub fn altered() -> Vec<&'static str> {
    if Tables::find().is_none() {
        return Vec::new();
    }
    let _snapshot = CurrentSnapshot::push();
    let last = format!(
        "(SELECT CASE WHEN {0}.canonical_json_hash(e.payload) = e.payload_hash THEN e.payload END
          FROM {1} AS e ORDER BY e.seq DESC LIMIT 1)",
        verbs_schema(),
        lasts("e.seq, e.payload, e.payload_hash", &of_kind()),
    );
    let is = TABLES.map(|(member, table, order)| {
        format!(
            "({} IS NOT DISTINCT FROM last.payload ->> '{member}')::text",
            digest_of(table, order, "true")
        )
    });
    // One statement, so that evidence and tables are seen at one time.
    let query = format!(
        "SELECT (EXISTS (SELECT FROM ONLY auditspine.history_fill) OR EXISTS (SELECT FROM ONLY auditspine.history_head)
                 OR EXISTS (SELECT FROM ONLY auditspine.history_run) OR EXISTS (SELECT FROM ONLY auditspine.history_page))::text,
                {} FROM (SELECT {last} AS payload) AS last",
        is.join(", ")
    );
    let row = evidence::rows(&query, &[HISTORY]).into_iter().next();
    let mut values = row.into_iter().flatten();
    if values.next().flatten().as_deref() != Some("true") {
        return Vec::new();
    }
    TABLES
        .iter()
        .zip(values)
        .filter(|(_, same)| same.as_deref() != Some("true"))
        .map(|((_, table, _), _)| *table)
        .collect()
}

/// Runs whose pages are not what they were when they were written; reads all pages.
pub fn damaged_runs() -> Vec<i32> {
    let Some(tables) = Tables::find() else {
        return Vec::new();
    };
    let _snapshot = CurrentSnapshot::push();
    let mut runs = tables.runs();
    runs.retain(|run| !RunReader::open(&tables, run.run, run.digest.clone()).proves_whole());
    runs.into_iter().map(|run| run.run).collect()
}
