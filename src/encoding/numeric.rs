//! PostgreSQL's binary `numeric` (utils/adt/numeric.c, NumericData).

use auditspine_core::canonical::{Numbers, write_base10000};
use auditspine_core::entry::write_integer;
use auditspine_core::hash::Sink;

/// What the binary form holds.
pub enum Special {
    /// Not a number.
    NaN,
    /// Positive infinity.
    Infinity,
    /// Negative infinity.
    MinusInfinity,
}

/// What [`write_numeric`] met.
pub enum Written {
    /// A finite number, which was written.
    Number,
    /// None; nothing was written.
    Special(Special),
    /// No valid numeric; nothing was written.
    Corrupt,
}

const SPECIAL: u16 = 0xC000;
const NEGATIVE: u16 = 0x4000;
const SHORT: u16 = 0x8000;
const SHORT_NEGATIVE: u16 = 0x2000;
const SHORT_WEIGHT_SIGN: u16 = 0x0040;
const SHORT_WEIGHT: u16 = 0x003F;

/// Writes the number that `content`, the bytes after the varlena header, holds.
#[inline]
pub fn write_numeric<S: Sink>(content: &[u8], numbers: Numbers, out: &mut S) -> Written {
    let Some((header, rest)) = content.split_first_chunk() else {
        return Written::Corrupt;
    };
    let header = u16::from_ne_bytes(*header);
    let (negative, weight, digits) = match header & SPECIAL {
        SPECIAL => {
            return match header & 0xF000 {
                0xC000 => Written::Special(Special::NaN),
                0xD000 => Written::Special(Special::Infinity),
                0xF000 => Written::Special(Special::MinusInfinity),
                _ => Written::Corrupt,
            };
        }
        SHORT => {
            let mut weight = i32::from(header & SHORT_WEIGHT);
            if header & SHORT_WEIGHT_SIGN != 0 {
                weight -= i32::from(SHORT_WEIGHT_SIGN);
            }
            (header & SHORT_NEGATIVE != 0, weight, rest)
        }
        sign => {
            let Some((weight, digits)) = rest.split_first_chunk() else {
                return Written::Corrupt;
            };
            (
                sign == NEGATIVE,
                i32::from(i16::from_ne_bytes(*weight)),
                digits,
            )
        }
    };
    const STACK_DIGITS: usize = 32;
    let count = digits.len() / 2;
    if count <= STACK_DIGITS {
        let mut buffer = [0; STACK_DIGITS];
        write_digits(negative, weight, digits, &mut buffer[..count], numbers, out)
    } else {
        write_digits(negative, weight, digits, &mut vec![0; count], numbers, out)
    }
}

#[inline]
fn write_digits<S: Sink>(
    negative: bool,
    weight: i32,
    bytes: &[u8],
    digits: &mut [i16],
    numbers: Numbers,
    out: &mut S,
) -> Written {
    let (pairs, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return Written::Corrupt;
    }
    for (digit, pair) in digits.iter_mut().zip(pairs) {
        *digit = i16::from_ne_bytes(*pair);
        if !(0..10_000).contains(digit) {
            return Written::Corrupt;
        }
    }
    match small_integer(weight, digits) {
        Some(value) => write_integer(if negative { -value } else { value }, out),
        None => write_base10000(negative, weight, digits, numbers, out),
    }
    Written::Number
}

/// The value of an integer up to 2^53, which reads the same in every mode: most numbers are one.
#[inline]
fn small_integer(weight: i32, digits: &[i16]) -> Option<i64> {
    const LARGEST: i64 = 1 << 53;
    if digits.len() > 4 || weight + 1 != digits.len() as i32 {
        return None;
    }
    let value = digits
        .iter()
        .fold(0, |value, digit| 10_000 * value + i64::from(*digit));
    (value <= LARGEST).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &[u16]) -> Option<String> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut out = Vec::new();
        match write_numeric(&bytes, Numbers::Exact, &mut out) {
            Written::Number => String::from_utf8(out).ok(),
            Written::Special(Special::NaN) => Some("NaN".into()),
            Written::Special(Special::Infinity) => Some("Infinity".into()),
            Written::Special(Special::MinusInfinity) => Some("-Infinity".into()),
            Written::Corrupt => None,
        }
    }

    #[test]
    fn both_headers_and_the_special_values() {
        assert_eq!(text(&[0x8000, 42]).as_deref(), Some("42"));
        assert_eq!(text(&[0xA001, 1, 2]).as_deref(), Some("-10002"));
        assert_eq!(text(&[0x807F, 5000]).as_deref(), Some("0.5"));
        assert_eq!(text(&[0x0000, 1, 1]).as_deref(), Some("10000"));
        assert_eq!(text(&[0x4000, 0, 7]).as_deref(), Some("-7"));
        assert_eq!(text(&[0x8000]).as_deref(), Some("0"));
        assert_eq!(text(&[0xA000]).as_deref(), Some("0"));
        assert_eq!(
            text(&[0x8003, 9007, 1992, 5474, 993]).as_deref(),
            Some("9007199254740993")
        );
        assert_eq!(text(&[0xC000]).as_deref(), Some("NaN"));
        assert_eq!(text(&[0xD000]).as_deref(), Some("Infinity"));
        assert_eq!(text(&[0xF000]).as_deref(), Some("-Infinity"));
    }

    #[test]
    fn damage_is_told() {
        assert_eq!(text(&[]), None);
        assert_eq!(text(&[0x0000]), None);
        assert_eq!(text(&[0x8000, 10_000]), None);
        assert_eq!(text(&[0x8000, 0x8000]), None);
        let odd = [0x00, 0x80, 0x01];
        assert!(matches!(
            write_numeric(&odd, Numbers::Exact, &mut Vec::new()),
            Written::Corrupt
        ));
    }
}
