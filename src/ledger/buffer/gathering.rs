//! The backend's buffer, and what keeps it whole: the payloads of many changes of one statement are hashed together,
//! so events come into it whose hash is still to be taken. Nobody sees the buffer before it is.

use std::cell::RefCell;

use auditspine_core::hash::Messages;

use super::{Buffer, Fields, Pending, Told};
use crate::pg::sha256::compress_abreast;

/// The buffer, and the payloads whose hashes its last events still miss, one of each.
#[derive(Default)]
struct Gathering {
    buffer: Buffer,
    missing: Messages,
}

/// From so many pending events on, those that come are gathered.
const MANY: usize = 16;
/// Payloads that are hashed together, and their bytes, about: they are to stay in the first cache.
const GATHERED: usize = 64;
const BYTES: usize = 16 * 1024;
/// Payloads that are longer are hashed at once.
const LONG: usize = 1024;
/// Memory that is worth keeping.
const KEEP_BYTES: usize = 64 * 1024;

impl Gathering {
    /// Takes the hashes that are missing.
    #[inline]
    fn complete(&mut self) {
        if !self.missing.is_empty() {
            self.hash();
        }
    }

    #[inline(never)]
    fn hash(&mut self) {
        let first = self.buffer.events.len() - self.missing.len();
        let mut events = self.buffer.events[first..].iter_mut();
        self.missing.finish(compress_abreast(), |hash| {
            if let Some(event) = events.next() {
                event.fields.payload_hash = hash;
            }
        });
        if self.missing.capacity() > KEEP_BYTES {
            self.missing = Messages::default();
        }
    }
}

thread_local! {
    static BUFFER: RefCell<Gathering> = RefCell::default();
}

/// Whether there are so many pending events that it pays to hash a payload of this length together with others.
#[inline]
pub fn pays_to_gather(length: usize) -> bool {
    length <= LONG && BUFFER.with(|cell| cell.borrow().buffer.pending().len() >= MANY)
}

/// As [`Buffer::push_told`], of an event whose `payload_hash` is filled in: it is the hash of `text`.
pub fn gather(
    fields: Fields,
    told: &Told,
    (pk, payload): (Option<&[u8]>, Option<&[u8]>),
    text: &[u8],
) {
    BUFFER.with(|cell| {
        let gathering = &mut *cell.borrow_mut();
        gathering.buffer.push_told(fields, told, (pk, payload));
        gathering.missing.add(|out| out.extend_from_slice(text));
        if gathering.missing.len() >= GATHERED || gathering.missing.size() >= BYTES {
            gathering.hash();
        }
    });
}

/// Memory that pending events use.
#[inline]
pub fn pending_size() -> usize {
    BUFFER.with(|cell| {
        let buffer = &cell.borrow().buffer;
        buffer.bytes.len() - buffer.flushed_bytes
            + (buffer.events.len() - buffer.flushed) * size_of::<Pending>()
    })
}

/// Takes the backend's buffer out, leaving an empty one.
pub fn take() -> Buffer {
    with_mut(std::mem::take)
}

/// Puts the buffer back that [`take`] took.
pub fn put_back(buffer: Buffer) {
    with_mut(|cell| *cell = buffer);
}

/// Runs `f` on the backend's buffer. `f` must not call into PostgreSQL where it can wait, fail or fire triggers.
pub fn with_mut<R>(f: impl FnOnce(&mut Buffer) -> R) -> R {
    BUFFER.with(|cell| {
        let mut gathering = cell.borrow_mut();
        gathering.complete();
        f(&mut gathering.buffer)
    })
}

/// As [`with_mut`], for reading.
pub fn with<R>(f: impl FnOnce(&Buffer) -> R) -> R {
    BUFFER.with(|cell| {
        // Not while another one reads, when nothing is missing.
        if !cell.borrow().missing.is_empty() {
            cell.borrow_mut().hash();
        }
        f(&cell.borrow().buffer)
    })
}
