//! The ledger and the chain held together, in plain SQL: nothing here relies on the extension's own
//! verifiers except [`assert_verified`].

use std::io::Write;

use postgres::Client;

use crate::item::ITEM_JSON;
use crate::ledger::{Change, Ledger};
use crate::server::{run, scalar};

/// Everything that must hold of a database whose only audited table is `item`, of kind `item`.
///
/// # Panics
/// If any of it does not hold; the message shows the entries or changes in question.
pub fn assert_all(client: &mut Client, ledger: &Ledger) {
    run(client, "SET TimeZone = 'UTC'");
    load_ledger(client, ledger);
    assert_unknown_are_whole(client);
    assert_exactly_once(client);
    assert_ordered(client);
    assert_linked(client);
    assert_rows_agree(client);
    assert_verified(client);
}

/// Puts the ledger into a temporary table beside the hashes that its rows must have.
fn load_ledger(client: &mut Client, ledger: &Ledger) {
    run(
        client,
        "CREATE TEMP TABLE change (open integer, op text, k bigint, v integer, note text)",
    );
    let mut text = String::new();
    let mut put = |open: &str, change: &Change| {
        let Change { op, k, v, note } = change;
        text.push_str(&format!(
            "{open},{op},{k},{v},\"{}\"\n",
            note.replace('"', "\"\"")
        ));
    };
    ledger.committed.iter().for_each(|change| put("", change));
    for (id, changes) in ledger.unknown.iter().enumerate() {
        changes
            .iter()
            .for_each(|change| put(&id.to_string(), change));
    }
    let mut writer = client
        .copy_in("COPY change FROM STDIN (FORMAT csv)")
        .expect("COPY");
    writer.write_all(text.as_bytes()).expect("COPY data");
    assert_eq!(
        writer.finish().expect("end of COPY") as usize,
        ledger.committed.len() + ledger.unknown.iter().map(Vec::len).sum::<usize>()
    );
    run(
        client,
        &format!(
            "CREATE TEMP TABLE ledger AS
             SELECT open, op, k, v, k::text AS pk, sha256(convert_to({ITEM_JSON}, 'UTF8')) AS hash
             FROM change;
             CREATE INDEX ON ledger (hash); ANALYZE ledger;
             CREATE TEMP VIEW entry AS
             SELECT op::text AS op, event_pk AS pk, payload_hash AS hash, seq
             FROM auditspine.audit_chain WHERE event_kind = 'item'"
        ),
    );
}

/// A transaction whose end its client never learned is there in full, or not at all. The ones that
/// are there count as committed from here on.
fn assert_unknown_are_whole(client: &mut Client) {
    assert_no_rows(
        client,
        "a transaction recorded in part",
        "SELECT open::text || ': ' || count(entry.seq) || ' of ' || count(*) || ' changes'
         FROM ledger LEFT JOIN entry USING (op, pk, hash)
         WHERE open IS NOT NULL GROUP BY open
         HAVING count(entry.seq) NOT IN (0, count(*))",
    );
    run(
        client,
        "DELETE FROM ledger WHERE open IS NOT NULL
         AND (op, pk, hash) NOT IN (SELECT op, pk, hash FROM entry)",
    );
}

/// Every committed change has exactly one entry, and there is no other entry.
fn assert_exactly_once(client: &mut Client) {
    let recorded = "SELECT op, pk, hash FROM entry";
    let expected = "SELECT op, pk, hash FROM ledger";
    for (what, left, right) in [
        ("a committed change without an entry", expected, recorded),
        ("an entry without a committed change", recorded, expected),
    ] {
        assert_no_rows(
            client,
            what,
            &format!("SELECT row(m.*)::text FROM ({left} EXCEPT ALL {right}) m"),
        );
    }
    let counts: String = scalar(
        client,
        "SELECT (SELECT count(*) FROM ledger) || ' ' || (SELECT count(*) FROM auditspine.audit_chain WHERE op <> 'S')",
    );
    let (changes, entries) = counts.split_once(' ').expect("two numbers");
    assert_eq!(
        changes, entries,
        "changes in the ledger, entries in the chain"
    );
}

/// Of two changes of a row, the later has the larger `seq`.
fn assert_ordered(client: &mut Client) {
    assert_no_rows(
        client,
        "changes of one row recorded in another order than they were made",
        "SELECT row(s.*)::text FROM (
             SELECT pk, v, op, seq, lag(seq) OVER (PARTITION BY k ORDER BY v, op = 'D') AS earlier
             FROM ledger JOIN entry USING (op, pk, hash)) s
         WHERE seq <= earlier",
    );
}

/// In every lane `pos` counts from 1 without a gap, every link holds, `seq` grows, and the event hash
/// is that of the event text that the stored columns give.
///
/// # Panics
/// If any of it does not hold.
pub fn assert_linked(client: &mut Client) {
    assert_no_rows(
        client,
        "an entry that is not linked",
        &format!("{UNLINKED} LIMIT 10"),
    );
    assert_no_rows(
        client,
        "a seq used twice",
        "SELECT seq::text FROM auditspine.audit_chain GROUP BY seq HAVING count(*) > 1",
    );
    assert_no_rows(
        client,
        "an event hash that is not the hash of the event",
        "SELECT seq::text FROM auditspine.audit_chain JOIN auditspine.chain USING (chain_id)
         WHERE event_hash <> sha256(convert_to(format(
             '{\"actor\":%s,\"appended_at\":%s,\"chain\":%s,\"context\":null,\"db_user\":%s,'
             '\"kind\":%s,\"lane\":%s,\"layout\":%s,\"op\":%s,\"payload_hash\":%s,\"pk\":%s,'
             '\"pos\":\"%s\",\"v\":%s,\"xid\":\"%s\"}',
             coalesce(to_json(actor)::text, 'null'),
             to_json(to_char(appended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')),
             to_json(name), to_json(db_user), to_json(event_kind), lane,
             coalesce(layout::text, 'null'), to_json(op::text), to_json(encode(payload_hash, 'hex')),
             coalesce(to_json(event_pk)::text, 'null'), pos, version, xid), 'UTF8'))
         AND context IS NULL LIMIT 10",
    );
}

/// Query for the entries whose place or link is wrong.
pub const UNLINKED: &str = "
    SELECT row(chain_id, lane, pos, seq)::text FROM (
        SELECT *, row_number() OVER w AS place, lag(seq) OVER w AS seq_before,
               coalesce(lag(chain_hash) OVER w, decode(repeat('00', 32), 'hex')) AS hash_before
        FROM auditspine.audit_chain WINDOW w AS (PARTITION BY chain_id, lane ORDER BY pos)) s
    WHERE pos <> place OR prev_hash <> hash_before OR seq <= seq_before
       OR chain_hash <> sha256(prev_hash || event_hash || int8send(seq))";

/// The latest entry of each key says what the table says.
fn assert_rows_agree(client: &mut Client) {
    assert_no_rows(
        client,
        "a row that is not as its latest entry says",
        &format!(
            "WITH latest AS (SELECT DISTINCT ON (pk) pk, op, hash FROM entry ORDER BY pk, seq DESC),
             present AS (SELECT k::text AS pk, sha256(convert_to({ITEM_JSON}, 'UTF8')) AS hash FROM item)
             SELECT pk FROM latest FULL JOIN present USING (pk)
             WHERE CASE WHEN latest.op IN ('I', 'U') THEN latest.hash IS DISTINCT FROM present.hash
                        ELSE present.hash IS NOT NULL END"
        ),
    );
}

/// The extension's own verifiers find nothing, and have looked at every entry.
///
/// # Panics
/// If they find something.
pub fn assert_verified(client: &mut Client) {
    assert_no_rows(
        client,
        "a finding",
        "SELECT row(f.*)::text FROM chain_findings() f LIMIT 10",
    );
    assert_no_rows(
        client,
        "a chain that does not verify",
        "SELECT row(v.*)::text FROM verify_chain() v
         WHERE NOT ok OR findings <> 0 OR first_bad_seq IS NOT NULL LIMIT 10",
    );
    assert_no_rows(
        client,
        "a chain verified only in part",
        "SELECT row(v.*)::text FROM verify_chain() v JOIN auditspine.chain c ON c.name = v.chain
         WHERE v.entries <> (SELECT count(*) FROM auditspine.audit_chain a WHERE a.chain_id = c.chain_id)
         LIMIT 10",
    );
}

/// # Panics
/// If `query`, whose first column is a text, returns a row.
pub fn assert_no_rows(client: &mut Client, what: &str, query: &str) {
    let rows = client
        .query(query, &[])
        .unwrap_or_else(|e| panic!("{query}\nfailed: {e:?}"));
    let shown: Vec<String> = rows
        .iter()
        .take(10)
        .map(|row| row.try_get(0).unwrap_or_else(|e| e.to_string()))
        .collect();
    assert!(
        rows.is_empty(),
        "{what}: {} found, such as {shown:#?}",
        rows.len()
    );
}
