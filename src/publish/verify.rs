//! Published heads held against the database: the facts, and the results as rows.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::CStr;

use auditspine_core::publication::{Facts, Finding, Judge, Lines, Published, StoredEntry, Summary};
use pgrx::prelude::*;

use crate::error::broken;
use crate::ledger::catalog::{self, state};
use crate::ledger::heads::{self, Places};
use crate::ledger::scan;
use crate::ledger::stored_entry::EntryReader;
use crate::ledger::visibility::Sight;
use crate::pg::arena::DatumArena;
use crate::pg::clock;
use crate::pg::index_lookup::last_row;
use crate::pg::index_scan::Condition;
use crate::pg::privilege::expect_select;
use crate::pg::receiver::for_each_row;
use crate::pg::relation::OpenRelation;
use crate::pg::result_rows::RowStore;
use crate::pg::sequence;
use crate::pg::server_file;
use crate::pg::values::Values;

/// Columns of auditspine.publication, as sql/0.2.0/60-heads.sql creates them.
mod publication_column {
    pub const PUBLISHED_AT: usize = 1;
    pub const CHAIN: usize = 3;
    pub const LANE: usize = 5;
    pub const POS: usize = 6;
    pub const SEQ: usize = 7;
    pub const CHAIN_HASH: usize = 8;
    pub const COUNT: usize = 10;
}

const COLUMNS: [(&str, pg_sys::BuiltinOid); publication_column::COUNT] = {
    use pg_sys::BuiltinOid::*;
    [
        ("publication_id", INT8OID),
        ("published_at", TIMESTAMPTZOID),
        ("file", TEXTOID),
        ("chain", TEXTOID),
        ("chain_id", INT4OID),
        ("lane", INT2OID),
        ("pos", INT8OID),
        ("seq", INT8OID),
        ("chain_hash", BYTEAOID),
        ("db_user", TEXTOID),
    ]
};

/// auditspine.publication, open.
pub struct Table {
    table: OpenRelation,
    head_index: Option<pg_sys::Oid>,
    /// auditspine.publication_id_seq
    pub id_seq: pg_sys::Oid,
}

impl Table {
    /// Opens the table under a lock that is kept to the end of the transaction.
    pub fn open(lock: u32) -> Table {
        let oid = catalog::expect(c"publication");
        let table = OpenRelation::table(oid, lock);
        Table {
            // Index columns in the order of attribute numbers (chain, lane, pos, published_at).
            head_index: catalog::check(oid, &COLUMNS, &[4, 6, 7, 2], "publication"),
            table,
            id_seq: catalog::expect(c"publication_id_seq"),
        }
    }

    fn oid(&self) -> pg_sys::Oid {
        self.table.oid()
    }

    fn holds(&self, head: &Published) -> bool {
        let index = self.head_index.unwrap_or_else(|| {
            broken(
                "auditspine.publication has lost its index on (chain, lane, pos, published_at)"
                    .to_owned(),
            )
        });
        let mut arena = DatumArena::default();
        let conditions = [
            Condition::equal(pg_sys::F_TEXTEQ, arena.varlena(head.chain.as_bytes())),
            Condition::equal(pg_sys::F_INT2EQ, head.lane.into()),
            Condition::equal(pg_sys::F_INT8EQ, head.pos.into()),
            Condition::equal(pg_sys::F_TIMESTAMPTZ_EQ, head.published_at.into()),
        ];
        last_row(&self.table, index, &conditions, |row| {
            read(row).is_some_and(|recorded| recorded == *head)
        })
        .unwrap_or(false)
    }
}

fn read(row: &Values<'_>) -> Option<Published> {
    use publication_column::*;
    Some(Published {
        chain: String::from_utf8(row.bytes(CHAIN)?).ok()?,
        chain_hash: row.hash(CHAIN_HASH)?,
        lane: row.int2(LANE)?,
        pos: row.int8(POS)?,
        published_at: row.int8(PUBLISHED_AT)?,
        seq: row.int8(SEQ)?,
    })
}

/// What this database says, as it is committed at the moment of each question.
pub struct Database {
    places: Places,
    sight: Sight,
    table: Table,
    /// An entry that proves that numbers were given out again: `seq` and when it was linked.
    witness: Option<(i64, i64)>,
    searches: u32,
    /// A number up to which numbers were drawn.
    drawn: Option<i64>,
    /// When the oldest entry was linked, once it was asked for.
    began_at: Option<Option<i64>>,
}

/// How far below a published `seq` an entry is looked for that was linked later.
const NEAR: i64 = 10_000;
/// How often, at most, if none is found.
const SEARCHES: u32 = 100;

impl Database {
    /// Opens what is needed; an ERROR unless the caller may read it. Whoever sees some chains only learns
    /// of the publications of these.
    pub fn open() -> Database {
        let state = state();
        expect_select(state.audit_chain);
        expect_select(state.chain);
        let sight = Sight::of_caller();
        let table = Table::open(pg_sys::AccessShareLock);
        if sight.is_whole() {
            expect_select(table.oid());
        }
        Database {
            places: Places::open(),
            sight,
            table,
            witness: None,
            searches: 0,
            drawn: None,
            began_at: None,
        }
    }
}

impl Facts for Database {
    fn chain(&mut self, name: &str) -> Option<i32> {
        heads::chain_id(name.as_bytes()).filter(|id| self.sight.sees(*id))
    }

    fn entry(&mut self, chain_id: i32, lane: i16, pos: i64) -> Option<StoredEntry> {
        self.places.entry(chain_id, lane, pos)
    }

    fn head(&mut self, chain_id: i32, lane: i16) -> Option<StoredEntry> {
        self.places.head(chain_id, lane)
    }

    fn is_recorded(&mut self, head: &Published) -> bool {
        let seen = self.sight.is_whole() || self.chain(&head.chain).is_some();
        seen && self.table.holds(head)
    }

    fn last_seq(&mut self) -> i64 {
        // Both only grow, so what was true once will do.
        *self.drawn.get_or_insert_with(|| {
            let heads = heads::heads(None, &Sight::Whole);
            let linked = heads.iter().map(|head| head.entry.seq).max();
            sequence::drawn_at_least(state().seq).max(linked.unwrap_or(0))
        })
    }

    fn numbered_again(&mut self, seq: i64, time: i64) -> Option<i64> {
        let proves = |(number, linked): &(i64, i64)| *number <= seq && *linked > time;
        if !self.sight.is_whole() {
            return None;
        }
        if self.witness.is_none_or(|witness| !proves(&witness)) {
            if self.searches == SEARCHES {
                return None;
            }
            let from = seq.saturating_sub(NEAR).max(1);
            self.searches += 1;
            self.witness = latest_linked(from, seq).or(self.witness);
        }
        self.witness.filter(proves).map(|(number, _)| number)
    }

    fn began_at(&mut self) -> Option<i64> {
        let places = &self.places;
        *self.began_at.get_or_insert_with(|| {
            let heads = heads::heads(None, &Sight::Whole);
            let firsts = heads.iter().map(|head| {
                places
                    .entry(head.chain_id, head.lane, 1)
                    .unwrap_or_else(|| head.entry.clone())
            });
            firsts.map(|entry| entry.appended_at).min()
        })
    }

    fn replayed_until(&mut self) -> Option<i64> {
        clock::replayed_until()
    }
}

/// Of the entries with these numbers, the one that was linked last: its number, and when.
fn latest_linked(from: i64, to: i64) -> Option<(i64, i64)> {
    let extent = scan::extent(from, Some(to))?;
    let latest = Cell::new(None::<(i64, i64)>);
    let mut reader = EntryReader::new();
    extent.tuples(|tuple| {
        reader.read(&tuple, |entry| {
            let later = latest
                .get()
                .is_none_or(|(_, time)| entry.appended_at > time);
            if (from..=to).contains(&entry.seq) && later {
                latest.set(Some((entry.seq, entry.appended_at)));
            }
        });
    });
    latest.get()
}

/// Where lines come from.
pub enum Source<'a> {
    /// The lines themselves.
    Text(&'a [u8]),
    /// A file on the server.
    File(&'a [u8]),
}

/// Holds lines against the database and hands every finding to `sink`.
pub fn verify(source: &Source<'_>, sink: &mut dyn FnMut(Finding)) -> Summary {
    let mut database = Database::open();
    let mut judge = Judge::default();
    let mut lines = Lines::default();
    let mut count = 0u32;
    let mut show = |line: &[u8]| {
        count = count.wrapping_add(1);
        if count.is_multiple_of(1024) {
            pgrx::check_for_interrupts!();
        }
        judge.line(line, &mut database, sink);
    };
    match source {
        Source::Text(text) => lines.feed(text, &mut show),
        Source::File(path) => server_file::read_pieces(path, |piece| lines.feed(piece, &mut show)),
    }
    lines.finish(&mut show);
    judge.finish()
}

/// Which recorded heads are held against the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// All.
    All,
    /// The last of each lane.
    Latest,
}

impl Recorded {
    fn query(self) -> &'static CStr {
        match self {
            Recorded::All => {
                c"SELECT chain, lane, pos, seq, published_at, chain_hash FROM ONLY auditspine.publication \
                 ORDER BY publication_id, chain_id, lane"
            }
            // From one lane to the next by the index, however many heads of each were published.
            Recorded::Latest => {
                c"WITH RECURSIVE latest AS ( \
                     (SELECT * FROM ONLY auditspine.publication \
                      ORDER BY chain DESC, lane DESC, pos DESC, published_at DESC LIMIT 1) \
                     UNION ALL \
                     SELECT next.* FROM latest CROSS JOIN LATERAL ( \
                         SELECT * FROM ONLY auditspine.publication AS p \
                         WHERE (p.chain, p.lane) < (latest.chain, latest.lane) \
                         ORDER BY chain DESC, lane DESC, pos DESC, published_at DESC LIMIT 1) AS next) \
                 SELECT chain, lane, pos, seq, published_at, chain_hash FROM latest \
                 ORDER BY publication_id, chain_id, lane"
            }
        }
    }
}

/// Holds recorded publications against the entries, those that went to several files once; `line` of a
/// finding counts them in the order of their keys. Tells the same as a file of these heads would, as long
/// as nobody forged the record as well.
pub fn verify_recorded(which: Recorded, sink: &mut dyn FnMut(Finding)) -> Summary {
    let mut database = Database::open();
    let mut judge = Judge::default();
    let mut last: HashMap<(String, i16), Published> = HashMap::new();
    for_each_row(which.query(), &[], &mut |row| {
        pgrx::check_for_interrupts!();
        let head = (|| {
            Some(Published {
                chain: row.text(0)?,
                chain_hash: row.hash(5)?,
                lane: row.int2(1)?,
                pos: row.int8(2)?,
                seq: row.int8(3)?,
                published_at: row.int8(4)?,
            })
        })();
        let Some(head) = head else {
            // As a line of a file that is none: a finding, and the others are verified.
            return judge.malformed(
                "a row of auditspine.publication has a null, or a chain_hash that is none",
                sink,
            );
        };
        let lane = (head.chain.clone(), head.lane);
        // Written to another file at the same time.
        if last.get(&lane) != Some(&head) {
            last.insert(lane, head.clone());
            judge.head(head, &mut database, sink);
        }
    });
    judge.finish()
}

/// A row of auditspine.publication_verdict.
pub fn verdict(source: &Source<'_>, rows: &mut RowStore) {
    let summary = verify(source, &mut |_| {});
    let big = |value: u64| Some(pg_sys::Datum::from(value as i64));
    rows.put([
        Some(summary.ok().into()),
        big(summary.lines),
        big(summary.heads),
        big(summary.findings),
        Some(summary.restored.into()),
        summary.first_bad_line.and_then(big),
        summary.first_published_at.map(pg_sys::Datum::from),
        summary.last_published_at.map(pg_sys::Datum::from),
    ]);
}

/// Rows of auditspine.publication_finding.
pub fn findings(source: &Source<'_>, rows: &mut RowStore) {
    let mut arena = DatumArena::default();
    verify(source, &mut |finding| {
        let head = finding.head.as_ref();
        let big = |value: Option<i64>| value.map(pg_sys::Datum::from);
        rows.put([
            big(Some(finding.line as i64)),
            head.map(|head| arena.varlena(head.chain.as_bytes())),
            head.map(|head| i32::from(head.lane).into()),
            big(head.map(|head| head.pos)),
            big(head.map(|head| head.seq)),
            big(head.map(|head| head.published_at)),
            Some(arena.varlena(finding.kind.label().as_bytes())),
            Some(arena.varlena(finding.detail.as_bytes())),
            finding.expected.map(|hash| arena.varlena(&hash.0)),
            finding.found.as_deref().map(|bytes| arena.varlena(bytes)),
        ]);
        arena.clear();
    });
}
