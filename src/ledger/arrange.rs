//! The order in which pending events are linked: that in which they came, but that an event of a key waits for
//! those that tell of earlier changes of the key ([`auditspine_core::versions`]), which are called ahead of
//! it where triggers told of them later; and but for a TRUNCATE, which stands ahead of what was told of the
//! emptied table first.
//!
//! It takes a look at the table to know what a key has in the end if a change is told after later ones were
//! linked, or if rows that shared a key for a while came and went beside one of which nothing was told. Such
//! a key is in doubt.

use std::collections::HashMap;

use auditspine_core::versions::{Change, Sequence, Version, sequence};

use crate::ledger::buffer::{Buffer, NameId, Origin, Pending};
use crate::pg::table::Uniqueness;

/// A key of which pending events do not tell for certain what it has in the end.
pub struct Doubt {
    /// The key.
    pub key: Vec<u8>,
    /// What pending events tell of it, and where that was told.
    pub changes: Vec<(Change, Origin)>,
    /// The version, and its file, that it has by the last of them; `None` if it has none.
    pub told: Option<(u32, Version)>,
    /// The last of them.
    pub last: Pending,
}

/// Pending events in the order in which they are linked, and keys that are in doubt.
pub struct Arranged {
    /// The events.
    pub events: Vec<Pending>,
    /// The keys.
    pub doubts: Vec<Doubt>,
}

/// No event.
const NONE: u32 = u32::MAX;

/// An event that says that a table was emptied.
struct Emptied {
    at: usize,
    /// The event that it stands ahead of.
    ahead_of: usize,
    kind: NameId,
    relation: u32,
    /// Whether that is the whole table, and no partition of it.
    whole: bool,
}

/// Arranges what is pending.
pub fn arrange(buffer: &Buffer) -> Arranged {
    let pending = buffer.pending();
    let mut emptied = Vec::new();
    // Of each key the last event, and of each event the one of its key before it.
    let mut last: HashMap<(NameId, &[u8]), u32> = HashMap::new();
    let mut before = vec![NONE; pending.len()];
    for (at, event) in pending.iter().enumerate() {
        if let Some((relation, ahead)) = event.emptied() {
            emptied.push(Emptied {
                at,
                ahead_of: at.saturating_sub(ahead),
                kind: event.fields.kind,
                relation: relation.to_u32(),
                whole: !event.has_payload(),
            });
        } else if matches!(event.fields.op, b'I' | b'U' | b'D') && !event.is_restated() {
            let key = (event.fields.kind, buffer.pk(event).unwrap_or_default());
            before[at] = last.insert(key, at as u32).unwrap_or(NONE);
        }
    }
    let untold = buffer.untold();
    // The event of the same key that tells of the change before.
    let mut behind = vec![NONE; pending.len()];
    let mut doubts = Vec::new();
    for ((kind, key), last) in last {
        let Some(group) = Group::of(buffer, &before, last) else {
            continue;
        };
        let late = group
            .changes
            .iter()
            .any(|(change, _)| buffer.is_late(change));
        if !group.is_doubtful() && !late {
            continue;
        }
        let changes: Vec<Change> = group.changes.iter().map(|(change, _)| *change).collect();
        let cuts = group.cuts(kind, &emptied);
        let sequence = sequence(&changes, &cuts, &untold);
        for pair in sequence.order.windows(2) {
            behind[group.members[pair[1]]] = group.members[pair[0]] as u32;
        }
        if (late || group.may_hide_a_row(&sequence, buffer.has_flushed()))
            && let Some(at) = sequence.order.last()
        {
            let change = changes[*at];
            let doubt = Doubt {
                key: key.to_vec(),
                told: change.began.map(|version| (change.file, version)),
                changes: group.changes,
                last: pending[group.members[*at]],
            };
            doubts.push((group.members[*at], doubt));
        }
    }
    doubts.sort_by_key(|(at, _)| *at);
    let doubts = doubts.into_iter().map(|(_, doubt)| doubt).collect();
    let mut slots: Vec<(usize, usize)> = (0..pending.len()).map(|at| (2 * at + 1, at)).collect();
    for it in &emptied {
        slots[it.at].0 = 2 * it.ahead_of;
    }
    if emptied.iter().any(|it| it.ahead_of < it.at) {
        slots.sort_by_key(|(slot, _)| *slot);
    }
    let events = in_turn(buffer, &behind, slots.into_iter().map(|(_, at)| at));
    Arranged { events, doubts }
}

/// Events in this order, but each behind the one that it has to follow.
fn in_turn(buffer: &Buffer, behind: &[u32], order: impl Iterator<Item = usize>) -> Vec<Pending> {
    let pending = buffer.pending();
    let is_of_system = |at: &usize| pending[*at].fields.op == b'S';
    let of_system: Vec<usize> = (0..pending.len()).filter(is_of_system).collect();
    let mut done = vec![false; pending.len()];
    let mut events = Vec::with_capacity(pending.len());
    let mut called = Vec::new();
    for at in order {
        let mut next = at as u32;
        while next != NONE && !done[next as usize] {
            called.push(next as usize);
            next = behind[next as usize];
        }
        while let Some(next) = called.pop() {
            // The layout that an event names is told ahead of it.
            if next != at
                && let Some(layout) = pending[next].fields.layout
            {
                let told = layout.to_string();
                let tells =
                    |it: &&usize| !done[**it] && buffer.pk(&pending[**it]) == Some(told.as_bytes());
                if let Some(it) = of_system.iter().find(tells).copied() {
                    done[it] = true;
                    events.push(pending[it]);
                }
            }
            done[next] = true;
            if !pending[next].is_restated() {
                events.push(pending[next]);
            }
        }
    }
    events
}

/// The events of one key, in the order in which they came.
struct Group {
    members: Vec<usize>,
    changes: Vec<(Change, Origin)>,
}

impl Group {
    /// `None` if it is not known of each which versions it ended or began: the order in which they came
    /// stands, then.
    fn of(buffer: &Buffer, before: &[u32], last: u32) -> Option<Group> {
        let mut group = Group {
            members: Vec::new(),
            changes: Vec::new(),
        };
        let mut at = last;
        while at != NONE {
            let event = &buffer.pending()[at as usize];
            group.members.push(at as usize);
            group.changes.push(buffer.change(event)?);
            at = before[at as usize];
        }
        group.members.reverse();
        group.changes.reverse();
        Some(group)
    }

    /// Whether the order in which they came may be another one than that of the changes.
    fn is_doubtful(&self) -> bool {
        self.changes
            .iter()
            .any(|(_, origin)| origin.uniqueness != Uniqueness::Always)
            || !self.changes.is_sorted_by_key(|(change, _)| change.command)
    }

    /// Whether there may be a row of the key of which these events tell nothing: they tell of none that
    /// goes on, and may be about rows that came beside it and went.
    fn may_hide_a_row(&self, sequence: &Sequence, has_flushed: bool) -> bool {
        let in_the_end = |(_, origin): &(_, Origin)| origin.uniqueness == Uniqueness::InTheEnd;
        let shared = self.changes.iter().any(in_the_end);
        shared && !sequence.goes_on && (sequence.all_new || has_flushed)
    }

    /// Events that tell of the table as it was after it was emptied, the first of each time.
    fn cuts(&self, kind: NameId, emptied: &[Emptied]) -> Vec<usize> {
        let about = |it: &&Emptied| {
            it.kind == kind
                && (it.whole
                    || self
                        .changes
                        .iter()
                        .any(|(change, _)| change.relation == it.relation))
        };
        emptied
            .iter()
            .filter(about)
            .map(|it| self.members.partition_point(|at| *at < it.ahead_of))
            .collect()
    }
}
