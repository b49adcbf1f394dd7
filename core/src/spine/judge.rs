//! The judgement of one spine.

use std::collections::HashSet;

use super::finding::Part;
use super::report::Judgement;
use super::rows::{SegmentRow, SpineRow};
use super::segment::{self, Signed};
use super::structure::{self, Ids};
use super::trust::TrustStore;
use super::vocabulary::Status;

/// Judges a spine and its segments, which may come in any order, with gaps, and more than once.
///
/// A segment is
///
/// - **Verified** if its own columns are right, its payload binds its `result_hash`, and a key that
///   counts at its time has signed it;
/// - **Partial** if so, but another of its signatures is bad;
/// - **Untrusted** if its columns are right, no signature is bad, but those keys that have signed it
///   do not count or are not known;
/// - **Invalid** otherwise.
///
/// An envelope holds no key, so whoever does not know the key cannot tell a good signature from a bad
/// one. A signature that is good under no known key is taken for *bad* if its `keyid` names a known
/// key (by fingerprint or alias, or as good signatures of the same spine have named theirs), or if it has no
/// `keyid` and any key is known; otherwise for one by an *unknown* key. So a `keyid` can make the
/// difference between Invalid and Untrusted, but never anything Verified.
///
/// The spine is
///
/// - **Invalid** if the verdict, an id or the root is wrong, or segments are missing, too many or not
///   linked: then the segments there are, good as each may be, are not what was decided on;
/// - **Verified** if all segments are, **Untrusted** if all are;
/// - **Partial** if some segments are Verified or Partial, **Invalid** if none is.
pub fn judge(spine: &SpineRow<'_>, segments: &[SegmentRow<'_>], trust: &TrustStore) -> Judgement {
    let mut ordered: Vec<&SegmentRow<'_>> = segments.iter().collect();
    ordered.sort_by_key(|segment| segment.idx);

    let ids = Ids::of(spine);
    let start = structure::start(ids, &ordered);
    let mut findings = structure::findings(spine, &ordered, ids);
    let signed: Vec<Option<Signed<'_>>> = ordered
        .iter()
        .map(|row| row.envelope.as_ref().ok())
        .map(|envelope| envelope.map(|envelope| Signed::check(envelope, trust)))
        .collect();
    let names: HashSet<&str> = signed
        .iter()
        .flatten()
        .flat_map(Signed::names_of_known_keys)
        .chain(trust.keys().iter().filter_map(|key| key.alias.as_deref()))
        .collect();

    // A segment whose own columns hold together is not to blame if the next one does not continue it.
    let mut sound = Vec::with_capacity(ordered.len());
    let mut reports = Vec::with_capacity(ordered.len());
    for (at, (row, signed)) in ordered.iter().zip(&signed).enumerate() {
        let own = segment::own_findings(spine, row, ids);
        sound.push(own.is_empty());
        let link = structure::link(&ordered, at, start);
        let mut predecessors = structure::predecessors(&ordered, at);
        let linked = link.is_none() || predecessors.any(|before| !sound[before]);
        findings.extend(link);

        let judged = segment::judge(row, signed.as_ref(), &names, trust);
        let mut report = judged.report;
        if !own.is_empty() || !linked {
            report.status = Status::Invalid;
        }
        findings.extend(own);
        findings.extend(judged.findings);
        reports.push(report);
    }

    let is_damaged = findings.iter().any(|f| f.kind.part() != Part::Segment);
    let has = |wanted: &[Status]| reports.iter().any(|report| wanted.contains(&report.status));
    let status = match (
        has(&[Status::Verified, Status::Partial]),
        has(&[Status::Untrusted]),
        has(&[Status::Invalid, Status::Partial]),
    ) {
        _ if is_damaged => Status::Invalid,
        (true, false, false) => Status::Verified,
        (true, ..) => Status::Partial,
        (false, true, false) => Status::Untrusted,
        (false, ..) => Status::Invalid,
    };
    Judgement {
        status,
        findings,
        segments: reports,
    }
}
