//! One pass over a chain of the older shape, in the order of `seq`.

use super::row::Row;
use super::variant::Variant;
use crate::digits::write_integer;
use crate::finding::AdoptedKind;
use crate::hash::{Hash, HashSink, Sink};

/// Breaks that a summary lists one by one; it commits to all of them.
pub const MAX_LISTED: usize = 1000;

/// Kinds of break. The labels are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum BreakKind {
    /// The row's `chain_hash` is not that of its `prev_hash`, `event_hash` and `seq`.
    EntryEdited,
    /// The row does not continue the one before: rows were removed, inserted or put in another order.
    LinkBroken,
    /// The first row continues another one, which is not there.
    EntriesMissing,
    /// Two rows have one number.
    DuplicateSeq,
    /// A column holds what no row of a chain can hold.
    Malformed,
}

impl BreakKind {
    /// Stable name, in snake case.
    pub fn label(self) -> &'static str {
        self.finding().label()
    }

    /// What the catalogue calls it.
    pub fn finding(self) -> AdoptedKind {
        match self {
            BreakKind::EntryEdited => AdoptedKind::EntryEdited,
            BreakKind::LinkBroken => AdoptedKind::LinkBroken,
            BreakKind::EntriesMissing => AdoptedKind::EntriesMissing,
            BreakKind::DuplicateSeq => AdoptedKind::DuplicateSeq,
            BreakKind::Malformed => AdoptedKind::Malformed,
        }
    }
}

/// One break, at one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Number of the row.
    pub seq: i64,
    /// What is broken.
    pub kind: BreakKind,
    /// The facts, in a sentence.
    pub detail: String,
    /// The hash that should stand there.
    pub expected: Option<Hash>,
    /// What stands there, at most the first 64 bytes.
    pub found: Option<Vec<u8>>,
}

/// What a pass has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many rows.
    pub count: u64,
    /// Smallest number.
    pub first_seq: Option<i64>,
    /// Largest number.
    pub last_seq: Option<i64>,
    /// `chain_hash` of the last row.
    pub head: Option<Hash>,
    /// SHA-256 over `seq` (8 bytes, big-endian) and `chain_hash` (32 bytes) of all rows.
    pub digest: Hash,
    /// How many breaks.
    pub breaks: u64,
    /// The first [`MAX_LISTED`] of them.
    pub listed: Vec<(i64, BreakKind)>,
    /// SHA-256 over a line `seq kind` for each of them.
    pub breaks_digest: Hash,
}

/// The row before.
struct Previous {
    seq: i64,
    chain: Option<Hash>,
    /// What its `chain_hash` should be.
    recomputed: Option<Hash>,
}

/// A pass under way, in bounded memory.
pub struct Audit {
    variant: Variant,
    previous: Option<Previous>,
    summary: Summary,
    digest: HashSink,
    breaks: HashSink,
}

const SHOWN: usize = 64;

impl Audit {
    /// Nothing seen yet.
    pub fn new(variant: Variant) -> Audit {
        Audit {
            variant,
            previous: None,
            summary: Summary {
                count: 0,
                first_seq: None,
                last_seq: None,
                head: None,
                digest: Hash::ZERO,
                breaks: 0,
                listed: Vec::new(),
                breaks_digest: Hash::ZERO,
            },
            digest: HashSink::new(),
            breaks: HashSink::new(),
        }
    }

    /// Takes in the next row, in the order of `seq`.
    pub fn row(&mut self, row: &Row, sink: &mut dyn FnMut(Break)) {
        let chain = self.variant.decoded(row.chain.as_deref());
        let recomputed = self.variant.chain_hash(row);
        self.summary.count += 1;
        self.summary.first_seq.get_or_insert(row.seq);
        self.summary.last_seq = Some(row.seq);
        self.summary.head = chain;
        self.digest.put(&row.seq.to_be_bytes());
        match &chain {
            Some(chain) => self.digest.put(&chain.0),
            None => self.digest.put(row.chain.as_deref().unwrap_or_default()),
        }
        let previous = self.previous.replace(Previous {
            seq: row.seq,
            chain,
            recomputed,
        });
        self.itself(row, chain, recomputed, sink);
        self.link(row, previous.as_ref(), sink);
    }

    /// What all rows together say.
    pub fn finish(mut self) -> Summary {
        self.summary.digest = self.digest.finish().0;
        self.summary.breaks_digest = self.breaks.finish().0;
        self.summary
    }

    /// Whether the row agrees with itself.
    fn itself(
        &mut self,
        row: &Row,
        chain: Option<Hash>,
        recomputed: Option<Hash>,
        sink: &mut dyn FnMut(Break),
    ) {
        let columns = [
            ("event_hash", row.event.as_deref(), false),
            ("chain_hash", row.chain.as_deref(), false),
            ("prev_hash", row.prev.as_deref(), true),
        ];
        for (name, value, may_lack) in columns {
            let lacks = value.is_none_or(<[u8]>::is_empty);
            if self.variant.decoded(value).is_none() && !(may_lack && lacks) {
                let what = match value {
                    None => "is null".to_owned(),
                    Some(value) => format!("is no hash: it has {} bytes", value.len()),
                };
                let detail = format!("{name} {what}");
                self.tell(row, BreakKind::Malformed, detail, None, value, sink);
            }
        }
        if let (Some(chain), Some(recomputed)) = (chain, recomputed)
            && chain != recomputed
        {
            self.tell(
                row,
                BreakKind::EntryEdited,
                "chain_hash is not that of prev_hash, event_hash and seq".to_owned(),
                Some(recomputed),
                row.chain.as_deref(),
                sink,
            );
        }
    }

    /// Whether the row continues the one before.
    fn link(&mut self, row: &Row, previous: Option<&Previous>, sink: &mut dyn FnMut(Break)) {
        let found = row.prev.as_deref();
        let Some(previous) = previous else {
            if !self.variant.is_genesis(found) {
                let detail = "the first row continues one that is not there".to_owned();
                self.tell(row, BreakKind::EntriesMissing, detail, None, found, sink);
            }
            return;
        };
        if previous.seq == row.seq {
            let detail = "another row has this seq too".to_owned();
            self.tell(row, BreakKind::DuplicateSeq, detail, None, None, sink);
        }
        let prev = self.variant.decoded(found);
        // A row whose chain_hash alone was edited is told at that row.
        let continues = prev.is_some() && (prev == previous.chain || prev == previous.recomputed);
        if !continues {
            self.tell(
                row,
                BreakKind::LinkBroken,
                format!(
                    "prev_hash is not the chain_hash of the row before, seq {}",
                    previous.seq
                ),
                previous.chain,
                found,
                sink,
            );
        }
    }

    fn tell(
        &mut self,
        row: &Row,
        kind: BreakKind,
        detail: String,
        expected: Option<Hash>,
        found: Option<&[u8]>,
        sink: &mut dyn FnMut(Break),
    ) {
        self.summary.breaks += 1;
        if self.summary.listed.len() < MAX_LISTED {
            self.summary.listed.push((row.seq, kind));
        }
        let mut line = Vec::new();
        write_integer(row.seq, &mut line);
        line.put_byte(b' ');
        line.put(kind.label().as_bytes());
        line.put_byte(b'\n');
        self.breaks.put(&line);
        sink(Break {
            seq: row.seq,
            kind,
            detail,
            expected,
            found: found.map(|found| found[..found.len().min(SHOWN)].to_vec()),
        });
    }
}
