//! What can be found wrong with a spine.

/// Kinds of finding. The labels are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// The spine has no segments.
    NoSegments,
    /// `segment_count` is not the number of segments.
    SegmentCount,
    /// Segments are missing before others.
    SegmentMissing,
    /// Segments are missing at the end.
    TailMissing,
    /// A segment's `idx` is negative, or not below `segment_count`.
    SegmentExtra,
    /// A second segment has the same `idx`.
    SegmentDuplicate,
    /// `prev_segment_hash` is not the `result_hash` of the segment before.
    LinkBroken,
    /// `root_hash` is not that of the segments.
    RootMismatch,
    /// `spine_id` is not that of the decision.
    SpineIdMismatch,
    /// The verdict is none of the four.
    UnknownVerdict,
    /// `segment_id` is not that of the segment.
    SegmentIdMismatch,
    /// The segment's type is none of the six.
    UnknownSegmentType,
    /// A column holds no SHA-256 digest where one belongs.
    Malformed,
    /// The envelope cannot be read.
    EnvelopeUnreadable,
    /// What was signed does not speak of the segment's `result_hash`.
    ResultNotBound,
    /// A signature is not good under the keys that it could be by.
    SignatureInvalid,
    /// A signature is none.
    SignatureMalformed,
    /// The signature may be good, but is by a key that is not known.
    KeyUnknown,
    /// The signature is good, but by a key that was revoked.
    KeyRevoked,
    /// The signature is good, but by a key that did not count yet at the segment's time.
    KeyNotYetValid,
    /// The signature is good, but by a key that did not count any more at the segment's time.
    KeyExpired,
}

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
    /// Every kind.
    pub const ALL: [FindingKind; 21] = [
        FindingKind::NoSegments,
        FindingKind::SegmentCount,
        FindingKind::SegmentMissing,
        FindingKind::TailMissing,
        FindingKind::SegmentExtra,
        FindingKind::SegmentDuplicate,
        FindingKind::LinkBroken,
        FindingKind::RootMismatch,
        FindingKind::SpineIdMismatch,
        FindingKind::UnknownVerdict,
        FindingKind::SegmentIdMismatch,
        FindingKind::UnknownSegmentType,
        FindingKind::Malformed,
        FindingKind::EnvelopeUnreadable,
        FindingKind::ResultNotBound,
        FindingKind::SignatureInvalid,
        FindingKind::SignatureMalformed,
        FindingKind::KeyUnknown,
        FindingKind::KeyRevoked,
        FindingKind::KeyNotYetValid,
        FindingKind::KeyExpired,
    ];

    /// Stable name, in snake case.
    pub fn label(self) -> &'static str {
        self.words().0
    }

    /// One line that says what it means.
    pub fn description(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        use FindingKind::*;
        match self {
            NoSegments => ("no_segments", "the spine has no segments"),
            SegmentCount => (
                "segment_count",
                "segment_count is not the number of segments",
            ),
            SegmentMissing => ("segment_missing", "segments before others are missing"),
            TailMissing => ("tail_missing", "the last segments are missing"),
            SegmentExtra => ("segment_extra", "the segment's idx is outside of the spine"),
            SegmentDuplicate => ("segment_duplicate", "a second segment has the same idx"),
            LinkBroken => (
                "link_broken",
                "prev_segment_hash is not the result_hash of the segment before",
            ),
            RootMismatch => ("root_mismatch", "root_hash is not that of the segments"),
            SpineIdMismatch => ("spine_id_mismatch", "spine_id is not that of the decision"),
            UnknownVerdict => ("unknown_verdict", "the verdict is none of the four"),
            SegmentIdMismatch => (
                "segment_id_mismatch",
                "segment_id is not that of the segment",
            ),
            UnknownSegmentType => (
                "unknown_segment_type",
                "the segment's type is none of the six",
            ),
            Malformed => ("malformed", "a column holds no SHA-256 digest"),
            EnvelopeUnreadable => ("envelope_unreadable", "the envelope cannot be read"),
            ResultNotBound => (
                "result_not_bound",
                "what was signed does not speak of the result_hash",
            ),
            SignatureInvalid => ("signature_invalid", "a signature is not good"),
            SignatureMalformed => ("signature_malformed", "a signature is none"),
            KeyUnknown => ("key_unknown", "a signature by a key that is not known"),
            KeyRevoked => ("key_revoked", "a good signature by a key that was revoked"),
            KeyNotYetValid => (
                "key_not_yet_valid",
                "a good signature by a key that did not count yet",
            ),
            KeyExpired => (
                "key_expired",
                "a good signature by a key that did not count any more",
            ),
        }
    }

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
