//! Erasing what rows held, on record: payloads of a row's entries go, their hashes stay, and an entry tells whose
//! payloads went. A payload that is gone without one is a finding.

use std::cell::Cell;

use auditspine_core::canonical::write_string;
use auditspine_core::digits::write_integer;
use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use crate::error::Failure;
use crate::ledger::owner::as_owner;
use crate::ledger::system_entry::{self, Object};
use crate::ledger::{catalog, flush};
use crate::pg::arena::DatumArena;
use crate::pg::query;
use crate::pg::session;

/// Kind of the entries that tell what was erased.
pub const KIND: &str = "auditspine.erasure";

/// Erases what entries of one row keep; those come along that lost it, and of which no entry says that it was erased.
const ERASE: &std::ffi::CStr = c"WITH place AS MATERIALIZED (
        SELECT p.chain_id, p.lane, p.pos FROM auditspine.places_of($1, ARRAY[$2]) AS p
    ), lost AS (
        SELECT e.seq FROM place AS p, ONLY auditspine.audit_chain AS e
        WHERE e.chain_id OPERATOR(pg_catalog.=) p.chain_id AND e.lane OPERATOR(pg_catalog.=) p.lane
        AND e.pos OPERATOR(pg_catalog.=) p.pos AND e.event_kind OPERATOR(pg_catalog.=) $1 AND e.event_pk OPERATOR(pg_catalog.=) $2
        AND e.op OPERATOR(pg_catalog.=) ANY ('{I,U,D,A}'::pg_catalog.\"char\"[]) AND e.payload IS NULL
        AND NOT EXISTS (SELECT FROM ONLY auditspine.audit_chain AS s
            WHERE s.event_kind OPERATOR(pg_catalog.=) 'auditspine.erasure' AND s.event_pk OPERATOR(pg_catalog.=) $1
            AND s.op OPERATOR(pg_catalog.=) 'S'
            AND pg_catalog.jsonb_exists(s.payload OPERATOR(pg_catalog.->) 'entries', e.seq::pg_catalog.text))
        AND NOT EXISTS (SELECT FROM ONLY auditspine.audit_chain AS l
            WHERE l.event_kind OPERATOR(pg_catalog.=) 'auditspine.layout' AND l.event_pk OPERATOR(pg_catalog.=) e.layout::pg_catalog.text
            AND l.op OPERATOR(pg_catalog.=) 'S'
            AND l.payload OPERATOR(pg_catalog.->>) 'payload' OPERATOR(pg_catalog.=) 'hash')
    ), erased AS (
        UPDATE ONLY auditspine.audit_chain AS e SET payload = NULL FROM place AS p
        WHERE e.chain_id OPERATOR(pg_catalog.=) p.chain_id AND e.lane OPERATOR(pg_catalog.=) p.lane
        AND e.pos OPERATOR(pg_catalog.=) p.pos AND e.event_kind OPERATOR(pg_catalog.=) $1 AND e.event_pk OPERATOR(pg_catalog.=) $2
        AND e.op OPERATOR(pg_catalog.=) ANY ('{I,U,D,A}'::pg_catalog.\"char\"[]) AND e.payload IS NOT NULL
        RETURNING e.seq
    )
    SELECT seq, true FROM erased UNION ALL SELECT seq, false FROM lost ORDER BY 1";

thread_local! {
    static UNDER_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Whether an UPDATE of entries is one of [`erase`], which is not refused.
pub fn is_under_way() -> bool {
    UNDER_WAY.get()
}

/// Until it is dropped, also by an ERROR.
struct UnderWay;

impl UnderWay {
    fn begin() -> UnderWay {
        UNDER_WAY.set(true);
        UnderWay
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.set(false);
    }
}

/// Erases the payloads of all entries of a row, and records that, and why. Entries whose payload was gone already
/// are told of as well. Returns how many payloads there were.
///
/// Raises 22023 without a reason, and for the extension's own entries.
pub fn erase(kind: &str, pk: &str, reason: &str) -> i64 {
    if system_entry::is_reserved(kind) {
        Failure::InvalidValue.raise(
            format!("kind \"{kind}\" is one of auditspine's own, whose entries keep their payload"),
            "name the kind of a table: see auditspine.audited_table",
        );
    }
    if reason.trim().is_empty() {
        Failure::InvalidValue.raise("the reason is empty", "say why: it is recorded");
    }
    catalog::expect_privileges();
    flush::flush();
    session::next_command();
    let mut arena = DatumArena::default();
    let mut text = |text: &str| (pg_sys::TEXTOID, Some(arena.varlena(text.as_bytes())));
    let arguments = [text(kind), text(pk)];
    let (mut entries, mut erased) = (Vec::new(), 0);
    as_owner(|| {
        let _under_way = UnderWay::begin();
        query::run(ERASE, &arguments, |row| {
            entries.extend(row.int8(0));
            erased += i64::from(row.bool(1) == Some(true));
        });
    });
    if !entries.is_empty() {
        Object::new()
            .raw("entries", &numbers(&entries))
            .text("kind", kind)
            .text("pk", pk)
            .text("reason", reason)
            .push(KIND, kind);
    }
    erased
}

/// A JSON array of decimal strings.
fn numbers(entries: &[i64]) -> String {
    let mut out = Vec::new();
    out.put_byte(b'[');
    let mut number = Vec::new();
    for (at, seq) in entries.iter().enumerate() {
        if at > 0 {
            out.put_byte(b',');
        }
        number.clear();
        write_integer(*seq, &mut number);
        write_string(&number, &mut out);
    }
    out.put_byte(b']');
    String::from_utf8_lossy(&out).into_owned()
}
