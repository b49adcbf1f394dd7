//! SHA-256 digests and the sinks that canonical bytes are written to.

use std::fmt;

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

/// What SHA-256 begins with (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

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
        let (blocks, rest) = bytes.as_chunks::<64>();
        if !blocks.is_empty() {
            compress256(&mut state, blocks);
        }
        let mut last = [[0; 64]; 2];
        let used = if rest.len() < 56 { 1 } else { 2 };
        let padded = last.as_flattened_mut();
        padded[..rest.len()].copy_from_slice(rest);
        padded[rest.len()] = 0x80;
        let bits = 8 * bytes.len() as u64;
        padded[64 * used - 8..64 * used].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut state, &last[..used]);
        Hash::of_state(&state)
    }

    /// As [`Hash::of`], for a buffer that may be written on, so that the end need not be copied.
    fn of_buffer(bytes: &mut Vec<u8>) -> Hash {
        const PADDING: [u8; 64] = {
            let mut padding = [0; 64];
            padding[0] = 0x80;
            padding
        };
        let mut state = INITIAL;
        let bits = 8 * bytes.len() as u64;
        bytes.put_first(&PADDING, 64 - (bytes.len() + 8) % 64);
        bytes.put_first(&bits.to_be_bytes(), 8);
        compress256(&mut state, bytes.as_chunks().0);
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

/// Where canonical bytes go: a buffer, or a hasher.
pub trait Sink {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);

    /// Appends one byte.
    #[inline]
    fn put_byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// Appends the first `len` bytes of `bytes`, at most all of them. Where `N` is small this is quicker than
    /// [`Sink::put`]: a copy of known length needs no call.
    #[inline]
    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        self.put(&bytes[..len.min(N)]);
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline]
    fn put_byte(&mut self, byte: u8) {
        self.push(byte);
    }

    #[inline]
    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        let end = self.len() + len.min(N);
        self.extend_from_slice(bytes);
        self.truncate(end);
    }
}

/// A sink that hashes what it is given, in bounded memory.
///
/// What is put is gathered first, and most texts are hashed in one go when they are complete.
pub struct HashSink {
    /// Has no less capacity than [`HASH_SINK_BYTES`] once anything was put, and keeps what it has.
    pending: Vec<u8>,
    /// What has heard of the bytes that were pending before, if there were any.
    hasher: Option<Sha256>,
}

const HASH_SINK_BYTES: usize = 16 * 1024;

impl HashSink {
    /// An empty sink that reuses `scratch` as its gathering buffer.
    pub fn with_buffer(mut scratch: Vec<u8>) -> HashSink {
        scratch.clear();
        HashSink {
            pending: scratch,
            hasher: None,
        }
    }

    /// An empty sink.
    pub fn new() -> HashSink {
        HashSink::with_buffer(Vec::new())
    }

    /// The digest of everything put, and the buffer for the next sink.
    #[inline]
    pub fn finish(mut self) -> (Hash, Vec<u8>) {
        let hash = match self.hasher {
            None => Hash::of_buffer(&mut self.pending),
            Some(hasher) => Hash(hasher.chain_update(&self.pending).finalize().into()),
        };
        (hash, self.pending)
    }

    #[inline]
    fn has_room(&self, len: usize) -> bool {
        len <= self.pending.capacity() - self.pending.len()
    }

    /// Takes what there is no room for: room is made once, and from then on what is pending is hashed.
    #[cold]
    #[inline(never)]
    fn spill(&mut self, bytes: &[u8]) {
        if self.pending.capacity() < HASH_SINK_BYTES {
            let missing = HASH_SINK_BYTES - self.pending.len();
            self.pending.reserve_exact(missing);
        }
        if !self.has_room(bytes.len()) {
            let hasher = self.hasher.get_or_insert_default();
            hasher.update(&self.pending);
            self.pending.clear();
            if !self.has_room(bytes.len()) {
                return self.hasher.get_or_insert_default().update(bytes);
            }
        }
        self.pending.extend_from_slice(bytes);
    }
}

impl Default for HashSink {
    fn default() -> Self {
        HashSink::new()
    }
}

impl Sink for HashSink {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if !self.has_room(bytes.len()) {
            return self.spill(bytes);
        }
        self.pending.extend_from_slice(bytes);
    }

    #[inline]
    fn put_byte(&mut self, byte: u8) {
        if !self.has_room(1) {
            return self.spill(&[byte]);
        }
        self.pending.push(byte);
    }

    #[inline]
    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        if !self.has_room(N) {
            return self.spill(&bytes[..len.min(N)]);
        }
        self.pending.put_first(bytes, len);
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn hash_sink_equals_one_shot_at_every_boundary() {
        for len in [
            0,
            1,
            HASH_SINK_BYTES - 1,
            HASH_SINK_BYTES,
            HASH_SINK_BYTES + 1,
            100_000,
        ] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            for piece in [1, 7, 4096, 70_000] {
                let mut sink = HashSink::new();
                bytes.chunks(piece).for_each(|chunk| sink.put(chunk));
                assert_eq!(
                    sink.finish().0,
                    Hash::of(&bytes),
                    "len {len}, pieces of {piece}"
                );
            }
        }
    }

    #[test]
    fn hash_sink_takes_every_kind_of_piece() {
        let bytes: Vec<u8> = (0..40_000).map(|i| (i % 251) as u8).collect();
        for step in 1..8 {
            // Room for less, as much, and more than a sink has.
            for capacity in [0, 100, HASH_SINK_BYTES, 3 * HASH_SINK_BYTES] {
                let mut sink = HashSink::with_buffer(Vec::with_capacity(capacity));
                let mut rest = &bytes[..];
                while let Some(word) = rest.first_chunk::<8>() {
                    sink.put_first(word, step);
                    sink.put_byte(rest[step]);
                    rest = &rest[step + 1..];
                }
                sink.put_first(&[0; 8], 0);
                sink.put(rest);
                assert_eq!(sink.finish().0, Hash::of(&bytes), "steps of {step}");
            }
        }
    }
}
