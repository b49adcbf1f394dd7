//! Payloads that were kept and are gone: found at exactly their entries, unless their erasure is on record.

use auditspine_core::verify::{FindingKind, Keeps, Kept, Limits, Verifier, Window};

use super::support::{Row, chains, line, outcome};

fn told(rows: &[Row], kept: Kept) -> Vec<(FindingKind, i64)> {
    let mut verifier = Verifier::new(chains(), Window::ALL, Limits::default()).keeping(kept);
    for row in rows {
        row.view(|view| verifier.push(view));
    }
    outcome(verifier, rows).at()
}

fn keeping(keeps: Keeps) -> Kept {
    let mut kept = Kept::known();
    kept.layout(4, keeps);
    kept
}

#[test]
fn each_that_is_gone_is_missed() {
    let whole = line(30);
    assert_eq!(told(&whole, keeping(Keeps::Rows)), []);
    for at in 0..whole.len() {
        let mut rows = whole.clone();
        rows[at].payload = None;
        let seq = rows[at].seq;
        let missed = vec![(FindingKind::PayloadRemoved, seq)];
        assert_eq!(told(&rows, keeping(Keeps::Rows)), missed);
        // Entries of the extension's own, and those by hand, keep what they were given, whatever a layout says.
        let of_row = matches!(rows[at].op, b'I' | b'U' | b'D');
        let by_hash = told(&rows, keeping(Keeps::Hashes));
        assert_eq!(by_hash.is_empty(), of_row);
        let mut declared = keeping(Keeps::Unsaid);
        declared.declared(&rows[at].kind, seq - 1, true);
        assert_eq!(told(&rows, declared), missed);
        let mut erased = keeping(Keeps::Rows);
        erased.erased([seq]);
        assert_eq!(told(&rows, erased), []);
        // Who was not told of what is kept misses nothing.
        assert_eq!(told(&rows, Kept::default()), []);
        // Other damage is told first.
        rows[at].xid ^= 1;
        let edited = vec![(FindingKind::EntryEdited, seq)];
        assert_eq!(told(&rows, keeping(Keeps::Rows)), edited);
    }
}
