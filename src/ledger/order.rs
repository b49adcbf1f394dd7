//! The close look at entries whose numbers may not tell the order in which they were linked; see
//! `auditspine_core::order`.

use std::collections::HashMap;
use std::ops::ControlFlow;

use auditspine_core::order::{Group, Misplaced, StepBack, misplaced, proves};
use pgrx::{IntoDatum, pg_sys};

use crate::ledger::scan;

/// An entry that has another place in the order than its number says.
pub struct Found {
    /// Its chain.
    pub chain_id: i32,
    /// Its lane.
    pub lane: i16,
    /// Its position.
    pub pos: i64,
    /// Its number.
    pub seq: i64,
    /// Its kind.
    pub event_kind: String,
    /// Its key.
    pub event_pk: Option<String>,
    /// The facts, in a sentence; `None` if another entry has the same number.
    pub detail: Option<String>,
}

const RANGE: [pg_sys::Oid; 2] = [pg_sys::INT8OID, pg_sys::INT8OID];

/// Entries of one transaction with one time, as a key.
type Linked = (u64, i64);

/// The entries with these numbers, both ends included, that are out of order, or share a number.
pub fn find(from: i64, to: i64) -> Vec<Found> {
    let mut wrong: HashMap<Linked, String> = HashMap::new();
    let steps = steps(from, to);
    let (groups, keys) = groups(from, to);
    let mut suspects: Vec<(usize, Misplaced)> = misplaced(&groups, &steps);
    let lower: Vec<u64> = suspects
        .iter()
        .filter(|(_, what)| matches!(what, Misplaced::Behind(_)))
        .map(|(at, _)| keys[*at].0)
        .collect();
    // They may have begun before the numbers that were looked at.
    let begun = beginnings(&lower);
    suspects.retain(|(at, what)| match what {
        Misplaced::Ahead(_) => true,
        Misplaced::Behind(other) => {
            let group = groups[*at];
            let seq = begun.get(&keys[*at]).copied().unwrap_or(group.seq);
            proves(other, &Group { seq, ..group }, &steps)
        }
    });
    for (at, what) in suspects {
        let (group, (other, is)) = (
            groups[at],
            match what {
                Misplaced::Behind(other) => (other, "earlier"),
                Misplaced::Ahead(other) => (other, "later"),
            },
        );
        let seconds = (group.at.abs_diff(other.at)) / 1_000_000;
        wrong.insert(
            keys[at],
            format!(
                "the entry was linked {seconds} seconds {is} than one with seq {}, and no lane shows that the clock \
                 was set back: the sequence was set when it was numbered",
                other.seq
            ),
        );
    }
    let mut found = entries(from, to, &wrong);
    found.extend(twice(from, to));
    found
}

/// Where lanes show that the clock was set back, within these numbers.
pub fn steps(from: i64, to: i64) -> Vec<StepBack> {
    let query = c"SELECT s.before, s.seq, s.back FROM ( \
            SELECT e.seq, pg_catalog.lag(e.seq) OVER w AS before, \
                   pg_catalog.lag(e.appended_at) OVER w AS time, e.appended_at, \
                   CAST(EXTRACT(epoch FROM pg_catalog.lag(e.appended_at) OVER w OPERATOR(pg_catalog.-) e.appended_at) \
                        OPERATOR(pg_catalog.*) 1000000 AS pg_catalog.int8) AS back \
            FROM ONLY auditspine.audit_chain AS e \
            WHERE e.seq OPERATOR(pg_catalog.>=) $1 AND e.seq OPERATOR(pg_catalog.<=) $2 \
              AND pg_catalog.isfinite(e.appended_at) \
            WINDOW w AS (PARTITION BY e.chain_id, e.lane ORDER BY e.pos)) AS s \
        WHERE s.appended_at OPERATOR(pg_catalog.<) s.time";
    let mut steps = Vec::new();
    scan::select(query, &RANGE, &[from.into(), to.into()], |row| {
        if let (Some(from), Some(to), Some(by)) = (row.int8(0), row.int8(1), row.int8(2)) {
            steps.push(StepBack { from, to, by });
        }
        ControlFlow::Continue(())
    });
    steps
}

fn groups(from: i64, to: i64) -> (Vec<Group>, Vec<Linked>) {
    let query = c"SELECT pg_catalog.min(e.seq), e.appended_at, e.xid FROM ONLY auditspine.audit_chain AS e \
        WHERE e.seq OPERATOR(pg_catalog.>=) $1 AND e.seq OPERATOR(pg_catalog.<=) $2 \
        GROUP BY e.xid, e.appended_at ORDER BY 1, 2";
    let (mut groups, mut keys) = (Vec::new(), Vec::new());
    scan::select(query, &RANGE, &[from.into(), to.into()], |row| {
        if let (Some(seq), Some(at), Some(xid)) = (row.int8(0), row.int8(1), row.int8(2)) {
            groups.push(Group { seq, at });
            keys.push((xid as u64, at));
        }
        ControlFlow::Continue(())
    });
    (groups, keys)
}

/// The least number that was given at each time in these transactions.
fn beginnings(xids: &[u64]) -> HashMap<Linked, i64> {
    let mut begun = HashMap::new();
    let texts: Vec<String> = xids.iter().map(u64::to_string).collect();
    let Some(texts) = texts.into_datum().filter(|_| !xids.is_empty()) else {
        return begun;
    };
    let query = c"SELECT pg_catalog.min(e.seq), e.appended_at, e.xid FROM ONLY auditspine.audit_chain AS e \
        WHERE e.xid::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1) GROUP BY e.xid, e.appended_at";
    scan::select(query, &[pg_sys::TEXTARRAYOID], &[texts], |row| {
        if let (Some(seq), Some(at), Some(xid)) = (row.int8(0), row.int8(1), row.int8(2)) {
            begun.insert((xid as u64, at), seq);
        }
        ControlFlow::Continue(())
    });
    begun
}

fn entries(from: i64, to: i64, wrong: &HashMap<Linked, String>) -> Vec<Found> {
    let mut found = Vec::new();
    let texts: Vec<String> = wrong.keys().map(|(xid, _)| xid.to_string()).collect();
    let Some(texts) = texts.into_datum().filter(|_| !wrong.is_empty()) else {
        return found;
    };
    let query =
        c"SELECT e.chain_id, e.lane, e.pos, e.seq, e.event_kind, e.event_pk, e.xid, e.appended_at \
        FROM ONLY auditspine.audit_chain AS e \
        WHERE e.seq OPERATOR(pg_catalog.>=) $1 AND e.seq OPERATOR(pg_catalog.<=) $2 \
          AND e.xid::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($3) ORDER BY e.seq";
    let types = [pg_sys::INT8OID, pg_sys::INT8OID, pg_sys::TEXTARRAYOID];
    scan::select(query, &types, &[from.into(), to.into(), texts], |row| {
        let linked = row.int8(6).map(|xid| xid as u64).zip(row.int8(7));
        if let Some(detail) = linked.and_then(|linked| wrong.get(&linked)) {
            found.extend(entry(row, Some(detail.clone())));
        }
        ControlFlow::Continue(())
    });
    found
}

/// Entries whose number another one has.
fn twice(from: i64, to: i64) -> Vec<Found> {
    // One that is stored twice at one place is told as that.
    let query = c"SELECT e.chain_id, e.lane, e.pos, e.seq, e.event_kind, e.event_pk FROM ( \
            SELECT *, pg_catalog.count(*) OVER (PARTITION BY seq) AS all_of, \
                   pg_catalog.count(*) OVER (PARTITION BY seq, chain_id, lane, pos) AS here \
            FROM ONLY auditspine.audit_chain \
            WHERE seq OPERATOR(pg_catalog.>=) $1 AND seq OPERATOR(pg_catalog.<=) $2) AS e \
        WHERE e.all_of OPERATOR(pg_catalog.>) e.here ORDER BY e.seq, e.chain_id, e.lane, e.pos";
    let mut found = Vec::new();
    scan::select(query, &RANGE, &[from.into(), to.into()], |row| {
        found.extend(entry(row, None));
        ControlFlow::Continue(())
    });
    found
}

fn entry(row: &crate::pg::values::Values<'_>, detail: Option<String>) -> Option<Found> {
    Some(Found {
        chain_id: row.int4(0)?,
        lane: row.int2(1)?,
        pos: row.int8(2)?,
        seq: row.int8(3)?,
        event_kind: row.text(4).unwrap_or_default(),
        event_pk: row.text(5),
        detail,
    })
}
