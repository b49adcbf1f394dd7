//! PostgreSQL's binary `numeric` (utils/adt/numeric.c, NumericData).

use auditspine_core::canonical::{
    Numbers, fraction_digits, write_base10000, write_base10000_scaled,
};
use auditspine_core::digits::{write_fraction, write_unsigned};
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
const SCALE: u16 = 0x3FFF;
const SHORT_SCALE: u16 = 0x1F80;
const SHORT_SCALE_SHIFT: u16 = 7;
const SHORT_WEIGHT_SIGN: u16 = 0x0040;
const SHORT_WEIGHT: u16 = 0x003F;

/// The parts of a finite number.
struct Parts<'a> {
    negative: bool,
    weight: i32,
    /// Digits behind the point, as they are shown.
    scale: u16,
    /// Base-10000 digits, two bytes each.
    digits: &'a [u8],
}

#[inline]
fn parts(content: &[u8]) -> Result<Parts<'_>, Written> {
    let (header, rest) = content.split_first_chunk().ok_or(Written::Corrupt)?;
    let header = u16::from_ne_bytes(*header);
    match header & SPECIAL {
        SPECIAL => Err(match header & 0xF000 {
            0xC000 => Written::Special(Special::NaN),
            0xD000 => Written::Special(Special::Infinity),
            0xF000 => Written::Special(Special::MinusInfinity),
            _ => Written::Corrupt,
        }),
        SHORT => {
            let mut weight = i32::from(header & SHORT_WEIGHT);
            if header & SHORT_WEIGHT_SIGN != 0 {
                weight -= i32::from(SHORT_WEIGHT_SIGN);
            }
            Ok(Parts {
                negative: header & SHORT_NEGATIVE != 0,
                weight,
                scale: (header & SHORT_SCALE) >> SHORT_SCALE_SHIFT,
                digits: rest,
            })
        }
        sign => {
            let (weight, digits) = rest.split_first_chunk().ok_or(Written::Corrupt)?;
            Ok(Parts {
                negative: sign == NEGATIVE,
                weight: i32::from(i16::from_ne_bytes(*weight)),
                scale: header & SCALE,
                digits,
            })
        }
    }
}

/// Writes the number that `content`, the bytes after the varlena header, holds.
#[inline]
pub fn write_numeric<S: Sink>(content: &[u8], numbers: Numbers, out: &mut S) -> Written {
    let parts = match parts(content) {
        Ok(parts) => parts,
        Err(written) => return written,
    };
    if let Some(small) = small(&parts) {
        if parts.negative && (small.whole, small.fraction) != (0, 0) {
            out.put_byte(b'-');
        }
        write_unsigned(small.whole, out);
        if small.fraction != 0 {
            write_fraction(small.fraction, out);
        }
        return Written::Number;
    }
    with_digits(&parts, |digits| {
        write_base10000(parts.negative, parts.weight, digits, numbers, out);
    })
}

/// Writes the number in plain decimal digits, with all those behind the point that it is shown with.
pub fn write_numeric_text<S: Sink>(content: &[u8], out: &mut S) -> Written {
    let parts = match parts(content) {
        Ok(parts) => parts,
        Err(written) => return written,
    };
    with_digits(&parts, |digits| {
        let scale = usize::from(parts.scale);
        write_base10000_scaled(parts.negative, parts.weight, digits, scale, out);
    })
}

/// Whether the number itself tells with how many digits behind the point it is shown: as many as its type
/// says, or, if that does not say, as many as the number needs. Also of what is no number.
#[inline]
pub fn tells_scale(content: &[u8], enforced: Option<u16>) -> bool {
    let Ok(parts) = parts(content) else {
        return true;
    };
    if let Some(enforced) = enforced {
        return parts.scale == enforced;
    }
    if parts.scale == 0 {
        return true;
    }
    let mut needed = 0;
    with_digits(&parts, |digits| {
        needed = fraction_digits(parts.weight, digits)
    });
    usize::from(parts.scale) == needed
}

#[inline]
fn with_digits(parts: &Parts<'_>, show: impl FnOnce(&[i16])) -> Written {
    const STACK_DIGITS: usize = 32;
    let count = parts.digits.len() / 2;
    if count <= STACK_DIGITS {
        show_digits(parts.digits, &mut [0; STACK_DIGITS][..count], show)
    } else {
        show_digits(parts.digits, &mut vec![0; count], show)
    }
}

#[inline]
fn show_digits(bytes: &[u8], digits: &mut [i16], show: impl FnOnce(&[i16])) -> Written {
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
    show(digits);
    Written::Number
}

/// A number that reads the same in every mode, as most do: its digits, without an exponent.
struct Small {
    whole: u64,
    /// In units of 10^-8.
    fraction: u64,
}

/// The number as a small one: an integer up to 2^53, or a fraction of at most 15 digits, 8 of them behind the point,
/// that is no less than 10^-6 (see [`write_base10000`]).
#[inline]
fn small(parts: &Parts<'_>) -> Option<Small> {
    const LARGEST: u64 = 1 << 53;
    const FIFTEEN_DIGITS: u64 = 999_999_999_999_999;
    let (pairs, odd) = parts.digits.as_chunks::<2>();
    if pairs.len() > 4 || !odd.is_empty() {
        return None;
    }
    let mut value = 0;
    for pair in pairs {
        let digit = u16::from_ne_bytes(*pair);
        if digit >= 10_000 {
            return None;
        }
        value = 10_000 * value + u64::from(digit);
    }
    let (whole, fraction, is_small) = match pairs.len() as i32 - 1 - parts.weight {
        _ if value == 0 => (0, 0, true),
        0 => (value, 0, value <= LARGEST),
        1 => (
            value / 10_000,
            value % 10_000 * 10_000,
            value <= FIFTEEN_DIGITS,
        ),
        2 => (
            value / 100_000_000,
            value % 100_000_000,
            (100..=FIFTEEN_DIGITS).contains(&value),
        ),
        _ => return None,
    };
    is_small.then_some(Small { whole, fraction })
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
    fn small_numbers_read_as_any() {
        // Every number of up to five digits of base 10000, of which each is one where a case ends.
        let edges = [0u16, 1, 10, 99, 100, 1000, 9007, 9999];
        let mut numbers: Vec<Vec<u16>> = vec![vec![]];
        for len in 1..=5 {
            let longer = numbers.iter().filter(|digits| digits.len() == len - 1);
            let longer: Vec<Vec<u16>> = longer
                .flat_map(|digits| edges.map(|edge| [&digits[..], &[edge]].concat()))
                .collect();
            numbers.extend(longer);
        }
        for (digits, weight) in numbers
            .iter()
            .flat_map(|it| (-4..6).map(move |at| (it, at)))
        {
            for (negative, numbers) in [
                (false, Numbers::Exact),
                (true, Numbers::Exact),
                (true, Numbers::Interchange),
            ] {
                let sign = if negative { SHORT_NEGATIVE } else { 0 };
                let header = [SHORT | sign | weight as u16 & (SHORT_WEIGHT_SIGN | SHORT_WEIGHT)];
                let words = header.iter().chain(digits);
                let bytes: Vec<u8> = words.flat_map(|word| word.to_ne_bytes()).collect();
                let (mut small, mut any) = (Vec::new(), Vec::new());
                write_numeric(&bytes, numbers, &mut small);
                let digits: Vec<i16> = digits.iter().map(|digit| *digit as i16).collect();
                write_base10000(negative, weight, &digits, numbers, &mut any);
                assert_eq!(small, any, "{digits:?} {weight} {numbers:?}");
            }
        }
    }

    #[test]
    fn scales_are_told() {
        let plain = |words: &[u16]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            let mut out = Vec::new();
            assert!(matches!(
                write_numeric_text(&bytes, &mut out),
                Written::Number
            ));
            let tells = [None, Some(0), Some(2)].map(|scale| tells_scale(&bytes, scale));
            (String::from_utf8(out).unwrap(), tells)
        };
        let scaled = |scale: u16| 0x8000 | scale << 7;
        let text = |text: &str| text.to_owned();
        assert_eq!(plain(&[scaled(0), 1]), (text("1"), [true, true, false]));
        assert_eq!(plain(&[scaled(2), 1]), (text("1.00"), [false, false, true]));
        assert_eq!(plain(&[scaled(2)]), (text("0.00"), [false, false, true]));
        let half = [scaled(2), 1, 5000];
        assert_eq!(plain(&half), (text("1.50"), [false, false, true]));
        let quarter = [scaled(2), 1, 2500];
        assert_eq!(plain(&quarter), (text("1.25"), [true, false, true]));
        // The long header.
        assert_eq!(
            plain(&[0x4003, 0, 7]),
            (text("-7.000"), [false, false, false])
        );
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
