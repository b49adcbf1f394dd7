//! Windows: what lies outside is not judged, but the entry before the window is asked for.

use auditspine_core::verify::FindingKind::*;
use auditspine_core::verify::{Limits, Window};

use super::support::{Outcome, Row, line, verify_with};

const LENGTH: usize = 12;

/// Verifies the entries `from..to` of the line, by their `seq`.
fn part(rows: &[Row], from: usize, to: usize) -> Outcome {
    let clean = line(LENGTH);
    let window = Window::new(clean[from].seq, Some(clean[to - 1].seq));
    let outcome = verify_with(rows, window, Limits::default());
    let mut reversed = rows.to_vec();
    reversed.reverse();
    let tight = Limits {
        waiting: 0,
        ..Limits::default()
    };
    assert_eq!(verify_with(&reversed, window, tight), outcome);
    outcome
}

#[test]
fn damage_outside_is_not_told() {
    for (from, to) in [(3, 8), (0, 8), (3, LENGTH)] {
        for at in (0..from).chain(to..LENGTH) {
            let mut rows = line(LENGTH);
            rows[at].pk = None;
            rows[at].chain_hash[3] ^= 1;
            if at + 1 != from {
                assert_eq!(part(&rows, from, to).at(), [], "{at} outside {from}..{to}");
            }
        }
    }
}

#[test]
fn one_edited_hash_before_the_window_is_seen_through() {
    let mut rows = line(LENGTH);
    rows[2].chain_hash[0] ^= 1;
    assert_eq!(part(&rows, 3, 8).at(), []);
}

#[test]
fn rewritten_entry_before_the_window() {
    let mut rows = line(LENGTH);
    rows[2].pk = None;
    rows[2].seal();
    let outcome = part(&rows, 3, 8);
    assert_eq!(outcome.at(), [(LinkBroken, rows[3].seq)]);
    assert_eq!(outcome.findings[0].predecessor.unwrap().seq, rows[2].seq);
}

#[test]
fn missing_entry_before_the_window() {
    let mut rows = line(LENGTH);
    let seq = rows[3].seq;
    rows.drain(1..3);
    let outcome = part(&rows, 3, 8);
    assert_eq!(outcome.at(), [(EntriesMissing, seq)]);
    assert_eq!(
        outcome.findings[0].detail,
        "the entry before it, at pos 3, is missing"
    );
}

#[test]
fn missing_successor_and_rewritten_last_entry_are_not_told() {
    let mut rows = line(LENGTH);
    rows[7].pk = None;
    rows[7].seal();
    rows.drain(8..);
    assert_eq!(part(&rows, 3, 8).at(), []);
}

#[test]
fn entry_whose_seq_was_moved_out_of_the_window() {
    let rows = line(LENGTH);
    for seq in [rows[1].seq - 1, 10_000] {
        let mut tampered = rows.clone();
        tampered[5].seq = seq;
        let outcome = part(&tampered, 3, 8);
        assert_eq!(outcome.at(), [(SeqOrder, rows[6].seq)], "{seq}");
    }
}

#[test]
fn counts_and_heads_are_those_of_the_window() {
    let rows = line(LENGTH);
    let report = part(&rows, 3, 8).reports.swap_remove(0);
    assert_eq!((report.entries, report.lanes), (5, 1));
    assert_eq!(
        (report.first_seq, report.head_seq),
        (Some(rows[3].seq), Some(rows[7].seq))
    );
    let all = verify_with(&rows, Window::new(1, None), Limits::default());
    assert_eq!(Window::new(1, None), Window::ALL);
    assert_eq!(all.reports[0].entries, LENGTH as u64);
}
