//! What the verifier is given: entries as they are stored, the chains there are, the window that is
//! asked for, and the way back to single entries.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use crate::hash::Hash;

/// One stored entry, borrowed from wherever it lies. Nothing in it is trusted: every column may have
/// been changed to anything that its type can hold.
#[derive(Clone, Copy, Debug)]
pub struct EntryView<'a> {
    /// Number in the database-wide order of linking.
    pub seq: i64,
    /// Which chain.
    pub chain_id: i32,
    /// Lane within the chain.
    pub lane: i16,
    /// Position within the lane, from 1.
    pub pos: i64,
    /// Format of the entry.
    pub version: i16,
    /// What happened: `I`, `U`, `D`, `T`, `A` or `S`.
    pub op: u8,
    /// Source of the event, UTF-8.
    pub kind: &'a [u8],
    /// Key of the row, UTF-8.
    pub pk: Option<&'a [u8]>,
    /// Full transaction id.
    pub xid: u64,
    /// Microseconds since 2000-01-01 00:00 UTC.
    pub appended_at: i64,
    /// Session user, UTF-8.
    pub db_user: &'a [u8],
    /// Setting `auditspine.actor`, UTF-8.
    pub actor: Option<&'a [u8]>,
    /// Setting `auditspine.context`, as canonical JSON.
    pub context: Option<&'a [u8]>,
    /// Recorded column layout.
    pub layout: Option<i32>,
    /// SHA-256 of the canonical form of the stored payload, where one is stored.
    pub stored_payload_hash: Option<Hash>,
    /// Column of that name: 32 bytes in an untouched entry, here and below; empty stands for NULL.
    pub payload_hash: &'a [u8],
    /// Column of that name.
    pub event_hash: &'a [u8],
    /// Column of that name.
    pub prev_hash: &'a [u8],
    /// Column of that name.
    pub chain_hash: &'a [u8],
}

/// The chains that exist, by `chain_id`. An entry of any other chain is a finding.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    by_id: HashMap<i32, Chain>,
    /// What is wrong with a chain itself.
    altered: BTreeMap<i32, String>,
}

/// The most lanes that a chain can have.
pub const MAX_LANES: i16 = 256;

/// What is known of a chain.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its name.
    pub name: Box<str>,
    /// How many lanes it has, numbered from 0.
    pub lanes: i16,
}

impl Chains {
    /// Name of a chain.
    pub fn name(&self, chain_id: i32) -> Option<&str> {
        self.get(chain_id).map(|chain| &*chain.name)
    }

    /// What is known of a chain.
    pub fn get(&self, chain_id: i32) -> Option<&Chain> {
        self.by_id.get(&chain_id)
    }

    /// All `chain_id`s, in no particular order.
    pub fn ids(&self) -> impl Iterator<Item = i32> + '_ {
        self.by_id.keys().copied()
    }

    /// Chains that are not as any chain can be, in order of `chain_id`, with what is wrong.
    pub(super) fn altered(&self) -> impl Iterator<Item = (i32, &str)> {
        self.altered.iter().map(|(id, what)| (*id, &**what))
    }
}

/// From the number, name and lanes of each chain.
impl<N: Into<Box<str>>> FromIterator<(i32, N, i16)> for Chains {
    fn from_iter<I: IntoIterator<Item = (i32, N, i16)>>(chains: I) -> Chains {
        let mut all = Chains::default();
        let mut names: HashMap<Box<str>, i32> = HashMap::new();
        for (id, name, lanes) in chains {
            let possible = (1..=MAX_LANES).contains(&lanes);
            if !possible {
                let what = format!(
                    "the chain has {lanes} lanes in auditspine.chain, which no chain can have"
                );
                all.altered.insert(id, what);
            }
            let chain = Chain {
                name: name.into(),
                // The chain is at fault then, not each of its entries.
                lanes: if possible { lanes } else { MAX_LANES },
            };
            if let Some(other) = names.insert(chain.name.clone(), id)
                && other != id
            {
                let what = format!(
                    "the chain's name is also that of chain_id {other} in auditspine.chain"
                );
                all.altered.insert(id, what);
            }
            if all.by_id.insert(id, chain).is_some() {
                let what = "the chain's number stands twice in auditspine.chain";
                all.altered.insert(id, what.to_owned());
            }
        }
        all
    }
}

/// Which entries are verified: those with `start <= seq <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    start: i64,
    end: i64,
}

impl Window {
    /// Everything.
    pub const ALL: Window = Window {
        start: i64::MIN,
        end: i64::MAX,
    };

    /// From `start` to `end` inclusive. A start of 1 or less means the beginning, so that an entry
    /// whose `seq` was made negative does not fall out of sight.
    pub fn new(start: i64, end: Option<i64>) -> Window {
        let start = if start <= 1 { i64::MIN } else { start };
        Window {
            start,
            end: end.unwrap_or(i64::MAX),
        }
    }

    /// Whether an entry with this `seq` is verified.
    #[inline]
    pub fn contains(&self, seq: i64) -> bool {
        self.start <= seq && seq <= self.end
    }

    /// Whether every lane is seen from its first entry on.
    pub(super) fn has_beginning(&self) -> bool {
        self.start == i64::MIN
    }
}

/// Bounds of memory. They change how long a verification takes, never what it finds, except for
/// `candidates`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many separate stretches and damaged places are remembered, over all lanes, about 150
    /// bytes each. A lane that needs more is read again through [`Store::entries_from`].
    pub waiting: usize,
    /// How many damaged entries, and how many gaps, are held against each other to tell a moved
    /// entry from an edited one. The time for that grows with the square.
    pub candidates: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            waiting: 65_536,
            candidates: 256,
        }
    }
}

/// Access to single entries through the primary key, needed around damage, for lanes that came too
/// far out of order, and at the beginning of a window. Must show the same snapshot as the entries
/// that were pushed.
pub trait Store {
    /// Why reading failed.
    type Error;

    /// Shows every entry at one place, inside the window and outside, in any order.
    fn entries_at(
        &mut self,
        chain_id: i32,
        lane: i16,
        pos: i64,
        show: &mut dyn FnMut(&EntryView<'_>),
    ) -> Result<(), Self::Error>;

    /// Shows the entries with these numbers, both ends included, that cannot have been linked in the order
    /// that `seq` says, with the facts in a sentence; and those whose number others have, with none. See
    /// [`crate::order`].
    fn misplaced(
        &mut self,
        _from: i64,
        _to: i64,
        _show: &mut dyn FnMut(&EntryView<'_>, Option<String>),
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Shows the entries of a lane from `pos` on (inclusive) in the order of `pos`, until told to
    /// break. Entries outside the window may be shown; they are passed over.
    fn entries_from(
        &mut self,
        chain_id: i32,
        lane: i16,
        pos: i64,
        show: &mut dyn FnMut(&EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;
}
