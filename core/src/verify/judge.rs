//! The second look: entries of one lane in order of position, each judged with its neighbours.
//!
//! An entry is *sound* if its content matches `event_hash` and its `chain_hash` follows from
//! `prev_hash`, `event_hash` and `seq`. One that is not sound was edited, and the neighbours tell
//! which column. Between two sound neighbours that do not link, the earlier one was rewritten, since
//! the later one commits to what was there before; unless the later one is a *stray*, to which its
//! own successor does not link either. An entry that was found damaged is not held against its
//! neighbours, so damage is told once, and what is intact behind it is clean.

use super::diagnose::{Doubt, diagnose};
use super::examined::Examined;
use super::finding::{Finding, FindingKind, Neighbour};
use super::lane::Suspect;
use super::moves::{Gap, Moves};
use super::output::Output;
use super::reader::{Reader, Slot};
use super::view::{Store, Window};
use crate::hash::Hash;

/// Positions of strays that are remembered for one gap.
const STRAYS: usize = 16;

/// Judges one part of a lane.
pub(super) struct Judge<'a, 'o, S> {
    reader: Reader<'a, S>,
    window: Window,
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

/// How an entry came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing against it: a successor must continue it.
    Firm,
    /// Damaged, so a successor need not.
    Damaged,
    /// Sound, but it does not belong here.
    Stray,
}

/// What is known of the position before an entry.
struct Past {
    heads: Vec<Hash>,
    standing: Standing,
    kind: PastKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PastKind {
    /// Nothing can be before position 1.
    Genesis,
    /// The entry last judged.
    Judged,
    /// An entry outside the window.
    Outside,
    /// No entry.
    Absent,
}

/// What the entry at the next position says of one.
#[derive(Clone, Copy)]
enum Forward<'e> {
    /// It continues it.
    Joined(&'e Examined),
    /// It is to be believed, and continues another one.
    Denied(&'e Examined),
    /// It does not continue it, but nothing continues it either.
    Stray(&'e Examined),
    /// It is damaged.
    Unclear(&'e Examined),
    /// There is none.
    End,
}

impl<'e> Forward<'e> {
    fn entry(self) -> Option<&'e Examined> {
        match self {
            Forward::Joined(e) | Forward::Denied(e) | Forward::Stray(e) | Forward::Unclear(e) => {
                Some(e)
            }
            Forward::End => None,
        }
    }
}

/// Judges the part that `reader` reads, and returns the last position that an entry rightly holds,
/// with its chain hash.
pub(super) fn judge<S: Store>(
    reader: Reader<'_, S>,
    window: Window,
    part: &Suspect,
    output: &mut Output<'_>,
    moves: &mut Moves,
) -> Result<Option<(i64, Hash)>, S::Error> {
    let mut judge = Judge {
        reader,
        window,
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
        && let Some(anchor) = judge
            .reader
            .next()?
            .and_then(|slot| slot.entries.into_iter().next())
    {
        judge.trust(&anchor);
        judge.last_seq = Some(anchor.seq);
        judge.before = Some(Before {
            entry: anchor,
            standing: Standing::Firm,
            branches: Vec::new(),
        });
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
        let main = self.main(&slot, &past);
        let rest = slot.surplus.then(|| {
            let (output, label) = (
                &mut *self.output,
                "more than eight entries stand at this position",
            );
            self.reader.surplus(&slot, &mut |entry| {
                let kind = FindingKind::EntryInserted;
                let found = entry.chain.found();
                output.emit(output.finding(&entry, kind, label, None, found));
            })
        });
        rest.transpose()?;
        let entry = slot.entries.swap_remove(main);
        slot.entries.sort_by_key(Examined::order);
        let branches = self.rivals(slot.entries, &entry, &past);
        self.entry(entry, past, branches);
        Ok(())
    }

    /// What stands before `pos`.
    fn past(&mut self, pos: i64) -> Result<Past, S::Error> {
        if pos == 1 {
            let heads = vec![Hash::ZERO];
            return Ok(Past {
                heads,
                standing: Standing::Firm,
                kind: PastKind::Genesis,
            });
        }
        if let Some(Before {
            entry, standing, ..
        }) = &self.before
            && entry.pos.checked_add(1) == Some(pos)
        {
            let (heads, standing) = (entry.heads(), *standing);
            return Ok(Past {
                heads,
                standing,
                kind: PastKind::Judged,
            });
        }
        let outside = match pos.checked_sub(1) {
            Some(before) if pos > 1 => self.reader.outside(before)?,
            _ => Vec::new(),
        };
        let kind = if outside.is_empty() {
            PastKind::Absent
        } else {
            PastKind::Outside
        };
        let heads = outside.iter().flat_map(Examined::heads).collect();
        if let Some(entry) = outside.into_iter().next() {
            let standing = Standing::Firm;
            self.before = Some(Before {
                entry,
                standing,
                branches: Vec::new(),
            });
        }
        Ok(Past {
            heads,
            standing: Standing::Firm,
            kind,
        })
    }

    /// Which entry of the position belongs there: the one that its neighbours know, else a sound
    /// one, else the one appended first.
    fn main(&self, slot: &Slot, past: &Past) -> usize {
        let score = |entry: &Examined| {
            let forward = matches!(self.forward(entry), Forward::Joined(_));
            let back = entry.continues(&past.heads).is_some();
            2 * u8::from(forward) + 2 * u8::from(back) + u8::from(entry.sound())
        };
        let mut best = (0, 0);
        if slot.entries.len() > 1 {
            for (at, entry) in slot.entries.iter().enumerate() {
                let score = score(entry);
                if score > best.0 {
                    best = (score, at);
                }
            }
        }
        best.1
    }

    fn forward(&self, entry: &Examined) -> Forward<'_> {
        let Some(next) = self.reader.ahead(0).filter(|next| next.follows(entry.pos)) else {
            return Forward::End;
        };
        let after = self.reader.ahead(1).filter(|after| after.follows(next.pos));
        let heads = entry.heads();
        let joined = next
            .entries
            .iter()
            .filter(|next| next.continues(&heads).is_some());
        if let Some(next) = joined.max_by_key(|next| next.sound()) {
            return Forward::Joined(next);
        }
        let mut stray = None;
        for candidate in &next.entries {
            let heads = candidate.heads();
            let known = after
                .is_some_and(|after| after.entries.iter().any(|e| e.continues(&heads).is_some()));
            // What was moved up stood behind another entry, and says nothing of this one.
            let here = candidate.content_holds() || (known && !candidate.moved_up);
            let believable = candidate.link_holds() && here;
            if !believable {
                continue;
            }
            let unknown = !known
                && candidate.sound()
                && after.is_some_and(|after| after.entries.iter().any(Examined::sound));
            if !unknown {
                return Forward::Denied(candidate);
            }
            stray.get_or_insert(candidate);
        }
        match (stray, next.entries.first()) {
            (Some(stray), _) => Forward::Stray(stray),
            (None, Some(first)) => Forward::Unclear(first),
            (None, None) => Forward::End,
        }
    }

    /// Judges the entry that counts at its position.
    fn entry(&mut self, mut entry: Examined, past: Past, branches: Vec<Hash>) {
        let head = entry.continues(&past.heads);
        let forward = self.forward(&entry);
        let next = forward.entry().map(Examined::neighbour);
        let joined = head.is_some() || matches!(forward, Forward::Joined(_));
        let trusted = entry.place_holds() && (entry.sound() || joined);

        let mut standing = Standing::Firm;
        let mut verdict = None;
        let mut doubt = Doubt::None;
        if !entry.sound() {
            let found = diagnose(&entry, &past.heads, forward.entry());
            doubt = found.doubt;
            let mut detail = found.detail;
            if !trusted && found.kind == FindingKind::EntryEdited {
                detail.push_str(", and no neighbour links to the entry");
            }
            verdict = Some((found.kind, detail, found.expected, found.found));
            let foreign = found.kind == FindingKind::UnknownVersion && joined;
            standing = if foreign {
                Standing::Firm
            } else {
                Standing::Damaged
            };
        } else if let Some((kind, detail, expected, found)) =
            link_verdict(&entry, &past, head, forward)
        {
            standing = match kind {
                FindingKind::EntryInserted => Standing::Stray,
                _ => Standing::Damaged,
            };
            verdict = Some((kind, detail.to_owned(), expected, found));
            doubt = Doubt::Place;
        }
        if trusted {
            self.gap(&entry, &past, next);
        }
        let blamed = verdict.is_some();
        if !blamed && let Some(payload) = entry.other_payload {
            let detail = "the stored payload does not match payload_hash".to_owned();
            let found = Some(payload.0.to_vec());
            verdict = Some((
                FindingKind::PayloadEdited,
                detail,
                entry.payload.hash,
                found,
            ));
        }
        if let Some((kind, detail, expected, found)) = verdict {
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
        let whole = if self.window.has_beginning() {
            Some(0)
        } else {
            None
        };
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

type Verdict = (FindingKind, &'static str, Option<Hash>, Option<Vec<u8>>);

/// Judges the links of a sound entry. `head` is what it continues of what stands before it.
fn link_verdict(
    entry: &Examined,
    past: &Past,
    head: Option<Hash>,
    forward: Forward<'_>,
) -> Option<Verdict> {
    let before = past.heads.first().copied();
    let unlinked = |detail| {
        Some((
            FindingKind::EntryInserted,
            detail,
            before,
            entry.prev.found(),
        ))
    };
    let rewritten = |next: &Examined| {
        let detail = "the successor commits to another entry at this position: this one, or a run \
                      of entries that ends here, was replaced and its hashes recomputed";
        Some((
            FindingKind::EntryRewritten,
            detail,
            next.prev.hash,
            entry.chain.found(),
        ))
    };
    let fits_neither = "fits neither its predecessor nor its successor, though its own hashes \
                        agree: forged, or put in the place of another";
    match (head.is_some(), past.kind, past.standing, forward) {
        (true, _, _, Forward::Denied(next)) if next.continues(&past.heads).is_some() => {
            unlinked("its neighbours link around it")
        }
        (true, _, _, Forward::Denied(next)) => rewritten(next),
        (true, ..) => None,
        (_, PastKind::Absent, _, Forward::Denied(next)) => rewritten(next),
        (_, PastKind::Absent, ..) => None,
        (_, _, Standing::Firm | Standing::Stray, Forward::Denied(_) | Forward::Stray(_))
        | (_, _, Standing::Damaged, Forward::Denied(_)) => unlinked(fits_neither),
        (_, kind, Standing::Firm, _) => {
            let detail = match kind {
                PastKind::Genesis => "prev_hash of a lane's first entry must be zero",
                PastKind::Outside => {
                    "prev_hash is not the chain_hash of the entry before it, outside the window"
                }
                _ => "prev_hash is not the chain_hash of the entry before it",
            };
            Some((FindingKind::LinkBroken, detail, before, entry.prev.found()))
        }
        _ => None,
    }
}
