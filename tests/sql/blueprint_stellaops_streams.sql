-- Blueprint stellaops: streams of events, read from the chain. Writers at the same time: the isolation spec stellaops_streams.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset format unaligned
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text; state text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, state = RETURNED_SQLSTATE;
    RETURN state || ' ' || message || CASE WHEN hint <> '' THEN E'\n  ' || hint ELSE '' END;
END $$;
SELECT install_blueprint('stellaops');
CREATE FUNCTION id(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
-- Of the fields those that differ from run to run are left out; a seq is told by its rank.
CREATE FUNCTION told(stream text, after bigint DEFAULT 0, max_events integer DEFAULT 1000) RETURNS TABLE (place bigint, event text, key text, fields jsonb) LANGUAGE sql AS $$
    SELECT row_number() OVER (ORDER BY seq), event, regexp_replace(key, '^0+-0+-4000-8000-0+', ''),
           fields - '{tenant_id,policy_id,run_id,scan_id,raw_id,delivery_id}'::text[] FROM orchestrator.read_stream(stream, after, max_events) ORDER BY seq $$;

-- Scans: submitted, then completed or failed; what else changes is no event, nor is what was rolled back.
INSERT INTO scanner.scans (scan_id, tenant_id, image_digest) SELECT id(n), id(0), 'sha256:' || n FROM generate_series(1, 3) AS n;
UPDATE scanner.scans SET state = 'acquired', worker = 'w';
UPDATE scanner.scans SET state = 'running';
UPDATE scanner.scans SET metadata = '{"layers": 3}';
UPDATE scanner.scans SET state = 'completed' WHERE scan_id = id(1);
UPDATE scanner.scans SET metadata = '{"layers": 4}';
BEGIN;
UPDATE scanner.scans SET state = 'completed' WHERE scan_id = id(2);
ROLLBACK;
BEGIN;
SAVEPOINT s;
UPDATE scanner.scans SET state = 'completed' WHERE scan_id = id(3);
ROLLBACK TO s;
UPDATE scanner.scans SET state = 'failed', error = 'no such layer' WHERE scan_id = id(3);
COMMIT;
INSERT INTO scanner.scans (scan_id, tenant_id, state) VALUES (id(4), id(0), 'completed');
DELETE FROM scanner.scans WHERE scan_id = id(4);
SELECT * FROM told('scanner:events');
-- The entries are the source, not the table: what is changed behind the chain's back changes no event.
ALTER TABLE scanner.scans DISABLE TRIGGER USER;
UPDATE scanner.scans SET state = 'completed', image_digest = 'sha256:other' WHERE scan_id = id(3);
ALTER TABLE scanner.scans ENABLE TRIGGER USER;
ALTER TABLE scanner.scans ENABLE ALWAYS TRIGGER auditspine_audit;
ALTER TABLE scanner.scans ENABLE ALWAYS TRIGGER auditspine_truncate;
SELECT event, key, fields ->> 'image_digest' AS image_digest FROM told('scanner:events') WHERE key = '3';

-- Advisories.
SELECT added FROM vuln.add_advisory('OSV', '{"id": "GO-2026-1", "severity": 7}');
SELECT added FROM vuln.add_advisory('OSV', '{"id": "GO-2026-1", "severity": 7.0}');
SELECT added FROM vuln.add_advisory('OSV', '{"id": "GO-2026-1", "severity": 9}');
SELECT place, event, fields FROM told('concelier:drift');

-- Runs of policies, each completed once, however often it is changed afterwards; verdicts that came, changed and went.
INSERT INTO policy.policies (policy_id, tenant_id) VALUES (id(1), id(0));
SELECT policy.create_effective_finding(id(1)) IS NOT NULL AS made;
INSERT INTO policy.policy_runs (run_id, policy_id, tenant_id) VALUES (id(1), id(1), id(0));
UPDATE policy.policy_runs SET cursor = '{"offset": 1}';
UPDATE policy.policy_runs SET completed_at = now(), determinism_hash = 'h', stats = '{"findings": 2, "none": null}';
UPDATE policy.policy_runs SET stats = '{"findings": 3}';
INSERT INTO policy.policy_runs (run_id, tenant_id, completed_at) VALUES (id(2), id(0), now());
INSERT INTO policy."effective_finding_00000000-0000-4000-8000-000000000001" (component_purl, vulnerability_id, status, severity, action, run_id) VALUES ('pkg:npm/x', 'CVE-1', 'affected', 'high', 'block', id(1)), ('pkg:npm/y', 'CVE-1', 'affected', 'low', 'warn', id(1));
UPDATE policy."effective_finding_00000000-0000-4000-8000-000000000001" SET run_id = id(2), updated_at = now();
UPDATE policy."effective_finding_00000000-0000-4000-8000-000000000001" SET action = 'pass' WHERE component_purl = 'pkg:npm/x';
DELETE FROM policy."effective_finding_00000000-0000-4000-8000-000000000001" WHERE component_purl = 'pkg:npm/y';
TRUNCATE policy."effective_finding_00000000-0000-4000-8000-000000000001";
SELECT * FROM told('policy:evaluated');

-- Jobs and deliveries.
INSERT INTO scheduler.schedules (schedule_id, tenant_id) VALUES ('nightly', id(0));
INSERT INTO scheduler.runs (run_id, tenant_id, schedule_id, trigger) VALUES ('r1', id(0), 'nightly', 'cron'), ('r2', id(0), NULL, 'advisory');
UPDATE scheduler.runs SET state = 'queued', progress = 0.1;
UPDATE scheduler.runs SET state = 'running', started_at = now() WHERE run_id = 'r1';
UPDATE scheduler.runs SET state = 'running' WHERE run_id = 'r2';
UPDATE scheduler.runs SET started_at = now() WHERE run_id = 'r2';
UPDATE scheduler.runs SET state = 'completed', finished_at = now();
INSERT INTO scheduler.runs (run_id, tenant_id, started_at) VALUES ('r3', id(0), now());
SELECT * FROM told('scheduler:jobs');
INSERT INTO notify.delivery_log (delivery_id, status) VALUES (id(1), 'pending'), (id(2), 'SENT'), (id(3), NULL);
UPDATE notify.delivery_log SET status = 'failed', error = 'timeout' WHERE delivery_id = id(1);
UPDATE notify.delivery_log SET error = 'timeout, again' WHERE delivery_id = id(1);
UPDATE notify.delivery_log SET attempt = 2 WHERE delivery_id = id(1);
UPDATE notify.delivery_log SET status = 'delivered', error = NULL, attempt = 3 WHERE delivery_id = id(1);
UPDATE notify.delivery_log SET delivered_at = now();
SELECT * FROM told('notify:delivery');

-- Going on from a seq, a few at a time, nothing is told twice or left out; the views tell the same.
CREATE FUNCTION follow(stream text, step integer) RETURNS TABLE (seq bigint, event text, key text, fields jsonb) LANGUAGE plpgsql AS $$
DECLARE after bigint := 0; got integer; BEGIN
    LOOP
        RETURN QUERY SELECT r.seq, r.event, r.key, r.fields FROM orchestrator.read_stream(stream, after, step) AS r;
        GET DIAGNOSTICS got = ROW_COUNT;
        EXIT WHEN got = 0;
        SELECT max(r.seq) INTO after FROM orchestrator.read_stream(stream, after, step) AS r;
    END LOOP;
END $$;
SELECT s.stream, step, count(*), count(DISTINCT f.seq) AS different, array_agg(f.seq) = array_agg(f.seq ORDER BY f.seq) AS in_order
FROM unnest('{scanner:events,concelier:drift,policy:evaluated,scheduler:jobs,notify:delivery}'::text[]) WITH ORDINALITY AS s (stream, place), (VALUES (1), (3), (1000)) AS v (step), follow(s.stream, step) AS f
GROUP BY s.stream, s.place, step ORDER BY s.place, step;
SELECT count(*) FROM (
    (SELECT event, key, seq, fields FROM scanner.events UNION ALL SELECT event, key, seq, fields FROM vuln.drift UNION ALL SELECT event, key, seq, fields FROM policy.evaluated
     UNION ALL SELECT event, key, seq, fields FROM scheduler.jobs UNION ALL SELECT event, key, seq, fields FROM notify.delivery)
    EXCEPT ALL
    SELECT r.event, r.key, r.seq, r.fields FROM unnest('{scanner:events,concelier:drift,policy:evaluated,scheduler:jobs,notify:delivery}'::text[]) AS s, orchestrator.read_stream(s) AS r) AS d;
SELECT bool_and(e.appended_at = r.time AND e.event_pk = r.key) AS as_recorded FROM orchestrator.read_stream('scanner:events') AS r JOIN auditspine.audit_chain AS e USING (seq);
SELECT count(*) FROM orchestrator.read_stream('scanner:events', 9223372036854775807);

-- What cannot be: another stream, no number, a snapshot from before.
\pset tuples_only on
SELECT attempt(c) FROM (VALUES ($$SELECT orchestrator.read_stream('scanner:jobs')$$), ($$SELECT orchestrator.read_stream(NULL)$$), ($$SELECT orchestrator.read_stream('scanner:events', 0, 0)$$), ($$SELECT orchestrator.read_stream('scanner:events', NULL, 1)$$)) AS v (c);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT attempt($$SELECT orchestrator.read_stream('scanner:events')$$);
COMMIT;
\pset tuples_only off

-- Read by those who may read the chain, and by nobody else.
CREATE ROLE regress_auditspine_consumer;
GRANT USAGE ON SCHEMA scanner, vuln, policy, scheduler, notify, orchestrator TO regress_auditspine_consumer;
GRANT SELECT ON scanner.events, vuln.drift, policy.evaluated, scheduler.jobs, notify.delivery TO regress_auditspine_consumer;
SET ROLE regress_auditspine_consumer;
SELECT attempt($$SELECT orchestrator.read_stream('scanner:events')$$), attempt('SELECT 1 FROM scanner.events');
RESET ROLE;
SELECT grant_auditor('regress_auditspine_consumer');
REVOKE SELECT ON vuln.advisory_raw FROM regress_auditspine_consumer;
SET ROLE regress_auditspine_consumer;
SELECT s, count(*) FROM unnest('{scanner:events,concelier:drift,policy:evaluated,scheduler:jobs,notify:delivery}'::text[]) AS s, orchestrator.read_stream(s) GROUP BY s ORDER BY s;
-- Without sight of the advisories, which are too large for payloads: that there was one.
SELECT event, fields - 'raw_id' AS fields FROM orchestrator.read_stream('concelier:drift');
RESET ROLE;
SELECT revoke_auditor('regress_auditspine_consumer');
DROP OWNED BY regress_auditspine_consumer;
DROP ROLE regress_auditspine_consumer;

-- A long chain is read in short pieces, found by the index on seq.
INSERT INTO notify.delivery_log (status) SELECT CASE WHEN n % 1000 = 0 THEN 'sent' ELSE 'pending' END FROM generate_series(1, 40000) AS n;
SELECT count(*), count(DISTINCT seq) FROM follow('notify:delivery', 7);
SELECT subject, findings FROM verify_all() WHERE NOT ok;
