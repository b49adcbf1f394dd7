//! Values of types that have no native writer: their output function, or their cast to json.
//!
//! Output functions are code of superusers, since only they can make base types, or PostgreSQL's own
//! (enums, ranges, composites). A cast to json can be made by any owner of a type, and would run with
//! the rights of whoever writes or verifies a row. So one counts only if nobody but a superuser could
//! have made it.

use std::cell::UnsafeCell;
use std::ffi::CStr;

use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use crate::encoding::json::write_json_text;
use crate::pg::row_json::changes::watch_type;
use crate::pg::row_json::scalar::{write_bytea, write_text};
use crate::pg::row_json::settings::Settings;
use crate::pg::varlena::Varlena;

/// A function that prints values of one type, looked up once.
pub struct OutputFunction {
    // Called functions keep state in it, so PostgreSQL is always handed a mutable pointer.
    function: Box<UnsafeCell<pg_sys::FmgrInfo>>,
    settings: Settings,
    kind: Kind,
    may_change: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A type's output function.
    Text,
    /// The output function of text: such a type, citext for one, is text in all but name.
    PlainText,
    /// A superuser's cast to json, which `to_jsonb` prefers for types that are not built in. Encoding 1.
    Json,
    /// A type's send function, in hex.
    Sent,
}

impl OutputFunction {
    /// How values of a type without a native writer are printed. State that lives as long as the
    /// result goes to `context`.
    ///
    /// # Safety
    /// `type_oid` is a type that exists and no domain; `context` outlives the result.
    pub unsafe fn of_type(type_oid: pg_sys::Oid, context: pg_sys::MemoryContext) -> OutputFunction {
        // SAFETY: the caller passes a type that exists.
        let cast = unsafe { cast_to_json(type_oid) };
        let function = cast.unwrap_or_else(|| {
            let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
            // SAFETY: as above; the results are plain values.
            unsafe { pg_sys::getTypeOutputInfo(type_oid, &mut function, &mut is_varlena) };
            function
        });
        let info = Box::new(UnsafeCell::new(pg_sys::FmgrInfo::default()));
        // SAFETY: the FmgrInfo does not move, being boxed, and its memory context outlives it.
        unsafe { pg_sys::fmgr_info_cxt(function, info.get(), context) };
        // SAFETY: as above.
        let (settings, kind) = unsafe {
            if cast.is_some() {
                (Settings::ALL, Kind::Json)
            } else if code_of((*info.get()).fn_addr) == textout(context) {
                (Settings::NONE, Kind::PlainText)
            } else {
                (settings_of(type_oid), Kind::Text)
            }
        };
        OutputFunction {
            function: info,
            settings,
            kind,
            may_change: !is_built_in(type_oid),
        }
    }

    /// How values of a type without a native writer are printed in encoding 2: nobody's cast, and what the type
    /// itself cannot print otherwise at another time. `sent` says whether its send function writes it, if that
    /// is not what would be found out now.
    ///
    /// # Safety
    /// As for [`OutputFunction::of_type`].
    pub unsafe fn lossless(
        type_oid: pg_sys::Oid,
        sent: Option<bool>,
        context: pg_sys::MemoryContext,
    ) -> OutputFunction {
        let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
        // A tsquery's text leaves out how its operators are nested.
        let sent = sent.unwrap_or_else(|| is_sent(type_oid)) || type_oid == pg_sys::TSQUERYOID;
        // SAFETY: the caller passes a type that exists.
        unsafe {
            if sent {
                pg_sys::getTypeBinaryOutputInfo(type_oid, &mut function, &mut is_varlena);
            } else {
                pg_sys::getTypeOutputInfo(type_oid, &mut function, &mut is_varlena);
            }
        }
        let info = Box::new(UnsafeCell::new(pg_sys::FmgrInfo::default()));
        // SAFETY: the FmgrInfo does not move, being boxed, and its memory context outlives it.
        unsafe { pg_sys::fmgr_info_cxt(function, info.get(), context) };
        // SAFETY: as above.
        let (settings, kind) = unsafe {
            if sent {
                (Settings::ALL, Kind::Sent)
            } else if code_of((*info.get()).fn_addr) == textout(context) {
                (Settings::NONE, Kind::PlainText)
            } else {
                (settings_of(type_oid), Kind::Text)
            }
        };
        OutputFunction {
            function: info,
            settings,
            kind,
            may_change: !is_built_in(type_oid),
        }
    }

    /// What must be pinned when this is called.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether another function may take its place: the types of users have casts made and dropped,
    /// and their functions replaced.
    pub fn may_change(&self) -> bool {
        self.may_change
    }

    /// Writes the value as JSON; with `RAW`, a text without quotes and escapes. [`Self::settings`]
    /// must be pinned.
    ///
    /// # Safety
    /// `datum` is a valid non-null value of the type.
    pub unsafe fn write<S: Sink, const RAW: bool>(&self, datum: pg_sys::Datum, out: &mut S) {
        match self.kind {
            Kind::Text => {
                // SAFETY: an output function takes a value of its type and returns a C string.
                let text = unsafe { pg_sys::OutputFunctionCall(self.function.get(), datum) };
                // SAFETY: as above; it is freed once written.
                let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
                write_text::<_, RAW>(bytes, out);
                // SAFETY: output functions return palloc'd memory.
                unsafe { pg_sys::pfree(text.cast()) };
            }
            Kind::PlainText => {
                // SAFETY: what textout prints is a text.
                write_text::<_, RAW>(&unsafe { Varlena::packed(datum) }, out);
            }
            Kind::Json => {
                // SAFETY: the function was found as the cast of this type to json.
                let json = unsafe {
                    let datum =
                        pg_sys::FunctionCall1Coll(self.function.get(), pg_sys::InvalidOid, datum);
                    Varlena::packed(datum)
                };
                write_json_text(&json, out);
            }
            Kind::Sent => {
                // SAFETY: a send function takes a value of its type and returns a bytea.
                unsafe {
                    let bytes = pg_sys::SendFunctionCall(self.function.get(), datum);
                    write_bytea::<_, RAW>(&Varlena::packed(bytes.into()), out);
                    pg_sys::pfree(bytes.cast());
                }
            }
        }
    }
}

/// Where the code of `textout` is.
///
/// # Safety
/// `context` is valid.
unsafe fn textout(context: pg_sys::MemoryContext) -> usize {
    let mut info = pg_sys::FmgrInfo::default();
    // SAFETY: looks up a built-in function.
    unsafe { pg_sys::fmgr_info_cxt(pg_sys::Oid::from(pg_sys::F_TEXTOUT), &mut info, context) };
    code_of(info.fn_addr)
}

fn code_of(function: pg_sys::PGFunction) -> usize {
    function.map_or(0, |function| function as usize)
}

fn is_built_in(type_oid: pg_sys::Oid) -> bool {
    type_oid.to_u32() < pg_sys::FirstNormalObjectId
}

/// Whether values of a base type, which is not built in, are written by its send function: its output
/// function says of itself that it may print the same value otherwise at another time.
pub fn is_sent(type_oid: pg_sys::Oid) -> bool {
    if is_built_in(type_oid) {
        return false;
    }
    let (mut output, mut send, mut is_varlena) = (pg_sys::InvalidOid, pg_sys::InvalidOid, false);
    // SAFETY: looks up catalogs for a type that exists; the results are plain values.
    unsafe {
        pg_sys::getTypeOutputInfo(type_oid, &mut output, &mut is_varlena);
        let volatile = pg_sys::func_volatile(output) as u8 != pg_sys::PROVOLATILE_IMMUTABLE;
        if pg_sys::get_typtype(type_oid) as u8 == pg_sys::TYPTYPE_BASE && volatile {
            send = send_function(type_oid);
        }
    }
    send != pg_sys::InvalidOid
}

/// A type's send function; none if it has none.
///
/// # Safety
/// `type_oid` is a type that exists.
unsafe fn send_function(type_oid: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: as in `owner_in`.
    unsafe {
        owner_in(pg_sys::SysCacheIdentifier::TYPEOID, type_oid, |tuple| {
            (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_type>()).typsend
        })
    }
    .unwrap_or(pg_sys::InvalidOid)
}

/// Whether values of a base type refer to other things by their oids, which a dump numbers anew.
pub fn refers_by_oid(type_oid: pg_sys::Oid) -> bool {
    matches!(
        type_oid,
        pg_sys::REGPROCOID
            | pg_sys::REGPROCEDUREOID
            | pg_sys::REGOPEROID
            | pg_sys::REGOPERATOROID
            | pg_sys::REGCLASSOID
            | pg_sys::REGTYPEOID
            | pg_sys::REGCONFIGOID
            | pg_sys::REGDICTIONARYOID
            | pg_sys::REGROLEOID
            | pg_sys::REGNAMESPACEOID
            | pg_sys::REGCOLLATIONOID
            | pg_sys::ACLITEMOID
    )
}

/// The function that casts a type to json, if both are superusers'.
///
/// # Safety
/// `type_oid` is a type that exists.
unsafe fn cast_to_json(type_oid: pg_sys::Oid) -> Option<pg_sys::Oid> {
    if is_built_in(type_oid) {
        return None;
    }
    let mut function = pg_sys::InvalidOid;
    // SAFETY: looks up catalogs for types that exist.
    let path = unsafe {
        pg_sys::find_coercion_pathway(
            pg_sys::JSONOID,
            type_oid,
            pg_sys::CoercionContext::COERCION_EXPLICIT,
            &mut function,
        )
    };
    if path != pg_sys::CoercionPathType::COERCION_PATH_FUNC || function == pg_sys::InvalidOid {
        return None;
    }
    watch_type(type_oid);
    // SAFETY: looks up catalogs; an oid that is not there has no owner.
    let trusted = unsafe {
        [
            owner_in(pg_sys::SysCacheIdentifier::TYPEOID, type_oid, |tuple| {
                (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_type>()).typowner
            }),
            owner_in(pg_sys::SysCacheIdentifier::PROCOID, function, |tuple| {
                (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>()).proowner
            }),
        ]
        .into_iter()
        .all(|owner| owner.is_some_and(|owner| pg_sys::superuser_arg(owner)))
    };
    trusted.then_some(function)
}

/// The owner that a row of a catalog names, by oid.
///
/// # Safety
/// `owner` reads a tuple of that catalog.
unsafe fn owner_in(
    cache: pg_sys::SysCacheIdentifier::Type,
    oid: pg_sys::Oid,
    owner: unsafe fn(pg_sys::HeapTuple) -> pg_sys::Oid,
) -> Option<pg_sys::Oid> {
    // SAFETY: the tuple is read before it is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(cache as i32, oid.into());
        if tuple.is_null() {
            return None;
        }
        let found = owner(tuple);
        pg_sys::ReleaseSysCache(tuple);
        Some(found)
    }
}

/// The settings that the output function of a type reads.
///
/// # Safety
/// `type_oid` is a type that exists.
unsafe fn settings_of(type_oid: pg_sys::Oid) -> Settings {
    // SAFETY: the caller passes a type that exists; these look up catalogs.
    let (base, kind) = unsafe {
        let base = pg_sys::getBaseType(type_oid);
        (base, pg_sys::get_typtype(base) as u8)
    };
    match kind {
        pg_sys::TYPTYPE_ENUM => return Settings::NONE,
        // SAFETY: as above, for types that the catalogs name.
        pg_sys::TYPTYPE_RANGE => return unsafe { settings_of(pg_sys::get_range_subtype(base)) },
        pg_sys::TYPTYPE_MULTIRANGE => {
            // SAFETY: as above.
            return unsafe { settings_of(pg_sys::get_multirange_range(base)) };
        }
        pg_sys::TYPTYPE_COMPOSITE => return Settings::ALL,
        _ => {}
    }
    match base {
        pg_sys::DATEOID | pg_sys::TIMESTAMPOID => Settings::DATE_STYLE,
        pg_sys::TIMESTAMPTZOID => Settings::DATE_STYLE | Settings::TIME_ZONE,
        pg_sys::INTERVALOID => Settings::INTERVAL_STYLE,
        pg_sys::MONEYOID => Settings::MONETARY,
        pg_sys::BYTEAOID => Settings::BYTEA_OUTPUT,
        pg_sys::FLOAT4OID
        | pg_sys::FLOAT8OID
        | pg_sys::POINTOID
        | pg_sys::LSEGOID
        | pg_sys::PATHOID
        | pg_sys::BOXOID
        | pg_sys::POLYGONOID
        | pg_sys::LINEOID
        | pg_sys::CIRCLEOID => Settings::FLOAT_DIGITS,
        pg_sys::REGPROCOID
        | pg_sys::REGPROCEDUREOID
        | pg_sys::REGOPEROID
        | pg_sys::REGOPERATOROID
        | pg_sys::REGCLASSOID
        | pg_sys::REGTYPEOID
        | pg_sys::REGCONFIGOID
        | pg_sys::REGDICTIONARYOID
        | pg_sys::REGROLEOID
        | pg_sys::REGNAMESPACEOID
        | pg_sys::REGCOLLATIONOID => Settings::NAMES,
        // Their output functions read no setting.
        pg_sys::BOOLOID
        | pg_sys::INT2OID
        | pg_sys::INT4OID
        | pg_sys::INT8OID
        | pg_sys::OIDOID
        | pg_sys::NUMERICOID
        | pg_sys::TEXTOID
        | pg_sys::VARCHAROID
        | pg_sys::BPCHAROID
        | pg_sys::NAMEOID
        | pg_sys::CHAROID
        | pg_sys::UUIDOID
        | pg_sys::JSONOID
        | pg_sys::JSONBOID
        | pg_sys::TIMEOID
        | pg_sys::TIMETZOID
        | pg_sys::INETOID
        | pg_sys::CIDROID
        | pg_sys::MACADDROID
        | pg_sys::MACADDR8OID
        | pg_sys::BITOID
        | pg_sys::VARBITOID
        | pg_sys::XIDOID
        | pg_sys::XID8OID
        | pg_sys::CIDOID
        | pg_sys::TIDOID
        | pg_sys::PG_LSNOID
        | pg_sys::TSVECTOROID
        | pg_sys::TSQUERYOID
        | pg_sys::JSONPATHOID
        | pg_sys::XMLOID
        | pg_sys::REFCURSOROID
        | pg_sys::PG_SNAPSHOTOID
        | pg_sys::TXID_SNAPSHOTOID => Settings::NONE,
        // Arrays among others: a range may be over any type.
        _ => Settings::ALL,
    }
}
