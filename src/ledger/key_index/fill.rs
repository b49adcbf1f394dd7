//! Filling: what has come becomes a run, and runs of one size become a larger one.

use std::time::{Duration, Instant};

use auditspine_core::key_index::{Item, Mark, Merge, bound, to_merge};
use pgrx::pg_sys;

use crate::error::{Failure, broken};
use crate::ledger::catalog::state;
use crate::ledger::evidence::EVIDENCE_LOCK;
use crate::ledger::flush;
use crate::ledger::key_index::lanes::{self, Heads};
use crate::ledger::key_index::search::{RunReader, damaged};
use crate::ledger::key_index::tables::{Fill, Since, Tables, entries_file, mark_now};
use crate::ledger::key_index::told;
use crate::ledger::key_index::write::{self, RunWriter};
use crate::ledger::owner::as_owner;
use crate::ledger::snapshot::CurrentSnapshot;
use crate::pg::lock::{self, AdvisoryLock};
use crate::pg::query::{self, Argument};
use crate::pg::{sequence, session, snapshot};

/// A lock of class [`EVIDENCE_LOCK`]: the index is filled.
const FILLING: u32 = 4;
/// Items that are sorted at once.
const SORTED: usize = 1_000_000;
/// How long transactions that run already are waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// How a fill is asked for.
#[derive(Clone, Copy)]
pub struct Request {
    /// Nothing is done for fewer entries.
    pub least: u64,
    /// Whether another session that fills is waited for.
    pub wait: bool,
    /// Whether all is made anew.
    pub rebuild: bool,
}

/// SQL's `index_history(rebuild)`: waits for its turn, and returns how many entries were added.
///
/// Raises 25001 in a transaction whose snapshot is kept, 55000 if the tables are not as they were left.
pub fn by_hand(rebuild: bool) -> i64 {
    session::expect_writable(c"index_history()");
    session::expect_no_recovery(c"index_history()");
    if snapshot::is_kept() {
        Failure::KeptSnapshot.raise(
            "index_history() was called in a transaction that keeps its first snapshot",
            "call it at READ COMMITTED",
        );
    }
    let request = Request {
        least: 0,
        wait: true,
        rebuild,
    };
    fill(request).map_or(0, |added| i64::try_from(added).unwrap_or(i64::MAX))
}

/// Fills the index; returns how many entries were added, `None` if another session was at it. The transaction is at
/// READ COMMITTED and may write.
pub fn fill(request: Request) -> Option<u64> {
    let Some(tables) = Tables::find() else {
        return Some(0);
    };
    let lock = AdvisoryLock::new(FILLING, 0, EVIDENCE_LOCK);
    if request.wait {
        lock.acquire();
    } else if !lock.try_acquire() {
        return None;
    }
    flush::flush();
    session::next_command();
    let seen = CurrentSnapshot::push_latest();
    let fills = tables.fills();
    drop(seen);
    let last = fills.last().filter(|last| last.is_sound()).copied();
    let known = if request.rebuild { None } else { last };
    let least = i64::try_from(request.least).unwrap_or(i64::MAX);
    let drawn = sequence::drawn_at_most(state().seq).unwrap_or(i64::MAX);
    let since = known.map_or(0, |known| known.since.seq.max(0));
    if drawn.saturating_sub(since) < least {
        if known.is_some() {
            // Which the last fill may have left undone.
            as_owner(summarize);
        }
        return Some(0);
    }
    if known.is_some() {
        expect_as_left();
    }
    let mark = mark_now();
    await_others(mark);
    // Marks from before the sequence was set back, of another table, or that somebody has edited, say nothing.
    let mut marks: Vec<Mark> = match known {
        Some(_) => fills.iter().map(|fill| fill.mark).collect(),
        None => Vec::new(),
    };
    marks.push(mark);
    let job = Job {
        tables,
        known,
        mark,
        marks,
        fills,
        least: request.least,
    };
    let added = as_owner(|| job.run());
    Some(added)
}

fn expect_as_left() {
    if let Some(table) = told::altered().first() {
        Failure::BrokenInstallation.raise(
            format!("auditspine.{table} is not as the last fill left it"),
            "verify_all() tells so; SELECT index_history(rebuild => true) makes the index of histories anew",
        );
    }
}

/// Waits a little for the transactions that ran at a mark: if none is left, the mark is what the tail begins at.
fn await_others(mark: Mark) {
    let begun = Instant::now();
    loop {
        let over = {
            let _snapshot = CurrentSnapshot::push_latest();
            snapshot::oldest_unseen() >= mark.next_xid
        };
        if over || begun.elapsed() > PATIENCE {
            return;
        }
        pgrx::check_for_interrupts!();
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One fill.
struct Job {
    tables: Tables,
    /// The last one, if this goes on behind it.
    known: Option<Fill>,
    mark: Mark,
    marks: Vec<Mark>,
    fills: Vec<Fill>,
    least: u64,
}

impl Job {
    fn run(mut self) -> u64 {
        if self.known.is_none() {
            self.clear();
        }
        let seen = CurrentSnapshot::push_latest();
        let start = bound(&self.marks, snapshot::oldest_unseen());
        let mut heads = match self.known {
            Some(_) => lanes::known(&self.tables),
            None => Heads::new(),
        };
        let before = heads.clone();
        let mut sorter = Sorter::new(self.tables);
        let found = match self.known {
            Some(_) => lanes::new(&mut heads, &mut |item| sorter.push(item)),
            None => {
                lanes::all(&mut heads, &mut |item| sorter.push(item));
                true
            }
        };
        if !found {
            broken("auditspine.audit_chain has no index on (chain_id, lane, pos)".to_owned());
        }
        let is_nearer = self
            .known
            .is_none_or(|known| Since::mark(start) != known.since);
        if sorter.added < self.least.max(1) && self.known.is_some() && !is_nearer {
            return 0;
        }
        let added = sorter.finish();
        drop(seen);
        self.merge();
        self.move_heads(&before, &heads);
        self.end(start, added);
        added
    }

    /// Empties all tables.
    fn clear(&mut self) {
        for table in ["run", "page", "head", "fill"] {
            change(&format!("DELETE FROM ONLY auditspine.history_{table}"), &[]);
        }
    }

    fn merge(&self) {
        loop {
            session::next_command();
            let seen = CurrentSnapshot::push_latest();
            let mut runs = self.tables.runs();
            let sizes: Vec<(i32, u64)> = runs.iter().map(|run| (run.run, run.entries)).collect();
            let merged = to_merge(&sizes);
            if merged.is_empty() {
                return;
            }
            let next = next_run(&self.tables);
            runs.retain(|run| merged.contains(&run.run));
            let readers: Vec<RunReader> = runs
                .into_iter()
                .map(|run| RunReader::open(&self.tables, run.run, run.digest))
                .collect();
            let mut writer = RunWriter::begin(&self.tables, next);
            for item in Merge::new(readers) {
                match item {
                    Ok(item) => writer.push(item),
                    Err(_) => damaged(merged[0]),
                }
            }
            writer.finish();
            drop(seen);
            for table in ["page", "run"] {
                change(
                    &format!(
                        "DELETE FROM ONLY auditspine.history_{table} AS r WHERE r.run OPERATOR(pg_catalog.=) ANY ($1)"
                    ),
                    &[(
                        pg_sys::INT4ARRAYOID,
                        pgrx::IntoDatum::into_datum(merged.clone()),
                    )],
                );
            }
        }
    }

    fn move_heads(&self, before: &Heads, heads: &Heads) {
        let moved: Vec<(&(i32, i16), &i64)> = heads
            .iter()
            .filter(|(lane, pos)| before.get(lane) != Some(pos))
            .collect();
        let old: Vec<&(i32, i16)> = moved
            .iter()
            .map(|(lane, _)| *lane)
            .filter(|lane| before.contains_key(lane))
            .collect();
        if !old.is_empty() {
            let chains: Vec<i32> = old.iter().map(|(chain_id, _)| *chain_id).collect();
            let lanes: Vec<i16> = old.iter().map(|(_, lane)| *lane).collect();
            change(
                "DELETE FROM ONLY auditspine.history_head AS h USING ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS m (chain_id, lane)
                 WHERE h.chain_id OPERATOR(pg_catalog.=) m.chain_id AND h.lane OPERATOR(pg_catalog.=) m.lane",
                &[
                    (
                        pg_sys::INT4ARRAYOID,
                        pgrx::IntoDatum::into_datum(chains),
                    ),
                    (pg_sys::INT2ARRAYOID, pgrx::IntoDatum::into_datum(lanes)),
                ],
            );
        }
        write::heads(&self.tables, &moved);
    }

    /// Writes down the fill, forgets those that no later one can need, and has the index on seq say where new entries
    /// lie.
    fn end(&self, start: Option<Mark>, added: u64) {
        let fill_id = 1 + self.fills.last().map_or(0, |last| last.fill_id);
        let since = Since::mark(start);
        write::fill(
            &self.tables,
            fill_id,
            added,
            self.mark,
            entries_file(),
            since,
        );
        if let Some(start) = start {
            change(
                "DELETE FROM ONLY auditspine.history_fill AS f
                 WHERE f.fill_id OPERATOR(pg_catalog.<) $1 AND f.next_xid OPERATOR(pg_catalog.<) $2::text::xid8",
                &[
                    (pg_sys::INT8OID, Some(fill_id.into())),
                    (
                        pg_sys::TEXTOID,
                        pgrx::IntoDatum::into_datum(start.next_xid.to_string()),
                    ),
                ],
            );
        }
        summarize();
        told::record(fill_id);
    }
}

/// Where new entries lie is told by the index on seq, once their ranges of pages are in it.
fn summarize() {
    // VACUUM, which does the same, is not waited for.
    let lock = pg_sys::ShareUpdateExclusiveLock;
    let table = state().audit_chain;
    if !lock::try_lock_relation(table, lock) {
        return;
    }
    change(
        "SELECT pg_catalog.brin_summarize_new_values(i.indexrelid)
         FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
         JOIN pg_catalog.pg_am AS a ON a.oid OPERATOR(pg_catalog.=) c.relam
         WHERE i.indrelid OPERATOR(pg_catalog.=) $1 AND i.indisvalid AND a.amname OPERATOR(pg_catalog.=) 'brin'",
        &[(pg_sys::OIDOID, Some(table.into()))],
    );
    lock::unlock_relation(table, lock);
}

fn change(statement: &str, arguments: &[Argument]) {
    let statement = std::ffi::CString::new(statement).unwrap_or_default();
    query::run(&statement, arguments, |_| {});
}

/// A number that no run has.
fn next_run(tables: &Tables) -> i32 {
    session::next_command();
    let _snapshot = CurrentSnapshot::push_latest();
    let last = tables.runs().last().map_or(0, |run| run.run);
    last.checked_add(1).unwrap_or_else(|| {
        broken("no number is left for a run of auditspine.history_run".to_owned())
    })
}

/// Sorts items, in runs of bounded size.
struct Sorter {
    tables: Tables,
    items: Vec<Item>,
    added: u64,
}

impl Sorter {
    fn new(tables: Tables) -> Sorter {
        Sorter {
            tables,
            items: Vec::new(),
            added: 0,
        }
    }

    fn push(&mut self, item: Item) {
        self.items.push(item);
        self.added += 1;
        if self.items.len() == SORTED {
            self.write();
        }
    }

    fn write(&mut self) {
        self.items.sort_unstable();
        self.items.dedup();
        let mut writer = RunWriter::begin(&self.tables, next_run(&self.tables));
        self.items.drain(..).for_each(|item| writer.push(item));
        writer.finish();
    }

    fn finish(mut self) -> u64 {
        self.write();
        self.added
    }
}
