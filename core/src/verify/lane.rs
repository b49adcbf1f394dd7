//! A lane as far as it has been seen: stretches of entries that link, and places that need a look.
//!
//! Every sound entry is a stretch of one; stretches that touch and link become one. In a lane read
//! in order that is a single stretch that grows; entries that come early wait as a stretch of their
//! own, however many they are. What is not sound, or stands where another entry stands already, is
//! remembered by its position. Whatever does not end up inside one stretch is looked at again.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Checked;
use crate::hash::Hash;

/// How far around a suspicious place entries are read again. The verdict on an entry depends on one
/// entry before it and two after it; the first one that is read serves as the anchor.
const MARGIN: i64 = 3;

/// Entries at consecutive positions, each sound and linked to the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub first_pos: i64,
    pub last_pos: i64,
    pub first_seq: i64,
    pub last_seq: i64,
    pub first_prev: Hash,
    pub last_chain: Hash,
}

impl Run {
    fn of(entry: &Checked) -> Run {
        Run {
            first_pos: entry.pos,
            last_pos: entry.pos,
            first_seq: entry.seq,
            last_seq: entry.seq,
            first_prev: entry.prev,
            last_chain: entry.chain,
        }
    }

    /// Whether `next` continues this stretch.
    #[inline]
    fn continues(&self, next: &Run) -> bool {
        self.last_pos.checked_add(1) == Some(next.first_pos)
            && self.last_chain == next.first_prev
            && self.last_seq < next.first_seq
    }

    #[inline]
    fn append(&mut self, next: &Run) {
        self.last_pos = next.last_pos;
        self.last_seq = next.last_seq;
        self.last_chain = next.last_chain;
    }
}

/// Positions to be read again, both ends included. With `anchored`, the entry at `from` is known to
/// be sound and linked; without, the part begins where the lane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    pub from: i64,
    pub to: i64,
    pub anchored: bool,
}

impl Suspect {
    const WHOLE: Suspect = Suspect {
        from: i64::MIN,
        to: i64::MAX,
        anchored: false,
    };
}

/// What is known of one lane.
#[derive(Debug)]
pub(super) struct Lane {
    pub chain_id: i32,
    pub lane: i16,
    pub entries: u64,
    pub first_seq: i64,
    pub head_seq: i64,
    /// The stretch that grew last.
    current: Option<Run>,
    /// The other stretches, by their first position.
    others: BTreeMap<i64, Run>,
    /// First position of the stretch that comes after `current`; `i64::MAX` if none does.
    ahead: i64,
    spots: BTreeSet<i64>,
    deferred: Option<Deferred>,
}

/// A lane that is no longer followed: what lies behind `from` will be read again.
#[derive(Debug)]
struct Deferred {
    from: i64,
    /// The stretch that `from` lies in, unless `from` lies before it: then it tells nothing.
    base: Option<Run>,
}

impl Lane {
    pub fn new(chain_id: i32, lane: i16) -> Lane {
        Lane {
            chain_id,
            lane,
            entries: 0,
            first_seq: i64::MAX,
            head_seq: i64::MIN,
            current: None,
            others: BTreeMap::new(),
            ahead: i64::MAX,
            spots: BTreeSet::new(),
            deferred: None,
        }
    }

    /// How much is remembered beyond the one stretch of a lane in order.
    pub fn held(&self) -> usize {
        self.others.len() + self.spots.len()
    }

    /// Takes in the next entry, wherever it belongs.
    #[inline]
    pub fn add(&mut self, entry: &Checked) {
        self.entries += 1;
        self.first_seq = self.first_seq.min(entry.seq);
        self.head_seq = self.head_seq.max(entry.seq);
        let run = Run::of(entry);
        if entry.sound
            && let Some(current) = &mut self.current
            && current.continues(&run)
            && self.ahead - entry.pos > 1
        {
            return current.append(&run);
        }
        self.add_elsewhere(entry.sound, run);
    }

    #[cold]
    fn add_elsewhere(&mut self, sound: bool, mut run: Run) {
        let pos = run.first_pos;
        if let Some(deferred) = &mut self.deferred {
            if pos <= deferred.from.saturating_add(MARGIN) {
                deferred.from = pos.saturating_sub(MARGIN);
            }
            return;
        }
        if !sound {
            self.spots.insert(pos);
            return;
        }
        if let Some(current) = self.current.take() {
            self.others.insert(current.first_pos, current);
        }
        if let Some((&first, left)) = self.others.range(..=pos).next_back() {
            if left.last_pos >= pos {
                self.spots.insert(pos);
                let left = *left;
                self.others.remove(&first);
                return self.make_current(left);
            }
            if left.continues(&run) {
                let mut joined = *left;
                joined.append(&run);
                run = joined;
                self.others.remove(&first);
            }
        }
        if let Some((&first, right)) = self.others.range(pos..).next()
            && run.continues(right)
        {
            run.append(right);
            self.others.remove(&first);
        }
        self.make_current(run);
    }

    fn make_current(&mut self, run: Run) {
        self.ahead = self
            .others
            .range(run.last_pos..)
            .next()
            .map_or(i64::MAX, |(&first, _)| first);
        self.current = Some(run);
    }

    /// Forgets everything but where the lane must be read again from.
    pub fn defer(&mut self) {
        if self.deferred.is_some() {
            return;
        }
        let base = self.first_run();
        let first_doubt = self
            .spots
            .first()
            .copied()
            .into_iter()
            .chain(base.map(|b| b.last_pos));
        let from = first_doubt.min().unwrap_or(i64::MIN).saturating_sub(MARGIN);
        self.current = None;
        self.others = BTreeMap::new();
        self.spots = BTreeSet::new();
        self.deferred = Some(Deferred { from, base });
    }

    /// The stretches in order of position.
    fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = self.others.values().copied().chain(self.current).collect();
        runs.sort_unstable_by_key(|run| run.first_pos);
        runs
    }

    /// The first stretch that is known.
    pub fn first_run(&self) -> Option<Run> {
        match &self.deferred {
            Some(deferred) => deferred.base,
            None => self.runs().into_iter().next(),
        }
    }

    /// Last known position and its chain hash, if the lane was followed to the end.
    pub fn tail(&self) -> Option<(i64, Hash)> {
        self.runs().last().map(|run| (run.last_pos, run.last_chain))
    }

    /// What must be read again, in order of position. `begins` tells that the first stretch is
    /// known to begin rightly.
    pub fn suspects(&self, begins: bool) -> Vec<Suspect> {
        if let Some(deferred) = &self.deferred {
            let anchored = begins && deferred.base.is_some_and(|b| deferred.from > b.first_pos);
            let from = if anchored { deferred.from } else { i64::MIN };
            return vec![Suspect {
                from,
                to: i64::MAX,
                anchored,
            }];
        }
        let runs = self.runs();
        let Some(first) = runs.first() else {
            return vec![Suspect::WHOLE];
        };
        let mut suspicious: Vec<(i64, i64)> = runs
            .windows(2)
            .map(|pair| (pair[0].last_pos, pair[1].first_pos))
            .collect();
        if !begins {
            suspicious.push((i64::MIN, first.first_pos));
        }
        for &spot in &self.spots {
            let after = runs.partition_point(|run| run.first_pos <= spot);
            let left = after.checked_sub(1).map(|at| runs[at].last_pos);
            if left.is_some_and(|last| last >= spot) {
                suspicious.push((spot, spot));
            } else {
                let right = runs.get(after).map_or(i64::MAX, |run| run.first_pos);
                suspicious.push((left.unwrap_or(i64::MIN), right));
            }
        }
        suspicious.sort_unstable();
        let mut suspects: Vec<Suspect> = Vec::new();
        for (low, high) in suspicious {
            let (from, to) = (low.saturating_sub(MARGIN), high.saturating_add(MARGIN));
            match suspects.last_mut() {
                Some(last) if from <= last.to => last.to = last.to.max(to),
                _ => suspects.push(Suspect {
                    from,
                    to,
                    anchored: from > first.first_pos,
                }),
            }
        }
        for suspect in &mut suspects {
            if !suspect.anchored {
                suspect.from = i64::MIN;
            }
        }
        suspects
    }
}
