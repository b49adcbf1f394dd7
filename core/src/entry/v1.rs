//! Format version 1. Its layout is that of the event in the module above; released, it never changes.

use super::format::Part;
use super::{Event, Format, write_optional};
use crate::canonical::write_string;
use crate::digits::{write_integer, write_unsigned};
use crate::hash::Sink;

/// Writes a part of an event.
#[inline]
pub(super) fn write<S: Sink>(part: Part, event: &Event<'_>, out: &mut S) {
    match part {
        Part::BeforeTime => before_time(event, out),
        Part::AfterTime => after_time(event, out),
        Part::Manner => manner(event, out),
        Part::Own => own(event, out),
        Part::Transaction => transaction(event, out),
    }
}

#[inline]
fn before_time<S: Sink>(event: &Event<'_>, out: &mut S) {
    out.put(b"{\"actor\":");
    write_optional(event.actor, out);
    out.put(b",\"appended_at\":\"");
}

#[inline]
fn after_time<S: Sink>(event: &Event<'_>, out: &mut S) {
    out.put(b"\",\"chain\":");
    write_string(event.chain, out);
    out.put(b",\"context\":");
    out.put(event.context.unwrap_or(b"null"));
    out.put(b",\"db_user\":");
    write_string(event.db_user, out);
    out.put(b",\"kind\":");
    write_string(event.kind, out);
}

#[inline]
fn manner<S: Sink>(event: &Event<'_>, out: &mut S) {
    out.put(b",\"lane\":");
    write_integer(i64::from(event.lane), out);
    out.put(b",\"layout\":");
    match event.layout {
        Some(layout) => write_integer(i64::from(layout), out),
        None => out.put(b"null"),
    }
    out.put(b",\"op\":");
    if event.op.is_ascii() {
        write_string(&[event.op], out);
    } else {
        // Never written by the extension; a tampered byte must still have one unambiguous form.
        out.put(b"\"?");
        write_integer(i64::from(event.op), out);
        out.put(b"\"");
    }
    out.put(b",\"payload_hash\":\"");
}

#[inline]
fn own<S: Sink>(event: &Event<'_>, out: &mut S) {
    out.put(&event.payload_hash.to_hex());
    out.put(b"\",\"pk\":");
    write_optional(event.pk, out);
    out.put(b",\"pos\":\"");
    write_integer(event.pos, out);
}

#[inline]
fn transaction<S: Sink>(event: &Event<'_>, out: &mut S) {
    out.put(b"\",\"v\":");
    write_integer(i64::from(Format::V1.version()), out);
    out.put(b",\"xid\":\"");
    write_unsigned(event.xid, out);
    out.put(b"\"}");
}
