//! The rows of spines and segments against the entries that recorded them.

use std::collections::HashMap;

use super::read::Tables;
use crate::verify::rows::{self, Detail, Finding, Recorded, Request, Rows};

/// With more spines than this all rows of the tables are verified in one pass.
const MANY: usize = 500;

/// What speaks against rows, by key, and against the tables.
#[derive(Default)]
pub struct RowFindings {
    spines: HashMap<String, Vec<Finding>>,
    segments: HashMap<String, Vec<Finding>>,
    /// About a table as a whole: its triggers, or entries of the system's own.
    pub tables: Vec<Finding>,
}

impl RowFindings {
    /// Verifies the rows of these spines and their segments.
    pub fn of(tables: &Tables, spines: &[String]) -> RowFindings {
        let recorded = Recorded::read();
        let mut found = RowFindings::default();
        let few = spines.len() <= MANY;
        let segments = if few {
            tables.segment_ids(spines)
        } else {
            Vec::new()
        };
        let mut verify = |relation, ids: &[String], by_key: &mut HashMap<String, Vec<Finding>>| {
            let keys: Vec<Vec<u8>> = ids.iter().map(|id| id.clone().into_bytes()).collect();
            let request = Request {
                relation,
                rows: if few {
                    Rows::WithKeys(&keys)
                } else {
                    Rows::All
                },
                chain: None,
                detail: Detail::Evidence,
            };
            rows::verify_recorded(&request, &recorded, &mut |finding| match &finding.key {
                Some(key) => {
                    let key = String::from_utf8_lossy(key).into_owned();
                    by_key.entry(key).or_default().push(finding);
                }
                None => found.tables.push(finding),
            });
        };
        verify(tables.spines, spines, &mut found.spines);
        verify(tables.segments, &segments, &mut found.segments);
        found
    }

    /// Takes what was found of a spine's row.
    pub fn take_spine(&mut self, spine_id: &str) -> Vec<Finding> {
        self.spines.remove(spine_id).unwrap_or_default()
    }

    /// Takes what was found of a segment's row.
    pub fn take_segment(&mut self, segment_id: &str) -> Vec<Finding> {
        self.segments.remove(segment_id).unwrap_or_default()
    }

    /// Spines that entries tell of and that are gone, if they are among what is left.
    pub fn take_gone(&mut self) -> Vec<(String, Finding)> {
        use auditspine_core::rows::RowFindingKind::RowDeleted;
        let gone = |found: &Finding| found.kind == RowDeleted;
        let mut left: Vec<_> = std::mem::take(&mut self.spines)
            .into_iter()
            .filter_map(|(id, found)| Some((id, found.into_iter().find(gone)?)))
            .collect();
        left.sort_by(|one, other| one.0.cmp(&other.0));
        left
    }
}
