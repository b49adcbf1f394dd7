//! Strings and the order of member names (RFC 8785 sections 3.2.2.2 and 3.2.3).

use std::cmp::Ordering;

use crate::hash::Sink;

/// Writes UTF-8 `text` as a quoted JSON string, escaping only what RFC 8785 section 3.2.2.2 asks for:
/// `"`, `\` and the control characters below U+0020.
#[inline]
pub fn write_string<S: Sink>(text: &[u8], out: &mut S) {
    out.put_byte(b'"');
    write_string_content(text, out);
    out.put_byte(b'"');
}

/// As [`write_string`], without the quotes.
pub fn write_string_content<S: Sink>(text: &[u8], out: &mut S) {
    let mut plain = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.put(&text[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.put(b"\\\""),
            b'\\' => out.put(b"\\\\"),
            0x08 => out.put(b"\\b"),
            0x09 => out.put(b"\\t"),
            0x0a => out.put(b"\\n"),
            0x0c => out.put(b"\\f"),
            0x0d => out.put(b"\\r"),
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (
                    DIGITS[usize::from(byte >> 4)],
                    DIGITS[usize::from(byte & 15)],
                );
                out.put(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    out.put(&text[plain..]);
}

/// Compares two UTF-8 names by their UTF-16 code units (RFC 8785 section 3.2.3).
///
/// This is the order of the bytes, but for characters beyond U+FFFF: their surrogates sort before
/// U+E000..U+FFFF, although their UTF-8 bytes sort after.
#[inline]
pub fn cmp_utf16(left: &[u8], right: &[u8]) -> Ordering {
    let Some(at) = left.iter().zip(right).position(|(l, r)| l != r) else {
        return left.len().cmp(&right.len());
    };
    let (l, r) = (left[at], right[at]);
    // Lead bytes 0xEE and 0xEF begin U+E000..U+FFFF, 0xF0 and above what lies beyond. A difference
    // in a continuation byte means equal lead bytes, where both orders agree.
    match (l >= 0xF0, r >= 0xF0) {
        (true, false) if r >= 0xEE => Ordering::Less,
        (false, true) if l >= 0xEE => Ordering::Greater,
        _ => l.cmp(&r),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(input: &str) -> String {
        let mut out = Vec::new();
        write_string(input.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_what_the_rfc_names_and_nothing_else() {
        assert_eq!(
            text("\u{20ac}$\u{f}\nA'B\"\\\\\"/"),
            "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\""
        );
        assert_eq!(
            text("\u{8}\t\u{c}\r\u{7f}\u{80}"),
            "\"\\b\\t\\f\\r\u{7f}\u{80}\""
        );
        assert_eq!(text(""), "\"\"");
    }

    proptest! {
        #[test]
        fn order_is_that_of_utf16(left in "\\PC*", right in "\\PC*") {
            let expected = left.encode_utf16().cmp(right.encode_utf16());
            prop_assert_eq!(cmp_utf16(left.as_bytes(), right.as_bytes()), expected);
        }

        #[test]
        fn order_is_that_of_utf16_where_it_matters(
            left in "[a\u{e000}\u{ffff}\u{10000}\u{10ffff}\u{d7ff}]{0,4}",
            right in "[a\u{e000}\u{ffff}\u{10000}\u{10ffff}\u{d7ff}]{0,4}",
        ) {
            let expected = left.encode_utf16().cmp(right.encode_utf16());
            prop_assert_eq!(cmp_utf16(left.as_bytes(), right.as_bytes()), expected);
        }
    }
}
