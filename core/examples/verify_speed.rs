//! Entries per second of checking and linking, on one thread, in order, next to the rate at which
//! the same bytes go through SHA-256 alone; then with an entry missing, and with everything read
//! again through the index:
//! `cargo run --release -p auditspine-core --example verify_speed`.

use std::convert::Infallible;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use auditspine_core::entry::{Event, Format, chain_hash};
use auditspine_core::hash::Hash;
use auditspine_core::verify::{Chains, EntryView, Limits, Store, Verifier, Window};

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
                format: Format::CURRENT,
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
        version: event.format.version(),
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

/// One lane, in order of position.
struct Lane<'a>(&'a [Stored]);

impl Store for Lane<'_> {
    type Error = Infallible;

    fn entries_at(
        &mut self,
        _: i32,
        _: i16,
        pos: i64,
        show: &mut dyn FnMut(&EntryView<'_>),
    ) -> Result<(), Infallible> {
        self.0
            .iter()
            .filter(|stored| stored.event.pos == pos)
            .for_each(|stored| show(&view(stored)));
        Ok(())
    }

    fn entries_from(
        &mut self,
        _: i32,
        _: i16,
        pos: i64,
        show: &mut dyn FnMut(&EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        let start = self.0.partition_point(|stored| stored.event.pos < pos);
        let _ = self.0[start..]
            .iter()
            .try_for_each(|stored| show(&view(stored)));
        Ok(())
    }
}

/// Millions of entries per second.
fn rate(entries: &[Stored], work: impl FnMut(&Stored)) -> f64 {
    let start = cpu_time();
    entries.iter().for_each(work);
    entries.len() as f64 / (cpu_time() - start).as_secs_f64() / 1e6
}

/// Time that this process has run, as Linux tells; elsewhere, time of day.
fn cpu_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let ran = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanos = ran.and_then(|ran| ran.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    let chains: Arc<Chains> = Arc::new([(1, "main", 32)].into_iter().collect());
    for (lanes, batch) in [(1, 1000), (1, 1), (8, 1), (32, 1), (32, 10)] {
        let entries = chain(lanes, batch);
        let mut text = Vec::new();
        entries[ENTRIES / 2].event.write(&mut text);
        let (mut alone, mut whole) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            alone.push(rate(&entries, |stored| {
                let link = chain_hash(&stored.prev_hash, &stored.event_hash, stored.seq);
                black_box((Hash::of(black_box(&text)), link));
            }));
            let mut verifier = Verifier::new(Arc::clone(&chains), Window::ALL, Limits::default());
            whole.push(rate(&entries, |stored| verifier.push(&view(stored))));
        }
        let (alone, whole) = (median(alone), median(whole));
        println!(
            "{lanes:>2} lanes, {batch:>4} entries a transaction: {whole:.2} million entries/s \
             verified, {alone:.2} through SHA-256 alone ({} bytes of event): {:.2} of it",
            text.len(),
            whole / alone
        );
    }

    let mut entries = chain(1, 1);
    entries.remove(1);
    for (what, limits) in [
        ("one entry missing", Limits::default()),
        (
            "and read again",
            Limits {
                waiting: 0,
                ..Limits::default()
            },
        ),
    ] {
        let rates = (0..7).map(|_| {
            let start = cpu_time();
            let mut verifier = Verifier::new(Arc::clone(&chains), Window::ALL, limits);
            entries
                .iter()
                .for_each(|stored| verifier.push(&view(stored)));
            let mut findings = 0;
            let Ok(_) = verifier.finish(&mut Lane(&entries), &mut |_| findings += 1);
            assert_eq!(findings, 1);
            ENTRIES as f64 / (cpu_time() - start).as_secs_f64() / 1e6
        });
        println!(
            " 1 lane, {what}: {:.2} million entries/s verified",
            median(rates.collect())
        );
    }
}
