//! Entries that the extension itself writes: op `S`, chain `main`, their payload kept.

use auditspine_core::hash::Hash;

use super::buffer::{self, Fields};
use super::{attribution, chains, flush};
use crate::guc;

/// Records an event of the extension's own, of a kind beginning with `auditspine.`, behind all that
/// are pending. `payload` is canonical JSON.
pub fn push(kind: &str, pk: &[u8], payload: &[u8]) {
    chains::expect(chains::MAIN);
    let fields = Fields {
        chain: buffer::intern(chains::MAIN),
        creates_chain: false,
        kind: buffer::intern(kind.as_bytes()),
        op: b'S',
        attribution: attribution::current(),
        layout: None,
        payload_hash: Hash::of(payload),
    };
    buffer::with_mut(|buffer| buffer.push(fields, Some(pk), Some(payload)));
    flush::flush_if_due(guc::buffer_bytes());
}
