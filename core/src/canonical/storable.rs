//! Which canonical JSON PostgreSQL's jsonb may not take: where it is worth trying.

/// Up to so many bytes nothing can be too large for jsonb, whose strings and containers end at 256 MiB: it takes at
/// most eight bytes for one of the text.
const SURELY_SMALL: usize = 32 * 1024 * 1024;
/// Up to so many levels no stack is too small.
const SURELY_FLAT: usize = 300;

/// Whether jsonb takes a canonical text for sure, if no string in it has the character U+0000.
pub fn surely_fits(canonical: &[u8]) -> bool {
    // Most have so few brackets that they need not be told from those within strings.
    let opening = |byte: &&u8| matches!(byte, b'[' | b'{');
    canonical.len() <= SURELY_SMALL
        && (canonical.len() <= SURELY_FLAT
            || canonical.iter().filter(opening).count() <= SURELY_FLAT
            || depth(canonical) <= SURELY_FLAT)
}

/// Whether a string in a canonical text may have the character U+0000, which jsonb does not take.
pub fn may_hold_nul(canonical: &[u8]) -> bool {
    let escape = br"\u0000";
    canonical.windows(escape.len()).any(|bytes| bytes == escape)
}

/// How many arrays and objects lie within one another.
fn depth(canonical: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0, 0);
    scan(canonical, |_, byte| match byte {
        b'[' | b'{' => {
            depth += 1;
            deepest = deepest.max(depth);
        }
        b']' | b'}' => depth -= 1,
        _ => {}
    });
    deepest
}

/// The members of a canonical object, in their order: names as they are written, without the quotes, and values.
pub fn members(canonical: &[u8]) -> Vec<(&[u8], &[u8])> {
    let (mut depth, mut start, mut colon) = (0usize, 1, None);
    let mut members = Vec::new();
    scan(canonical, |at, byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b':' if depth == 1 && colon.is_none() => colon = Some(at),
            _ => {}
        }
        let ends = (byte == b',' && depth == 1) || (byte == b'}' && depth == 0);
        if let (true, Some(middle)) = (ends, colon) {
            members.push((
                &canonical[start + 1..middle - 1],
                &canonical[middle + 1..at],
            ));
            (start, colon) = (at + 1, None);
        }
    });
    members
}

/// Shows the bytes of a canonical text that are outside strings, and where they are.
fn scan(canonical: &[u8], mut show: impl FnMut(usize, u8)) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in canonical.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if !quoted => show(at, *byte),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_ones_are_told_from_brackets_in_strings() {
        let deep = format!("{}1{}", "[".repeat(301), "]".repeat(301));
        assert!(!surely_fits(deep.as_bytes()));
        assert!(surely_fits(&deep.as_bytes()[1..602]));
        assert!(surely_fits(
            format!("\"\\\"{}\"", "[".repeat(999)).as_bytes()
        ));
        assert!(surely_fits(format!("[{}]", "[],".repeat(999)).as_bytes()));
        assert!(!surely_fits(&vec![b'1'; SURELY_SMALL + 1]));
    }

    #[test]
    fn nul_is_an_escape() {
        assert!(may_hold_nul(br#"{"a":"\u0000"}"#));
        assert!(!may_hold_nul(br#"{"a":"\u0001"}"#));
    }

    #[test]
    fn lists_members() {
        assert_eq!(members(b"{}"), []);
        assert_eq!(
            members(br#"{"a":{"x":[1,2]},"b,:\"":"},","c":null}"#),
            [
                (&b"a"[..], &br#"{"x":[1,2]}"#[..]),
                (&br#"b,:\""#[..], &br#""},""#[..]),
                (&b"c"[..], &b"null"[..]),
            ]
        );
    }
}
