//! The judgement of one segment: its columns, its payload and its signatures.

use std::collections::HashSet;

use super::finding::{Finding, FindingKind};
use super::report::{SegmentReport, Signer};
use super::rows::{SegmentRow, SpineRow};
use super::structure::{Ids, of};
use super::trust::{Standing, TrustStore};
use super::vocabulary::{SegmentType, Status};
use super::{parse_digest, segment_id};
use crate::dsse::{Binding, Candidate, Checker, Envelope, Signature, binds};

/// The signatures of an envelope, each with what the known keys say of it.
pub(super) struct Signed<'a>(Vec<Checked<'a>>);

struct Checked<'a> {
    signature: &'a Signature,
    /// Whether its `keyid` is a known key's fingerprint.
    is_named: bool,
    candidate: Candidate,
}

impl<'a> Signed<'a> {
    /// Holds all signatures against all keys, those that do not count included.
    pub fn check(envelope: &'a Envelope, trust: &TrustStore) -> Signed<'a> {
        let checker = Checker::new(envelope, trust.key_set());
        let check = |signature: &'a Signature| {
            let keyid = signature.keyid.as_deref();
            let named = keyid.and_then(|keyid| trust.key_set().named(keyid));
            Checked {
                signature,
                is_named: named.is_some(),
                candidate: checker.find(&signature.bytes, named),
            }
        };
        Signed(envelope.signatures().iter().map(check).collect())
    }

    /// What good signatures call their keys.
    pub fn names_of_known_keys(&self) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(|checked| matches!(checked.candidate, Candidate::Good(_)))
            .filter_map(|checked| checked.signature.keyid.as_deref())
    }
}

/// What is wrong with the segment's own columns, and with what its payload says of them.
pub(super) fn own_findings(spine: &SpineRow<'_>, row: &SegmentRow<'_>, ids: Ids) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |finding: Finding| findings.push(of(row, finding));
    let id = segment_id(
        spine.spine_id,
        row.idx,
        row.segment_type,
        row.input_hash,
        row.result_hash,
    );
    if ids != Ids::Joined && id.to_string() != row.segment_id {
        let detail = "segment_id is not that of spine, idx, type, input and result";
        find(
            Finding::new(FindingKind::SegmentIdMismatch, detail)
                .expected(id)
                .found(row.segment_id),
        );
    }
    if SegmentType::parse(row.segment_type).is_none() {
        let types: Vec<_> = SegmentType::ALL.iter().map(|known| known.text()).collect();
        let detail = format!("segment_type is none of {}", types.join(", "));
        find(Finding::new(FindingKind::UnknownSegmentType, detail).found(row.segment_type));
    }
    for (column, value) in [
        ("input_hash", row.input_hash),
        ("result_hash", row.result_hash),
    ] {
        if parse_digest(value).is_none() {
            let detail = format!("{column} is not a SHA-256 digest");
            find(Finding::new(FindingKind::Malformed, detail).found(value));
        }
    }
    match &row.envelope {
        Err(error) => find(Finding::new(
            FindingKind::EnvelopeUnreadable,
            error.to_string(),
        )),
        Ok(envelope) => {
            let binding = binds(envelope.payload_type(), envelope.payload(), row.result_hash);
            if let Binding::Unbound(reason) = binding {
                let detail = format!("result_hash is not what was signed: {reason}");
                find(
                    Finding::new(FindingKind::ResultNotBound, detail)
                        .expected(envelope.payload_digest())
                        .found(row.result_hash),
                );
            }
        }
    }
    findings
}

/// What the signatures of a segment are worth.
pub(super) struct Judged {
    pub report: SegmentReport,
    pub findings: Vec<Finding>,
}

/// Judges the signatures of a segment; `names` are those by which known keys go in this spine.
pub(super) fn judge(
    row: &SegmentRow<'_>,
    signed: Option<&Signed<'_>>,
    names: &HashSet<&str>,
    trust: &TrustStore,
) -> Judged {
    let (mut bad, mut untrusted) = (Vec::new(), Vec::new());
    let mut signers: Vec<Signer> = Vec::new();
    for (at, checked) in signed.iter().flat_map(|signed| signed.0.iter().enumerate()) {
        let keyid = checked.signature.keyid.as_deref();
        let place = format!("signatures[{at}]");
        let could_be_known = match keyid {
            Some(keyid) => checked.is_named || names.contains(keyid),
            None => !trust.keys().is_empty(),
        };
        let (findings, finding) = match checked.candidate {
            Candidate::Good(key) => {
                let known = &trust.keys()[key];
                let fingerprint = known.key.fingerprint();
                let standing = known.standing(row.created_at);
                if signers.iter().all(|s| s.fingerprint != fingerprint) {
                    signers.push(Signer {
                        fingerprint,
                        algorithm: known.key.algorithm(),
                        standing,
                    });
                }
                let (kind, what) = match standing {
                    Standing::Trusted => continue,
                    Standing::Revoked => (FindingKind::KeyRevoked, "which was revoked"),
                    Standing::NotYetValid => {
                        (FindingKind::KeyNotYetValid, "which did not count yet")
                    }
                    Standing::Expired => (FindingKind::KeyExpired, "which did not count any more"),
                };
                let detail = format!("{place} is good, but by key {fingerprint}, {what}");
                let finding = Finding::new(kind, detail).found(&fingerprint.to_string());
                (&mut untrusted, finding)
            }
            _ if !could_be_known => {
                let detail = format!("{place} is by a key that is not known, if it is good");
                (
                    &mut untrusted,
                    Finding::new(FindingKind::KeyUnknown, detail),
                )
            }
            Candidate::Bad => {
                let detail = match keyid {
                    Some(_) => {
                        format!("{place} is not good, though its keyid is that of a known key")
                    }
                    None => format!("{place} is good under no known key, and names none"),
                };
                (
                    &mut bad,
                    Finding::new(FindingKind::SignatureInvalid, detail),
                )
            }
            Candidate::Malformed(reason) => {
                let detail = format!("{place} is malformed: {reason}");
                (
                    &mut bad,
                    Finding::new(FindingKind::SignatureMalformed, detail),
                )
            }
        };
        let finding = match keyid {
            Some(keyid) if finding.found.is_none() => finding.found(keyid),
            _ => finding,
        };
        findings.push(of(row, finding));
    }
    let is_trusted = signers.iter().any(|s| s.standing == Standing::Trusted);
    let status = match (is_trusted, bad.is_empty(), untrusted.is_empty()) {
        (true, true, _) => Status::Verified,
        (true, false, _) => Status::Partial,
        (false, true, false) => Status::Untrusted,
        // The last, if the envelope cannot be read.
        (false, false, _) | (false, true, true) => Status::Invalid,
    };
    // Beside a trusted signature, it does not matter who else has signed.
    if !is_trusted {
        bad.append(&mut untrusted);
    }
    Judged {
        report: SegmentReport {
            idx: row.idx,
            segment_id: row.segment_id.to_owned(),
            status,
            signers,
        },
        findings: bad,
    }
}
