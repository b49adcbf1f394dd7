//! What a command did to the values of rows that were there: told by the layout that it calls for, so that what a row
//! must read in a column that is younger than its last entry is known.

use auditspine_core::canonical::write_string;
use auditspine_core::digits::write_integer;
use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use crate::capture::row_spec::Spec;
use crate::pg::ddl::{ColumnValues, Made};
use crate::pg::relation::{OpenRelation, name_of};
use crate::pg::row_json::with_plain_names;
use crate::pg::shape::{is_domain, write_column};

/// What the command that called for a layout did, by attribute number.
#[derive(Default)]
pub struct Upon {
    /// Columns that are new: with the JSON of what rows read there that were there already.
    added: Vec<(i16, Vec<u8>)>,
    /// Columns whose values an expression made anew.
    computed: Vec<i16>,
    /// Columns whose values were converted to another type as assignments are, as layouts tell columns.
    converted: Vec<Vec<u8>>,
    unseen: bool,
}

impl Upon {
    /// What a command did to the columns of a table, which is open as the command left it. Of columns that are left out
    /// as well: they may be recorded again.
    pub fn of(table: &OpenRelation, spec: &Spec, values: &[&ColumnValues]) -> Upon {
        let mut upon = Upon::default();
        for column in table.attributes() {
            let named =
                |values: &&&ColumnValues| values.column.as_bytes() == name_of(&column.attname);
            let there = |_: &&&ColumnValues| !column.attisdropped;
            let Some(values) = values.iter().find(named).filter(there) else {
                continue;
            };
            let hashed = spec.layout.has_column(column.attnum);
            match values.made {
                Made::Computed => upon.computed.push(column.attnum),
                Made::Converted => {
                    let mut json = Vec::new();
                    with_plain_names(|| write_column(column, false, None, &mut json));
                    upon.converted.push(json);
                }
                Made::Empty | Made::Filled if hashed => {
                    let missing = missing(table, spec, column, values.made);
                    upon.added.extend(missing.map(|json| (column.attnum, json)));
                }
                Made::Empty | Made::Filled => {}
            }
            upon.unseen |=
                values.made == Made::Computed || values.made == Made::Converted && !hashed;
        }
        upon
    }

    /// Whether values changed that the names and types of the columns that are hashed do not tell of.
    pub fn changes_unseen(&self) -> bool {
        self.unseen
    }

    /// The member of a layout's payload that tells this, if there is anything to be told.
    pub fn member(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let begin = |out: &mut Vec<u8>, name: &[u8]| {
            out.put(if out.is_empty() {
                b",\"upon\":{\""
            } else {
                b",\""
            });
            out.put(name);
            out.put(b"\":[");
        };
        if !self.added.is_empty() {
            begin(&mut out, b"added");
            for (at, (attnum, json)) in self.added.iter().enumerate() {
                out.put(if at > 0 {
                    b",{\"attnum\":"
                } else {
                    b"{\"attnum\":"
                });
                write_integer(i64::from(*attnum), &mut out);
                out.put(b",\"missing\":");
                // As text: what a value is made of is nothing of the layout's.
                write_string(json, &mut out);
                out.put_byte(b'}');
            }
            out.put_byte(b']');
        }
        let numbers = self.computed.iter().map(|attnum| {
            let mut number = Vec::new();
            write_integer(i64::from(*attnum), &mut number);
            number
        });
        for (name, columns) in [
            ("computed", numbers.collect()),
            ("converted", self.converted.clone()),
        ] {
            if !columns.is_empty() {
                begin(&mut out, name.as_bytes());
                out.put(&columns.join(&b','));
                out.put_byte(b']');
            }
        }
        if out.is_empty() {
            return None;
        }
        out.put_byte(b'}');
        Some(out)
    }
}

/// What a new column reads in rows that were there; `None` if that is not known: each row was given a value of its own,
/// or the table was rewritten.
fn missing(
    table: &OpenRelation,
    spec: &Spec,
    column: &pg_sys::FormData_pg_attribute,
    made: Made,
) -> Option<Vec<u8>> {
    let mut json = Vec::new();
    if column.atthasmissing {
        let known = spec.layout.write_missing(table, column.attnum, &mut json);
        return known.then_some(json);
    }
    // A domain may have a default of its own.
    (made == Made::Empty && !is_domain(column.atttypid)).then(|| b"null".to_vec())
}
