//! Decimal digits of small numbers, eight at once.

use crate::hash::Sink;

const EIGHT: u64 = 100_000_000;

/// Writes a decimal integer.
#[inline]
pub fn write_integer<S: Sink>(value: i64, out: &mut S) {
    if value < 0 {
        out.put_byte(b'-');
    }
    write_unsigned(value.unsigned_abs(), out);
}

/// Writes a decimal integer that is not negative.
#[inline]
pub fn write_unsigned<S: Sink>(value: u64, out: &mut S) {
    if value < 10 {
        out.put_byte(b'0' + value as u8);
    } else if value < EIGHT {
        write_leading(value, out);
    } else {
        write_long(value, out);
    }
}

/// Writes a number less than 10^8 and not 0.
#[inline]
fn write_leading<S: Sink>(value: u64, out: &mut S) {
    let digits = digit_word(value);
    let zeros = (digits & !ZEROS).trailing_zeros() / 8;
    out.put_first(&(digits >> (8 * zeros)).to_le_bytes(), 8 - zeros as usize);
}

#[inline(never)]
fn write_long<S: Sink>(value: u64, out: &mut S) {
    let (high, low) = (value / EIGHT, value % EIGHT);
    if high < EIGHT {
        write_leading(high, out);
    } else {
        write_leading(high / EIGHT, out);
        out.put_first(&eight_digits(high % EIGHT), 8);
    }
    out.put_first(&eight_digits(low), 8);
}

/// Writes the decimal fraction `value / 10^8`, which is less than 1: a point, and the digits behind it without the
/// zeros at their end; nothing, if there is no other digit.
#[inline]
pub fn write_fraction<S: Sink>(value: u64, out: &mut S) {
    let digits = digit_word(value);
    let len = 8 - (digits & !ZEROS).leading_zeros() / 8;
    if len > 0 {
        out.put_byte(b'.');
        out.put_first(&digits.to_le_bytes(), len as usize);
    }
}

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The eight decimal digits of `value`, which is less than 10^8, in ASCII.
#[inline]
pub fn eight_digits(value: u64) -> [u8; 8] {
    digit_word(value).to_le_bytes()
}

/// As [`eight_digits`], the first in the lowest byte. All at once: the number is split into halves, those into pairs, those into digits, each in
/// its own part of the word, with division by multiplication.
#[inline]
fn digit_word(value: u64) -> u64 {
    let fours = (value / 10_000) | (value % 10_000) << 32;
    let hundreds = ((fours * 5243) >> 19) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | (twos - 10 * tens) << 8;
    ones | ZEROS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::text_of as text;

    #[test]
    fn eight_digits_are_those_of_the_number() {
        // Both halves are treated alike, so each value of one half shows all there is.
        let all = (0..10_000).flat_map(|four| [four, four * 10_000, four * 10_001]);
        for value in all.chain([99_999_999, 12_345_678]) {
            let text = format!("{value:08}").into_bytes();
            assert_eq!(eight_digits(value), text[..]);
        }
    }

    #[test]
    fn integers_are_decimal() {
        let bits = (0..64).flat_map(|bit| [1i64 << bit, !(1 << bit), (1i64 << bit).wrapping_neg()]);
        let powers = (0..19).map(|digits| 10i64.pow(digits));
        for value in bits
            .chain(powers)
            .flat_map(|near| [near.wrapping_sub(1), near, near.wrapping_add(1)])
        {
            assert_eq!(text(|out| write_integer(value, out)), value.to_string());
        }
    }

    #[test]
    fn fractions_end_with_a_digit_that_counts() {
        let all = (0..10_000).flat_map(|four| [four, four * 10_000, four * 10_001]);
        for value in all.chain([99_999_999, 12_345_678]) {
            let expected = format!(".{value:08}");
            let expected = expected.trim_end_matches('0').trim_end_matches('.');
            assert_eq!(text(|out| write_fraction(value, out)), expected);
        }
    }
}
