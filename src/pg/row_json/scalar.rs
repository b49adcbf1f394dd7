//! Values of single types, written as JSON or, with `RAW`, as the bare text of what is a JSON string.

use auditspine_core::canonical::{Numbers, write_string, write_string_content};
use auditspine_core::digits::write_integer;
use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use crate::encoding::jsonb::{root_string, tells_all, write_jsonb, write_jsonb_text};
use crate::encoding::numeric::{Special, Written, tells_scale, write_numeric, write_numeric_text};
use crate::error::Failure;

#[inline]
pub fn quoted<S: Sink, const RAW: bool>(out: &mut S, content: impl FnOnce(&mut S)) {
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

pub fn write_not_finite<S: Sink, const RAW: bool>(value: f64, out: &mut S) {
    quoted::<_, RAW>(out, |out| {
        out.put(match value {
            f64::INFINITY => b"Infinity",
            f64::NEG_INFINITY => b"-Infinity",
            _ => b"NaN",
        });
    });
}

pub fn write_numeric_value<S: Sink, const RAW: bool>(content: &[u8], out: &mut S) {
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
pub fn write_char<S: Sink, const RAW: bool>(byte: u8, out: &mut S) {
    let octal = |shift: u8| b'0' + ((byte >> shift) & 7);
    match byte {
        0 => write_text::<_, RAW>(b"", out),
        1..0x80 => write_text::<_, RAW>(&[byte], out),
        _ => write_text::<_, RAW>(&[b'\\', octal(6), octal(3), octal(0)], out),
    }
}

pub fn write_uuid<S: Sink, const RAW: bool>(bytes: &[u8; 16], out: &mut S) {
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

pub fn write_bytea<S: Sink, const RAW: bool>(bytes: &[u8], out: &mut S) {
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

/// Writes a numeric as a number, if that tells with how many digits behind the point it is shown; else as the
/// string of its text.
#[inline]
pub fn write_scaled_numeric<S: Sink, const RAW: bool>(
    content: &[u8],
    enforced: Option<u16>,
    out: &mut S,
) {
    if tells_scale(content, enforced) {
        return write_numeric_value::<_, RAW>(content, out);
    }
    quoted::<_, RAW>(out, |out| {
        write_numeric_text(content, out);
    });
}

/// Writes a jsonb as its canonical JSON, if that tells it from every other; else as the string of its text.
#[inline]
pub fn write_whole_jsonb<S: Sink, const RAW: bool>(content: &[u8], out: &mut S) {
    if tells_all(content) {
        return match root_string(content) {
            Some(text) if RAW => out.put(text),
            _ => write_jsonb(content, Numbers::Exact, out),
        };
    }
    if RAW {
        return write_jsonb_text(content, out);
    }
    out.put_byte(b'"');
    write_jsonb_text(content, &mut Escaped(out));
    out.put_byte(b'"');
}

/// Escapes what is put, as the content of a JSON string.
struct Escaped<'a, S>(&'a mut S);

impl<S: Sink> Sink for Escaped<'_, S> {
    fn put(&mut self, bytes: &[u8]) {
        write_string_content(bytes, self.0);
    }
}

/// Writes who may do what by whose grant: as aclitem's own text, but with oids of roles for their names.
pub fn write_acl_item<S: Sink, const RAW: bool>(item: &pg_sys::AclItem, out: &mut S) {
    /// utils/acl.h, ACL_ALL_RIGHTS_STR, and what later versions have added.
    const LETTERS: &[u8] = b"arwdDxtXUCTcsAm";
    // Half of the bits say what is granted, the other half what may be granted on.
    let half = 4 * size_of_val(&item.ai_privs);
    let bits = item.ai_privs;
    let has = |bit: usize| bits >> bit & 1 == 1;
    quoted::<_, RAW>(out, |out| {
        write_integer(i64::from(item.ai_grantee.to_u32()), out);
        out.put_byte(b'=');
        for bit in 0..half {
            if has(bit) || has(half + bit) {
                out.put_byte(LETTERS.get(bit).copied().unwrap_or(b'?'));
            }
            if has(half + bit) {
                out.put(if has(bit) { b"*" } else { b"!" });
            }
        }
        out.put_byte(b'/');
        write_integer(i64::from(item.ai_grantor.to_u32()), out);
    });
}
