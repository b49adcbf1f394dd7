//! Numbers (RFC 8785 section 3.2.2.3, that is ECMAScript's `Number::toString`), and exact decimals
//! where ECMAScript's rendering would be another number.

use std::io::Write;

use crate::hash::Sink;

/// What becomes of a number that ECMAScript would render as another one.
///
/// All other numbers, so all that a double's shortest digits can tell, read the same in both modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// It is written exactly, in plain decimal digits without exponent or trailing zeros: two
    /// different numbers never share a text. For stored values.
    Exact,
    /// As `Exact`, but a non-integer of at most 17 significant digits whose nearest double is not
    /// zero is written as RFC 8785 writes that double. For JSON text from elsewhere, where such
    /// digits are a double's by another printer (`333333333.33333329` for `333333333.3333333`).
    Interchange,
}

/// Writes the number `digits * 10^exponent`, negated if `negative`.
///
/// `digits` are ASCII digits with any leading and trailing zeros; none at all is zero, and zero has
/// no sign. Exact output has a digit for every decimal place between the number and its point, so
/// the caller bounds `exponent`; time and output are linear in that.
pub fn write_decimal<S: Sink>(
    negative: bool,
    digits: &[u8],
    exponent: i64,
    numbers: Numbers,
    out: &mut S,
) {
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = &digits[leading..];
    let point = exponent.saturating_add(digits.len() as i64);
    let trailing = digits
        .iter()
        .rev()
        .take_while(|digit| **digit == b'0')
        .count();
    let digits = &digits[..digits.len() - trailing];
    if digits.is_empty() {
        return out.put_byte(b'0');
    }
    if negative {
        out.put_byte(b'-');
    }
    let is_integer = digits.len() as i64 <= point;
    if numbers == Numbers::Interchange
        && !is_integer
        && digits.len() <= MAX_DOUBLE_DIGITS
        && !is_safe(digits, point)
        && let Some(value) = nearest(digits, point).filter(|value| *value != 0.0)
    {
        let shortest = Shortest::of_f64(value);
        return lay_out(shortest.digits(), shortest.point, out);
    }
    // Where ECMAScript uses no exponent either, a number's own rendering and its exact digits are
    // the same.
    if has_exponent(point) && is_own_rendering(digits, point) {
        lay_out(digits, point, out);
    } else {
        lay_out_plainly(digits, point, out);
    }
}

/// Writes PostgreSQL's numeric: the sum of `digits[i] * 10000^(weight - i)`, negated if `negative`.
///
/// Digits run from 0 to 9999; others, which no valid numeric has, are taken modulo 10000. The output
/// is that of [`write_decimal`].
pub fn write_base10000<S: Sink>(
    negative: bool,
    weight: i32,
    digits: &[i16],
    numbers: Numbers,
    out: &mut S,
) {
    const STACK_DIGITS: usize = 16;
    let exponent = 4 * (i64::from(weight) - digits.len() as i64 + 1);
    if digits.len() <= STACK_DIGITS {
        let mut ascii = [0; 4 * STACK_DIGITS];
        let ascii = &mut ascii[..4 * digits.len()];
        spell_base10000(digits, ascii);
        write_decimal(negative, ascii, exponent, numbers, out);
    } else {
        let mut ascii = vec![0; 4 * digits.len()];
        spell_base10000(digits, &mut ascii);
        write_decimal(negative, &ascii, exponent, numbers, out);
    }
}

/// Writes the same number in plain decimal digits, with `scale` of them behind the point.
///
/// The number has no more digits behind the point than that; those beyond are left out.
pub fn write_base10000_scaled<S: Sink>(
    negative: bool,
    weight: i32,
    digits: &[i16],
    scale: usize,
    out: &mut S,
) {
    // The digit of 10000^place.
    let at = |place: i32| {
        let index = usize::try_from(i64::from(weight) - i64::from(place));
        let digit = index.ok().and_then(|index| digits.get(index));
        let mut ascii = [b'0'; 4];
        if let Some(digit) = digit {
            spell_base10000(&[*digit], &mut ascii);
        }
        ascii
    };
    if negative {
        out.put_byte(b'-');
    }
    let first = at(weight.max(0));
    let zeros = first.iter().take_while(|digit| **digit == b'0').count();
    out.put(&first[zeros.min(3)..]);
    for place in (0..weight.max(0)).rev() {
        out.put(&at(place));
    }
    if scale == 0 {
        return;
    }
    out.put_byte(b'.');
    let (mut left, mut place) = (scale, -1);
    while left > 0 {
        out.put(&at(place)[..left.min(4)]);
        left -= left.min(4);
        place -= 1;
    }
}

/// Writes a double as RFC 8785 section 3.2.2.3 does; `NaN`, `Infinity` and `-Infinity`, which JSON
/// has no numbers for, as strings of that content.
pub fn write_f64<S: Sink>(value: f64, out: &mut S) {
    if !value.is_finite() {
        return put_not_finite(value, out);
    }
    if value == 0.0 {
        return out.put_byte(b'0');
    }
    put_shortest(
        value.is_sign_negative(),
        &Shortest::of_f64(value.abs()),
        out,
    );
}

/// Writes the shortest digits that only this single-precision number rounds from, in the layout of
/// [`write_f64`] (whose digits for the same number as a double would be more: 0.1 is not
/// 0.10000000149011612 here); what is not finite as [`write_f64`] does.
pub fn write_f32<S: Sink>(value: f32, out: &mut S) {
    if !value.is_finite() {
        return put_not_finite(value.into(), out);
    }
    if value == 0.0 {
        return out.put_byte(b'0');
    }
    put_shortest(
        value.is_sign_negative(),
        &Shortest::of_f32(value.abs()),
        out,
    );
}

/// No double needs more digits to be told from its neighbours.
const MAX_DOUBLE_DIGITS: usize = 17;

/// Any decimal of so many digits, within the range of normal doubles, is told from the others of as
/// many by its double (C's `DBL_DIG`): so its digits are that double's shortest.
const SAFE_DIGITS: usize = 15;

/// Whether these digits are certainly the shortest of the double nearest to `0.digits * 10^point`.
#[inline]
fn is_safe(digits: &[u8], point: i64) -> bool {
    digits.len() <= SAFE_DIGITS && (-300..=300).contains(&point)
}

/// Whether these digits are the shortest of the double nearest to `0.digits * 10^point`. They
/// neither begin nor end with a zero.
#[inline]
fn is_own_rendering(digits: &[u8], point: i64) -> bool {
    is_safe(digits, point)
        || digits.len() <= MAX_DOUBLE_DIGITS
            && nearest(digits, point).is_some_and(|value| {
                let shortest = Shortest::of_f64(value);
                shortest.point == point && shortest.digits() == digits
            })
}

/// The double nearest to `0.digits * 10^point`, for at most [`MAX_DOUBLE_DIGITS`] digits; `None` if
/// there is none but infinity.
fn nearest(digits: &[u8], point: i64) -> Option<f64> {
    // Beyond these lie only zero and infinity.
    let exponent = point.clamp(-400, 400) - digits.len() as i64;
    let mut buffer = [0; 32];
    let mut rest = buffer.as_mut_slice();
    rest.write_all(digits).ok()?;
    write!(rest, "e{exponent}").ok()?;
    let unused = rest.len();
    let spelled = &buffer[..buffer.len() - unused];
    let value: f64 = std::str::from_utf8(spelled).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// The shortest digits that round to a finite positive number: it is about `0.digits * 10^point`.
struct Shortest {
    buffer: [u8; 32],
    len: usize,
    point: i64,
}

impl Shortest {
    fn of_f64(value: f64) -> Shortest {
        Shortest::parse(zmij::Buffer::new().format_finite(value).as_bytes())
    }

    fn of_f32(value: f32) -> Shortest {
        Shortest::parse(zmij::Buffer::new().format_finite(value).as_bytes())
    }

    /// Takes digits and their place from any layout: `120.0`, `0.0012`, `1.2e-7`.
    fn parse(spelled: &[u8]) -> Shortest {
        let mut shortest = Shortest {
            buffer: [b'0'; 32],
            len: 0,
            point: 0,
        };
        let mut before_point = true;
        let mut bytes = spelled.iter();
        for byte in bytes.by_ref().take_while(|byte| **byte != b'e') {
            if *byte == b'.' {
                before_point = false;
                continue;
            }
            let is_leading_zero = *byte == b'0' && shortest.len == 0;
            shortest.point += i64::from(before_point) - i64::from(is_leading_zero);
            if !is_leading_zero && shortest.len < shortest.buffer.len() {
                shortest.buffer[shortest.len] = *byte;
                shortest.len += 1;
            }
        }
        while shortest.digits().last() == Some(&b'0') {
            shortest.len -= 1;
        }
        let exponent = std::str::from_utf8(bytes.as_slice()).unwrap_or_default();
        shortest.point += exponent.parse::<i64>().unwrap_or(0);
        shortest
    }

    fn digits(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

fn put_shortest<S: Sink>(negative: bool, shortest: &Shortest, out: &mut S) {
    if negative {
        out.put_byte(b'-');
    }
    lay_out(shortest.digits(), shortest.point, out);
}

fn put_not_finite<S: Sink>(value: f64, out: &mut S) {
    out.put(match value {
        f64::INFINITY => b"\"Infinity\"",
        f64::NEG_INFINITY => b"\"-Infinity\"",
        _ => b"\"NaN\"",
    });
}

/// Writes `0.digits * 10^point` where ECMAScript puts point and exponent (ECMA-262,
/// `Number::toString`, steps 5 to 10; `point` is its n).
#[inline]
fn lay_out<S: Sink>(digits: &[u8], point: i64, out: &mut S) {
    if !has_exponent(point) {
        return lay_out_plainly(digits, point, out);
    }
    out.put(&digits[..1]);
    if digits.len() > 1 {
        out.put_byte(b'.');
        out.put(&digits[1..]);
    }
    let exponent = point - 1;
    out.put(if exponent < 0 { b"e-" } else { b"e+" });
    let exponent = exponent.unsigned_abs();
    if exponent >= 100 {
        out.put_byte(b'0' + (exponent / 100) as u8);
    }
    if exponent >= 10 {
        out.put_byte(b'0' + (exponent / 10 % 10) as u8);
    }
    out.put_byte(b'0' + (exponent % 10) as u8);
}

/// Whether ECMAScript writes numbers of this magnitude with an exponent.
#[inline]
fn has_exponent(point: i64) -> bool {
    point <= -6 || point > 21
}

/// Writes `0.digits * 10^point` without an exponent.
#[inline]
fn lay_out_plainly<S: Sink>(digits: &[u8], point: i64, out: &mut S) {
    if point <= 0 {
        out.put(b"0.");
        put_zeros(point.unsigned_abs(), out);
        out.put(digits);
    } else if (digits.len() as u64) <= point.unsigned_abs() {
        out.put(digits);
        put_zeros(point.unsigned_abs() - digits.len() as u64, out);
    } else {
        let (whole, fraction) = digits.split_at(point as usize);
        out.put(whole);
        out.put_byte(b'.');
        out.put(fraction);
    }
}

fn put_zeros<S: Sink>(mut count: u64, out: &mut S) {
    const ZEROS: [u8; 256] = [b'0'; 256];
    while count > 0 {
        let piece = count.min(ZEROS.len() as u64);
        out.put(&ZEROS[..piece as usize]);
        count -= piece;
    }
}

/// Spells each base-10000 digit in four ASCII digits; `ascii` has the room for just that.
#[inline]
fn spell_base10000(digits: &[i16], ascii: &mut [u8]) {
    let (fours, _) = ascii.as_chunks_mut::<4>();
    for (four, digit) in fours.iter_mut().zip(digits) {
        let digit = match *digit {
            digit @ 0..10_000 => digit as u32,
            digit => digit.rem_euclid(10_000) as u32,
        };
        let (high, low) = (digit / 100, digit % 100);
        let spelled = [high / 10, high % 10, low / 10, low % 10];
        *four = spelled.map(|digit| b'0' + digit as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::text_of as text;

    #[test]
    fn layouts_are_those_of_ecmascript() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (-1.0, "-1"),
            (1e20, "100000000000000000000"),
            (123456789012345680000.0, "123456789012345680000"),
            (1e21, "1e+21"),
            (1.5e21, "1.5e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (1.25e-6, "0.00000125"),
            (1e-7, "1e-7"),
            (1.25e-7, "1.25e-7"),
            (5e-324, "5e-324"),
            (2.2250738585072014e-308, "2.2250738585072014e-308"),
            (123.456, "123.456"),
            // Halfway between two shortest ones: the even one.
            (5130354191277178.0 / 8.0, "641294273909647.2"),
            (f64::NAN, "\"NaN\""),
            (-f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(text(|out| write_f64(value, out)), expected);
        }
        for (value, expected) in [
            (0.1, "0.1"),
            (-0.0, "0"),
            (16777216.0, "16777216"),
            (3.4028235e38, "3.4028235e+38"),
            (1e-45, "1e-45"),
            (9218025.0 / 4.0, "2304506.2"),
            (f32::NAN, "\"NaN\""),
            (f32::INFINITY, "\"Infinity\""),
            (f32::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(text(|out| write_f32(value, out)), expected);
        }
    }

    #[test]
    fn zero_has_one_form() {
        for numbers in [Numbers::Exact, Numbers::Interchange] {
            for digits in ["", "0", "000"] {
                for exponent in [0, 5, -5, i64::MAX, i64::MIN] {
                    let zero = text(|out| {
                        write_decimal(true, digits.as_bytes(), exponent, numbers, out);
                    });
                    assert_eq!(zero, "0");
                }
            }
            assert_eq!(
                text(|out| write_base10000(true, i32::MAX, &[], numbers, out)),
                "0"
            );
            assert_eq!(
                text(|out| write_base10000(true, i32::MIN, &[0, 0], numbers, out)),
                "0"
            );
        }
    }

    #[test]
    fn base10000_with_a_scale() {
        for (weight, digits, scale, expected) in [
            (0, [42].as_slice(), 0, "42"),
            (0, &[42], 3, "42.000"),
            (0, &[], 2, "0.00"),
            (-1, &[5000], 1, "0.5"),
            (-1, &[5000], 6, "0.500000"),
            (-2, &[1], 9, "0.000000010"),
            (1, &[1], 2, "10000.00"),
            (2, &[12, 34], 1, "1200340000.0"),
            (1, &[123, 4567, 8900], 2, "1234567.89"),
        ] {
            let written = text(|out| write_base10000_scaled(false, weight, digits, scale, out));
            assert_eq!(written, expected, "{digits:?}");
        }
        assert_eq!(
            text(|out| write_base10000_scaled(true, 0, &[7], 1, out)),
            "-7.0"
        );
    }

    #[test]
    fn base10000_places_its_digits() {
        for (weight, digits, expected) in [
            (0, [42].as_slice(), "42"),
            (1, &[123, 4567, 8900], "1234567.89"),
            (-1, &[5000], "0.5"),
            (-2, &[1], "1e-8"),
            (5, &[1], "100000000000000000000"),
            (6, &[1], "1e+24"),
            (4, &[900, 7199, 2547, 4099, 3000], "9007199254740993000"),
            (4, &[900, 7199, 2547, 4099, 3001], "9007199254740993001"),
            // No valid numeric, but no panic either.
            (0, &[-1], "9999"),
            (0, &[i16::MAX], "2767"),
        ] {
            let written = text(|out| write_base10000(false, weight, digits, Numbers::Exact, out));
            assert_eq!(written, expected, "{digits:?}");
        }
    }
}
