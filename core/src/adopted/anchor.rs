//! The anchor of an adopted chain, and a later pass held against it.
//!
//! Rows are anchored in segments: runs of rows by `seq`, each with its number of rows and a SHA-256
//! over their content. So a later change is told by the segment it is in, not only for the whole.

use super::audit::{BreakKind, Summary};
use super::row::Row;
use super::variant::Variant;
use crate::canonical::reader::Reader;
use crate::canonical::write_string;
use crate::digits::write_integer;
use crate::finding::AdoptedKind;
use crate::hash::{Hash, HashSink, Sink};

/// A run of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Number of its last row; it begins behind the last one of the segment before.
    pub last_seq: i64,
    /// How many rows.
    pub count: u64,
    /// SHA-256 over the content hashes of its rows, in order.
    pub digest: Hash,
}

/// Most segments that a chain of the expected size is cut into.
const SEGMENTS: u64 = 64;
/// Fewest rows of a segment.
const SEGMENT_ROWS: u64 = 1000;

/// Cuts rows into segments.
pub struct Segments {
    rows: u64,
    done: Vec<Segment>,
    count: u64,
    last_seq: i64,
    sink: HashSink,
}

impl Segments {
    /// For about as many rows.
    pub fn new(expected: u64) -> Segments {
        Segments {
            rows: expected.div_ceil(SEGMENTS).max(SEGMENT_ROWS),
            done: Vec::new(),
            count: 0,
            last_seq: 0,
            sink: HashSink::new(),
        }
    }

    /// Takes in the next row, in the order of `seq`.
    pub fn row(&mut self, row: &Row) {
        // Rows of one number are never cut apart.
        if self.count >= self.rows && row.seq > self.last_seq {
            self.close();
        }
        self.count += 1;
        self.last_seq = row.seq;
        self.sink.put(&row.content.0);
    }

    /// All segments.
    pub fn finish(mut self) -> Vec<Segment> {
        if self.count > 0 {
            self.close();
        }
        self.done
    }

    fn close(&mut self) {
        let (digest, _) = std::mem::take(&mut self.sink).finish();
        self.done.push(Segment {
            last_seq: self.last_seq,
            count: self.count,
            digest,
        });
        self.count = 0;
    }
}

/// What the entry that anchors a chain says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Qualified name of the table.
    pub table: String,
    /// How the chain is written down.
    pub variant: Variant,
    /// What the pass at that time saw.
    pub summary: Summary,
    /// Its rows.
    pub segments: Vec<Segment>,
}

impl Anchor {
    /// Writes the payload of the entry: canonical JSON.
    pub fn write<S: Sink>(&self, out: &mut S) {
        let Summary {
            count,
            first_seq,
            last_seq,
            head,
            digest,
            breaks,
            listed,
            breaks_digest,
        } = &self.summary;
        out.put(b"{\"breaks\":[");
        for (at, (seq, kind)) in listed.iter().enumerate() {
            out.put(if at == 0 { b"{" } else { b",{" });
            member("kind", true, kind.label().as_bytes(), out);
            number("seq", *seq, out);
            out.put(b"}");
        }
        out.put(b"]");
        number("breaks_count", *breaks as i64, out);
        member("breaks_digest", false, &breaks_digest.to_hex(), out);
        number("count", *count as i64, out);
        member("digest", false, &digest.to_hex(), out);
        number("first_seq", first_seq.unwrap_or_default(), out);
        out.put(b",\"head\":");
        match head {
            Some(head) => write_string(&head.to_hex(), out),
            None => out.put(b"null"),
        }
        number("last_seq", last_seq.unwrap_or_default(), out);
        out.put(b",\"segments\":[");
        for (at, segment) in self.segments.iter().enumerate() {
            out.put(if at == 0 {
                b"{\"count\":\""
            } else {
                b",{\"count\":\""
            });
            write_integer(segment.count as i64, out);
            out.put(b"\"");
            member("digest", false, &segment.digest.to_hex(), out);
            number("last_seq", segment.last_seq, out);
            out.put(b"}");
        }
        out.put(b"]");
        member("table", false, self.table.as_bytes(), out);
        member("variant", false, self.variant.to_string().as_bytes(), out);
        out.put(b"}");
    }
}

impl Anchor {
    /// Reads what [`Anchor::write`] writes, and nothing else.
    pub fn parse(text: &[u8]) -> Option<Anchor> {
        let mut rest = Reader(text);
        let rest = &mut rest;
        rest.literal(b"{\"breaks\":[")?;
        let mut listed = Vec::new();
        while rest.literal(b"]").is_none() {
            let separator: &[u8] = if listed.is_empty() { b"" } else { b"," };
            rest.literal(separator)?;
            rest.literal(b"{\"kind\":\"")?;
            let kind = BreakKind::parse(&rest.string()?)?;
            listed.push((number_of(rest, "seq")?, kind));
            rest.literal(b"}")?;
        }
        let breaks = u64::try_from(number_of(rest, "breaks_count")?).ok()?;
        rest.literal(b",\"breaks_digest\":\"")?;
        let breaks_digest = rest.hash()?;
        let count = u64::try_from(number_of(rest, "count")?).ok()?;
        rest.literal(b",\"digest\":\"")?;
        let digest = rest.hash()?;
        let first_seq = Some(number_of(rest, "first_seq")?);
        let head = if rest.literal(b",\"head\":null").is_some() {
            None
        } else {
            rest.literal(b",\"head\":\"")?;
            Some(rest.hash()?)
        };
        let last_seq = Some(number_of(rest, "last_seq")?);
        rest.literal(b",\"segments\":[")?;
        let mut segments = Vec::new();
        while rest.literal(b"]").is_none() {
            let separator: &[u8] = if segments.is_empty() { b"" } else { b"," };
            rest.literal(separator)?;
            rest.literal(b"{\"count\":\"")?;
            let count = u64::try_from(rest.number()?).ok()?;
            rest.literal(b"\",\"digest\":\"")?;
            let digest = rest.hash()?;
            let last_seq = number_of(rest, "last_seq")?;
            rest.literal(b"}")?;
            segments.push(Segment {
                last_seq,
                count,
                digest,
            });
        }
        rest.literal(b",\"table\":\"")?;
        let table = rest.string()?;
        rest.literal(b",\"variant\":\"")?;
        let variant = Variant::parse(&rest.string()?)?;
        rest.literal(b"}")?;
        rest.0.is_empty().then_some(Anchor {
            table,
            variant,
            summary: Summary {
                count,
                first_seq,
                last_seq,
                head,
                digest,
                breaks,
                listed,
                breaks_digest,
            },
            segments,
        })
    }
}

fn number_of(rest: &mut Reader<'_>, name: &str) -> Option<i64> {
    rest.literal(b",\"")?;
    rest.literal(name.as_bytes())?;
    rest.literal(b"\":\"")?;
    let value = rest.number()?;
    rest.literal(b"\"")?;
    Some(value)
}

fn member<S: Sink>(name: &str, first: bool, value: &[u8], out: &mut S) {
    if !first {
        out.put(b",");
    }
    write_string(name.as_bytes(), out);
    out.put(b":");
    write_string(value, out);
}

/// Numbers may be beyond what a double holds, so they are strings.
fn number<S: Sink>(name: &str, value: i64, out: &mut S) {
    out.put(b",\"");
    out.put(name.as_bytes());
    out.put(b"\":\"");
    write_integer(value, out);
    out.put(b"\"");
}

/// How a segment differs from what was anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It has fewer rows.
    Removed,
    /// It has more rows.
    Inserted,
    /// It has as many rows, but they say something else.
    Changed,
}

impl ChangeKind {
    /// What the catalogue calls it.
    pub fn finding(self) -> AdoptedKind {
        match self {
            ChangeKind::Removed => AdoptedKind::RowsRemoved,
            ChangeKind::Inserted => AdoptedKind::RowsInserted,
            ChangeKind::Changed => AdoptedKind::RowsChanged,
        }
    }
}

/// A segment that is not as it was anchored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How it differs.
    pub kind: ChangeKind,
    /// Its rows have numbers above this; `None` for the first segment.
    pub after_seq: Option<i64>,
    /// And up to this.
    pub last_seq: i64,
    /// Rows that it had.
    pub anchored: u64,
    /// Rows that it has.
    pub found: u64,
    /// Digest that it had.
    pub expected: Hash,
    /// Digest that it has.
    pub digest: Hash,
}

/// A later pass, held against the segments of an anchor.
pub struct Comparison {
    segments: Vec<Segment>,
    at: usize,
    count: u64,
    sink: HashSink,
    changes: Vec<Change>,
    appended: u64,
}

impl Comparison {
    /// Against these segments; nothing seen yet.
    pub fn new(segments: Vec<Segment>) -> Comparison {
        Comparison {
            segments,
            at: 0,
            count: 0,
            sink: HashSink::new(),
            changes: Vec::new(),
            appended: 0,
        }
    }

    /// Takes in the next row, in the order of `seq`; whether it is one of the anchored part.
    pub fn row(&mut self, row: &Row) -> bool {
        while self
            .segments
            .get(self.at)
            .is_some_and(|segment| row.seq > segment.last_seq)
        {
            self.close();
        }
        if self.at == self.segments.len() {
            self.appended += 1;
            return false;
        }
        self.count += 1;
        self.sink.put(&row.content.0);
        true
    }

    /// What differs, and how many rows came behind the anchored ones.
    pub fn finish(mut self) -> (Vec<Change>, u64) {
        while self.at < self.segments.len() {
            self.close();
        }
        (self.changes, self.appended)
    }

    fn close(&mut self) {
        let segment = &self.segments[self.at];
        let (digest, _) = std::mem::take(&mut self.sink).finish();
        if digest != segment.digest || self.count != segment.count {
            self.changes.push(Change {
                kind: match self.count.cmp(&segment.count) {
                    std::cmp::Ordering::Less => ChangeKind::Removed,
                    std::cmp::Ordering::Greater => ChangeKind::Inserted,
                    std::cmp::Ordering::Equal => ChangeKind::Changed,
                },
                after_seq: self.at.checked_sub(1).map(|at| self.segments[at].last_seq),
                last_seq: segment.last_seq,
                anchored: segment.count,
                found: self.count,
                expected: segment.digest,
                digest,
            });
        }
        self.count = 0;
        self.at += 1;
    }
}

impl BreakKind {
    /// The kind of that label.
    pub fn parse(label: &str) -> Option<BreakKind> {
        [
            BreakKind::EntryEdited,
            BreakKind::LinkBroken,
            BreakKind::EntriesMissing,
            BreakKind::DuplicateSeq,
            BreakKind::Malformed,
        ]
        .into_iter()
        .find(|kind| kind.label() == label)
    }
}
