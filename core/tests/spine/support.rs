//! A spine in memory that can be damaged.

use auditspine_core::dsse::{Envelope, IN_TOTO};
use auditspine_core::hash::Hash;
use auditspine_core::spine::{
    FindingKind, Judgement, SegmentRow, SpineRoot, SpineRow, TrustStore, TrustedKey, judge,
    segment_id, spine_id,
};

use crate::signer::{Signer, envelope};

pub const TYPES: [&str; 6] = [
    "SbomSlice",
    "Match",
    "Reachability",
    "GuardAnalysis",
    "RuntimeObservation",
    "PolicyEval",
];

/// When all segments were written.
pub const TIME: i64 = 848_534_262_123_456;

#[derive(Clone, Debug)]
pub struct Segment {
    pub segment_id: String,
    pub idx: i32,
    pub segment_type: String,
    pub input_hash: String,
    pub result_hash: String,
    pub prev_segment_hash: Option<String>,
    pub payload_type: String,
    pub payload: Vec<u8>,
    /// Of each signature, the keyid and the bytes.
    pub signatures: Vec<(Option<String>, Vec<u8>)>,
    pub created_at: i64,
    /// What stands in the column instead of the envelope of all that.
    pub raw_envelope: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Spine {
    pub spine_id: String,
    pub artifact_id: String,
    pub vuln_id: String,
    pub policy_profile_id: String,
    pub verdict: String,
    pub root_hash: String,
    pub segment_count: i32,
    pub segments: Vec<Segment>,
}

/// How a signature of a segment names its key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Naming {
    Fingerprint,
    Own,
    None,
}

impl Naming {
    pub fn keyid(self, signer: &Signer) -> Option<String> {
        match self {
            Naming::Fingerprint => Some(signer.public().fingerprint().to_string()),
            Naming::Own => Some(format!("key of {:?}", signer.public().algorithm())),
            Naming::None => None,
        }
    }
}

impl Segment {
    fn row(&self) -> SegmentRow<'_> {
        let signatures: Vec<_> = self
            .signatures
            .iter()
            .map(|(keyid, bytes)| (keyid.as_deref(), bytes.as_slice()))
            .collect();
        let json = self
            .raw_envelope
            .clone()
            .unwrap_or_else(|| envelope(&self.payload_type, &self.payload, &signatures));
        SegmentRow {
            segment_id: &self.segment_id,
            idx: self.idx,
            segment_type: &self.segment_type,
            input_hash: &self.input_hash,
            result_hash: &self.result_hash,
            prev_segment_hash: self.prev_segment_hash.as_deref(),
            envelope: Envelope::parse(json.as_bytes()),
            created_at: self.created_at,
        }
    }

    pub fn sign(&mut self, signers: &[(&Signer, Naming)]) {
        self.signatures = signers
            .iter()
            .map(|(signer, naming)| {
                let signature = signer.sign(&self.payload_type, &self.payload);
                (naming.keyid(signer), signature)
            })
            .collect();
    }
}

impl Spine {
    /// A spine whose odd segments are in-toto Statements, signed in turn by the signers.
    pub fn new(segments: usize, signers: &[(&Signer, Naming)]) -> Spine {
        let contents: Vec<(String, String, Vec<u8>)> = (0..segments)
            .map(|at| {
                let result = format!("result {at}");
                let digest = Hash::of(result.as_bytes()).to_string();
                match at % 2 {
                    0 => (
                        format!("sha256:{digest}"),
                        "text/plain".into(),
                        result.into_bytes(),
                    ),
                    _ => {
                        let statement = serde_json::json!({
                            "_type": "https://in-toto.io/Statement/v1",
                            "subject": [{"name": "n", "digest": {"sha256": digest}}],
                            "predicateType": "x",
                        });
                        (digest, IN_TOTO.into(), statement.to_string().into_bytes())
                    }
                }
            })
            .collect();
        let mut root = SpineRoot::new();
        for (digest, ..) in &contents {
            root.push(digest).unwrap();
        }
        let root_hash = root.finish().unwrap_or_default();
        let [artifact_id, vuln_id, policy_profile_id] = ["pkg:deb/x", "CVE-2026-1", "strict"];
        let id = spine_id(artifact_id, vuln_id, policy_profile_id, &root_hash).to_string();
        let mut prev = None;
        let segments = contents
            .into_iter()
            .enumerate()
            .map(|(at, (result_hash, payload_type, payload))| {
                let (idx, segment_type) = (at as i32, TYPES[at % 6]);
                let input_hash = Hash::of(format!("input {at}").as_bytes()).to_string();
                let mut segment = Segment {
                    segment_id: segment_id(&id, idx, segment_type, &input_hash, &result_hash)
                        .to_string(),
                    idx,
                    segment_type: segment_type.into(),
                    input_hash,
                    prev_segment_hash: prev.replace(result_hash.clone()),
                    result_hash,
                    payload_type,
                    payload,
                    signatures: Vec::new(),
                    created_at: TIME,
                    raw_envelope: None,
                };
                segment.sign(&signers[at % signers.len()..][..1]);
                segment
            })
            .collect::<Vec<_>>();
        Spine {
            spine_id: id,
            artifact_id: artifact_id.into(),
            vuln_id: vuln_id.into(),
            policy_profile_id: policy_profile_id.into(),
            verdict: "not_affected".into(),
            root_hash,
            segment_count: segments.len() as i32,
            segments,
        }
    }

    pub fn judge(&self, trust: &TrustStore) -> Judgement {
        judge(&self.row(), &self.rows(), trust)
    }

    pub fn row(&self) -> SpineRow<'_> {
        SpineRow {
            spine_id: &self.spine_id,
            artifact_id: &self.artifact_id,
            vuln_id: &self.vuln_id,
            policy_profile_id: &self.policy_profile_id,
            verdict: &self.verdict,
            root_hash: &self.root_hash,
            segment_count: self.segment_count,
        }
    }

    pub fn rows(&self) -> Vec<SegmentRow<'_>> {
        self.segments.iter().map(Segment::row).collect()
    }
}

/// A store in which these keys count at any time.
pub fn trusting<'a>(signers: impl IntoIterator<Item = &'a Signer>) -> TrustStore {
    TrustStore::new(signers.into_iter().map(|s| TrustedKey::always(s.public())))
}

/// Kind and place of each finding, in order.
pub fn kinds(judgement: &Judgement) -> Vec<(FindingKind, Option<i32>)> {
    judgement.findings.iter().map(|f| (f.kind, f.idx)).collect()
}
