//! Texts that name rows and tenants, in a form that always fits into an index.
//!
//! A text of at most [`LIMIT`] bytes stands as it is. A longer one is cut behind at most so many bytes, and its
//! SHA-256 follows. The result is longer than the limit, so it is never a text that stands as it is: two texts have
//! one form only if they have one hash.

use std::borrow::Cow;

use crate::hash::Hash;

/// The longest text that stands as it is, in bytes.
pub const LIMIT: usize = 1000;

/// What stands between the beginning of a text and its hash.
const MARK: &[u8] = "…sha256:".as_bytes();
/// Length of a hash in hex.
const HEX: usize = 64;
/// Most bytes that lack at the end of a beginning, so that no character is cut.
const CUT: usize = 3;

/// The form of a text under which its row or tenant is known.
pub fn shorten(text: &[u8]) -> Cow<'_, [u8]> {
    if text.len() <= LIMIT {
        return Cow::Borrowed(text);
    }
    let is_inside = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = (LIMIT - CUT..=LIMIT)
        .rev()
        .find(|at| !is_inside(at))
        .unwrap_or(LIMIT);
    Cow::Owned([&text[..end], MARK, &Hash::of(text).to_hex()].concat())
}

/// As [`shorten`], for a text of an entry: one that is in the short form already stays as it is. Until 0.4 entries had
/// long texts in full.
pub fn of_entry(text: &[u8]) -> Cow<'_, [u8]> {
    if is_short_form(text) {
        Cow::Borrowed(text)
    } else {
        shorten(text)
    }
}

fn is_short_form(text: &[u8]) -> bool {
    let length = (LIMIT - CUT + MARK.len() + HEX)..=(LIMIT + MARK.len() + HEX);
    length.contains(&text.len()) && {
        let (before, hash) = text.split_at(text.len() - HEX);
        before.ends_with(MARK)
            && hash
                .iter()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_stay_as_they_are() {
        for length in [0, 1, LIMIT] {
            let text = vec![b'x'; length];
            assert_eq!(*shorten(&text), *text);
            assert_eq!(*of_entry(&text), *text);
        }
    }

    #[test]
    fn long_texts_differ_by_hash_and_are_never_short_ones() {
        let mut seen = std::collections::HashSet::new();
        for character in ["x", "é", "…", "𝄞"] {
            for extra in 1..20 {
                let text = format!("{}{}", character.repeat(LIMIT), "y".repeat(extra));
                let short = shorten(text.as_bytes()).into_owned();
                assert!(std::str::from_utf8(&short).is_ok());
                assert!(short.len() > LIMIT && short.len() < LIMIT + 80);
                assert_eq!(*of_entry(&short), *short);
                assert_eq!(*of_entry(text.as_bytes()), *short);
                // A text that is another one's short form has a form of its own.
                assert_ne!(*shorten(&short), *short);
                assert!(seen.insert(short));
            }
        }
    }

    #[test]
    fn is_cut_between_characters() {
        let text = format!("{}…{}", "x".repeat(LIMIT - 1), "y".repeat(10));
        let short = shorten(text.as_bytes()).into_owned();
        assert!(short.starts_with("x".repeat(LIMIT - 1).as_bytes()));
        assert_eq!(
            String::from_utf8_lossy(&short[LIMIT - 1..]),
            format!("…sha256:{}", Hash::of(text.as_bytes()))
        );
    }
}
