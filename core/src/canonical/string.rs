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
#[inline]
pub fn write_string_content<S: Sink>(mut text: &[u8], out: &mut S) {
    // Checked and copied piece by piece, since most texts are short and one pass over them is enough.
    while let Some(chunk) = text.first_chunk::<CHUNK>() {
        let plain = plain_in_chunk(chunk);
        out.put_first(chunk, plain);
        text = &text[plain..];
        if plain < CHUNK {
            text = write_escaped(text, out);
        }
    }
    while !text.is_empty() {
        let (word, len) = first_word(text);
        let plain = plain_in_word(word).min(len);
        out.put_first(&word.to_le_bytes(), plain);
        text = &text[plain..];
        if plain < len {
            text = write_escaped(text, out);
        }
    }
}

/// Writes the first byte of `text`, which does not stand for itself; returns what follows it.
#[inline(never)]
fn write_escaped<'a, S: Sink>(text: &'a [u8], out: &mut S) -> &'a [u8] {
    let Some((&byte, rest)) = text.split_first() else {
        return text;
    };
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
    rest
}

const ONES: u64 = 0x0101_0101_0101_0101;
const CHUNK: usize = 32;

/// How many bytes at the beginning of `text` stand for themselves within a JSON string: all up to
/// the first `"`, `\` or control character below U+0020.
#[inline]
pub(super) fn plain_len(text: &[u8]) -> usize {
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, len) = match rest.first_chunk() {
            Some(chunk) => (plain_in_chunk(chunk), CHUNK),
            None => {
                let (word, len) = first_word(rest);
                (plain_in_word(word).min(len), len)
            }
        };
        rest = &rest[plain..];
        if plain < len {
            break;
        }
    }
    text.len() - rest.len()
}

#[inline]
fn plain_in_chunk(chunk: &[u8; CHUNK]) -> usize {
    // Without a branch, so that the compiler can look at many bytes at once.
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let found = chunk
        .iter()
        .fold(false, |found, byte| found | is_special(byte));
    if !found {
        return CHUNK;
    }
    chunk.iter().position(is_special).unwrap_or(CHUNK)
}

/// The first bytes of a text that is not empty, at most eight, the first in the lowest byte, and how many.
#[inline]
fn first_word(text: &[u8]) -> (u64, usize) {
    let len = text.len();
    let word = if let Some(eight) = text.first_chunk() {
        return (u64::from_le_bytes(*eight), 8);
    } else if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let [first, last] = [*first, *last].map(|four| u64::from(u32::from_le_bytes(four)));
        first | last << (8 * (len - 4))
    } else {
        let at = |at: usize| u64::from(text[at]) << (8 * at);
        at(0) | at(len / 2) | at(len - 1)
    };
    (word, len)
}

/// As [`plain_len`], of eight bytes.
#[inline]
fn plain_in_word(word: u64) -> usize {
    // The top bit of each byte that is less than 0x20, or `"`, or `\`. A borrow may set that
    // of a later byte too, but never of an earlier one.
    let found = (word.wrapping_sub(ONES * 0x20)
        | (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES)
        | (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES))
        & !word
        & (ONES << 7);
    (found.trailing_zeros() / 8) as usize
}

/// The bytes that the content of a canonical JSON string stands for.
pub(super) fn unescaped(content: &[u8]) -> impl Iterator<Item = u8> {
    let mut bytes = content.iter().copied();
    std::iter::from_fn(move || match bytes.next()? {
        b'\\' => Some(match bytes.next()? {
            b'b' => 0x08,
            b't' => 0x09,
            b'n' => 0x0a,
            b'f' => 0x0c,
            b'r' => 0x0d,
            b'u' => {
                let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
                let (high, low) = (bytes.nth(2)?, bytes.next()?);
                digit(high) << 4 | digit(low)
            }
            itself => itself,
        }),
        plain => Some(plain),
    })
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

/// The first eight bytes of a name as a number: where those of two names differ, they compare as
/// [`cmp_utf16`] compares the names. So most comparisons need not look at names, which are anywhere
/// in memory. The name has `len` bytes and begins at `start` of `text`.
#[inline]
pub fn utf16_prefix(text: &[u8], start: usize, len: usize) -> u64 {
    let rest = text.get(start..).unwrap_or_default();
    // Eight bytes at once, less what follows the name, where there are so many.
    let word = match rest.first_chunk() {
        Some(word) => u64::from_be_bytes(*word),
        None => {
            let padded = rest.iter().chain(&[0; 8]).take(8);
            padded.fold(0, |word, byte| word << 8 | u64::from(*byte))
        }
    };
    let prefix = match len {
        0..8 => word & !(u64::MAX >> (8 * len)),
        _ => word,
    };
    if prefix & 0x8080_8080_8080_8080 == 0 {
        return prefix;
    }
    // UTF-16 has what UTF-8 begins with 0xF0..0xF4 before what it begins with 0xEE and 0xEF.
    let rank = |byte| match byte {
        0xEE.. => (byte - 0xEE + 5) % 7 + 0xEE,
        _ => byte,
    };
    u64::from_be_bytes(prefix.to_be_bytes().map(rank))
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

    #[test]
    fn plain_len_stops_at_the_first_byte_that_is_not() {
        for len in 0..40 {
            for at in 0..len {
                for byte in 0..=255u8 {
                    let mut text = vec![0xff; len];
                    text[at] = byte;
                    let is_plain = byte >= 0x20 && byte != b'"' && byte != b'\\';
                    assert_eq!(
                        plain_len(&text),
                        if is_plain { len } else { at },
                        "{text:?}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn prefixes_agree_with_the_order(
            left in "[a\u{7f}\u{80}\u{e000}\u{ffff}\u{10000}\u{10ffff}\u{d7ff}]{0,5}",
            right in "[a\u{7f}\u{80}\u{e000}\u{ffff}\u{10000}\u{10ffff}\u{d7ff}]{0,5}",
            after in "[a\u{e000}]{0,9}",
        ) {
            let prefix = |name: &str| {
                let text = format!("\"{name}\"{after}");
                utf16_prefix(text.as_bytes(), 1, name.len())
            };
            let (l, r) = (prefix(&left), prefix(&right));
            if l != r {
                prop_assert_eq!(l.cmp(&r), cmp_utf16(left.as_bytes(), right.as_bytes()));
            } else {
                let first = |name: &str| name.as_bytes().iter().copied().take(8).collect::<Vec<_>>();
                prop_assert_eq!(first(&left), first(&right));
            }
        }

        #[test]
        fn plain_len_is_that_of_a_plain_loop(
            text in prop::collection::vec(prop_oneof![9 => 0x20..=255u8, 1 => any::<u8>()], 0..60),
        ) {
            let special = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\');
            let expected = text.iter().position(special).unwrap_or(text.len());
            prop_assert_eq!(plain_len(&text), expected);
        }

        #[test]
        fn unescaping_undoes_escaping(string in any::<String>(), controls in "[\x00-\x22\\\\/]*") {
            for string in [string, controls] {
                let mut content = Vec::new();
                write_string_content(string.as_bytes(), &mut content);
                prop_assert_eq!(unescaped(&content).collect::<Vec<u8>>(), string.as_bytes());
            }
        }

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
