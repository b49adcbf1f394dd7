//! What holding published heads against a database tells.

pub use crate::finding::HeadKind as FindingKind;
use crate::hash::Hash;

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
