-- Blueprint stellaops, schemas policy, scheduler, notify and orchestrator: the statements that somebody writes who knows
-- the document and nothing else. None may fail, neither for a superuser nor for an application with the rights of the page.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset format unaligned
SELECT install_blueprint('stellaops');
CREATE ROLE regress_auditspine_stellaops;
GRANT USAGE ON SCHEMA policy, scheduler, notify, orchestrator TO regress_auditspine_stellaops;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA policy, scheduler, notify, orchestrator TO regress_auditspine_stellaops;

-- The names stand by themselves, too.
SET search_path = policy, scheduler, notify, orchestrator;
SET ROLE regress_auditspine_stellaops;

-- Policies: every column; the required ones; the life cycle.
INSERT INTO policies (policy_id, tenant_id, name, version, state, yaml_content, compiled_ir, ir_hash, created_at, updated_at) VALUES
    ('00000000-0000-4000-8000-00000000a001', '00000000-0000-4000-8000-00000000000a', 'baseline', 3, 'ACTIVE', E'rules:\n  - block: critical\n',
     '{"rules": [{"block": "critical"}]}', 'sha256:0011', '2025-01-02 03:04:05+00', '2025-01-02 03:04:05+00');
INSERT INTO policies (policy_id, tenant_id) VALUES ('00000000-0000-4000-8000-00000000a002', '00000000-0000-4000-8000-00000000000a');
INSERT INTO policies (policy_id, tenant_id, name, version, state, yaml_content, compiled_ir, ir_hash, created_at, updated_at)
    VALUES ('00000000-0000-4000-8000-00000000a003', '00000000-0000-4000-8000-00000000000b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE policies SET name = 'strict', yaml_content = 'rules: []', updated_at = now() WHERE policy_id = '00000000-0000-4000-8000-00000000a002';
UPDATE policies SET compiled_ir = '{"rules": []}', ir_hash = repeat('ab', 32) WHERE policy_id = '00000000-0000-4000-8000-00000000a002';
UPDATE policies SET state = 'SHADOW', updated_at = now() WHERE policy_id = '00000000-0000-4000-8000-00000000a002';
UPDATE policies SET state = 'ACTIVE' WHERE policy_id = '00000000-0000-4000-8000-00000000a002';
UPDATE policies SET state = 'ENFORCING' WHERE policy_id = '00000000-0000-4000-8000-00000000a002';
UPDATE policies SET version = version + 1, yaml_content = 'rules: [1]', compiled_ir = '{"rules": [1]}', ir_hash = repeat('cd', 32) WHERE policy_id = '00000000-0000-4000-8000-00000000a002';
UPDATE policies SET state = 'DRAFT' WHERE policy_id = '00000000-0000-4000-8000-00000000a002';
UPDATE policies SET state = 'ACTIVE' WHERE policy_id = '00000000-0000-4000-8000-00000000a002';
SELECT right(policy_id::text, 4) AS policy_id, right(tenant_id::text, 1) AS tenant_id, name, version, state, yaml_content, compiled_ir, left(ir_hash, 12) AS ir_hash,
       created_at IS NOT NULL AS created_at, updated_at IS NOT NULL AS updated_at FROM policies ORDER BY policy_id;

-- Runs: begun, taken up again, completed.
INSERT INTO policy_runs (run_id, policy_id, tenant_id, cursor, stats, determinism_hash, started_at, completed_at) VALUES
    ('00000000-0000-4000-8000-00000000b001', '00000000-0000-4000-8000-00000000a001', '00000000-0000-4000-8000-00000000000a', '{"offset": 100}', '{"findings": 12}',
     'sha256:0022', '2025-01-02 03:04:05+00', '2025-01-02 03:05:05+00');
INSERT INTO policy_runs (run_id, tenant_id) VALUES ('00000000-0000-4000-8000-00000000b002', '00000000-0000-4000-8000-00000000000a');
INSERT INTO policy_runs (run_id, policy_id, tenant_id, started_at) VALUES
    ('00000000-0000-4000-8000-00000000b003', '00000000-0000-4000-8000-00000000a002', '00000000-0000-4000-8000-00000000000a', now());
UPDATE policy_runs SET cursor = '{"offset": 50}', stats = '{"findings": 1}' WHERE run_id = '00000000-0000-4000-8000-00000000b003';
UPDATE policy_runs SET completed_at = now(), cursor = NULL, stats = '{"findings": 2}', determinism_hash = repeat('ef', 32) WHERE run_id = '00000000-0000-4000-8000-00000000b003';
UPDATE policy_runs SET stats = '{"findings": 2, "seconds": 1}', completed_at = now() WHERE run_id = '00000000-0000-4000-8000-00000000b003';
SELECT right(run_id::text, 4) AS run_id, right(policy_id::text, 4) AS policy_id, cursor, stats, left(determinism_hash, 12) AS determinism_hash,
       started_at IS NOT NULL AS started_at, completed_at IS NOT NULL AS completed_at FROM policy_runs ORDER BY run_id;

-- Exceptions, and those who approve.
INSERT INTO exceptions (exception_id, tenant_id, policy_id, component_purl, vulnerability_id, effect, approval_level, expires_at, created_at, created_by) VALUES
    ('00000000-0000-4000-8000-00000000c001', '00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000a001', 'pkg:npm/left-pad@1.3.0', 'CVE-2024-0001',
     'suppress', 'G2', '2100-01-01 00:00+00', '2025-01-02 03:04:05+00', 'rita');
INSERT INTO exceptions (exception_id, tenant_id) VALUES ('00000000-0000-4000-8000-00000000c002', '00000000-0000-4000-8000-00000000000a');
INSERT INTO exceptions (exception_id, tenant_id, policy_id, component_purl, vulnerability_id, effect, approval_level, expires_at, created_by)
SELECT ('00000000-0000-4000-8000-00000000c00' || n)::uuid, '00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-0000000000ff', 'pkg:npm/x', 'CVE-2024-000' || n, effect, level, expires_at, 'rita'
FROM (VALUES (3, 'defer', 'G0', '2025-06-30'::timestamptz), (4, 'downgrade', 'G1', '2100-01-01'), (5, 'require_control', 'G3', NULL), (6, 'suppress', 'G4', '2100-01-01'), (7, 'suppress', 'G0', NULL)) AS v (n, effect, level, expires_at);
INSERT INTO exception_approval_audit (audit_id, exception_id, approval_level, approver_id, approved_at, comment) VALUES
    ('00000000-0000-4000-8000-00000000d001', '00000000-0000-4000-8000-00000000c001', 'G2', 'somebody@example.org', '2025-01-03 03:04:05+00', 'seen');
INSERT INTO exception_approval_audit (audit_id) VALUES ('00000000-0000-4000-8000-00000000d002');
INSERT INTO exception_approval_audit (audit_id, exception_id, approver_id) VALUES ('00000000-0000-4000-8000-00000000d003', '00000000-0000-4000-8000-00000000c003', 'somebody else');
UPDATE exceptions SET expires_at = '2101-01-01' WHERE exception_id = '00000000-0000-4000-8000-00000000c001';
UPDATE exceptions SET effect = 'suppress', approval_level = 'G1', vulnerability_id = 'CVE-2024-0002', created_by = 'rita' WHERE exception_id = '00000000-0000-4000-8000-00000000c002';
UPDATE exceptions SET expires_at = now() WHERE exception_id = '00000000-0000-4000-8000-00000000c007';
SELECT right(exception_id::text, 4) AS exception_id, right(policy_id::text, 4) AS policy_id, component_purl, vulnerability_id, effect, approval_level, date_part('year', expires_at) AS expires, created_by FROM exceptions ORDER BY exception_id;
SELECT right(audit_id::text, 4) AS audit_id, right(exception_id::text, 4) AS exception_id, approval_level, approver_id, approved_at IS NOT NULL AS approved_at, comment FROM exception_approval_audit ORDER BY audit_id;
-- Who approves is a client of the tenant, by its id or its name, with the scope; then it takes effect. That takes sight of the clients.
RESET ROLE;
GRANT USAGE ON SCHEMA authority TO regress_auditspine_stellaops;
GRANT SELECT ON authority.clients TO regress_auditspine_stellaops;
INSERT INTO authority.clients (client_id, tenant_id, name, scopes) VALUES
    ('00000000-0000-4000-8000-00000000e001', '00000000-0000-4000-8000-00000000000a', 'ann', '{exception:approver}'),
    ('00000000-0000-4000-8000-00000000e002', '00000000-0000-4000-8000-00000000000a', 'sue', '{exception:security}'),
    ('00000000-0000-4000-8000-00000000e003', '00000000-0000-4000-8000-00000000000b', 'ben', '{exception:approver}');
SET ROLE regress_auditspine_stellaops;
INSERT INTO exception_approval_audit (audit_id, exception_id, approval_level, approver_id, approved_at, comment) VALUES
    ('00000000-0000-4000-8000-00000000d004', '00000000-0000-4000-8000-00000000c001', 'G2', 'ben', now(), 'of another tenant'),
    ('00000000-0000-4000-8000-00000000d005', '00000000-0000-4000-8000-00000000c001', 'G2', 'ann', now(), 'is not called'),
    ('00000000-0000-4000-8000-00000000d006', '00000000-0000-4000-8000-00000000c001', 'G2', '00000000-0000-4000-8000-00000000E001', now(), 'the same one again'),
    ('00000000-0000-4000-8000-00000000d007', '00000000-0000-4000-8000-00000000c005', 'G1', 'sue', now(), 'for less than it asks for');
SELECT right(exception_id::text, 4) AS exception_id, exception_state, missing_approvals(e) FROM exceptions AS e ORDER BY exception_id;
INSERT INTO exception_approval_audit (audit_id, exception_id, approval_level, approver_id, approved_at, comment) VALUES
    ('00000000-0000-4000-8000-00000000d008', '00000000-0000-4000-8000-00000000c001', 'G2', 'sue', now(), NULL);
SELECT right(exception_id::text, 4) AS exception_id FROM exceptions_in_force ORDER BY 1;

-- Joined by the names that they share: a name that the document has once in a schema is there once.
SELECT DISTINCT name, state, ir_hash, determinism_hash, effect, approver_id FROM policies JOIN policy_runs USING (policy_id, tenant_id) JOIN exceptions USING (policy_id, tenant_id) JOIN exception_approval_audit USING (exception_id) WHERE approver_id = 'sue';

-- Findings that count now: the tables of a policy are made when it needs them.
RESET ROLE;
SELECT create_effective_finding('00000000-0000-4000-8000-00000000a001');
GRANT SELECT, INSERT, UPDATE, DELETE ON "effective_finding_00000000-0000-4000-8000-00000000a001" TO regress_auditspine_stellaops;
GRANT SELECT, INSERT ON "effective_finding_00000000-0000-4000-8000-00000000a001_history" TO regress_auditspine_stellaops;
SET ROLE regress_auditspine_stellaops;
INSERT INTO "effective_finding_00000000-0000-4000-8000-00000000a001" (component_purl, vulnerability_id, status, severity, action, run_id) VALUES
    ('pkg:npm/left-pad@1.3.0', 'CVE-2024-0001', 'affected', 'critical', 'block', '00000000-0000-4000-8000-00000000b001');
UPDATE "effective_finding_00000000-0000-4000-8000-00000000a001" SET action = 'pass', exception_id = '00000000-0000-4000-8000-00000000c001';
SELECT component_purl, vulnerability_id, status, severity, action, right(exception_id::text, 4) AS exception_id FROM "effective_finding_00000000-0000-4000-8000-00000000a001";
SELECT op, component_purl, action, right(exception_id::text, 4) AS exception_id FROM "effective_finding_00000000-0000-4000-8000-00000000a001_history" ORDER BY version_id;

-- Schedules, runs and what they add up to.
INSERT INTO schedules (schedule_id, tenant_id, name, enabled, cron_expression, timezone, mode, selection, notify, limits, created_at, updated_at) VALUES
    ('sch_Nightly:1', '00000000-0000-4000-8000-00000000000a', 'Nightly', true, '0 0 2 * * ? *', 'Europe/Vienna', 'analysis-only', '{"scope": "all-images"}', '{"onNewFindings": true}', '{"maxJobs": 100}', now(), now());
INSERT INTO schedules (schedule_id, tenant_id) VALUES ('s2', '00000000-0000-4000-8000-00000000000a');
UPDATE schedules SET enabled = false, cron_expression = '@daily', mode = 'content-refresh', updated_at = now() WHERE schedule_id = 's2';
INSERT INTO runs (run_id, tenant_id, schedule_id, trigger, state, stats, deltas, created_at, started_at, finished_at, error) VALUES
    ('run_1', '00000000-0000-4000-8000-00000000000a', 'sch_Nightly:1', 'cron', 'completed', '{"candidates": 7}', '{"new": []}', now(), now(), now(), NULL);
INSERT INTO runs (run_id, tenant_id) VALUES ('run_2', '00000000-0000-4000-8000-00000000000a');
INSERT INTO runs (run_id, tenant_id, schedule_id, trigger, state, created_at) VALUES ('run_3', '00000000-0000-4000-8000-00000000000a', 's2', 'conselier', 'planning', now());
UPDATE runs SET state = 'queued' WHERE run_id = 'run_3';
UPDATE runs SET state = 'running', started_at = now() WHERE run_id = 'run_3';
UPDATE runs SET state = 'error', finished_at = now(), error = 'no worker' WHERE run_id = 'run_3';
UPDATE runs SET state = 'completed' WHERE run_id = 'run_2';
INSERT INTO run_summaries (summary_id, tenant_id, schedule_id, last_run, recent, counters, updated_at) VALUES
    ('00000000-0000-4000-8000-00000000000a:sch_Nightly:1', '00000000-0000-4000-8000-00000000000a', 'sch_Nightly:1', '{"runId": "run_1"}', ARRAY['{"runId": "run_0"}', '{"runId": "run_9"}']::jsonb[], '{"total": 1}', now());
INSERT INTO run_summaries (summary_id, tenant_id) VALUES ('x', '00000000-0000-4000-8000-00000000000a');
INSERT INTO run_summaries (summary_id, tenant_id, schedule_id, counters) VALUES ('00000000-0000-4000-8000-00000000000a:sch_Nightly:1', '00000000-0000-4000-8000-00000000000a', 'sch_Nightly:1', '{"total": 2}')
    ON CONFLICT (summary_id) DO UPDATE SET counters = excluded.counters, recent = array_prepend(run_summaries.last_run, run_summaries.recent), last_run = '{"runId": "run_3"}', updated_at = now();
SELECT schedule_id, name, enabled, cron_expression, timezone, mode, selection, notify, limits FROM schedules ORDER BY schedule_id;
SELECT run_id, schedule_id, trigger, state, stats, deltas, started_at IS NOT NULL AS started_at, finished_at IS NOT NULL AS finished_at, error FROM runs ORDER BY run_id;
SELECT summary_id, schedule_id, last_run, recent, counters FROM run_summaries ORDER BY summary_id;
INSERT INTO impact_snapshots DEFAULT VALUES;
SELECT name, cron_expression, trigger, state, finished_at IS NOT NULL AS finished, counters FROM schedules JOIN runs USING (schedule_id, tenant_id) JOIN run_summaries USING (schedule_id, tenant_id) WHERE state = 'completed';

-- Who is told.
INSERT INTO rules (rule_id, tenant_id, name, match, actions, enabled, created_at, updated_at, deleted_at) VALUES
    ('00000000-0000-4000-8000-00000000f001', '00000000-0000-4000-8000-00000000000a', 'critical', '{"eventKinds": ["scanner.report.ready"], "minSeverity": "critical"}', '[{"channel": "ops"}]', true, now(), now(), NULL);
INSERT INTO rules (rule_id, tenant_id) VALUES ('00000000-0000-4000-8000-00000000f002', '00000000-0000-4000-8000-00000000000a');
UPDATE rules SET enabled = false, updated_at = now() WHERE rule_id = '00000000-0000-4000-8000-00000000f002';
UPDATE rules SET deleted_at = now() WHERE rule_id = '00000000-0000-4000-8000-00000000f002';
INSERT INTO channels (channel_id, tenant_id, name, type, config, created_at, updated_at, deleted_at) VALUES
    ('00000000-0000-4000-8000-00000000f101', '00000000-0000-4000-8000-00000000000a', 'ops', 'slack', '{"target": "#ops"}', now(), now(), NULL);
INSERT INTO channels (channel_id, tenant_id) VALUES ('00000000-0000-4000-8000-00000000f102', '00000000-0000-4000-8000-00000000000a');
INSERT INTO channels (channel_id, tenant_id, type) SELECT ('00000000-0000-4000-8000-00000000f10' || n)::uuid, '00000000-0000-4000-8000-00000000000a', type FROM (VALUES (3, 'teams'), (4, 'email'), (5, 'webhook')) AS v (n, type);
UPDATE channels SET config = '{"target": "https://example.org/hook"}', updated_at = now() WHERE type = 'webhook';
UPDATE channels SET deleted_at = now() WHERE type IS NULL;
INSERT INTO templates (template_id, channel_type, key, locale, render_mode, body, created_at, updated_at) VALUES
    ('00000000-0000-4000-8000-00000000f201', 'slack', 'finding.new', 'en-us', 'markdown', '*{{ severity }}*', now(), now());
INSERT INTO templates (template_id) VALUES ('00000000-0000-4000-8000-00000000f202');
UPDATE templates SET body = '{{ severity }}', updated_at = now() WHERE key = 'finding.new';
INSERT INTO delivery_log (delivery_id, rule_id, channel_id, event_id, status, delivered_at, error) VALUES
    ('00000000-0000-4000-8000-00000000f301', '00000000-0000-4000-8000-00000000f001', '00000000-0000-4000-8000-00000000f101', '00000000-0000-4000-8000-00000000f401', 'sent', now(), NULL);
INSERT INTO delivery_log (delivery_id) VALUES ('00000000-0000-4000-8000-00000000f302');
INSERT INTO delivery_log (delivery_id, rule_id, channel_id, event_id, status) VALUES
    ('00000000-0000-4000-8000-00000000f303', '00000000-0000-4000-8000-00000000f001', '00000000-0000-4000-8000-00000000f105', gen_random_uuid(), 'pending');
UPDATE delivery_log SET status = 'failed', error = 'timeout' WHERE delivery_id = '00000000-0000-4000-8000-00000000f303';
UPDATE delivery_log SET status = 'delivered', error = NULL, delivered_at = now() WHERE delivery_id = '00000000-0000-4000-8000-00000000f303';
SELECT right(rule_id::text, 4) AS rule_id, name, match, actions, enabled, deleted_at IS NOT NULL AS deleted FROM rules ORDER BY rule_id;
SELECT right(channel_id::text, 4) AS channel_id, name, type, config, deleted_at IS NOT NULL AS deleted FROM channels ORDER BY channel_id;
SELECT right(template_id::text, 4) AS template_id, channel_type, key, locale, render_mode, body FROM templates ORDER BY template_id;
SELECT right(delivery_id::text, 4) AS delivery_id, right(rule_id::text, 4) AS rule_id, right(channel_id::text, 4) AS channel_id, event_id IS NOT NULL AS event_id, status, delivered_at IS NOT NULL AS delivered_at, error FROM delivery_log ORDER BY delivery_id;

SELECT match, config, status FROM rules JOIN delivery_log USING (rule_id) JOIN channels USING (channel_id) ORDER BY status;

-- Of the orchestrator's tables the document has the names alone.
INSERT INTO workflows DEFAULT VALUES;
INSERT INTO tasks DEFAULT VALUES;
INSERT INTO task_runs DEFAULT VALUES;
SELECT count(*) FROM workflows, tasks, task_runs;
SELECT version, applied_at IS NOT NULL AS applied_at, length(checksum) AS checksum FROM policy.schema_migrations;
INSERT INTO policy.schema_migrations (version, description, applied_at, checksum) VALUES (1, 'by a tool', now(), repeat('0', 64));
INSERT INTO policy.schema_migrations (version) VALUES (2);

-- What may go, goes; what is evidence stays.
DELETE FROM schedules WHERE schedule_id NOT IN (SELECT schedule_id FROM runs WHERE schedule_id IS NOT NULL);
DELETE FROM rules WHERE deleted_at IS NOT NULL;
DELETE FROM templates WHERE key IS NULL;
DELETE FROM policies WHERE tenant_id = '00000000-0000-4000-8000-00000000000b';
DELETE FROM exception_approval_audit;
DELETE FROM policy_runs;
DELETE FROM delivery_log;
RESET ROLE;
TRUNCATE delivery_log;
RESET search_path;

-- All of it is in the chain; and one change behind its back is found.
SELECT count(*) FROM verify_all() WHERE NOT ok;
ALTER TABLE policy.policies DISABLE TRIGGER USER;
UPDATE policy.policies SET state = 'DRAFT' WHERE name = 'baseline';
ALTER TABLE policy.policies ENABLE TRIGGER USER;
ALTER TABLE policy.policies ENABLE ALWAYS TRIGGER auditspine_audit;
ALTER TABLE policy.policies ENABLE ALWAYS TRIGGER auditspine_truncate;
SELECT layer, subject, findings FROM verify_all() WHERE NOT ok;
SELECT finding, recorded ->> 'state' AS recorded, current ->> 'state' AS current FROM verify_table_findings('policy.policies');
DROP OWNED BY regress_auditspine_stellaops;
DROP ROLE regress_auditspine_stellaops;
