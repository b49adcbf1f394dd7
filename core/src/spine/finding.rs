//! What can be found wrong with a spine.

pub use crate::finding::SpineKind as FindingKind;

/// Which part of a spine a finding speaks against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Root,
    Ids,
    Links,
    Verdict,
    /// One segment, and no other.
    Segment,
}

impl FindingKind {
    pub(super) fn part(self) -> Part {
        use FindingKind::*;
        match self {
            RootMismatch => Part::Root,
            SpineIdMismatch => Part::Ids,
            NoSegments | SegmentCount | SegmentMissing | TailMissing | SegmentExtra
            | SegmentDuplicate | LinkBroken => Part::Links,
            UnknownVerdict => Part::Verdict,
            SegmentIdMismatch | UnknownSegmentType | Malformed | EnvelopeUnreadable
            | ResultNotBound | SignatureInvalid | SignatureMalformed | KeyUnknown | KeyRevoked
            | KeyNotYetValid | KeyExpired => Part::Segment,
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub kind: FindingKind,
    /// `idx` of the segment, or of the first missing one; none if it is about the spine.
    pub idx: Option<i32>,
    /// `segment_id` as stored, where there is such a segment.
    pub segment_id: Option<String>,
    /// What should stand there, where that is known.
    pub expected: Option<String>,
    /// What stands there, if anything; at most 200 characters.
    pub found: Option<String>,
    /// The facts, in a sentence.
    pub detail: String,
}

/// What a finding shows of a value that can be of any length, in characters.
const SHOWN: usize = 200;

impl Finding {
    /// A finding about the spine.
    pub(super) fn new(kind: FindingKind, detail: impl Into<String>) -> Finding {
        Finding {
            kind,
            idx: None,
            segment_id: None,
            expected: None,
            found: None,
            detail: detail.into(),
        }
    }

    pub(super) fn at(mut self, idx: i32) -> Finding {
        self.idx = Some(idx);
        self
    }

    pub(super) fn expected(mut self, expected: impl ToString) -> Finding {
        self.expected = Some(expected.to_string());
        self
    }

    pub(super) fn found(mut self, found: &str) -> Finding {
        self.found = Some(found.chars().take(SHOWN).collect());
        self
    }
}
