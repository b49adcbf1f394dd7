//! The judgement: published heads, one after the other, against what a database says.
//!
//! A head that is not there any more was cut off, or the database is older than the publication.
//! These are told apart by what cannot come from cutting: numbers (`seq`) that the database has not
//! drawn yet, or has given out again after the publication, while it knows nothing of the publication
//! itself. An older state has entries that are older than the publication; where there are none, the
//! history began anew, as after the extension was dropped and created again. Whoever may write to the
//! database can forge each appearance, but not make the finding go away.

use std::collections::HashMap;

use super::finding::{Finding, FindingKind, Summary};
use super::line::Published;
use crate::entry::chain_hash;
use crate::hash::Hash;

/// An entry as it is stored, as far as a publication commits to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Position within the lane.
    pub pos: i64,
    /// Number.
    pub seq: i64,
    /// When it was linked: microseconds since 2000-01-01 00:00 UTC.
    pub appended_at: i64,
    /// `event_hash`, as stored.
    pub event_hash: Vec<u8>,
    /// `prev_hash`, as stored.
    pub prev_hash: Vec<u8>,
    /// `chain_hash`, as stored.
    pub chain_hash: Vec<u8>,
}

impl StoredEntry {
    /// `chain_hash` as the other columns give it; `None` if one of them is no hash.
    fn recomputed(&self) -> Option<Hash> {
        let prev = Hash::from_slice(&self.prev_hash)?;
        let event = Hash::from_slice(&self.event_hash)?;
        Some(chain_hash(&prev, &event, self.seq))
    }
}

/// What a database says. Each answer is that of the moment it is asked for, not of an earlier
/// snapshot: lines may be newer than that.
pub trait Facts {
    /// Number of the chain of that name.
    fn chain(&mut self, name: &str) -> Option<i32>;
    /// The entry at a position.
    fn entry(&mut self, chain_id: i32, lane: i16, pos: i64) -> Option<StoredEntry>;
    /// The last entry of a lane.
    fn head(&mut self, chain_id: i32, lane: i16) -> Option<StoredEntry>;
    /// Whether the database has recorded that it published this head.
    fn is_recorded(&mut self, head: &Published) -> bool;
    /// A number up to which the database has drawn numbers, for certain.
    fn last_seq(&mut self) -> i64;
    /// The `seq` of an entry that is numbered `seq` or a little less, and was linked later than
    /// `time`, if there is one.
    fn numbered_again(&mut self, seq: i64, time: i64) -> Option<i64>;
    /// When the oldest entry of all was linked; `None` if there are none.
    fn began_at(&mut self) -> Option<i64>;
    /// On a standby, the time up to which it has replayed; `None` on a primary.
    fn replayed_until(&mut self) -> Option<i64>;
}

/// What was seen of a chain.
#[derive(Debug, Default)]
struct Chain {
    id: Option<i32>,
    /// The last head of each lane.
    lanes: HashMap<i16, (i64, i64, Hash)>,
}

/// Holds heads against a database. Memory grows with the number of lanes, not of lines.
#[derive(Debug, Default)]
pub struct Judge {
    chains: HashMap<String, Chain>,
    summary: Summary,
    line: u64,
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is shown of a value that has not the length of a hash.
const SHOWN: usize = 64;

impl Judge {
    /// Judges the next line; white space alone is none, but counts in the numbers of lines.
    pub fn line(&mut self, line: &[u8], facts: &mut dyn Facts, sink: &mut dyn FnMut(Finding)) {
        self.line += 1;
        // What an editor put there, or what stood at the beginning of a file that this one was added to.
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        if line.trim_ascii().is_empty() {
            return;
        }
        match Published::parse(line) {
            Ok(head) => self.judge(head, facts, sink),
            Err(malformed) => {
                self.summary.lines += 1;
                let kind = if malformed.cut_short {
                    FindingKind::LineCutShort
                } else {
                    FindingKind::Malformed
                };
                let mut tell = Telling::new(&mut self.summary, self.line, None, sink);
                tell.tell(kind, malformed.reason, None);
            }
        }
    }

    /// Judges a head that did not come as a line, as if it did.
    pub fn head(&mut self, head: Published, facts: &mut dyn Facts, sink: &mut dyn FnMut(Finding)) {
        self.line += 1;
        self.judge(head, facts, sink);
    }

    /// Tells of a head that is not one, for the reason given, as of a line that is malformed.
    pub fn malformed(&mut self, reason: &str, sink: &mut dyn FnMut(Finding)) {
        self.line += 1;
        self.summary.lines += 1;
        let mut tell = Telling::new(&mut self.summary, self.line, None, sink);
        tell.tell(FindingKind::Malformed, reason.to_owned(), None);
    }

    /// What all lines together say.
    pub fn finish(self) -> Summary {
        self.summary
    }

    fn judge(&mut self, head: Published, facts: &mut dyn Facts, sink: &mut dyn FnMut(Finding)) {
        let summary = &mut self.summary;
        summary.lines += 1;
        let at = head.published_at;
        summary.first_published_at = Some(summary.first_published_at.map_or(at, |t| t.min(at)));
        summary.last_published_at = Some(summary.last_published_at.map_or(at, |t| t.max(at)));
        if !self.chains.contains_key(&head.chain) {
            let id = facts.chain(&head.chain);
            let lanes = HashMap::new();
            self.chains.insert(head.chain.clone(), Chain { id, lanes });
        }
        let Some(chain) = self.chains.get_mut(&head.chain) else {
            return; // Inserted above.
        };
        let mut tell = Telling::new(summary, self.line, Some(head), sink);
        tell.order(chain);
        tell.against(chain.id, facts);
    }
}

/// A line on its way to the sink.
struct Telling<'a> {
    summary: &'a mut Summary,
    line: u64,
    head: Option<Published>,
    sink: &'a mut dyn FnMut(Finding),
}

impl<'a> Telling<'a> {
    fn new(
        summary: &'a mut Summary,
        line: u64,
        head: Option<Published>,
        sink: &'a mut dyn FnMut(Finding),
    ) -> Telling<'a> {
        Telling {
            summary,
            line,
            head,
            sink,
        }
    }

    fn tell(&mut self, kind: FindingKind, detail: String, hashes: Option<(Hash, Option<&[u8]>)>) {
        let summary = &mut *self.summary;
        summary.findings += 1;
        if kind.is_bad() {
            summary.bad += 1;
            summary.first_bad_line.get_or_insert(self.line);
        }
        summary.restored |= kind == FindingKind::DatabaseRestored;
        (self.sink)(Finding {
            line: self.line,
            kind,
            head: self.head.clone(),
            detail,
            expected: hashes.map(|(expected, _)| expected),
            found: hashes.and_then(|(_, found)| Some(found?[..found?.len().min(SHOWN)].to_vec())),
        });
    }

    /// Holds the head against the one before it of the same lane.
    fn order(&mut self, chain: &mut Chain) {
        let Some(head) = &self.head else { return };
        let now = (head.pos, head.seq, head.chain_hash);
        let (pos, seq, hash) = now;
        let before = chain.lanes.insert(head.lane, now);
        let Some((before_pos, before_seq, before_hash)) = before else {
            return;
        };
        let detail = if pos < before_pos {
            format!("an earlier line has position {before_pos} of this lane already")
        } else if pos == before_pos && (hash != before_hash || seq != before_seq) {
            format!(
                "an earlier line has another head at this position: seq {before_seq}, chain_hash {before_hash}"
            )
        } else if pos > before_pos && seq <= before_seq {
            format!(
                "an earlier line has seq {before_seq} at position {before_pos}, before this one"
            )
        } else {
            return;
        };
        self.tell(FindingKind::Unordered, detail, None);
    }

    /// Holds the head against the database.
    fn against(&mut self, chain_id: Option<i32>, facts: &mut dyn Facts) {
        let Some(head) = self.head.clone() else {
            return;
        };
        let entry = chain_id.and_then(|id| facts.entry(id, head.lane, head.pos));
        let Some(entry) = entry else {
            return self.missing(&head, chain_id, facts);
        };
        let recomputed = entry.recomputed();
        let hash = Some(head.chain_hash);
        let is_published = entry.chain_hash == head.chain_hash.0 && entry.seq == head.seq;
        if is_published && recomputed == hash {
            self.summary.heads += 1;
            return;
        }
        if is_published {
            let detail = "the entry has the published chain_hash, but its prev_hash, event_hash and seq do not hash to it";
            let found = recomputed.map(|hash| hash.0);
            return self.tell(
                FindingKind::HistoryRewritten,
                detail.to_owned(),
                Some((head.chain_hash, found.as_ref().map(|hash| &hash[..]))),
            );
        }
        let sound = recomputed.is_some_and(|hash| entry.chain_hash == hash.0);
        let seq = if entry.seq == head.seq {
            String::new()
        } else {
            format!(" and seq {}", entry.seq)
        };
        let mut detail = format!("the entry at this position has another chain_hash{seq}");
        let mut kind = FindingKind::HistoryRewritten;
        if !sound {
            detail.push_str(", to which its own columns do not hash");
        } else if entry.appended_at > head.published_at {
            detail.push_str(", and was linked after the publication");
            if facts.is_recorded(&head) {
                detail.push_str(", which the database has recorded");
            } else {
                detail.push_str(", of which the database knows nothing");
                let again = if entry.seq <= head.seq {
                    Some(entry.seq)
                } else {
                    facts.numbered_again(head.seq, head.published_at)
                };
                if let Some(seq) = again {
                    detail.push_str(&format!("; number {seq} was given out after it"));
                    let older = ": the database went on from an older state";
                    kind = older_or_another(&head, facts, older, &mut detail);
                }
            }
        }
        self.tell(
            kind,
            detail,
            Some((head.chain_hash, Some(&entry.chain_hash))),
        );
    }

    /// There is no entry at the published position.
    fn missing(&mut self, head: &Published, chain_id: Option<i32>, facts: &mut dyn Facts) {
        let last = chain_id.and_then(|id| facts.head(id, head.lane));
        let (kind, mut detail) = match (chain_id, &last) {
            (None, _) => (
                FindingKind::ChainMissing,
                "there is no chain of this name".to_owned(),
            ),
            (Some(_), None) => (
                FindingKind::LaneMissing,
                "the lane has no entries".to_owned(),
            ),
            (Some(_), Some(last)) if last.pos > head.pos => (
                FindingKind::HistoryRewritten,
                format!(
                    "there is no entry at this position, although the lane goes on to position {}, seq {}",
                    last.pos, last.seq
                ),
            ),
            (Some(_), Some(last)) => (
                FindingKind::HeadTruncated,
                format!(
                    "the lane ends at position {}, seq {}: {} missing",
                    last.pos,
                    last.seq,
                    entries(head.pos - last.pos)
                ),
            ),
        };
        let found = last.as_ref().map(|last| &last.chain_hash[..]);
        let hashes = Some((head.chain_hash, found));
        if let Some(until) = facts.replayed_until()
            && until < head.published_at
        {
            detail.push_str("; this standby has not replayed up to the time of publication");
            return self.tell(FindingKind::AheadOfStandby, detail, hashes);
        }
        if facts.is_recorded(head) {
            detail.push_str("; the database has recorded this publication");
            return self.tell(kind, detail, hashes);
        }
        let last_seq = facts.last_seq();
        if last_seq < head.seq {
            detail.push_str(
                "; the database has not drawn seq that far and knows nothing of this publication",
            );
            let kind = older_or_another(head, facts, ": it is older", &mut detail);
            return self.tell(kind, detail, hashes);
        }
        if let Some(seq) = facts.numbered_again(head.seq, head.published_at) {
            detail.push_str(&format!(
                "; number {seq} was given out after the publication, of which the database knows nothing"
            ));
            let older = ": it went on from an older state";
            let kind = older_or_another(head, facts, older, &mut detail);
            return self.tell(kind, detail, hashes);
        }
        // Cut off with the record, or lost with it: numbers that a recovery skips are not given again.
        detail.push_str("; the database has no record of this publication");
        self.tell(kind, detail, hashes);
    }
}

/// Which of the two, of a database that has not come to the published head: it is in an older state, or went
/// on from one, which `older` says, or its history is another.
fn older_or_another(
    head: &Published,
    facts: &mut dyn Facts,
    older: &str,
    detail: &mut String,
) -> FindingKind {
    match facts.began_at() {
        Some(began_at) if began_at <= head.published_at => {
            detail.push_str(older);
            FindingKind::DatabaseRestored
        }
        Some(_) => {
            detail.push_str(", and no entry is as old as that: its history began anew");
            FindingKind::HistoryBeganAnew
        }
        None => {
            detail.push_str(", and there are no entries at all: its history began anew");
            FindingKind::HistoryBeganAnew
        }
    }
}

fn entries(count: i64) -> String {
    match count {
        1 => "1 entry is".to_owned(),
        count => format!("{count} entries are"),
    }
}
