//! Keys of which pending events do not tell for certain what they have in the end ([`crate::ledger::arrange`])
//! are looked up before the events are linked. Who can read the tables says how.

use std::cell::Cell;
use std::collections::HashSet;

use crate::ledger::arrange::{Arranged, Doubt, arrange};
use crate::ledger::buffer::{self, Buffer, Early, Fields, NameId, Pending};

/// What became of a key that was in doubt.
pub enum Present {
    /// Not known: its table, or the trigger, is gone.
    Unknown,
    /// What was told of it last is so.
    AsTold,
    /// It has no row.
    Gone,
    /// It has another row, or another version of it, which was recorded now.
    Restated,
}

/// Looks keys up that are in doubt, and records with [`Buffer::push_restated`] what they have, if that is
/// something else than was told.
pub type Restate = fn(&[Doubt]) -> Vec<Present>;

thread_local! {
    static RESTATE: Cell<Option<Restate>> = const { Cell::new(None) };
    static SETTLING: Cell<bool> = const { Cell::new(false) };
}

/// Says who looks keys up; to be called ahead of the first change of a row.
pub fn restate_with(restate: Restate) {
    RESTATE.set(Some(restate));
}

/// Whether keys are being looked up: nothing is linked meanwhile.
pub fn is_settling() -> bool {
    SETTLING.get()
}

/// The pending events in the order in which they are linked, with what is to be told of keys that were in
/// doubt; `None` if they stay as they came. `at_end` if nothing is to come after.
pub fn settle(at_end: bool) -> Option<Vec<Pending>> {
    let came = |buffer: &Buffer| buffer.pending().len();
    let early = match at_end {
        true => buffer::with_mut(Buffer::take_early),
        false => Vec::new(),
    };
    let (arranged, before) = buffer::with(|buffer| {
        (buffer.is_disordered() || !early.is_empty()).then(|| (arrange(buffer), came(buffer)))
    })?;
    let Arranged {
        mut events,
        mut doubts,
    } = arranged;
    again(early, &mut doubts);
    if let Some(restate) = RESTATE.get().filter(|_| !doubts.is_empty()) {
        let _settling = Settling::begin();
        for (doubt, present) in doubts.iter().zip(restate(&doubts)) {
            if matches!(present, Present::Gone) && doubt.told.is_some() {
                let op = b'D';
                let fields = Fields {
                    op,
                    ..doubt.last.fields
                };
                buffer::with_mut(|buffer| {
                    let payload = buffer.payload(&doubt.last).map(<[u8]>::to_vec);
                    buffer.push_restated(fields, Some(&doubt.key), payload.as_deref());
                });
            }
        }
        buffer::with(|buffer| events.extend_from_slice(&buffer.pending()[before..]));
    }
    Some(events)
}

/// Has keys looked up that were told of ahead of the commit: another transaction may have told since that a row of
/// the same key went, which it could have for a while.
fn again(early: Vec<Early>, doubts: &mut Vec<Doubt>) {
    let mut seen: HashSet<(NameId, Box<[u8]>)> = doubts
        .iter()
        .map(|doubt| (doubt.last.fields.kind, doubt.key.as_slice().into()))
        .collect();
    for Early { key, last, change } in early.into_iter().rev() {
        if seen.insert((last.fields.kind, key.clone())) && last.fields.op != b'D' {
            doubts.push(Doubt {
                key: key.into(),
                changes: vec![change],
                told: None,
                last,
            });
        }
    }
}

/// Nothing is linked while keys are looked up, whatever is recorded then.
struct Settling;

impl Settling {
    fn begin() -> Settling {
        SETTLING.set(true);
        Settling
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        SETTLING.set(false);
    }
}
