-- Blueprint scidex: installing it, its rules, its windows, and what becomes of breaks.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_scidex_owner;
DROP ROLE IF EXISTS regress_scidex_auditor;
DROP ROLE IF EXISTS regress_scidex_runner;
DROP ROLE IF EXISTS scidex_audit_ro;
RESET client_min_messages;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ': ' || message || CASE WHEN hint = '' THEN '' ELSE ' (' || hint || ')' END;
END $$;

-- Whoever may not make roles gets the tables, and is told what is left to do.
CREATE ROLE regress_scidex_owner;
GRANT USAGE, CREATE ON SCHEMA public TO regress_scidex_owner;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_scidex_owner', current_database()) \gexec
GRANT USAGE ON SCHEMA auditspine TO regress_scidex_owner;
GRANT SELECT ON auditspine.chain, auditspine.audit_chain, auditspine.alert, auditspine.verification TO regress_scidex_owner;
GRANT EXECUTE ON FUNCTION install_blueprint(text, text), create_chain(text, integer) TO regress_scidex_owner;
SELECT format('GRANT EXECUTE ON FUNCTION %s TO regress_scidex_owner', oid::regprocedure) FROM pg_proc WHERE proname IN ('audit_attach', 'audit_chain_append', 'audit_refuse_change') AND prorettype IN ('text'::regtype, 'trigger'::regtype) ORDER BY proname \gexec
BEGIN;
SET LOCAL ROLE regress_scidex_owner;
SELECT install_blueprint('scidex', 'lab');
RESET ROLE;
SELECT count(*) AS tables, count(*) FILTER (WHERE tableowner = 'regress_scidex_owner') AS own FROM pg_tables WHERE schemaname = 'lab';
SELECT to_regrole('scidex_audit_ro') IS NULL AS no_role;
ROLLBACK;

-- Twice is no error, another schema is another system, and half of one is refused.
SELECT install_blueprint('scidex');
SELECT install_blueprint('scidex');
SELECT install_blueprint('scidex', 'scidex_two');
SELECT install_blueprint('scidex', 'user');
DROP TABLE "user".audit_log;
SELECT attempt($$SELECT install_blueprint('scidex', 'user')$$);
SET client_min_messages = warning;
DROP SCHEMA "user" CASCADE;
RESET client_min_messages;
SELECT chain_id, name, lanes FROM auditspine.chain ORDER BY chain_id;
SELECT table_name, pk, chain, payload, append_only, enabled, truncate_covered, problem FROM auditspine.audited_table
WHERE kind LIKE 'scidex.%' ORDER BY kind;
SELECT audit_detach_kind(kind) FROM unnest(ARRAY['"user".artifact_provenance', '"user".task_events', '"user".comment_classifier_runs',
    '"user".sandbox_audit_event', '"user".actor_write_trip_event', '"user".audit_log', '"user".senate_pause', '"user".senate_alerts']) AS kind;
-- Installed again where it was dropped: the chain of before goes on.
SELECT install_blueprint('scidex', 'user');
SELECT count(*) FROM auditspine.chain WHERE name = '"user"';
SET client_min_messages = warning;
DROP SCHEMA "user" CASCADE;
RESET client_min_messages;
SELECT count(audit_detach_kind(kind)) FROM (SELECT DISTINCT event_pk AS kind FROM auditspine.audit_chain
    WHERE event_kind = 'auditspine.attach' AND event_pk LIKE '"user".%') AS k;
SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE nspname = 'scidex' AND relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT p.oid::regprocedure FROM pg_proc AS p WHERE pronamespace = 'scidex'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT rolcanlogin, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = 'scidex_audit_ro';

-- What may be written.
SELECT attempt($$INSERT INTO scidex.artifact_provenance (artifact_id, artifact_type, action, actor) VALUES ('h-1', 'hypothesis', 'created', 'agent-1')$$);
SELECT attempt($$INSERT INTO scidex.artifact_provenance (artifact_id, artifact_type, action, actor, output_digest) VALUES ('h-1', 'song', 'created', 'agent-1', 'sha256:' || repeat('0', 64))$$);
SELECT attempt($$INSERT INTO scidex.artifact_provenance (artifact_id, artifact_type, action, actor, output_digest) VALUES ('h-1', 'hypothesis', 'created', 'agent-1', repeat('0', 64))$$);
SELECT attempt($$INSERT INTO scidex.artifact_provenance (artifact_id, artifact_type, action, actor, output_digest) VALUES ('h-1', 'hypothesis', 'derived', 'agent-1', 'sha256:' || repeat('0', 64))$$);
SELECT attempt($$INSERT INTO scidex.comment_classifier_runs (comment_id, classifier, classifier_version, input_digest, label, confidence) VALUES ('c', 'k', '1', 'sha256:' || repeat('0', 64), 'spam', 1.01)$$);
SELECT attempt($$INSERT INTO scidex.sandbox_audit_event (sandbox_id, actor, tool, verdict) VALUES ('s', 'agent-1', 'bash', 'ran')$$);
SELECT attempt($$INSERT INTO scidex.sandbox_audit_event (sandbox_id, actor, tool, verdict, exit_status) VALUES ('s', 'agent-1', 'bash', 'denied', 0)$$);
SELECT attempt($$INSERT INTO scidex.actor_write_trip_event (actor, resource, write_limit, period, writes, response) VALUES ('agent-1', 'debate', 10, '1 min', 10, 'warned')$$);
SELECT attempt($$INSERT INTO scidex.actor_write_trip_event (actor, resource, write_limit, period, writes, response) VALUES ('agent-1', 'debate', 10, '1 min', 11, 'paused')$$);
BEGIN;
SELECT attempt($$INSERT INTO scidex.senate_alerts (kind, severity, subject, detail) VALUES ('audit_chain_break', 'critical', 'x', 'by hand')$$);
ROLLBACK;
INSERT INTO scidex.artifact_provenance (action_id, artifact_id, artifact_type, action, actor, inputs, output_digest)
SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'hypothesis:h-' || n, 'hypothesis', 'derived', 'agent-' || n % 3,
       '[{"artifact_id": "dataset:d-1"}]', 'sha256:' || encode(sha256(n::text::bytea), 'hex')
FROM generate_series(1, 9) AS n;
INSERT INTO scidex.task_events (task_id, event, actor) SELECT 't-' || n, 'created', 'agent-1' FROM generate_series(1, 6) AS n;
INSERT INTO scidex.comment_classifier_runs (comment_id, classifier, classifier_version, input_digest, label, confidence)
SELECT 'c-' || n, 'triage', '2', 'sha256:' || encode(sha256(n::text::bytea), 'hex'), 'question', 0.5 FROM generate_series(1, 3) AS n;
INSERT INTO scidex.sandbox_audit_event (sandbox_id, actor, tool, argv, verdict, exit_status) VALUES ('s-1', 'agent-1', 'bash', '{ls,-l}', 'ran', 0);
INSERT INTO scidex.audit_log (actor, action, object_type) SELECT 'admin', 'settings.changed', 'setting' FROM generate_series(1, 4);
-- Logs are append-only; what ends is settled once.
SELECT attempt('UPDATE scidex.task_events SET actor = ''x'''), attempt('DELETE FROM scidex.audit_log'), attempt('TRUNCATE scidex.sandbox_audit_event');
INSERT INTO scidex.senate_pause (actor, reason, ordered_by) VALUES ('agent-1', 'floods debates', 'senate'), (NULL, 'drill', 'senate');
INSERT INTO scidex.actor_write_trip_event (actor, resource, write_limit, period, writes, response, pause_id) VALUES ('agent-1', 'debate', 10, '1 min', 11, 'paused', 1);
SELECT scidex.is_paused('agent-1'), scidex.is_paused('agent-2');
SELECT attempt('UPDATE scidex.senate_pause SET lifted_at = now() WHERE pause_id = 2');
UPDATE scidex.senate_pause SET lifted_at = now(), lifted_by = 'senate' WHERE pause_id = 2;
SELECT scidex.is_paused('agent-1'), scidex.is_paused('agent-2');
SELECT attempt('UPDATE scidex.senate_pause SET lifted_by = ''x'' WHERE pause_id = 2'), attempt('UPDATE scidex.senate_pause SET reason = ''x'', actor = ''y'' WHERE pause_id = 1'),
       attempt('DELETE FROM scidex.senate_pause'), attempt('TRUNCATE scidex.senate_pause CASCADE');
INSERT INTO scidex.senate_alerts (kind, severity, subject, detail) VALUES ('quota', 'warning', 'agent-1', 'nears its quota');
UPDATE scidex.senate_alerts SET acknowledged_at = now(), acknowledged_by = 'senate' WHERE alert_id = (SELECT min(alert_id) FROM scidex.senate_alerts);
UPDATE scidex.senate_alerts SET resolved_at = now(), resolved_by = 'senate', resolution = 'raised' WHERE kind = 'quota';
SELECT attempt('UPDATE scidex.senate_alerts SET acknowledged_by = ''x'''), attempt('DELETE FROM scidex.senate_alerts');
-- Each of this is an entry of the one chain.
SELECT event_kind, string_agg(op::text, '' ORDER BY seq) AS ops, bool_and(payload IS NOT NULL) AS payloads
FROM auditspine.audit_chain JOIN auditspine.chain USING (chain_id) WHERE name = 'scidex' GROUP BY event_kind ORDER BY event_kind COLLATE "C";

SET timezone = 'UTC';
-- Windows. An entry's time is in its hash; where lanes were set back, runs of before bound the window.
SELECT scidex.window_start('-infinity') AS all, scidex.window_start(now() - interval '1 day') AS day,
       scidex.window_start(now() + interval '1 day') - 1 = max(seq) AS none FROM auditspine.audit_chain;
SELECT scidex.window_start(appended_at) <= seq AS not_too_high FROM auditspine.audit_chain GROUP BY 1;
SELECT * FROM scidex.window_findings();
SELECT attempt($$SELECT scidex.verify_window('2026-01-02 00:00Z', '2026-01-01 00:00Z')$$);
SELECT layer, subject, ok, findings, detail FROM scidex.verify_window();
SELECT layer, subject, ok, findings, detail FROM scidex.verify_everything();
SELECT scope, findings, ok FROM auditspine.verification ORDER BY verification_id;
SELECT layer, ok FROM scidex.verify_window(now() - interval '2 hours', now() - interval '1 hour') WHERE layer = 'links';
SELECT scope FROM auditspine.verification ORDER BY verification_id DESC LIMIT 1;

-- Put right, found in order as a whole, and broken again: that is another occurrence.
CREATE VIEW told AS SELECT subject, layer, finding, chain, lane, seq, event_pk, occurrence FROM scidex.senate_alerts WHERE kind = 'audit_chain_break'
ORDER BY layer, subject, finding, seq, event_pk, occurrence;
ALTER TABLE scidex.audit_log DISABLE TRIGGER auditspine_audit;
SELECT subject, findings, detail FROM scidex.verify_window() WHERE NOT ok;
SELECT subject, findings, detail FROM scidex.verify_window() WHERE NOT ok;
ALTER TABLE scidex.audit_log ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT count(*) FROM scidex.verify_window() WHERE NOT ok;
SELECT count(*) FROM scidex.verify_everything() WHERE NOT ok;
ALTER TABLE scidex.audit_log DISABLE TRIGGER auditspine_audit;
SELECT subject, findings FROM scidex.verify_window() WHERE NOT ok;
ALTER TABLE scidex.audit_log ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT * FROM told;

CREATE PROCEDURE tamper(target regclass, what text) LANGUAGE plpgsql AS $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = target AND NOT tgisinternal LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', target, name);
    END LOOP;
    EXECUTE what;
    FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = target AND NOT tgisinternal LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', target, name);
    END LOOP;
END $$;

-- At the edge of a window a break looks otherwise: the entry behind it is the one that does not fit. It is told as it was.
CALL tamper('auditspine.audit_chain', $$UPDATE auditspine.audit_chain SET event_hash = sha256('x'), chain_hash = sha256(prev_hash || sha256('x') || int8send(seq)) WHERE event_kind = 'scidex.sandbox_audit_event'$$);
SELECT findings FROM scidex.verify_window() WHERE layer = 'alerts';
SELECT n.appended_at AS edge FROM auditspine.audit_chain AS n JOIN auditspine.audit_chain AS e ON n.seq = e.seq + 1 WHERE e.event_kind = 'scidex.sandbox_audit_event' \gset
SELECT finding, event_kind, event_pk FROM scidex.window_findings(:'edge') WHERE layer = 'links';
SELECT findings FROM scidex.verify_window(:'edge') WHERE layer = 'alerts';
SELECT scope, findings, alerts FROM auditspine.verification ORDER BY verification_id DESC LIMIT 1;
SELECT finding, event_kind, event_pk FROM scidex.senate_alerts WHERE layer = 'links' ORDER BY alert_id;

-- Behind the audit's back. What concerns the other installation stays there.
CALL tamper('scidex.artifact_provenance', $$UPDATE scidex.artifact_provenance SET actor = 'nobody' WHERE artifact_id = 'hypothesis:h-4'$$);
CALL tamper('scidex.task_events', $$DELETE FROM scidex.task_events WHERE task_id = 't-2'$$);
CALL tamper('scidex.audit_log', $$INSERT INTO scidex.audit_log (actor, action, object_type) VALUES ('nobody', 'x', 'y')$$);
CALL tamper('scidex_two.audit_log', $$INSERT INTO scidex_two.audit_log (actor, action, object_type) VALUES ('nobody', 'x', 'y')$$);
CALL tamper('auditspine.audit_chain', $$UPDATE auditspine.audit_chain SET appended_at = appended_at - interval '2 days' WHERE event_kind = 'scidex.audit_log' AND event_pk = '2'$$);
SELECT layer, finding, event_kind, event_pk FROM scidex.window_findings() ORDER BY 1, 2, 3, 4;
SELECT layer, subject, ok, findings FROM scidex.verify_window() WHERE ok IS NOT true;
SELECT * FROM told;
SELECT layer, subject, ok, checked, findings FROM scidex.verify_window() WHERE layer = 'alerts';
SELECT layer, subject, ok, checked, findings FROM scidex.verify_everything() WHERE layer = 'alerts';
SELECT scope, findings, alerts FROM auditspine.verification ORDER BY verification_id DESC LIMIT 3;
-- The trigger of the alerts themselves is off: what comes in then is told of once, by the alerts that it repeats.
ALTER TABLE scidex.senate_alerts DISABLE TRIGGER auditspine_audit;
CALL tamper('scidex.task_events', $$DELETE FROM scidex.task_events WHERE task_id = 't-3'$$);
SELECT checked, findings FROM scidex.verify_window() WHERE layer = 'alerts';
SELECT checked, findings FROM scidex.verify_window() WHERE layer = 'alerts';
SELECT checked, findings FROM scidex.verify_window() WHERE layer = 'alerts';
ALTER TABLE scidex.senate_alerts ENABLE ALWAYS TRIGGER auditspine_audit;
-- A table is gone, and so is the chain's name: the cycle goes on, and tells.
BEGIN;
DROP TABLE scidex.sandbox_audit_event;
CALL tamper('auditspine.chain', $$DELETE FROM auditspine.chain WHERE name = 'scidex'$$);
SELECT layer, subject, ok, detail FROM scidex.verify_window() WHERE layer IN ('links', 'alerts') OR subject LIKE '%sandbox%';
ROLLBACK;
BEGIN;
DROP TABLE scidex.sandbox_audit_event;
SELECT finding, event_kind FROM scidex.window_findings() WHERE event_kind LIKE '%sandbox%';
SELECT layer, findings FROM scidex.verify_window() WHERE layer = 'alerts';
SELECT subject, finding, event_kind FROM scidex.senate_alerts WHERE finding = 'table_missing';
ROLLBACK;

-- Heads in two files. What the database has recorded of them is gone as well: the files tell, and the lane is one break.
SELECT current_setting('data_directory') || '/regress_scidex_heads.' AS heads \gset
COPY (SELECT WHERE false) TO PROGRAM 'rm -f regress_scidex_heads.*';
SELECT set_config('auditspine.publish_file', :'heads' || 'one, ' || :'heads' || 'two', false) <> '' AS set;
CREATE VIEW files AS SELECT right(subject, 3) AS file, ok, checked, findings, first_bad_seq, replace(detail, current_setting('data_directory'), '…') AS detail
FROM scidex.verify_window() WHERE layer = 'files';
SELECT * FROM files;
SELECT heads FROM publish_head();
INSERT INTO scidex.task_events (task_id, event, actor) VALUES ('t-9', 'created', 'agent-1');
SELECT heads FROM publish_head();
SELECT * FROM files;
BEGIN;
CALL tamper('auditspine.audit_chain', $$DELETE FROM auditspine.audit_chain WHERE event_kind = 'scidex.task_events' AND event_pk = '7'$$);
CALL tamper('auditspine.publication', $$DELETE FROM auditspine.publication$$);
SELECT file, ok, checked, findings, first_bad_seq > (SELECT max(seq) FROM auditspine.audit_chain JOIN auditspine.chain USING (chain_id) WHERE name = 'scidex') AS at_the_end,
       regexp_replace(detail, '[0-9]+', 'N', 'g') AS detail FROM files;
SELECT subject, layer, finding, event_pk, evidence ->> 'lane' AS lane, evidence ->> 'pos' AS pos FROM scidex.senate_alerts
WHERE finding = 'head_truncated' OR event_pk = '7' ORDER BY alert_id;
SELECT checked, findings FROM scidex.verify_everything() WHERE layer = 'alerts';
-- Somebody has written into one file, and taken the other away.
COPY (SELECT WHERE false) TO PROGRAM 'echo nonsense >> regress_scidex_heads.one; rm regress_scidex_heads.two';
ROLLBACK;
SELECT * FROM files;
SELECT * FROM files;
SELECT layer, replace(subject, :'heads', '…') AS subject, finding, replace(detail, :'heads', '…') AS detail FROM scidex.senate_alerts WHERE layer = 'files' ORDER BY finding;
SET auditspine.publish_file = 'one, two';
SELECT file, ok, detail FROM files;
RESET auditspine.publish_file;
SELECT file, ok, checked, findings FROM files;
COPY (SELECT WHERE false) TO PROGRAM 'rm -f regress_scidex_heads.*';

-- The routine under a role of its own, which may read no files; breaks reach the senate all the same.
CREATE ROLE regress_scidex_runner;
SELECT grant_auditor('regress_scidex_runner');
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA scidex TO regress_scidex_runner;
GRANT SELECT ON scidex.audit_break TO regress_scidex_runner;
GRANT INSERT ON scidex.senate_alerts TO regress_scidex_runner;
CALL tamper('scidex.task_events', $$DELETE FROM scidex.task_events WHERE task_id = 't-5'$$);
SET auditspine.publish_file = '/nosuch/heads';
SET ROLE regress_scidex_runner;
SELECT layer, subject, ok, findings, detail FROM scidex.verify_window() WHERE layer = 'alerts' OR subject = '/nosuch/heads';
RESET ROLE;
RESET auditspine.publish_file;
SELECT finding, event_kind, event_pk FROM scidex.senate_alerts ORDER BY alert_id DESC LIMIT 1;

-- The auditor reads and verifies, and changes nothing.
CREATE ROLE regress_scidex_auditor IN ROLE scidex_audit_ro;
SET ROLE regress_scidex_auditor;
SELECT count(*) FROM scidex.artifact_provenance;
SELECT count(*) > 0 AS told FROM scidex.senate_alerts;
SELECT chain, ok FROM verify_chain('scidex');
SELECT ok, edited FROM verify_table('scidex.artifact_provenance');
SELECT count(*) > 0 AS found FROM scidex.window_findings();
SELECT attempt('SELECT scidex.verify_window()'), attempt('SELECT scidex.verify_everything()'), attempt('SELECT scidex.raise_breaks()'),
       attempt('SELECT scidex.schedule()'), attempt('SELECT publish_head()'), attempt('SELECT audit_chain_append(''k'', ''1'', ''{}'', ''scidex'')'),
       attempt('SELECT audit_detach(''scidex.audit_log'')'), attempt('CREATE TABLE scidex.mine (x integer)') \gx
SELECT t, attempt(format(CASE op WHEN 'I' THEN 'INSERT INTO %s DEFAULT VALUES' WHEN 'U' THEN 'UPDATE %s SET recorded_at = now()' WHEN 'D' THEN 'DELETE FROM %s' ELSE 'TRUNCATE %s' END, t)) AS outcome
FROM unnest(ARRAY['scidex.artifact_provenance', 'scidex.task_events', 'scidex.comment_classifier_runs', 'scidex.sandbox_audit_event',
                  'scidex.actor_write_trip_event', 'scidex.senate_pause', 'scidex.senate_alerts', 'scidex.audit_log']) AS t, unnest('{I,U,D,T}'::text[]) AS op
WHERE attempt(format(CASE op WHEN 'I' THEN 'INSERT INTO %s DEFAULT VALUES' WHEN 'U' THEN 'UPDATE %s SET recorded_at = now()' WHEN 'D' THEN 'DELETE FROM %s' ELSE 'TRUNCATE %s' END, t)) NOT LIKE '42501: permission denied%';
RESET ROLE;

-- Without pg_cron nothing is scheduled, and everything told.
SELECT * FROM scidex.schedule();

DROP ROLE regress_scidex_auditor;
DROP OWNED BY scidex_audit_ro, regress_scidex_owner, regress_scidex_runner;
DROP ROLE scidex_audit_ro, regress_scidex_owner, regress_scidex_runner;
