//! The index by key: pages, merging and marks, held against models.

use std::collections::BTreeSet;

use auditspine_core::key_index::{
    FAN_IN, ITEMS, Item, Mark, Merge, NotSorted, PackedPage, RunDigest, WIDTH, bound, key_of,
    level, pack, to_merge,
};
use proptest::prelude::*;

/// Few keys, so that they repeat.
fn item() -> impl Strategy<Value = Item> {
    let key = prop_oneof![-3i64..3, any::<i64>(), Just(i64::MIN), Just(i64::MAX)];
    (key, any::<i32>(), any::<i16>(), any::<i64>()).prop_map(|(key, chain_id, lane, pos)| Item {
        key,
        chain_id,
        lane,
        pos,
    })
}

fn run() -> impl Strategy<Value = Vec<Item>> {
    prop::collection::vec(item(), 0..60).prop_map(|mut items| {
        items.sort_unstable();
        items
    })
}

/// A run looked up as it is in tables: the first page whose last key is not below, and on.
fn look_up(pages: &[Vec<u8>], key: i64) -> Vec<Item> {
    let mut found = Vec::new();
    for bytes in pages {
        let page = PackedPage::new(bytes).unwrap();
        if page.items().last().unwrap().key < key {
            continue;
        }
        let (items, more) = page.of_key(key);
        found.extend(items);
        if !more {
            break;
        }
    }
    found
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(items in run()) {
        let bytes = pack(&items);
        prop_assert_eq!(bytes.len(), items.len() * WIDTH);
        let page = PackedPage::new(&bytes).unwrap();
        prop_assert_eq!(page.len(), items.len());
        prop_assert_eq!(page.is_empty(), items.is_empty());
        prop_assert_eq!(page.items().collect::<Vec<_>>(), items);
    }

    #[test]
    fn other_lengths_are_no_page(items in run(), extra in 1..WIDTH) {
        let mut bytes = pack(&items);
        bytes.resize(bytes.len() + extra, 0);
        prop_assert!(PackedPage::new(&bytes).is_none());
    }

    #[test]
    fn lookup_finds_all_of_a_key_and_nothing_else(items in run(), size in 1usize..7, absent in any::<i64>()) {
        let pages: Vec<Vec<u8>> = items.chunks(size).map(pack).collect();
        let keys = items.iter().map(|item| item.key).chain([absent, i64::MIN, i64::MAX]);
        for key in keys {
            let expected: Vec<Item> = items.iter().copied().filter(|item| item.key == key).collect();
            prop_assert_eq!(look_up(&pages, key), expected);
        }
    }

    #[test]
    fn merged_runs_are_their_union(runs in prop::collection::vec(run(), 0..12)) {
        let union: BTreeSet<Item> = runs.iter().flatten().copied().collect();
        let merged: Result<Vec<Item>, NotSorted> =
            Merge::new(runs.into_iter().map(Vec::into_iter).collect()).collect();
        prop_assert_eq!(merged.unwrap(), union.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_run_out_of_order_is_told(runs in prop::collection::vec(run(), 1..5), at in any::<prop::sample::Index>()) {
        let mut runs = runs;
        let which = at.index(runs.len());
        runs[which].reverse();
        let sorted = runs[which].is_sorted();
        let merged: Result<Vec<Item>, NotSorted> =
            Merge::new(runs.into_iter().map(Vec::into_iter).collect()).collect();
        prop_assert_eq!(merged.is_ok(), sorted);
    }

    /// However fills follow one another, runs stay few, and no entry is written often.
    #[test]
    fn runs_stay_few(fills in prop::collection::vec(1u64..2_000_000, 1..200)) {
        let mut runs: Vec<(i32, u64)> = Vec::new();
        let (mut number, mut written, mut entered) = (0, 0, 0);
        for entries in fills {
            number += 1;
            runs.push((number, entries));
            entered += entries;
            written += entries;
            loop {
                let merged = to_merge(&runs);
                if merged.is_empty() {
                    break;
                }
                prop_assert!(merged.len() >= FAN_IN);
                let all: u64 = runs.iter().filter(|(run, _)| merged.contains(run)).map(|(_, n)| n).sum();
                runs.retain(|(run, _)| !merged.contains(run));
                number += 1;
                runs.push((number, all));
                written += all;
            }
        }
        let levels = u64::from(level(entered)) + 1;
        prop_assert!(runs.len() as u64 <= levels * (FAN_IN as u64 - 1));
        prop_assert!(written <= entered * (levels + 1));
    }

    /// Transactions get ids, draw numbers and end in any order; marks are taken in between. Whatever a snapshot does not
    /// see has a number above the bound.
    #[test]
    fn nothing_that_is_not_seen_is_below_the_bound(steps in prop::collection::vec(0u8..6, 1..120)) {
        let (mut seq, mut next_xid) = (0i64, 3u64);
        // Running transactions with the smallest number that each has drawn.
        let mut running: Vec<(u64, Option<i64>)> = Vec::new();
        let mut marks: Vec<Mark> = Vec::new();
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                0 => {
                    running.push((next_xid, None));
                    next_xid += 1;
                }
                1 | 2 if !running.is_empty() => {
                    seq += 1;
                    let count = running.len();
                    running[at % count].1.get_or_insert(seq);
                }
                3 if !running.is_empty() => {
                    let count = running.len();
                    running.remove(at % count);
                }
                4 => marks.push(Mark { seq, page: 0, next_xid }),
                _ => {
                    let oldest = running.iter().map(|(xid, _)| *xid).min().unwrap_or(next_xid);
                    if let Some(mark) = bound(&marks, oldest) {
                        let unseen = running.iter().filter_map(|(_, first)| *first);
                        prop_assert!(unseen.min().is_none_or(|first| first > mark.seq));
                    } else {
                        prop_assert!(marks.iter().all(|mark| mark.next_xid > oldest));
                    }
                }
            }
        }
    }
}

#[test]
fn two_pages_fit_one_of_the_server() {
    // Header of a page, two line pointers; header of a tuple, aligned, with run, last key, number and length.
    let tuple = (24 + 4 + 4 + 8 + 4 + 4 + ITEMS * WIDTH).next_multiple_of(8);
    assert!(24 + 2 * 4 + 2 * tuple <= 8192);
}

#[test]
fn keys_are_told_apart() {
    let keys = [
        key_of(b"t", None),
        key_of(b"t", Some(b"")),
        key_of(b"t", Some(b"1")),
        key_of(b"t1", None),
        key_of(b"", Some(b"t")),
        key_of(b"t", Some(b"\x001")),
    ];
    let all: BTreeSet<i64> = keys.into_iter().collect();
    assert_eq!(all.len(), keys.len());
    // SHA-256 of nothing begins with e3b0c44298fc1c14.
    assert_eq!(key_of(b"", None), 0xe3b0_c442_98fc_1c14_u64 as i64);
}

#[test]
fn a_digest_covers_all_of_a_page() {
    let digest = |pages: &[(i64, i32, &[u8])]| {
        let mut digest = RunDigest::default();
        for (last_key, number, items) in pages {
            digest.page(*last_key, *number, items);
        }
        digest.finish()
    };
    let all = [
        digest(&[]),
        digest(&[(1, 1, b"ab")]),
        digest(&[(2, 1, b"ab")]),
        digest(&[(1, 2, b"ab")]),
        digest(&[(1, 1, b"ac")]),
        digest(&[(1, 1, b"a"), (1, 1, b"b")]),
        digest(&[(1, 1, b""), (1, 1, b"ab")]),
    ];
    let distinct: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), all.len());
}
