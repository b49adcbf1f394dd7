//! Column layouts: which columns a relation's rows are hashed under, recorded once each, as a row of
//! auditspine.layout for writers to find it and as an S entry for verifiers to trust.
//!
//! A layout belongs to one relation in one incarnation (system identifier and oid), so that column
//! numbers mean the same as long as it does: after a restore they may not. It also tells in which
//! partition a row lived.
//!
//! Nobody waits for anybody here: two first writers at a time may record one layout twice.

use std::cell::Cell;

use auditspine_core::canonical::write_string;
use auditspine_core::entry::write_integer;
use auditspine_core::hash::{Hash, Sink};
use pgrx::pg_sys;

use crate::ledger::catalog::{layout_column, state};
use crate::ledger::system_entry;
use crate::pg::arena::DatumArena;
use crate::pg::index_lookup::{Condition, last_row};
use crate::pg::insert::Inserter;
use crate::pg::relation::OpenRelation;
use crate::pg::row_json::is_virtual;
use crate::pg::shape::write_shape;
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

impl Description {
    /// Describes the columns that an open relation has now, less the attribute numbers in `exclude`.
    pub fn of(relation: &OpenRelation, kind: &[u8], exclude: &[i16]) -> Description {
        let mut text = Vec::new();
        let mut depends_on = Vec::new();
        text.put(b"{\"columns\":[");
        let mut first = true;
        for column in relation.attributes() {
            if column.attisdropped || is_virtual(column) || exclude.contains(&column.attnum) {
                continue;
            }
            if !first {
                text.put_byte(b',');
            }
            first = false;
            write_column(column, &mut text, &mut depends_on);
        }
        text.put(b"],\"kind\":");
        write_string(kind, &mut text);
        let relid = relation.oid();
        text.put(b",\"oid\":\"");
        write_integer(i64::from(relid.to_u32()), &mut text);
        text.put(b"\",\"system\":\"");
        text.put(session::system_identifier().to_string().as_bytes());
        text.put_byte(b'"');
        let mut without_table = text.clone();
        without_table.put_byte(b'}');
        text.put(b",\"table\":");
        write_string(&relation.qualified_name(), &mut text);
        text.put_byte(b'}');
        Description {
            relation: relid,
            kind: kind.into(),
            payload: text.into(),
            digest: Hash::of(&without_table),
            depends_on,
        }
    }
}

/// Digest of a layout, as auditspine.layout has it, whose payload an entry tells; `None` if that is none.
pub fn digest_of(payload: &[u8]) -> Option<Hash> {
    // The table's name is the last member, and no text within JSON holds a bare quote.
    let member = b",\"table\":";
    let at = payload
        .windows(member.len())
        .rposition(|text| text == member)?;
    let mut without_table = payload.get(..at)?.to_vec();
    without_table.put_byte(b'}');
    Some(Hash::of(&without_table))
}

fn write_column(
    column: &pg_sys::FormData_pg_attribute,
    out: &mut Vec<u8>,
    depends_on: &mut Vec<pg_sys::Oid>,
) {
    out.put(b"{\"attnum\":");
    write_integer(i64::from(column.attnum), out);
    out.put(b",\"name\":");
    write_string(crate::pg::relation::name_of(&column.attname), out);
    write_shape(column.atttypid, out, depends_on);
    out.put(b",\"type\":");
    write_string(
        &crate::pg::shape::type_name(column.atttypid, column.atttypmod),
        out,
    );
    out.put_byte(b'}');
}

thread_local! {
    /// Whether this transaction has recorded a layout: one that is forgotten if it, or a part of it,
    /// is rolled back.
    static CREATED: Cell<bool> = const { Cell::new(false) };
}

/// Number of the layout, recorded now unless it is the last that was recorded for the relation and kind;
/// `None` where the extension's state is that of 0.1.0 still.
///
/// An earlier one that is the same is not used again: what a column's type was in between may have
/// changed its values, which a verifier must be able to tell.
pub fn ensure(description: &Description) -> Option<i32> {
    let table = state().layouts?.table;
    Some(find(table, description).unwrap_or_else(|| record(table, description)))
}

fn find(table: pg_sys::Oid, description: &Description) -> Option<i32> {
    let table = OpenRelation::table(table, pg_sys::AccessShareLock);
    // Anew: only under the lock on the table does an index stay the one to search.
    let index = state().layouts?.relation_index();
    let mut arena = DatumArena::default();
    let conditions = [
        Condition::equal(1, pg_sys::F_OIDEQ, description.relation.into()),
        Condition::equal(2, pg_sys::F_TEXTEQ, arena.varlena(&description.kind)),
    ];
    let (id, digest) = last_row(&table, index, &conditions, |row| {
        let id = row.int4(layout_column::LAYOUT_ID);
        (id, row.hash(layout_column::DIGEST))
    })?;
    // One that cannot be used is recorded anew; that it was altered is for verification to tell.
    id.filter(|id| *id > 0 && digest == Some(description.digest))
}

fn record(table: pg_sys::Oid, description: &Description) -> i32 {
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
    let mut inserter = Inserter::open(table, 1, None);
    inserter.insert(&[(&values, &[false; layout_column::COUNT])]);
    inserter.close();
    CREATED.set(true);
    system_entry::push(KIND, id.to_string().as_bytes(), &description.payload);
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
    CREATED.get()
}

/// To be called when a transaction has ended.
pub fn transaction_ended() {
    CREATED.set(false);
}
