//! Damaged entries and gaps held against each other: an entry whose content belongs at another
//! damaged place was moved there or swapped, not edited.

use super::diagnose::Doubt;
use super::examined::{Content, Examined};
use super::finding::{Finding, FindingKind};
use super::output::Output;
use crate::entry::chain_hash;
use crate::hash::Hash;

/// Positions that are tried at either end of a gap.
const GAP_ENDS: i64 = 16;
/// A lost `seq` is sought among those between the neighbours', if they are not more than this.
const SEQ_RANGE: i64 = 1024;

/// A place in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub chain_id: i32,
    pub lane: i16,
    pub pos: i64,
}

impl Place {
    /// For a sentence; names the chain only where `other` is in another one.
    fn words(&self, other: &Place, output: &Output<'_>) -> String {
        let Place {
            chain_id,
            lane,
            pos,
        } = *self;
        match output
            .chains()
            .name(chain_id)
            .filter(|_| chain_id != other.chain_id)
        {
            Some(name) => format!("chain {name:?}, lane {lane}, pos {pos}"),
            None if chain_id != other.chain_id => {
                format!("chain_id {chain_id}, lane {lane}, pos {pos}")
            }
            None => format!("lane {lane}, pos {pos}"),
        }
    }
}

/// The last entry of a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    pub place: Place,
    pub chain: Hash,
}

/// A damaged entry that may have been moved.
struct Damaged {
    finding: Finding,
    place: Place,
    event: Option<Hash>,
    prev: Option<Hash>,
    chain: Option<Hash>,
    doubt: Doubt,
    /// Where that is in doubt.
    content: Option<Box<Content>>,
    /// The seqs of the entries before and after it.
    between: (Option<i64>, Option<i64>),
}

/// A stretch of a lane where entries are missing, which a finding tells at the entry behind it.
pub(super) struct Gap {
    /// Without the count of missing entries.
    pub finding: Finding,
    pub chain_id: i32,
    pub lane: i16,
    /// First and last position of the stretch.
    pub low: i64,
    pub high: i64,
    /// Positions of the stretch where entries stand that do not belong there.
    pub occupied: Vec<i64>,
    /// How many entries are missing; `None` if that cannot be known.
    pub missing: Option<i64>,
}

impl Gap {
    fn emit(self, output: &mut Output<'_>) {
        let Gap {
            mut finding,
            low,
            high,
            missing,
            ..
        } = self;
        finding.detail = match missing {
            None => format!("the entry before it, at pos {high}, is missing"),
            Some(1) if low == high && low == 1 => {
                "the lane's first entry, at pos 1, is missing".to_owned()
            }
            Some(1) if low == high => format!("the entry at pos {low} is missing"),
            Some(n) if low == 1 => {
                format!("the lane's beginning is missing: {n} entries from pos 1 to {high}")
            }
            Some(n) => format!("{n} entries are missing from pos {low} to {high}"),
        };
        output.emit(finding);
    }

    fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let near = self.low.saturating_add(GAP_ENDS).min(self.high);
        let far = self.high.saturating_sub(GAP_ENDS).max(near);
        (self.low..=near)
            .chain(far..=self.high)
            .filter(|pos| !self.occupied.contains(pos))
            .map(|pos| Place {
                chain_id: self.chain_id,
                lane: self.lane,
                pos,
            })
    }
}

/// Findings that wait for the others before they are told.
pub(super) struct Moves {
    limit: usize,
    damaged: Vec<Damaged>,
    gaps: Vec<Gap>,
}

impl Moves {
    /// Holds at most `limit` damaged entries and as many gaps; what is beyond is told at once.
    pub fn new(limit: usize) -> Moves {
        Moves {
            limit,
            damaged: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// Takes in a finding at `entry`, about which there is `doubt`.
    pub fn damaged(
        &mut self,
        entry: &mut Examined,
        finding: Finding,
        doubt: Doubt,
        output: &mut Output<'_>,
    ) {
        let content = entry.content.take().filter(|_| doubt == Doubt::Content);
        let open = matches!(doubt, Doubt::Seq | Doubt::Place) || content.is_some();
        if !open || self.damaged.len() >= self.limit {
            return output.emit(finding);
        }
        self.damaged.push(Damaged {
            between: (
                finding.predecessor.map(|neighbour| neighbour.seq),
                finding.successor.map(|neighbour| neighbour.seq),
            ),
            finding,
            place: Place {
                chain_id: entry.chain_id,
                lane: entry.lane,
                pos: entry.pos,
            },
            event: entry.event.hash,
            prev: entry.prev.hash,
            chain: entry.chain.hash,
            doubt,
            content,
        });
    }

    /// Takes in a gap.
    pub fn gap(&mut self, gap: Gap, output: &mut Output<'_>) {
        if self.gaps.len() >= self.limit {
            return gap.emit(output);
        }
        self.gaps.push(gap);
    }

    /// Whether the ends of lanes are of use.
    pub fn wants_tails(&self) -> bool {
        self.damaged.iter().any(|damaged| damaged.content.is_some())
    }

    /// Tells everything that was held back.
    pub fn resolve(mut self, tails: &[Tail], output: &mut Output<'_>) {
        let mut scratch = Vec::new();
        for at in 0..self.damaged.len() {
            let detail = match self.damaged[at].doubt {
                Doubt::Content => self.home(at, tails, output, &mut scratch),
                Doubt::Seq => self.seq(at),
                Doubt::None | Doubt::Place => None,
            };
            let finding = &mut self.damaged[at].finding;
            if let Some((kind, detail)) = detail {
                finding.kind = kind;
                finding.detail = detail;
            }
        }
        self.damaged
            .into_iter()
            .for_each(|damaged| output.emit(damaged.finding));
        for gap in self.gaps {
            if gap.missing != Some(0) {
                gap.emit(output);
            }
        }
    }

    /// Where the content of a damaged entry belongs.
    fn home(
        &mut self,
        at: usize,
        tails: &[Tail],
        output: &Output<'_>,
        scratch: &mut Vec<u8>,
    ) -> Option<(FindingKind, String)> {
        let entry = &self.damaged[at];
        let content = entry.content.as_deref()?;
        let here = entry.place;
        let mut hash_at = |place: Place| {
            let chain = output.chains().name(place.chain_id)?;
            Some(content.hash_at(chain, place.lane, place.pos, scratch))
        };
        let words = |place: Place| place.words(&here, output);
        let stands = |home: Place| format!("stands at {}", here.words(&home, output));
        for other in self.damaged.iter().filter(|other| other.place != here) {
            let hash = hash_at(other.place);
            if hash.is_some() && hash == entry.event {
                let detail = format!(
                    "was appended at {}, where seq {} stands now; {}",
                    words(other.place),
                    other.finding.seq,
                    stands(other.place)
                );
                return Some((FindingKind::EntryMoved, detail));
            }
            if hash.is_some() && hash == other.event {
                let detail = format!(
                    "holds the content of the entry at {}, seq {}",
                    words(other.place),
                    other.finding.seq
                );
                return Some((FindingKind::EntryMoved, detail));
            }
        }
        let mut moved_to = |place: Place| {
            let hash = hash_at(place);
            let detail = || format!("was appended at {}; {}", words(place), stands(place));
            (hash.is_some() && hash == entry.event).then(detail)
        };
        for tail in tails.iter().filter(|tail| entry.prev == Some(tail.chain)) {
            let Some(pos) = tail.place.pos.checked_add(1) else {
                continue;
            };
            if let Some(detail) = moved_to(Place { pos, ..tail.place }) {
                return Some((FindingKind::EntryMoved, detail));
            }
        }
        let (number, place, detail) = self.gaps.iter().enumerate().find_map(|(number, gap)| {
            gap.places()
                .find_map(|place| Some((number, place, moved_to(place)?)))
        })?;
        let gap = &mut self.gaps[number];
        gap.occupied.push(place.pos);
        // The chain that lost the entry to another is not in order: what is told of the other says nothing
        // of it.
        if gap.chain_id == here.chain_id {
            gap.missing = gap.missing.map(|missing| missing - 1);
        }
        Some((FindingKind::EntryMoved, detail))
    }

    /// Which `seq` a damaged entry had.
    fn seq(&self, at: usize) -> Option<(FindingKind, String)> {
        let entry = &self.damaged[at];
        let (prev, event, now) = (entry.prev?, entry.event?, entry.finding.seq);
        let fits = |seq: &i64| Some(chain_hash(&prev, &event, *seq)) == entry.chain;
        let other = self.damaged.iter().find(|other| fits(&other.finding.seq));
        if let Some(Damaged { place, finding, .. }) = other {
            let detail = format!(
                "was appended as seq {}, which the entry at lane {}, pos {} has now; stands as \
                 seq {now}",
                finding.seq, place.lane, place.pos
            );
            return Some((FindingKind::EntryMoved, detail));
        }
        let (Some(low), Some(high)) = entry.between else {
            return None;
        };
        let low = low.checked_add(1)?;
        let range = high
            .checked_sub(low)
            .filter(|range| (0..=SEQ_RANGE).contains(range))?;
        let seq = (low..low.checked_add(range)?).find(fits)?;
        Some((
            FindingKind::EntryEdited,
            format!("seq was changed from {seq} to {now}"),
        ))
    }
}
