//! What a verification of rows tells: findings with their evidence, and a summary.

use auditspine_core::hash::Hash;
use auditspine_core::rows::RowFindingKind;

/// One thing that is wrong with a table.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What.
    pub kind: RowFindingKind,
    /// The table or partition, qualified.
    pub table: String,
    /// Key of the row.
    pub key: Option<Vec<u8>>,
    /// The entry that recorded the row last, or that is at fault itself.
    pub seq: Option<i64>,
    /// Hash that the entry recorded.
    pub expected: Option<Hash>,
    /// Hash of the row as it is now.
    pub found: Option<Hash>,
    /// One line that says what is wrong.
    pub detail: String,
    /// The row as the entry has it, canonical JSON, where that was kept.
    pub recorded: Option<Vec<u8>>,
    /// The row as it is now, canonical JSON.
    pub current: Option<Vec<u8>>,
    /// Layout that the entry names.
    pub layout: Option<i32>,
    /// Layout that the table has now, if it is recorded.
    pub current_layout: Option<i32>,
}

impl Finding {
    /// One about a table, not about a row.
    pub fn of_table(kind: RowFindingKind, table: &str, detail: String) -> Finding {
        Finding {
            kind,
            table: table.to_owned(),
            key: None,
            seq: None,
            expected: None,
            found: None,
            detail,
            recorded: None,
            current: None,
            layout: None,
            current_layout: None,
        }
    }
}

/// The verdict on one table and kind.
#[derive(Clone, Debug, Default)]
pub struct TableReport {
    /// The table, qualified.
    pub table: String,
    /// Kind of its events.
    pub kind: String,
    /// Rows that there are.
    pub rows: u64,
    /// Entries of the kind.
    pub entries: u64,
    /// Rows that are not what was recorded.
    pub edited: u64,
    /// Rows that are gone.
    pub deleted: u64,
    /// Rows that no entry tells of.
    pub unrecorded: u64,
    /// Rows that cannot be verified, or not in full.
    pub unverifiable: u64,
    /// All findings.
    pub findings: u64,
    /// Those that speak against the table.
    pub bad: u64,
    /// The first entry whose row, or which itself, is at fault.
    pub first_bad_seq: Option<i64>,
}

impl TableReport {
    /// Whether nothing speaks against the table. Rows that cannot be verified do not.
    pub fn ok(&self) -> bool {
        self.bad == 0
    }

    /// Counts a finding.
    pub fn count(&mut self, finding: &Finding) {
        self.findings += 1;
        self.bad += u64::from(finding.kind.is_bad());
        match finding.kind {
            RowFindingKind::RowEdited => self.edited += 1,
            RowFindingKind::RowDeleted => self.deleted += 1,
            RowFindingKind::RowUnrecorded => self.unrecorded += 1,
            RowFindingKind::RowUnverifiable => self.unverifiable += 1,
            _ => {}
        }
        if finding.kind.is_bad()
            && let Some(seq) = finding.seq
        {
            self.first_bad_seq = Some(self.first_bad_seq.map_or(seq, |first| first.min(seq)));
        }
    }
}
