//! Values of columns: which writer a type has, and the JSON that it writes.
//!
//! A value's JSON is that of `to_jsonb` under `TimeZone = UTC`, in canonical form, and depends on no
//! setting.

use auditspine_core::canonical::Numbers;
use auditspine_core::digits::write_integer;
use auditspine_core::hash::Sink;
use auditspine_core::rows::Overrides;
use auditspine_core::time::{write_date, write_timestamp};
use pgrx::pg_sys;

use crate::encoding::json::write_json_text;
use crate::encoding::jsonb::write_jsonb;
use crate::pg::row_json::array::Elements;
use crate::pg::row_json::composite::RowType;
use crate::pg::row_json::enums::Labels;
use crate::pg::row_json::float::{write_float4, write_float8};
use crate::pg::row_json::output::{OutputFunction, refers_by_oid};
use crate::pg::row_json::range::{Range, follows_names};
use crate::pg::row_json::scalar::{
    quoted, write_acl_item, write_bytea, write_char, write_not_finite, write_numeric_value,
    write_scaled_numeric, write_text, write_uuid, write_whole_jsonb,
};
use crate::pg::row_json::settings::Settings;
use crate::pg::row_json::write_composite;
use crate::pg::varlena::Varlena;

/// Which of the encodings of FORMAT.md values are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As releases before 0.5 wrote: what `to_jsonb` tells.
    First,
    /// Nothing is left out, and nothing reads otherwise later.
    Second,
}

/// How values are written.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    /// In which encoding.
    pub encoding: Encoding,
    /// What some types were like at another time; encoding 2 alone heeds it.
    pub overrides: Option<&'a Overrides>,
}

impl Way<'_> {
    /// Encoding 1.
    pub const FIRST: Way<'static> = Way {
        encoding: Encoding::First,
        overrides: None,
    };
    /// Encoding 2, as types are now.
    pub const SECOND: Way<'static> = Way {
        encoding: Encoding::Second,
        overrides: None,
    };
}

/// Writes values of one type.
pub enum Writer {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    /// Types of things that have an oid, which is written: a name would change with them.
    Reference,
    /// Encoding 1 has no zero but 0.
    Float4 {
        negative_zero: bool,
    },
    Float8 {
        negative_zero: bool,
    },
    /// Encoding 1: the number alone.
    Numeric,
    /// The number with the digits behind the point that the type does not tell.
    ScaledNumeric(Option<u16>),
    /// text, varchar, bpchar (to_jsonb keeps the blanks that pad the last); in encoding 2 json.
    Text,
    Name,
    /// "char", one byte.
    Char,
    Uuid,
    Bytea,
    Date,
    Timestamp,
    TimestampTz,
    /// Encoding 1: the value, less what JSON does not tell apart.
    Json,
    /// Encoding 1.
    Jsonb,
    WholeJsonb,
    AclItem,
    Array(Box<Elements>),
    Enum(Box<Labels>),
    Range(Box<Range>),
    /// Encoding 1: of whatever type the value says.
    Composite,
    Row(Box<RowType>),
    Other(OutputFunction),
}

impl Writer {
    /// The writer for a type with its modifier; a domain is written as its base type. State that lives as
    /// long as the writer goes to `context`.
    ///
    /// # Safety
    /// `type_oid` is a type that exists; `context` outlives the result.
    pub unsafe fn of_type(
        type_oid: pg_sys::Oid,
        modifier: i32,
        way: Way<'_>,
        context: pg_sys::MemoryContext,
    ) -> Writer {
        let mut modifier = modifier;
        // SAFETY: looks up the catalogs for a type that exists.
        let base = unsafe { pg_sys::getBaseTypeAndTypmod(type_oid, &mut modifier) };
        let second = way.encoding == Encoding::Second;
        match base {
            pg_sys::BOOLOID => Writer::Bool,
            pg_sys::INT2OID => Writer::Int2,
            pg_sys::INT4OID => Writer::Int4,
            pg_sys::INT8OID => Writer::Int8,
            pg_sys::OIDOID => Writer::Oid,
            pg_sys::FLOAT4OID => Writer::Float4 {
                negative_zero: second,
            },
            pg_sys::FLOAT8OID => Writer::Float8 {
                negative_zero: second,
            },
            pg_sys::NUMERICOID if second => Writer::ScaledNumeric(scale(modifier)),
            pg_sys::NUMERICOID => Writer::Numeric,
            pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Writer::Text,
            pg_sys::NAMEOID => Writer::Name,
            pg_sys::CHAROID => Writer::Char,
            pg_sys::UUIDOID => Writer::Uuid,
            pg_sys::BYTEAOID => Writer::Bytea,
            pg_sys::DATEOID => Writer::Date,
            pg_sys::TIMESTAMPOID => Writer::Timestamp,
            pg_sys::TIMESTAMPTZOID => Writer::TimestampTz,
            pg_sys::JSONOID if second => Writer::Text,
            pg_sys::JSONOID => Writer::Json,
            pg_sys::JSONBOID if second => Writer::WholeJsonb,
            pg_sys::JSONBOID => Writer::Jsonb,
            pg_sys::ACLITEMOID if second => Writer::AclItem,
            _ if second && refers_by_oid(base) => Writer::Reference,
            // SAFETY: `base` is a type that exists, and `context` outlives the result.
            _ => unsafe {
                let element = pg_sys::get_element_type(base);
                if element != pg_sys::InvalidOid {
                    Writer::Array(Box::new(Elements::of_type(
                        base, element, modifier, way, context,
                    )))
                } else if base == pg_sys::RECORDARRAYOID {
                    let element = pg_sys::RECORDOID;
                    Writer::Array(Box::new(Elements::of_type(base, element, -1, way, context)))
                } else if second {
                    Writer::of_second(base, way, context)
                } else if pg_sys::type_is_rowtype(base) {
                    Writer::Composite
                } else {
                    Writer::Other(OutputFunction::of_type(base, context))
                }
            },
        }
    }

    /// For a type, no domain, that has neither elements nor a writer of its own.
    ///
    /// # Safety
    /// As for [`Writer::of_type`].
    unsafe fn of_second(base: pg_sys::Oid, way: Way<'_>, context: pg_sys::MemoryContext) -> Writer {
        // SAFETY: the caller's.
        unsafe {
            match pg_sys::get_typtype(base) as u8 {
                pg_sys::TYPTYPE_ENUM => Writer::Enum(Box::new(Labels::of_type(base, way))),
                pg_sys::TYPTYPE_RANGE | pg_sys::TYPTYPE_MULTIRANGE if follows_names(base) => {
                    Writer::Range(Box::new(Range::of_type(base, way, context)))
                }
                pg_sys::TYPTYPE_COMPOSITE => Writer::Row(Box::new(RowType::new(base, -1, way))),
                pg_sys::TYPTYPE_PSEUDO if pg_sys::type_is_rowtype(base) => Writer::Composite,
                _ => {
                    let sent = way.overrides.and_then(|then| then.sent.get(&base.to_u32()));
                    Writer::Other(OutputFunction::lossless(base, sent.copied(), context))
                }
            }
        }
    }

    /// Whether writing calls functions of PostgreSQL that may leave memory behind.
    pub fn calls_functions(&self) -> bool {
        match self {
            Writer::Other(_) | Writer::Composite | Writer::Range(_) => true,
            Writer::Array(elements) => elements.writer.calls_functions(),
            Writer::Row(row) => row.layout().calls_functions,
            _ => false,
        }
    }

    /// Whether the type may come to be printed otherwise, or by another function.
    pub fn may_change(&self) -> bool {
        match self {
            Writer::Enum(_) => true,
            Writer::Other(function) => function.may_change(),
            Writer::Array(elements) => elements.writer.may_change(),
            Writer::Range(range) => range.bound.may_change(),
            Writer::Row(row) => row.layout().functions.is_some(),
            _ => false,
        }
    }

    /// The settings that must be pinned for output functions; what lies in composite values shows
    /// only when it is written, and is seen to then.
    pub fn settings(&self) -> Settings {
        match self {
            Writer::Other(function) => function.settings(),
            Writer::Array(elements) => elements.writer.settings(),
            Writer::Range(range) => range.bound.settings(),
            Writer::Row(row) => row.layout().settings,
            _ => Settings::NONE,
        }
    }

    /// Writes a value as JSON. With `RAW`, a value whose JSON is a string is written as that
    /// string's content, unescaped.
    ///
    /// # Safety
    /// `datum` is a valid non-null value of the writer's type.
    #[inline]
    pub unsafe fn write<S: Sink, const RAW: bool>(&self, datum: pg_sys::Datum, out: &mut S) {
        match self {
            Writer::Bool => out.put(if datum.value() as u8 != 0 {
                b"true"
            } else {
                b"false"
            }),
            Writer::Int2 => write_integer(i64::from(datum.value() as i16), out),
            Writer::Int4 => write_integer(i64::from(datum.value() as i32), out),
            Writer::Int8 => write_integer(datum.value() as i64, out),
            Writer::Oid | Writer::Reference => quoted::<_, RAW>(out, |out| {
                write_integer(i64::from(datum.value() as u32), out);
            }),
            Writer::Float4 { negative_zero } => {
                let value = f32::from_bits(datum.value() as u32);
                if value == 0.0 && value.is_sign_negative() && *negative_zero {
                    write_text::<_, RAW>(b"-0", out);
                } else if value.is_finite() {
                    write_float4(value, out);
                } else {
                    write_not_finite::<_, RAW>(value.into(), out);
                }
            }
            Writer::Float8 { negative_zero } => {
                let value = f64::from_bits(datum.value() as u64);
                if value == 0.0 && value.is_sign_negative() && *negative_zero {
                    write_text::<_, RAW>(b"-0", out);
                } else if value.is_finite() {
                    write_float8(value, out);
                } else {
                    write_not_finite::<_, RAW>(value, out);
                }
            }
            Writer::Numeric => {
                // SAFETY: the caller passes a valid varlena of this type.
                let content = unsafe { Varlena::packed(datum) };
                write_numeric_value::<_, RAW>(&content, out);
            }
            Writer::ScaledNumeric(enforced) => {
                // SAFETY: as for numeric.
                let content = unsafe { Varlena::packed(datum) };
                write_scaled_numeric::<_, RAW>(&content, *enforced, out);
            }
            // SAFETY: as for numeric.
            Writer::Text => write_text::<_, RAW>(&unsafe { Varlena::packed(datum) }, out),
            Writer::Name => {
                // SAFETY: a name is NUL-terminated.
                let name = unsafe { std::ffi::CStr::from_ptr(datum.cast_mut_ptr()) };
                write_text::<_, RAW>(name.to_bytes(), out);
            }
            Writer::Char => write_char::<_, RAW>(datum.value() as u8, out),
            Writer::Uuid => {
                // SAFETY: a uuid is 16 bytes.
                let bytes = unsafe { &*datum.cast_mut_ptr::<[u8; 16]>() };
                write_uuid::<_, RAW>(bytes, out);
            }
            // SAFETY: as for numeric.
            Writer::Bytea => write_bytea::<_, RAW>(&unsafe { Varlena::packed(datum) }, out),
            Writer::Date => {
                quoted::<_, RAW>(out, |out| write_date(datum.value() as i32, out));
            }
            Writer::Timestamp => {
                quoted::<_, RAW>(out, |out| write_timestamp(datum.value() as i64, false, out));
            }
            Writer::TimestampTz => {
                quoted::<_, RAW>(out, |out| write_timestamp(datum.value() as i64, true, out));
            }
            // SAFETY: as for numeric.
            Writer::Json => write_json_text(&unsafe { Varlena::packed(datum) }, out),
            Writer::Jsonb => {
                // SAFETY: as for numeric.
                let content = unsafe { Varlena::packed(datum) };
                write_jsonb(&content, Numbers::Exact, out);
            }
            Writer::WholeJsonb => {
                // SAFETY: as for numeric.
                let content = unsafe { Varlena::packed(datum) };
                write_whole_jsonb::<_, RAW>(&content, out);
            }
            Writer::AclItem => {
                // SAFETY: an aclitem is this, behind a pointer.
                let item = unsafe { &*datum.cast_mut_ptr::<pg_sys::AclItem>() };
                write_acl_item::<_, RAW>(item, out);
            }
            Writer::Enum(labels) => labels.write::<_, RAW>(datum.value() as u32, out),
            // SAFETY: the caller passes a valid value of this type.
            Writer::Range(range) => unsafe { range.write::<_, RAW>(datum, out) },
            // SAFETY: as above.
            Writer::Row(row) => unsafe { row.write(datum, out) },
            // SAFETY: the caller passes a valid value of this type.
            Writer::Array(elements) => unsafe { elements.write(datum, out) },
            // SAFETY: as above.
            Writer::Composite => unsafe { write_composite(datum, out) },
            // SAFETY: as above.
            Writer::Other(function) => unsafe { function.write::<_, RAW>(datum, out) },
        }
    }
}

/// With how many digits behind the point values of a numeric type with this modifier are shown; `None` if it
/// does not say.
fn scale(modifier: i32) -> Option<u16> {
    // utils/adt/numeric.c, numeric_typmod_scale: eleven bits with a sign; values of a negative scale have no
    // digits behind the point.
    let modifier = modifier - pg_sys::VARHDRSZ as i32;
    (modifier >= 0).then(|| u16::try_from(((modifier & 0x7ff) ^ 1024) - 1024).unwrap_or(0))
}
