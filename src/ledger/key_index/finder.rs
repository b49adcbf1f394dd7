//! The entries of many keys of one kind, looked up again and again while other sessions write: by a backfill.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use auditspine_core::key_index::{Mark, bound, key_of};

use crate::error::Failure;
use crate::ledger::by_place::{ByPlace, Place};
use crate::ledger::catalog::column;
use crate::ledger::key_index::places::usable;
use crate::ledger::key_index::search::Search;
use crate::ledger::key_index::tables::{Since, mark_now};
use crate::ledger::key_index::tail::{self, Wanted};
use crate::pg::snapshot;
use crate::pg::values::Values;

/// The tail of one kind, kept in memory, and read on from where it was read to.
pub struct Tail {
    kind: Box<[u8]>,
    /// The fill that it begins at.
    fill_id: Option<i64>,
    since: Since,
    marks: Vec<Mark>,
    places: HashMap<i64, Vec<Place>>,
    len: usize,
}

impl Tail {
    /// Of which nothing was read yet.
    pub fn new(kind: &[u8]) -> Tail {
        Tail {
            kind: kind.into(),
            fill_id: None,
            since: Since::EVER,
            marks: Vec::new(),
            places: HashMap::new(),
            len: 0,
        }
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Notes how things stand, before the next snapshot is taken.
    pub fn mark(&mut self) {
        self.marks.push(mark_now());
    }

    /// Reads on under the active snapshot, which was taken after the last [`Tail::mark`]; `fill` is what it sees as the
    /// last one.
    fn read_on(&mut self, fill: Option<(i64, Since)>) {
        let fill_id = fill.map(|(id, _)| id);
        if self.fill_id != fill_id {
            self.fill_id = fill_id;
            self.since = fill.map_or(Since::EVER, |(_, since)| since);
            self.places.clear();
            self.len = 0;
        }
        let Tail {
            kind, places, len, ..
        } = self;
        let wanted = Wanted { kind, keys: None };
        tail::read(self.since, wanted, &mut |key, place| {
            let Some(key) = key else { return };
            let places = places.entry(key_of(kind, Some(key))).or_default();
            if !places.contains(&place) {
                places.push(place);
                *len += 1;
            }
        });
        if let Some(mark) = bound(&self.marks, snapshot::oldest_unseen()) {
            // Never back to before the fill.
            if mark.seq > self.since.seq {
                self.since = Since::mark(Some(mark));
            }
            self.marks.retain(|kept| kept.next_xid >= mark.next_xid);
        }
    }
}

/// Finds entries under the snapshot that was active when it was opened, and has to stay so.
pub struct Finder {
    tail: Rc<RefCell<Tail>>,
    kind: Box<[u8]>,
    runs: Option<Search>,
    entries: ByPlace,
}

impl Finder {
    /// Reads the tail on, and begins to look up keys.
    pub fn open(tail: Rc<RefCell<Tail>>) -> Finder {
        let usable = usable();
        let fill = usable.as_ref().map(|(_, fill)| (fill.fill_id, fill.since));
        tail.borrow_mut().read_on(fill);
        let kind = tail.borrow().kind.clone();
        let runs = usable.map(|(tables, _)| {
            let runs = tables.runs().into_iter().map(|run| run.run).collect();
            Search::open(&tables, runs)
        });
        Finder {
            tail,
            kind,
            runs,
            entries: ByPlace::open(),
        }
    }

    /// Shows all entries with this key.
    pub fn find(&mut self, key: &[u8], show: &mut dyn FnMut(&Values<'_>)) {
        let digest = key_of(&self.kind, Some(key));
        let tail = self.tail.borrow();
        let mut places: Vec<Place> = tail.places.get(&digest).cloned().unwrap_or_default();
        drop(tail);
        if let Some(runs) = &mut self.runs
            && runs
                .find(digest, |item| {
                    places.push((item.chain_id, item.lane, item.pos));
                })
                .is_err()
        {
            Failure::BrokenInstallation.raise(
                "auditspine.history_page is not as it was written",
                "SELECT index_history(rebuild => true) makes the index of histories anew",
            );
        }
        places.sort_unstable();
        places.dedup();
        for place in places {
            self.entries.at(place, column::LAYOUT + 1, |row| {
                let kind = row.content(column::EVENT_KIND);
                let pk = row.content(column::EVENT_PK);
                if kind.as_deref() == Some(&*self.kind) && pk.as_deref() == Some(key) {
                    show(row);
                }
            });
        }
    }
}
