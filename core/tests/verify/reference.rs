//! A plain verifier: everything in memory, sorted, each rule checked as the format states it.

use std::collections::BTreeSet;

use auditspine_core::verify::Window;

use super::support::{Row, chain_name};

/// Places (chain, lane, pos) where a rule of the format is broken.
pub fn complaints(rows: &[Row], window: Window) -> BTreeSet<(i32, i16, i64)> {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| (row.chain_id, row.lane, row.pos, row.seq));
    let mut bad = BTreeSet::new();
    for (at, row) in sorted.iter().enumerate() {
        if !window.contains(row.seq) {
            continue;
        }
        let before = at.checked_sub(1).map(|before| sorted[before]);
        let before = before.filter(|b| (b.chain_id, b.lane) == (row.chain_id, row.lane));
        let begins =
            row.pos == 1 && row.prev_hash == [0; 32] && before.is_none_or(|before| before.pos < 1);
        // What is damaged outside the window is not the window's.
        let outside = before.is_some_and(|before| !window.contains(before.seq));
        let continues = before.is_some_and(|before| {
            before.pos + 1 == row.pos && before.chain_hash == row.prev_hash && before.seq < row.seq
        });
        let payload = row.payload.as_deref().map(auditspine_core::hash::Hash::of);
        let holds = chain_name(row.chain_id).is_some()
            && row.version == 1
            && row.lane >= 0
            && row
                .own_event()
                .is_some_and(|hash| hash.0[..] == row.event_hash)
            && row
                .own_chain()
                .is_some_and(|hash| hash.0[..] == row.chain_hash)
            && payload.is_none_or(|hash| hash.0[..] == row.payload_hash);
        if !(holds && (begins || outside || (row.pos > 1 && continues))) {
            bad.insert((row.chain_id, row.lane, row.pos));
        }
    }
    bad
}
