-- What a user writes who knows the document of blueprint scidex and nothing else; each statement succeeds, the chain is whole
-- afterwards, and what is tampered with is found.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_scidex_app;
SELECT install_blueprint('scidex');
RESET client_min_messages;
CREATE ROLE regress_scidex_app;
GRANT USAGE ON SCHEMA scidex TO regress_scidex_app;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA scidex TO regress_scidex_app;
GRANT UPDATE ON scidex.senate_alerts, scidex.senate_pause TO regress_scidex_app;

-- The platform: each event table, with what the document names, and with nothing.
SET ROLE regress_scidex_app;
SET search_path = scidex;
INSERT INTO artifact_provenance (action_id) VALUES ('act-1'), ('4d3c2b1a-0000-4000-8000-000000000001'), ('42');
INSERT INTO artifact_provenance DEFAULT VALUES RETURNING length(action_id);
INSERT INTO task_events DEFAULT VALUES;
INSERT INTO senate_alerts (kind, severity) VALUES ('actor_write_trip', 'high');
INSERT INTO senate_alerts (kind, severity, seq, event_pk) VALUES ('audit_chain_break', 'critical', 17, 'act-1');
INSERT INTO comment_classifier_runs DEFAULT VALUES;
INSERT INTO sandbox_audit_event DEFAULT VALUES;
INSERT INTO actor_write_trip_event DEFAULT VALUES;
INSERT INTO senate_pause DEFAULT VALUES;
INSERT INTO audit_log DEFAULT VALUES;
UPDATE senate_alerts SET resolved_at = now(), resolved_by = 'senate' WHERE kind = 'audit_chain_break' AND severity = 'critical';
-- What it must not: that is what the chain is for.
\set VERBOSITY terse
DELETE FROM artifact_provenance WHERE action_id = 'act-1';
RESET ROLE;
DELETE FROM artifact_provenance WHERE action_id = 'act-1';
\set VERBOSITY default

-- Each row has its entry, linked to the one before.
SELECT seq - min(seq) OVER () + 1 AS nth, event_kind, event_pk ~ '^[0-9a-f-]{36}$' AS uuid, CASE WHEN event_pk !~ '-' THEN event_pk END AS pk,
       prev_hash = lag(chain_hash, 1, decode(repeat('00', 32), 'hex')) OVER (ORDER BY seq) AS linked,
       chain_hash = sha256(prev_hash || event_hash || int8send(seq)) AS hashed, length(event_hash), appended_at <= now() AS before
FROM audit_chain ORDER BY seq;
SELECT count(*) FROM audit_chain WHERE event_kind = 'artifact_provenance' AND event_pk = 'act-1';
SELECT event_kind, event_pk FROM audit_chain ORDER BY seq DESC LIMIT 1 FOR UPDATE;

-- append(), verify(), get_head(), and the same under the extension's names. One entry for each kind and key.
SELECT event_kind, event_pk, chain_hash = sha256(prev_hash || event_hash || int8send(seq)) AS hashed FROM append('model_release', 'm-7', '{"b": 1, "a": [2, null]}');
SELECT (append('model_release', 'm-8', '{}')).event_pk;
\set VERBOSITY terse
SELECT append('model_release', 'm-7', '{}');
SELECT append('task_events', '1', '{}');
SELECT append(NULL, 'm-9', '{}');
SELECT append('model_release', NULL, '{}');
\set VERBOSITY default
SELECT * FROM verify();
SELECT ok, findings FROM verify(start_seq => (SELECT min(seq) FROM audit_chain), end_seq => (SELECT max(seq) FROM audit_chain));
SELECT entries FROM verify((SELECT max(seq) - 1 FROM audit_chain));
SELECT h.seq = c.seq AND h.chain_hash = c.chain_hash AND h.appended_at = c.appended_at AS newest, event_pk FROM get_head() AS h, audit_chain AS c ORDER BY c.seq DESC LIMIT 1;
SELECT h.chain, h.lane, h.seq = g.seq AS same FROM public.chain_heads('scidex') AS h, get_head() AS g;
\set VERBOSITY terse
SELECT * FROM publish_head();
\set VERBOSITY default

-- Its trigger, on a table of one's own: each new row is an entry.
CREATE TABLE public.experiment (id integer PRIMARY KEY, outcome text);
SET search_path = public, scidex;
CREATE TRIGGER trg_experiment_chain
    AFTER INSERT ON experiment
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('experiment');
INSERT INTO experiment VALUES (1, 'inconclusive');
SELECT event_kind, event_pk, op FROM auditspine.audit_chain WHERE event_kind = 'experiment';
SELECT ok, rows, entries FROM verify_table('experiment');

-- Backfill: rows from before, found by their keys; twice is once.
ALTER TABLE scidex.task_events DISABLE TRIGGER USER;
INSERT INTO scidex.task_events (task_id) SELECT 'old ' || n FROM generate_series(1, 3) AS n;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY '{audit,truncate,append_only,append_only_truncate}'::text[] LOOP
        EXECUTE format('ALTER TABLE scidex.task_events ENABLE ALWAYS TRIGGER auditspine_%s', name);
    END LOOP;
END $$;
SET client_min_messages = warning;
CALL scidex.backfill_audit_chain();
CALL scidex.backfill_audit_chain();
RESET client_min_messages;
SELECT event_pk, count(*) FROM audit_chain WHERE event_kind = 'task_events' GROUP BY 1 ORDER BY 1;

-- The read-only role reads and verifies, and nothing else.
SET ROLE scidex_audit_ro;
SELECT count(*) > 15 AS entries FROM scidex.audit_chain;
SELECT ok FROM scidex.verify();
SELECT count(*) FROM scidex.get_head();
\set VERBOSITY sqlstate
SELECT scidex.append('x', 'y', '{}');
SELECT scidex.publish_head();
SELECT scidex.verify_and_alert();
INSERT INTO scidex.audit_log DEFAULT VALUES;
DELETE FROM scidex.audit_chain;
INSERT INTO auditspine.audit_chain (seq) VALUES (1);
RESET ROLE;
-- Nor does the application write the chain but by its tables.
SET ROLE regress_scidex_app;
SELECT scidex.append('x', 'y', '{}');
UPDATE scidex.audit_chain SET event_pk = 'x';
RESET ROLE;
\set VERBOSITY terse
INSERT INTO scidex.audit_chain (event_kind, event_pk, event_hash, prev_hash, chain_hash) VALUES ('x', 'y', '', '', '');
UPDATE scidex.audit_chain SET event_pk = 'x' WHERE seq = (SELECT seq FROM scidex.get_head());
\set VERBOSITY default
SELECT layer, subject, ok, findings FROM scidex.verify_and_alert();

-- An event edited, a row deleted: the first divergence is that entry, and the senate is told.
ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
UPDATE auditspine.audit_chain SET event_hash = sha256('forged') WHERE event_kind = 'scidex.senate_pause';
ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only;
SELECT v.ok, v.first_bad_seq = c.seq AS at_that_entry, v.event_kind, v.event_pk, v.finding, v.findings FROM scidex.verify() AS v, scidex.audit_chain AS c WHERE c.event_kind = 'senate_pause';
SELECT ok FROM scidex.verify((SELECT seq + 1 FROM scidex.audit_chain WHERE event_kind = 'senate_pause'));
SET session_replication_role = replica;
ALTER TABLE scidex.artifact_provenance DISABLE TRIGGER USER;
DELETE FROM scidex.artifact_provenance WHERE action_id = 'act-1';
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY '{audit,truncate,append_only,append_only_truncate}'::text[] LOOP
        EXECUTE format('ALTER TABLE scidex.artifact_provenance ENABLE ALWAYS TRIGGER auditspine_%s', name);
    END LOOP;
END $$;
RESET session_replication_role;
SELECT layer, subject, ok, findings FROM scidex.verify_and_alert() WHERE NOT ok;
SELECT kind, severity, seq IS NOT NULL AS seq, event_kind, event_pk, finding FROM scidex.senate_alerts WHERE severity = 'critical' AND finding IS NOT NULL ORDER BY finding;
DROP OWNED BY regress_scidex_app, scidex_audit_ro;
DROP ROLE regress_scidex_app;
DO $$ BEGIN DROP ROLE scidex_audit_ro; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $$; -- Of another database, too.
