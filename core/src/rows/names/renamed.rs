//! Rows of a table whose key has changed, held against entries that name them by older keys.
//!
//! A row that was recorded last before the key changed is known by its older name, if that can still be read
//! from its columns. Names that cannot are held against one another by number: each older name whose row was
//! there when the key changed is that of a row which is there and has no other entry, or of one that an entry
//! with a newer name tells of first by an UPDATE or DELETE. All names are kept in memory.

use std::collections::{BTreeMap, HashMap};

use super::epochs::KeyEpochs;
use super::matching::Matching;
use crate::rows::join::Outcome;
use crate::rows::join_record::{EntryRecord, RowRecord};
use crate::rows::removals::Removals;

/// What entries of one epoch say of a name.
struct Named {
    /// The last one.
    last: EntryRecord,
    /// The last one by time, if that is another.
    by_time: Option<EntryRecord>,
    /// The first one, and whether it tells that the row came.
    first: i64,
    came: bool,
    /// Whether the name that the row had before is accounted for, or is none of an earlier epoch.
    known: bool,
    /// Whether a row has it.
    met: bool,
}

impl Named {
    fn of(record: EntryRecord, came: bool) -> Named {
        Named {
            last: record,
            by_time: None,
            first: record.seq,
            came,
            known: came,
            met: false,
        }
    }

    fn take_in(&mut self, record: EntryRecord, came: bool) {
        if record.seq < self.first {
            (self.first, self.came, self.known) = (record.seq, came, came);
        }
        let last = self.last;
        let (earlier, later) = match (record.seq, record.at) >= (last.seq, last.at) {
            true => (last, record),
            false => (record, last),
        };
        self.last = later;
        if earlier.at > later.at && self.by_time.is_none_or(|known| earlier.at > known.at) {
            self.by_time = Some(earlier);
        }
    }
}

type Names = HashMap<Box<[u8]>, Named>;

/// A row's name in an older epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OldName {
    /// It is this.
    Is(Vec<u8>),
    /// It cannot be read from the row any more.
    Lost,
    /// The row had none: a column of it is null.
    None,
}

/// Reads the names of the newest epoch that the payloads of entries tell; given one, and the epoch that it is
/// of. `None` if the entry does not tell.
pub type ByPayload<'a> = dyn FnMut(&EntryRecord, usize) -> Option<Vec<u8>> + 'a;

/// The names of all epochs.
pub struct Renamed<'a> {
    epochs: &'a KeyEpochs,
    removals: Removals,
    /// By epoch. Of older ones, once [`Renamed::follow`] was called, those that no newer name is known of.
    names: Vec<Names>,
    /// By epoch: how many of its names are of rows that were there when it began, and of which the name of
    /// before is not known.
    orphans: Vec<u64>,
    /// Rows that no entry names and that may have had a name which cannot be read any more, by its epochs.
    lost: BTreeMap<Vec<usize>, Vec<RowRecord>>,
    /// How many rows are known by an older name.
    by_older: u64,
}

/// What was left over when all rows were held against all names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Entries whose rows are gone.
    pub missing: Vec<EntryRecord>,
    /// So many more are gone, of these; which of them cannot be told.
    pub some_missing: (u64, Vec<EntryRecord>),
    /// Rows that no entry tells of, whatever they were called.
    pub unrecorded: Vec<RowRecord>,
    /// Rows that cannot be told from one another, and that are as many as there should be, or more.
    pub lost: Vec<RowRecord>,
    /// So many of those are more than there should be.
    pub too_many: u64,
    /// So many rows, known by an older name, may have it from another row that is called otherwise since.
    pub in_doubt: u64,
}

impl<'a> Renamed<'a> {
    /// None yet.
    pub fn new(epochs: &'a KeyEpochs) -> Renamed<'a> {
        Renamed {
            epochs,
            removals: Removals::default(),
            names: (0..epochs.count()).map(|_| Names::default()).collect(),
            orphans: vec![0; epochs.count()],
            lost: BTreeMap::new(),
            by_older: 0,
        }
    }

    /// Adds what an entry says of a name; `came` if it says that the row came.
    pub fn add_entry(&mut self, name: &[u8], record: EntryRecord, came: bool) {
        let names = &mut self.names[self.epochs.at(record.seq)];
        match names.get_mut(name) {
            Some(named) => named.take_in(record, came),
            None => {
                names.insert(name.into(), Named::of(record, came));
            }
        }
    }

    /// Follows names from epoch to epoch, once all entries are added. `settle` is as for
    /// [`crate::rows::Join::finish_in_doubt`].
    pub fn follow(
        &mut self,
        removals: &Removals,
        settle: &mut dyn FnMut(&EntryRecord, &EntryRecord) -> bool,
        by_payload: &mut ByPayload<'_>,
    ) {
        self.removals = removals.clone();
        for named in self.names.iter_mut().flat_map(|names| names.values_mut()) {
            if let Some(by_time) = named.by_time.take()
                && by_time.at > named.last.at
                && settle(&by_time, &named.last)
            {
                named.last = by_time;
            }
        }
        for to in 1..self.names.len() {
            let begun = self.epochs.from(to);
            for from in (0..to)
                .rev()
                .take_while(|from| self.nothing_lost(*from, to))
                .collect::<Vec<_>>()
            {
                // What was taken away before the key changed has no newer name.
                self.names[from].retain(|_, named| {
                    let gone = removals.last(named.last.seq, named.last.layout);
                    gone.is_none_or(|gone| gone >= begun)
                });
            }
            for from in (0..to).rev() {
                if self.nothing_lost(from, to) {
                    self.carry(from, to, by_payload);
                }
            }
            self.look_back(to);
        }
    }

    /// Whether every row that had another name in an epoch between two is known to have had it.
    fn nothing_lost(&self, from: usize, to: usize) -> bool {
        self.orphans[from + 1..to]
            .iter()
            .all(|orphans| *orphans == 0)
    }

    fn is_open(&self, epoch: usize) -> bool {
        self.names[epoch].values().any(|named| named.last.alive)
    }

    /// Rows that were there when an epoch began, under the names that they have in it.
    fn carry(&mut self, from: usize, to: usize, by_payload: &mut ByPayload<'_>) {
        let translation = self.epochs.translation(from, to);
        let newest = to + 1 == self.names.len();
        if translation.is_none() && !newest {
            return;
        }
        let mut carried: HashMap<Vec<u8>, Vec<Box<[u8]>>> = HashMap::new();
        for (name, named) in &self.names[from] {
            if !named.last.alive {
                continue;
            }
            let told = match &translation {
                Some(translation) => translation.apply(name),
                None => by_payload(&named.last, from),
            };
            if let Some(told) = told {
                carried.entry(told).or_default().push(name.clone());
            }
        }
        for (told, names) in carried {
            // Two rows of one name: which of them is there is told by the row.
            let [name] = &names[..] else { continue };
            let Some(mut named) = self.names[from].remove(name) else {
                continue;
            };
            match self.names[to].get_mut(&told[..]) {
                Some(own) => own.known = true,
                None => {
                    named.known = true;
                    self.names[to].insert(told.into(), named);
                }
            }
        }
    }

    /// Names that tell first that a row changed or went: it had another before, which may follow from this one.
    fn look_back(&mut self, to: usize) {
        for from in (0..to).rev() {
            if !self.is_open(from) {
                continue;
            }
            // What is not found may have had a name of an epoch that cannot be looked at.
            let back = self.epochs.translation(to, from);
            let Some(back) = back.filter(|_| self.nothing_lost(from, to)) else {
                break;
            };
            let (older, newer) = self.names.split_at_mut(to);
            for (name, named) in &mut newer[0] {
                if !named.known
                    && let Some(old) = back.apply(name)
                    && older[from].get(&old[..]).is_some_and(|old| old.last.alive)
                {
                    older[from].remove(&old[..]);
                    named.known = true;
                }
            }
        }
        let unknown = self.names[to].values().filter(|named| !named.known).count();
        self.orphans[to] = unknown as u64;
    }

    /// The epochs, all but the newest, whose names rows may still have, newest first.
    pub fn open_epochs(&self) -> Vec<usize> {
        let older = 0..self.names.len() - 1;
        older.rev().filter(|epoch| self.is_open(*epoch)).collect()
    }

    /// Holds a row against the entries. `older` has its names in the [`Renamed::open_epochs`], and is asked
    /// only if it matters.
    pub fn row(
        &mut self,
        name: &[u8],
        older: &mut dyn FnMut() -> Vec<(usize, OldName)>,
        row: RowRecord,
        comparable: &dyn Fn(&EntryRecord, &RowRecord) -> bool,
        outcomes: &mut Vec<Outcome>,
    ) {
        let newest = self.names.len() - 1;
        if let Some(named) = self.names[newest].get_mut(name) {
            compare(&self.removals, named, row, comparable, outcomes);
            return;
        }
        let mut lost = Vec::new();
        let mut gone = None;
        for (epoch, name) in older() {
            match name {
                OldName::Is(name) => match self.names[epoch].get_mut(&name[..]) {
                    // It may be a row that came later, and that has a name which is lost.
                    Some(named) if !lost.is_empty() && named.last.alive => lost.push(epoch),
                    Some(_) if !lost.is_empty() => {}
                    Some(named) if named.last.alive => {
                        self.by_older += u64::from(!named.met);
                        return compare(&self.removals, named, row, comparable, outcomes);
                    }
                    Some(named) => gone = gone.or(Some(named.last)),
                    None => {}
                },
                OldName::Lost => lost.push(epoch),
                OldName::None => {}
            }
        }
        match (gone, lost.is_empty()) {
            (None, false) => self.lost.entry(lost).or_default().push(row),
            (last, _) => outcomes.push(Outcome::Unrecorded {
                row,
                last,
                second: false,
            }),
        }
    }

    /// Rows of which the names of some epochs cannot be read, by these epochs.
    pub fn lost(&self) -> &BTreeMap<Vec<usize>, Vec<RowRecord>> {
        &self.lost
    }

    /// Names of an epoch that no row has, and whose rows are to be there.
    pub fn open(&self, epoch: usize) -> Vec<(Box<[u8]>, EntryRecord)> {
        let names = self.names[epoch].iter().filter(|(_, named)| {
            let last = named.last;
            last.alive && !named.met && !self.removals.cover(last.seq, last.layout)
        });
        names
            .map(|(name, named)| (name.clone(), named.last))
            .collect()
    }

    /// Says which name of an epoch a lost row had: found by what it contains. False if another row has it.
    pub fn found(&mut self, row: &RowRecord, epoch: usize, name: &[u8]) -> bool {
        let named = self.names[epoch].get_mut(name).filter(|named| !named.met);
        let Some(named) = named else {
            return false;
        };
        named.met = true;
        self.by_older += 1;
        for rows in self.lost.values_mut() {
            rows.retain(|lost| (lost.leaf, lost.place) != (row.leaf, row.place));
        }
        self.lost.retain(|_, rows| !rows.is_empty());
        true
    }

    /// What is left over once all rows were shown.
    pub fn finish(self) -> Leftover {
        let mut left = Leftover::default();
        let newest = self.names.len() - 1;
        let removals = &self.removals;
        let is_there =
            |named: &Named| named.last.alive && !removals.cover(named.last.seq, named.last.layout);
        let names = self.names[newest].values();
        left.missing.extend(
            names
                .filter(|named| !named.met && is_there(named))
                .map(|named| named.last),
        );
        let open: Vec<Vec<&Named>> = self.names[..newest]
            .iter()
            .map(|names| {
                names
                    .values()
                    .filter(|named| named.last.alive && !named.met)
                    .collect()
            })
            .collect();
        let (wanted, taken_away): (Vec<u64>, Vec<u64>) = open
            .iter()
            .map(|names| {
                let wanted = names.iter().filter(|named| is_there(named)).count();
                (wanted as u64, (names.len() - wanted) as u64)
            })
            .unzip();
        // Who may have had a name of which epochs: rows that are called otherwise since, and rows of which
        // these names cannot be read.
        let mut bearers = Matching::default();
        for (epoch, count) in self.orphans.iter().enumerate() {
            bearers.add((0..epoch).collect(), *count, true);
        }
        for (epochs, rows) in self.lost {
            match epochs.iter().all(|epoch| wanted[*epoch] == 0) {
                true => left.unrecorded.extend(rows),
                false => {
                    bearers.add(epochs, rows.len() as u64, false);
                    left.lost.extend(rows);
                }
            }
        }
        let missing = wanted.iter().sum::<u64>() - bearers.largest(&wanted, &vec![0; newest]);
        let mut unclear = Vec::new();
        for (epoch, names) in open.iter().enumerate() {
            let wanted = names
                .iter()
                .filter(|named| is_there(named))
                .map(|named| named.last);
            match bearers.may_have(epoch) {
                true => unclear.extend(wanted),
                false => left.missing.extend(wanted),
            }
        }
        let exact = wanted
            .iter()
            .enumerate()
            .filter(|(epoch, _)| !bearers.may_have(*epoch));
        match missing - exact.map(|(_, count)| count).sum::<u64>() {
            0 => {}
            all if all == unclear.len() as u64 => left.missing.extend(unclear),
            some => left.some_missing = (some, unclear),
        }
        let more = bearers.count() - bearers.largest(&wanted, &taken_away);
        left.too_many = more.min(left.lost.len() as u64);
        left.in_doubt = (more - left.too_many).min(self.by_older);
        if left.too_many == left.lost.len() as u64 {
            left.unrecorded.append(&mut left.lost);
            left.too_many = 0;
        }
        left
    }
}

fn compare(
    removals: &Removals,
    named: &mut Named,
    row: RowRecord,
    comparable: &dyn Fn(&EntryRecord, &RowRecord) -> bool,
    outcomes: &mut Vec<Outcome>,
) {
    let last = named.last;
    let there = last.alive && !removals.cover(last.seq, last.layout);
    if !there || std::mem::replace(&mut named.met, true) {
        outcomes.push(Outcome::Unrecorded {
            row,
            last: Some(last),
            second: there,
        });
    } else if last.hash != row.hash || !comparable(&last, &row) {
        outcomes.push(Outcome::Differs { entry: last, row });
    }
}
