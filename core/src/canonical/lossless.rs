//! What canonical JSON alone does not tell of a stored value: zeros at the end of a number, and which of two
//! values a string stands for (FORMAT.md, section 2, encoding 2).

/// How many decimal digits behind the point the sum of `digits[i] * 10000^(weight - i)` needs.
#[inline]
pub fn fraction_digits(weight: i32, digits: &[i16]) -> usize {
    let Some(last) = digits.iter().rposition(|digit| *digit != 0) else {
        return 0;
    };
    let groups = last as i64 - i64::from(weight);
    if groups <= 0 {
        return 0;
    }
    let zeros = match digits[last] {
        digit if digit % 1000 == 0 => 3,
        digit if digit % 100 == 0 => 2,
        digit if digit % 10 == 0 => 1,
        _ => 0,
    };
    4 * groups as usize - zeros
}

/// Whether a JSON string of this content, without its quotes, might be taken for another JSON value: then a
/// document that is nothing but this string is written as the string of its JSON text.
pub fn reads_like_other_json(content: &[u8]) -> bool {
    match content.first() {
        Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9') => true,
        Some(b'n') => content == b"null",
        Some(b't') => content == b"true",
        Some(b'f') => content == b"false",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_a_number_needs() {
        for (weight, digits, needed) in [
            (0, [].as_slice(), 0),
            (0, &[42], 0),
            (1, &[1], 0),
            (-1, &[5000], 1),
            (-1, &[500], 2),
            (-1, &[50], 3),
            (-1, &[5], 4),
            (-2, &[1], 8),
            (0, &[1, 1200], 2),
            (0, &[1, 0, 0], 0),
            (0, &[1, 1000, 0], 1),
        ] {
            assert_eq!(
                fraction_digits(weight, digits),
                needed,
                "{weight} {digits:?}"
            );
        }
    }
}
