-- Blueprint stellaops: installing it whole; tables, constraints, paths and migrations of authority, registry, scanner, vuln,
-- vex, symbols and unknowns. The rest is in blueprint_stellaops_policy.
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
-- The streams are views of the chain.
GRANT USAGE ON SCHEMA auditspine TO regress_auditspine_stella;
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
SELECT kind, payload, exclude, append_only, skip_unchanged FROM auditspine.audited_table WHERE kind ~ '^(authority|registry|scanner|vuln|vex|symbols|unknowns)\.' ORDER BY kind COLLATE "C";
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
WHERE connamespace::regnamespace::text IN ('authority', 'registry', 'scanner', 'vuln', 'vex', 'symbols', 'unknowns')
  AND contype NOT IN ('t', 'n') AND conrelid::regclass::text !~ '^scanner.proof|^(registry|scanner|vuln|vex|symbols|unknowns).schema_migrations'
ORDER BY conrelid::regclass::text COLLATE "C", contype, pg_get_constraintdef(oid) COLLATE "C";

-- One row of everything.
CREATE FUNCTION sha(t text) RETURNS text LANGUAGE sql IMMUTABLE RETURN 'sha256:' || encode(sha256(convert_to(t, 'UTF8')), 'hex');
INSERT INTO authority.clients (client_id, tenant_id, name, client_type, scopes)
VALUES ('00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-0000000000ff', 'alice', 'confidential', '{exception:approver}');
INSERT INTO authority.keys (client_id, algorithm, purpose, public_key, fingerprint)
SELECT client_id, 'EdDSA', 'vex', pem, 'sha256:' || key_fingerprint(pem) FROM authority.clients, (VALUES ('-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAeGVygzLgOmO2RCtC75jusdS+/R6cUDK4PXD2Tl9VGlA=
-----END PUBLIC KEY-----')) v (pem);
INSERT INTO authority.tokens (client_id, token_hash, token_type, expires_at) SELECT client_id, sha('t'), 'access', now() + '1 hour' FROM authority.clients;
INSERT INTO authority.audit_trail (actor_id, action, outcome) VALUES ('nobody', 'sign-in', 'denied');
INSERT INTO registry.repositories (name, owner_id) SELECT 'acme/shop', client_id FROM authority.clients;
INSERT INTO registry.tokens (client_id, repository_id, token_hash, actions, expires_at) SELECT owner_id, repository_id, sha('t'), '{pull}', now() + '1 hour' FROM registry.repositories;
INSERT INTO scanner.images (image_digest, repository, tag, size_bytes) VALUES (sha('image'), 'acme/shop', '1.0', 1);
INSERT INTO scanner.layers (layer_digest, diff_id, size) VALUES (sha('layer'), sha('diff'), 1);
INSERT INTO scanner.image_layers VALUES (sha('image'), 0, sha('layer'));
INSERT INTO scanner.scans (scan_id, tenant_id, image_digest) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-4000-8000-0000000000ff', sha('image'));
INSERT INTO scanner.artifacts (artifact_id, scan_id, format, size_bytes) VALUES (sha('sbom'), '00000000-0000-0000-0000-000000000001', 'cdx-json', 1);
INSERT INTO scanner.scan_artifacts SELECT scan_id, artifact_id FROM scanner.artifacts;
INSERT INTO vuln.advisory_raw (advisory_id, source, raw_document) VALUES ('A-1', 'OSV', '{"id": "A-1"}');
INSERT INTO vuln.linksets (advisory_id, purl, advisory_raw_id, canonical_id) SELECT advisory_id, 'pkg:golang/x', raw_id, 'CVE-1' FROM vuln.advisory_raw;
INSERT INTO vuln.observations (advisory_id, advisory_raw_id, severity) SELECT advisory_id, raw_id, 'high' FROM vuln.advisory_raw;
INSERT INTO vex.issuer_trust (issuer_id, priority, trust_score, key_id) SELECT 'vendor', 1, 0.8, key_id FROM authority.keys;
INSERT INTO vex.vex_raw (issuer_id, component_purl, vulnerability_id, status, raw_statement) VALUES ('vendor', 'pkg:golang/x', 'CVE-1', 'affected', '{"as": "received"}');
SELECT (vex.recompute_consensus('pkg:golang/x', 'CVE-1')).resolved_status;
INSERT INTO symbols.debug_info (debug_digest, format, size_bytes) VALUES (sha('debug'), 'dwarf', 1);
INSERT INTO symbols.symbols (debug_id, address, name) SELECT debug_id, 4096, 'main' FROM symbols.debug_info;
INSERT INTO unknowns.unknown_components (scan_id, path, reason) SELECT scan_id, '/usr/bin/x', 'stripped_binary' FROM scanner.scans;
INSERT INTO unknowns.tracking (unknown_id, state, client_id) SELECT unknown_id, 'open', client_id FROM unknowns.unknown_components, authority.clients;
SELECT count(*) AS tables, sum(checked) AS rows, bool_and(ok) AS ok FROM verify_all() WHERE layer = 'rows' AND subject ~ '^(authority|registry|scanner|vuln|vex|symbols|unknowns)\.';
SELECT subject FROM verify_all() WHERE layer = 'rows' AND checked = 0 AND subject ~ '^(authority|registry|scanner|vuln|vex|symbols|unknowns)\.' AND subject !~ '\.proof';

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
    ('scanner.scans', 'state', '{pending,acquired,running,completed,failed,done}'::text[]),
    ('scanner.artifacts', 'format', '{cdx-json,spdx-json,cdx-pb,spdx-tv}'),
    ('scanner.artifacts', 'file', '{sbom.json,../x}'),
    ('vex.vex_raw', 'status', '{not_affected,affected,fixed,under_investigation,unknown}'),
    ('vex.consensus', 'resolved_status', '{not_affected,affected,fixed,under_investigation,unknown}'),
    ('vex.issuer_trust', 'trust_score', '{0.00,0.5,1.00,1.01,-0.01}'),
    ('vex.issuer_trust', 'priority', '{1,0,-1}'),
    ('vex.issuer_trust', 'issuer_type', '{vendor,distro,researcher,community,oracle}'),
    ('unknowns.unknown_components', 'confidence', '{0,1,1.01}'),
    ('authority.clients', 'client_type', '{confidential,public,service,person}'),
    ('authority.keys', 'state', '{active,retired,revoked,lost}'),
    ('authority.keys', 'algorithm', '{RS256,ES256,EdDSA,HS256}'),
    ('authority.tokens', 'token_type', '{access,refresh,api,id}'),
    ('authority.audit_trail', 'outcome', '{success,failure,denied,maybe}'),
    ('registry.repositories', 'name', '{a,a/b-c,A/b,a//b,a/}'),
    ('registry.repositories', 'visibility', '{private,internal,public,secret}'),
    ('vuln.advisory_raw', 'source', '{NVD,RED_HAT,OSV,GHSA,DEBIAN,osv,"O SV"}'),
    ('vuln.observations', 'severity', '{critical,high,medium,low,none,unknown,extreme}'),
    ('symbols.debug_info', 'format', '{dwarf,pdb,dsym,breakpad,wasm,stabs}'),
    ('unknowns.unknown_components', 'reason', '{no_package_metadata,no_version,ambiguous_match,stripped_binary,unsupported_format,other}'),
    ('unknowns.tracking', 'state', '{open,in_review,identified,accepted,dismissed,closed}')) AS v (tab, col, list)
CROSS JOIN unnest(list) WITH ORDINALITY AS u (v, n) GROUP BY tab, col ORDER BY tab, col;
-- Ids that hold a digest: sha256: and 64 hex. Which do: all that are called so, or are checked so.
SELECT c.oid::regclass || '.' || attname AS digest,
       string_agg(DISTINCT probe(c.oid::regclass::text, attname, bad), ', ') AS bad, probe(c.oid::regclass::text, attname, sha('other')) AS good
FROM pg_class AS c JOIN pg_attribute AS a ON attrelid = c.oid
CROSS JOIN (VALUES ('sha256:' || repeat('A', 64)), (repeat('a', 64)), ('sha256:' || repeat('a', 63)), ('sha256:' || repeat('a', 65)), ('sha512:' || repeat('a', 64)), ('sha256:' || repeat('g', 64))) AS v (bad)
WHERE c.relnamespace::regnamespace::text IN ('authority', 'registry', 'scanner', 'vuln', 'vex', 'symbols', 'unknowns') AND relkind = 'r' AND relname NOT LIKE 'proof%'
  AND attnum > 0 AND attgenerated = '' AND atttypid = 'text'::regtype AND (attname ~ '(hash|digest|checksum)$' OR EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND attnum = ANY (conkey) AND pg_get_constraintdef(oid) LIKE '%sha256:[0-9a-f]{64}%'))
GROUP BY c.oid, attname ORDER BY (c.oid::regclass || '.' || attname) COLLATE "C";

-- Other rules.
\pset tuples_only on
SELECT statement || ': ' || attempt(statement) FROM (VALUES
    ($$UPDATE authority.keys SET fingerprint = 'sha256:' || repeat('0', 64)$$),
    ($$UPDATE authority.keys SET public_key = NULL, fingerprint = NULL$$),
    ($$UPDATE authority.clients SET client_type = 'public', secret_hash = sha('s')$$),
    ($$UPDATE registry.tokens SET actions = '{pull,mount}'$$),
    ($$UPDATE registry.tokens SET actions = '{}'$$),
    ($$UPDATE scanner.scans SET state = 'acquired', worker = 'w'$$),
    ($$UPDATE scanner.scans SET state = 'running'$$),
    ($$UPDATE scanner.scans SET state = 'acquired'$$),
    ($$UPDATE scanner.scans SET state = 'pending'$$),
    ($$UPDATE scanner.scans SET state = 'running'$$),
    ($$UPDATE scanner.scans SET state = 'completed'$$),
    ($$UPDATE scanner.scans SET state = 'pending', completed_at = NULL$$),
    ($$UPDATE scanner.scans SET state = 'failed'$$),
    ($$UPDATE scanner.artifacts SET file = '../x'$$),
    ($$DELETE FROM scanner.layers$$),
    ($$UPDATE unknowns.tracking SET state = 'dismissed'$$),
    ($$DELETE FROM authority.audit_trail$$),
    ($$DELETE FROM vex.vex_raw$$),
    ($$UPDATE vuln.advisory_raw SET fetched_from = 'elsewhere'$$),
    ($$DELETE FROM symbols.schema_migrations$$)) AS v (statement);
SELECT op, payload ->> 'state', payload ->> 'worker', payload ->> 'started_at' IS NOT NULL, payload ->> 'completed_at' IS NOT NULL FROM audit_history('scanner.scans', '00000000-0000-0000-0000-000000000001');
SELECT manifest_path FROM scanner.images;
SELECT blob_path FROM scanner.artifacts;
-- Secrets, and what goes on all the time, leave no payload and no events.
SELECT count(*) FROM auditspine.audit_chain WHERE payload::text LIKE '%' || sha('t') || '%' OR event_kind ~ '(clients|keys|tokens|channels)$' AND payload IS NOT NULL;
CREATE TEMP TABLE before AS SELECT count(*) AS entries FROM auditspine.audit_chain;
UPDATE authority.clients SET last_seen_at = now();
UPDATE vex.issuer_trust SET updated_at = now();
UPDATE vex.consensus SET computed_at = now();
SELECT count(*) - max(before.entries) FROM auditspine.audit_chain, before;

-- Paths: the layout of the object store.
SELECT scanner.blob_path('sha256:' || repeat('ab12', 16), file) FROM unnest('{sbom.json,sbom.meta.json,sbom.cdx.pb,attestation.dsse,evidence.bundle}'::text[]) AS file;
SELECT scanner.image_path(digest, file) FROM unnest(ARRAY[repeat('ab12', 16), 'sha256:' || repeat('ab12', 16)]) AS digest,
    unnest('{inventory.cdx.json,inventory.cdx.pb,usage.cdx.json,usage.cdx.pb,call-graph.json,reachability.json}'::text[]) AS file;
SELECT scanner.evidence_path('bundle-7', file) FROM unnest('{manifest.json,manifest.dsse,sboms/shop.cdx.json,attestations/build.dsse,proofs/a/b.json,"Prüfbericht 1.json"}'::text[]) AS file;
SELECT scanner.offline_kit_path('2026.01', file) FROM unnest('{feeds/osv.json,images/shop/1.0.tar,signatures/kit.dsse,trust-roots/ca.pem,manifest.json}'::text[]) AS file;
SELECT scanner.blob_path(NULL, 'x') IS NULL, scanner.image_path(repeat('a', 64), NULL) IS NULL, scanner.evidence_path(NULL, 'x') IS NULL;
SELECT DISTINCT provolatile, proisstrict, proparallel FROM pg_proc WHERE pronamespace = 'scanner'::regnamespace AND proname LIKE '%\_path';
SELECT attempt(format('SELECT scanner.%s_path(%L, %L)', root, digest, 'x')) FROM (VALUES
    ('blob', ''), ('blob', 'sha256:'), ('image', repeat('A', 64)), ('image', repeat('a', 63)), ('blob', repeat('a', 65)),
    ('blob', 'sha512:' || repeat('a', 64)), ('blob', 'sha256:sha256:' || repeat('a', 64)), ('blob', repeat('a', 64) || E'\n'),
    ('evidence', ''), ('evidence', '.'), ('evidence', '..'), ('evidence', 'a/b'), ('offline_kit', 'a..b'), ('offline_kit', '-a'), ('offline_kit', repeat('a', 129)), ('offline_kit', E'a\n')) AS v (root, digest);
SELECT attempt(format('SELECT scanner.blob_path(%L, %L)', repeat('a', 64), file)) FROM (VALUES
    (''), ('.'), ('..'), ('a/b'), ('/a'), ('a/'), ('sboms/a'), (E'a\\b'), ('a..b'), (E'a\nb'), (E'a\u0001'), (E'a\u007f'), (E'a\u0085'), (E'a\u202eb'), (E'\ufeffa'), (repeat('é', 128))) AS v (file);
SELECT attempt(format('SELECT scanner.evidence_path(%L, %L)', 'b', file)) FROM (VALUES
    ('sboms'), ('sboms/'), ('sboms//a'), ('sboms/../a'), ('sboms/./a'), ('feeds/a'), ('/sboms/a'), (E'proofs/a\\b')) AS v (file);
SELECT count(scanner.blob_path(repeat('a', 64), file)) FROM (VALUES ('.hidden'), ('a.b.c'), ('-'), (repeat('x', 255)), (repeat('é', 127))) AS v (file);
-- Content types.
SELECT file, scanner.content_type(file) FROM unnest('{sbom.json,inventory.cdx.json,sbom.cdx.pb,sbom.spdx.json,attestation.dsse,evidence.bundle,ca.pem,json,""}'::text[]) AS file;
-- The wrapper envelope of a bill of materials: made, and checked.
SELECT scanner.sbom_envelope(sha('sbom'), sha('image'), 'cdx-json', ARRAY[sha('layer')], '2025-01-02 17:30+02', provenance_id => 'prov_0291')
     = jsonb_build_object('id', sha('sbom'), 'imageDigest', sha('image'), 'created', '2025-01-02T15:30:00Z', 'format', 'cdx-json', 'layers', ARRAY[sha('layer')], 'partial', false, 'provenanceId', 'prov_0291');
SELECT finding FROM (VALUES ('{}'::jsonb), ('[]'), ('null'),
    ('{"id": "sha256:417f", "imageDigest": 1, "created": "2025-01-02", "format": "spdx", "layers": ["x", 1], "partial": "no", "provenanceId": 7, "extra": null}')) AS v (envelope),
    LATERAL scanner.sbom_envelope_findings(envelope) AS finding;
SELECT count(*) FROM scanner.sbom_envelope_findings(NULL);
SELECT attempt(statement) FROM (VALUES
    ($$SELECT scanner.sbom_envelope('417f', sha('image'), 'cdx-json')$$), ($$SELECT scanner.sbom_envelope(sha('sbom'), sha('image'), 'cdx-xml')$$),
    ($$SELECT scanner.sbom_envelope(sha('sbom'), sha('image'), 'cdx-json', NULL)$$), ($$SELECT scanner.check_sbom_envelope(NULL)$$),
    ($$SELECT scanner.check_sbom_envelope(scanner.sbom_envelope(sha('sbom'), sha('image'), 'cdx-pb') || '{"provenanceId": null}')$$)) AS v (statement);

-- Migrations.
CREATE FUNCTION ask(question text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE answer text; BEGIN EXECUTE question INTO answer; RETURN answer; END $$;
SELECT s, ask(format($$SELECT count(*) || ' ' || bool_and(version = 0 AND description = 'tables of blueprint stellaops' AND checksum = authority.schema_checksum(%1$L)) FROM %1$I.schema_migrations$$, s))
FROM unnest('{authority,registry,scanner,vuln,vex,symbols,unknowns}'::text[]) AS s;
SELECT authority.apply_migration('symbols', 1, 'notes', 'CREATE TABLE symbols.note (id integer PRIMARY KEY); INSERT INTO symbols.note VALUES (1)');
SELECT authority.apply_migration('symbols', 1, 'notes', 'CREATE TABLE symbols.note (id integer PRIMARY KEY); INSERT INTO symbols.note VALUES (1)');
SELECT id FROM symbols.note;
SELECT attempt($$SELECT authority.apply_migration('symbols', 1, 'notes', 'DROP TABLE symbols.symbols')$$);
SELECT 'sha256:' || checksum = sha('CREATE TABLE symbols.note (id integer PRIMARY KEY); INSERT INTO symbols.note VALUES (1)') FROM symbols.schema_migrations WHERE version = 1;
SELECT attempt($$SELECT authority.apply_migration('symbols', 2, 'fails', 'CREATE TABLE symbols.other (id integer); SELECT 1/0')$$);
SELECT count(*), to_regclass('symbols.other') FROM symbols.schema_migrations;
SELECT authority.record_migration('vuln', 2024, 'by another tool', sha('text'));
SELECT authority.record_migration('vuln', 2024, 'by another tool', sha('text'));
SELECT attempt(format('SELECT authority.record_migration(%L, %L::integer, %L, %L)', s, v, d, c)) FROM (VALUES
    ('vuln', 2024, 'again', sha('other')), ('nowhere', 2, 'd', sha('x')), (NULL, 2, 'd', sha('x')), ('vuln', 2024, NULL, substr(sha('text'), 8)),
    ('acme_vuln', 2, 'd', sha('x')), ('vuln', NULL, 'd', sha('x')), ('vuln', 2, 'd', 'abc'), ('vuln', 2, 'd', NULL), ('vuln', 2, NULL, sha('x'))) AS w (s, v, d, c);
SELECT attempt($$INSERT INTO vuln.schema_migrations (version, description, checksum) VALUES (0, 'x', 'x')$$);
SELECT attempt($$UPDATE vuln.schema_migrations SET checksum = 'x'$$);
SELECT count(*) FROM verify_all() WHERE NOT ok;
-- Somebody changes what a migration was.
ALTER TABLE vuln.schema_migrations DISABLE TRIGGER USER;
UPDATE vuln.schema_migrations SET checksum = substr(sha('other'), 8) WHERE version = 2024;
DO $$ DECLARE t name; BEGIN
    FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'vuln.schema_migrations'::regclass LOOP
        EXECUTE format('ALTER TABLE vuln.schema_migrations ENABLE ALWAYS TRIGGER %I', t);
    END LOOP;
END $$;
SELECT subject, findings FROM verify_all() WHERE NOT ok;
SELECT finding, key, 'sha256:' || (recorded ->> 'checksum') = sha('text') FROM verify_table_findings('vuln.schema_migrations');
DROP OWNED BY regress_auditspine_stella CASCADE;
DROP ROLE regress_auditspine_stella;
