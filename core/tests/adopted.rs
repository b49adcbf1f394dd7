//! Chains of the older shape: what they are, every way to break one, and later changes.

use auditspine_core::adopted::{
    Anchor, Audit, Break, BreakKind, ChangeKind, Comparison, Genesis, Input, MAX_LISTED, Row,
    Segments, SeqForm, Storage, Summary, Variant,
};
use auditspine_core::hash::Hash;

/// How the first row says that nothing comes before.
#[derive(Clone, Copy, Debug)]
enum First {
    Null,
    Empty,
    Zeros,
}

fn variants() -> Vec<(Variant, First)> {
    let mut all = Vec::new();
    for storage in [Storage::Bytea, Storage::Text] {
        for input in [Input::Bytes, Input::Hex] {
            for seq in [SeqForm::Int8, SeqForm::Decimal] {
                for genesis in [Genesis::Nothing, Genesis::Zeros] {
                    for first in [First::Null, First::Empty, First::Zeros] {
                        let variant = Variant {
                            storage,
                            input,
                            seq,
                            genesis,
                        };
                        all.push((variant, first));
                    }
                }
            }
        }
    }
    all
}

/// A hash as the column stores it.
fn stored(variant: &Variant, hash: Hash) -> Vec<u8> {
    match variant.storage {
        Storage::Bytea => hash.0.to_vec(),
        Storage::Text => hash.to_string().into_bytes(),
    }
}

/// Straight from the definition, by concatenation: what a trigger would compute.
fn trigger(variant: &Variant, first: First, rows: u64) -> Vec<Row> {
    let zeros = stored(variant, Hash::ZERO);
    let mut chain: Vec<Row> = Vec::new();
    for number in 0..rows {
        let seq = 10 + 3 * number as i64;
        let event = stored(variant, Hash::of(&number.to_be_bytes()));
        let prev = match (chain.last(), first) {
            (Some(row), _) => row.chain.clone(),
            (None, First::Null) => None,
            (None, First::Empty) => Some(Vec::new()),
            (None, First::Zeros) => Some(zeros.clone()),
        };
        let text = |value: &[u8]| match (variant.storage, variant.input) {
            (Storage::Bytea, Input::Bytes) | (Storage::Text, Input::Hex) => value.to_vec(),
            (Storage::Bytea, Input::Hex) => value
                .iter()
                .flat_map(|b| format!("{b:02x}").into_bytes())
                .collect(),
            (Storage::Text, Input::Bytes) => value
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect(),
        };
        let before = match prev.as_deref() {
            None | Some([]) if variant.genesis == Genesis::Nothing => Vec::new(),
            None | Some([]) => text(&zeros),
            Some(prev) => text(prev),
        };
        let number = match variant.seq {
            SeqForm::Int8 => seq.to_be_bytes().to_vec(),
            SeqForm::Decimal => seq.to_string().into_bytes(),
        };
        let hash = Hash::of(&[before, text(&event), number].concat());
        let mut row = Row {
            seq,
            prev,
            event: Some(event),
            chain: Some(stored(variant, hash)),
            content: Hash::ZERO,
        };
        touch(&mut row);
        chain.push(row);
    }
    chain
}

/// The content hash of a row as it is now.
fn touch(row: &mut Row) {
    row.content = Hash::of(
        format!(
            "{:?} {:?} {:?} {:?}",
            row.seq, row.prev, row.event, row.chain
        )
        .as_bytes(),
    );
}

fn audit(variant: Variant, rows: &[Row]) -> (Summary, Vec<Break>) {
    let mut audit = Audit::new(variant);
    let mut breaks = Vec::new();
    for row in rows {
        audit.row(row, &mut |found| breaks.push(found));
    }
    let summary = audit.finish();
    assert_eq!(summary.breaks, breaks.len() as u64);
    (summary, breaks)
}

fn kinds(variant: Variant, rows: &[Row]) -> Vec<(i64, BreakKind)> {
    let (_, breaks) = audit(variant, rows);
    breaks.iter().map(|found| (found.seq, found.kind)).collect()
}

const PLAIN: Variant = Variant {
    storage: Storage::Bytea,
    input: Input::Bytes,
    seq: SeqForm::Int8,
    genesis: Genesis::Nothing,
};

fn plain(rows: u64) -> Vec<Row> {
    trigger(&PLAIN, First::Null, rows)
}

#[test]
fn every_variant_is_found_out_and_verifies() {
    for (variant, first) in variants() {
        let rows = trigger(&variant, first, 20);
        let found = Variant::detect(variant.storage, &rows).unwrap();
        // What stands for an absent prev_hash shows only where one is absent.
        if matches!(first, First::Zeros) {
            assert_eq!(
                Variant {
                    genesis: variant.genesis,
                    ..found
                },
                variant
            );
        } else {
            assert_eq!(found, variant, "{first:?}");
        }
        let (summary, breaks) = audit(found, &rows);
        assert_eq!(breaks, [], "{variant}, {first:?}");
        assert_eq!(
            (summary.count, summary.first_seq, summary.last_seq),
            (20, Some(10), Some(67))
        );
        assert_eq!(summary.head, found.decoded(rows[19].chain.as_deref()));
        let text: Vec<u8> = rows
            .iter()
            .flat_map(|row| {
                [
                    row.seq.to_be_bytes().to_vec(),
                    found.decoded(row.chain.as_deref()).unwrap().0.to_vec(),
                ]
                .concat()
            })
            .collect();
        assert_eq!(summary.digest, Hash::of(&text));
        assert_eq!(Variant::parse(&variant.to_string()), Some(variant));
        // Also where the first rows are damaged, as long as some are not.
        let mut damaged = rows.clone();
        damaged[..15]
            .iter_mut()
            .for_each(|row| row.event = Some(stored(&variant, Hash::ZERO)));
        let found = Variant::detect(variant.storage, &damaged).unwrap();
        assert_eq!((found.input, found.seq), (variant.input, variant.seq));
    }
}

#[test]
fn a_single_row_is_a_chain_and_no_chain_is_none() {
    assert_eq!(Variant::detect(Storage::Bytea, &plain(1)), Some(PLAIN));
    assert_eq!(Variant::detect(Storage::Bytea, &[]), None);
    let mut rows = plain(20);
    rows.iter_mut().for_each(|row| row.seq += 1);
    assert_eq!(Variant::detect(Storage::Bytea, &rows), None);
    assert_eq!(Variant::detect(Storage::Text, &plain(20)), None);
    assert_eq!(Variant::parse("something else"), None);
}

#[test]
fn every_break_is_told_where_it_is() {
    use BreakKind::*;
    let whole = plain(10);
    let after = |change: &dyn Fn(&mut Vec<Row>)| {
        let mut rows = whole.clone();
        change(&mut rows);
        kinds(PLAIN, &rows)
    };
    let other = || Some(Hash::of(b"other").0.to_vec());
    assert_eq!(after(&|rows| rows[4].event = other()), [(22, EntryEdited)]);
    assert_eq!(after(&|rows| rows[4].chain = other()), [(22, EntryEdited)]);
    assert_eq!(
        after(&|rows| rows[4].prev = other()),
        [(22, EntryEdited), (22, LinkBroken)]
    );
    assert_eq!(after(&|rows| rows[4].seq = 23), [(23, EntryEdited)]);
    assert_eq!(after(&|rows| drop(rows.remove(4))), [(25, LinkBroken)]);
    assert_eq!(after(&|rows| drop(rows.drain(2..8))), [(34, LinkBroken)]);
    assert_eq!(after(&|rows| drop(rows.remove(0))), [(13, EntriesMissing)]);
    assert_eq!(
        after(&|rows| {
            let (one, other) = (rows[4].seq, rows[5].seq);
            (rows[4].seq, rows[5].seq) = (other, one);
            rows.swap(4, 5);
        }),
        [
            (22, EntryEdited),
            (22, LinkBroken),
            (25, EntryEdited),
            (25, LinkBroken),
            (28, LinkBroken)
        ]
    );
    // Rewritten with a hash that fits: the next row does not continue it.
    assert_eq!(
        after(&|rows| {
            rows[4].event = other();
            rows[4].chain = PLAIN.chain_hash(&rows[4]).map(|hash| hash.0.to_vec());
        }),
        [(25, LinkBroken)]
    );
    // A row of its own put in between.
    assert_eq!(
        after(&|rows| {
            let mut row = rows[4].clone();
            (row.seq, row.prev, row.event) = (23, rows[4].chain.clone(), other());
            row.chain = PLAIN.chain_hash(&row).map(|hash| hash.0.to_vec());
            rows.insert(5, row);
        }),
        [(25, LinkBroken)]
    );
    assert_eq!(
        after(&|rows| rows.insert(5, rows[4].clone())),
        [(22, DuplicateSeq), (22, LinkBroken)]
    );
    for bad in [None, Some(vec![]), Some(vec![7; 31]), Some(vec![7; 5000])] {
        assert_eq!(
            after(&|rows| rows[4].event = bad.clone()),
            [(22, Malformed)]
        );
        assert_eq!(
            after(&|rows| rows[4].chain = bad.clone()),
            [(22, Malformed)]
        );
    }
    assert_eq!(
        after(&|rows| rows[4].prev = None),
        [(22, EntryEdited), (22, LinkBroken)]
    );
    assert_eq!(
        after(&|rows| rows[4].prev = Some(vec![1; 5])),
        [(22, Malformed), (22, LinkBroken)]
    );
    // The tail cannot be missed: that is what anchoring is for.
    assert_eq!(after(&|rows| rows.truncate(5)), []);
}

#[test]
fn breaks_carry_what_should_stand_there() {
    let mut rows = plain(3);
    let right = PLAIN.decoded(rows[1].chain.as_deref());
    rows[1].chain = Some(vec![9; 32]);
    let (_, breaks) = audit(PLAIN, &rows);
    assert_eq!(
        (breaks[0].expected, breaks[0].found.as_deref()),
        (right, Some(&[9; 32][..]))
    );
    rows[1].event = Some(vec![9; 500]);
    let (summary, breaks) = audit(PLAIN, &rows);
    assert_eq!(breaks[0].found.as_ref().map(Vec::len), Some(64));
    assert_ne!(
        summary.breaks_digest,
        audit(PLAIN, &plain(3)).0.breaks_digest
    );
}

fn anchor(rows: &[Row], expected: u64) -> Anchor {
    let variant = Variant::detect(Storage::Bytea, rows).unwrap();
    let mut segments = Segments::new(expected);
    rows.iter().for_each(|row| segments.row(row));
    Anchor {
        table: "\"Old\".\"audit \\ chain\"".to_owned(),
        variant,
        summary: audit(variant, rows).0,
        segments: segments.finish(),
    }
}

#[test]
fn an_anchor_is_read_as_it_was_written() {
    let mut broken = plain(30);
    broken.remove(9);
    broken[12].event = None;
    broken[28].chain = None;
    let mut many = plain(2000 * 2);
    many.iter_mut()
        .step_by(2)
        .skip(1)
        .for_each(|row| row.event = Some(vec![1; 32]));
    for rows in [plain(1), plain(4000), broken, many] {
        let anchor = anchor(&rows, rows.len() as u64);
        let mut text = Vec::new();
        anchor.write(&mut text);
        let canonical = auditspine_core::canonical::canonical_text(
            &text,
            auditspine_core::canonical::Numbers::Exact,
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(canonical).unwrap(),
            String::from_utf8(text.clone()).unwrap()
        );
        assert_eq!(Anchor::parse(&text).as_ref(), Some(&anchor));
        assert!(anchor.summary.listed.len() <= MAX_LISTED);
        for end in (0..text.len()).step_by(1 + text.len() / 500) {
            assert_eq!(Anchor::parse(&text[..end]), None);
        }
        text.push(b' ');
        assert_eq!(Anchor::parse(&text), None);
    }
}

#[test]
fn segments_are_of_bounded_number_and_whole() {
    let rows = plain(5000);
    for expected in [0, 5000, 1_000_000] {
        let anchor = anchor(&rows, expected);
        assert_eq!(
            anchor
                .segments
                .iter()
                .map(|segment| segment.count)
                .sum::<u64>(),
            5000
        );
        assert_eq!(anchor.segments.last().unwrap().last_seq, rows[4999].seq);
    }
    assert_eq!(anchor(&rows, 5000).segments.len(), 5);
    assert_eq!(anchor(&rows, 1_000_000).segments.len(), 1);
    // Rows of one number stay together.
    let mut rows = plain(1500);
    rows[990..1200].iter_mut().for_each(|row| row.seq = 1);
    rows.sort_by_key(|row| row.seq);
    assert!(
        anchor(&rows, 10)
            .segments
            .iter()
            .all(|segment| segment.count >= 500)
    );
}

#[test]
fn later_changes_are_told_by_segment() {
    let rows = plain(5000);
    let anchor = anchor(&rows, 5000);
    let compare = |rows: &[Row]| {
        let mut comparison = Comparison::new(anchor.segments.clone());
        rows.iter().for_each(|row| {
            let within = comparison.row(row);
            assert_eq!(within, row.seq <= 10 + 3 * 4999);
        });
        let (changes, appended) = comparison.finish();
        let told: Vec<_> = changes
            .iter()
            .map(|change| (change.kind, change.after_seq, change.anchored, change.found))
            .collect();
        (told, appended)
    };
    assert_eq!(compare(&rows), (vec![], 0));
    let longer = plain(5007);
    assert_eq!(compare(&longer), (vec![], 7));
    let mut changed = rows.clone();
    changed[1500].event = Some(vec![0; 32]);
    touch(&mut changed[1500]);
    let second = Some(rows[999].seq);
    assert_eq!(
        compare(&changed),
        (vec![(ChangeKind::Changed, second, 1000, 1000)], 0)
    );
    changed.remove(1700);
    assert_eq!(
        compare(&changed),
        (vec![(ChangeKind::Removed, second, 1000, 999)], 0)
    );
    let mut inserted = longer.clone();
    inserted.insert(1, inserted[0].clone());
    assert_eq!(
        compare(&inserted),
        (vec![(ChangeKind::Inserted, None, 1000, 1001)], 7)
    );
    let (told, _) = compare(&rows[..3500]);
    assert_eq!(
        told,
        [
            (ChangeKind::Removed, Some(rows[2999].seq), 1000, 500),
            (ChangeKind::Removed, Some(rows[3999].seq), 1000, 0)
        ]
    );
    assert_eq!(compare(&[]).0.len(), 5);
}
