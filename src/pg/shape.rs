//! What a column's type is, as far as it decides how values read: its name, oid and modifier, and of the
//! types that its values contain, at any depth, what can change without the column: labels of enums,
//! attributes of composite types, and which base types are written by their send function.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;

use auditspine_core::canonical::write_string;
use auditspine_core::digits::write_integer;
use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use super::relation::name_of;
use super::row_json::{attributes, is_sent, labels_of, refers_by_oid};

/// Name and modifier of a type; qualified unless it is built in. The settings of names are pinned by the
/// caller.
pub fn type_name(type_oid: pg_sys::Oid, typmod: i32) -> Vec<u8> {
    // SAFETY: the type exists; the result is a palloc'd string.
    let name = unsafe {
        let flags = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN | pg_sys::FORMAT_TYPE_FORCE_QUALIFY;
        CStr::from_ptr(pg_sys::format_type_extended(type_oid, typmod, flags as u16)).to_bytes()
    };
    name.strip_prefix(b"pg_catalog.").unwrap_or(name).to_vec()
}

/// Writes a column of a layout, of which the contents are told, or an attribute of a composite type.
pub fn write_column(
    attribute: &pg_sys::FormData_pg_attribute,
    first_encoding: bool,
    contents: Option<&Contents>,
    out: &mut Vec<u8>,
) {
    // With its number: an attribute that was dropped and added again is another, and null.
    out.put(b"{\"attnum\":");
    write_integer(i64::from(attribute.attnum), out);
    let shaped = contents.into_iter().flat_map(|contents| &contents.shaped);
    for (at, oid) in shaped.enumerate() {
        out.put(if at > 0 { b",\"" } else { b",\"contains\":[\"" });
        write_integer(i64::from(*oid), out);
        out.put_byte(b'"');
    }
    if contents.is_some_and(|contents| !contents.shaped.is_empty()) {
        out.put_byte(b']');
    }
    out.put(b",\"name\":");
    write_string(name_of(&attribute.attname), out);
    if first_encoding {
        write_shape(attribute.atttypid, out);
    }
    write_type(attribute.atttypid, attribute.atttypmod, out);
    out.put(b",\"typid\":\"");
    write_integer(i64::from(attribute.atttypid.to_u32()), out);
    out.put(b"\",\"typmod\":");
    write_integer(i64::from(attribute.atttypmod), out);
    out.put_byte(b'}');
}

/// The labels that an enum has now, each with its oid; `None` if there is no such type.
pub fn enum_labels(type_oid: pg_sys::Oid) -> Option<Vec<(u32, Vec<u8>)>> {
    // SAFETY: looks up the catalogs, also for a type that is gone; labels are read of an enum only.
    unsafe {
        let is_enum = pg_sys::get_typtype(type_oid) as u8 == pg_sys::TYPTYPE_ENUM;
        let labels = is_enum.then(|| labels_of(type_oid))?.into_iter();
        Some(
            labels
                .map(|label| (label.oid, label.text.to_vec()))
                .collect(),
        )
    }
}

/// Whether there is such a type.
pub fn exists(type_oid: pg_sys::Oid) -> bool {
    // SAFETY: looks up the catalogs, also for a type that is gone.
    unsafe { pg_sys::get_typtype(type_oid) != 0 }
}

/// Whether a type is a domain, which may have a default of its own.
pub fn is_domain(type_oid: pg_sys::Oid) -> bool {
    // SAFETY: looks up the catalogs for a type that exists.
    unsafe { pg_sys::get_typtype(type_oid) as u8 == pg_sys::TYPTYPE_DOMAIN }
}

fn write_type(type_oid: pg_sys::Oid, typmod: i32, out: &mut Vec<u8>) {
    out.put(b",\"type\":");
    write_string(&type_name(type_oid, typmod), out);
}

/// The types met in columns, and what their values depend on.
#[derive(Default)]
pub struct Shapes {
    /// By oid: the JSON object that describes the type.
    found: BTreeMap<u32, Vec<u8>>,
    /// Row types of composite types that were met: a change of theirs changes the shapes.
    pub depends_on: Vec<pg_sys::Oid>,
}

/// What the values of one column contain.
#[derive(Default)]
pub struct Contents {
    /// Oids of those types that have a shape.
    pub shaped: BTreeSet<u32>,
    /// Whether a dump may bring back another value: oids of things, which it numbers anew, and tsqueries, whose
    /// text does not tell how their operators are nested.
    pub refers: bool,
    /// Types looked at already: a type may contain its own array.
    seen: BTreeSet<u32>,
}

impl Shapes {
    /// Takes in a type and all that its values contain.
    pub fn take_in(&mut self, type_oid: pg_sys::Oid) -> Contents {
        let mut contents = Contents::default();
        self.look_at(type_oid, &mut contents);
        contents
    }

    fn look_at(&mut self, type_oid: pg_sys::Oid, contents: &mut Contents) {
        // SAFETY: looks up the catalogs for a type that exists; raises when the stack is nearly used up.
        let (base, kind, element) = unsafe {
            pg_sys::check_stack_depth();
            let base = pg_sys::getBaseType(type_oid);
            let kind = pg_sys::get_typtype(base) as u8;
            (base, kind, pg_sys::get_element_type(base))
        };
        let oid = base.to_u32();
        if !contents.seen.insert(oid) {
            return;
        }
        if element != pg_sys::InvalidOid {
            return self.look_at(element, contents);
        }
        match kind {
            pg_sys::TYPTYPE_ENUM => {
                contents.shaped.insert(oid);
                self.found.entry(oid).or_insert_with(|| labels(base));
            }
            pg_sys::TYPTYPE_RANGE => {
                // SAFETY: looks up what the catalogs say of a range.
                self.look_at(unsafe { pg_sys::get_range_subtype(base) }, contents);
            }
            pg_sys::TYPTYPE_MULTIRANGE => {
                // SAFETY: the same of a multirange.
                self.look_at(unsafe { pg_sys::get_multirange_range(base) }, contents);
            }
            pg_sys::TYPTYPE_COMPOSITE => {
                contents.shaped.insert(oid);
                self.look_at_attributes(base, contents);
            }
            _ if is_sent(base) => {
                contents.shaped.insert(oid);
                self.found.entry(oid).or_insert_with(|| {
                    let mut out = b"{\"send\":true".to_vec();
                    write_type(base, -1, &mut out);
                    out.put_byte(b'}');
                    out
                });
            }
            _ => contents.refers |= refers_by_oid(base) || base == pg_sys::TSQUERYOID,
        }
    }

    fn look_at_attributes(&mut self, type_oid: pg_sys::Oid, contents: &mut Contents) {
        // SAFETY: the type is composite; its descriptor is released below, and by the resource owner on
        // an ERROR.
        let desc = unsafe {
            let relation = pg_sys::get_typ_typrelid(type_oid);
            if !self.depends_on.contains(&relation) {
                self.depends_on.push(relation);
            }
            pg_sys::lookup_rowtype_tupdesc(type_oid, -1)
        };
        let mut out = b"{\"attributes\":[".to_vec();
        let mut first = true;
        // SAFETY: the descriptor is pinned.
        for attribute in unsafe { attributes(desc) } {
            if attribute.attisdropped {
                continue;
            }
            if !first {
                out.put_byte(b',');
            }
            first = false;
            write_column(attribute, false, None, &mut out);
            self.look_at(attribute.atttypid, contents);
        }
        out.put_byte(b']');
        write_type(type_oid, -1, &mut out);
        out.put_byte(b'}');
        self.found.insert(type_oid.to_u32(), out);
        // SAFETY: pinned above, if it is counted at all.
        unsafe {
            if (*desc).tdrefcount >= 0 {
                pg_sys::DecrTupleDescRefCount(desc);
            }
        }
    }

    /// Writes all of them as one JSON object.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut all: Vec<(String, &Vec<u8>)> = self
            .found
            .iter()
            .map(|(oid, shape)| (oid.to_string(), shape))
            .collect();
        // Members stand in the order of their names.
        all.sort();
        out.put_byte(b'{');
        for (at, (oid, shape)) in all.iter().enumerate() {
            if at > 0 {
                out.put_byte(b',');
            }
            write_string(oid.as_bytes(), out);
            out.put_byte(b':');
            out.put(shape);
        }
        out.put_byte(b'}');
    }
}

fn labels(type_oid: pg_sys::Oid) -> Vec<u8> {
    let mut out = b"{\"labels\":[".to_vec();
    // SAFETY: the caller passes an enum.
    for (at, label) in unsafe { labels_of(type_oid) }.iter().enumerate() {
        out.put(if at > 0 {
            b",{\"label\":"
        } else {
            b"{\"label\":"
        });
        write_string(&label.text, &mut out);
        out.put(b",\"oid\":\"");
        write_integer(i64::from(label.oid), &mut out);
        out.put(b"\"}");
    }
    out.put_byte(b']');
    write_type(type_oid, -1, &mut out);
    out.put_byte(b'}');
    out
}

/// Writes `,"shape":…` as layouts of encoding 1 have it: if the type, or what it is an array or a domain of,
/// is a composite or an enum type, an array of its attributes or labels.
fn write_shape(type_oid: pg_sys::Oid, out: &mut Vec<u8>) {
    // SAFETY: looks up the catalogs for a type that exists; raises when the stack is nearly used up.
    let (base, kind) = unsafe {
        pg_sys::check_stack_depth();
        let mut base = pg_sys::getBaseType(type_oid);
        let element = pg_sys::get_element_type(base);
        if element != pg_sys::InvalidOid {
            base = pg_sys::getBaseType(element);
        }
        (base, pg_sys::get_typtype(base) as u8)
    };
    match kind {
        pg_sys::TYPTYPE_ENUM => {
            out.put(b",\"shape\":[");
            // SAFETY: the type is an enum.
            for (at, label) in unsafe { labels_of(base) }.iter().enumerate() {
                if at > 0 {
                    out.put_byte(b',');
                }
                write_string(&label.text, out);
            }
            out.put_byte(b']');
        }
        pg_sys::TYPTYPE_COMPOSITE => {
            out.put(b",\"shape\":[");
            write_attributes(base, out);
            out.put_byte(b']');
        }
        _ => {}
    }
}

fn write_attributes(type_oid: pg_sys::Oid, out: &mut Vec<u8>) {
    // SAFETY: the type is composite; its descriptor is released below, and by the resource owner on an
    // ERROR.
    let desc = unsafe { pg_sys::lookup_rowtype_tupdesc(type_oid, -1) };
    let mut first = true;
    // SAFETY: the descriptor is pinned.
    for attribute in unsafe { attributes(desc) } {
        if attribute.attisdropped {
            continue;
        }
        if !first {
            out.put_byte(b',');
        }
        first = false;
        out.put(b"{\"attnum\":");
        write_integer(i64::from(attribute.attnum), out);
        out.put(b",\"name\":");
        write_string(name_of(&attribute.attname), out);
        write_shape(attribute.atttypid, out);
        write_type(attribute.atttypid, attribute.atttypmod, out);
        out.put_byte(b'}');
    }
    // SAFETY: pinned above, if it is counted at all.
    unsafe {
        if (*desc).tdrefcount >= 0 {
            pg_sys::DecrTupleDescRefCount(desc);
        }
    }
}
