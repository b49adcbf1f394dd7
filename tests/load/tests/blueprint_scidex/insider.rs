//! What an insider with superuser rights does, and what is to be told of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use auditspine_load::check::assert_no_rows;
use auditspine_load::server::{run, scalar};
use postgres::Client;

/// Edits rows and an entry, deletes, cuts off the end of three lanes, drops a trigger and writes past it, writes past
/// another one that is there again afterwards. Returns what is to be told.
pub fn act(client: &mut Client) -> BTreeSet<String> {
    run(
        client,
        "CREATE TEMP TABLE cut AS
             SELECT e.chain_id, e.lane, e.pos, e.seq, e.event_kind, e.event_pk, h.seq AS head
             FROM (SELECT * FROM chain_heads('scidex') ORDER BY lane LIMIT 3) AS h
             JOIN auditspine.audit_chain AS e ON e.chain_id = h.chain_id AND e.lane = h.lane AND e.pos > h.pos - 2;
         CREATE TEMP TABLE victim AS
             SELECT DISTINCT ON (event_kind) event_kind, event_pk, seq FROM auditspine.audit_chain AS e
             WHERE event_kind IN ('scidex.artifact_provenance', 'scidex.comment_classifier_runs', 'scidex.sandbox_audit_event')
               AND NOT EXISTS (SELECT FROM cut WHERE cut.event_kind = e.event_kind AND cut.event_pk = e.event_pk)
             ORDER BY event_kind, seq;
         CREATE TEMP TABLE forged AS
             SELECT event_kind, lane, event_pk, seq FROM auditspine.audit_chain AS e
             WHERE event_kind = 'scidex.audit_log' AND NOT EXISTS (SELECT FROM cut WHERE cut.lane = e.lane AND e.pos + 1 >= cut.pos)
             ORDER BY seq LIMIT 1 OFFSET 10;
         CREATE TEMP TABLE expected (line text)",
    );
    // The rows whose last entry is cut off are no more what is recorded of them.
    run(
        client,
        "INSERT INTO expected
         SELECT CASE WHEN last.seq IS NULL THEN format('rows row_unrecorded %s %s', event_kind, event_pk)
                     ELSE format('rows row_edited %s %s at %s', event_kind, event_pk, last.seq) END
         FROM (SELECT DISTINCT event_kind, event_pk FROM cut) AS c
         LEFT JOIN LATERAL (
             SELECT max(e.seq) AS seq FROM auditspine.audit_chain AS e
             WHERE e.event_kind = c.event_kind AND e.event_pk = c.event_pk AND NOT EXISTS (SELECT FROM cut WHERE cut.seq = e.seq)
         ) AS last ON true;
         INSERT INTO expected SELECT DISTINCT format('heads head_truncated %s at %s', lane, head) FROM cut;
         INSERT INTO expected SELECT format('rows row_%s %s %s at %s',
             CASE event_kind WHEN 'scidex.sandbox_audit_event' THEN 'deleted' ELSE 'edited' END, event_kind, event_pk, seq) FROM victim;
         INSERT INTO expected SELECT format('links entry_edited %s %s %s at %s', event_kind, lane, event_pk, seq) FROM forged;
         INSERT INTO expected VALUES ('rows trigger_missing scidex.task_events')",
    );
    // Superusers' ways: triggers off where they are in the way, and on again.
    let tamper = |client: &mut Client, table: &str, triggers: &[&str], statement: &str| {
        run(client, &format!("ALTER TABLE {table} DISABLE TRIGGER USER"));
        let done = client
            .execute(statement, &[])
            .unwrap_or_else(|e| panic!("{statement}: {e:?}"));
        assert!(done > 0, "{statement} did nothing");
        for trigger in triggers {
            run(
                client,
                &format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"),
            );
        }
    };
    let ours = [
        "auditspine_audit",
        "auditspine_truncate",
        "auditspine_append_only",
        "auditspine_append_only_truncate",
    ];
    for (table, statement) in [
        (
            "artifact_provenance",
            "UPDATE scidex.artifact_provenance SET actor = 'somebody else' WHERE action_id::text = $",
        ),
        (
            "comment_classifier_runs",
            "UPDATE scidex.comment_classifier_runs SET confidence = 0.1 WHERE run_id::text = $",
        ),
        (
            "sandbox_audit_event",
            "DELETE FROM scidex.sandbox_audit_event WHERE event_id::text = $",
        ),
    ] {
        let key = format!("(SELECT event_pk FROM victim WHERE event_kind = 'scidex.{table}')");
        tamper(
            client,
            &format!("scidex.{table}"),
            &ours,
            &statement.replace('$', &key),
        );
    }
    tamper(
        client,
        "auditspine.audit_chain",
        &["append_only"],
        "DELETE FROM auditspine.audit_chain AS e USING cut WHERE (e.chain_id, e.lane, e.pos) = (cut.chain_id, cut.lane, cut.pos)",
    );
    tamper(
        client,
        "auditspine.audit_chain",
        &["append_only"],
        "UPDATE auditspine.audit_chain SET db_user = 'somebody else' WHERE seq = (SELECT seq FROM forged)",
    );
    tamper(
        client,
        "scidex.audit_log",
        &ours,
        "WITH w AS (INSERT INTO scidex.audit_log (actor, action, object_type) VALUES ('insider', 'x', 'y') RETURNING log_id)
         INSERT INTO expected SELECT 'rows row_unrecorded scidex.audit_log ' || log_id FROM w",
    );
    run(
        client,
        "DROP TRIGGER auditspine_audit ON scidex.task_events;
         WITH w AS (INSERT INTO scidex.task_events (task_id, event, actor)
                    SELECT 't', 'completed', 'insider' FROM generate_series(1, 3) RETURNING event_id)
         INSERT INTO expected SELECT 'rows row_unrecorded scidex.task_events ' || event_id FROM w",
    );
    let rows = client
        .query("SELECT line FROM expected", &[])
        .expect("what is expected");
    let expected: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(expected.len(), rows.len());
    println!("to be told: {} breaks", expected.len());
    expected
}

/// Whether a lane that was cut has yet to come past where it ended before.
pub fn cut_lanes_are_short(client: &mut Client) -> bool {
    scalar(
        client,
        "SELECT EXISTS (SELECT FROM cut JOIN chain_heads('scidex') h USING (chain_id, lane) WHERE h.pos <= cut.pos)",
    )
}

/// Each file names the lanes that were cut off, and nothing else.
pub fn assert_files_name_the_cut_lanes(client: &mut Client, files: &[PathBuf]) {
    for file in files {
        assert_no_rows(
            client,
            "a lane that is not as it was cut",
            &format!(
                "WITH named AS (SELECT DISTINCT lane::integer, finding FROM publication_file_findings('{}')),
                      lost AS (SELECT DISTINCT lane::integer, 'head_truncated' FROM cut)
                 SELECT x::text FROM ((TABLE named EXCEPT TABLE lost) UNION ALL (TABLE lost EXCEPT TABLE named)) AS x",
                file.display()
            ),
        );
    }
}
