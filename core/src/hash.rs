//! SHA-256 digests and the sinks that canonical bytes are written to.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 digest: 32 bytes, shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What `prev_hash` holds in the first entry of a lane.
    pub const ZERO: Hash = Hash([0; 32]);

    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
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
    fn put_byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// Appends the first `len` bytes of `bytes`, at most all of them.
    #[inline]
    fn put_first(&mut self, bytes: &[u8; 8], len: usize) {
        self.put(&bytes[..len.min(8)]);
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
    fn put_first(&mut self, bytes: &[u8; 8], len: usize) {
        // A copy of known length needs no call.
        let end = self.len() + len.min(8);
        self.extend_from_slice(bytes);
        self.truncate(end);
    }
}

/// A sink that hashes what it is given, in bounded memory.
///
/// Small pieces are gathered first: one call of the compression function per token would cost more
/// than the copy.
pub struct HashSink {
    pending: Vec<u8>,
    hasher: Sha256,
}

const HASH_SINK_BYTES: usize = 16 * 1024;

impl HashSink {
    /// An empty sink that reuses `scratch` as its gathering buffer.
    pub fn with_buffer(mut scratch: Vec<u8>) -> HashSink {
        scratch.clear();
        HashSink {
            pending: scratch,
            hasher: Sha256::new(),
        }
    }

    /// An empty sink.
    pub fn new() -> HashSink {
        HashSink::with_buffer(Vec::new())
    }

    /// The digest of everything put, and the buffer for the next sink.
    pub fn finish(mut self) -> (Hash, Vec<u8>) {
        self.hasher.update(&self.pending);
        (Hash(self.hasher.finalize().into()), self.pending)
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
        if self.pending.len() + bytes.len() > HASH_SINK_BYTES {
            self.hasher.update(&self.pending);
            self.pending.clear();
            if bytes.len() > HASH_SINK_BYTES {
                self.hasher.update(bytes);
                return;
            }
        }
        self.pending.extend_from_slice(bytes);
    }
    #[inline]
    fn put_byte(&mut self, byte: u8) {
        if self.pending.len() >= HASH_SINK_BYTES {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
        self.pending.push(byte);
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
}
