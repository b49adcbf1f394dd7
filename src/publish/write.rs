//! Publishing heads: only what is committed and on disk leaves the database.
//!
//! Order: the publishers' lock, the heads, WAL to disk up to them, the sinks, then the record. With
//! synchronous_commit = off a commit is visible before it is on disk; a published head that a crash
//! then took back would look like a truncation. A rollback after a sink was written, because another
//! one could not be, leaves lines that are not recorded, which does no harm.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use auditspine_core::hash::{Hash, Sink as _};
use auditspine_core::publication::Published;
use pgrx::prelude::*;

use crate::error::{Failure, broken};
use crate::ledger::buffer;
use crate::ledger::chains;
use crate::ledger::evidence;
use crate::ledger::heads::{self, LaneHead};
use crate::ledger::lane;
use crate::ledger::owner::as_owner;
use crate::ledger::visibility::Sight;
use crate::pg::arena::DatumArena;
use crate::pg::result_rows::RowStore;
use crate::pg::sequence;
use crate::pg::{clock, session, wal};
use crate::publish::file::FileSink;
use crate::publish::file_list;
use crate::publish::sink::{Sink, append_to_all};
use crate::publish::verify::Table;
use crate::settings;

/// Publishes the heads of a chain, or of all; for each file a row of how many, when and where.
pub fn publish(chain: Option<&[u8]>, rows: &mut RowStore) {
    session::expect_no_recovery(c"publish_head()");
    session::expect_writable(c"publish_head()");
    let sinks = expect_sinks();
    expect_nothing_of_our_own();
    // Held to the end of the transaction, so that records are in the order of the lines.
    let table = Table::open(pg_sys::ShareRowExclusiveLock);
    let mut heads = heads::heads(chain, &Sight::Whole);
    // What a verification or a publication in this transaction has linked could still be rolled back.
    if let Some(evidence) = chains::find(chains::EVIDENCE).filter(lane::holds) {
        heads.retain(|head| head.chain_id != evidence.id);
    }
    let now = clock::now();
    if !heads.is_empty() {
        wal::flush();
        let mut lines = Vec::with_capacity(heads.len() * 256);
        for head in &heads {
            published(head, now).write(&mut lines);
            lines.put_byte(b'\n');
        }
        append(&sinks, &lines);
        for sink in &sinks {
            record(&table, &heads, now, &sink.name());
        }
    }
    let mut arena = DatumArena::default();
    for sink in &sinks {
        rows.put([
            Some((heads.len() as i64).into()),
            Some(now.into()),
            Some(arena.varlena(sink.name().as_bytes())),
        ]);
        arena.clear();
    }
}

/// Where heads are published to: the files that `auditspine.publish_file` lists. An ERROR if there is no sink.
fn expect_sinks() -> Vec<Box<dyn Sink>> {
    let files = listed().into_iter().map(FileSink);
    let sinks: Vec<Box<dyn Sink>> = files.map(|file| Box::new(file) as Box<dyn Sink>).collect();
    if sinks.is_empty() {
        Failure::NoPublishFile.raise(
            "there is no file to publish heads to: auditspine.publish_file is not set",
            "a superuser sets it to an absolute path outside of the data folder, best on another machine's disk",
        );
    }
    sinks
}

/// The paths that `auditspine.publish_file` lists; an ERROR if it is no list of absolute paths.
pub fn listed() -> Vec<PathBuf> {
    let Some(setting) = settings::publish_file() else {
        return Vec::new();
    };
    let names = match setting.to_str() {
        Ok(list) => file_list::parse(list),
        Err(_) => Err("it is not UTF-8".to_owned()),
    };
    let names = names.unwrap_or_else(|problem| {
        Failure::InvalidValue.raise(
            format!("auditspine.publish_file is not a list of files: {problem}"),
            "separate files by commas; put those into double quotes that have commas in their names",
        )
    });
    let path = |name: String| {
        let path = PathBuf::from(name);
        if !path.is_absolute() {
            Failure::InvalidValue.raise(
                format!(
                    "auditspine.publish_file is not an absolute path: \"{}\"",
                    path.display()
                ),
                "name the file with its folders, from / on",
            );
        }
        path
    };
    names.into_iter().map(path).collect()
}

/// A head of this transaction's own could still be rolled back. Evidence of verifications and publications is no
/// change that the transaction makes.
fn expect_nothing_of_our_own() {
    let pending = buffer::with(|buffer| !buffer.pending().is_empty());
    if pending || lane::holds_others(chains::find(chains::EVIDENCE).as_ref()) {
        Failure::OwnEntries.raise(
            "heads cannot be published in a transaction that has made audited changes itself",
            "commit first: only what is committed is published",
        );
    }
}

fn published(head: &LaneHead, now: i64) -> Published {
    let chain_hash = Hash::from_slice(&head.entry.chain_hash).unwrap_or_else(|| {
        broken(format!(
            "the last entry of chain \"{}\", lane {}, position {} has no chain_hash of 32 bytes",
            head.chain, head.lane, head.entry.pos
        ))
    });
    Published {
        chain: head.chain.clone(),
        chain_hash,
        lane: head.lane,
        pos: head.entry.pos,
        published_at: now,
        seq: head.entry.seq,
    }
}

fn append(sinks: &[Box<dyn Sink>], lines: &[u8]) {
    let (begun, limit) = (Instant::now(), settings::lane_timeout());
    let mut wait =
        |sink: &dyn Sink| {
            std::thread::sleep(Duration::from_millis(20));
            pgrx::check_for_interrupts!();
            if limit > 0 && begun.elapsed() > Duration::from_millis(limit as u64) {
                Failure::LaneTimeout.raise(
                format!("another process kept {} locked for {limit} ms", sink.described()),
                "heads were not published; see who has it open, or raise auditspine.lane_timeout",
            );
            }
        };
    if let Err(error) = append_to_all(sinks, lines, &mut wait) {
        error.failure.raise(error.message, error.hint);
    }
}

/// Records what was published.
fn record(table: &Table, heads: &[LaneHead], now: i64, sink: &str) {
    let id = sequence::draw(table.id_seq, 1);
    let at = TimestampWithTimeZone::try_from(now)
        .unwrap_or_else(|_| broken(format!("the clock is out of range: {now}")));
    let column = |of: fn(&LaneHead) -> i64| heads.iter().map(of).collect::<Vec<i64>>();
    let names: Vec<&str> = heads.iter().map(|head| &head.chain[..]).collect();
    let hashes: Vec<&[u8]> = heads
        .iter()
        .map(|head| &head.entry.chain_hash[..])
        .collect();
    let written = as_owner(|| {
        Spi::connect_mut(|client| {
            client
                .update(
                    "INSERT INTO auditspine.publication (publication_id, published_at, file, chain, chain_id, lane, \
                         pos, seq, chain_hash, db_user) \
                     SELECT $1, $2, $3, chain, chain_id, lane, pos, seq, chain_hash, session_user \
                     FROM unnest($4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[]) \
                          AS head(chain, chain_id, lane, pos, seq, chain_hash)",
                    None,
                    &[
                        id.into(),
                        at.into(),
                        sink.into(),
                        names.into(),
                        column(|head| head.chain_id.into()).into(),
                        column(|head| head.lane.into()).into(),
                        column(|head| head.entry.pos).into(),
                        column(|head| head.entry.seq).into(),
                        hashes.into(),
                    ],
                )
                .map(|written| written.len())
        })
    });
    if let Err(error) = written {
        broken(format!("could not record the publication: {error}"));
    }
    evidence::record_publication(id);
}
