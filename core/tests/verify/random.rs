//! Properties: clean histories are clean in any order and window; damage is found, and told alike
//! whatever the order; garbage harms nobody.

use auditspine_core::verify::{Limits, Window};
use proptest::prelude::*;

use super::reference::complaints;
use super::support::{Dice, Outcome, Row, history, verify_with};

fn limits(waiting: usize) -> Limits {
    Limits {
        waiting,
        candidates: 4,
    }
}

fn window(seed: u64, rows: &[Row]) -> Window {
    let mut dice = Dice::new(seed ^ 77);
    let head = rows
        .iter()
        .map(|row| row.seq)
        .max()
        .unwrap_or(1)
        .clamp(1, 1 << 20);
    let start = dice.roll(head as usize + 2) as i64;
    let end = start + dice.roll(head as usize + 2) as i64;
    match dice.roll(4) {
        0 => Window::ALL,
        1 => Window::new(start, None),
        2 => Window::new(1, Some(end)),
        _ => Window::new(start, Some(end)),
    }
}

/// One act of tampering, chosen by the dice.
pub fn tamper(rows: &mut Vec<Row>, dice: &mut Dice) {
    let at = dice.roll(rows.len());
    let other = dice.roll(rows.len());
    let row = &mut rows[at];
    match dice.roll(22) {
        0 => row.kind.push(b'x'),
        1 => row.pk = None,
        2 => row.appended_at += 1,
        3 => flip(&mut row.event_hash, dice, 1),
        4 => flip(&mut row.prev_hash, dice, 128),
        5 => flip(&mut row.chain_hash, dice, 4),
        6 => flip(&mut row.payload_hash, dice, 4),
        7 => row.payload = Some(b"null".to_vec()),
        8 => row.seq ^= 1 << dice.roll(64),
        9 => row.pos ^= 1 << dice.roll(64),
        10 => row.lane ^= 1 << dice.roll(16),
        11 => row.chain_id ^= 1 << dice.roll(32),
        12 => row.version ^= 1 << dice.roll(16),
        13 => row.prev_hash.truncate(dice.roll(32)),
        14 => {
            row.op = b'?';
            if chain_known(row) {
                row.seal();
            }
        }
        15 => {
            rows.remove(at);
        }
        16 => {
            let run = (at + dice.roll(5)).min(rows.len());
            rows.drain(at..run);
        }
        17 => {
            let copy = rows[at].clone();
            rows.push(copy);
        }
        18 => {
            let mut copy = rows[at].clone();
            copy.pos = rows[other].pos;
            copy.prev_hash = rows[other].prev_hash.clone();
            if chain_known(&copy) {
                copy.seal();
            }
            rows.push(copy);
        }
        19 => {
            let (a, b) = (rows[at].pos, rows[other].pos);
            (rows[at].pos, rows[other].pos) = (b, a);
        }
        20 => {
            let (a, b) = (rows[at].seq, rows[other].seq);
            (rows[at].seq, rows[other].seq) = (b, a);
        }
        _ => {
            let (a, b) = (rows[at].pk.clone(), rows[other].pk.clone());
            (rows[at].pk, rows[other].pk) = (b, a);
        }
    }
}

fn flip(hash: &mut [u8], dice: &mut Dice, bit: u8) {
    let at = dice.roll(hash.len());
    if let Some(byte) = hash.get_mut(at) {
        *byte ^= bit;
    }
}

fn chain_known(row: &Row) -> bool {
    row.own_event().is_some() && row.prev_hash.len() == 32
}

fn in_order(rows: &[Row], window: Window, seed: u64, reach: usize, waiting: usize) -> Outcome {
    let mut rows = rows.to_vec();
    Dice::new(seed).disorder(&mut rows, reach);
    verify_with(&rows, window, limits(waiting))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clean_is_clean_in_any_order(
        seed: u64, entries in 0usize..150, lanes in 1usize..5, reach in 0usize..40, waiting in 0usize..6,
    ) {
        let rows = history(seed, entries, lanes);
        let window = window(seed, &rows);
        let reach = if reach > 30 { usize::MAX } else { reach };
        let outcome = in_order(&rows, window, seed, reach, waiting);
        prop_assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
        let counted: u64 = outcome.reports.iter().map(|report| report.entries).sum();
        let seen = rows.iter().filter(|row| window.contains(row.seq));
        prop_assert_eq!(counted, seen.clone().count() as u64);
        let head = outcome.reports.iter().filter_map(|report| report.head_seq).max();
        prop_assert_eq!(head, seen.clone().map(|row| row.seq).max());
        let first = outcome.reports.iter().filter_map(|report| report.first_seq).min();
        prop_assert_eq!(first, seen.map(|row| row.seq).min());
        prop_assert!(complaints(&rows, window).is_empty());
    }

    #[test]
    fn damage_is_told_alike_whatever_the_order(
        seed: u64, entries in 2usize..60, lanes in 1usize..4, acts in 1usize..6, waiting in 0usize..9,
    ) {
        let mut rows = history(seed, entries, lanes);
        let mut dice = Dice::new(seed ^ 5);
        for _ in 0..acts {
            if !rows.is_empty() {
                tamper(&mut rows, &mut dice);
            }
        }
        let window = window(seed, &rows);
        let told = verify_with(&rows, window, limits(1000));
        for (reach, waiting) in [(0, waiting), (3, waiting), (usize::MAX, 0), (usize::MAX, waiting)] {
            let other = in_order(&rows, window, seed, reach, waiting);
            prop_assert_eq!(&other, &told);
        }
        let naive = complaints(&rows, window);
        if window == Window::ALL {
            prop_assert_eq!(told.findings.is_empty(), naive.is_empty(), "{:?} {:?}", told.findings, naive);
        } else {
            prop_assert!(!told.findings.is_empty() || naive.is_empty(), "{:?}", naive);
        }
    }

    #[test]
    fn garbage_harms_nobody(
        rows in proptest::collection::vec(garbage(), 0..60), waiting in 0usize..5, start in -3i64..9, end in proptest::option::of(-3i64..9),
    ) {
        let window = Window::new(start, end);
        let told = verify_with(&rows, window, limits(waiting));
        let other = in_order(&rows, window, 3, usize::MAX, 1000);
        prop_assert_eq!(&other, &told);
        let seen = rows.iter().filter(|row| window.contains(row.seq)).count();
        prop_assert_eq!(told.findings.is_empty(), seen == 0);
    }
}

fn edge() -> impl Strategy<Value = i64> {
    prop_oneof![
        -2i64..6,
        Just(i64::MIN),
        Just(i64::MAX),
        Just(i64::MAX - 1),
        any::<i64>()
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(vec![0; 32]),
        Just(vec![1; 32]),
        proptest::collection::vec(any::<u8>(), 0..40),
        Just(vec![7; 100])
    ]
}

fn garbage() -> impl Strategy<Value = Row> {
    let places = (
        edge(),
        prop_oneof![0i32..4, any::<i32>()],
        -1i16..3,
        edge(),
        -1i16..4,
    );
    let texts = (
        bytes(),
        proptest::option::of(bytes()),
        bytes(),
        proptest::option::of(bytes()),
    );
    let hashes = (
        bytes(),
        bytes(),
        bytes(),
        bytes(),
        proptest::option::of(bytes()),
    );
    let rest = (any::<u8>(), any::<u64>(), edge(), any::<Option<i32>>());
    (places, texts, hashes, rest).prop_map(|(places, texts, hashes, rest)| Row {
        seq: places.0,
        chain_id: places.1,
        lane: places.2,
        pos: places.3,
        version: places.4,
        op: rest.0,
        kind: texts.0,
        pk: texts.1.clone(),
        xid: rest.1,
        appended_at: rest.2,
        db_user: texts.2,
        actor: texts.3,
        context: texts.1,
        layout: rest.3,
        payload: hashes.4,
        payload_hash: hashes.0,
        event_hash: hashes.1,
        prev_hash: hashes.2,
        chain_hash: hashes.3,
    })
}
