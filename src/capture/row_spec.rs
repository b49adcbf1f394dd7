//! How the rows of one table or partition are recorded: a declaration, resolved against the
//! relation's columns.

use std::borrow::Cow;
use std::cell::Cell;

use auditspine_core::canonical::{storable, write_string};
use auditspine_core::hash::Sink;
use auditspine_core::short_text;
use pgrx::pg_sys;

use crate::capture::declaration::{ChainOf, Declaration};
use crate::capture::layouts::{self, Declared, Description};
use crate::capture::upon::Upon;
use crate::error::Failure;
use crate::ledger::{buffer, chains};
use crate::pg::builtin::jsonb_problem;
use crate::pg::columns_before::Beginning;
use crate::pg::relation::{OpenRelation, name_of};
use crate::pg::row_json::{DeformedRow, RowLayout};
use crate::pg::shape;
use crate::pg::table::{self, Uniqueness};

/// A declaration, resolved against a relation.
pub struct Spec {
    /// Kind of the events.
    pub kind: buffer::NameId,
    /// Attribute numbers of the key.
    pub key: Vec<i16>,
    /// Whether two rows may have one key.
    pub uniqueness: Uniqueness,
    /// Where events go.
    pub chain: ChainColumns,
    /// Whether the row is kept beside its hash.
    pub full_payload: bool,
    /// Whether an UPDATE that leaves the hash as it was is no event.
    pub skip_unchanged: bool,
    /// How rows are written.
    pub layout: RowLayout,
    /// The columns that rows are hashed under.
    pub description: Description,
    /// The relation, and its name, for messages.
    relation: pg_sys::Oid,
    table: String,
    /// Names of the key's columns, for messages.
    key_names: Vec<String>,
    layout_id: Cell<Option<i32>>,
}

/// [`ChainOf`], with attribute numbers.
pub enum ChainColumns {
    /// One chain for all rows.
    Named(buffer::NameId),
    /// The chain named by these columns of the row.
    By(Vec<i16>),
}

impl ChainColumns {
    /// The columns that name the chain.
    fn columns(&self) -> &[i16] {
        match self {
            ChainColumns::By(columns) => columns,
            ChainColumns::Named(_) => &[],
        }
    }
}

impl Spec {
    /// Resolves a declaration against an open table or partition. Nothing is written.
    ///
    /// Raises 42P16 without a key, 42703 for a column that is not there, 42704 for an unknown chain.
    pub fn resolve(relation: &OpenRelation, declaration: &Declaration) -> Spec {
        let table = relation.qualified();
        let columns = Columns {
            relation: relation.oid(),
            table: &table,
            attributes: relation.attributes(),
        };
        let key = match &declaration.pk {
            Some(names) => columns.numbers(names, "pk"),
            None => primary_key(relation, &table),
        };
        let chain = match &declaration.chain {
            ChainOf::Named(name) => {
                chains::expect_operators(name.as_bytes());
                ChainColumns::Named(buffer::intern(name.as_bytes()))
            }
            ChainOf::By(names) => ChainColumns::By(columns.numbers(names, "chain_by")),
        };
        let exclude = columns.numbers(&declaration.exclude, "exclude");
        let kind = kind_of(relation, declaration);
        let layout = RowLayout::of(relation, &exclude);
        let declared = Declared {
            kind: kind.as_bytes(),
            exclude: &exclude,
            key: &key,
            chain: chain.columns(),
            full_payload: declaration.full_payload,
        };
        let description = Description::of(relation, &declared);
        Spec {
            kind: buffer::intern(kind.as_bytes()),
            key_names: key.iter().map(|column| columns.name(*column)).collect(),
            uniqueness: relation.uniqueness(&key),
            key,
            chain,
            full_payload: declaration.full_payload,
            skip_unchanged: declaration.skip_unchanged,
            layout,
            description,
            relation: relation.oid(),
            table,
            layout_id: Cell::new(None),
        }
    }

    /// Records the layout that a table had when the running command began, if it is not the one that was recorded last:
    /// after a restore the first command may be one that changes columns, and nothing else tells which they were.
    pub fn note_layout_before(
        relation: &OpenRelation,
        declaration: &Declaration,
        beginning: Beginning,
    ) {
        if !layouts::is_first_look(relation.oid()) {
            return;
        }
        let before = beginning.columns(relation.oid());
        let columns = Columns {
            relation: relation.oid(),
            table: &relation.qualified(),
            attributes: before.iter().collect(),
        };
        let is_known = |column: &&pg_sys::FormData_pg_attribute| {
            column.attisdropped || shape::exists(column.atttypid)
        };
        let key = match &declaration.pk {
            Some(names) => columns.find_all(names),
            None => beginning.primary_key(relation.oid()),
        };
        let chain = match &declaration.chain {
            ChainOf::Named(_) => Some(Vec::new()),
            ChainOf::By(names) => columns.find_all(names),
        };
        let exclude = columns.find_all(&declaration.exclude);
        if let (Some(key), Some(chain), Some(exclude)) = (key, chain, exclude)
            && columns.attributes.iter().all(is_known)
        {
            let kind = kind_of(relation, declaration);
            let declared = Declared {
                kind: kind.as_bytes(),
                exclude: &exclude,
                key: &key,
                chain: &chain,
                full_payload: declaration.full_payload,
            };
            let before = Description::of_columns(relation, &columns.attributes, &declared);
            layouts::ensure(&before);
        }
    }

    /// Number of the layout, recorded now if it is new; `None` until the extension is updated from
    /// 0.1.0. Valid until the transaction, or a part of it, is rolled back.
    pub fn layout_id(&self) -> Option<i32> {
        if self.layout_id.get().is_none() {
            self.layout_id.set(layouts::ensure(&self.description));
        }
        self.layout_id.get()
    }

    /// As [`Spec::layout_id`], at the end of a command that did this to the rows that are there.
    pub fn note_layout(&self, upon: &Upon) {
        self.layout_id
            .set(layouts::ensure_upon(&self.description, upon));
    }

    /// Names of the key's columns.
    pub fn key_names(&self) -> &[String] {
        &self.key_names
    }

    /// Whether a spec resolved now would be the same, as far as no change of the relation tells.
    pub fn is_current(&self) -> bool {
        self.layout.is_current()
    }

    /// Writes the key: the value's text, or a JSON array of texts for several columns, [`shorten`]ed. Raises
    /// 23502 if one is null.
    ///
    /// [`shorten`]: short_text::shorten
    pub fn write_key(&self, row: &DeformedRow, out: &mut Vec<u8>) {
        if let Some(at) = self.key.iter().position(|column| row.is_null(*column)) {
            Failure::NullKey.raise(
                format!(
                    "key column \"{}\" of table {} is null, so the row cannot be named in the audit chain",
                    self.key_names[at], self.table
                ),
                "name columns that are never null in the trigger's argument 'pk=…'",
            );
        }
        write_texts(&self.layout, &self.key, row, out);
    }

    /// Raises 54000 if jsonb cannot take a row, which is to be kept: now, and not when it is stored, at the commit.
    pub fn expect_storable(&self, row: &[u8]) {
        let Some(problem) = jsonb_problem(row) else {
            return;
        };
        let of_column = storable::members(row)
            .into_iter()
            .find_map(|(name, value)| {
                let problem = (!storable::surely_fits(value)).then(|| jsonb_problem(value))??;
                Some((String::from_utf8_lossy(name).into_owned(), problem))
            });
        let what = match of_column {
            Some((column, problem)) => format!("column \"{column}\": {problem}"),
            None => problem,
        };
        Failure::ResultTooLarge.raise(
            format!(
                "a row of table {} is too large to be kept in the audit chain, as payload => 'full' asks for: {what}",
                self.table
            ),
            format!(
                "attach it with payload => 'hash', which has no such limit, or leave the column out with exclude => …: \
                 SELECT audit_attach({}, …)",
                whole(self.relation)
            ),
        );
    }

    /// Whether a column of the row's key is null.
    pub fn key_is_null(&self, row: &DeformedRow) -> bool {
        self.key.iter().any(|column| row.is_null(*column))
    }
}

/// Writes the chain's key: that of the tenant whom the columns name; a null stands for the chain `main`.
pub fn write_chain(layout: &RowLayout, columns: &[i16], row: &DeformedRow, out: &mut Vec<u8>) {
    if columns.iter().any(|column| row.is_null(*column)) {
        out.clear();
        out.extend_from_slice(chains::MAIN);
    } else {
        chains::begin_tenant(out);
        append_texts(layout, columns, row, out);
        chains::end_tenant(out);
    }
}

fn write_texts(layout: &RowLayout, columns: &[i16], row: &DeformedRow, out: &mut Vec<u8>) {
    out.clear();
    append_texts(layout, columns, row, out);
    if let Cow::Owned(short) = short_text::shorten(out) {
        *out = short;
    }
}

fn append_texts(layout: &RowLayout, columns: &[i16], row: &DeformedRow, out: &mut Vec<u8>) {
    if let [column] = columns {
        layout.write_key_text(*column, row, out);
        return;
    }
    let mut text = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        out.put_byte(if at == 0 { b'[' } else { b',' });
        text.clear();
        layout.write_key_text(*column, row, &mut text);
        write_string(&text, out);
    }
    out.put_byte(b']');
}

/// The declared kind, or the table's name; for a partition that of the whole table.
pub fn kind_of(relation: &OpenRelation, declaration: &Declaration) -> String {
    declaration.kind.clone().unwrap_or_else(|| {
        if !relation.is_partition() {
            return relation.name();
        }
        let root = table::root_of_partition(relation.oid()).unwrap_or(relation.oid());
        table::name_of_oid(root).unwrap_or_default()
    })
}

/// Columns of an open relation, by name.
struct Columns<'a> {
    relation: pg_sys::Oid,
    table: &'a str,
    attributes: Vec<&'a pg_sys::FormData_pg_attribute>,
}

impl Columns<'_> {
    fn find(&self, name: &str) -> Option<i16> {
        let is_it = |attribute: &&&pg_sys::FormData_pg_attribute| {
            !attribute.attisdropped && name_of(&attribute.attname) == name.as_bytes()
        };
        Some(self.attributes.iter().find(is_it)?.attnum)
    }

    fn find_all(&self, names: &[String]) -> Option<Vec<i16>> {
        names.iter().map(|name| self.find(name)).collect()
    }

    fn numbers(&self, names: &[String], argument: &str) -> Vec<i16> {
        let number = |name: &String| {
            self.find(name).unwrap_or_else(|| {
                Failure::UnknownColumn.raise(
                    format!(
                        "table {} has no column \"{name}\", which the trigger's argument '{argument}=' names",
                        self.table
                    ),
                    format!(
                        "attach it again with the columns that it has now: SELECT audit_attach({}, …); or recreate \
                         the trigger, if it was written by hand",
                        whole(self.relation)
                    ),
                )
            })
        };
        names.iter().map(number).collect()
    }

    fn name(&self, attnum: i16) -> String {
        self.attributes
            .get(attnum as usize - 1)
            .map_or_else(String::new, |attribute| {
                String::from_utf8_lossy(name_of(&attribute.attname)).into_owned()
            })
    }
}

/// What audit_attach() is to be called with for a table, or a partition: a literal.
fn whole(relation: pg_sys::Oid) -> String {
    let root = table::root_of_partition(relation).unwrap_or(relation);
    let name = OpenRelation::table(root, pg_sys::AccessShareLock).qualified();
    pgrx::spi::quote_literal(name)
}

fn primary_key(relation: &OpenRelation, table: &str) -> Vec<i16> {
    relation.key_of_identity().unwrap_or_else(|| {
        Failure::NoPrimaryKey.raise(
            format!("table {table} has no primary key, and its audit trigger names no key"),
            format!(
                "name the columns that identify a row: SELECT audit_attach({}, pk => '{{column,…}}'), or in a trigger \
                 written by hand audit_chain_append('kind', 'pk=column,…')",
                whole(relation.oid())
            ),
        )
    })
}
