//! What a verification tells: findings with their evidence, and a summary per chain.

use super::scope::Head;
pub use crate::finding::LinkKind as FindingKind;
use crate::hash::Hash;

/// An entry next to a finding, as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its position in the same lane.
    pub pos: i64,
    /// Its number.
    pub seq: i64,
    /// Its stored `prev_hash`, if that is one.
    pub prev_hash: Option<Hash>,
    /// Its stored `chain_hash`, if that is one.
    pub chain_hash: Option<Hash>,
}

/// One finding, at one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Chain of the entry.
    pub chain_id: i32,
    /// Name of the chain, where it is known.
    pub chain: Option<String>,
    /// Lane of the entry.
    pub lane: i16,
    /// Position of the entry within the lane.
    pub pos: i64,
    /// Number of the entry.
    pub seq: i64,
    /// What was found.
    pub kind: FindingKind,
    /// The facts, in a sentence.
    pub detail: String,
    /// The hash that should stand there, where the finding is about one.
    pub expected: Option<Hash>,
    /// The bytes that stand there, at most the first 64.
    pub found: Option<Vec<u8>>,
    /// `event_kind` of the entry, as stored; at most the first 4 kB, here and below.
    pub event_kind: Vec<u8>,
    /// `event_pk` of the entry, as stored.
    pub event_pk: Option<Vec<u8>>,
    /// The entry before it in the lane.
    pub predecessor: Option<Neighbour>,
    /// The entry after it in the lane.
    pub successor: Option<Neighbour>,
}

/// Summary of one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// Which chain.
    pub chain_id: i32,
    /// Its name; `None` for entries whose `chain_id` is not in `auditspine.chain`.
    pub chain: Option<String>,
    /// How many entries were verified.
    pub entries: u64,
    /// In how many lanes.
    pub lanes: u32,
    /// How many findings there are.
    pub findings: u64,
    /// Smallest `seq` that has a finding.
    pub first_bad_seq: Option<i64>,
    /// Smallest `seq` seen.
    pub first_seq: Option<i64>,
    /// Largest `seq` seen.
    pub head_seq: Option<i64>,
    /// The last entry of each lane seen, in order of lane; none if anything was found.
    pub heads: Vec<Head>,
}

impl ChainReport {
    /// Whether nothing was found.
    pub fn ok(&self) -> bool {
        self.findings == 0
    }
}
