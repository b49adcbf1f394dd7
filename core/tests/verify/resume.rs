//! Going on behind the heads of an earlier verification.

use std::collections::BTreeMap;

use auditspine_core::hash::Hash;
use auditspine_core::verify::FindingKind::*;
use auditspine_core::verify::{Finding, Head, Limits, Verifier, Window, check_heads};
use proptest::prelude::*;

use super::random::tamper;
use super::reference::complaints;
use super::support::{
    Dice, Outcome, Row, Table, chains, forged, history, line, outcome, verify_with,
};

/// The last entry of each lane.
fn heads_of(rows: &[Row]) -> Vec<Head> {
    let mut heads = BTreeMap::new();
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| row.pos);
    for row in sorted {
        let head = Head {
            chain_id: row.chain_id,
            lane: row.lane,
            pos: row.pos,
            seq: row.seq,
            chain_hash: Hash::from_slice(&row.chain_hash).unwrap(),
        };
        heads.insert((row.chain_id, row.lane), head);
    }
    heads.into_values().collect()
}

fn resumed_with(rows: &[Row], heads: &[Head], limits: Limits) -> Outcome {
    let mut verifier = Verifier::resume(chains(), heads.iter().copied(), limits);
    rows.iter()
        .for_each(|row| row.view(|view| verifier.push(view)));
    outcome(verifier, rows)
}

/// What a verification behind `heads` says, in several orders and under several bounds.
fn resumed(rows: &[Row], heads: &[Head]) -> Outcome {
    let told = resumed_with(rows, heads, Limits::default());
    let mut dice = Dice::new(rows.len() as u64);
    for (reach, waiting) in [(0, 0), (2, 1), (usize::MAX, 0), (usize::MAX, 999)] {
        let mut rows = rows.to_vec();
        dice.disorder(&mut rows, reach);
        let limits = Limits {
            waiting,
            ..Limits::default()
        };
        assert_eq!(resumed_with(&rows, heads, limits), told);
    }
    told
}

fn checked(rows: &[Row], heads: &[Head]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut table = Table::new(rows.to_vec());
    let Ok(count) = check_heads(&chains(), heads, &mut table, &mut |f| findings.push(f));
    assert_eq!(count as usize, findings.len());
    findings
}

/// Twelve entries, and the head that a verification of the first seven ended with.
fn seven_of_twelve() -> (Vec<Row>, Vec<Head>) {
    let rows = line(12);
    let heads = heads_of(&rows[..7]);
    (rows, heads)
}

#[test]
fn reports_hold_the_heads() {
    let rows = history(4, 90, 3);
    let outcome = verify_with(&rows, Window::ALL, Limits::default());
    let heads: Vec<Head> = outcome.reports.into_iter().flat_map(|r| r.heads).collect();
    assert_eq!(heads.len(), 6);
    assert_eq!(heads, heads_of(&rows));
}

#[test]
fn what_was_added_is_verified_and_nothing_else() {
    let (mut rows, heads) = seven_of_twelve();
    let told = resumed(&rows, &heads);
    let report = &told.reports[0];
    assert_eq!((told.findings.len(), report.entries), (0, 5));
    assert_eq!(report.first_seq, Some(rows[7].seq));
    assert_eq!(report.heads, heads_of(&rows));
    rows[3].pk = None;
    assert_eq!(resumed(&rows, &heads).at(), [], "an old entry");
    rows[9].pk = None;
    assert_eq!(resumed(&rows, &heads).at(), [(EntryEdited, rows[9].seq)]);
}

#[test]
fn nothing_was_added() {
    let rows = line(7);
    let told = resumed(&rows, &heads_of(&rows));
    assert_eq!(told.at(), []);
    let report = &told.reports[0];
    assert_eq!((report.entries, &report.heads[..]), (0, &[][..]));
}

#[test]
fn first_entry_behind_the_head_must_continue_it() {
    let (mut rows, heads) = seven_of_twelve();
    let first = rows.remove(7);
    assert_eq!(
        resumed(&rows, &heads).findings[0].detail,
        "the entry at pos 8 is missing"
    );
    let mut forgery = first.clone();
    forgery.prev_hash = vec![7; 32];
    forgery.seal();
    rows.insert(7, forgery);
    assert_eq!(resumed(&rows, &heads).at(), [(EntryInserted, first.seq)]);
    rows.truncate(8);
    assert_eq!(resumed(&rows, &heads).at(), [(LinkBroken, first.seq)]);
}

#[test]
fn seq_must_grow_from_the_head_on() {
    let (mut rows, heads) = seven_of_twelve();
    rows.truncate(7);
    let late = forged(&[rows.clone(), line(1)].concat(), 8, rows[6].seq - 1);
    rows.push(Row { pos: 8, ..late });
    rows[7].seal();
    assert_eq!(resumed(&rows, &heads).at(), [(SeqOrder, rows[7].seq)]);
}

#[test]
fn lanes_without_a_head_are_verified_from_the_start() {
    let mut rows = history(3, 120, 2);
    let heads: Vec<Head> = heads_of(&rows[..60])
        .into_iter()
        .filter(|head| head.lane == 0)
        .collect();
    assert_eq!(resumed(&rows, &heads).at(), []);
    let first = rows
        .iter()
        .position(|row| row.lane == 1 && row.chain_id == 2)
        .unwrap();
    let next = rows
        .iter()
        .filter(|row| row.lane == 1 && row.chain_id == 2)
        .nth(1)
        .unwrap()
        .seq;
    rows.remove(first);
    assert_eq!(resumed(&rows, &heads).at(), [(EntriesMissing, next)]);
}

#[test]
fn of_two_heads_of_a_lane_the_earlier_counts() {
    let (mut rows, mut heads) = seven_of_twelve();
    rows[8].pk = None;
    heads.extend(heads_of(&rows[..10]));
    assert_eq!(resumed(&rows, &heads).at(), [(EntryEdited, rows[8].seq)]);
    heads.reverse();
    assert_eq!(resumed(&rows, &heads).at(), [(EntryEdited, rows[8].seq)]);
}

#[test]
fn heads_that_are_as_they_were() {
    let (rows, heads) = seven_of_twelve();
    assert_eq!(checked(&rows, &heads), []);
    let rows = history(8, 70, 3);
    assert_eq!(checked(&rows, &heads_of(&rows[..40])), []);
}

#[test]
fn head_that_is_gone() {
    let (mut rows, heads) = seven_of_twelve();
    let head = rows.remove(6);
    let findings = checked(&rows, &heads);
    let finding = &findings[0];
    assert_eq!((finding.kind, finding.seq), (HeadMissing, head.seq));
    assert_eq!(finding.expected.unwrap().0[..], head.chain_hash);
    assert!(finding.detail.ends_with("is gone"), "{}", finding.detail);
    rows.truncate(6);
    let detail = &checked(&rows, &heads)[0].detail;
    assert!(
        detail.ends_with("the end of the lane was cut off"),
        "{detail}"
    );
}

#[test]
fn head_that_is_not_as_it_was() {
    let (rows, heads) = seven_of_twelve();
    let altered = |change: &dyn Fn(&mut Row)| {
        let mut rows = rows.clone();
        change(&mut rows[6]);
        let findings = checked(&rows, &heads);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].seq, heads[0].seq);
        assert_eq!(findings[0].kind, HeadChanged);
        findings[0].detail.clone()
    };
    let detail = altered(&|row| row.pk = None);
    assert!(detail.ends_with("does not match its own hashes any more"));
    let detail = altered(&|row| row.seq += 1);
    assert!(detail.ends_with("has another seq now"), "{detail}");
    let detail = altered(&|row| {
        row.pk = None;
        row.seal();
    });
    assert!(detail.contains("was replaced"), "{detail}");
    let mut twice = rows.clone();
    twice.push(rows[6].clone());
    let detail = &checked(&twice, &heads)[0].detail;
    assert!(detail.ends_with("is stored twice"), "{detail}");
    let mut beside = rows.clone();
    beside.push(forged(&rows, 7, 999));
    let finding = &checked(&beside, &heads)[0];
    assert_eq!(finding.found.as_ref(), Some(&beside[12].chain_hash));
}

/// A head whose chain is not in `auditspine.chain` any more cannot be recomputed.
#[test]
fn head_of_a_chain_that_is_gone() {
    let (rows, heads) = seven_of_twelve();
    let none = std::sync::Arc::new(std::iter::empty::<(i32, &str, i16)>().collect());
    let mut kinds = Vec::new();
    let Ok(count) = check_heads(&none, &heads, &mut Table::new(rows), &mut |finding| {
        kinds.push(finding.kind)
    });
    assert_eq!((count, &kinds[..]), (1, &[HeadChanged][..]));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Of any history, verified up to any entry of each lane: what was added is clean in any order,
    /// and damage behind the heads, or to them, is told as the plain verifier would.
    #[test]
    fn as_the_plain_verifier(
        seed: u64, entries in 1usize..80, lanes in 1usize..4, acts in 0usize..5, waiting in 0usize..9,
    ) {
        let mut rows = history(seed, entries, lanes);
        let mut dice = Dice::new(seed ^ 9);
        // Lanes were verified up to different entries, as commits come to light out of order.
        let heads: Vec<Head> = heads_of(&rows)
            .into_iter()
            .filter_map(|head| {
                let upto = dice.roll(head.pos as usize + 1) as i64;
                let lane: Vec<Row> = rows
                    .iter()
                    .filter(|row| (row.chain_id, row.lane) == (head.chain_id, head.lane) && row.pos <= upto)
                    .cloned()
                    .collect();
                heads_of(&lane).pop()
            })
            .collect();
        for _ in 0..acts {
            if !rows.is_empty() {
                tamper(&mut rows, &mut dice);
            }
        }
        let limits = Limits { waiting: 1000, candidates: 4 };
        let damaged_heads = checked(&rows, &heads).len();
        let told = resumed_with(&rows, &heads, limits);
        let naive = complaints(&rows, Window::ALL);
        if damaged_heads == 0 {
            for (reach, waiting) in [(3, waiting), (usize::MAX, 0), (usize::MAX, waiting)] {
                let mut other = rows.clone();
                Dice::new(seed).disorder(&mut other, reach);
                prop_assert_eq!(&resumed_with(&other, &heads, Limits { waiting, ..limits }), &told);
            }
            // Nothing is told that a verification of everything would not tell.
            prop_assert!(told.findings.is_empty() || !naive.is_empty(), "{:?}", told.findings);
        }
        let behind = |(chain_id, lane, pos): &(i32, i16, i64)| {
            heads
                .iter()
                .find(|head| (head.chain_id, head.lane) == (*chain_id, *lane))
                .is_none_or(|head| *pos > head.pos)
        };
        if naive.iter().any(behind) {
            prop_assert!(damaged_heads + told.findings.len() > 0, "{:?}", naive);
        }
        if acts == 0 {
            prop_assert_eq!((damaged_heads, told.findings), (0, vec![]));
        }
    }
}
