//! What a client knows of its own transactions.

use std::collections::BTreeMap;
use std::fmt;

/// One audited row change: the row as written, or as it was when deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `I`, `U` or `D`.
    pub op: char,
    /// The row's key.
    pub k: i64,
    /// The row's version: grows with every change of the row, deletions and new insertions included.
    pub v: i32,
    /// Names the statement that wrote the row, so that no two written rows are alike.
    pub note: String,
}

/// What became of a transaction, as far as its client can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// COMMIT was acknowledged.
    Committed,
    /// It was rolled back, by the client or by the server.
    Aborted,
    /// The connection was lost while it was being committed.
    Unknown,
}

/// The transactions of one client, or of many.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Changes of committed transactions.
    pub committed: Vec<Change>,
    /// Changes of each transaction whose end is unknown: all of them hold, or none.
    pub unknown: Vec<Vec<Change>>,
    /// How many transactions were acknowledged as committed.
    pub commits: u64,
    /// How many the client rolled back by its own choice.
    pub rollbacks: u64,
    /// How many the server ended, by SQLSTATE.
    pub failures: BTreeMap<String, u64>,
}

impl Ledger {
    /// Books a transaction that ended without an error.
    pub fn end(&mut self, outcome: Outcome, changes: Vec<Change>) {
        match outcome {
            Outcome::Committed => {
                self.commits += 1;
                self.committed.extend(changes);
            }
            Outcome::Aborted => self.rollbacks += 1,
            Outcome::Unknown => self.unknown.push(changes),
        }
    }

    /// Books a transaction that the server, or the loss of the connection, ended.
    pub fn fail(&mut self, sqlstate: &str, outcome: Outcome, changes: Vec<Change>) {
        *self.failures.entry(sqlstate.to_owned()).or_default() += 1;
        if outcome == Outcome::Unknown {
            self.unknown.push(changes);
        }
    }

    /// Adds another client's ledger.
    pub fn merge(&mut self, other: Ledger) {
        self.committed.extend(other.committed);
        self.unknown.extend(other.unknown);
        self.commits += other.commits;
        self.rollbacks += other.rollbacks;
        for (sqlstate, count) in other.failures {
            *self.failures.entry(sqlstate).or_default() += count;
        }
    }

    /// How many transactions failed with one of these SQLSTATEs.
    pub fn failed_with(&self, sqlstates: &[&str]) -> u64 {
        sqlstates
            .iter()
            .filter_map(|sqlstate| self.failures.get(*sqlstate))
            .sum()
    }

    /// How many transactions were tried.
    pub fn transactions(&self) -> u64 {
        self.commits + self.rollbacks + self.failures.values().sum::<u64>()
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} transactions: {} committed with {} changes, {} rolled back, failed {:?}, unknown {}",
            self.transactions(),
            self.commits,
            self.committed.len(),
            self.rollbacks,
            self.failures,
            self.unknown.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(k: i64) -> Change {
        Change {
            op: 'I',
            k,
            v: 1,
            note: k.to_string(),
        }
    }

    #[test]
    fn only_committed_changes_are_held_to() {
        let mut ledger = Ledger::default();
        ledger.end(Outcome::Committed, vec![change(1), change(2)]);
        ledger.end(Outcome::Aborted, vec![change(3)]);
        ledger.fail("40001", Outcome::Aborted, vec![change(4)]);
        ledger.fail("08000", Outcome::Unknown, vec![change(5)]);
        let mut all = Ledger::default();
        all.merge(ledger);
        assert_eq!(all.committed, [change(1), change(2)]);
        assert_eq!(all.unknown, [[change(5)]]);
        assert_eq!(all.failed_with(&["40001", "40P01"]), 1);
        assert_eq!(all.transactions(), 4);
    }
}
