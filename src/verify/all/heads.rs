//! Where the next incremental run goes on: auditspine.verified_head.

use std::collections::BTreeMap;

use auditspine_core::verify::Head;
use pgrx::datum::DatumWithOid;
use pgrx::spi::Spi;

use crate::ledger::evidence;
use crate::pg::lock::AdvisoryLock;
use crate::pg::snapshot::{self, ActiveSnapshot};
use crate::verify::all::written::{self, VERIFIED_HEAD, expect};

/// Heads written by one statement.
const BATCH: usize = 1000;

const UPDATE_HEADS: &str = "
    INSERT INTO auditspine.verified_head AS known (chain_id, lane, pos, seq, chain_hash)
    SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),
                             pg_catalog.unnest($4), pg_catalog.unnest($5))
    ON CONFLICT (chain_id, lane) DO UPDATE
    SET pos = EXCLUDED.pos, seq = EXCLUDED.seq, chain_hash = EXCLUDED.chain_hash
    WHERE known.pos < EXCLUDED.pos";

/// By chain and lane: position, number and hash of the entry.
type Known = BTreeMap<(i32, i16), (i64, i64, Vec<u8>)>;

/// Takes the lock under which heads are moved; false if another run has it.
pub fn lock() -> bool {
    AdvisoryLock::new(written::HEADS, 0, evidence::EVIDENCE_LOCK).try_acquire()
}

/// Forgets them all, unless another run is at it: the next incremental run verifies everything.
pub fn forget() {
    if !lock() || !are_as_seen() {
        return;
    }
    expect(Spi::connect_mut(|client| {
        let statement = "DELETE FROM ONLY auditspine.verified_head";
        client.update(statement, None, &[]).map(|_| ())
    }));
    if !known().is_empty() {
        VERIFIED_HEAD.not_as_written("nothing");
    }
}

/// How many, and what they are, for the entry of the run. Under the lock.
pub fn digest() -> Option<String> {
    evidence::one(&query_digest(), &[])
}

fn query_digest() -> String {
    let digest = evidence::digest_of("verified_head", "t.chain_id, t.lane", "true");
    format!("SELECT {digest}")
}

/// Whether they are what this transaction sees of them. Under an older snapshot, another run may have moved them on
/// since; to write over that would fail.
fn are_as_seen() -> bool {
    if !snapshot::is_kept() {
        return true;
    }
    let seen = {
        let _snapshot = ActiveSnapshot::push();
        evidence::rows(&query_digest(), &[])
    };
    seen.into_iter().flatten().next().flatten() == digest()
}

/// Moves them on, unless another run is at it: then the next one goes on from where that one, or an
/// earlier one, was.
pub fn move_on(heads: &[Head]) {
    if heads.is_empty() || !lock() || !are_as_seen() {
        return;
    }
    let mut wanted = known();
    let mut moved: Vec<&Head> = Vec::new();
    for head in heads {
        let place = wanted.get(&(head.chain_id, head.lane));
        if place.is_none_or(|(pos, ..)| *pos < head.pos) {
            let at = (head.pos, head.seq, head.chain_hash.0.to_vec());
            wanted.insert((head.chain_id, head.lane), at);
            moved.push(head);
        }
    }
    for batch in moved.chunks(BATCH) {
        write(batch);
    }
    if !moved.is_empty() && known() != wanted {
        VERIFIED_HEAD.not_as_written("where the run ended");
    }
}

fn write(heads: &[&Head]) {
    let chain_ids: Vec<i32> = heads.iter().map(|head| head.chain_id).collect();
    let lanes: Vec<i16> = heads.iter().map(|head| head.lane).collect();
    let places: Vec<i64> = heads.iter().map(|head| head.pos).collect();
    let seqs: Vec<i64> = heads.iter().map(|head| head.seq).collect();
    let hashes: Vec<Vec<u8>> = heads.iter().map(|it| it.chain_hash.0.to_vec()).collect();
    let arguments: [DatumWithOid<'_>; 5] = [
        chain_ids.into(),
        lanes.into(),
        places.into(),
        seqs.into(),
        hashes.into(),
    ];
    expect(Spi::connect_mut(|client| {
        client.update(UPDATE_HEADS, None, &arguments).map(|_| ())
    }));
}

/// As this transaction sees them now.
fn known() -> Known {
    let query = "SELECT chain_id, lane, pos, seq, chain_hash FROM ONLY auditspine.verified_head";
    expect(Spi::connect_mut(|client| {
        client
            .update(query, None, &[])?
            .map(|row| {
                let lane = (
                    row.get::<i32>(1)?.unwrap_or_default(),
                    row.get::<i16>(2)?.unwrap_or_default(),
                );
                let place = (
                    row.get::<i64>(3)?.unwrap_or_default(),
                    row.get::<i64>(4)?.unwrap_or_default(),
                    row.get::<Vec<u8>>(5)?.unwrap_or_default(),
                );
                Ok((lane, place))
            })
            .collect()
    }))
}
