//! The text of a key, read back.
//!
//! Only what certainly is a value of the type comes out: what reads otherwise was written for another
//! type, or tampered with.

use crate::time::{write_date, write_timestamp};

/// The texts of a key of `columns` columns.
pub fn split_key(key: &[u8], columns: usize) -> Option<Vec<Vec<u8>>> {
    if columns == 1 {
        return Some(vec![key.to_vec()]);
    }
    let texts: Vec<String> = serde_json::from_slice(key).ok()?;
    let texts: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    (texts.len() == columns).then_some(texts)
}

/// An integer.
pub fn parse_integer<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `true` or `false`.
pub fn parse_bool(text: &[u8]) -> Option<bool> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A uuid with its dashes.
pub fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let dash = |at: usize| text.get(at) == Some(&b'-');
    if text.len() != 36 || ![8, 13, 18, 23].into_iter().all(dash) {
        return None;
    }
    let digits: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'-').collect();
    hex::decode(digits).ok()?.try_into().ok()
}

/// A bytea as `\x` and hex digits.
pub fn parse_bytea(text: &[u8]) -> Option<Vec<u8>> {
    hex::decode(text.strip_prefix(b"\\x")?).ok()
}

/// Whether a text is a plain decimal number of less than a thousand digits.
pub fn is_decimal(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let mut parts = digits.split(|byte| *byte == b'.');
    let plain = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    digits.len() < 1000
        && parts.next().is_some_and(plain)
        && parts.next().is_none_or(plain)
        && parts.next().is_none()
}

/// A date of the common era: days since 2000-01-01.
pub fn parse_date(text: &[u8]) -> Option<i32> {
    let days = i32::try_from(days(text)?).ok()?;
    // The calendar has the last word: there is no 30 February.
    let mut again = Vec::new();
    write_date(days, &mut again);
    (again == text).then_some(days)
}

/// A timestamp of the common era, in UTC if it has a zone: microseconds since 2000-01-01.
pub fn parse_timestamp(text: &[u8], zone: bool) -> Option<i64> {
    let local = match zone {
        true => text.strip_suffix(b"+00:00")?,
        false => text,
    };
    let at = local.iter().position(|byte| *byte == b'T')?;
    let (date, clock) = (&local[..at], &local[at + 1..]);
    let mut parts = clock.split(|byte| matches!(byte, b':' | b'.'));
    let mut part = |digits: usize| {
        let part = parts.next()?;
        (part.len() == digits).then(|| number(part)).flatten()
    };
    let seconds = part(2)? * 3600 + part(2)? * 60 + part(2)?;
    let fraction = match parts.next() {
        None => 0,
        Some(part) if part.len() <= 6 => number(part)? * 10_i64.pow(6 - part.len() as u32),
        Some(_) => return None,
    };
    let micros = days(date)?
        .checked_mul(86_400_000_000)?
        .checked_add(seconds * 1_000_000 + fraction)?;
    let mut again = Vec::new();
    write_timestamp(micros, zone, &mut again);
    (again == text).then_some(micros)
}

fn number(digits: &[u8]) -> Option<i64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| parse_integer(digits)).flatten()
}

/// Days from 2000-01-01 to `YYYY-MM-DD`.
fn days(date: &[u8]) -> Option<i64> {
    let mut parts = date.split(|byte| *byte == b'-');
    let (year, month, day) = (
        number(parts.next()?)?,
        number(parts.next()?)?,
        number(parts.next()?)?,
    );
    if !(1..1_000_000).contains(&year) || !(1..=12).contains(&month) || day > 31 {
        return None;
    }
    // Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468 - 10_957)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_split() {
        assert_eq!(split_key(b"[1", 1), Some(vec![b"[1".to_vec()]));
        let two = split_key(br#"["7","a\"b"]"#, 2);
        assert_eq!(two, Some(vec![b"7".to_vec(), b"a\"b".to_vec()]));
        for key in [&br#"["7"]"#[..], br#"["7",8]"#, b"7", br#"["7","8","9"]"#] {
            assert_eq!(split_key(key, 2), None);
        }
    }

    #[test]
    fn dates_and_times_come_back() {
        for days in [-700_000, -1, 0, 59, 60, 1000, 9_000, 2_000_000] {
            let mut text = Vec::new();
            write_date(days, &mut text);
            assert_eq!(parse_date(&text), Some(days));
        }
        for micros in [
            0,
            -1,
            1,
            86_399_999_999,
            123_456_789_012_345,
            -10_i64.pow(16),
        ] {
            for zone in [true, false] {
                let mut text = Vec::new();
                write_timestamp(micros, zone, &mut text);
                assert_eq!(parse_timestamp(&text, zone), Some(micros));
                assert_eq!(parse_timestamp(&text, !zone), None);
            }
        }
        for text in [
            "2026-02-30",
            "2026-1-01",
            "infinity",
            "0044-03-15 BC",
            "",
            "2026-01",
            "2026-01-01-01",
        ] {
            assert_eq!(parse_date(text.as_bytes()), None, "{text}");
        }
        for text in [
            "2026-01-01T24:00:00",
            "2026-01-01T00:00:00.10",
            "2026-01-01",
            "2026-01-01T1:00:00",
        ] {
            assert_eq!(parse_timestamp(text.as_bytes(), false), None, "{text}");
        }
    }

    #[test]
    fn other_types_are_strict() {
        assert_eq!(parse_integer::<i16>(b"40000"), None);
        assert_eq!(parse_integer::<i64>(b"-7"), Some(-7));
        assert_eq!(parse_bool(b"true"), Some(true));
        assert_eq!(parse_bool(b"t"), None);
        assert_eq!(parse_bytea(b"\\x00ff"), Some(vec![0, 255]));
        assert_eq!(parse_bytea(b"00ff"), None);
        assert_eq!(parse_bytea(b"\\x0"), None);
        let uuid = b"00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!(parse_uuid(uuid).map(|bytes| bytes[15]), Some(0xff));
        assert_eq!(parse_uuid(b"001122334455-6677-8899-aabbccddeeff--"), None);
        assert_eq!(parse_uuid(b"0011223344556677-8899-aabb-ccddeeff0"), None);
        for text in ["0", "-1.50", "12"] {
            assert!(is_decimal(text.as_bytes()), "{text}");
        }
        for text in ["", "-", "1.", ".5", "1e5", "1.2.3", "NaN", "+1"] {
            assert!(!is_decimal(text.as_bytes()), "{text}");
        }
    }
}
