//! Numbers against naive references: exact decimals as strings, and std's formatting and parsing.

use auditspine_core::canonical::{Numbers, write_base10000, write_decimal, write_f32, write_f64};
use proptest::prelude::*;

/// A decimal as anyone would hold it: sign, digits without zeros at either end, and the exponent of
/// the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn new(negative: bool, digits: &str, exponent: i64) -> Decimal {
        let digits = digits.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        if kept.is_empty() {
            return Decimal {
                negative: false,
                digits: String::new(),
                exponent: 0,
            };
        }
        let exponent = exponent + (digits.len() - kept.len()) as i64;
        Decimal {
            negative,
            digits: kept.to_owned(),
            exponent,
        }
    }

    fn parse(text: &str) -> Decimal {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = whole.trim_start_matches('-').to_owned() + fraction;
        let exponent = exponent.parse::<i64>().unwrap() - fraction.len() as i64;
        Decimal::new(text.starts_with('-'), &digits, exponent)
    }

    fn text(&self, numbers: Numbers) -> String {
        decimal_text(self.negative, &self.digits, self.exponent, numbers)
    }

    fn nearest(&self) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}0{}e{}", self.digits, self.exponent)
            .parse()
            .unwrap()
    }

    fn is_integer(&self) -> bool {
        self.exponent >= 0
    }
}

fn decimal_text(negative: bool, digits: &str, exponent: i64, numbers: Numbers) -> String {
    let mut out = Vec::new();
    write_decimal(negative, digits.as_bytes(), exponent, numbers, &mut out);
    String::from_utf8(out).unwrap()
}

fn f64_text(value: f64) -> String {
    let mut out = Vec::new();
    write_f64(value, &mut out);
    String::from_utf8(out).unwrap()
}

fn f32_text(value: f32) -> String {
    let mut out = Vec::new();
    write_f32(value, &mut out);
    String::from_utf8(out).unwrap()
}

/// The digits a double has exactly, up to the last of up to 1,074 decimals.
fn expansion(value: f64) -> Decimal {
    Decimal::parse(&format!("{value:.1074}"))
}

/// ECMA-262's definition of `Number::toString`, steps 5 and its note 2, tried out: the fewest digits
/// that are read as the number, of those the closest to it, of two the even ones. `rounded` gives the
/// number's exact expansion rounded (half to even) to so many places after the first digit.
fn shortest(rounded: impl Fn(usize) -> String, is_read_as_it: impl Fn(&str) -> bool) -> Decimal {
    for places in 0..17 {
        let closest = rounded(places);
        if is_read_as_it(&closest) {
            return Decimal::parse(&closest);
        }
        // At a power of two the neighbour above is further away than the one below: what is read as
        // the number need not be the closest.
        let (mantissa, exponent) = closest.split_once('e').unwrap();
        let sign = if mantissa.starts_with('-') { "-" } else { "" };
        let digits: u128 = mantissa.replace(['-', '.'], "").parse().unwrap();
        let exponent = exponent.parse::<i64>().unwrap() - places as i64;
        for next in [digits + 1, digits - 1] {
            let next = format!("{sign}{next}e{exponent}");
            if is_read_as_it(&next) {
                return Decimal::parse(&next);
            }
        }
    }
    panic!("17 digits tell every double")
}

/// Decimals where it matters: of about as many digits as a double tells, near and beyond the edges
/// of its range, doubles themselves, and their exact expansions.
fn decimals() -> impl Strategy<Value = Decimal> {
    let free = (any::<bool>(), "[0-9]{1,24}", -345..345i64)
        .prop_map(|(negative, digits, exponent)| Decimal::new(negative, &digits, exponent));
    let small = (any::<bool>(), "[0-9]{1,19}", -25..8i64)
        .prop_map(|(negative, digits, exponent)| Decimal::new(negative, &digits, exponent));
    let shortest = finite().prop_map(|value| Decimal::parse(&format!("{value:e}")));
    let exact = finite().prop_map(expansion);
    let integer = ((1u64 << 52)..(1 << 56)).prop_map(|n| Decimal::parse(&n.to_string()));
    prop_oneof![free, small, shortest, exact, integer]
}

fn finite() -> impl Strategy<Value = f64> {
    let of_bits = any::<u64>().prop_map(f64::from_bits);
    // Where the neighbours are not equally far, and where two shortest decimals may be equally near.
    let powers = (-1074..1024i32, -1..=1i64).prop_map(|(power, step)| {
        f64::from_bits((2f64.powi(power).to_bits() as i64).wrapping_add(step) as u64)
    });
    let ties = ((1u64 << 51)..(1 << 53), 1..4i32).prop_map(|(n, by)| n as f64 / 2f64.powi(by));
    let usual = (any::<i64>(), 0..18i32).prop_map(|(n, places)| n as f64 / 10f64.powi(places));
    prop_oneof![of_bits, powers, ties, usual].prop_filter("finite", |value| value.is_finite())
}

/// The same decimal with something done to a far digit, or spelled otherwise.
fn close(to: &Decimal, place: usize, digit: u8) -> Decimal {
    let mut digits = to.digits.clone().into_bytes();
    digits.extend(std::iter::repeat_n(
        b'0',
        place.saturating_sub(digits.len()) + 1,
    ));
    digits[place] = b'0' + digit;
    let added = digits.len() as i64 - to.digits.len() as i64;
    Decimal::new(
        to.negative,
        std::str::from_utf8(&digits).unwrap(),
        to.exponent - added,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn exact_text_denotes_the_very_number(value in decimals()) {
        let text = value.text(Numbers::Exact);
        prop_assert_eq!(Decimal::parse(&text), value.clone());
        // Either the double's rendering, or plain digits without exponent and trailing zeros.
        if text != f64_text(value.nearest()) {
            prop_assert!(text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-')));
            prop_assert!(value.is_integer() != text.contains('.'));
            prop_assert!(!(text.contains('.') && text.ends_with('0')), "{}", text);
        }
    }

    #[test]
    fn exact_text_is_shared_by_equal_numbers_only(
        left in decimals(),
        place in prop_oneof![0..20usize, 0..1200usize],
        digit in 0..10u8,
    ) {
        let right = close(&left, place, digit);
        let (left_text, right_text) = (left.text(Numbers::Exact), right.text(Numbers::Exact));
        prop_assert_eq!(left == right, left_text == right_text, "{} {}", left_text, right_text);
    }

    #[test]
    fn spelling_does_not_matter(
        value in decimals(), leading in 0..30usize, trailing in 0..30usize,
    ) {
        let spelled = format!("{}{}{}", "0".repeat(leading), value.digits, "0".repeat(trailing));
        for numbers in [Numbers::Exact, Numbers::Interchange] {
            let exponent = value.exponent - trailing as i64;
            let text = decimal_text(value.negative, &spelled, exponent, numbers);
            prop_assert_eq!(text, value.text(numbers));
        }
    }

    #[test]
    fn interchange_differs_only_for_short_fractions(value in decimals()) {
        let text = value.text(Numbers::Interchange);
        let nearest = value.nearest();
        if !value.is_integer() && value.digits.len() <= 17 && nearest != 0.0 {
            prop_assert_eq!(text, f64_text(nearest));
        } else {
            prop_assert_eq!(text, value.text(Numbers::Exact));
        }
    }

    #[test]
    fn base10000_agrees_with_decimal(
        negative: bool,
        weight in -90..90i32,
        digits in prop::collection::vec(prop_oneof![Just(0i16), 0..10_000i16], 0..24),
    ) {
        let spelled: String = digits.iter().map(|digit| format!("{digit:04}")).collect();
        let exponent = 4 * (i64::from(weight) + 1 - digits.len() as i64);
        for numbers in [Numbers::Exact, Numbers::Interchange] {
            let mut out = Vec::new();
            write_base10000(negative, weight, &digits, numbers, &mut out);
            let expected = decimal_text(negative, &spelled, exponent, numbers);
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn doubles_come_back_with_the_fewest_digits(value in finite()) {
        let text = f64_text(value);
        prop_assert_eq!(text.parse::<f64>().unwrap(), value);
        let shortest = shortest(|places| format!("{value:.places$e}"), |text| text.parse() == Ok(value));
        prop_assert_eq!(Decimal::parse(&text), shortest.clone());
        prop_assert_eq!(text, shortest.text(Numbers::Exact));
    }

    #[test]
    fn singles_come_back_with_the_fewest_digits(
        value in any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |v| v.is_finite()),
    ) {
        let text = f32_text(value);
        prop_assert_eq!(text.parse::<f32>().unwrap(), value);
        let shortest = shortest(|places| format!("{value:.places$e}"), |text| text.parse() == Ok(value));
        prop_assert_eq!(Decimal::parse(&text), shortest.clone());
        // As a decimal these digits read the same: no double tells fewer.
        prop_assert_eq!(text, shortest.text(Numbers::Exact));
    }
}

#[test]
fn numbers_that_share_a_double_keep_their_texts() {
    for (left, right) in [
        ("9007199254740992", "9007199254740993"),
        (
            "0.1",
            "0.1000000000000000055511151231257827021181583404541015625",
        ),
        ("0.3", "0.30000000000000001"),
        ("333333333.3333333", "333333333.33333329"),
        ("18446744073709551615", "18446744073709551616"),
        ("1e23", "99999999999999991611392"),
        ("5e-324", "4.9e-324"),
        ("1e400", "2e400"),
        ("1e-400", "0"),
    ] {
        let (left, right) = (Decimal::parse(left), Decimal::parse(right));
        assert_eq!(left.nearest(), right.nearest(), "the pair is well chosen");
        assert_ne!(left.text(Numbers::Exact), right.text(Numbers::Exact));
    }
}

/// PostgreSQL's longest numeric, twice over.
#[test]
fn huge_numbers_take_linear_time() {
    let digits = "123456789".repeat(16_384 * 2);
    for point in [0, 1, 100_000, digits.len() as i64] {
        let text = decimal_text(true, &digits, point - digits.len() as i64, Numbers::Exact);
        let (whole, fraction) = digits.split_at(point as usize);
        let expected = match (whole, fraction) {
            ("", fraction) => format!("-0.{fraction}"),
            (whole, "") => format!("-{whole}"),
            (whole, fraction) => format!("-{whole}.{fraction}"),
        };
        assert!(text == expected, "point {point}");
    }
    let zeros = decimal_text(false, "1", 131_071, Numbers::Interchange);
    assert!(zeros == format!("1{}", "0".repeat(131_071)));
    let zeros = decimal_text(false, "1", -16_383, Numbers::Interchange);
    assert!(zeros == format!("0.{}1", "0".repeat(16_382)));
}
