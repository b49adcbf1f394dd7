//! The root of an evidence spine: one digest over the digests of its segments.

use std::error::Error;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::hash::Hash;

/// Hashes the segments' digests of a spine in order.
///
/// The root is the SHA-256 of the concatenated texts of the elements, just as they were given (with
/// or without `sha256:`), in 64 lower-case hex digits. Concatenation is unambiguous since an element
/// has one of two forms of fixed length, and neither's first characters can stand in the other.
#[derive(Clone, Default)]
pub struct SpineRoot {
    hasher: Sha256,
    elements: u64,
}

impl SpineRoot {
    /// A spine without elements.
    pub fn new() -> SpineRoot {
        SpineRoot::default()
    }

    /// Adds the next segment's digest: 64 lower-case hex digits, with or without `sha256:` before
    /// them. A refused element leaves the spine as it was.
    pub fn push(&mut self, element: &str) -> Result<(), SpineError> {
        if parse_digest(element).is_none() {
            return Err(SpineError {
                element: self.elements + 1,
                value: element.chars().take(SHOWN).collect(),
            });
        }
        self.hasher.update(element);
        self.elements += 1;
        Ok(())
    }

    /// How many elements it has.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// The root of the elements so far, in lower-case hex; `None` if there are none.
    pub fn finish(&self) -> Option<String> {
        (self.elements > 0).then(|| Hash(self.hasher.clone().finalize().into()).to_string())
    }
}

/// What an error shows of an element, in characters; twice what a right one has.
const SHOWN: usize = 2 * ("sha256:".len() + 64);

/// An element that is not a SHA-256 digest in one of the two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpineError {
    /// Number of the element, from 1.
    pub element: u64,
    /// The element as given, cut where it is far too long.
    pub value: String,
}

impl Error for SpineError {}

impl fmt::Display for SpineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "element {} of the spine is not a SHA-256 digest: {:?}",
            self.element, self.value
        )
    }
}

/// The digest that an element stands for: 64 lower-case hex digits, with or without `sha256:` before
/// them; `None` for anything else.
pub fn parse_digest(element: &str) -> Option<Hash> {
    let digits = element.strip_prefix("sha256:").unwrap_or(element);
    let mut digest = Hash::ZERO;
    hex::decode_to_slice(digits, &mut digest.0).ok()?;
    // Upper-case digits would give one digest two texts.
    (digest.to_hex() == *digits.as_bytes()).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const B: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn elements_stand_for_digests() {
        let digest = Hash::of(b"abc");
        assert_eq!(parse_digest(A), Some(digest));
        assert_eq!(parse_digest(&format!("sha256:{A}")), Some(digest));
        assert_eq!(parse_digest(B), Some(Hash::of(b"")));
        assert_eq!(parse_digest(&A.to_uppercase()), None);
    }

    #[test]
    fn root_is_the_digest_of_the_concatenation() {
        let mut spine = SpineRoot::new();
        assert_eq!(spine.finish(), None);
        spine.push(A).unwrap();
        assert_eq!(spine.finish(), Some(Hash::of(A.as_bytes()).to_string()));
        spine.push(B).unwrap();
        // printf %s "$A$B" | sha256sum
        assert_eq!(
            spine.finish().as_deref(),
            Some("51fa77b77cdb1e6b1e590274d7ea89fdfb68e95e4b701d2d4c0eaf9257ac72ed")
        );
    }

    #[test]
    fn other_elements_are_refused_by_number_and_value() {
        for bad in [
            "",
            "sha256:",
            &A[1..],
            &format!("{A}0"),
            &format!(" {A}"),
            &format!("{A}\n"),
            &A.to_uppercase(),
            &format!("SHA256:{A}"),
            &format!("sha512:{A}"),
            &format!("sha256:sha256:{A}"),
            &format!("sha256:{}", &A[1..]),
            &format!("{}g", &A[1..]),
            &format!("{}\u{e9}", &A[2..]),
        ] {
            let mut spine = SpineRoot::new();
            spine.push(B).unwrap();
            let error = spine.push(bad).unwrap_err();
            assert_eq!(
                error,
                SpineError {
                    element: 2,
                    value: bad.to_string()
                }
            );
            assert!(
                error.to_string().contains("element 2")
                    && error.to_string().contains(&format!("{bad:?}"))
            );
            // The refused element has left no trace.
            assert_eq!(spine.finish(), Some(Hash::of(B.as_bytes()).to_string()));
        }
    }
}
