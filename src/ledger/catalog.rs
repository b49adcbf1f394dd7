//! Where the extension's own tables are: their oids, found by name once and remembered until
//! PostgreSQL says that one of them changed.

use std::cell::{Cell, RefCell};

use pgrx::pg_sys;

use crate::error::{Failure, broken};
use crate::pg::insert::Rows;
use crate::pg::privilege::expect_select;
use crate::pg::query::read_one;
use crate::pg::relation::{OpenRelation, index_columns, name_of};
use crate::pg::session;
use crate::pg::table::oid_of;

/// Oids of the extension's state.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// auditspine.audit_chain
    pub audit_chain: pg_sys::Oid,
    head_index: Option<pg_sys::Oid>,
    /// auditspine.chain
    pub chain: pg_sys::Oid,
    name_index: Option<pg_sys::Oid>,
    /// Whether chains say whose they are; not until the extension is updated from 0.4.0.
    pub has_tenants: bool,
    tenant_index: Option<pg_sys::Oid>,
    /// auditspine.audit_seq
    pub seq: pg_sys::Oid,
    /// auditspine.chain_id_seq
    pub chain_id_seq: pg_sys::Oid,
    /// auditspine.layout and its sequence; `None` until the extension is updated from 0.1.0.
    pub layouts: Option<Layouts>,
}

/// Oids of what layouts are recorded in.
#[derive(Clone, Copy, Debug)]
pub struct Layouts {
    /// auditspine.layout
    pub table: pg_sys::Oid,
    relation_index: Option<pg_sys::Oid>,
    /// auditspine.layout_id_seq
    pub id_seq: pg_sys::Oid,
}

impl Layouts {
    /// The index of auditspine.layout that begins with (relation, kind, layout_id).
    pub fn relation_index(&self) -> pg_sys::Oid {
        self.relation_index.unwrap_or_else(|| {
            broken("auditspine.layout has lost its index on relation".to_owned())
        })
    }
}

/// What is said where the primary key is needed.
pub fn lost_head_index() -> ! {
    broken("auditspine.audit_chain has lost its primary key".to_owned())
}

impl State {
    /// The index of auditspine.audit_chain that begins with (chain_id, lane, pos).
    pub fn head_index(&self) -> pg_sys::Oid {
        self.head_index.unwrap_or_else(|| lost_head_index())
    }

    /// The same, if it is there.
    pub fn find_head_index(&self) -> Option<pg_sys::Oid> {
        self.head_index
    }

    /// The index of auditspine.chain that begins with (name).
    pub fn name_index(&self) -> pg_sys::Oid {
        self.name_index.unwrap_or_else(|| {
            broken("auditspine.chain has lost its unique index on name".to_owned())
        })
    }

    /// The index of auditspine.chain that begins with (tenant).
    pub fn tenant_index(&self) -> pg_sys::Oid {
        self.tenant_index.unwrap_or_else(|| {
            broken("auditspine.chain has lost its unique index on tenant".to_owned())
        })
    }
}

/// Columns of auditspine.audit_chain, as sql/schema.sql creates them; attribute numbers are one
/// higher.
pub mod column {
    #![allow(missing_docs)]
    pub const SEQ: usize = 0;
    pub const CHAIN_ID: usize = 1;
    pub const LANE: usize = 2;
    pub const POS: usize = 3;
    pub const VERSION: usize = 4;
    pub const OP: usize = 5;
    pub const EVENT_KIND: usize = 6;
    pub const EVENT_PK: usize = 7;
    pub const XID: usize = 8;
    pub const APPENDED_AT: usize = 9;
    pub const DB_USER: usize = 10;
    pub const ACTOR: usize = 11;
    pub const CONTEXT: usize = 12;
    pub const LAYOUT: usize = 13;
    pub const PAYLOAD: usize = 14;
    pub const PAYLOAD_HASH: usize = 15;
    pub const EVENT_HASH: usize = 16;
    pub const PREV_HASH: usize = 17;
    pub const CHAIN_HASH: usize = 18;
    pub const COUNT: usize = 19;
}

/// What rows of auditspine.audit_chain are like.
pub const ENTRIES: Rows = Rows {
    ascending: Some(column::SEQ),
};

/// Columns of auditspine.chain.
pub mod chain_column {
    #![allow(missing_docs)]
    pub const CHAIN_ID: usize = 0;
    pub const NAME: usize = 1;
    pub const LANES: usize = 2;
    pub const CREATED_AT: usize = 3;
    pub const TENANT: usize = 4;
    pub const ORIGIN: usize = 5;
    pub const COUNT: usize = 6;
    /// How many there are until the extension is updated from 0.4.0.
    pub const COUNT_BEFORE_TENANTS: usize = 4;
}

/// Columns of auditspine.layout.
pub mod layout_column {
    #![allow(missing_docs)]
    pub const LAYOUT_ID: usize = 0;
    pub const RELATION: usize = 1;
    pub const DIGEST: usize = 2;
    pub const KIND: usize = 3;
    pub const CREATED_AT: usize = 4;
    pub const COUNT: usize = 5;
}

const AUDIT_CHAIN_COLUMNS: [(&str, pg_sys::BuiltinOid); column::COUNT] = {
    use pg_sys::BuiltinOid::*;
    [
        ("seq", INT8OID),
        ("chain_id", INT4OID),
        ("lane", INT2OID),
        ("pos", INT8OID),
        ("version", INT2OID),
        ("op", CHAROID),
        ("event_kind", TEXTOID),
        ("event_pk", TEXTOID),
        ("xid", XID8OID),
        ("appended_at", TIMESTAMPTZOID),
        ("db_user", TEXTOID),
        ("actor", TEXTOID),
        ("context", JSONBOID),
        ("layout", INT4OID),
        ("payload", JSONBOID),
        ("payload_hash", BYTEAOID),
        ("event_hash", BYTEAOID),
        ("prev_hash", BYTEAOID),
        ("chain_hash", BYTEAOID),
    ]
};
const CHAIN_COLUMNS: [(&str, pg_sys::BuiltinOid); chain_column::COUNT] = {
    use pg_sys::BuiltinOid::*;
    [
        ("chain_id", INT4OID),
        ("name", TEXTOID),
        ("lanes", INT2OID),
        ("created_at", TIMESTAMPTZOID),
        ("tenant", TEXTOID),
        ("origin", TEXTOID),
    ]
};
const LAYOUT_COLUMNS: [(&str, pg_sys::BuiltinOid); layout_column::COUNT] = {
    use pg_sys::BuiltinOid::*;
    [
        ("layout_id", INT4OID),
        ("relation", REGCLASSOID),
        ("digest", BYTEAOID),
        ("kind", TEXTOID),
        ("created_at", TIMESTAMPTZOID),
    ]
};

/// The schema of our tables.
const SCHEMA: &std::ffi::CStr = c"auditspine";

thread_local! {
    static STATE: Cell<Option<State>> = const { Cell::new(None) };
    static STALE: Cell<bool> = const { Cell::new(false) };
    static WATCHED: RefCell<Vec<pg_sys::Oid>> = const { RefCell::new(Vec::new()) };
}

/// To be called from the relcache callback; `relid` invalid stands for every relation. Must not
/// touch a catalog.
pub fn relation_changed(relid: pg_sys::Oid) -> bool {
    let ours = relid == pg_sys::InvalidOid
        || WATCHED.with(|watched| watched.try_borrow().is_ok_and(|oids| oids.contains(&relid)));
    if ours {
        STALE.set(true);
    }
    ours
}

/// The state's oids; an ERROR if the tables are not as the extension created them.
pub fn state() -> State {
    // Without layouts the extension waits for its update, which changes none of the tables watched.
    if !STALE.get()
        && let Some(state) = STATE.get().filter(|state| state.layouts.is_some())
    {
        return state;
    }
    STATE.set(None);
    STALE.set(false);
    let state = find();
    let mut relations = vec![
        state.audit_chain,
        state.chain,
        state.seq,
        state.chain_id_seq,
    ];
    relations.extend(
        state
            .layouts
            .iter()
            .flat_map(|layouts| [layouts.table, layouts.id_seq]),
    );
    WATCHED.with(|watched| *watched.borrow_mut() = relations);
    STATE.set(Some(state));
    state
}

/// Raises an error unless the database's encoding is UTF8: hashes are over UTF-8 text, and a stored
/// text must be the hashed one, byte for byte.
pub fn expect_utf8() {
    if let Some(encoding) = session::other_encoding() {
        Failure::UnsupportedEncoding.raise(
            format!("auditspine does not work in a database with encoding {encoding}"),
            "create the database with ENCODING 'UTF8'",
        );
    }
}

/// Raises PostgreSQL's own error unless the current user may read what is verified.
pub fn expect_privileges() {
    let state = state();
    expect_select(state.audit_chain);
    expect_select(state.chain);
}

/// The schema that CREATE EXTENSION chose, where the verbs live; quoted where SQL needs it.
pub fn verbs_schema() -> String {
    let schema = read_one::<String>(
        "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e \
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace \
         WHERE e.extname OPERATOR(pg_catalog.=) 'auditspine'",
        &[],
    );
    match schema {
        Ok(Some(schema)) => schema,
        _ => broken("extension auditspine is not in pg_extension".to_owned()),
    }
}

/// The oid of a state table or sequence that is not in [`State`].
pub fn expect(name: &std::ffi::CStr) -> pg_sys::Oid {
    let oid = oid_of(SCHEMA, name);
    if oid == pg_sys::InvalidOid {
        broken(format!(
            "relation auditspine.{} does not exist",
            name.to_string_lossy()
        ));
    }
    oid
}

fn find() -> State {
    expect_utf8();
    let look_up = |name: &std::ffi::CStr| oid_of(SCHEMA, name);
    let find = |name: &std::ffi::CStr| {
        let oid = look_up(name);
        if oid == pg_sys::InvalidOid {
            broken(format!(
                "relation auditspine.{} does not exist",
                name.to_string_lossy()
            ));
        }
        oid
    };
    let audit_chain = find(c"audit_chain");
    let chain = find(c"chain");
    let layout = look_up(c"layout");
    let layouts = (layout != pg_sys::InvalidOid).then(|| Layouts {
        table: layout,
        relation_index: check(layout, &LAYOUT_COLUMNS, &[2, 4, 1], "layout"),
        id_seq: find(c"layout_id_seq"),
    });
    let has_tenants = !has_columns(chain, chain_column::COUNT_BEFORE_TENANTS);
    let chain_columns = if has_tenants {
        &CHAIN_COLUMNS[..]
    } else {
        &CHAIN_COLUMNS[..chain_column::COUNT_BEFORE_TENANTS]
    };
    State {
        audit_chain,
        head_index: check(audit_chain, &AUDIT_CHAIN_COLUMNS, &[2, 3, 4], "audit_chain"),
        chain,
        name_index: check(chain, chain_columns, &[2], "chain"),
        has_tenants,
        tenant_index: check(chain, chain_columns, &[5], "chain"),
        seq: find(c"audit_seq"),
        chain_id_seq: find(c"chain_id_seq"),
        layouts,
    }
}

/// Whether a table has so many columns, those included that were dropped.
fn has_columns(table: pg_sys::Oid, count: usize) -> bool {
    let lock = pg_sys::AccessShareLock;
    let table = OpenRelation::table(table, lock).briefly(lock);
    table.attributes().len() == count
}

/// Checks the columns of a state table and finds its B-tree index that begins with `key`. Its
/// loss stops appending, but must not stop verifying.
pub fn check(
    table: pg_sys::Oid,
    columns: &[(&str, pg_sys::BuiltinOid)],
    key: &[i16],
    name: &str,
) -> Option<pg_sys::Oid> {
    let lock = pg_sys::AccessShareLock;
    let table = OpenRelation::table(table, lock).briefly(lock);
    // What is read natively is a heap.
    if !table.is_heap() {
        broken(format!(
            "auditspine.{name} is not the table that it was created as"
        ));
    }
    let attributes = table.attributes();
    let as_created = attributes.len() == columns.len()
        && attributes
            .iter()
            .zip(columns)
            .all(|(attribute, (name, oid))| {
                !attribute.attisdropped
                    && name_of(&attribute.attname) == name.as_bytes()
                    && attribute.atttypid == oid.value()
            });
    if !as_created {
        broken(format!(
            "auditspine.{name} does not have the columns it was created with"
        ));
    }
    table.index_oids().into_iter().find(|oid| {
        let index = OpenRelation::index(*oid, lock).briefly(lock);
        index.is_usable_btree() && index_columns(&index).starts_with(key)
    })
}
