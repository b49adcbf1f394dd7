//! Triggers of a relation, as its cache has them, and the functions that they call.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::index_lookup::bytes_of;
use super::relation::OpenRelation;

/// catalog/pg_language.dat: functions in C.
const C_LANGUAGE: u32 = 13;

/// A trigger of a relation.
pub struct Trigger {
    /// The trigger.
    pub oid: pg_sys::Oid,
    /// Its name.
    pub name: String,
    /// Its function.
    pub function: pg_sys::Oid,
    /// Events, timing and level: as in pg_trigger.tgtype.
    pub events: u32,
    /// Whether it fires whatever the row and the columns: it has no WHEN, and names no columns.
    pub whatever_row: bool,
    /// Whether it can be deferred.
    pub deferrable: bool,
    /// When it fires: `A`lways, `O`rigin, `R`eplica, `D`isabled.
    pub enabled: u8,
    /// Whether it was cloned from the partitioned table's.
    pub cloned: bool,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl OpenRelation {
    /// All its triggers.
    pub fn triggers(&self) -> Vec<Trigger> {
        // SAFETY: the relation is open; its trigger descriptor, if any, has numtriggers members, whose names and
        // arguments are NUL-terminated strings of the relation's cache. They are copied at once.
        unsafe {
            let desc = (*self.raw()).trigdesc;
            if desc.is_null() {
                return Vec::new();
            }
            std::slice::from_raw_parts((*desc).triggers, (*desc).numtriggers.max(0) as usize)
                .iter()
                .map(|trigger| Trigger {
                    oid: trigger.tgoid,
                    name: CStr::from_ptr(trigger.tgname)
                        .to_string_lossy()
                        .into_owned(),
                    function: trigger.tgfoid,
                    events: trigger.tgtype as u32,
                    whatever_row: trigger.tgqual.is_null() && trigger.tgnattr == 0,
                    deferrable: trigger.tgdeferrable,
                    enabled: trigger.tgenabled as u8,
                    cloned: trigger.tgisclone,
                    arguments: arguments(trigger),
                })
                .collect()
        }
    }
}

/// The arguments of a trigger.
///
/// # Safety
/// It is one of a relation's cache.
pub(super) unsafe fn arguments(trigger: &pg_sys::Trigger) -> Vec<String> {
    (0..trigger.tgnargs.max(0) as usize)
        .map(|at| {
            // SAFETY: the caller's; tgargs then has tgnargs NUL-terminated strings.
            let argument = unsafe { CStr::from_ptr(*trigger.tgargs.add(at)) };
            argument.to_string_lossy().into_owned()
        })
        .collect()
}

/// The symbol of a function that is written in C; `None` for any other function.
pub fn c_symbol(function: pg_sys::Oid) -> Option<String> {
    // SAFETY: looks up a function, whose row is released when what is read of it has been copied.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::PROCOID as i32,
            pg_sys::Datum::from(function),
        );
        if tuple.is_null() {
            return None;
        }
        let mut null = false;
        let source = pg_sys::SysCacheGetAttr(
            pg_sys::SysCacheIdentifier::PROCOID as i32,
            tuple,
            pg_sys::Anum_pg_proc_prosrc as pg_sys::AttrNumber,
            &mut null,
        );
        let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>();
        let native = (*form).prolang == pg_sys::Oid::from(C_LANGUAGE);
        let symbol =
            (native && !null).then(|| String::from_utf8_lossy(&bytes_of(source)).into_owned());
        pg_sys::ReleaseSysCache(tuple);
        symbol
    }
}
