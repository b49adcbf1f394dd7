//! Where findings go: counted by chain, then handed out.

use std::collections::BTreeMap;

use super::examined::Examined;
use super::finding::{Finding, FindingKind};
use super::view::Chains;
use crate::hash::Hash;

/// Findings of one chain so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub findings: u64,
    pub first_bad_seq: Option<i64>,
}

/// Counts findings and hands them on.
pub(super) struct Output<'a> {
    chains: &'a Chains,
    counts: BTreeMap<i32, Count>,
    sink: &'a mut dyn FnMut(Finding),
}

impl<'a> Output<'a> {
    pub fn new(chains: &'a Chains, sink: &'a mut dyn FnMut(Finding)) -> Output<'a> {
        Output {
            chains,
            counts: BTreeMap::new(),
            sink,
        }
    }

    pub fn chains(&self) -> &'a Chains {
        self.chains
    }

    /// Hands out one finding.
    pub fn emit(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.chain_id).or_default();
        count.findings += 1;
        let seq = finding.seq;
        count.first_bad_seq = Some(count.first_bad_seq.map_or(seq, |first| first.min(seq)));
        (self.sink)(finding);
    }

    /// What was found in one chain.
    pub fn count(&self, chain_id: i32) -> Count {
        self.counts.get(&chain_id).copied().unwrap_or_default()
    }

    /// A finding about a chain itself, at no entry.
    pub fn of_chain(&self, chain_id: i32, kind: FindingKind, detail: &str) -> Finding {
        Finding {
            chain_id,
            chain: self.chains.name(chain_id).map(str::to_owned),
            lane: 0,
            pos: 0,
            seq: 0,
            kind,
            detail: detail.to_owned(),
            expected: None,
            found: None,
            event_kind: Vec::new(),
            event_pk: None,
            predecessor: None,
            successor: None,
        }
    }

    /// A finding at `entry`, without neighbours.
    pub fn finding(
        &self,
        entry: &Examined,
        kind: FindingKind,
        detail: impl Into<String>,
        expected: Option<Hash>,
        found: Option<Vec<u8>>,
    ) -> Finding {
        Finding {
            chain_id: entry.chain_id,
            chain: self.chains.name(entry.chain_id).map(str::to_owned),
            lane: entry.lane,
            pos: entry.pos,
            seq: entry.seq,
            kind,
            detail: detail.into(),
            expected,
            found,
            event_kind: entry.kind.clone(),
            event_pk: entry.pk.clone(),
            predecessor: None,
            successor: None,
        }
    }
}
