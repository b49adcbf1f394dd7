//! What holding published heads against a database tells.

use crate::hash::Hash;

/// Kinds of finding. The labels are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// The lane ends before the published position.
    HeadTruncated,
    /// The chain is there, but nothing in the lane.
    LaneMissing,
    /// There is no chain of that name.
    ChainMissing,
    /// The entry at the published position is not the published one.
    HistoryRewritten,
    /// The database as a whole is older than the publication, or went on from an older state.
    DatabaseRestored,
    /// No entry of the database is as old as the publication: the history is another one.
    HistoryBeganAnew,
    /// In the lines themselves, a lane goes backwards or says two things of one position.
    Unordered,
    /// The line is no published head.
    Malformed,
    /// The line is the beginning of one: its writing was interrupted.
    LineCutShort,
    /// This standby has not replayed what the line speaks of.
    AheadOfStandby,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [FindingKind; 10] = [
        FindingKind::HeadTruncated,
        FindingKind::LaneMissing,
        FindingKind::ChainMissing,
        FindingKind::HistoryRewritten,
        FindingKind::DatabaseRestored,
        FindingKind::HistoryBeganAnew,
        FindingKind::Unordered,
        FindingKind::Malformed,
        FindingKind::LineCutShort,
        FindingKind::AheadOfStandby,
    ];

    /// Stable name, in snake case.
    pub fn label(self) -> &'static str {
        match self {
            FindingKind::HeadTruncated => "head_truncated",
            FindingKind::LaneMissing => "lane_missing",
            FindingKind::ChainMissing => "chain_missing",
            FindingKind::HistoryRewritten => "history_rewritten",
            FindingKind::DatabaseRestored => "database_restored",
            FindingKind::HistoryBeganAnew => "history_began_anew",
            FindingKind::Unordered => "unordered",
            FindingKind::Malformed => "malformed",
            FindingKind::LineCutShort => "line_cut_short",
            FindingKind::AheadOfStandby => "ahead_of_standby",
        }
    }

    /// Whether it speaks against the database or the file. The others happen by themselves: a crash
    /// while a line was written, a standby behind its primary.
    pub fn is_bad(self) -> bool {
        !matches!(
            self,
            FindingKind::LineCutShort | FindingKind::AheadOfStandby
        )
    }
}

/// One finding, at one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Number of the line, from 1.
    pub line: u64,
    /// What was found.
    pub kind: FindingKind,
    /// What the line says, if it is a head.
    pub head: Option<super::Published>,
    /// The facts, in a sentence.
    pub detail: String,
    /// The hash that was published, where the finding is about one.
    pub expected: Option<Hash>,
    /// The bytes that stand there, at most the first 64.
    pub found: Option<Vec<u8>>,
}

/// What all lines together say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines that are not empty.
    pub lines: u64,
    /// Lines that are heads, and as the database has them.
    pub heads: u64,
    /// Findings of all kinds.
    pub findings: u64,
    /// Findings that speak against the database or the file.
    pub bad: u64,
    /// Whether one of them is that the database was restored.
    pub restored: bool,
    /// First line with a finding that speaks against the database or the file.
    pub first_bad_line: Option<u64>,
    /// Earliest time of publication, in microseconds since 2000-01-01 00:00 UTC.
    pub first_published_at: Option<i64>,
    /// Latest time of publication.
    pub last_published_at: Option<i64>,
}

impl Summary {
    /// Whether nothing speaks against the database or the file.
    pub fn ok(&self) -> bool {
        self.bad == 0
    }
}
