//! Entries per second of checking and linking, on one thread, in order:
//! `cargo run --release -p auditspine-core --example verify_speed`.

use std::sync::Arc;
use std::time::Instant;

use auditspine_core::entry::{Event, VERSION, chain_hash};
use auditspine_core::hash::Hash;
use auditspine_core::verify::{Chains, EntryView, Limits, Verifier, Window};

const ENTRIES: usize = 1_000_000;

struct Stored {
    event: Event<'static>,
    seq: i64,
    pk: Vec<u8>,
    event_hash: Hash,
    prev_hash: Hash,
    chain_hash: Hash,
}

/// A chain of `lanes` lanes, taken in turns; `batch` entries share one transaction.
fn chain(lanes: usize, batch: usize) -> Vec<Stored> {
    let mut heads = vec![(0, Hash::ZERO); lanes];
    let mut scratch = Vec::new();
    (0..ENTRIES)
        .map(|at| {
            let transaction = at / batch;
            let lane = transaction % lanes;
            let (pos, prev_hash) = heads[lane];
            let seq = at as i64 + 1;
            let pk = seq.to_string().into_bytes();
            let event = Event {
                actor: None,
                appended_at: 848_534_262_123_456 + transaction as i64,
                chain: b"main",
                context: None,
                db_user: b"alice",
                kind: b"artifact_provenance",
                lane: lane as i16,
                layout: Some(1),
                op: b'I',
                payload_hash: Hash::of(&pk),
                pk: None,
                pos: pos + 1,
                version: VERSION,
                xid: 700_000 + transaction as u64,
            };
            let event_hash = Event {
                pk: Some(&pk),
                ..event
            }
            .hash(&mut scratch);
            let chain_hash = chain_hash(&prev_hash, &event_hash, seq);
            heads[lane] = (pos + 1, chain_hash);
            Stored {
                event,
                seq,
                pk,
                event_hash,
                prev_hash,
                chain_hash,
            }
        })
        .collect()
}

fn view(stored: &Stored) -> EntryView<'_> {
    let event = &stored.event;
    EntryView {
        seq: stored.seq,
        chain_id: 1,
        lane: event.lane,
        pos: event.pos,
        version: event.version,
        op: event.op,
        kind: event.kind,
        pk: Some(&stored.pk),
        xid: event.xid,
        appended_at: event.appended_at,
        db_user: event.db_user,
        actor: event.actor,
        context: event.context,
        layout: event.layout,
        stored_payload_hash: None,
        payload_hash: &event.payload_hash.0,
        event_hash: &stored.event_hash.0,
        prev_hash: &stored.prev_hash.0,
        chain_hash: &stored.chain_hash.0,
    }
}

fn main() {
    let chains: Arc<Chains> = Arc::new([(1, "main")].into_iter().collect());
    for (lanes, batch) in [(1, 1000), (1, 1), (8, 1), (32, 1), (32, 10)] {
        let entries = chain(lanes, batch);
        let mut rates: Vec<f64> = (0..7)
            .map(|_| {
                let mut verifier =
                    Verifier::new(Arc::clone(&chains), Window::ALL, Limits::default());
                let start = Instant::now();
                entries
                    .iter()
                    .for_each(|stored| verifier.push(&view(stored)));
                ENTRIES as f64 / start.elapsed().as_secs_f64() / 1e6
            })
            .collect();
        rates.sort_by(f64::total_cmp);
        println!(
            "{lanes:>2} lanes, {batch:>4} entries a transaction: median {:.2} million entries/s \
             (from {:.2} to {:.2})",
            rates[rates.len() / 2],
            rates[0],
            rates[rates.len() - 1]
        );
    }
}
