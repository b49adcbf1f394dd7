//! What a verification leaves behind where that is asked for: status of segments and the cache; its
//! triggers write the history.

use std::collections::BTreeSet;

use pgrx::prelude::*;

use super::read::Tables;
use super::report::Report;
use super::stored_spine::{Judged, VERSION};
use crate::ledger::foreign_code::{self, Use};

/// What is kept of one verdict.
pub struct Kept {
    spine_id: String,
    status: &'static str,
    all_segments_valid: bool,
    invalid_segment_ids: Vec<String>,
    algorithms: String,
    fingerprints: String,
    evidence: Option<Vec<u8>>,
    /// Segments whose status is another now.
    segments: Vec<(String, &'static str)>,
}

impl Kept {
    /// Of a verdict.
    pub fn of(judged: &Judged, report: &Report) -> Kept {
        let mut algorithms = BTreeSet::new();
        let mut fingerprints = BTreeSet::new();
        for signer in judged.judgement.segments.iter().flat_map(|it| &it.signers) {
            algorithms.insert(signer.algorithm.name());
            fingerprints.insert(signer.fingerprint.to_string());
        }
        // Neither column may be null.
        let join = |all: Vec<String>| match all.is_empty() {
            true => "none".to_owned(),
            false => all.join(","),
        };
        let segments = judged
            .spine
            .segments
            .iter()
            .enumerate()
            .filter_map(|(at, segment)| {
                let is_bad = report.invalid_segment_ids.contains(&segment.segment_id);
                let status = if is_bad {
                    auditspine_core::spine::Status::Invalid.text()
                } else {
                    judged.status_of(at).text()
                };
                (segment.status != status).then(|| (segment.segment_id.clone(), status))
            });
        Kept {
            spine_id: report.spine_id.clone(),
            status: report.status.text(),
            all_segments_valid: report.all_segments_valid,
            invalid_segment_ids: report.invalid_segment_ids.clone(),
            algorithms: join(algorithms.into_iter().map(str::to_owned).collect()),
            fingerprints: join(fingerprints.into_iter().collect()),
            evidence: judged.evidence.map(|digest| digest.0.to_vec()),
            segments: segments.collect(),
        }
    }
}

/// Writes it, with the caller's rights.
pub fn keep(tables: &Tables, kept: &[Kept]) {
    let status = tables.statement(
        "UPDATE {}.proof_segments SET status = $2 WHERE segment_id = $1 AND status IS DISTINCT FROM $2",
    );
    let cache = tables.statement(
        "INSERT INTO {}.proof_spine_verification_cache AS c (spine_id, verified_at_utc, verifier_version, status, \
            all_segments_valid, invalid_segment_ids, signature_algorithm, key_fingerprint, evidence_digest) \
         VALUES ($1, statement_timestamp(), $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (spine_id) DO UPDATE SET verified_at_utc = excluded.verified_at_utc, \
            verifier_version = excluded.verifier_version, status = excluded.status, \
            all_segments_valid = excluded.all_segments_valid, \
            invalid_segment_ids = excluded.invalid_segment_ids, \
            signature_algorithm = excluded.signature_algorithm, key_fingerprint = excluded.key_fingerprint, \
            evidence_digest = excluded.evidence_digest",
    );
    if kept.is_empty() {
        return;
    }
    for oid in [tables.segments, tables.cache] {
        foreign_code::expect_none_for_caller(oid, Use::Write);
    }
    // Planned once for all of them, as the tables are now.
    let kept = Spi::connect_mut(|client| {
        let status = client.prepare_mut(status.as_str(), &oids(&[TEXT, TEXT]))?;
        let types = [TEXT, TEXT, TEXT, BOOL, TEXTS, TEXT, TEXT, BYTES];
        let cache = client.prepare_mut(cache.as_str(), &oids(&types))?;
        for spine in kept {
            pgrx::check_for_interrupts!();
            for (segment, text) in &spine.segments {
                client.update(&status, None, &[segment.as_str().into(), (*text).into()])?;
            }
            let row = [
                spine.spine_id.as_str().into(),
                VERSION.into(),
                spine.status.into(),
                spine.all_segments_valid.into(),
                spine.invalid_segment_ids.clone().into(),
                spine.algorithms.as_str().into(),
                spine.fingerprints.as_str().into(),
                spine.evidence.as_deref().into(),
            ];
            client.update(&cache, None, &row)?;
        }
        Ok::<_, pgrx::spi::SpiError>(())
    });
    if let Err(error) = kept {
        error!("{error}");
    }
}

const TEXT: PgBuiltInOids = PgBuiltInOids::TEXTOID;
const TEXTS: PgBuiltInOids = PgBuiltInOids::TEXTARRAYOID;
const BOOL: PgBuiltInOids = PgBuiltInOids::BOOLOID;
const BYTES: PgBuiltInOids = PgBuiltInOids::BYTEAOID;

fn oids(types: &[PgBuiltInOids]) -> Vec<PgOid> {
    types.iter().map(|oid| PgOid::from(oid.value())).collect()
}
