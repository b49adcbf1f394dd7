//! The table of lanes' ends: never another end than the committed one, whatever happens to those who append.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use auditspine_core::hash::Hash;
use auditspine_core::shared_heads::{LaneEnd, LaneKey, SharedHeads, Slot};
use proptest::prelude::*;

fn slots(count: usize) -> Vec<Slot> {
    (0..count).map(|_| Slot::default()).collect()
}

fn key(lane: u16, file: u32) -> LaneKey {
    LaneKey {
        file: [1663, 5, file],
        chain_id: i32::from(lane / 4) - 2,
        lane: (lane % 4) as i16,
    }
}

fn end(pos: i64) -> LaneEnd {
    LaneEnd {
        pos,
        seq: pos * 3,
        chain_hash: Hash::of(&pos.to_be_bytes()),
        block: (pos / 7) as u32,
        offset: (pos % 7) as u16 + 1,
        buffer: -(pos as i32),
    }
}

/// How an append ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Commits,
    /// Or its process dies.
    Aborts,
    /// Somebody else commits it, later.
    Prepared,
    RolledBackPrepared,
    /// By one who does not know the table, which others learn ahead of the next append.
    ByOthers,
}

fn endings() -> impl Strategy<Value = Ending> {
    prop_oneof![
        4 => Just(Ending::Commits),
        1 => Just(Ending::Aborts),
        1 => Just(Ending::Prepared),
        1 => Just(Ending::RolledBackPrepared),
        1 => Just(Ending::ByOthers),
    ]
}

proptest! {
    #[test]
    fn what_is_taken_is_the_committed_end(
        size in 2u32..6,
        program in prop::collection::vec((0u16..40, 1i64..5, endings()), 1..200),
    ) {
        let slots = slots(1 << size);
        let table = SharedHeads::new(&slots);
        let mut truth: HashMap<u16, i64> = HashMap::new();
        for (lane, entries, ending) in program {
            let key = key(lane, 77);
            let committed = truth.entry(lane).or_insert(0);
            if let Ending::ByOthers = ending {
                *committed += entries;
                table.forget(5);
                continue;
            }
            if let Some(found) = table.take(&key).unwrap() {
                prop_assert_eq!(found, end(*committed));
            }
            prop_assert_eq!(table.take(&key), Ok(None));
            match ending {
                Ending::Commits => {
                    *committed += entries;
                    table.put(&key, &end(*committed));
                }
                Ending::Prepared => *committed += entries,
                _ => {}
            }
        }
    }

    #[test]
    fn keys_that_differ_share_nothing(file in 1u32..9, database in 1u32..9, chain_id in any::<i32>(), lane in any::<i16>()) {
        let slots = slots(8);
        let table = SharedHeads::new(&slots);
        let own = LaneKey { file: [1, database, file], chain_id, lane };
        table.put(&own, &end(9));
        for other in [
            LaneKey { file: [2, database, file], ..own },
            LaneKey { file: [1, database + 1, file], ..own },
            LaneKey { file: [1, database, file + 1], ..own },
            LaneKey { chain_id: chain_id.wrapping_add(1), ..own },
            LaneKey { lane: lane.wrapping_add(1), ..own },
        ] {
            prop_assert_eq!(table.take(&other), Ok(None));
        }
        table.forget(database + 1);
        prop_assert_eq!(table.take(&own), Ok(Some(end(9))));
    }
}

#[test]
fn an_end_is_kept_while_there_is_room() {
    let slots = slots(64);
    let table = SharedHeads::new(&slots);
    for pos in 1..100 {
        let key = key(3, 7);
        let before = table.take(&key).unwrap();
        assert_eq!(before, (pos > 1).then(|| end(pos - 1)));
        table.put(&key, &end(pos));
    }
}

#[test]
fn threads_that_hold_their_lanes_find_committed_ends() {
    const LANES: u16 = 24;
    let slots = slots(8);
    let table = SharedHeads::new(&slots);
    let truth: Vec<Mutex<i64>> = (0..LANES).map(|_| Mutex::new(0)).collect();
    let found = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (truth, found) = (&truth, &found);
            scope.spawn(move || {
                let mut random = thread * 7919 + 1;
                for _ in 0..60_000 {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    let lane = (random >> 33) as u16 % LANES;
                    let mut committed = truth[usize::from(lane)].lock().unwrap();
                    let key = key(lane, 7);
                    if let Some(there) = table.take(&key).unwrap() {
                        assert_eq!(there, end(*committed));
                        found.fetch_add(1, Ordering::Relaxed);
                    }
                    if random >> 60 == 0 {
                        table.forget(5);
                    }
                    *committed += 1;
                    if random >> 61 == 1 {
                        continue;
                    }
                    table.put(&key, &end(*committed));
                }
            });
        }
    });
    assert!(found.into_inner() > 1_000);
}
