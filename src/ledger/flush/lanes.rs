//! The lanes that a flush writes to, and their ends.

use std::rc::Rc;

use crate::ledger::buffer::{self, NameId, Pending};
use crate::ledger::catalog::State;
use crate::ledger::head::{self, Head, Row};
use crate::ledger::{chains, lane};
use crate::pg::insert::Inserter;

/// The chains that events go to.
pub struct Chains {
    names: Vec<NameId>,
    /// Those that are made if they do not exist.
    created: Vec<Rc<[u8]>>,
}

impl Chains {
    /// Of these events.
    pub(super) fn of(events: &[Pending]) -> Chains {
        let mut names: Vec<(NameId, bool)> = Vec::with_capacity(1);
        for event in events {
            let name = (event.fields.chain, event.fields.creates_chain);
            // Nearly always that of the event before.
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        if names.len() > 1 {
            names.sort_unstable();
            names.dedup();
        }
        let created = names.iter().filter(|(_, creates)| *creates);
        let created = created.map(|(name, _)| buffer::name(*name)).collect();
        let mut names: Vec<NameId> = names.into_iter().map(|(name, _)| name).collect();
        names.dedup();
        Chains { names, created }
    }

    /// Makes those chains that are to be made, and takes a lane of each for the rest of the
    /// transaction, waiting as a flush does.
    pub fn wait_for(&self) {
        self.create();
        for (_, chain) in self.in_lock_order() {
            lane::acquire(&chain);
        }
    }

    pub(super) fn create(&self) {
        if !self.created.is_empty() {
            chains::ensure(self.created.iter().map(|text| &text[..]));
        }
    }

    pub(super) fn all_exist(&self) -> bool {
        self.created.iter().all(|name| chains::find(name).is_some())
    }

    fn in_lock_order(&self) -> Vec<(NameId, chains::Chain)> {
        let chain = |id: &NameId| (*id, chains::expect_interned(*id));
        let mut all: Vec<_> = self.names.iter().map(chain).collect();
        if all.len() > 1 {
            all.sort_by_key(|(_, chain)| lane::lock_order(chain));
        }
        all
    }
}

/// A lane that this flush holds, and its end so far.
pub(super) struct Lane {
    pub(super) chain_id: i32,
    pub(super) chain: Rc<[u8]>,
    pub(super) lane: i16,
    pub(super) head: Head,
    /// The last position that an event of the batch has, linked or not.
    pub(super) given: i64,
    /// Which row of the batch is its last entry, if one is.
    pub(super) last_row: Option<Row>,
}

/// The lanes of a flush.
pub(super) struct Lanes {
    pub(super) all: Vec<Lane>,
    /// The lane of each name, in the order of names.
    by_chain: Vec<(NameId, usize)>,
    /// The chain of the event before, which is nearly always that of the next.
    recent: Option<(NameId, usize)>,
}

impl Lanes {
    /// Takes a lane of each chain; `None` if that takes waiting and `wait` is false.
    pub(super) fn take(
        events: &[Pending],
        state: &State,
        inserter: &Inserter,
        wait: bool,
    ) -> Option<Lanes> {
        let wanted = Chains::of(events);
        if wait {
            wanted.create();
        } else if !wanted.all_exist() {
            return None;
        }
        let mut lanes = Lanes {
            all: Vec::with_capacity(1),
            by_chain: Vec::with_capacity(1),
            recent: None,
        };
        for (id, chain) in wanted.in_lock_order() {
            // By its tenant and by its name.
            if lanes
                .all
                .last()
                .is_some_and(|last| last.chain_id == chain.id)
            {
                lanes.by_chain.push((id, lanes.all.len() - 1));
                continue;
            }
            let lane = if wait {
                lane::acquire(&chain)
            } else {
                lane::try_acquire(&chain)?
            };
            let head = head::read(inserter, state, chain.id, lane);
            lanes.by_chain.push((id, lanes.all.len()));
            lanes.all.push(Lane {
                chain_id: chain.id,
                chain: chain.name,
                lane,
                head,
                given: head.pos,
                last_row: None,
            });
        }
        lanes.by_chain.sort_unstable();
        Some(lanes)
    }

    /// The lane that events of this chain go to.
    pub(super) fn of(&mut self, chain: NameId) -> &mut Lane {
        let at = match self.recent {
            Some((recent, at)) if recent == chain => at,
            // Every chain of the flush's events is there.
            _ => match self.by_chain.binary_search_by_key(&chain, |(id, _)| *id) {
                Ok(found) => self.by_chain[found].1,
                Err(_) => 0,
            },
        };
        self.recent = Some((chain, at));
        &mut self.all[at]
    }
}
