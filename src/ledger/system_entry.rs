//! Entries that the extension itself writes: op `S`, their payload, a canonical JSON object, kept.

use auditspine_core::canonical::write_string;
use auditspine_core::hash::{Hash, Sink};
use auditspine_core::time::write_entry_time;

use crate::ledger::attribution;
use crate::ledger::buffer::{self, Fields};
use crate::ledger::{chains, flush};
use crate::settings;

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
    flush::flush_if_due(settings::buffer_bytes());
}

/// A canonical JSON object under construction; names are given in canonical order.
pub struct Object(Vec<u8>);

impl Object {
    /// Without members.
    pub fn new() -> Object {
        Object(Vec::new())
    }

    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        self.0.put_byte(if self.0.is_empty() { b'{' } else { b',' });
        write_string(name.as_bytes(), &mut self.0);
        self.0.put_byte(b':');
        &mut self.0
    }

    /// A member whose value is JSON already.
    pub fn raw(mut self, name: &str, value: &str) -> Object {
        self.name(name).put(value.as_bytes());
        self
    }

    /// A member that is a string.
    pub fn text(mut self, name: &str, value: &str) -> Object {
        write_string(value.as_bytes(), self.name(name));
        self
    }

    /// A member that is an array of strings.
    pub fn texts(mut self, name: &str, values: &[String]) -> Object {
        let out = self.name(name);
        out.put_byte(b'[');
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                out.put_byte(b',');
            }
            write_string(value.as_bytes(), out);
        }
        out.put_byte(b']');
        self
    }

    /// A member that is a string, or null.
    pub fn optional(self, name: &str, value: Option<&str>) -> Object {
        match value {
            Some(value) => self.text(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// A member that is a time (microseconds since 2000-01-01 00:00 UTC), or null.
    pub fn time(self, name: &str, micros: Option<i64>) -> Object {
        let text = micros.map(|micros| {
            let mut text = Vec::new();
            write_entry_time(micros, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        self.optional(name, text.as_deref())
    }

    /// The object's text.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.put_byte(b'}');
        self.0
    }

    /// Records an event of the extension's own with this payload.
    pub fn push(self, kind: &str, pk: &str) {
        push(kind, pk.as_bytes(), &self.finish());
    }
}
