//! Deletion, insertion, swaps, forks and rewriting: what is said, and at which `seq`.

use auditspine_core::verify::FindingKind::{self, *};
use auditspine_core::verify::{Limits, Window};

use crate::support::{CHAINS, Row, history, line, reseal, verify, verify_with};

const LENGTH: usize = 9;

fn told(rows: &[Row]) -> Vec<(FindingKind, i64)> {
    verify(rows).at()
}

fn detail(rows: &[Row]) -> String {
    verify(rows)
        .findings
        .iter()
        .map(|f| f.detail.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A forger's entry at `pos`, continuing what stands before it.
fn forged(rows: &[Row], pos: usize, seq: i64) -> Row {
    let mut row = rows[pos - 1].clone();
    row.seq = seq;
    row.kind = b"forged".to_vec();
    row.prev_hash = if pos == 1 {
        vec![0; 32]
    } else {
        rows[pos - 2].chain_hash.clone()
    };
    row.seal();
    row
}

#[test]
fn deletion() {
    let rows = line(LENGTH);
    for first in 0..LENGTH {
        for count in 1..LENGTH - first {
            let mut left = rows.clone();
            left.drain(first..first + count);
            let behind = rows[first + count].seq;
            assert_eq!(
                told(&left),
                [(EntriesMissing, behind)],
                "{count} from {first}"
            );
            let words = match (first, count) {
                (0, 1) => "the lane's first entry, at pos 1, is missing".to_owned(),
                (0, n) => format!("the lane's beginning is missing: {n} entries from pos 1 to {n}"),
                (_, 1) => format!("the entry at pos {} is missing", first + 1),
                (_, n) => {
                    format!(
                        "{n} entries are missing from pos {} to {}",
                        first + 1,
                        first + n
                    )
                }
            };
            assert_eq!(detail(&left), words);
        }
    }
}

#[test]
fn several_deletions() {
    let mut rows = line(LENGTH);
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    for at in [7, 4, 3, 1] {
        rows.remove(at);
    }
    let expected = [2, 5, 8].map(|at| (EntriesMissing, seqs[at]));
    assert_eq!(told(&rows), expected);
}

#[test]
fn insertion_at_an_occupied_position() {
    let rows = line(LENGTH);
    for pos in 1..=LENGTH {
        // A copy from elsewhere, its own hashes left alone or recomputed.
        let mut copy = rows[(pos + 3) % LENGTH].clone();
        copy.pos = pos as i64;
        copy.seq = 1000;
        let mut sealed = copy.clone();
        sealed.seal();
        for inserted in [copy, sealed] {
            let mut rows = rows.clone();
            rows.push(inserted);
            assert_eq!(told(&rows), [(EntryInserted, 1000)], "at {pos}");
        }
    }
}

#[test]
fn insertion_by_shifting_what_follows() {
    for pos in 1..LENGTH {
        let mut rows = line(LENGTH);
        let forged = forged(&rows, pos, 2 * pos as i64 + 2);
        let mut expected = vec![(EntryInserted, forged.seq)];
        for row in &mut rows[pos - 1..] {
            // Each of them was changed, in pos.
            row.pos += 1;
            expected.push((EntryMoved, row.seq));
        }
        rows.insert(pos - 1, forged);
        assert_eq!(told(&rows), expected, "at {pos}");
    }
}

#[test]
fn fork() {
    let rows = line(LENGTH);
    for pos in 1..=LENGTH {
        let mut forked = rows.clone();
        forked.push(forged(&rows, pos, 500));
        assert_eq!(told(&forked), [(Fork, 500)], "at {pos}");
        if pos < LENGTH {
            // The fork's seq may be the smaller one: the successor decides.
            let mut forked = rows.clone();
            forked.push(forged(&rows, pos, rows[pos - 1].seq - 1));
            assert_eq!(told(&forked), [(Fork, rows[pos - 1].seq - 1)], "at {pos}");
        }
    }
}

#[test]
fn fork_that_goes_on() {
    let rows = line(LENGTH);
    let mut branch = rows[3..6].to_vec();
    let mut prev = rows[2].chain_hash.clone();
    for (at, row) in branch.iter_mut().enumerate() {
        row.seq = 100 + at as i64;
        row.db_user = b"mallory".to_vec();
        row.prev_hash = prev;
        row.seal();
        prev = row.chain_hash.clone();
    }
    let mut forked = rows;
    forked.extend(branch);
    assert_eq!(told(&forked), [(Fork, 100), (Fork, 101), (Fork, 102)]);
}

#[test]
fn duplicate() {
    let rows = line(LENGTH);
    for at in 0..LENGTH {
        let mut doubled = rows.clone();
        doubled.push(rows[at].clone());
        assert_eq!(told(&doubled), [(Duplicate, rows[at].seq)]);
    }
    let mut again = rows.clone();
    again.push(Row {
        seq: 77,
        ..rows[4].clone()
    });
    assert_eq!(told(&again), [(Duplicate, 77)]);
}

#[test]
fn rewriting_with_recomputed_hashes() {
    for at in 0..LENGTH - 1 {
        let rows = line(LENGTH);
        let mut rewritten = rows.clone();
        rewritten[at].pk = Some(b"other".to_vec());
        rewritten[at].seal();
        assert_eq!(
            told(&rewritten),
            [(EntryRewritten, rows[at].seq)],
            "at {at}"
        );
        let finding = &verify(&rewritten).findings[0];
        assert_eq!(finding.expected.unwrap().0[..], rows[at].chain_hash[..]);
        assert_eq!(finding.found.as_ref(), Some(&rewritten[at].chain_hash));
        assert_eq!(finding.successor.unwrap().seq, rows[at + 1].seq);
    }
}

#[test]
fn rewriting_event_hash_only() {
    for at in 0..LENGTH {
        let mut rows = line(LENGTH);
        rows[at].pk = None;
        rows[at].event_hash = rows[at].own_event().unwrap().0.to_vec();
        assert_eq!(told(&rows), [(EntryEdited, rows[at].seq)], "at {at}");
    }
}

#[test]
fn rewriting_a_run_up_to_an_intact_entry() {
    let rows = line(LENGTH);
    let mut rewritten = rows.clone();
    rewritten[2].pk = None;
    for at in 2..5 {
        rewritten[at].prev_hash = rewritten[at - 1].chain_hash.clone();
        rewritten[at].seal();
    }
    assert_eq!(told(&rewritten), [(EntryRewritten, rows[4].seq)]);
}

#[test]
fn replacement_that_fits_neither_side() {
    for at in 1..LENGTH - 1 {
        let mut rows = line(LENGTH);
        rows[at].prev_hash = vec![9; 32];
        rows[at].seal();
        assert_eq!(told(&rows), [(EntryInserted, rows[at].seq)], "at {at}");
    }
}

#[test]
fn swapped_positions() {
    let rows = line(LENGTH);
    for a in 0..LENGTH {
        for b in a + 1..LENGTH {
            let mut swapped = rows.clone();
            (swapped[a].pos, swapped[b].pos) = (rows[b].pos, rows[a].pos);
            let expected = [(EntryMoved, rows[b].seq), (EntryMoved, rows[a].seq)];
            assert_eq!(told(&swapped), expected, "{a} and {b}");
        }
    }
}

#[test]
fn swapped_seqs() {
    let rows = line(LENGTH);
    for a in 0..LENGTH {
        for b in a + 1..LENGTH {
            let mut swapped = rows.clone();
            (swapped[a].seq, swapped[b].seq) = (rows[b].seq, rows[a].seq);
            let expected = [(EntryMoved, rows[b].seq), (EntryMoved, rows[a].seq)];
            assert_eq!(told(&swapped), expected, "{a} and {b}");
        }
    }
}

#[test]
fn swapped_contents() {
    let rows = line(LENGTH);
    for a in 0..LENGTH {
        for b in a + 1..LENGTH {
            for hashes in [false, true] {
                let mut swapped = rows.clone();
                for (to, from) in [(a, b), (b, a)] {
                    let (seq, pos) = (rows[to].seq, rows[to].pos);
                    let kept = rows[to].clone();
                    swapped[to] = Row {
                        seq,
                        pos,
                        ..rows[from].clone()
                    };
                    if !hashes {
                        swapped[to].event_hash = kept.event_hash;
                        swapped[to].prev_hash = kept.prev_hash;
                        swapped[to].chain_hash = kept.chain_hash;
                    }
                }
                let expected = [(EntryMoved, rows[a].seq), (EntryMoved, rows[b].seq)];
                assert_eq!(told(&swapped), expected, "{a} and {b}, {hashes}");
            }
        }
    }
}

#[test]
fn swap_across_lanes() {
    let rows = history(3, 60, 3);
    let of = |lane| {
        rows.iter()
            .position(|r| r.chain_id == 1 && r.lane == lane && r.pos == 4)
    };
    let (a, b) = (of(0).unwrap(), of(2).unwrap());
    let mut swapped = rows.clone();
    (swapped[a].lane, swapped[b].lane) = (2, 0);
    let expected = [(EntryMoved, rows[b].seq), (EntryMoved, rows[a].seq)];
    assert_eq!(told(&swapped), expected);
}

#[test]
fn moved_into_a_run_of_missing_entries() {
    let rows = line(LENGTH);
    let mut left = rows.clone();
    left[4].pos = 40;
    left.remove(3);
    left.remove(2);
    assert_eq!(
        told(&left),
        [(EntriesMissing, rows[5].seq), (EntryMoved, rows[4].seq)]
    );
    assert!(detail(&left).contains("2 entries are missing from pos 3 to 5"));
}

#[test]
fn seq_that_goes_back() {
    let mut rows = line(LENGTH);
    rows[4].seq = 2;
    reseal(&mut rows);
    assert_eq!(told(&rows), [(SeqOrder, 2)]);
    rows[4].seq = 100;
    reseal(&mut rows);
    assert_eq!(told(&rows), [(SeqOrder, rows[5].seq)]);
}

#[test]
fn unknown_formats_and_chains() {
    let mut rows = line(LENGTH);
    rows[3].version = 2;
    reseal(&mut rows);
    assert_eq!(told(&rows), [(UnknownVersion, rows[3].seq)]);

    let mut rows = line(LENGTH);
    rows.iter_mut().for_each(|row| row.chain_id = 99);
    let outcome = verify(&rows);
    assert_eq!(outcome.at(), [(UnknownChain, rows[0].seq)]);
    assert!(
        outcome.findings[0].detail.contains("8 more"),
        "{}",
        outcome.findings[0].detail
    );
    let report = outcome.reports.last().unwrap();
    assert_eq!(
        (report.chain_id, report.entries, report.ok()),
        (99, LENGTH as u64, false)
    );
}

#[test]
fn impossible_places() {
    let mut rows = line(LENGTH);
    let mut odd = rows[2].clone();
    odd.pos = 0;
    odd.seq = 90;
    odd.seal();
    let mut odder = rows[2].clone();
    odder.lane = -4;
    odder.seq = 91;
    odder.seal();
    rows.extend([odd, odder]);
    assert_eq!(told(&rows), [(Malformed, 91), (Malformed, 90)]);
}

#[test]
fn several_damages_at_once() {
    let rows = line(40);
    let mut tampered = rows.clone();
    tampered[2].pk = None;
    tampered[3].prev_hash[0] ^= 1;
    tampered[8].op = b'D';
    tampered[8].seal();
    (tampered[11].pos, tampered[14].pos) = (15, 12);
    tampered[18].chain_hash[0] ^= 1;
    tampered[19].event_hash[0] ^= 1;
    tampered[22].seq += 1;
    tampered[26].payload = Some(b"0".to_vec());
    tampered.push(forged(&rows, 30, 600));
    tampered.drain(33..35);
    let seq = |at: usize| rows[at].seq;
    let expected = [
        (EntryEdited, seq(2)),
        (EntryEdited, seq(3)),
        (EntryRewritten, seq(8)),
        (EntryMoved, seq(14)),
        (EntryMoved, seq(11)),
        (EntryEdited, seq(18)),
        (EntryEdited, seq(19)),
        (EntryEdited, seq(22) + 1),
        (PayloadEdited, seq(26)),
        (Fork, 600),
        (EntriesMissing, seq(35)),
    ];
    assert_eq!(told(&tampered), expected);
    let report = &verify(&tampered).reports[0];
    assert_eq!((report.findings, report.first_bad_seq), (11, Some(seq(2))));
    assert_eq!(
        (report.entries, report.lanes, report.head_seq),
        (39, 1, Some(600))
    );
}

#[test]
fn adjacent_edits_are_told_apart() {
    let columns: [fn(&mut Row); 6] = [
        |row| row.pk = None,
        |row| row.event_hash[0] ^= 1,
        |row| row.prev_hash[0] ^= 1,
        |row| row.chain_hash[0] ^= 1,
        |row| row.seq += 1,
        |row| row.payload_hash[0] ^= 1,
    ];
    for first in columns {
        for second in columns {
            let mut rows = line(LENGTH);
            first(&mut rows[3]);
            second(&mut rows[4]);
            assert_eq!(
                told(&rows),
                [(EntryEdited, rows[3].seq), (EntryEdited, rows[4].seq)]
            );
        }
    }
}

#[test]
fn more_entries_at_one_position_than_are_weighed() {
    let rows = line(LENGTH);
    let mut crowded = rows.clone();
    for seq in 300..320 {
        crowded.push(forged(&rows, 4, seq));
    }
    let told = told(&crowded);
    assert_eq!(
        told.iter().map(|(_, seq)| *seq).collect::<Vec<_>>(),
        (300..320).collect::<Vec<_>>()
    );
    assert!(
        told.iter()
            .all(|(kind, _)| matches!(kind, Fork | EntryInserted)),
        "{told:?}"
    );
}

#[test]
fn damage_beyond_the_candidates_is_told_all_the_same() {
    let mut rows = line(60);
    for at in (1..59).step_by(2) {
        rows[at].pk = None;
    }
    rows[40].pos = 400;
    let limits = Limits {
        waiting: 2,
        candidates: 3,
    };
    let outcome = verify_with(&rows, Window::ALL, limits);
    let mut seqs: Vec<i64> = (1..59).step_by(2).map(|at| rows[at].seq).collect();
    seqs.push(rows[40].seq);
    let edited = outcome
        .findings
        .iter()
        .filter(|f| f.kind == EntryEdited)
        .map(|f| f.seq);
    assert_eq!(edited.collect::<Vec<_>>(), seqs);
    let missing = outcome.findings.iter().filter(|f| f.kind != EntryEdited);
    assert_eq!(
        missing.map(|f| (f.kind, f.seq)).collect::<Vec<_>>(),
        [(EntriesMissing, rows[41].seq)]
    );
}

#[test]
fn a_chain_without_entries_has_a_report() {
    let outcome = verify(&[]);
    assert_eq!(outcome.reports.len(), CHAINS.len());
    assert!(
        outcome
            .reports
            .iter()
            .all(|r| r.ok() && r.entries == 0 && r.head_seq.is_none())
    );
}

#[test]
fn labels_are_distinct_and_in_snake_case() {
    let mut labels: Vec<&str> = FindingKind::ALL.iter().map(|kind| kind.label()).collect();
    assert!(
        labels
            .iter()
            .all(|l| l.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()))
    );
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), FindingKind::ALL.len());
}

#[test]
fn deletion_by_moving_up_what_follows() {
    for gone in 1..LENGTH - 1 {
        let mut rows = line(LENGTH);
        rows.remove(gone);
        let mut touched = Vec::new();
        for row in &mut rows[gone..] {
            row.pos -= 1;
            touched.push(row.seq);
        }
        let told = told(&rows);
        assert!(told.iter().any(|(_, seq)| *seq == touched[0]), "{told:?}");
        assert!(
            told.iter().all(|(_, seq)| touched.contains(seq)),
            "{told:?}"
        );
    }
}

#[test]
fn lane_that_the_chain_does_not_have() {
    let mut rows = line(LENGTH);
    let mut forged = rows[0].clone();
    (forged.lane, forged.seq) = (32, 900);
    forged.seal();
    rows.push(forged);
    assert_eq!(told(&rows), [(Malformed, 900)]);
}
