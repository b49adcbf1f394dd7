//! Canonical JSON and its hashes. SQL: sql/canonical.sql.

use std::cell::Cell;

use auditspine_core::canonical::Numbers;
use auditspine_core::hash::{Hash, HashSink};

use crate::encoding::json::write_interchange_text;
use crate::encoding::jsonb::write_jsonb;
use crate::encoding::sink::ValueSink;
use crate::pg::sql_function::{FunctionCall, Text, sql_functions};

sql_functions! {
    pg_finfo_canonical_json_jsonb_wrapper canonical_json_jsonb_wrapper = json_of_jsonb;
    pg_finfo_canonical_json_text_wrapper canonical_json_text_wrapper = json_of_text;
    pg_finfo_canonical_json_hash_jsonb_wrapper canonical_json_hash_jsonb_wrapper = hash_of_jsonb;
    pg_finfo_canonical_json_hash_text_wrapper canonical_json_hash_text_wrapper = hash_of_text;
    pg_finfo_canonical_row_hash_wrapper canonical_row_hash_wrapper = hash_of_row;
}

/// SQL: `canonical_json(json jsonb) RETURNS text`. RFC 8785, numbers that a double cannot hold written exactly.
/// Raises 54000 if the text is larger than 1 GB.
fn json_of_jsonb(call: &FunctionCall) -> Text {
    let mut out = ValueSink::default();
    write_jsonb(&call.varlena(0), Numbers::Exact, &mut out);
    Text(out.into_bytes())
}

/// SQL: `canonical_json(json text) RETURNS text`. Raises 22032 for what is not one JSON document, 22030 for a name
/// that an object has twice, 22003 for a number out of range, each with the byte where it is.
fn json_of_text(call: &FunctionCall) -> Text {
    let mut out = ValueSink::default();
    write_interchange_text(&call.varlena(0), &mut out);
    Text(out.into_bytes())
}

/// SQL: `canonical_json_hash(json jsonb) RETURNS bytea`: SHA-256 of what `canonical_json` gives, without building it.
fn hash_of_jsonb(call: &FunctionCall) -> Hash {
    hashed(|out| write_jsonb(&call.varlena(0), Numbers::Exact, out))
}

/// SQL: `canonical_json_hash(json text) RETURNS bytea`; raises what `canonical_json` raises.
fn hash_of_text(call: &FunctionCall) -> Hash {
    hashed(|out| write_interchange_text(&call.varlena(0), out))
}

/// SQL: `canonical_row_hash("row" record) RETURNS bytea`: SHA-256 of a row as canonical JSON, what
/// `canonical_json_hash(to_jsonb(row))` is under `TimeZone = UTC`, but under every setting.
fn hash_of_row(call: &FunctionCall) -> Hash {
    hashed(|out| call.write_record(0, out))
}

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[inline]
fn hashed(write: impl FnOnce(&mut HashSink)) -> Hash {
    let mut sink = HashSink::with_buffer(BUFFER.take());
    write(&mut sink);
    let (hash, buffer) = sink.finish();
    BUFFER.set(buffer);
    hash
}
