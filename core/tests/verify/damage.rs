//! Deletion, rewriting, and several damages at once: what is said, and at which `seq`.

use auditspine_core::verify::FindingKind::{self, *};
use auditspine_core::verify::{Limits, Window};

use super::support::{CHAINS, Row, detail, forged, line, reseal, told, verify, verify_with};

const LENGTH: usize = 9;

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
