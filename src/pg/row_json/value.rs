//! Values of columns: which writer a type has, and the JSON that it writes.
//!
//! A value's JSON is that of `to_jsonb` under `TimeZone = UTC`, in canonical form, and depends on no
//! setting.

use auditspine_core::canonical::{Numbers, write_string, write_string_content};
use auditspine_core::entry::write_integer;
use auditspine_core::hash::Sink;
use auditspine_core::time::{write_date, write_timestamp};
use pgrx::pg_sys;

use crate::encoding::json::write_json_text;
use crate::encoding::jsonb::write_jsonb;
use crate::encoding::numeric::{Special, Written, write_numeric};
use crate::error::Failure;
use crate::pg::row_json::array::Elements;
use crate::pg::row_json::float::{write_float4, write_float8};
use crate::pg::row_json::output::OutputFunction;
use crate::pg::row_json::settings::Settings;
use crate::pg::row_json::write_composite;
use crate::pg::varlena::Varlena;

/// Writes values of one type.
pub enum Writer {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    /// text, varchar, bpchar: to_jsonb keeps the blanks that pad the last.
    Text,
    Name,
    /// "char", one byte.
    Char,
    Uuid,
    Bytea,
    Date,
    Timestamp,
    TimestampTz,
    Json,
    Jsonb,
    Array(Box<Elements>),
    Composite,
    Other(OutputFunction),
}

impl Writer {
    /// The writer for a type; a domain is written as its base type. State that lives as long as the
    /// writer goes to `context`.
    ///
    /// # Safety
    /// `type_oid` is a type that exists; `context` outlives the result.
    pub unsafe fn of_type(type_oid: pg_sys::Oid, context: pg_sys::MemoryContext) -> Writer {
        // SAFETY: looks up the catalogs for a type that exists.
        let base = unsafe { pg_sys::getBaseType(type_oid) };
        match base {
            pg_sys::BOOLOID => Writer::Bool,
            pg_sys::INT2OID => Writer::Int2,
            pg_sys::INT4OID => Writer::Int4,
            pg_sys::INT8OID => Writer::Int8,
            pg_sys::OIDOID => Writer::Oid,
            pg_sys::FLOAT4OID => Writer::Float4,
            pg_sys::FLOAT8OID => Writer::Float8,
            pg_sys::NUMERICOID => Writer::Numeric,
            pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Writer::Text,
            pg_sys::NAMEOID => Writer::Name,
            pg_sys::CHAROID => Writer::Char,
            pg_sys::UUIDOID => Writer::Uuid,
            pg_sys::BYTEAOID => Writer::Bytea,
            pg_sys::DATEOID => Writer::Date,
            pg_sys::TIMESTAMPOID => Writer::Timestamp,
            pg_sys::TIMESTAMPTZOID => Writer::TimestampTz,
            pg_sys::JSONOID => Writer::Json,
            pg_sys::JSONBOID => Writer::Jsonb,
            // SAFETY: `base` is a type that exists, and `context` outlives the result.
            _ => unsafe {
                let element = pg_sys::get_element_type(base);
                if element != pg_sys::InvalidOid {
                    Writer::Array(Box::new(Elements::of_type(element, context)))
                } else if base == pg_sys::RECORDARRAYOID {
                    Writer::Array(Box::new(Elements::of_type(pg_sys::RECORDOID, context)))
                } else if pg_sys::type_is_rowtype(base) {
                    Writer::Composite
                } else {
                    Writer::Other(OutputFunction::of_type(base, context))
                }
            },
        }
    }

    /// Whether writing calls functions of PostgreSQL that may leave memory behind.
    pub fn calls_functions(&self) -> bool {
        match self {
            Writer::Other(_) | Writer::Composite => true,
            Writer::Array(elements) => elements.writer.calls_functions(),
            _ => false,
        }
    }

    /// Whether the type may come to be printed by another function.
    pub fn may_change(&self) -> bool {
        match self {
            Writer::Other(function) => function.may_change(),
            Writer::Array(elements) => elements.writer.may_change(),
            _ => false,
        }
    }

    /// The settings that must be pinned for output functions; what lies in composite values shows
    /// only when it is written, and is seen to then.
    pub fn settings(&self) -> Settings {
        match self {
            Writer::Other(function) => function.settings(),
            Writer::Array(elements) => elements.writer.settings(),
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
            Writer::Oid => quoted::<_, RAW>(out, |out| {
                write_integer(i64::from(datum.value() as u32), out);
            }),
            Writer::Float4 => {
                let value = f32::from_bits(datum.value() as u32);
                if value.is_finite() {
                    write_float4(value, out);
                } else {
                    write_not_finite::<_, RAW>(value.into(), out);
                }
            }
            Writer::Float8 => {
                let value = f64::from_bits(datum.value() as u64);
                if value.is_finite() {
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
            // SAFETY: the caller passes a valid value of this type.
            Writer::Array(elements) => unsafe { elements.write(datum, out) },
            // SAFETY: as above.
            Writer::Composite => unsafe { write_composite(datum, out) },
            // SAFETY: as above.
            Writer::Other(function) => unsafe { function.write::<_, RAW>(datum, out) },
        }
    }
}

#[inline]
fn quoted<S: Sink, const RAW: bool>(out: &mut S, content: impl FnOnce(&mut S)) {
    if !RAW {
        out.put_byte(b'"');
    }
    content(out);
    if !RAW {
        out.put_byte(b'"');
    }
}

/// Writes a text as a JSON string, or as it is.
#[inline]
pub fn write_text<S: Sink, const RAW: bool>(text: &[u8], out: &mut S) {
    if RAW {
        out.put(text);
    } else {
        write_string(text, out);
    }
}

fn write_not_finite<S: Sink, const RAW: bool>(value: f64, out: &mut S) {
    quoted::<_, RAW>(out, |out| {
        out.put(match value {
            f64::INFINITY => b"Infinity",
            f64::NEG_INFINITY => b"-Infinity",
            _ => b"NaN",
        });
    });
}

fn write_numeric_value<S: Sink, const RAW: bool>(content: &[u8], out: &mut S) {
    let special: &[u8] = match write_numeric(content, Numbers::Exact, out) {
        Written::Number => return,
        Written::Special(Special::NaN) => b"NaN",
        Written::Special(Special::Infinity) => b"Infinity",
        Written::Special(Special::MinusInfinity) => b"-Infinity",
        Written::Corrupt => Failure::CorruptedData.raise(
            format!("invalid binary numeric of {} bytes", content.len()),
            "The stored value is damaged; check the storage and restore the row from a backup.",
        ),
    };
    quoted::<_, RAW>(out, |out| out.put(special));
}

/// As PostgreSQL 16 and later print it: bytes beyond ASCII as `\ooo`, so that the text is UTF-8 and
/// the same on every server.
fn write_char<S: Sink, const RAW: bool>(byte: u8, out: &mut S) {
    let octal = |shift: u8| b'0' + ((byte >> shift) & 7);
    match byte {
        0 => write_text::<_, RAW>(b"", out),
        1..0x80 => write_text::<_, RAW>(&[byte], out),
        _ => write_text::<_, RAW>(&[b'\\', octal(6), octal(3), octal(0)], out),
    }
}

fn write_uuid<S: Sink, const RAW: bool>(bytes: &[u8; 16], out: &mut S) {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        (text[at], text[at + 1]) = hex(*byte);
        at += 2;
    }
    quoted::<_, RAW>(out, |out| out.put(&text));
}

fn write_bytea<S: Sink, const RAW: bool>(bytes: &[u8], out: &mut S) {
    quoted::<_, RAW>(out, |out| {
        if RAW {
            out.put(b"\\x")
        } else {
            write_string_content(b"\\x", out)
        }
        let mut text = [0; 128];
        for chunk in bytes.chunks(text.len() / 2) {
            for (pair, byte) in text.chunks_exact_mut(2).zip(chunk) {
                (pair[0], pair[1]) = hex(*byte);
            }
            out.put(&text[..2 * chunk.len()]);
        }
    });
}

fn hex(byte: u8) -> (u8, u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    (
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    )
}
