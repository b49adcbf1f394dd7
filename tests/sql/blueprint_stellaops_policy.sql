-- Blueprint stellaops: policies, their runs and findings; exceptions and their approvals.
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
-- What somebody does who owns the database: with the triggers off, which are on again afterwards as they were.
CREATE FUNCTION tamper(tab regclass, command text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE t name; always name[] := ARRAY(SELECT tgname FROM pg_trigger WHERE tgrelid = tab AND tgenabled = 'A');
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', tab);
    EXECUTE command;
    EXECUTE format('ALTER TABLE %s ENABLE TRIGGER ALL', tab);
    FOREACH t IN ARRAY always LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', tab, t);
    END LOOP;
END $$;
SELECT install_blueprint('stellaops');
CREATE FUNCTION id(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT lpad(n::text, 32, '0')::uuid $$;
CREATE FUNCTION tenant() RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT '00000000-0000-4000-8000-00000000000a'::uuid $$;
INSERT INTO authority.clients (tenant_id, name, scopes)
SELECT tenant(), name, scopes::text[] FROM (VALUES
    ('rita', '{}'), ('ann', '{exception:approver}'), ('ben', '{exception:approver}'), ('cleo', '{exception:approver}'),
    ('sue', '{exception:security,exception:approver}'), ('olga', '{exception:owner}'), ('eve', '{exception:executive}')) AS v (name, scopes);
CREATE FUNCTION base() RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT '00000000-0000-4000-8000-0000000000b1'::uuid $$;
CREATE FUNCTION given() RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT '00000000-0000-4000-8000-0000000000b2'::uuid $$;

-- Policies: the hash is filled, and follows its content; one that was given is left; what is no draft is changed with its version only.
INSERT INTO policy.policies (policy_id, tenant_id, name, compiled_ir) VALUES (base(), tenant(), 'base', '{"rules": [{"status": "affected", "action": "block"}]}');
INSERT INTO policy.policies (policy_id, tenant_id, name, compiled_ir, ir_hash) SELECT given(), tenant(), 'given', d, authority.digest(d) FROM (VALUES ('[1.0, 2]'::jsonb)) AS v (d);
CREATE FUNCTION standing() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', state, version, compiled_ir, CASE WHEN ir_hash = authority.digest(compiled_ir) THEN 'by digest' ELSE left(ir_hash, 15) END) FROM policy.policies WHERE policy_id = base() $$;
SELECT name, version, state, ir_hash = 'sha256:' || encode(canonical_json_hash(compiled_ir), 'hex') AS right FROM policy.policies ORDER BY name;
\pset tuples_only on
SELECT attempt(statement), standing() FROM (VALUES
    ($$INSERT INTO policy.policies (tenant_id, name, compiled_ir, ir_hash) VALUES (tenant(), 'other', '{}', 'md5:0')$$),
    ($$INSERT INTO policy.policies (tenant_id, name, compiled_ir, state) VALUES (tenant(), 'live', '{}', 'ACTIVE')$$),
    ($$INSERT INTO policy.policies (tenant_id, state) VALUES (tenant(), 'active')$$),
    ($$INSERT INTO policy.policies (name) VALUES ('of nobody')$$),
    ($$UPDATE policy.policies SET compiled_ir = '{"rules": []}' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET compiled_ir = '{"rules": [{"action": "block", "status": "affected"}]}', ir_hash = NULL WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET ir_hash = 'sha256:' || repeat('0', 64) WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET compiled_ir = '{"rules": [1]}' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET ir_hash = NULL WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET state = 'SHADOW' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET yaml_content = 'rules: [1]' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET yaml_content = 'rules: [2]' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET state = 'ENFORCING', compiled_ir = '{}' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET state = 'ENFORCING' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET compiled_ir = '{}' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET ir_hash = 'x' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET compiled_ir = NULL WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET compiled_ir = '{}', version = 1 WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET compiled_ir = '{}', state = 'DRAFT' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET compiled_ir = '{"rules": [2]}', yaml_content = 'rules: [2]', version = 2 WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET state = 'RETIRED' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET state = 'DRAFT' WHERE policy_id = base()$$),
    ($$UPDATE policy.policies SET compiled_ir = '{"rules": []}', state = 'SHADOW' WHERE policy_id = base()$$)) AS v (statement);
-- Whose hash is of another formula.
SELECT name FROM policy.policies WHERE ir_hash <> authority.digest(compiled_ir);
\pset tuples_only off
SELECT op, payload ->> 'state' AS state, payload ->> 'version' AS version, changed ? 'compiled_ir' AS ir_changed FROM audit_history('policy.policies', base()::text);

-- Runs.
INSERT INTO policy.policy_runs (run_id, tenant_id, policy_id, inputs, outputs, completed_at) VALUES
    ('00000000-0000-0000-0000-000000000001', tenant(), base(), '{"a": 1}', '{"block": 1}', now()), ('00000000-0000-0000-0000-000000000002', tenant(), base(), '{"a": 1.0}', '{"block": 1}', now());
-- One that is begun, and completed later.
INSERT INTO policy.policy_runs (run_id, tenant_id, policy_id, inputs) VALUES ('00000000-0000-0000-0000-000000000003', tenant(), base(), '{"a": 2}');
UPDATE policy.policy_runs SET outputs = '{"block": 1}', completed_at = now() WHERE completed_at IS NULL;
SELECT right(run_id::text, 1) AS run, policy_state, policy_ir_hash = (SELECT ir_hash FROM policy.policies WHERE policy_id = base()) AS ir,
       inputs_hash = 'sha256:' || encode(canonical_json_hash(inputs), 'hex') AS inputs,
       determinism_hash = 'sha256:' || encode(canonical_json_hash(jsonb_build_array(policy_id, policy_ir_hash, inputs, outputs)), 'hex') AS determinism,
       determinism_hash = policy.run_digest(policy_id, policy_ir_hash, inputs, outputs) AS by_function,
       determinism_hash = first_value(determinism_hash) OVER (ORDER BY run_id) AS as_the_first
FROM policy.policy_runs ORDER BY run_id;
SELECT * FROM policy.undetermined_runs;
INSERT INTO policy.policy_runs (run_id, tenant_id, policy_id, inputs, outputs) VALUES ('00000000-0000-0000-0000-000000000004', tenant(), base(), '{"a": 2}', '{"block": 0}');
SELECT policy_id, runs, outcomes, run_ids FROM policy.undetermined_runs;
\pset tuples_only on
SELECT attempt(statement) FROM (VALUES
    ($$INSERT INTO policy.policy_runs (tenant_id, policy_id, inputs, outputs, determinism_hash) VALUES (tenant(), base(), '{}', '{}', 'sha256:' || repeat('0', 64))$$),
    ($$INSERT INTO policy.policy_runs (tenant_id, policy_id, policy_ir_hash) VALUES (tenant(), given(), 'sha256:' || repeat('0', 64))$$),
    ($$INSERT INTO policy.policy_runs (tenant_id, policy_id, policy_state) VALUES (tenant(), given(), 'ACTIVE')$$),
    ($$INSERT INTO policy.policy_runs (tenant_id, policy_id) VALUES (tenant(), tenant())$$),
    ($$INSERT INTO policy.policy_runs (policy_id) VALUES (base())$$),
    ($$INSERT INTO policy.policy_runs (tenant_id, policy_id, determinism_hash) VALUES (tenant(), NULL, 'of my own')$$),
    ($$UPDATE policy.policy_runs SET outputs = '{"block": 0}' WHERE run_id = id(1)$$),
    ($$UPDATE policy.policy_runs SET determinism_hash = 'x' WHERE run_id = id(1)$$),
    ($$UPDATE policy.policy_runs SET policy_id = given() WHERE run_id = id(1)$$),
    ($$UPDATE policy.policy_runs SET completed_at = NULL WHERE run_id = id(1)$$),
    ($$UPDATE policy.policy_runs SET stats = '{"findings": 1}' WHERE run_id = id(1)$$),
    ($$UPDATE policy.policy_runs SET outputs = '{}' WHERE run_id = id(4)$$),
    ($$DELETE FROM policy.policy_runs$$)) AS v (statement);
\pset tuples_only off

-- Effective findings: a table and its history.
SELECT policy.create_effective_finding(base());
SELECT policy.create_effective_finding(base());
SELECT attempt('SELECT policy.create_effective_finding(tenant())'), attempt('SELECT policy.create_effective_finding(NULL)');
CREATE TABLE policy."effective_finding_00000000-0000-4000-8000-0000000000b2_history" (id integer);
SELECT attempt($$SELECT policy.create_effective_finding(given())$$);
DROP TABLE policy."effective_finding_00000000-0000-4000-8000-0000000000b2_history";
SELECT kind, payload, append_only, obj_description(table_name, 'pg_class') FROM auditspine.audited_table WHERE kind LIKE 'policy.effective%' ORDER BY kind;
INSERT INTO policy."effective_finding_00000000-0000-4000-8000-0000000000b1" (component_purl, vulnerability_id, status, severity, action, run_id) VALUES
    ('pkg:golang/x', 'CVE-1', 'affected', 'high', 'block', '00000000-0000-0000-0000-000000000001'), ('pkg:golang/y', 'CVE-1', 'affected', 'low', 'warn', '00000000-0000-0000-0000-000000000001');
UPDATE policy."effective_finding_00000000-0000-4000-8000-0000000000b1" SET severity = 'critical' WHERE component_purl = 'pkg:golang/x';
UPDATE policy."effective_finding_00000000-0000-4000-8000-0000000000b1" SET severity = severity;
UPDATE policy."effective_finding_00000000-0000-4000-8000-0000000000b1" SET component_purl = 'pkg:golang/z' WHERE component_purl = 'pkg:golang/y';
DELETE FROM policy."effective_finding_00000000-0000-4000-8000-0000000000b1" WHERE component_purl = 'pkg:golang/x';
TRUNCATE policy."effective_finding_00000000-0000-4000-8000-0000000000b1";
SELECT op, component_purl, vulnerability_id, status, severity, action, right(run_id::text, 1) AS run, changed_by = session_user AS by_me FROM policy."effective_finding_00000000-0000-4000-8000-0000000000b1_history" ORDER BY version_id;
SELECT attempt('DELETE FROM policy."effective_finding_00000000-0000-4000-8000-0000000000b1_history"');
SELECT attempt($$INSERT INTO policy."effective_finding_00000000-0000-4000-8000-0000000000b1" (component_purl, vulnerability_id, status, severity, action, run_id) VALUES ('x', 'y', 'affected', 'high', 'ignore', '00000000-0000-0000-0000-000000000001')$$);
SELECT attempt($$INSERT INTO policy."effective_finding_00000000-0000-4000-8000-0000000000b1" (component_purl, vulnerability_id, status, severity, action, run_id) VALUES ('x', 'y', 'affected', 'high', 'block', gen_random_uuid())$$);
-- The names are no longer than PostgreSQL's names may be.
SELECT count(*), max(length(relname)) FROM pg_class WHERE relname LIKE 'effective\_finding\_%' AND relkind = 'r';

-- Exceptions: what each level asks for.
CREATE FUNCTION request(n integer, level text, effect text DEFAULT 'suppress') RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO policy.exceptions (exception_id, tenant_id, policy_id, vulnerability_id, effect, approval_level, created_by, reason, expires_at, exception_state, defer_until, downgrade_to, control)
    VALUES (format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0'))::uuid, tenant(), base(), 'CVE-' || n, effect, level, 'rita', 'a test', '2100-01-01', 'proposed',
            CASE effect WHEN 'defer' THEN '2099-01-01'::timestamptz END, CASE effect WHEN 'downgrade' THEN 'low' END, CASE effect WHEN 'require_control' THEN 'firewall' END)
    RETURNING exception_id $$;
CREATE FUNCTION decide(n integer, approver text, decision text DEFAULT 'approve', capacity text DEFAULT 'approver') RETURNS text LANGUAGE sql AS $$
    SELECT attempt(format('INSERT INTO policy.exception_approval_audit (exception_id, approver_id, decision, capacity) VALUES (%L, %L, %L, %L)',
        format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0')), approver, decision, capacity)) $$;
CREATE FUNCTION act(n integer, change text DEFAULT 'exception_state = ''effective''') RETURNS text LANGUAGE sql AS $$
    SELECT attempt(format('UPDATE policy.exceptions SET %s WHERE vulnerability_id = %L', change, 'CVE-' || n)) $$;
CREATE FUNCTION state(n integer) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', exception_state, CASE WHEN effective_from IS NOT NULL THEN 'from then' END, 'decisions ' || decisions, policy.missing_approvals(e)::text) FROM policy.exceptions AS e WHERE vulnerability_id = 'CVE-' || n $$;
\pset tuples_only on
SELECT request(n, 'G' || n, (ARRAY['suppress', 'defer', 'downgrade', 'require_control', 'suppress'])[n + 1]) IS NOT NULL FROM generate_series(0, 4) AS n;
SELECT n, policy.missing_approvals(e) FROM generate_series(0, 4) AS n JOIN policy.exceptions AS e ON vulnerability_id = 'CVE-' || n ORDER BY n;
SELECT act(n) FROM generate_series(0, 4) AS n ORDER BY n;
-- Who may decide, and who not.
SELECT decide(1, 'rita'), decide(1, 'nobody'), decide(1, 'olga'), decide(1, 'ann', capacity => 'security'), decide(1, 'ann', 'revoke'), decide(9, 'ann');
UPDATE authority.clients SET enabled = false WHERE name = 'ann';
SELECT decide(1, 'ann');
UPDATE authority.clients SET enabled = true WHERE name = 'ann';
SELECT decide(1, 'ann'), act(1), state(1);
-- G2: two, and not one twice. G3: one as security. G4: three, and an owner or executive.
SELECT decide(2, 'ann'), decide(2, 'ann'), act(2);
SELECT decide(2, 'ben'), act(2), state(2);
SELECT decide(3, 'ann'), decide(3, 'ben'), decide(3, 'cleo'), act(3);
SELECT decide(3, 'sue'), act(3);
SELECT decide(3, 'sue', capacity => 'security'), act(3), state(3);
SELECT decide(4, 'sue', capacity => 'security'), decide(4, 'olga', capacity => 'owner'), act(4);
SELECT decide(4, 'ann'), act(4), state(4);
-- One who has approved as security and then as owner counts as owner only.
SELECT request(5, 'G4') IS NOT NULL;
UPDATE authority.clients SET scopes = scopes || '{exception:owner}' WHERE name = 'sue';
SELECT decide(5, 'ann'), decide(5, 'ben'), decide(5, 'sue', capacity => 'security'), act(5);
SELECT decide(5, 'sue', capacity => 'owner'), state(5);
SELECT decide(5, 'eve', capacity => 'executive'), decide(5, 'sue', capacity => 'security'), act(5), state(5);
-- An approval that is taken back, or a rejection, takes it out of effect at once; a rejection stands against any number of approvals.
SELECT decide(2, 'ben', 'revoke'), state(2);
SELECT decide(2, 'cleo'), act(2), state(2);
SELECT decide(2, 'sue', 'reject', 'security'), state(2), act(2);
SELECT decide(2, 'sue', 'revoke'), act(2), state(2);
SELECT decide(0, 'ann', 'reject'), state(0), act(0);
SELECT decision_no, approver_id, capacity, decision FROM policy.exception_approval_audit AS a JOIN policy.exceptions USING (exception_id) WHERE vulnerability_id = 'CVE-2' ORDER BY 1;
-- Other terms than were approved: it is proposed again. Each is taken back here, to try the next.
CREATE FUNCTION altered(n integer, change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE got text; BEGIN
    got := act(n, change);
    IF got = 'done' THEN
        got := (SELECT e.exception_state || ' ' || policy.missing_approvals(e)::text FROM policy.exceptions AS e WHERE exception_id = id(n));
    END IF;
    RAISE SQLSTATE 'ZZZZZ' USING MESSAGE = got;
EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN
    RETURN SQLERRM;
END $$;
SELECT change, altered(1, change) FROM (VALUES ($$approval_level = 'G0'$$), ($$approval_level = NULL$$), ($$approval_level = 'G2'$$), ($$effect = 'suppress', defer_until = NULL$$), ($$effect = NULL, defer_until = NULL$$), ($$effect = 'suppress'$$), ($$defer_until = '2099-06-01'$$), ($$component_purl = 'pkg:golang/x'$$), ($$vulnerability_id = 'CVE-77'$$),
    ($$vulnerability_id = NULL$$), ($$expires_at = '2101-01-01'$$), ($$expires_at = NULL$$), ($$expires_at = now()$$), ($$reason = 'another'$$), ($$created_by = 'ben'$$), ($$created_by = NULL$$), ($$policy_id = given()$$), ($$tenant_id = base()$$), ($$exception_id = gen_random_uuid()$$), ($$reason = reason$$), ($$effective_from = '2000-01-01'$$),
    ($$exception_state = NULL$$), ($$reason = 'another', exception_state = 'effective'$$), ($$reason = 'another', exception_state = NULL$$), ($$exception_state = 'rejected'$$)) AS v (change);
SELECT state(1), effective_from > '2020-01-01' FROM policy.exceptions WHERE vulnerability_id = 'CVE-1';
SELECT act(1, $$approval_level = 'G2'$$), state(1), decide(1, 'ben'), act(1), decide(1, 'ann'), state(1);
-- The client who asks is the one who approves, under another name; one of no name, or of two; a lower level than asked for; none at all.
SELECT request(20, 'G2') IS NOT NULL, request(21, 'G0') IS NOT NULL;
UPDATE policy.exceptions SET created_by = policy.client_of(tenant(), 'ann')::text WHERE vulnerability_id = 'CVE-20';
INSERT INTO authority.clients (tenant_id, name, scopes) VALUES (tenant(), 'twin', '{exception:approver}'), (tenant(), 'twin', '{exception:approver}'), (base(), 'ann', '{exception:approver}');
CREATE FUNCTION say(n integer, approver text, columns text DEFAULT 'comment', data text DEFAULT 'NULL') RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(attempt(format('INSERT INTO policy.exception_approval_audit (exception_id, approver_id, %s) VALUES (%L, %L, %s)', columns, format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0')), approver, data)), '\n.*', '') $$;
SELECT say(20, 'ann'), say(20, 'twin'), say(20, 'rita'), say(20, NULL), say(20, 'twin', 'decision', $$'reject'$$), say(20, 'twin', 'capacity', $$'approver'$$), state(20);
SELECT say(20, 'ben', 'approval_level', $$'G1'$$), state(20);
SELECT say(20, 'ben'), state(20), say(20, 'cleo', 'approver_client_id', 'tenant()'), state(20);
SELECT approver_id, approval_level, capacity, approver_client_id IS NOT NULL AS counts FROM policy.exception_approval_audit WHERE exception_id = id(20) ORDER BY decision_no;
SELECT say(21, 'sue'), say(21, 'sue', 'approval_level', $$'G5'$$), say(21, 'olga', 'decision', $$'reject'$$), state(21);
-- Without a state it takes effect by itself where nothing is missing.
INSERT INTO policy.exceptions (tenant_id, vulnerability_id, component_purl, effect, approval_level, created_by, expires_at) VALUES
    (tenant(), 'CVE-30', NULL, 'suppress', 'G0', NULL, NULL), (tenant(), NULL, 'pkg:npm/31', 'suppress', 'G0', NULL, '2100-01-01'), (tenant(), NULL, NULL, 'suppress', 'G0', NULL, NULL),
    (tenant(), 'CVE-33', NULL, NULL, 'G0', NULL, NULL), (tenant(), 'CVE-34', NULL, 'suppress', NULL, NULL, NULL), (tenant(), 'CVE-35', NULL, 'suppress', 'G1', NULL, NULL), (tenant(), 'CVE-36', NULL, 'suppress', 'G0', NULL, '2020-01-01');
SELECT vulnerability_id, component_purl, exception_state, effective_from IS NOT NULL, policy.missing_approvals(e) FROM policy.exceptions AS e WHERE created_by IS NULL ORDER BY 1, 2;
DELETE FROM policy.exceptions WHERE created_by IS NULL;

-- An approver who has seen other terms.
SELECT request(6, 'G1') IS NOT NULL;
SELECT policy.terms_hash(e) AS seen FROM policy.exceptions AS e WHERE vulnerability_id = 'CVE-6' \gset
SELECT act(6, $$reason = 'something else altogether'$$);
SELECT regexp_replace(attempt(format($$INSERT INTO policy.exception_approval_audit (exception_id, approver_id, capacity, decision, terms_hash) SELECT exception_id, 'ann', 'approver', 'approve', %L FROM policy.exceptions WHERE vulnerability_id = 'CVE-6'$$, :'seen')), 'sha256:[0-9a-f]{64}', 'sha256:…', 'g');
INSERT INTO policy.exception_approval_audit (exception_id, approver_id, capacity, decision, terms_hash, decision_no) SELECT exception_id, 'ann', 'approver', 'approve', policy.terms_hash(e), 17 FROM policy.exceptions AS e WHERE vulnerability_id = 'CVE-6';
SELECT decision_no FROM policy.exception_approval_audit JOIN policy.exceptions USING (exception_id) WHERE vulnerability_id = 'CVE-6';
-- The terms do not depend on the session.
SET TimeZone = 'Asia/Tokyo';
SELECT act(6), act(6, $$exception_state = 'revoked'$$);
RESET TimeZone;
SELECT state(6), act(6), act(6, $$exception_state = 'proposed'$$), decide(6, 'ben');
-- Inserted as effective; several decisions in one statement.
SELECT attempt($$INSERT INTO policy.exceptions (tenant_id, policy_id, vulnerability_id, effect, approval_level, created_by, reason, expires_at, exception_state) VALUES (tenant(), base(), 'CVE-7', 'suppress', 'G1', 'rita', 'x', '2100-01-01', 'effective')$$) LIKE '23514 exception % cannot take effect at level G1: 0 of 1 approvals%';
SELECT attempt($$INSERT INTO policy.exceptions (tenant_id, policy_id, vulnerability_id, effect, approval_level, created_by, reason, expires_at, exception_state) VALUES (tenant(), base(), 'CVE-8', 'suppress', 'G0', 'rita', 'x', '2100-01-01', 'effective')$$), state(8);
SELECT request(9, 'G2') IS NOT NULL;
INSERT INTO policy.exception_approval_audit (exception_id, approver_id, capacity, decision) SELECT exception_id, approver, 'approver', 'approve' FROM policy.exceptions, (VALUES ('ann'), ('ben')) AS v (approver) WHERE vulnerability_id = 'CVE-9';
SELECT act(9), state(9);
-- Its time is over.
SELECT attempt($$INSERT INTO policy.exceptions (exception_id, tenant_id, policy_id, vulnerability_id, effect, approval_level, created_by, reason, created_at, expires_at) VALUES ('00000000-0000-0000-0000-000000000010', tenant(), base(), 'CVE-10', 'suppress', 'G0', 'rita', 'x', '2020-01-01', '2020-02-01')$$);
SELECT regexp_replace(act(10), '[0-9a-f]{8}-[-0-9a-f]+|at .*2020.*', '…', 'g');
SELECT request(11, 'G0') IS NOT NULL;
UPDATE policy.exceptions SET created_at = '2020-01-01' WHERE vulnerability_id = 'CVE-11';
SELECT act(11);
SELECT count(*) FROM policy.exceptions_in_force;
SELECT tamper('policy.exceptions', $$UPDATE policy.exceptions SET expires_at = '2020-02-01' WHERE vulnerability_id = 'CVE-11'$$);
SELECT count(*) FROM policy.exceptions_in_force;
SELECT decide(11, 'ann');
SELECT subject, findings FROM verify_all() WHERE NOT ok;
-- Whoever writes the row in the open later has the chain record it as it is then; its history still tells what changed.
SELECT policy.expire_exceptions(), policy.expire_exceptions();
SELECT vulnerability_id, exception_state FROM policy.exceptions WHERE exception_state = 'expired' ORDER BY 1;
-- Asked for anew, with a later end.
SELECT act(10), act(10, $$expires_at = '2020-03-01'$$), act(10, $$exception_state = 'proposed'$$), decide(10, 'ann') AS decided;
SELECT act(10, $$expires_at = '2100-01-01'$$), state(10), act(10), state(10);
\pset tuples_only off

SELECT op, changed -> 'exception_state' AS state, (changed #>> '{expires_at,old}') ~ '^(2100|2099)-' AS shortened
FROM policy.exceptions AS e CROSS JOIN LATERAL audit_history('policy.exceptions', e.exception_id::text) AS h WHERE vulnerability_id = 'CVE-11' AND h.changed ? 'expires_at';

-- Tampering: an approval is slipped in, and used.
SELECT count(*) FROM verify_all() WHERE NOT ok;
SELECT request(12, 'G2') IS NOT NULL AS requested, decide(12, 'ann');
SELECT tamper('policy.exception_approval_audit', $$INSERT INTO policy.exception_approval_audit (exception_id, decision_no, approver_id, approver_client_id, approval_level, capacity, decision, terms_hash)
    SELECT exception_id, 2, 'ben', policy.client_of(tenant(), 'ben'), 'G2', 'approver', 'approve', policy.terms_hash(e) FROM policy.exceptions AS e WHERE vulnerability_id = 'CVE-12'$$);
SELECT act(12);
SELECT tamper('policy."effective_finding_00000000-0000-4000-8000-0000000000b1_history"', $$DELETE FROM policy."effective_finding_00000000-0000-4000-8000-0000000000b1_history" WHERE version_id = 3$$);
SELECT tamper('policy.policy_runs', $$UPDATE policy.policy_runs SET outputs = '{"block": 0}' WHERE run_id = id(1)$$);
SELECT subject, findings FROM verify_all() WHERE NOT ok ORDER BY subject COLLATE "C";
SELECT finding, current ->> 'approver_id' AS approver FROM verify_table_findings('policy.exception_approval_audit');
SELECT finding, key FROM verify_table_findings('policy."effective_finding_00000000-0000-4000-8000-0000000000b1_history"');
SELECT finding, key FROM verify_table_findings('policy.policy_runs');
-- What a run's own hash says of that.
SELECT right(run_id::text, 1) AS run FROM policy.policy_runs WHERE determinism_hash <> policy.run_digest(policy_id, policy_ir_hash, inputs, outputs);
-- Who decided on what, and in what capacity; exceptions in force without the approvals that their level asks for.
SELECT vulnerability_id, approval_level, missing_approvals FROM (SELECT e.*, policy.missing_approvals(e) FROM policy.exceptions_in_force AS e0 JOIN policy.exceptions AS e USING (exception_id)) AS e WHERE cardinality(missing_approvals) > 0;

-- With the rights that the work takes, and no others.
CREATE ROLE regress_auditspine_worker;
DO $$ DECLARE s text; BEGIN
    FOR s IN SELECT unnest(schemas) FROM auditspine.blueprint WHERE name = 'stellaops' LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO regress_auditspine_worker', s);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON vuln.advisory_raw, vex.vex_raw, policy.policy_runs, policy.exception_approval_audit TO regress_auditspine_worker;
GRANT UPDATE ON policy.policy_runs TO regress_auditspine_worker;
GRANT SELECT ON vex.issuer_trust, authority.clients, policy.policies, policy.exceptions TO regress_auditspine_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON vex.consensus, policy."effective_finding_00000000-0000-4000-8000-0000000000b1" TO regress_auditspine_worker;
GRANT UPDATE (decisions, exception_state) ON policy.exceptions TO regress_auditspine_worker;
GRANT INSERT ON policy."effective_finding_00000000-0000-4000-8000-0000000000b1_history" TO regress_auditspine_worker;
GRANT USAGE ON SCHEMA public TO regress_auditspine_worker;
INSERT INTO vex.issuer_trust (issuer_id, priority, trust_score) VALUES ('vendor', 1, 1);
SELECT request(13, 'G1') IS NOT NULL AS requested;
SET ROLE regress_auditspine_worker;
SELECT added FROM vuln.add_advisory('OSV', '{"id": "A-1"}');
SELECT added FROM vex.add_statement('vendor', '{"@id": "s", "vulnerability": "CVE-1", "products": ["pkg:golang/x"], "status": "fixed"}');
SELECT resolved_status FROM vex.recompute_consensus('pkg:golang/x', 'CVE-1');
INSERT INTO policy.policy_runs (run_id, tenant_id, policy_id, inputs) VALUES ('00000000-0000-0000-0000-000000000005', tenant(), base(), '{}');
UPDATE policy.policy_runs SET outputs = '{}', completed_at = now() WHERE run_id = id(5);
INSERT INTO policy."effective_finding_00000000-0000-4000-8000-0000000000b1" (component_purl, vulnerability_id, status, severity, action, run_id) VALUES ('pkg:golang/x', 'CVE-1', 'fixed', 'low', 'pass', '00000000-0000-0000-0000-000000000005');
DELETE FROM policy."effective_finding_00000000-0000-4000-8000-0000000000b1";
SELECT decide(13, 'ann') AS decided, act(13) AS in_effect, decide(13, 'ann', 'revoke') AS taken_back, state(13);
SELECT attempt(statement) FROM (VALUES
    ($$UPDATE policy.exceptions SET reason = 'x'$$), ($$UPDATE vex.issuer_trust SET trust_score = 1$$), ($$SELECT policy.create_effective_finding(given())$$), ($$SELECT authority.apply_migration('vuln', 2, 'd', 'SELECT 1')$$),
    ($$SELECT install_blueprint('stellaops', 'mine')$$)) AS v (statement);
RESET ROLE;
DROP OWNED BY regress_auditspine_worker;
DROP ROLE regress_auditspine_worker;
