//! What a column's type is, as far as it decides how values read: its name and, where the type can
//! change without the column, its shape (attributes of a composite type, labels of an enum).

use std::ffi::CStr;

use auditspine_core::canonical::write_string;
use auditspine_core::entry::write_integer;
use auditspine_core::hash::Sink;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

use super::query::read_one;
use super::relation::name_of;
use super::row_json::attributes;

/// Name and modifier of a type; qualified unless it is built in.
pub fn type_name(type_oid: pg_sys::Oid, typmod: i32) -> Vec<u8> {
    // SAFETY: the type exists; the result is a palloc'd string.
    let name = unsafe {
        let flags = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN | pg_sys::FORMAT_TYPE_FORCE_QUALIFY;
        CStr::from_ptr(pg_sys::format_type_extended(type_oid, typmod, flags as u16)).to_bytes()
    };
    name.strip_prefix(b"pg_catalog.").unwrap_or(name).to_vec()
}

/// Writes `,"shape":…` if the type, or what it is an array or a domain of, is a composite or an enum
/// type: an array of its attributes or labels. Composite types met are added to `depends_on`.
pub fn write_shape(type_oid: pg_sys::Oid, out: &mut Vec<u8>, depends_on: &mut Vec<pg_sys::Oid>) {
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
            out.put(b",\"shape\":");
            write_labels(base, out);
        }
        pg_sys::TYPTYPE_COMPOSITE => {
            out.put(b",\"shape\":[");
            write_attributes(base, out, depends_on);
            out.put_byte(b']');
        }
        _ => {}
    }
}

fn write_labels(type_oid: pg_sys::Oid, out: &mut Vec<u8>) {
    let labels: Option<Vec<String>> = read_one(
        "SELECT pg_catalog.array_agg(enumlabel::pg_catalog.text ORDER BY enumsortorder) \
         FROM pg_catalog.pg_enum WHERE enumtypid OPERATOR(pg_catalog.=) $1",
        &[DatumWithOid::from(type_oid)],
    )
    .unwrap_or(None);
    out.put_byte(b'[');
    for (at, label) in labels.unwrap_or_default().iter().enumerate() {
        if at > 0 {
            out.put_byte(b',');
        }
        write_string(label.as_bytes(), out);
    }
    out.put_byte(b']');
}

fn write_attributes(type_oid: pg_sys::Oid, out: &mut Vec<u8>, depends_on: &mut Vec<pg_sys::Oid>) {
    // SAFETY: the type is composite; its descriptor is released below, and by the resource owner on an
    // ERROR.
    let desc = unsafe {
        let relation = pg_sys::get_typ_typrelid(type_oid);
        if !depends_on.contains(&relation) {
            depends_on.push(relation);
        }
        pg_sys::lookup_rowtype_tupdesc(type_oid, -1)
    };
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
        // With its number: an attribute that was dropped and added again is another, and null.
        out.put(b"{\"attnum\":");
        write_integer(i64::from(attribute.attnum), out);
        out.put(b",\"name\":");
        write_string(name_of(&attribute.attname), out);
        write_shape(attribute.atttypid, out, depends_on);
        out.put(b",\"type\":");
        write_string(&type_name(attribute.atttypid, attribute.atttypmod), out);
        out.put_byte(b'}');
    }
    // SAFETY: pinned above, if it is counted at all.
    unsafe {
        if (*desc).tdrefcount >= 0 {
            pg_sys::DecrTupleDescRefCount(desc);
        }
    }
}
