//! Every stored column of an entry, changed by every bit and every character, at every place of a
//! lane: found at exactly that `seq`, and nowhere else.

use auditspine_core::verify::{FindingKind, Limits, Window};

use super::support::{Row, line, verify, verify_with};

const LENGTH: usize = 7;

/// Puts every single change that `changes` yields for the row at `at` to the test: one finding, at
/// the row as it stands then, of the kind that `kind` names.
fn each(changes: impl Fn(&Row) -> Vec<Row>, kind: impl Fn(&Row, &Row) -> FindingKind) {
    for at in 0..LENGTH {
        let rows = line(LENGTH);
        for changed in changes(&rows[at]) {
            let mut tampered = rows.clone();
            tampered[at] = changed.clone();
            let expected = vec![(kind(&rows[at], &changed), changed.seq)];
            let outcome = verify_with(&tampered, Window::ALL, Limits::default());
            assert_eq!(
                outcome.at(),
                expected,
                "{changed:?}\n{:#?}",
                outcome.findings
            );
            let reach = Limits {
                waiting: 0,
                ..Limits::default()
            };
            tampered.reverse();
            let other = verify_with(&tampered, Window::ALL, reach);
            assert_eq!(other, outcome);
        }
    }
}

/// Every row that differs from `row` by one bit of a text or hash.
fn bits(row: &Row, column: impl Fn(&mut Row) -> &mut Vec<u8>) -> Vec<Row> {
    let length = column(&mut row.clone()).len();
    let flip = |bit: usize| {
        let mut changed = row.clone();
        column(&mut changed)[bit / 8] ^= 1 << (bit % 8);
        changed
    };
    (0..length * 8).map(flip).collect()
}

/// As [`bits`], and one character more or less.
fn texts(row: &Row, column: impl Fn(&mut Row) -> &mut Vec<u8>) -> Vec<Row> {
    let mut changes = bits(row, &column);
    let mut longer = row.clone();
    column(&mut longer).push(b' ');
    let mut shorter = row.clone();
    column(&mut shorter).pop();
    changes.extend([longer, shorter]);
    changes
}

/// Every row that `set` makes, for each of `width` bits.
fn numbers(row: &Row, width: u32, set: impl Fn(&mut Row, u64)) -> Vec<Row> {
    let flip = |bit| {
        let mut changed = row.clone();
        set(&mut changed, 1u64 << bit);
        changed
    };
    (0..width).map(flip).collect()
}

fn without(row: &Row, set: impl Fn(&mut Row)) -> Row {
    let mut changed = row.clone();
    set(&mut changed);
    changed
}

fn edited(_: &Row, _: &Row) -> FindingKind {
    FindingKind::EntryEdited
}

#[test]
fn contents() {
    each(|row| texts(row, |row| &mut row.kind), edited);
    each(|row| texts(row, |row| &mut row.db_user), edited);
    each(|row| texts(row, |row| row.pk.as_mut().unwrap()), edited);
    each(|row| texts(row, |row| row.actor.as_mut().unwrap()), edited);
    each(
        |row| texts(row, |row| row.context.as_mut().unwrap()),
        edited,
    );
    each(
        |row| numbers(row, 8, |row, bit| row.op ^= bit as u8),
        edited,
    );
    each(|row| numbers(row, 64, |row, bit| row.xid ^= bit), edited);
    each(
        |row| numbers(row, 64, |row, bit| row.appended_at ^= bit as i64),
        edited,
    );
    each(
        |row| numbers(row, 16, |row, bit| row.version ^= bit as i16),
        edited,
    );
    let layout = |row: &mut Row, bit: u64| *row.layout.as_mut().unwrap() ^= bit as i32;
    each(|row| numbers(row, 32, layout), edited);
    let nulls = |row: &Row| {
        vec![
            without(row, |row| row.pk = None),
            without(row, |row| row.actor = None),
            without(row, |row| row.context = None),
            without(row, |row| row.layout = None),
        ]
    };
    each(nulls, edited);
}

#[test]
fn payloads() {
    let payload = |row: &Row| texts(row, |row| row.payload.as_mut().unwrap());
    each(payload, |_, _| FindingKind::PayloadEdited);
    each(|row| bits(row, |row| &mut row.payload_hash), edited);
    // Without the stored payload, payload_hash is content like any other.
    let bare = |row: &Row| without(row, |row| row.payload = None);
    each(|row| bits(&bare(row), |row| &mut row.payload_hash), edited);
}

#[test]
fn hashes() {
    each(|row| bits(row, |row| &mut row.event_hash), edited);
    each(|row| bits(row, |row| &mut row.prev_hash), edited);
    each(|row| bits(row, |row| &mut row.chain_hash), edited);
    fn lengths(row: &Row, column: impl Fn(&mut Row) -> &mut Vec<u8>) -> Vec<Row> {
        let lengths = [0, 1, 31, 33, 64, 100];
        lengths
            .map(|len| without(row, |row| column(row).resize(len, 0)))
            .to_vec()
    }
    let misshapen = |_: &Row, _: &Row| FindingKind::Malformed;
    each(|row| lengths(row, |row| &mut row.payload_hash), misshapen);
    each(|row| lengths(row, |row| &mut row.event_hash), misshapen);
    each(|row| lengths(row, |row| &mut row.prev_hash), misshapen);
    each(|row| lengths(row, |row| &mut row.chain_hash), misshapen);
}

#[test]
fn seqs() {
    each(
        |row| numbers(row, 64, |row, bit| row.seq ^= bit as i64),
        edited,
    );
}

#[test]
fn places() {
    let moved = |_: &Row, _: &Row| FindingKind::EntryMoved;
    each(
        |row| numbers(row, 64, |row, bit| row.pos ^= bit as i64),
        moved,
    );
    each(
        |row| numbers(row, 16, |row, bit| row.lane ^= bit as i16),
        moved,
    );
}

/// The chain that lost an entry to another is told of as well, unless it was the last.
#[test]
fn other_chains() {
    for at in 0..LENGTH {
        let rows = line(LENGTH);
        for changed in numbers(&rows[at], 32, |row, bit| row.chain_id ^= bit as i32) {
            let mut tampered = rows.clone();
            tampered[at] = changed.clone();
            let mut expected = vec![(FindingKind::EntryMoved, changed.seq)];
            expected.extend(
                rows.get(at + 1)
                    .map(|next| (FindingKind::EntriesMissing, next.seq)),
            );
            let outcome = verify_with(&tampered, Window::ALL, Limits::default());
            let mut told = outcome.at();
            told.sort_by_key(|(kind, _)| *kind != FindingKind::EntryMoved);
            assert_eq!(told, expected, "{changed:?}\n{:#?}", outcome.findings);
            let mut chains: Vec<i32> = outcome.findings.iter().map(|f| f.chain_id).collect();
            chains.sort();
            chains.dedup();
            assert_eq!(chains.len(), expected.len(), "one of each chain");
        }
    }
}

#[test]
fn the_changed_column_is_named() {
    type Change = fn(&mut Row);
    let cases: [(&str, Change); 9] = [
        ("content does not match event_hash", |row| row.kind[0] ^= 1),
        ("version was changed from 1 to 3", |row| row.version = 3),
        ("payload_hash was changed", |row| row.payload_hash[3] ^= 1),
        ("stored payload does not match", |row| {
            row.payload = Some(b"{}".to_vec())
        }),
        ("event_hash was changed", |row| row.event_hash[3] ^= 1),
        ("prev_hash was changed", |row| row.prev_hash[3] ^= 1),
        ("chain_hash was changed", |row| row.chain_hash[3] ^= 1),
        ("seq was changed from 9 to 521", |row| row.seq ^= 512),
        (
            "was appended at lane 0, pos 4; stands at lane 0, pos 20",
            |row| row.pos = 20,
        ),
    ];
    for (words, change) in cases {
        let mut rows = line(LENGTH);
        change(&mut rows[3]);
        let outcome = verify(&rows);
        let [finding] = &outcome.findings[..] else {
            panic!("{:?}", outcome.findings)
        };
        assert!(finding.detail.contains(words), "{}", finding.detail);
    }
    let mut rows = line(LENGTH);
    rows[3].chain_id = 9;
    let details: Vec<String> = verify(&rows)
        .findings
        .into_iter()
        .map(|f| f.detail)
        .collect();
    let words = "was appended at chain \"main\", lane 0, pos 4; stands at chain_id 9";
    assert!(
        details.iter().any(|detail| detail.contains(words)),
        "{details:?}"
    );
}

#[test]
fn evidence_is_the_hash_that_should_stand_there() {
    let rows = line(LENGTH);
    let columns: [fn(&mut Row) -> &mut Vec<u8>; 4] = [
        |row| &mut row.payload_hash,
        |row| &mut row.event_hash,
        |row| &mut row.prev_hash,
        |row| &mut row.chain_hash,
    ];
    for column in columns {
        let mut tampered = rows.clone();
        column(&mut tampered[3])[0] ^= 1;
        let outcome = verify(&tampered);
        let finding = &outcome.findings[0];
        let expected = column(&mut rows[3].clone()).clone();
        assert_eq!(finding.expected.map(|hash| hash.0.to_vec()), Some(expected));
        assert_eq!(finding.found.as_ref(), Some(&*column(&mut tampered[3])));
        assert_eq!(finding.event_kind, rows[3].kind);
        assert_eq!(finding.event_pk, rows[3].pk);
        let neighbours = (finding.predecessor.unwrap(), finding.successor.unwrap());
        assert_eq!((neighbours.0.seq, neighbours.0.pos), (rows[2].seq, 3));
        assert_eq!((neighbours.1.seq, neighbours.1.pos), (rows[4].seq, 5));
    }
}

/// What links cannot show, so that nobody relies on it.
#[test]
fn what_links_alone_do_not_show() {
    let rows = line(LENGTH);
    let clean = |rows: &[Row]| assert_eq!(verify(rows).at(), []);
    clean(&rows[..LENGTH - 2]);
    let mut last_rewritten = rows.clone();
    last_rewritten[LENGTH - 1].op = b'D';
    last_rewritten[LENGTH - 1].seal();
    clean(&last_rewritten);
    let mut payload_dropped = rows;
    payload_dropped[3].payload = None;
    clean(&payload_dropped);
}
