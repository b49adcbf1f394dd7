//! Entries of one lane in order of position, with a look ahead.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::examined::Examined;
use super::lane::Suspect;
use super::scope::Scope;
use super::view::{Chain, EntryView, Store};

/// Positions read at a time: the index is entered anew for each batch.
const BATCH: usize = 512;
/// Entries at one position that are weighed against each other.
const RIVALS: usize = 8;
/// Positions behind the part to be judged that are read too.
const LOOK_AHEAD: usize = 2;

/// All entries at one position, in an order that does not depend on how they are stored.
#[derive(Debug)]
pub(super) struct Slot {
    pub pos: i64,
    pub entries: Vec<Examined>,
    /// Whether there are more; they come last in that order.
    pub surplus: bool,
}

impl Slot {
    fn take(&mut self, entry: Examined) {
        let at = self
            .entries
            .partition_point(|other| other.order() <= entry.order());
        self.entries.insert(at, entry);
        if self.entries.len() > RIVALS {
            self.entries.pop();
            self.surplus = true;
        }
    }

    /// Whether this is the position right after `pos`.
    pub fn follows(&self, pos: i64) -> bool {
        pos.checked_add(1) == Some(self.pos)
    }
}

/// Reads a part of a lane.
pub(super) struct Reader<'a, S> {
    store: &'a mut S,
    scope: &'a Scope,
    chain: Option<&'a Chain>,
    place: (i32, i16),
    to: i64,
    ahead: VecDeque<Slot>,
    /// Where the next batch begins; `None` at the end.
    next: Option<i64>,
    scratch: Vec<u8>,
}

impl<'a, S: Store> Reader<'a, S> {
    /// A reader of part of a lane, named by `(chain_id, lane)`. `chain` is its chain, if known.
    pub fn new(
        store: &'a mut S,
        scope: &'a Scope,
        chain: Option<&'a Chain>,
        place: (i32, i16),
        part: &Suspect,
    ) -> Reader<'a, S> {
        let next = Some(part.from.max(scope.first_pos(place)));
        let (ahead, scratch) = (VecDeque::new(), Vec::new());
        Reader {
            store,
            scope,
            chain,
            place,
            to: part.to,
            ahead,
            next,
            scratch,
        }
    }

    /// Takes the next position that has entries.
    pub fn next(&mut self) -> Result<Option<Slot>, S::Error> {
        self.fill(1)?;
        Ok(self.ahead.pop_front().filter(|slot| slot.pos <= self.to))
    }

    /// Reads on until the next two positions can be seen by [`Reader::ahead`], if there are as many.
    pub fn look_ahead(&mut self) -> Result<(), S::Error> {
        self.fill(LOOK_AHEAD)
    }

    /// What comes after the position last taken: 0 is the next position that has entries.
    pub fn ahead(&self, at: usize) -> Option<&Slot> {
        self.ahead.get(at)
    }

    fn fill(&mut self, count: usize) -> Result<(), S::Error> {
        while self.ahead.len() < count
            && let Some(from) = self.next.take()
        {
            let (scope, chain, to) = (self.scope, self.chain, self.to);
            let (ahead, next, scratch) = (&mut self.ahead, &mut self.next, &mut self.scratch);
            let full = ahead.len() + BATCH;
            self.store
                .entries_from(self.place.0, self.place.1, from, &mut |view| {
                    let last = ahead.back().map(|slot| slot.pos);
                    // A store that answers out of order must not derail the positions.
                    if !scope.contains_entry(view)
                        || view.pos < last.map_or(from, |pos| pos.max(from))
                    {
                        return ControlFlow::Continue(());
                    }
                    if last != Some(view.pos) {
                        let beyond = ahead
                            .iter()
                            .rev()
                            .take(LOOK_AHEAD)
                            .filter(|slot| slot.pos > to);
                        if beyond.count() == LOOK_AHEAD {
                            return ControlFlow::Break(());
                        }
                        if ahead.len() >= full {
                            *next = Some(view.pos);
                            return ControlFlow::Break(());
                        }
                        ahead.push_back(Slot {
                            pos: view.pos,
                            entries: vec![],
                            surplus: false,
                        });
                    }
                    if let Some(slot) = ahead.back_mut() {
                        slot.take(Examined::new(view, chain, scratch));
                    }
                    ControlFlow::Continue(())
                })?;
        }
        Ok(())
    }

    /// Shows the entries of a position that [`Slot::entries`] has no room for.
    pub fn surplus(&mut self, slot: &Slot, show: &mut dyn FnMut(Examined)) -> Result<(), S::Error> {
        let Some(last) = slot.entries.last().filter(|_| slot.surplus) else {
            return Ok(());
        };
        let (scope, chain, scratch) = (self.scope, self.chain, &mut self.scratch);
        self.store
            .entries_at(self.place.0, self.place.1, slot.pos, &mut |view| {
                if scope.contains_entry(view) {
                    let entry = Examined::new(view, chain, scratch);
                    if entry.order() > last.order() {
                        show(entry);
                    }
                }
            })
    }

    /// The entries outside the window at one position of this lane.
    pub fn outside(&mut self, pos: i64) -> Result<Vec<Examined>, S::Error> {
        let mut entries: Vec<Examined> = Vec::new();
        if self.scope.is_whole(self.place) {
            return Ok(entries);
        }
        let (scope, chain, scratch) = (self.scope, self.chain, &mut self.scratch);
        self.store
            .entries_at(self.place.0, self.place.1, pos, &mut |view: &EntryView<
                '_,
            >| {
                if !scope.contains_entry(view) && entries.len() < RIVALS {
                    entries.push(Examined::new(view, chain, scratch));
                }
            })?;
        entries.sort_by(|one, other| one.order().cmp(&other.order()));
        Ok(entries)
    }
}
