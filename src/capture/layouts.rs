//! Column layouts: which columns a relation's rows are hashed under, recorded once each, as a row of
//! auditspine.layout for writers to find it and as an S entry for verifiers to trust.
//!
//! A layout belongs to one relation in one incarnation (system identifier and oid), so that column
//! numbers mean the same as long as it does: after a restore they may not. It also tells in which
//! partition a row lived.
//!
//! Nobody waits for anybody here: two first writers at a time may record one layout twice.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use auditspine_core::canonical::write_string;
use auditspine_core::digits::write_integer;
use auditspine_core::hash::{Hash, Sink};
use auditspine_core::rows::{CurrentColumns, Layout};
use pgrx::pg_sys;

use crate::capture::upon::Upon;
use crate::ledger::catalog::{layout_column, state};
use crate::ledger::system_entry;
use crate::pg::arena::DatumArena;
use crate::pg::index_lookup::last_row;
use crate::pg::index_scan::Condition;
use crate::pg::insert::{Inserter, Rows};
use crate::pg::relation::OpenRelation;
use crate::pg::row_json::{is_virtual, with_plain_names};
use crate::pg::shape::{Shapes, write_column};
use crate::pg::{clock, index_lookup, sequence, session};

/// Kind of the entries that tell layouts.
pub const KIND: &str = "auditspine.layout";

/// The columns that rows of one relation are hashed under.
pub struct Description {
    relation: pg_sys::Oid,
    kind: Box<[u8]>,
    /// Canonical JSON, as an S entry has it.
    pub payload: Box<[u8]>,
    /// SHA-256 of the same without `table`.
    digest: Hash,
    /// Composite types that columns are of: a change of theirs changes the layout.
    pub depends_on: Vec<pg_sys::Oid>,
}

/// What of a declaration a layout tells, as attribute numbers.
pub struct Declared<'a> {
    /// Kind of the events.
    pub kind: &'a [u8],
    /// Columns that are not hashed.
    pub exclude: &'a [i16],
    /// Columns of the key, in order.
    pub key: &'a [i16],
    /// Columns that name the chain.
    pub chain: &'a [i16],
    /// Whether entries keep the row.
    pub full_payload: bool,
}

impl Description {
    /// Describes how an open relation's rows are recorded now.
    pub fn of(relation: &OpenRelation, declared: &Declared<'_>) -> Description {
        Description::of_columns(relation, &relation.attributes(), declared)
    }

    /// The same of a table that had these columns.
    pub fn of_columns(
        relation: &OpenRelation,
        attributes: &[&pg_sys::FormData_pg_attribute],
        declared: &Declared<'_>,
    ) -> Description {
        with_plain_names(|| Description::of_plainly(relation, attributes, declared))
    }

    fn of_plainly(
        relation: &OpenRelation,
        attributes: &[&pg_sys::FormData_pg_attribute],
        declared: &Declared<'_>,
    ) -> Description {
        let present = || {
            let all = attributes.iter().copied();
            all.filter(|column| !column.attisdropped && !is_virtual(column))
        };
        let hashed = || present().filter(|column| !declared.exclude.contains(&column.attnum));
        let others: Vec<_> = present()
            .filter(|column| {
                let named = declared.key.contains(&column.attnum)
                    || declared.chain.contains(&column.attnum);
                named && declared.exclude.contains(&column.attnum)
            })
            .collect();
        let mut shapes = Shapes::default();
        let mut text = b"{\"columns\":[".to_vec();
        write_columns(hashed(), false, &mut shapes, &mut text);
        text.put(b"],\"encoding\":2,\"key\":[");
        for (at, attnum) in declared.key.iter().enumerate() {
            if at > 0 {
                text.put_byte(b',');
            }
            write_integer(i64::from(*attnum), &mut text);
        }
        text.put(b"],\"kind\":");
        write_string(declared.kind, &mut text);
        let relid = relation.oid();
        text.put(b",\"oid\":\"");
        write_integer(i64::from(relid.to_u32()), &mut text);
        text.put_byte(b'"');
        if !others.is_empty() {
            text.put(b",\"others\":[");
            write_columns(others.into_iter(), false, &mut shapes, &mut text);
            text.put_byte(b']');
        }
        text.put(if declared.full_payload {
            b",\"payload\":\"full\",\"shapes\":"
        } else {
            b",\"payload\":\"hash\",\"shapes\":"
        });
        shapes.write(&mut text);
        text.put(b",\"system\":\"");
        text.put(session::system_identifier().to_string().as_bytes());
        text.put_byte(b'"');
        let mut without_table = text.clone();
        without_table.put_byte(b'}');
        text.put(b",\"table\":");
        write_string(&relation.qualified_name(), &mut text);
        text.put_byte(b'}');
        Description {
            relation: relid,
            kind: declared.kind.into(),
            payload: text.into(),
            digest: Hash::of(&without_table),
            depends_on: shapes.depends_on,
        }
    }
}

/// All columns that an open relation has now, as layouts of either encoding would tell them, with what
/// their values contain. Those that `is_hashed` are told from the others.
pub fn present_columns(relation: &OpenRelation, is_hashed: impl Fn(i16) -> bool) -> CurrentColumns {
    let mut shapes = Shapes::default();
    let (mut contains, mut refers) = (BTreeMap::new(), BTreeSet::new());
    let mut text = b"{\"columns\":[".to_vec();
    let attributes = relation.attributes();
    let present = || {
        let all = attributes.iter().copied();
        all.filter(|column| !column.attisdropped && !is_virtual(column))
    };
    with_plain_names(|| {
        for column in present() {
            let contents = shapes.take_in(column.atttypid);
            contains.insert(column.attnum, contents.shaped);
            if contents.refers {
                refers.insert(column.attnum);
            }
        }
        write_columns(present(), true, &mut shapes, &mut text);
        text.put(b"],\"encoding\":2,\"key\":[],\"kind\":\"\",\"oid\":\"");
        write_integer(i64::from(relation.oid().to_u32()), &mut text);
        text.put(b"\",\"payload\":\"hash\",\"shapes\":");
        shapes.write(&mut text);
        text.put(b",\"system\":\"");
        text.put(session::system_identifier().to_string().as_bytes());
        text.put(b"\",\"table\":\"\"}");
    });
    let Ok(all) = Layout::read(0, 0, &text) else {
        // What is written here, the layout reads.
        unreachable!("a description that is no layout")
    };
    let (columns, excluded) = all
        .columns
        .into_iter()
        .partition(|column| is_hashed(column.attnum));
    CurrentColumns {
        incarnation: all.incarnation,
        columns,
        excluded,
        shapes: all.shapes,
        contains,
        refers,
    }
}

fn write_columns<'a>(
    columns: impl Iterator<Item = &'a pg_sys::FormData_pg_attribute>,
    first_encoding: bool,
    shapes: &mut Shapes,
    out: &mut Vec<u8>,
) {
    for (at, column) in columns.enumerate() {
        if at > 0 {
            out.put_byte(b',');
        }
        let contents = shapes.take_in(column.atttypid);
        write_column(column, first_encoding, Some(&contents), out);
    }
}

/// Digest of a layout, as auditspine.layout has it, whose payload an entry tells; `None` if that is none.
pub fn digest_of(payload: &[u8]) -> Option<Hash> {
    // Nothing but the table's name and what called for the layout come behind, and no text within JSON holds a
    // bare quote.
    let member = b",\"table\":";
    let at = payload
        .windows(member.len())
        .rposition(|text| text == member)?;
    let mut without_table = payload.get(..at)?.to_vec();
    without_table.put_byte(b'}');
    Some(Hash::of(&without_table))
}

thread_local! {
    /// Tables of which this transaction has recorded a layout, or looked whether it has to: what it recorded is
    /// forgotten if it, or a part of it, is rolled back.
    static CREATED: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

/// Number of the layout, recorded now unless it is the last that was recorded for the relation and kind;
/// `None` where the extension's state is that of 0.1.0 still.
///
/// An earlier one that is the same is not used again: what a column's type was in between may have
/// changed its values, which a verifier must be able to tell.
pub fn ensure(description: &Description) -> Option<i32> {
    let table = state().layouts?.table;
    Some(find(table, description).unwrap_or_else(|| record(table, description, None)))
}

/// As [`ensure`], at the end of a command that did this to the rows that are there. Where their values changed
/// without their columns, the layout is recorded anew all the same.
pub fn ensure_upon(description: &Description, upon: &Upon) -> Option<i32> {
    let table = state().layouts?.table;
    let known = find(table, description).filter(|_| !upon.changes_unseen());
    Some(known.unwrap_or_else(|| record(table, description, upon.member())))
}

/// Whether this transaction neither asked so of a table before nor recorded a layout of it, be it in a part that was
/// rolled back since.
pub fn is_first_look(relation: pg_sys::Oid) -> bool {
    CREATED.with_borrow_mut(|created| created.insert(relation.to_u32()))
}

fn find(table: pg_sys::Oid, description: &Description) -> Option<i32> {
    let table = OpenRelation::table(table, pg_sys::AccessShareLock);
    // Anew: only under the lock on the table does an index stay the one to search.
    let index = state().layouts?.relation_index();
    let mut arena = DatumArena::default();
    let conditions = [
        Condition::equal(pg_sys::F_OIDEQ, description.relation.into()),
        Condition::equal(pg_sys::F_TEXTEQ, arena.varlena(&description.kind)),
    ];
    let (id, digest) = last_row(&table, index, &conditions, |row| {
        let id = row.int4(layout_column::LAYOUT_ID);
        (id, row.hash(layout_column::DIGEST))
    })?;
    // One that cannot be used is recorded anew; that it was altered is for verification to tell.
    id.filter(|id| *id > 0 && digest == Some(description.digest))
}

fn record(table: pg_sys::Oid, description: &Description, upon: Option<Vec<u8>>) -> i32 {
    let Some(layouts) = state().layouts else {
        crate::error::broken("relation auditspine.layout does not exist".to_owned())
    };
    let Ok(id) = i32::try_from(sequence::draw(layouts.id_seq, 1)) else {
        crate::error::broken("auditspine.layout_id_seq has reached the limit of integer".to_owned())
    };
    let mut arena = DatumArena::default();
    let mut values = [pg_sys::Datum::from(0usize); layout_column::COUNT];
    values[layout_column::LAYOUT_ID] = pg_sys::Datum::from(id);
    values[layout_column::RELATION] = pg_sys::Datum::from(description.relation);
    values[layout_column::DIGEST] = arena.varlena(&description.digest.0);
    values[layout_column::KIND] = arena.varlena(&description.kind);
    values[layout_column::CREATED_AT] = pg_sys::Datum::from(clock::now());
    Inserter::open(table, Rows { ascending: None }).insert(&values, &[false; layout_column::COUNT]);
    CREATED.with_borrow_mut(|created| created.insert(description.relation.to_u32()));
    let mut payload = description.payload.to_vec();
    if let Some(upon) = upon {
        // Behind the table's name, where the digest does not reach.
        payload.pop();
        payload.extend_from_slice(&upon);
        payload.put_byte(b'}');
    }
    system_entry::push(KIND, id.to_string().as_bytes(), &payload);
    id
}

/// The numbers of all layouts recorded for a relation, ascending.
pub fn of_relation(relation: pg_sys::Oid) -> Vec<i32> {
    let Some(layouts) = state().layouts else {
        return Vec::new();
    };
    let table = OpenRelation::table(layouts.table, pg_sys::AccessShareLock);
    let mut ids = Vec::new();
    index_lookup::all_rows(&table, |row| {
        if row.oid(layout_column::RELATION) == Some(relation) {
            ids.extend(row.int4(layout_column::LAYOUT_ID));
        }
    });
    ids.sort_unstable();
    ids
}

/// Whether the transaction has recorded a layout, which a rollback, whole or to a savepoint, may take
/// back.
pub fn any_created() -> bool {
    CREATED.with_borrow(|created| !created.is_empty())
}

/// To be called when a transaction has ended.
pub fn transaction_ended() {
    CREATED.take();
}
