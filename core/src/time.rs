//! Dates and times as PostgreSQL stores them (microseconds or days since 2000-01-01), in the text
//! forms that hashes are taken over. No session setting has any say in them.

use crate::digits::eight_digits;
use crate::hash::Sink;

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Days from 1970-01-01, where the calendar algorithm starts, to 2000-01-01.
const DAYS_TO_2000: i64 = 10_957;

/// A proleptic Gregorian date; `year` is astronomical (0 is 1 BC).
fn civil(days_since_2000: i64) -> (i64, u32, u32) {
    // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    let shifted = days_since_2000 + DAYS_TO_2000 + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn put_padded<S: Sink>(mut value: u64, width: usize, out: &mut S) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while value > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.put(&digits[at..]);
}

fn put_date<S: Sink>(year: i64, month: u32, day: u32, out: &mut S) {
    put_padded(if year > 0 { year } else { 1 - year } as u64, 4, out);
    out.put_byte(b'-');
    put_padded(u64::from(month), 2, out);
    out.put_byte(b'-');
    put_padded(u64::from(day), 2, out);
}

fn put_clock<S: Sink>(micros_of_day: i64, out: &mut S) {
    let seconds = (micros_of_day / 1_000_000) as u64;
    put_padded(seconds / 3600, 2, out);
    out.put_byte(b':');
    put_padded(seconds / 60 % 60, 2, out);
    out.put_byte(b':');
    put_padded(seconds % 60, 2, out);
}

/// The form of a moment in a year of four digits, `2026-11-20T23:57:42.123456`, with room for what may follow: nearly
/// all are, and need no call for each number.
#[inline]
fn common_form(year: i64, month: u32, day: u32, micros_of_day: i64) -> Option<[u8; 32]> {
    let year = u64::try_from(year)
        .ok()
        .filter(|year| (1..=9999).contains(year))?;
    let (seconds, micros) = (
        micros_of_day as u64 / 1_000_000,
        micros_of_day as u64 % 1_000_000,
    );
    let date = eight_digits(10_000 * year + 100 * u64::from(month) + u64::from(day));
    let clock = 10_000 * (seconds / 3600) + 100 * (seconds / 60 % 60) + seconds % 60;
    let [_, _, h, i, m, n, s, t] = eight_digits(clock);
    let [y, e, a, r, mo, nt, d, ay] = date;
    let mut text = [0; 32];
    text[..20].copy_from_slice(&[
        y, e, a, r, b'-', mo, nt, b'-', d, ay, b'T', h, i, b':', m, n, b':', s, t, b'.',
    ]);
    text[20..28].copy_from_slice(&eight_digits(100 * micros));
    Some(text)
}

/// The form that an entry's `appended_at` has inside the event: `2026-11-20T23:57:42.123456Z`,
/// always six decimals. `micros` counts from 2000-01-01 00:00 UTC; any value has a form, since a
/// tampered column may hold any.
pub fn write_entry_time<S: Sink>(micros: i64, out: &mut S) {
    match micros {
        i64::MIN => return out.put(b"-infinity"),
        i64::MAX => return out.put(b"infinity"),
        _ => {}
    }
    let (year, month, day) = civil(micros.div_euclid(MICROS_PER_DAY));
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    if let Some(mut text) = common_form(year, month, day, of_day) {
        text[26] = b'Z';
        return out.put_first(&text, 27);
    }
    put_date(year, month, day, out);
    out.put_byte(b'T');
    put_clock(of_day, out);
    out.put_byte(b'.');
    put_padded((of_day % 1_000_000) as u64, 6, out);
    out.put_byte(b'Z');
    if year <= 0 {
        out.put(b" BC");
    }
}

/// Reads what [`write_entry_time`] writes for the years 1 to 9999, and nothing else.
pub fn parse_entry_time(text: &[u8]) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.iter().try_fold(0, |value, digit| {
            digit
                .is_ascii_digit()
                .then(|| value * 10 + i64::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    // Howard Hinnant, as in `civil`: days_from_civil.
    let shifted_year = year - i64::from(month <= 2);
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468 - DAYS_TO_2000;
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let micros = days * MICROS_PER_DAY + seconds * 1_000_000 + number(20, 26)?;
    // Separators, and numbers out of range, show by the way back.
    let mut back = Vec::with_capacity(text.len());
    write_entry_time(micros, &mut back);
    (back == text).then_some(micros)
}

/// A timestamp as `to_jsonb` writes it under `TimeZone = UTC` (ISO 8601, decimals without trailing
/// zeros); `with_zone` adds `+00:00`. Unquoted.
pub fn write_timestamp<S: Sink>(micros: i64, with_zone: bool, out: &mut S) {
    match micros {
        i64::MIN => return out.put(b"-infinity"),
        i64::MAX => return out.put(b"infinity"),
        _ => {}
    }
    let (year, month, day) = civil(micros.div_euclid(MICROS_PER_DAY));
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    if let Some(mut text) = common_form(year, month, day, of_day) {
        const SECONDS: usize = "2026-11-20T23:57:42".len();
        let zeros = text[..26].iter().rev().take_while(|digit| **digit == b'0');
        let len = match 26 - zeros.count() {
            end if end > SECONDS + 1 => end,
            _ => SECONDS,
        };
        if with_zone {
            text[len..len + 6].copy_from_slice(b"+00:00");
            return out.put_first(&text, len + 6);
        }
        return out.put_first(&text, len);
    }
    put_date(year, month, day, out);
    out.put_byte(b'T');
    put_clock(of_day, out);
    let mut fraction = (of_day % 1_000_000) as u64;
    if fraction > 0 {
        let mut width = 6;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        out.put_byte(b'.');
        put_padded(fraction, width, out);
    }
    if with_zone {
        out.put(b"+00:00");
    }
    if year <= 0 {
        out.put(b" BC");
    }
}

/// A date as `to_jsonb` writes it: `2026-11-20`. `days` counts from 2000-01-01. Unquoted.
pub fn write_date<S: Sink>(days: i32, out: &mut S) {
    match days {
        i32::MIN => return out.put(b"-infinity"),
        i32::MAX => return out.put(b"infinity"),
        _ => {}
    }
    let (year, month, day) = civil(i64::from(days));
    if let Some(text) = common_form(year, month, day, 0) {
        return out.put_first(&text, "2026-11-20".len());
    }
    put_date(year, month, day, out);
    if year <= 0 {
        out.put(b" BC");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(micros: i64) -> String {
        let mut out = Vec::new();
        write_entry_time(micros, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn stamp(micros: i64) -> String {
        let mut out = Vec::new();
        write_timestamp(micros, true, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_instants() {
        assert_eq!(entry(0), "2000-01-01T00:00:00.000000Z");
        assert_eq!(entry(-1), "1999-12-31T23:59:59.999999Z");
        assert_eq!(entry(848_534_262_123_456), "2026-11-20T23:57:42.123456Z");
        assert_eq!(
            entry(-63_082_281_600_000_000),
            "0001-01-01T00:00:00.000000Z"
        );
        assert_eq!(
            entry(-63_082_281_600_000_001),
            "0001-12-31T23:59:59.999999Z BC"
        );
        assert_eq!(
            entry(252_455_615_999_999_999),
            "9999-12-31T23:59:59.999999Z"
        );
        assert_eq!(
            entry(252_455_616_000_000_000),
            "10000-01-01T00:00:00.000000Z"
        );
        assert_eq!(stamp(848_534_262_120_000), "2026-11-20T23:57:42.12+00:00");
        assert_eq!(stamp(848_534_262_000_000), "2026-11-20T23:57:42+00:00");
        assert_eq!(stamp(i64::MAX), "infinity");
    }

    #[test]
    fn entry_times_are_read_back() {
        let first = -63_082_281_600_000_000;
        let last = 252_455_615_999_999_999;
        let days = (0..3_652_059)
            .step_by(37)
            .map(|day| first + day * MICROS_PER_DAY);
        let odd = [first, last, 0, -1, 848_534_262_123_456];
        for micros in days.chain(odd) {
            assert_eq!(parse_entry_time(entry(micros).as_bytes()), Some(micros));
        }
        for text in [
            "",
            "infinity",
            "2026-11-20T23:57:42.123456",
            "2026-11-20T23:57:42.12345Z",
            "2026-11-20T23:57:42.123456Z BC",
            "2026-11-20T23:57:60.123456Z",
            "2026-13-20T23:57:42.123456Z",
            "2026-00-20T23:57:42.123456Z",
            "2025-02-29T23:57:42.123456Z",
            "2026-11-20t23:57:42.123456Z",
            "+026-11-20T23:57:42.123456Z",
            "12026-11-20T23:57:42.123456Z",
        ] {
            assert_eq!(parse_entry_time(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn calendar_edges() {
        let date = |days| {
            let mut out = Vec::new();
            write_date(days, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(date(59), "2000-02-29");
        assert_eq!(date(-730_119), "0001-01-01");
        assert_eq!(date(-730_120), "0001-12-31 BC");
        assert_eq!(date(-2_451_545), "4714-11-24 BC");
        assert_eq!(date(2_921_940), "10000-01-01");
    }

    #[test]
    fn moments_of_all_years_read_as_their_parts() {
        let years = [
            -4713, -1, 0, 1, 2, 999, 1000, 1999, 2026, 9999, 10_000, 294_276,
        ];
        let fractions = [0, 1, 10, 120_000, 123_456, 500_000, 999_990, 999_999];
        for year in years {
            for (day, second) in
                (0..366).flat_map(|day| [(day, 0), (day, 86_399), (day, 3661 * (day % 23))])
            {
                let days = (year - 2000) * 146_097 / 400 + day;
                for fraction in fractions {
                    let micros = days * MICROS_PER_DAY + second * 1_000_000 + fraction;
                    let (year, month, day) = civil(days);
                    let (era, year) = if year > 0 {
                        ("", year)
                    } else {
                        (" BC", 1 - year)
                    };
                    let date = format!("{year:04}-{month:02}-{day:02}");
                    let clock = format!(
                        "{:02}:{:02}:{:02}",
                        second / 3600,
                        second / 60 % 60,
                        second % 60
                    );
                    let decimals = format!(".{fraction:06}");
                    assert_eq!(entry(micros), format!("{date}T{clock}{decimals}Z{era}"));
                    let decimals = decimals.trim_end_matches('0').trim_end_matches('.');
                    assert_eq!(
                        stamp(micros),
                        format!("{date}T{clock}{decimals}+00:00{era}")
                    );
                    let mut out = Vec::new();
                    write_date(days as i32, &mut out);
                    assert_eq!(String::from_utf8(out).unwrap(), format!("{date}{era}"));
                }
            }
        }
    }

    #[test]
    fn every_value_has_a_form() {
        for micros in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX, -1, 0] {
            assert!(!entry(micros).is_empty());
        }
    }
}
