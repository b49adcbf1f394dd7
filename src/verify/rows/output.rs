//! Reports and findings as rows of SQL.

use pgrx::pg_sys;

use crate::pg::arena::DatumArena;
use crate::pg::builtin::jsonb_of;
use crate::pg::memory::SideContext;
use crate::pg::result_rows::RowStore;
use crate::verify::rows::{Request, verify};

/// The rows of verify_table().
pub fn reports(request: &Request, rows: &mut RowStore) {
    let mut arena = DatumArena::default();
    for report in verify(request, &mut |_| {}) {
        let big = |count: u64| Some(pg_sys::Datum::from(count as i64));
        rows.put([
            Some(arena.varlena(report.table.as_bytes())),
            Some(arena.varlena(report.kind.as_bytes())),
            Some(report.ok().into()),
            big(report.rows),
            big(report.entries),
            big(report.edited),
            big(report.deleted),
            big(report.unrecorded),
            big(report.unverifiable),
            big(report.findings),
            report.first_bad_seq.map(pg_sys::Datum::from),
        ]);
        arena.clear();
    }
}

/// The rows of verify_table_findings().
pub fn findings(request: &Request, rows: &mut RowStore) {
    let mut arena = DatumArena::default();
    let evidence = SideContext::new();
    verify(request, &mut |finding| {
        let json = |json: &Option<Vec<u8>>| {
            let json = json.as_deref().filter(|json| fits_jsonb(json))?;
            Some(evidence.run(|| jsonb_of(json)))
        };
        rows.put([
            Some(arena.varlena(finding.table.as_bytes())),
            finding.key.as_deref().map(|key| {
                // Stored text is valid, but what was forged need not be.
                arena.varlena(String::from_utf8_lossy(key).as_bytes())
            }),
            Some(arena.varlena(finding.kind.label().as_bytes())),
            finding.seq.map(pg_sys::Datum::from),
            finding.expected.map(|hash| arena.varlena(&hash.0)),
            finding.found.map(|hash| arena.varlena(&hash.0)),
            Some(arena.varlena(finding.detail.as_bytes())),
            json(&finding.recorded),
            json(&finding.current),
            finding.layout.map(pg_sys::Datum::from),
            finding.current_layout.map(pg_sys::Datum::from),
        ]);
        evidence.reset();
        arena.clear();
    });
}

/// Most bytes of a row that are shown.
const MOST_SHOWN: usize = 64 * 1024 * 1024;

/// Whether jsonb can hold it: it has no U+0000, which columns of type json may.
fn fits_jsonb(json: &[u8]) -> bool {
    json.len() <= MOST_SHOWN && !json.windows(6).any(|text| text == b"\\u0000")
}
