//! The rows that a spine is judged by.

use crate::dsse::{Envelope, EnvelopeError};

/// A spine's row; texts as stored. A column that is null, which none of these may be, is an empty
/// text here: no digest, id or verdict is empty.
#[derive(Clone, Copy, Debug)]
pub struct SpineRow<'a> {
    /// Its id.
    pub spine_id: &'a str,
    /// The artifact that was decided on.
    pub artifact_id: &'a str,
    /// The vulnerability.
    pub vuln_id: &'a str,
    /// The policy.
    pub policy_profile_id: &'a str,
    /// What was decided.
    pub verdict: &'a str,
    /// Root of the segments' `result_hash`.
    pub root_hash: &'a str,
    /// How many segments there should be.
    pub segment_count: i32,
}

/// A segment's row; texts as stored, null as empty.
#[derive(Clone, Debug)]
pub struct SegmentRow<'a> {
    /// Its id.
    pub segment_id: &'a str,
    /// Its place in the spine, from 0.
    pub idx: i32,
    /// What it is evidence of.
    pub segment_type: &'a str,
    /// Digest of what went in: 64 lower-case hex digits, with or without `sha256:` before them.
    pub input_hash: &'a str,
    /// Digest of what came out, in the same form.
    pub result_hash: &'a str,
    /// The `result_hash` of the segment before.
    pub prev_segment_hash: Option<&'a str>,
    /// Its envelope, read.
    pub envelope: Result<Envelope, EnvelopeError>,
    /// When it was written: microseconds since 2000-01-01 00:00 UTC. Keys must count then.
    pub created_at: i64,
}
