//! What a judgement says.

use super::finding::{Finding, FindingKind, Part};
use super::trust::Standing;
use super::vocabulary::Status;
use crate::dsse::Algorithm;
use crate::hash::Hash;

/// A key whose signature is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Fingerprint of the key.
    pub fingerprint: Hash,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Whether it counts.
    pub standing: Standing,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// As stored.
    pub idx: i32,
    /// As stored.
    pub segment_id: String,
    /// Verified, Partial (a trusted key has signed, but another signature is bad), Invalid or
    /// Untrusted.
    pub status: Status,
    /// The distinct keys that have signed it, in the order of their signatures.
    pub signers: Vec<Signer>,
}

/// What one spine is worth, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Verified, Partial, Invalid or Untrusted.
    pub status: Status,
    /// Everything found: the spine's structure first, then by segment.
    pub findings: Vec<Finding>,
    /// The segments there are, in order of `idx`.
    pub segments: Vec<SegmentReport>,
}

impl Judgement {
    /// Whether nothing was found; then, and only then, the status is Verified.
    pub fn ok(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether `root_hash` is that of the segments.
    pub fn root_ok(&self) -> bool {
        !self.segments.is_empty() && self.all(|kind| kind.part() != Part::Root)
    }

    /// Whether `spine_id` and every `segment_id` are those of their rows.
    pub fn ids_ok(&self) -> bool {
        self.all(|kind| kind.part() != Part::Ids && kind != FindingKind::SegmentIdMismatch)
    }

    /// Whether the segments are all there, once, and each continues the one before it.
    pub fn links_ok(&self) -> bool {
        self.all(|kind| kind.part() != Part::Links)
    }

    /// Whether each segment, for itself, is Verified.
    pub fn all_segments_valid(&self) -> bool {
        !self.segments.is_empty() && self.segments.iter().all(|s| s.status == Status::Verified)
    }

    /// The stored ids of the segments that are Invalid, in order of `idx`.
    pub fn invalid_segment_ids(&self) -> impl Iterator<Item = &str> {
        self.segments
            .iter()
            .filter(|segment| segment.status == Status::Invalid)
            .map(|segment| segment.segment_id.as_str())
    }

    fn all(&self, good: impl Fn(FindingKind) -> bool) -> bool {
        self.findings.iter().all(|finding| good(finding.kind))
    }
}
