//! What a verification tells: findings with their evidence, and a summary per chain.

use super::scope::Head;
use crate::hash::Hash;

/// Kinds of finding. The labels are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// A stored column of this entry was changed.
    EntryEdited,
    /// The stored payload was changed; the entry's hashes still speak of the original.
    PayloadEdited,
    /// The entry was replaced, hashes and all; its successor commits to another one.
    EntryRewritten,
    /// The entry stands at another place, or with another number, than its hashes say.
    EntryMoved,
    /// The entry does not belong here: its neighbours do not know it.
    EntryInserted,
    /// Entries before this one are missing.
    EntriesMissing,
    /// A second entry continues the same predecessor.
    Fork,
    /// The same entry is stored twice.
    Duplicate,
    /// The entry does not continue its predecessor, and neither can be blamed.
    LinkBroken,
    /// The entry's `seq` is not above its predecessor's, although the hashes agree.
    SeqOrder,
    /// The entry's format is not known to this version of auditspine.
    UnknownVersion,
    /// The entry's `chain_id` is not in `auditspine.chain`.
    UnknownChain,
    /// A column holds what no entry can hold.
    Malformed,
    /// An entry that an earlier verification ended with is gone.
    HeadMissing,
    /// Where an earlier verification ended, something else stands now.
    HeadChanged,
    /// The chain's row in `auditspine.chain` is as that of no chain can be.
    ChainAltered,
    /// The entry's `seq` is beyond what was drawn.
    SeqAhead,
    /// The entry was linked earlier or later than its `seq` says, or another one has the same.
    SeqDisorder,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [FindingKind; 18] = [
        FindingKind::EntryEdited,
        FindingKind::PayloadEdited,
        FindingKind::EntryRewritten,
        FindingKind::EntryMoved,
        FindingKind::EntryInserted,
        FindingKind::EntriesMissing,
        FindingKind::Fork,
        FindingKind::Duplicate,
        FindingKind::LinkBroken,
        FindingKind::SeqOrder,
        FindingKind::UnknownVersion,
        FindingKind::UnknownChain,
        FindingKind::Malformed,
        FindingKind::HeadMissing,
        FindingKind::HeadChanged,
        FindingKind::ChainAltered,
        FindingKind::SeqAhead,
        FindingKind::SeqDisorder,
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
        match self {
            FindingKind::EntryEdited => {
                ("entry_edited", "a stored column of this entry was changed")
            }
            FindingKind::PayloadEdited => (
                "payload_edited",
                "the stored payload is not the one that was recorded",
            ),
            FindingKind::EntryRewritten => (
                "entry_rewritten",
                "the entry was replaced, hashes and all; its successor commits to another one",
            ),
            FindingKind::EntryMoved => (
                "entry_moved",
                "the entry stands elsewhere than where it was appended",
            ),
            FindingKind::EntryInserted => {
                ("entry_inserted", "the entry's neighbours do not know it")
            }
            FindingKind::EntriesMissing => {
                ("entries_missing", "entries before this one were removed")
            }
            FindingKind::Fork => ("fork", "a second entry continues the same predecessor"),
            FindingKind::Duplicate => ("duplicate", "the same entry is stored twice"),
            FindingKind::LinkBroken => {
                ("link_broken", "the entry does not continue its predecessor")
            }
            FindingKind::SeqOrder => (
                "seq_order",
                "seq does not grow along the lane, although the hashes agree",
            ),
            FindingKind::UnknownVersion => (
                "unknown_version",
                "the entry's format is not known to this version",
            ),
            FindingKind::UnknownChain => (
                "unknown_chain",
                "the entry's chain_id is not in auditspine.chain",
            ),
            FindingKind::Malformed => ("malformed", "a column holds what no entry can hold"),
            FindingKind::HeadMissing => (
                "head_missing",
                "an entry that an earlier verification ended with is gone",
            ),
            FindingKind::HeadChanged => (
                "head_changed",
                "where an earlier verification ended, something else stands now",
            ),
            FindingKind::ChainAltered => (
                "chain_altered",
                "the chain's row in auditspine.chain is as that of no chain can be",
            ),
            FindingKind::SeqAhead => (
                "seq_ahead",
                "seq is beyond the last number that auditspine.audit_seq has drawn",
            ),
            FindingKind::SeqDisorder => (
                "seq_disorder",
                "the entry was linked earlier or later than its seq says, or another one has the same",
            ),
        }
    }
}

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
