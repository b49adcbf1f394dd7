//! Entries that the extension itself writes: op `S`, their payload kept.

use auditspine_core::hash::Hash;

use crate::guc;
use crate::ledger::attribution;
use crate::ledger::buffer::{self, Fields};
use crate::ledger::{chains, flush};

/// Whether a kind is one of the extension's own.
pub fn is_reserved(kind: &str) -> bool {
    kind.starts_with("auditspine.")
}

/// Records an event of the extension's own on chain main, of a kind beginning with `auditspine.`, behind all
/// that are pending. `payload` is canonical JSON.
pub fn push(kind: &str, pk: &[u8], payload: &[u8]) {
    chains::expect(chains::MAIN);
    push_to(chains::MAIN, kind, pk, payload);
}

/// The same on the chain of evidence, which is made if it is not there yet.
pub fn push_evidence(kind: &str, pk: &[u8], payload: &[u8]) {
    push_to(chains::EVIDENCE, kind, pk, payload);
}

fn push_to(chain: &[u8], kind: &str, pk: &[u8], payload: &[u8]) {
    let fields = Fields {
        chain: buffer::intern(chain),
        creates_chain: chain == chains::EVIDENCE,
        kind: buffer::intern(kind.as_bytes()),
        op: b'S',
        attribution: attribution::current(),
        layout: None,
        payload_hash: Hash::of(payload),
    };
    buffer::with_mut(|buffer| buffer.push(fields, Some(pk), Some(payload)));
    flush::flush_if_due(guc::buffer_bytes());
}
