//! SHA-256: digests, the sinks that canonical bytes are written to, and many messages at once.

mod blocks;
mod messages;
mod sink;

use std::fmt;

pub use blocks::{ABREAST, BLOCK, Compress, State, in_turns};
pub(crate) use blocks::{INITIAL, compress, compress_two, pad, state_of};
pub use messages::{Begun, Messages};
#[cfg(test)]
pub(crate) use sink::text_of;
pub use sink::{HashSink, Sink};

/// A SHA-256 digest: 32 bytes, shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What `prev_hash` holds in the first entry of a lane.
    pub const ZERO: Hash = Hash([0; 32]);

    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        // As Sha256::digest() does it (FIPS 180-4, section 5.1.1), less the hasher that would go on.
        let mut state = INITIAL;
        let (blocks, rest) = bytes.as_chunks();
        compress(&mut state, blocks);
        let mut last = [[0; BLOCK]; 2];
        let used = if rest.len() < 56 { 1 } else { 2 };
        let padded = last.as_flattened_mut();
        padded[..rest.len()].copy_from_slice(rest);
        padded[rest.len()] = 0x80;
        let bits = 8 * bytes.len() as u64;
        padded[BLOCK * used - 8..BLOCK * used].copy_from_slice(&bits.to_be_bytes());
        compress(&mut state, &last[..used]);
        Hash::of_state(&state)
    }

    /// As [`Hash::of`], for a buffer that may be written on, so that the end need not be copied.
    fn of_buffer(bytes: &mut Vec<u8>) -> Hash {
        let mut state = INITIAL;
        pad(bytes, bytes.len());
        compress(&mut state, bytes.as_chunks().0);
        Hash::of_state(&state)
    }

    #[inline]
    fn of_state(state: &[u32; 8]) -> Hash {
        let mut hash = [0; 32];
        for (four, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *four = word.to_be_bytes();
        }
        Hash(hash)
    }

    /// The digest that a 32-byte slice holds; `None` for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Hash> {
        bytes.try_into().ok().map(Hash)
    }

    /// 64 lower-case hex digits in ASCII.
    pub fn to_hex(&self) -> [u8; 64] {
        // Arithmetic instead of a table, so that the compiler can do many digits at once.
        let digit = |nibble: u8| nibble + b'0' + u8::from(nibble > 9) * (b'a' - b'9' - 1);
        let mut hex = [0; 64];
        for (pair, byte) in hex.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        hex
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_hex()
            .iter()
            .try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn hex_is_lower_case_and_whole() {
        assert_eq!(
            Hash::of(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn one_shot_is_sha256_at_every_length() {
        let bytes: Vec<u8> = (0..300).map(|i| (i * 7 % 251) as u8).collect();
        for len in 0..=bytes.len() {
            let expected: [u8; 32] = Sha256::digest(&bytes[..len]).into();
            assert_eq!(Hash::of(&bytes[..len]), Hash(expected), "{len} bytes");
            let mut buffer = bytes[..len].to_vec();
            assert_eq!(Hash::of_buffer(&mut buffer), Hash(expected), "{len} bytes");
        }
    }
}
