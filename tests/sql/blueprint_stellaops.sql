-- Blueprint stellaops: installing it, its tables and their constraints, paths, migrations.
\set SHOW_CONTEXT never
\pset format unaligned
CREATE ROLE regress_auditspine_stella;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text; state text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, state = RETURNED_SQLSTATE;
    RETURN state || ' ' || message || CASE WHEN hint <> '' THEN E'\n  ' || hint ELSE '' END;
END $$;

-- Partly there; then installed, twice; then under a prefix, by somebody who may do that and nothing else.
CREATE SCHEMA vex;
CREATE TABLE vex.consensus (id integer);
SELECT attempt($$SELECT install_blueprint('stellaops')$$) ~ '^42P07 of blueprint stellaops, vex.consensus is there already, but not authority.schema_migrations, ' AS refused;
SELECT count(*) FROM pg_namespace WHERE nspname IN ('authority', 'scanner', 'policy');
DROP SCHEMA vex CASCADE;
SELECT install_blueprint('stellaops');
SELECT install_blueprint('stellaops');
GRANT EXECUTE ON FUNCTION install_blueprint(text, text), audit_chain_append(), audit_refuse_change(), create_proof_spine_schema(text),
    audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean, boolean) TO regress_auditspine_stella;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_auditspine_stella', current_database()); END $$;
SET ROLE regress_auditspine_stella;
SELECT install_blueprint('stellaops', 'acme');
RESET ROLE;
SELECT attempt($$SELECT install_blueprint('stellaops', 'Acme')$$);

-- Its tables are those that the view tells, and all are audited, commented, and the installer's.
SELECT count(*) AS told, count(c.oid) AS there, count(c.oid) FILTER (WHERE c.relkind = 'r') AS tables,
       count(*) FILTER (WHERE obj_description(c.oid, 'pg_class') <> '') AS commented,
       count(a.kind) FILTER (WHERE a.kind = t.name AND a.enabled AND a.truncate_covered AND a.problem IS NULL) AS audited
FROM auditspine.blueprint AS b CROSS JOIN unnest(b.tables) AS t (name) LEFT JOIN pg_class AS c ON c.oid = to_regclass(t.name)
LEFT JOIN auditspine.audited_table AS a ON a.table_name = c.oid WHERE b.name = 'stellaops';
SELECT c.oid::regclass AS untold FROM pg_class AS c JOIN auditspine.blueprint AS b ON c.relnamespace::regnamespace::text = ANY (b.schemas)
WHERE b.name = 'stellaops' AND relkind = 'r' AND NOT c.oid::regclass::text = ANY (b.tables);
SELECT kind, payload, exclude, append_only, skip_unchanged FROM auditspine.audited_table WHERE kind NOT LIKE 'acme%' ORDER BY kind COLLATE "C";
SELECT count(*) AS tables, count(*) FILTER (WHERE kind = table_name::text) AS kinds,
       count(*) FILTER (WHERE (SELECT relowner FROM pg_class WHERE oid = table_name) = 'regress_auditspine_stella'::regrole) AS owned
FROM auditspine.audited_table WHERE kind LIKE 'acme\_%';
SELECT p.oid::regprocedure AS uncommented FROM pg_proc AS p JOIN auditspine.blueprint AS b ON p.pronamespace::regnamespace::text = ANY (b.schemas)
WHERE b.name = 'stellaops' AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT c.oid::regclass AS uncommented FROM pg_class AS c JOIN auditspine.blueprint AS b ON c.relnamespace::regnamespace::text = ANY (b.schemas)
WHERE b.name = 'stellaops' AND relkind = 'v' AND obj_description(c.oid, 'pg_class') IS NULL;
-- Under the prefix nothing points at the usual schemas, and the other way round.
SELECT conrelid::regclass AS table_name, conname FROM pg_constraint
WHERE contype = 'f' AND (conrelid::regclass::text LIKE 'acme%') <> (confrelid::regclass::text LIKE 'acme%');
SELECT p.oid::regprocedure AS function FROM pg_proc AS p CROSS JOIN auditspine.blueprint AS b CROSS JOIN unnest(b.schemas) AS s
WHERE b.name = 'stellaops' AND pronamespace::regnamespace::text LIKE 'acme\_%' AND pg_get_functiondef(p.oid) ~ ('(?<![a-z_])' || s || '\.');
-- ProofSpines may be there before, or come after.
SELECT create_proof_spine_schema('scanner');
SELECT create_proof_spine_schema('early_scanner');
SELECT install_blueprint('stellaops', 'early');
SELECT count(*) FROM auditspine.audited_table WHERE kind LIKE 'early\_%';

SELECT format('%s %s %s', conrelid::regclass, contype, pg_get_constraintdef(oid)) AS constraint FROM pg_constraint
WHERE connamespace::regnamespace::text = ANY ((SELECT schemas FROM auditspine.blueprint WHERE name = 'stellaops')::text[])
  AND contype NOT IN ('t', 'n') AND conrelid::regclass::text !~ '^scanner.proof|^(registry|scanner|vuln|vex|policy|scheduler|notify|orchestrator|symbols|unknowns).schema_migrations'
ORDER BY conrelid::regclass::text COLLATE "C", contype, pg_get_constraintdef(oid) COLLATE "C";

-- One row of everything.
CREATE FUNCTION sha(t text) RETURNS text LANGUAGE sql IMMUTABLE RETURN 'sha256:' || encode(sha256(convert_to(t, 'UTF8')), 'hex');
INSERT INTO authority.clients (client_id, display_name, client_type, scopes) VALUES ('alice', 'Alice', 'person', '{exception:approver}'), ('bob', 'Bob', 'person', '{}');
INSERT INTO authority.keys (key_id, client_id, algorithm, purpose, public_pem)
SELECT 'sha256:' || key_fingerprint(pem), 'alice', 'ed25519', 'vex', pem FROM (VALUES ('-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAeGVygzLgOmO2RCtC75jusdS+/R6cUDK4PXD2Tl9VGlA=
-----END PUBLIC KEY-----')) v (pem);
INSERT INTO authority.tokens (client_id, token_hash, token_type, expires_at) VALUES ('alice', sha('t'), 'access', now() + '1 hour');
INSERT INTO authority.audit_trail (client_id, action, outcome) VALUES ('nobody', 'sign-in', 'denied');
INSERT INTO registry.repositories (repository, owner_id) VALUES ('acme/shop', 'alice');
INSERT INTO registry.tokens (client_id, repository, token_hash, actions, expires_at) VALUES ('alice', 'acme/shop', sha('t'), '{pull}', now() + '1 hour');
INSERT INTO scanner.images (image_digest, repository, tag, size_bytes) VALUES (sha('image'), 'acme/shop', '1.0', 1);
INSERT INTO scanner.layers VALUES (sha('image'), 0, sha('layer'), sha('diff'), 1);
INSERT INTO scanner.scans (scan_id, image_digest, requested_by) VALUES ('00000000-0000-0000-0000-000000000001', sha('image'), 'alice');
INSERT INTO scanner.artifacts (artifact_digest, format, size_bytes) VALUES (sha('sbom'), 'cdx-json', 1);
INSERT INTO scanner.scan_artifacts SELECT scan_id, artifact_digest FROM scanner.scans, scanner.artifacts;
INSERT INTO vuln.advisory_raw (advisory_id, source, document) VALUES ('A-1', 'osv', '{"id": "A-1"}');
INSERT INTO vuln.linksets (vulnerability_id) VALUES ('CVE-1');
INSERT INTO vuln.observations (linkset_id, advisory_id, source, revision, component) SELECT linkset_id, 'A-1', 'osv', 1, 'pkg:golang/x' FROM vuln.linksets;
INSERT INTO vex.issuer_trust (issuer, priority, score) VALUES ('vendor', 1, 0.8);
INSERT INTO vex.vex_raw (issuer, statement_id, document) VALUES ('vendor', 's', '{"vulnerability": {"name": "CVE-1"}, "products": [{"@id": "pkg:golang/x"}], "status": "affected"}');
SELECT (vex.recompute_consensus('pkg:golang/x', 'CVE-1')).status;
INSERT INTO policy.policies (policy_id, name, ir, owner_id) VALUES ('base', 'Base', '{}', 'alice');
INSERT INTO policy.policy_runs (policy_id, inputs, outputs) VALUES ('base', '{}', '{}');
INSERT INTO policy.exceptions (policy_id, vulnerability_id, effect, approval_level, requested_by, reason, expires_at)
VALUES ('base', 'CVE-1', 'suppress', 'G1', 'bob', 'a test', now() + '1 day');
INSERT INTO policy.exception_approval_audit (exception_id, approver, capacity, decision) SELECT exception_id, 'alice', 'approver', 'approve' FROM policy.exceptions;
INSERT INTO scheduler.schedules (schedule_id, cron, mode, owner_id) VALUES ('nightly', '0 3 * * MON-FRI', 'analysis-only', 'alice');
INSERT INTO scheduler.runs (schedule_id, trigger) VALUES ('nightly', 'cron');
INSERT INTO scheduler.run_summaries (schedule_id) VALUES ('nightly');
INSERT INTO notify.channels (channel_id, channel_type, target) VALUES ('ops', 'email', 'ops@example.org');
INSERT INTO notify.templates (template_id, channel_type, body) VALUES ('finding', 'email', '…');
INSERT INTO notify.rules (rule_id, channel_id, template_id, event_kinds) VALUES ('all', 'ops', 'finding', '{finding}');
INSERT INTO notify.delivery_log (rule_id, channel_id, event_kind, outcome, body_hash) VALUES ('all', 'ops', 'finding', 'sent', sha('x'));
INSERT INTO orchestrator.workflows (workflow_id, owner_id) VALUES ('intake', 'alice');
INSERT INTO orchestrator.tasks (workflow_id, version, task_id, task_type) VALUES ('intake', 1, 'scan', 'scan');
INSERT INTO orchestrator.task_runs (workflow_id, version, task_id) VALUES ('intake', 1, 'scan');
INSERT INTO symbols.debug_info (debug_digest, format, size_bytes) VALUES (sha('debug'), 'dwarf', 1);
INSERT INTO symbols.symbols (debug_digest, address, name) VALUES (sha('debug'), 4096, 'main');
INSERT INTO unknowns.unknown_components (scan_id, path, reason) SELECT scan_id, '/usr/bin/x', 'stripped_binary' FROM scanner.scans;
INSERT INTO unknowns.tracking (unknown_id, state, client_id) SELECT unknown_id, 'open', 'alice' FROM unknowns.unknown_components;
SELECT count(*) AS tables, sum(checked) AS rows, bool_and(ok) AS ok FROM verify_all() WHERE layer = 'rows';
SELECT subject FROM verify_all() WHERE layer = 'rows' AND checked = 0 AND subject !~ '^(acme_|early_|scanner.proof)';

-- Value lists: a copy of the row with each value, taken back. What is told is what keeps the value out; a unique key
-- or another constraint means that the value itself is good.
CREATE FUNCTION probe(tab text, col text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE cols text; state text; name text;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO cols FROM pg_attribute
    WHERE attrelid = tab::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM (SELECT (jsonb_populate_record(t, %L)).* FROM %1$s AS t LIMIT 1) AS r',
                   tab, cols, jsonb_build_object(col, value));
    RAISE EXCEPTION USING ERRCODE = 'TTEST';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME, state = RETURNED_SQLSTATE;
    RETURN CASE WHEN state = 'TTEST' OR name ~ '_p?key$' THEN 'good' ELSE concat_ws(' ', state, nullif(name, '')) END;
END $$;
SELECT tab || '.' || col || ': ' || string_agg(v || coalesce(': ' || nullif(probe(tab, col, v), 'good'), ''), ', ' ORDER BY n) || coalesce('; null: ' || nullif(probe(tab, col, NULL), 'good'), '') AS values
FROM (VALUES
    ('policy.policies', 'state', '{DRAFT,SHADOW,ACTIVE,ENFORCING,draft,RETIRED}'::text[]),
    ('policy.policies', 'policy_id', '{a,a_1,A,1a,a-b,x_history,abcdefghijklmnopqrstuvwxyzabcdef,abcdefghijklmnopqrstuvwxyzabcdefg}'),
    ('policy.policy_runs', 'policy_state', '{DRAFT,shadow}'),
    ('policy.exceptions', 'effect', '{suppress,defer,downgrade,require_control,ignore}'),
    ('policy.exceptions', 'approval_level', '{G0,G1,G2,G3,G4,G5,g1}'),
    ('policy.exceptions', 'state', '{proposed,rejected,revoked,expired,active}'),
    ('policy.exception_approval_audit', 'decision', '{approve,reject,revoke,approved}'),
    ('policy.exception_approval_audit', 'capacity', '{approver,king}'),
    ('scanner.scans', 'state', '{pending,acquired,running,completed,failed,done}'),
    ('scanner.artifacts', 'format', '{cdx-json,spdx-json,cdx-pb,spdx-tv}'),
    ('vex.consensus', 'status', '{not_affected,affected,fixed,under_investigation,unknown}'),
    ('vex.issuer_trust', 'score', '{0.00,0.5,1.00,1.01,-0.01}'),
    ('vex.issuer_trust', 'priority', '{1,0}'),
    ('unknowns.unknown_components', 'confidence', '{0,1,1.01}'),
    ('scheduler.runs', 'progress', '{0,1,1.01,-0.01}'),
    ('authority.clients', 'client_type', '{person,service,public,robot}'),
    ('authority.clients', 'client_id', '{a@b.example,Alice,"a b"}'),
    ('authority.keys', 'state', '{active,retired,revoked,lost}'),
    ('authority.keys', 'algorithm', '{ed25519,ecdsa-p256-sha256,rsa}'),
    ('authority.tokens', 'token_type', '{access,refresh,api,id}'),
    ('authority.audit_trail', 'outcome', '{success,failure,denied,maybe}'),
    ('registry.repositories', 'repository', '{a,a/b-c,A/b,a//b,a/}'),
    ('registry.repositories', 'visibility', '{private,internal,public,secret}'),
    ('vuln.observations', 'severity', '{critical,high,medium,low,none,unknown,extreme}'),
    ('scheduler.runs', 'state', '{planning,queued,running,completed,error,cancelled,lost}'),
    ('scheduler.schedules', 'cron', '{"* * * * *","*/5 1,2 3-4 JAN MON","* * * *","@daily"}'),
    ('scheduler.schedules', 'mode', '{analysis-only,content-refresh,both}'),
    ('notify.channels', 'channel_type', '{email,slack,teams,webhook,pager}'),
    ('notify.rules', 'min_severity', '{critical,none,unknown}'),
    ('notify.delivery_log', 'outcome', '{sent,failed,throttled,digested,dropped,lost}'),
    ('notify.delivery_log', 'event_kind', '{finding,verdict,exception,scan_failed,audit_break,other}'),
    ('orchestrator.workflows', 'state', '{draft,active,retired,off}'),
    ('orchestrator.tasks', 'task_type', '{fetch,scan,match,policy,export,notify,think}'),
    ('orchestrator.task_runs', 'state', '{pending,leased,running,succeeded,failed,cancelled,lost}'),
    ('symbols.debug_info', 'format', '{dwarf,pdb,dsym,breakpad,wasm,stabs}'),
    ('unknowns.unknown_components', 'reason', '{no_package_metadata,no_version,ambiguous_match,stripped_binary,unsupported_format,other}'),
    ('unknowns.tracking', 'state', '{open,in_review,identified,accepted,dismissed,closed}')) AS v (tab, col, list)
CROSS JOIN unnest(list) WITH ORDINALITY AS u (v, n) GROUP BY tab, col ORDER BY tab, col;
-- Ids that hold a digest: sha256: and 64 hex. Which do: all that are called so, or are checked so.
SELECT c.oid::regclass || '.' || attname AS digest,
       string_agg(DISTINCT probe(c.oid::regclass::text, attname, bad), ', ') AS bad, probe(c.oid::regclass::text, attname, sha('other')) AS good
FROM pg_class AS c JOIN auditspine.blueprint AS b ON c.relnamespace::regnamespace::text = ANY (b.schemas) JOIN pg_attribute AS a ON attrelid = c.oid
CROSS JOIN (VALUES ('sha256:' || repeat('A', 64)), (repeat('a', 64)), ('sha256:' || repeat('a', 63)), ('sha256:' || repeat('a', 65)), ('sha512:' || repeat('a', 64)), ('sha256:' || repeat('g', 64))) AS v (bad)
WHERE b.name = 'stellaops' AND relkind = 'r' AND relname NOT LIKE 'proof%' AND attnum > 0 AND attgenerated = '' AND atttypid = 'text'::regtype
  AND (attname ~ '(hash|digest|checksum)$' OR EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND attnum = ANY (conkey) AND pg_get_constraintdef(oid) LIKE '%sha256:[0-9a-f]{64}%'))
GROUP BY c.oid, attname ORDER BY (c.oid::regclass || '.' || attname) COLLATE "C";

-- Other rules.
\pset tuples_only on
SELECT statement || ': ' || attempt(statement) FROM (VALUES
    ($$UPDATE authority.keys SET key_id = 'sha256:' || repeat('0', 64)$$),
    ($$UPDATE authority.keys SET state = 'revoked'$$),
    ($$UPDATE authority.clients SET client_type = 'public', secret_hash = sha('s')$$),
    ($$UPDATE registry.tokens SET actions = '{pull,mount}'$$),
    ($$UPDATE registry.tokens SET actions = '{}'$$),
    ($$UPDATE scanner.scans SET state = 'completed', worker = 'w', finished_at = now()$$),
    ($$UPDATE scanner.scans SET state = 'acquired'$$),
    ($$UPDATE scanner.scans SET state = 'acquired', worker = 'w'$$),
    ($$UPDATE scanner.scans SET state = 'running'$$),
    ($$UPDATE scanner.scans SET state = 'failed', finished_at = now()$$),
    ($$UPDATE scanner.scans SET state = 'completed', finished_at = now()$$),
    ($$UPDATE scanner.scans SET state = 'pending', finished_at = NULL$$),
    ($$UPDATE scanner.artifacts SET file = '../x'$$),
    ($$UPDATE orchestrator.tasks SET depends_on = '{scan}'$$),
    ($$UPDATE notify.rules SET event_kinds = '{finding,gossip}'$$),
    ($$UPDATE authority.clients SET scopes = '{exception:approver,exception:king}'$$),
    ($$INSERT INTO policy.exception_approval_audit (exception_id, approver, capacity, decision) SELECT exception_id, 'alice', 'king', 'approve' FROM policy.exceptions$$),
    ($$UPDATE unknowns.tracking SET state = 'dismissed'$$),
    ($$DELETE FROM authority.audit_trail$$),
    ($$TRUNCATE notify.delivery_log$$),
    ($$UPDATE policy.policy_runs SET outputs = '{"x": 1}'$$),
    ($$DELETE FROM vex.vex_raw$$),
    ($$UPDATE vuln.advisory_raw SET fetched_from = 'elsewhere'$$),
    ($$DELETE FROM policy.exception_approval_audit$$),
    ($$DELETE FROM policy.exceptions$$),
    ($$DELETE FROM scheduler.schema_migrations$$)) AS v (statement);
SELECT manifest_path FROM scanner.images;
SELECT blob_path FROM scanner.artifacts;
-- Secrets, and what goes on all the time, leave no payload and no events.
SELECT count(*) FROM auditspine.audit_chain WHERE payload::text LIKE '%' || sha('t') || '%' OR event_kind ~ '(clients|keys|tokens|channels)$' AND payload IS NOT NULL;
CREATE TEMP TABLE before AS SELECT count(*) AS entries FROM auditspine.audit_chain;
UPDATE orchestrator.task_runs SET heartbeat_at = now(), lease_until = now();
UPDATE scheduler.runs SET progress = 0.5;
UPDATE scheduler.schedules SET next_run_at = now();
UPDATE authority.clients SET last_seen_at = now();
UPDATE vuln.linksets SET updated_at = now();
UPDATE vex.issuer_trust SET updated_at = now();
SELECT count(*) - max(before.entries) FROM auditspine.audit_chain, before;

-- Paths.
SELECT scanner.blob_path('sha256:' || repeat('ab12', 16), 'sbom.json');
SELECT scanner.image_path(repeat('ab12', 16), 'manifest.json');
SELECT scanner.evidence_path(repeat('ab12', 16), 'Prüfbericht 1.json');
SELECT scanner.blob_path(NULL, 'x') IS NULL, scanner.image_path(repeat('a', 64), NULL) IS NULL;
SELECT provolatile, proisstrict, proparallel FROM pg_proc WHERE pronamespace = 'scanner'::regnamespace AND proname LIKE '%\_path';
SELECT attempt(format('SELECT scanner.%s_path(%L, %L)', root, digest, 'x')) FROM (VALUES
    ('blob', ''), ('blob', 'sha256:'), ('image', repeat('A', 64)), ('evidence', repeat('a', 63)), ('blob', repeat('a', 65)),
    ('blob', 'sha512:' || repeat('a', 64)), ('blob', 'sha256:sha256:' || repeat('a', 64)), ('blob', repeat('a', 64) || E'\n')) AS v (root, digest);
SELECT attempt(format('SELECT scanner.blob_path(%L, %L)', repeat('a', 64), file)) FROM (VALUES
    (''), ('.'), ('..'), ('a/b'), ('/a'), (E'a\\b'), ('a..b'), (E'a\nb'), (E'a\u0001'), (E'a\u007f'), (E'a\u0085'), (E'a\u202eb'), (E'\ufeffa'), (repeat('é', 128))) AS v (file);
SELECT count(scanner.blob_path(repeat('a', 64), file)) FROM (VALUES ('.hidden'), ('a.b.c'), ('-'), (repeat('x', 255)), (repeat('é', 127))) AS v (file);

-- Migrations.
CREATE FUNCTION ask(question text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE answer text; BEGIN EXECUTE question INTO answer; RETURN answer; END $$;
SELECT s, ask(format($$SELECT count(*) || ' ' || bool_and(version = '1' AND description = 'tables of blueprint stellaops' AND checksum = authority.schema_checksum(%1$L)) FROM %1$I.schema_migrations$$, s))
FROM auditspine.blueprint AS b CROSS JOIN unnest(b.schemas) AS s WHERE name = 'stellaops';
SELECT authority.apply_migration('policy', '2', 'notes', 'CREATE TABLE policy.note (id integer PRIMARY KEY); INSERT INTO policy.note VALUES (1)');
SELECT authority.apply_migration('policy', '2', 'notes', 'CREATE TABLE policy.note (id integer PRIMARY KEY); INSERT INTO policy.note VALUES (1)');
SELECT id FROM policy.note;
SELECT attempt($$SELECT authority.apply_migration('policy', '2', 'notes', 'DROP TABLE policy.policies')$$);
SELECT checksum = sha('CREATE TABLE policy.note (id integer PRIMARY KEY); INSERT INTO policy.note VALUES (1)') FROM policy.schema_migrations WHERE version = '2';
SELECT attempt($$SELECT authority.apply_migration('policy', '3', 'fails', 'CREATE TABLE policy.other (id integer); SELECT 1/0')$$);
SELECT count(*), to_regclass('policy.other') FROM policy.schema_migrations;
SELECT authority.record_migration('vuln', '2024.1', 'by another tool', sha('text'));
SELECT authority.record_migration('vuln', '2024.1', 'by another tool', sha('text'));
SELECT attempt(format('SELECT authority.record_migration(%L, %L, %L, %L)', s, v, d, c)) FROM (VALUES
    ('vuln', '2024.1', 'again', sha('other')), ('nowhere', '2', 'd', sha('x')), (NULL, '2', 'd', sha('x')),
    ('acme_vuln', '2', 'd', sha('x')), ('vuln', 'a b', 'd', sha('x')), ('vuln', '2', '', sha('x')), ('vuln', '2', 'd', 'abc'), ('vuln', '2', 'd', NULL)) AS w (s, v, d, c);
SELECT attempt($$INSERT INTO vuln.schema_migrations (version, description, checksum) VALUES ('1', 'x', sha('x'))$$);
SELECT attempt($$UPDATE vuln.schema_migrations SET checksum = sha('x')$$);
SELECT count(*) FROM verify_all() WHERE NOT ok;
-- Somebody changes what a migration was.
ALTER TABLE vuln.schema_migrations DISABLE TRIGGER USER;
UPDATE vuln.schema_migrations SET checksum = sha('other') WHERE version = '2024.1';
DO $$ DECLARE t name; BEGIN
    FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'vuln.schema_migrations'::regclass LOOP
        EXECUTE format('ALTER TABLE vuln.schema_migrations ENABLE ALWAYS TRIGGER %I', t);
    END LOOP;
END $$;
SELECT subject, findings FROM verify_all() WHERE NOT ok;
SELECT finding, key, recorded ->> 'checksum' = sha('text') FROM verify_table_findings('vuln.schema_migrations');
DROP OWNED BY regress_auditspine_stella CASCADE;
DROP ROLE regress_auditspine_stella;
