//! Numbers as JSON text spells them.

use super::number::{Numbers, write_decimal};
use crate::hash::Sink;

/// PostgreSQL's numeric: `NUMERIC_WEIGHT_MAX` and `NUMERIC_DSCALE_MAX` in decimal digits.
const MAX_WHOLE_DIGITS: i64 = 131_072;
const MAX_FRACTION_DIGITS: i64 = 16_383;

/// A number as RFC 8259 section 6 spells it.
pub(super) struct Numeral<'a> {
    negative: bool,
    pub(super) whole: &'a [u8],
    fraction: &'a [u8],
    /// Bounded to values that are out of range with any digits that fit into memory.
    exponent: i64,
    /// Neither fraction nor exponent are there.
    pub(super) is_plain_integer: bool,
    /// In bytes of text.
    pub(super) len: usize,
}

impl<'a> Numeral<'a> {
    /// The number that `text` begins with.
    #[inline]
    pub(super) fn read(text: &'a [u8]) -> Option<Numeral<'a>> {
        let negative = text.first() == Some(&b'-');
        let start = usize::from(negative);
        let whole = leading_digits(&text[start..]);
        if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
            return None;
        }
        let mut len = start + whole.len();
        let mut number = Numeral {
            negative,
            whole,
            fraction: b"",
            exponent: 0,
            is_plain_integer: true,
            len,
        };
        if text.get(len) == Some(&b'.') {
            number.is_plain_integer = false;
            number.fraction = leading_digits(&text[len + 1..]);
            if number.fraction.is_empty() {
                return None;
            }
            len += 1 + number.fraction.len();
        }
        if let Some(b'e' | b'E') = text.get(len) {
            const BOUND: i64 = 1 << 50;
            number.is_plain_integer = false;
            let sign = text.get(len + 1);
            len += 1 + usize::from(matches!(sign, Some(b'+' | b'-')));
            let digits = leading_digits(&text[len..]);
            if digits.is_empty() {
                return None;
            }
            len += digits.len();
            let exponent = digits.iter().fold(0, |exponent, digit| {
                (exponent * 10 + i64::from(digit - b'0')).min(BOUND)
            });
            number.exponent = if sign == Some(&b'-') {
                -exponent
            } else {
                exponent
            };
        }
        number.len = len;
        Some(number)
    }

    /// Writes its canonical text; false if it is out of range.
    pub(super) fn write<S: Sink>(&self, numbers: Numbers, out: &mut S) -> bool {
        const STACK_DIGITS: usize = 64;
        let len = self.whole.len() + self.fraction.len();
        if len <= STACK_DIGITS {
            let mut digits = [0; STACK_DIGITS];
            digits[..self.whole.len()].copy_from_slice(self.whole);
            digits[self.whole.len()..len].copy_from_slice(self.fraction);
            self.write_digits(&digits[..len], numbers, out)
        } else {
            self.write_digits(&[self.whole, self.fraction].concat(), numbers, out)
        }
    }

    fn write_digits<S: Sink>(&self, digits: &[u8], numbers: Numbers, out: &mut S) -> bool {
        let is_zero = |digit: &&u8| **digit == b'0';
        let digits = &digits[digits.iter().take_while(is_zero).count()..];
        let trailing = digits.iter().rev().take_while(is_zero).count();
        let exponent = self.exponent - self.fraction.len() as i64 + trailing as i64;
        let digits = &digits[..digits.len() - trailing];
        let in_range =
            -exponent <= MAX_FRACTION_DIGITS && exponent + digits.len() as i64 <= MAX_WHOLE_DIGITS;
        if !digits.is_empty() && !in_range {
            return false;
        }
        write_decimal(self.negative, digits, exponent, numbers, out);
        true
    }
}

/// The digits that `text` begins with.
#[inline]
fn leading_digits(text: &[u8]) -> &[u8] {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    &text[..len]
}
