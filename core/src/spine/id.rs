//! Names of spines and segments.

use std::io::Write;

use crate::canonical::write_string;
use crate::hash::Hash;

/// `spine_id`: SHA-256 of the canonical JSON (RFC 8785) of
/// `[artifact_id, vuln_id, policy_profile_id, root_hash]`. Its text is 64 lower-case hex digits.
pub fn spine_id(
    artifact_id: &str,
    vuln_id: &str,
    policy_profile_id: &str,
    root_hash: &str,
) -> Hash {
    let mut array = b"[".to_vec();
    for (at, text) in [artifact_id, vuln_id, policy_profile_id, root_hash]
        .into_iter()
        .enumerate()
    {
        if at > 0 {
            array.push(b',');
        }
        write_string(text.as_bytes(), &mut array);
    }
    array.push(b']');
    Hash::of(&array)
}

/// The other way to make a `spine_id`: SHA-256 of the four texts, put together as they are.
///
/// Builders that write the tables themselves make ids so. It is weaker: what moves from the end of one text
/// to the start of the next leaves the id as it is, so that only the chain of the rows tells.
pub fn joined_spine_id(
    artifact_id: &str,
    vuln_id: &str,
    policy_profile_id: &str,
    root_hash: &str,
) -> Hash {
    Hash::of(
        [artifact_id, vuln_id, policy_profile_id, root_hash]
            .concat()
            .as_bytes(),
    )
}

/// `segment_id`: SHA-256 of the canonical JSON (RFC 8785) of
/// `[spine_id, idx, segment_type, input_hash, result_hash]`, in which `idx` is a number and the others
/// are strings. Its text is 64 lower-case hex digits.
pub fn segment_id(
    spine_id: &str,
    idx: i32,
    segment_type: &str,
    input_hash: &str,
    result_hash: &str,
) -> Hash {
    let mut array = b"[".to_vec();
    write_string(spine_id.as_bytes(), &mut array);
    // Writing to a vector cannot fail.
    let _ = write!(array, ",{idx}");
    for text in [segment_type, input_hash, result_hash] {
        array.push(b',');
        write_string(text.as_bytes(), &mut array);
    }
    array.push(b']');
    Hash::of(&array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_digests_of_canonical_arrays() {
        assert_eq!(
            spine_id("pkg:deb/x", "CVE-1", "strict", "00"),
            Hash::of(br#"["pkg:deb/x","CVE-1","strict","00"]"#)
        );
        assert_eq!(
            segment_id("5a", 12, "Match", "01", "02"),
            Hash::of(br#"["5a",12,"Match","01","02"]"#)
        );
        assert_eq!(
            spine_id("a\"\\\n\u{1}\u{e9}/", "", "", ""),
            Hash::of("[\"a\\\"\\\\\\n\\u0001\u{e9}/\",\"\",\"\",\"\"]".as_bytes())
        );
    }

    #[test]
    fn no_two_decisions_share_an_id() {
        // As they would where texts are only put together.
        assert_ne!(spine_id("ab", "c", "", ""), spine_id("a", "bc", "", ""));
        assert_ne!(
            spine_id("a\",\"b", "c", "", ""),
            spine_id("a", "b\",\"c", "", "")
        );
        assert_ne!(
            segment_id("", 1, "1", "", ""),
            segment_id("", 11, "", "", "")
        );
    }
}
