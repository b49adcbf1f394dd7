//! Insertion, forks, duplicates and swaps: what is said, and at which `seq`.

use auditspine_core::verify::FindingKind::*;

use super::support::{Row, detail, forged, history, line, told};

const LENGTH: usize = 9;

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
