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
INSERT INTO authority.clients (client_id, display_name, client_type, scopes)
SELECT name, name, 'person', scopes::text[] FROM (VALUES
    ('rita', '{}'), ('ann', '{exception:approver}'), ('ben', '{exception:approver}'), ('cleo', '{exception:approver}'),
    ('sue', '{exception:security,exception:approver}'), ('olga', '{exception:owner}'), ('eve', '{exception:executive}')) AS v (name, scopes);

-- Policies: the hash is filled, or must be right; states come in order; only a draft is changed.
INSERT INTO policy.policies (policy_id, name, ir, owner_id) VALUES ('base', 'Base', '{"rules": [{"status": "affected", "action": "block"}]}', 'olga');
INSERT INTO policy.policies (policy_id, name, ir, ir_hash, owner_id) SELECT 'given', 'Given', d, authority.digest(d), 'olga' FROM (VALUES ('[1.0, 2]'::jsonb)) AS v (d);
SELECT policy_id, state, ir_hash = 'sha256:' || encode(canonical_json_hash(ir), 'hex') AS right FROM policy.policies ORDER BY policy_id;
\pset tuples_only on
SELECT attempt(statement) FROM (VALUES
    ($$INSERT INTO policy.policies (policy_id, name, ir, ir_hash, owner_id) VALUES ('bad', 'Bad', '{}', 'sha256:' || repeat('0', 64), 'olga')$$),
    ($$INSERT INTO policy.policies (policy_id, name, ir, owner_id, state) VALUES ('bad', 'Bad', '{}', 'olga', 'ACTIVE')$$),
    ($$UPDATE policy.policies SET ir = '{"rules": []}' WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET ir = '{"rules": []}', ir_hash = NULL WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET ir = '{"rules": [{"action": "block", "status": "affected"}]}', ir_hash = NULL WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET ir_hash = 'sha256:' || repeat('0', 64) WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET state = 'ACTIVE' WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET state = 'SHADOW' WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET state = 'ACTIVE' WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET state = 'ENFORCING' WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET ir = '{}', ir_hash = NULL WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET ir = '{}', ir_hash = NULL, state = 'DRAFT' WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET state = 'DRAFT' WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET ir = '{"rules": []}', ir_hash = NULL, state = 'SHADOW' WHERE policy_id = 'base'$$),
    ($$UPDATE policy.policies SET ir = NULL, ir_hash = NULL WHERE policy_id = 'given'$$)) AS v (statement);
\pset tuples_only off
SELECT seq IS NOT NULL AS told, op, payload ->> 'state' AS state, changed -> 'ir' IS NOT NULL AS ir_changed FROM audit_history('policy.policies', 'base');

-- Runs.
INSERT INTO policy.policy_runs (run_id, policy_id, inputs, outputs) VALUES
    ('00000000-0000-0000-0000-000000000001', 'base', '{"a": 1}', '{"block": 1}'), ('00000000-0000-0000-0000-000000000002', 'base', '{"a": 1.0}', '{"block": 1}'),
    ('00000000-0000-0000-0000-000000000003', 'base', '{"a": 2}', '{"block": 1}');
SELECT right(run_id::text, 1) AS run, policy_state, ir_hash = (SELECT ir_hash FROM policy.policies WHERE policy_id = 'base') AS ir,
       inputs_hash = 'sha256:' || encode(canonical_json_hash(inputs), 'hex') AS inputs,
       determinism_hash = 'sha256:' || encode(canonical_json_hash(jsonb_build_array(policy_id, ir_hash, inputs, outputs)), 'hex') AS determinism,
       determinism_hash = policy.run_digest(policy_id, ir_hash, inputs, outputs) AS by_function,
       determinism_hash = first_value(determinism_hash) OVER (ORDER BY run_id) AS as_the_first
FROM policy.policy_runs ORDER BY run_id;
SELECT * FROM policy.undetermined_runs;
INSERT INTO policy.policy_runs (run_id, policy_id, inputs, outputs) VALUES ('00000000-0000-0000-0000-000000000004', 'base', '{"a": 2}', '{"block": 0}');
SELECT policy_id, runs, outcomes, run_ids FROM policy.undetermined_runs;
\pset tuples_only on
SELECT attempt(statement) FROM (VALUES
    ($$INSERT INTO policy.policy_runs (policy_id, inputs, outputs, determinism_hash) VALUES ('base', '{}', '{}', 'sha256:' || repeat('0', 64))$$),
    ($$INSERT INTO policy.policy_runs (policy_id, inputs, outputs, ir_hash) VALUES ('given', '{}', '{}', 'sha256:' || repeat('0', 64))$$),
    ($$INSERT INTO policy.policy_runs (policy_id, inputs, outputs, policy_state) VALUES ('given', '{}', '{}', 'ACTIVE')$$),
    ($$INSERT INTO policy.policy_runs (policy_id, inputs, outputs) VALUES ('none', '{}', '{}')$$),
    ($$INSERT INTO policy.policy_runs (policy_id, inputs, outputs) VALUES (NULL, '{}', '{}')$$),
    ($$INSERT INTO policy.policy_runs (policy_id, inputs, outputs) VALUES ('base', '{}', NULL)$$),
    ($$DELETE FROM policy.policy_runs$$)) AS v (statement);
\pset tuples_only off

-- Effective findings: a table and its history.
SELECT policy.create_effective_finding('base');
SELECT policy.create_effective_finding('base');
SELECT attempt(format('SELECT policy.create_effective_finding(%L)', id)) FROM (VALUES ('none'), (NULL), (''), ('Base'), ('a-b'), ('a; --'), ('base_history'), (repeat('x', 33))) AS v (id);
CREATE TABLE policy.effective_finding_given_history (id integer);
SELECT attempt($$SELECT policy.create_effective_finding('given')$$);
DROP TABLE policy.effective_finding_given_history;
SELECT kind, payload, append_only, obj_description(table_name, 'pg_class') FROM auditspine.audited_table WHERE kind LIKE 'policy.effective%' ORDER BY kind;
INSERT INTO policy.effective_finding_base (component, vulnerability_id, status, severity, action, run_id) VALUES
    ('pkg:golang/x', 'CVE-1', 'affected', 'high', 'block', '00000000-0000-0000-0000-000000000001'), ('pkg:golang/y', 'CVE-1', 'affected', 'low', 'warn', '00000000-0000-0000-0000-000000000001');
UPDATE policy.effective_finding_base SET severity = 'critical' WHERE component = 'pkg:golang/x';
UPDATE policy.effective_finding_base SET severity = severity;
UPDATE policy.effective_finding_base SET component = 'pkg:golang/z' WHERE component = 'pkg:golang/y';
DELETE FROM policy.effective_finding_base WHERE component = 'pkg:golang/x';
TRUNCATE policy.effective_finding_base;
SELECT op, component, vulnerability_id, status, severity, action, right(run_id::text, 1) AS run, changed_by = session_user AS by_me FROM policy.effective_finding_base_history ORDER BY version_id;
SELECT attempt('DELETE FROM policy.effective_finding_base_history');
SELECT attempt($$INSERT INTO policy.effective_finding_base (component, vulnerability_id, status, severity, action, run_id) VALUES ('x', 'y', 'affected', 'high', 'ignore', '00000000-0000-0000-0000-000000000001')$$);
SELECT attempt($$INSERT INTO policy.effective_finding_base (component, vulnerability_id, status, severity, action, run_id) VALUES ('x', 'y', 'affected', 'high', 'block', gen_random_uuid())$$);
-- Under the longest id.
INSERT INTO policy.policies (policy_id, name, ir, owner_id) VALUES (repeat('x', 32), 'Long', '{}', 'olga');
SELECT policy.create_effective_finding(repeat('x', 32));
SELECT count(*), max(length(relname)) FROM pg_class WHERE relname LIKE 'effective\_finding\_xxx%' AND relkind = 'r';

-- Exceptions: what each level asks for.
CREATE FUNCTION request(n integer, level text, effect text DEFAULT 'suppress') RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO policy.exceptions (exception_id, policy_id, vulnerability_id, effect, approval_level, requested_by, reason, expires_at, defer_until, downgrade_to, control)
    VALUES (format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0'))::uuid, 'base', 'CVE-' || n, effect, level, 'rita', 'a test', '2100-01-01',
            CASE effect WHEN 'defer' THEN '2099-01-01'::timestamptz END, CASE effect WHEN 'downgrade' THEN 'low' END, CASE effect WHEN 'require_control' THEN 'firewall' END)
    RETURNING exception_id $$;
CREATE FUNCTION decide(n integer, approver text, decision text DEFAULT 'approve', capacity text DEFAULT 'approver') RETURNS text LANGUAGE sql AS $$
    SELECT attempt(format('INSERT INTO policy.exception_approval_audit (exception_id, approver, decision, capacity) VALUES (%L, %L, %L, %L)',
        format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0')), approver, decision, capacity)) $$;
CREATE FUNCTION act(n integer, change text DEFAULT 'state = ''effective''') RETURNS text LANGUAGE sql AS $$
    SELECT attempt(format('UPDATE policy.exceptions SET %s WHERE vulnerability_id = %L', change, 'CVE-' || n)) $$;
CREATE FUNCTION state(n integer) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', state, CASE WHEN effective_from IS NOT NULL THEN 'from then' END, 'decisions ' || decisions, policy.missing_approvals(e)::text) FROM policy.exceptions AS e WHERE vulnerability_id = 'CVE-' || n $$;
\pset tuples_only on
SELECT request(n, 'G' || n, (ARRAY['suppress', 'defer', 'downgrade', 'require_control', 'suppress'])[n + 1]) IS NOT NULL FROM generate_series(0, 4) AS n;
SELECT n, policy.missing_approvals(e) FROM generate_series(0, 4) AS n JOIN policy.exceptions AS e ON vulnerability_id = 'CVE-' || n ORDER BY n;
SELECT act(n) FROM generate_series(0, 4) AS n ORDER BY n;
-- Who may decide, and who not.
SELECT decide(1, 'rita'), decide(1, 'nobody'), decide(1, 'olga'), decide(1, 'ann', capacity => 'security'), decide(1, 'ann', 'revoke'), decide(9, 'ann');
UPDATE authority.clients SET enabled = false WHERE client_id = 'ann';
SELECT decide(1, 'ann');
UPDATE authority.clients SET enabled = true WHERE client_id = 'ann';
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
UPDATE authority.clients SET scopes = scopes || '{exception:owner}' WHERE client_id = 'sue';
SELECT decide(5, 'ann'), decide(5, 'ben'), decide(5, 'sue', capacity => 'security'), act(5);
SELECT decide(5, 'sue', capacity => 'owner'), state(5);
SELECT decide(5, 'eve', capacity => 'executive'), decide(5, 'sue', capacity => 'security'), act(5), state(5);
-- An approval that is taken back, or a rejection, takes it out of effect at once; a rejection stands against any number of approvals.
SELECT decide(2, 'ben', 'revoke'), state(2);
SELECT decide(2, 'cleo'), act(2), state(2);
SELECT decide(2, 'sue', 'reject', 'security'), state(2), act(2);
SELECT decide(2, 'sue', 'revoke'), act(2), state(2);
SELECT decide(0, 'ann', 'reject'), state(0), act(0);
SELECT decision_no, approver, capacity, decision FROM policy.exception_approval_audit AS a JOIN policy.exceptions USING (exception_id) WHERE vulnerability_id = 'CVE-2' ORDER BY 1;
-- Other terms than were approved.
SELECT act(1, change) FROM (VALUES ($$approval_level = 'G0'$$), ($$approval_level = 'G2'$$), ($$effect = 'suppress', defer_until = NULL$$), ($$defer_until = '2099-06-01'$$), ($$component = 'pkg:golang/x'$$), ($$vulnerability_id = 'CVE-77'$$),
    ($$expires_at = '2101-01-01'$$), ($$reason = 'another'$$), ($$requested_by = 'ben'$$), ($$policy_id = 'given'$$), ($$exception_id = gen_random_uuid()$$), ($$reason = reason$$), ($$effective_from = '2000-01-01'$$)) AS v (change);
SELECT state(1), effective_from > '2020-01-01' FROM policy.exceptions WHERE vulnerability_id = 'CVE-1';
SELECT act(1, $$state = 'proposed', approval_level = 'G2'$$), state(1), decide(1, 'ben'), act(1), decide(1, 'ann'), act(1), state(1);
-- An approver who has seen other terms.
SELECT request(6, 'G1') IS NOT NULL;
SELECT policy.terms_hash(e) AS seen FROM policy.exceptions AS e WHERE vulnerability_id = 'CVE-6' \gset
SELECT act(6, $$reason = 'something else altogether'$$);
SELECT regexp_replace(attempt(format($$INSERT INTO policy.exception_approval_audit (exception_id, approver, capacity, decision, terms_hash) SELECT exception_id, 'ann', 'approver', 'approve', %L FROM policy.exceptions WHERE vulnerability_id = 'CVE-6'$$, :'seen')), 'sha256:[0-9a-f]{64}', 'sha256:…', 'g');
INSERT INTO policy.exception_approval_audit (exception_id, approver, capacity, decision, terms_hash, decision_no) SELECT exception_id, 'ann', 'approver', 'approve', policy.terms_hash(e), 17 FROM policy.exceptions AS e WHERE vulnerability_id = 'CVE-6';
SELECT decision_no FROM policy.exception_approval_audit JOIN policy.exceptions USING (exception_id) WHERE vulnerability_id = 'CVE-6';
-- The terms do not depend on the session.
SET TimeZone = 'Asia/Tokyo';
SELECT act(6), act(6, $$state = 'revoked'$$);
RESET TimeZone;
SELECT state(6), act(6), act(6, $$state = 'proposed'$$), decide(6, 'ben');
-- Inserted as effective; several decisions in one statement.
SELECT attempt($$INSERT INTO policy.exceptions (policy_id, vulnerability_id, effect, approval_level, requested_by, reason, expires_at, state) VALUES ('base', 'CVE-7', 'suppress', 'G1', 'rita', 'x', '2100-01-01', 'effective')$$) LIKE '23514 exception % cannot take effect at level G1: 0 of 1 approvals%';
SELECT attempt($$INSERT INTO policy.exceptions (policy_id, vulnerability_id, effect, approval_level, requested_by, reason, expires_at, state) VALUES ('base', 'CVE-8', 'suppress', 'G0', 'rita', 'x', '2100-01-01', 'effective')$$), state(8);
SELECT request(9, 'G2') IS NOT NULL;
INSERT INTO policy.exception_approval_audit (exception_id, approver, capacity, decision) SELECT exception_id, approver, 'approver', 'approve' FROM policy.exceptions, (VALUES ('ann'), ('ben')) AS v (approver) WHERE vulnerability_id = 'CVE-9';
SELECT act(9), state(9);
-- Its time is over.
SELECT attempt($$INSERT INTO policy.exceptions (policy_id, vulnerability_id, effect, approval_level, requested_by, reason, requested_at, expires_at) VALUES ('base', 'CVE-10', 'suppress', 'G0', 'rita', 'x', '2020-01-01', '2020-02-01')$$);
SELECT regexp_replace(act(10), '[0-9a-f]{8}-[-0-9a-f]+|at .*2020.*', '…', 'g');
SELECT request(11, 'G0') IS NOT NULL;
UPDATE policy.exceptions SET requested_at = '2020-01-01' WHERE vulnerability_id = 'CVE-11';
SELECT act(11), act(11, $$expires_at = '2020-02-01'$$) LIKE '23514 %expired%';
SELECT count(*) FROM policy.exceptions_in_force;
SELECT tamper('policy.exceptions', $$UPDATE policy.exceptions SET expires_at = '2020-02-01' WHERE vulnerability_id = 'CVE-11'$$);
SELECT count(*) FROM policy.exceptions_in_force;
SELECT replace(decide(11, 'ann'), (SELECT exception_id::text FROM policy.exceptions WHERE vulnerability_id = 'CVE-11'), '…');
SELECT subject, findings FROM verify_all() WHERE NOT ok;
-- Whoever writes the row in the open later has the chain record it as it is then; its history still tells what changed.
SELECT policy.expire_exceptions(), policy.expire_exceptions();
SELECT vulnerability_id, state FROM policy.exceptions WHERE state = 'expired' ORDER BY 1;
\pset tuples_only off

SELECT op, changed -> 'state' AS state, (changed #>> '{expires_at,old}') ~ '^(2100|2099)-' AS shortened
FROM policy.exceptions AS e CROSS JOIN LATERAL audit_history('policy.exceptions', e.exception_id::text) AS h WHERE vulnerability_id = 'CVE-11' AND h.changed ? 'expires_at';

-- Tampering: an approval is slipped in, and used.
SELECT count(*) FROM verify_all() WHERE NOT ok;
SELECT request(12, 'G2') IS NOT NULL AS requested, decide(12, 'ann');
SELECT tamper('policy.exception_approval_audit', $$INSERT INTO policy.exception_approval_audit (exception_id, decision_no, approver, capacity, decision, terms_hash)
    SELECT exception_id, 2, 'ben', 'approver', 'approve', policy.terms_hash(e) FROM policy.exceptions AS e WHERE vulnerability_id = 'CVE-12'$$);
SELECT act(12);
SELECT tamper('policy.effective_finding_base_history', $$DELETE FROM policy.effective_finding_base_history WHERE version_id = 3$$);
SELECT tamper('policy.policy_runs', $$UPDATE policy.policy_runs SET outputs = '{"block": 0}' WHERE run_id::text LIKE '%1'$$);
SELECT subject, findings FROM verify_all() WHERE NOT ok ORDER BY subject COLLATE "C";
SELECT finding, current ->> 'approver' AS approver FROM verify_table_findings('policy.exception_approval_audit');
SELECT finding, key FROM verify_table_findings('policy.effective_finding_base_history');
SELECT finding, key FROM verify_table_findings('policy.policy_runs');
-- What a run's own hash says of that.
SELECT right(run_id::text, 1) AS run FROM policy.policy_runs WHERE determinism_hash <> policy.run_digest(policy_id, ir_hash, inputs, outputs);
-- Who decided on what, and in what capacity; exceptions in force without the approvals that their level asks for.
SELECT vulnerability_id, approval_level, missing_approvals FROM (SELECT e.*, policy.missing_approvals(e) FROM policy.exceptions_in_force AS e0 JOIN policy.exceptions AS e USING (exception_id)) AS e WHERE cardinality(missing_approvals) > 0;
