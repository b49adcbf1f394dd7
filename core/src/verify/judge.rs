//! The second look: entries of one lane in order of position, each judged with its neighbours.
//!
//! An entry is *sound* if its content matches `event_hash` and its `chain_hash` follows from
//! `prev_hash`, `event_hash` and `seq`. One that is not sound was edited, and the neighbours tell
//! which column. Between two sound neighbours that do not link, the earlier one was rewritten, since
//! the later one commits to what was there before; unless the later one is a *stray*, to which its
//! own successor does not link either. An entry that was found damaged is not held against its
//! neighbours, so damage is told once, and what is intact behind it is clean.

use super::diagnose::{Diagnosis, Doubt, diagnose};
use super::examined::Examined;
use super::finding::{Finding, FindingKind, Neighbour};
use super::kept::Kept;
use super::lane::Suspect;
use super::links::{Forward, Past, PastKind, Standing, judge_links, rightful};
use super::moves::{Gap, Moves};
use super::output::Output;
use super::reader::{Reader, Slot};
use super::scope::Scope;
use super::view::Store;
use crate::hash::Hash;

/// Positions of strays that are remembered for one gap.
const STRAYS: usize = 16;

/// Judges one part of a lane.
struct Judge<'a, 'o, S> {
    reader: Reader<'a, S>,
    scope: &'a Scope,
    kept: &'a Kept,
    output: &'a mut Output<'o>,
    moves: &'a mut Moves,
    before: Option<Before>,
    /// The last position that an entry rightly holds.
    trusted: Option<i64>,
    /// Positions since then whose entries do not belong there.
    strays: Vec<i64>,
    stray_count: i64,
    last_seq: Option<i64>,
    tail: Option<(i64, Hash)>,
}

/// The entry that counts as the last one judged.
struct Before {
    entry: Examined,
    standing: Standing,
    /// Heads of rivals at its position that fork off.
    branches: Vec<Hash>,
}

impl Before {
    fn firm(entry: Examined) -> Before {
        Before {
            entry,
            standing: Standing::Firm,
            branches: Vec::new(),
        }
    }
}

/// Judges the part that `reader` reads, and returns the last position that an entry rightly holds,
/// with its chain hash.
pub(super) fn judge<'a, S: Store>(
    reader: Reader<'a, S>,
    (scope, kept): (&'a Scope, &'a Kept),
    part: &Suspect,
    output: &'a mut Output<'_>,
    moves: &'a mut Moves,
) -> Result<Option<(i64, Hash)>, S::Error> {
    let mut judge = Judge {
        reader,
        scope,
        kept,
        output,
        moves,
        before: None,
        trusted: None,
        strays: Vec::new(),
        stray_count: 0,
        last_seq: None,
        tail: None,
    };
    if part.anchored
        && let Some(slot) = judge.reader.next()?
        && let Some(anchor) = slot.entries.into_iter().next()
    {
        judge.trust(&anchor);
        judge.last_seq = Some(anchor.seq);
        judge.before = Some(Before::firm(anchor));
    }
    while let Some(slot) = judge.reader.next()? {
        judge.reader.look_ahead()?;
        judge.slot(slot)?;
    }
    Ok(judge.tail)
}

impl<S: Store> Judge<'_, '_, S> {
    fn slot(&mut self, mut slot: Slot) -> Result<(), S::Error> {
        let past = self.past(slot.pos)?;
        let main = rightful(&slot, &past, self.reader.ahead(0));
        if slot.surplus {
            let output = &mut *self.output;
            self.reader.surplus(&slot, &mut |entry| {
                let kind = FindingKind::EntryInserted;
                let detail = "more than eight entries stand at this position";
                output.emit(output.finding(&entry, kind, detail, None, entry.chain.found()));
            })?;
        }
        // A slot has at least the entry that it was made for, and `main` is one of them.
        let entry = slot.entries.remove(main);
        let branches = self.rivals(slot.entries, &entry, &past);
        self.entry(entry, past, branches);
        Ok(())
    }

    /// What stands before `pos`.
    fn past(&mut self, pos: i64) -> Result<Past, S::Error> {
        let (heads, standing, kind) = match &self.before {
            _ if pos == 1 => (vec![Hash::ZERO], Standing::Firm, PastKind::Genesis),
            Some(Before {
                entry, standing, ..
            }) if entry.pos.checked_add(1) == Some(pos) => {
                (entry.heads(), *standing, PastKind::Judged)
            }
            _ => {
                let outside = if pos > 1 {
                    self.reader.outside(pos - 1)?
                } else {
                    Vec::new()
                };
                let kind = if outside.is_empty() {
                    PastKind::Absent
                } else {
                    PastKind::Outside
                };
                let heads = outside.iter().flat_map(Examined::heads).collect();
                if let Some(entry) = outside.into_iter().next() {
                    self.before = Some(Before::firm(entry));
                }
                (heads, Standing::Firm, kind)
            }
        };
        Ok(Past {
            heads,
            standing,
            kind,
        })
    }

    fn forward(&self, entry: &Examined) -> Forward<'_> {
        Forward::of(entry, self.reader.ahead(0), self.reader.ahead(1))
    }

    /// Judges the entry that counts at its position.
    fn entry(&mut self, mut entry: Examined, past: Past, branches: Vec<Hash>) {
        let head = entry.continues(&past.heads);
        let forward = self.forward(&entry);
        let next = forward.entry().map(Examined::neighbour);
        let joined = head.is_some() || matches!(forward, Forward::Joined(_));
        let trusted = entry.place_holds() && (entry.sound() || joined);

        let mut verdict = if entry.sound() {
            judge_links(&entry, &past, head, forward)
        } else {
            Some(diagnose(&entry, &past.heads, forward.entry()))
        };
        let standing = match &verdict {
            None => Standing::Firm,
            Some(found) if found.kind == FindingKind::UnknownVersion && joined => Standing::Firm,
            Some(found) if found.kind == FindingKind::EntryInserted => Standing::Stray,
            Some(_) => Standing::Damaged,
        };
        if trusted {
            self.gap(&entry, &past, next);
        }
        let blamed = verdict.is_some();
        if !blamed && let Some(payload) = entry.other_payload {
            verdict = Some(Diagnosis {
                kind: FindingKind::PayloadEdited,
                detail: "the stored payload does not match payload_hash".to_owned(),
                expected: entry.payload.hash,
                found: Some(payload.0.to_vec()),
                doubt: Doubt::None,
            });
        }
        if verdict.is_none() && entry.lost_payload(self.kept) {
            verdict = Some(Diagnosis {
                kind: FindingKind::PayloadRemoved,
                detail: "the payload that was kept is gone, and no entry says that it was erased"
                    .to_owned(),
                expected: entry.payload.hash,
                found: None,
                doubt: Doubt::None,
            });
        }
        if let Some(mut found) = verdict {
            if !trusted && found.kind == FindingKind::EntryEdited {
                found
                    .detail
                    .push_str(", and no neighbour links to the entry");
            }
            let Diagnosis {
                kind,
                detail,
                expected,
                found,
                doubt,
            } = found;
            let finding = self.finding(&entry, next, kind, detail, expected, found);
            self.moves.damaged(&mut entry, finding, doubt, self.output);
        }
        if !blamed {
            self.order(&entry, &past, next);
            self.last_seq = Some(entry.seq);
        }
        if trusted {
            self.trust(&entry);
        } else if entry.place_holds() {
            self.stray_count += 1;
            if self.strays.len() < STRAYS {
                self.strays.push(entry.pos);
            }
        }
        self.before = Some(Before {
            entry,
            standing,
            branches,
        });
    }

    fn trust(&mut self, entry: &Examined) {
        self.trusted = Some(entry.pos);
        self.strays.clear();
        self.stray_count = 0;
        self.tail = entry
            .chain
            .hash
            .map(|chain| (entry.pos, chain))
            .or(self.tail);
    }

    /// Tells how many entries are missing before `entry`.
    fn gap(&mut self, entry: &Examined, past: &Past, next: Option<Neighbour>) {
        let whole = self.scope.beginning((entry.chain_id, entry.lane));
        let low = match self.trusted.or(whole) {
            Some(last) => last + 1,
            None if past.kind == PastKind::Absent && self.before.is_none() => entry.pos - 1,
            None => return,
        };
        let unknown = self.trusted.or(whole).is_none();
        let present = self.stray_count + i64::from(past.kind == PastKind::Outside);
        let missing = entry.pos - low - present;
        if missing <= 0 {
            return;
        }
        let kind = FindingKind::EntriesMissing;
        let expected = entry.prev.hash;
        self.moves.gap(
            Gap {
                finding: self.finding(entry, next, kind, String::new(), expected, None),
                chain_id: entry.chain_id,
                lane: entry.lane,
                low,
                high: entry.pos - 1,
                occupied: self.strays.clone(),
                missing: (!unknown).then_some(missing),
            },
            self.output,
        );
    }

    /// Tells whether `seq` goes back at `entry`.
    fn order(&mut self, entry: &Examined, past: &Past, next: Option<Neighbour>) {
        let outside = self
            .before
            .as_ref()
            .filter(|_| past.kind == PastKind::Outside);
        let outside = outside.map(|before| before.entry.seq);
        let last = match (outside, self.last_seq) {
            (Some(outside), Some(last)) if outside <= last => Some((outside, last, true)),
            (Some(outside), _) => Some((outside, outside, false)),
            (None, last) => last.map(|last| (last, last, false)),
        };
        let Some((before, bound, strange)) = last else {
            return;
        };
        if !strange && bound < entry.seq {
            return;
        }
        let detail = format!(
            "seq is {}, that of the entry before it {before}: seq must grow along a lane",
            entry.seq
        );
        let found = self.finding(entry, next, FindingKind::SeqOrder, detail, None, None);
        self.output.emit(found);
    }

    /// Judges what stands at the position of `main` besides; returns the heads of forks.
    fn rivals(&mut self, rivals: Vec<Examined>, main: &Examined, past: &Past) -> Vec<Hash> {
        let mut branches = Vec::new();
        for mut rival in rivals {
            let same = rival.event.hash == main.event.hash
                && rival.prev.hash == main.prev.hash
                && rival.chain.hash == main.chain.hash;
            let joined = rival.continues(&past.heads).is_some()
                || (rival.prev.hash.is_some() && rival.prev.hash == main.prev.hash);
            let of_branch = self.before.as_ref().is_some_and(|before| {
                past.kind == PastKind::Judged && rival.continues(&before.branches).is_some()
            });
            let mut doubt = Doubt::None;
            let (kind, detail) = if same {
                let kept = main.seq;
                let detail = format!("the same entry also stands here as seq {kept}");
                (FindingKind::Duplicate, detail)
            } else if !rival.sound() {
                let found = diagnose(&rival, &past.heads, None);
                doubt = found.doubt;
                match found.kind {
                    FindingKind::EntryEdited => {
                        let detail = format!("a second entry at this position; {}", found.detail);
                        (FindingKind::EntryInserted, detail)
                    }
                    kind => (kind, found.detail),
                }
            } else if joined || of_branch {
                doubt = Doubt::Place;
                branches.extend(rival.chain.hash);
                let what = if joined {
                    "the same predecessor"
                } else {
                    "a fork"
                };
                let detail = format!("continues {what}, besides the entry with seq {}", main.seq);
                (FindingKind::Fork, detail)
            } else {
                doubt = Doubt::Place;
                let detail = format!(
                    "a second entry at this position, besides seq {}, that no neighbour links to",
                    main.seq
                );
                (FindingKind::EntryInserted, detail)
            };
            let (expected, found) = (main.chain.hash, rival.chain.found());
            let next = self.forward(main).entry().map(Examined::neighbour);
            let finding = self.finding(&rival, next, kind, detail, expected, found);
            self.moves.damaged(&mut rival, finding, doubt, self.output);
        }
        branches
    }

    fn finding(
        &self,
        entry: &Examined,
        next: Option<Neighbour>,
        kind: FindingKind,
        detail: String,
        expected: Option<Hash>,
        found: Option<Vec<u8>>,
    ) -> Finding {
        let predecessor = self.before.as_ref().map(|before| before.entry.neighbour());
        let behind = || {
            self.reader
                .ahead(0)?
                .entries
                .first()
                .map(Examined::neighbour)
        };
        Finding {
            predecessor,
            successor: next.or_else(behind),
            ..self.output.finding(entry, kind, detail, expected, found)
        }
    }
}
