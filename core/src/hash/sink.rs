//! The sinks that canonical bytes are written to.

use sha2::{Digest, Sha256};

use super::Hash;

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

    /// Everything put, if it is still there, none of it hashed.
    #[inline]
    pub fn text(&self) -> Option<&[u8]> {
        self.hasher.is_none().then_some(&self.pending)
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

    /// The buffer for the next sink; no digest is taken.
    #[inline]
    pub fn into_buffer(self) -> Vec<u8> {
        self.pending
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

/// What is written, as text.
#[cfg(test)]
pub(crate) fn text_of(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

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
