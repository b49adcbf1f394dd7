//! Which chains the rows to be verified are recorded in.

use std::collections::{BTreeMap, HashSet};

use crate::capture::declaration::ChainOf;
use crate::error::Failure;
use crate::ledger::chains;
use crate::ledger::heads;
use crate::ledger::visibility::Sight;
use crate::verify::rows::target::Target;

/// Some chains, or all.
pub struct ChainFilter(Option<Chosen>);

/// Their numbers by name, and the keys of rows that go to them.
struct Chosen {
    chains: BTreeMap<Vec<u8>, i32>,
    keys: HashSet<Vec<u8>>,
}

impl Chosen {
    fn add(&mut self, name: Vec<u8>, id: i32) {
        if let Some(chain) = chains::find(&name) {
            self.keys.extend(chain.keys());
        }
        self.chains.insert(name, id);
    }
}

impl ChainFilter {
    /// The chain of that name, or all that the current user sees; `None` if that is none at all. Raises
    /// 42704 for one that does not exist, or is out of sight.
    pub fn of(name: Option<&[u8]>) -> Option<ChainFilter> {
        let sight = Sight::of_caller();
        let mut some = Chosen {
            chains: BTreeMap::new(),
            keys: HashSet::new(),
        };
        match (name, sight) {
            (Some(name), sight) => {
                some.add(name.to_vec(), heads::expect_chain(name, &sight));
                // Rows of a tenant of that name are in it if they were recorded when that was no difference.
                if let Some(chain) = chains::find(&chains::key_of_tenant(name))
                    && sight.sees(chain.id)
                {
                    some.add(chain.name.to_vec(), chain.id);
                }
            }
            (None, Sight::Whole) => return Some(ChainFilter(None)),
            (None, Sight::Of(chains)) => {
                for (id, name) in chains {
                    some.add(name, id);
                }
            }
        }
        (!some.chains.is_empty()).then_some(ChainFilter(Some(some)))
    }

    /// Their numbers; `None` for all.
    pub fn ids(&self) -> Option<Vec<i32>> {
        self.0
            .as_ref()
            .map(|some| some.chains.values().copied().collect())
    }

    /// The keys of rows that go to them, as `write_chain` has them; `None` for all.
    pub fn keys(&self) -> Option<HashSet<Vec<u8>>> {
        self.0.as_ref().map(|some| some.keys.clone())
    }

    /// Raises 42704 if the table's rows are all recorded in another chain.
    pub fn expect_any_of(&self, target: &Target) {
        if let (Some(chosen), ChainOf::Named(name)) = (&self.0, &target.declaration.chain)
            && !chosen.chains.contains_key(name.as_bytes())
        {
            Failure::NotAudited.raise(
                format!(
                    "no row of table {} is recorded in {}",
                    target.name,
                    match &chosen.chains.keys().collect::<Vec<_>>()[..] {
                        [only] => format!("audit chain \"{}\"", String::from_utf8_lossy(only)),
                        _ => "an audit chain that may be verified here".to_owned(),
                    }
                ),
                "auditspine.audited_table tells the chain of each table; those with chain_by have rows in many",
            );
        }
    }
}
