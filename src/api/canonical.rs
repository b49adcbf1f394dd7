//! Canonical JSON and its hashes. SQL: sql/canonical.sql.

use std::cell::Cell;

use auditspine_core::canonical::Numbers;
use auditspine_core::hash::HashSink;
use pgrx::prelude::*;

use crate::encoding::json::write_interchange_text;
use crate::encoding::jsonb::write_jsonb;
use crate::encoding::sink::ValueSink;
use crate::pg::sqltypes::{HashResult, JsonbArg, RecordArg, TextArg, TextResult};

/// The canonical text of a jsonb: RFC 8785, numbers that a double cannot hold written exactly.
/// Raises 54000 if it is larger than 1 GB.
#[pg_extern(sql = false)]
fn canonical_json_jsonb(json: JsonbArg) -> TextResult {
    let mut out = ValueSink::default();
    write_jsonb(&json.0, Numbers::Exact, &mut out);
    TextResult(out.into_bytes())
}

/// The canonical text of one JSON document. Raises 22032 for what is not JSON, 22030 for a name
/// that an object has twice, 22003 for a number out of range, each with the byte where it is.
#[pg_extern(sql = false)]
fn canonical_json_text(json: TextArg) -> TextResult {
    let mut out = ValueSink::default();
    write_interchange_text(&json.0, &mut out);
    TextResult(out.into_bytes())
}

/// SHA-256 of what `canonical_json` gives, without building it.
#[pg_extern(sql = false)]
fn canonical_json_hash_jsonb(json: JsonbArg) -> HashResult {
    hashed(|out| write_jsonb(&json.0, Numbers::Exact, out))
}

/// SHA-256 of what `canonical_json` gives; raises what that raises.
#[pg_extern(sql = false)]
fn canonical_json_hash_text(json: TextArg) -> HashResult {
    hashed(|out| write_interchange_text(&json.0, out))
}

/// SHA-256 of a row as canonical JSON: what `canonical_json_hash(to_jsonb(row))` is under
/// `TimeZone = UTC`, but under every setting.
#[pg_extern(sql = false)]
fn canonical_row_hash(row: RecordArg) -> HashResult {
    hashed(|out| row.write(out))
}

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn hashed(write: impl FnOnce(&mut HashSink)) -> HashResult {
    let mut sink = HashSink::with_buffer(BUFFER.take());
    write(&mut sink);
    let (hash, buffer) = sink.finish();
    BUFFER.set(buffer);
    HashResult(hash)
}
