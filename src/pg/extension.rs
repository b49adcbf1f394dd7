//! Extensions, as the catalogs have them.

use std::ffi::CStr;

use pgrx::pg_sys;

/// The oid of an extension by name; invalid if there is none.
pub fn oid_of(name: &CStr) -> pg_sys::Oid {
    // SAFETY: a lookup in the catalogs by a NUL-terminated name.
    unsafe { pg_sys::get_extension_oid(name.as_ptr(), true) }
}

/// Whether an object, by its catalog and oid, came with the extension of this name.
pub fn has(name: &CStr, class: pg_sys::Oid, object: pg_sys::Oid) -> bool {
    // SAFETY: a lookup in the catalogs by oid.
    let extension = unsafe { pg_sys::getExtensionOfObject(class, object) };
    extension != pg_sys::InvalidOid && extension == oid_of(name)
}

/// Whether CREATE EXTENSION runs.
pub fn is_being_created() -> bool {
    // SAFETY: a plain global of this backend.
    unsafe { pg_sys::creating_extension }
}
