//! Spines as they are stored, and their judgement: plain Rust, so that helper threads can do it.

use auditspine_core::dsse::Envelope;
use auditspine_core::hash::{Hash, HashSink, Sink};
use auditspine_core::spine::{Judgement, SegmentRow, SpineRow, Status, judge};

use crate::trust::Trust;

/// A spine and its segments, as stored; null texts are empty.
#[derive(Clone, Debug, Default)]
pub struct Spine {
    /// `spine_id`
    pub spine_id: String,
    /// `artifact_id`
    pub artifact_id: String,
    /// `vuln_id`
    pub vuln_id: String,
    /// `policy_profile_id`
    pub policy_profile_id: String,
    /// `verdict`
    pub verdict: String,
    /// `root_hash`
    pub root_hash: String,
    /// `segment_count`
    pub segment_count: i32,
    /// What took its place.
    pub superseded_by: Option<Supersession>,
    /// Its row in the cache.
    pub cached: Option<Cached>,
    /// Its segments, by `idx`.
    pub segments: Vec<Segment>,
}

/// Which spine took the place of another.
#[derive(Clone, Debug)]
pub struct Supersession {
    /// `superseded_by_spine_id`
    pub by: String,
    /// Whether that is of the same artifact, vulnerability and policy; `None` if it is not there.
    pub same_decision: Option<bool>,
    /// Whether any spine of the decision is current.
    pub leads_on: bool,
}

/// A segment, as stored.
#[derive(Clone, Debug)]
pub struct Segment {
    /// `segment_id`
    pub segment_id: String,
    /// `idx`
    pub idx: i32,
    /// `segment_type`
    pub segment_type: String,
    /// `input_hash`
    pub input_hash: String,
    /// `result_hash`
    pub result_hash: String,
    /// `prev_segment_hash`
    pub prev_segment_hash: Option<String>,
    /// `envelope_json`, to the byte.
    pub envelope: Vec<u8>,
    /// `status`
    pub status: String,
    /// `created_at_utc`, in microseconds since 2000-01-01 00:00 UTC.
    pub created_at: i64,
}

/// What the cache says of a spine.
#[derive(Clone, Debug)]
pub struct Cached {
    /// `all_segments_valid`
    pub all_segments_valid: bool,
    /// `evidence_digest`
    pub evidence_digest: Option<Vec<u8>>,
}

/// A spine, judged.
pub struct Judged {
    /// The spine.
    pub spine: Spine,
    /// What it is worth by itself.
    pub judgement: Judgement,
    /// What that depends on, where that is asked for or the cache knows it.
    pub evidence: Option<Hash>,
}

/// Judges spines by their own evidence and the keys that count; with the digest of it if it is to be kept.
pub fn judge_all(spines: Vec<Spine>, trust: &Trust, keeps: bool) -> Vec<Judged> {
    spines
        .into_iter()
        .map(|spine| Judged {
            judgement: spine.judge(trust),
            evidence: (keeps || spine.cached.is_some()).then(|| spine.evidence(trust)),
            spine,
        })
        .collect()
}

impl Spine {
    fn judge(&self, trust: &Trust) -> Judgement {
        let row = SpineRow {
            spine_id: &self.spine_id,
            artifact_id: &self.artifact_id,
            vuln_id: &self.vuln_id,
            policy_profile_id: &self.policy_profile_id,
            verdict: &self.verdict,
            root_hash: &self.root_hash,
            segment_count: self.segment_count,
        };
        let segments: Vec<SegmentRow<'_>> = self
            .segments
            .iter()
            .map(|segment| SegmentRow {
                segment_id: &segment.segment_id,
                idx: segment.idx,
                segment_type: &segment.segment_type,
                input_hash: &segment.input_hash,
                result_hash: &segment.result_hash,
                prev_segment_hash: segment.prev_segment_hash.as_deref(),
                envelope: Envelope::parse(&segment.envelope),
                created_at: segment.created_at,
            })
            .collect();
        judge(&row, &segments, &trust.store)
    }

    /// SHA-256 over all that the judgement depends on: the columns, the keys, this version.
    fn evidence(&self, trust: &Trust) -> Hash {
        let mut sink = HashSink::new();
        let mut put = |bytes: &[u8]| {
            // A length before each, so that no two sequences read alike.
            sink.put(&(bytes.len() as u64).to_be_bytes());
            sink.put(bytes);
        };
        put(VERSION.as_bytes());
        put(&trust.digest.0);
        for text in [
            &self.spine_id,
            &self.artifact_id,
            &self.vuln_id,
            &self.policy_profile_id,
            &self.verdict,
            &self.root_hash,
        ] {
            put(text.as_bytes());
        }
        put(&self.segment_count.to_be_bytes());
        for segment in &self.segments {
            put(&segment.idx.to_be_bytes());
            put(&segment.created_at.to_be_bytes());
            for text in [
                &segment.segment_id,
                &segment.segment_type,
                &segment.input_hash,
                &segment.result_hash,
            ] {
                put(text.as_bytes());
            }
            put(&[u8::from(segment.prev_segment_hash.is_some())]);
            put(segment
                .prev_segment_hash
                .as_deref()
                .unwrap_or_default()
                .as_bytes());
            put(&segment.envelope);
        }
        sink.finish().0
    }
}

/// Version of the verifier, as the cache has it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Judged {
    /// What the cache is worth: `none`, `stale` (something it depends on has changed since), `current`, or
    /// `contradicted` (nothing has changed, and yet it says something else).
    pub fn cache(&self) -> &'static str {
        match &self.spine.cached {
            None => "none",
            Some(cached)
                if self
                    .evidence
                    .is_none_or(|now| cached.evidence_digest.as_deref() != Some(&now.0[..])) =>
            {
                "stale"
            }
            Some(cached) if cached.all_segments_valid == self.judgement.all_segments_valid() => {
                "current"
            }
            Some(_) => "contradicted",
        }
    }

    /// Status of the segment at a place of [`Spine::segments`].
    pub fn status_of(&self, at: usize) -> Status {
        let segment = &self.spine.segments[at];
        let report = self
            .judgement
            .segments
            .iter()
            .filter(|report| report.idx == segment.idx)
            .find(|report| report.segment_id == segment.segment_id);
        report.map_or(Status::Invalid, |report| report.status)
    }
}
