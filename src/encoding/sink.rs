//! Sinks for canonical text that may be large.

use auditspine_core::hash::Sink;

use crate::error::Failure;

/// Passes on to another sink, and lets the query be cancelled meanwhile.
pub struct Interruptible<'a, S>(pub &'a mut S);

impl<S: Sink> Sink for Interruptible<'_, S> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        pgrx::check_for_interrupts!();
        self.0.put(bytes);
    }

    #[inline]
    fn put_byte(&mut self, byte: u8) {
        self.0.put_byte(byte);
    }

    #[inline]
    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        pgrx::check_for_interrupts!();
        self.0.put_first(bytes, len);
    }
}

/// A buffer for what becomes an SQL value: raises 54000 when that would be larger than PostgreSQL
/// allows, 1 GB.
#[derive(Default)]
pub struct ValueSink {
    bytes: Vec<u8>,
}

/// MaxAllocSize (utils/memutils.h) less the value's header.
const MAX_CONTENT: usize = 0x3fff_ffff - 4;

impl ValueSink {
    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Sink for ValueSink {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > MAX_CONTENT {
            raise_too_large();
        }
        self.bytes.extend_from_slice(bytes);
    }

    #[inline]
    fn put_byte(&mut self, byte: u8) {
        self.put_first(&[byte], 1);
    }

    #[inline]
    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        if self.bytes.len() + N > MAX_CONTENT {
            return self.put(&bytes[..len.min(N)]);
        }
        self.bytes.put_first(bytes, len);
    }
}

#[cold]
fn raise_too_large() -> ! {
    Failure::ResultTooLarge.raise(
        "the canonical JSON is larger than 1 GB, the limit of a value",
        "canonical_json_hash() hashes it without building it.",
    )
}

/// A buffer that keeps no more than a limit, and counts the rest.
pub struct BoundedSink {
    bytes: Vec<u8>,
    limit: usize,
    written: usize,
}

impl BoundedSink {
    /// An empty one.
    pub fn new(limit: usize) -> BoundedSink {
        BoundedSink {
            bytes: Vec::new(),
            limit,
            written: 0,
        }
    }

    /// What was written; if that was more than the limit, how many bytes it was.
    pub fn finish(self) -> Result<Vec<u8>, usize> {
        if self.written > self.limit {
            Err(self.written)
        } else {
            Ok(self.bytes)
        }
    }
}

impl Sink for BoundedSink {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.written = self.written.saturating_add(bytes.len());
        if self.written <= self.limit {
            self.bytes.extend_from_slice(bytes);
        }
    }
}
