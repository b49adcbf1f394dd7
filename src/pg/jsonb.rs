//! stub
use auditspine_core::{canonical::Numbers, hash::Sink};
/// stub
pub fn write_jsonb<S: Sink>(b: &[u8], _n: Numbers, out: &mut S) { out.put(b); }
