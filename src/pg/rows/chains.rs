//! Which chains the rows to be verified are recorded in.

use std::collections::{BTreeMap, HashSet};

use super::target::Target;
use crate::declaration::ChainOf;
use crate::error::Failure;
use crate::pg::heads;
use crate::pg::sight::Sight;

/// Some chains, or all.
pub struct ChainFilter(Option<BTreeMap<Vec<u8>, i32>>);

impl ChainFilter {
    /// The chain of that name, or all that the current user sees; `None` if that is none at all. Raises
    /// 42704 for one that does not exist, or is out of sight.
    pub fn of(name: Option<&[u8]>) -> Option<ChainFilter> {
        let sight = Sight::of_caller();
        let chains = match (name, sight) {
            (Some(name), sight) => {
                let id = heads::expect_chain(name, &sight);
                BTreeMap::from([(name.to_vec(), id)])
            }
            (None, Sight::Whole) => return Some(ChainFilter(None)),
            (None, Sight::Of(chains)) => chains.into_iter().map(|(id, name)| (name, id)).collect(),
        };
        (!chains.is_empty()).then_some(ChainFilter(Some(chains)))
    }

    /// Their numbers; `None` for all.
    pub fn ids(&self) -> Option<Vec<i32>> {
        self.0
            .as_ref()
            .map(|chains| chains.values().copied().collect())
    }

    /// Their names; `None` for all.
    pub fn names(&self) -> Option<HashSet<Vec<u8>>> {
        self.0
            .as_ref()
            .map(|chains| chains.keys().cloned().collect())
    }

    /// Raises 42704 if the table's rows are all recorded in another chain.
    pub fn expect_any_of(&self, target: &Target) {
        if let (Some(chains), ChainOf::Named(name)) = (&self.0, &target.declaration.chain)
            && !chains.contains_key(name.as_bytes())
        {
            Failure::NotAudited.raise(
                format!(
                    "no row of table {} is recorded in {}",
                    target.name,
                    match &chains.keys().collect::<Vec<_>>()[..] {
                        [only] => format!("audit chain \"{}\"", String::from_utf8_lossy(only)),
                        _ => "an audit chain that may be verified here".to_owned(),
                    }
                ),
                "auditspine.audited_table tells the chain of each table; those with chain_by have rows in many",
            );
        }
    }
}
