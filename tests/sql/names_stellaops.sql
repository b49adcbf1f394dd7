-- Blueprint stellaops: the catalogue held against the names of the system that it stands for: schemas authority, scanner,
-- vuln, vex, registry, symbols, unknowns, and schema_migrations. What is printed between the headings is missing or differs.
SET client_min_messages = warning;
SELECT install_blueprint('stellaops');
RESET client_min_messages;
\pset format unaligned
\pset tuples_only on

-- A column: its name, its type, and ! if it must be given. In the order of the document.
CREATE TEMP TABLE told AS
SELECT tab::text, n::integer, split_part(told, ' ', 1) AS col, rtrim(substr(told, strpos(told, ' ') + 1), ' !') AS type, told LIKE '%!' AS required
FROM (VALUES
    ('authority.clients', 'client_id uuid!; tenant_id uuid!; name character varying(255); client_type character varying(50); redirect_uris text[]; scopes text[]; created_at timestamp with time zone; updated_at timestamp with time zone'),
    ('authority.keys', 'key_id uuid!; client_id uuid; algorithm character varying(50); public_key text; created_at timestamp with time zone; expires_at timestamp with time zone'),
    ('authority.tokens', 'token_id uuid!; client_id uuid; subject character varying(255); scopes text[]; issued_at timestamp with time zone; expires_at timestamp with time zone; revoked_at timestamp with time zone'),
    ('authority.audit_trail', 'audit_id uuid!; action character varying(100); actor_id character varying(255); resource_type character varying(100); resource_id character varying(255); occurred_at timestamp with time zone; metadata jsonb'),
    ('scanner.scans', 'scan_id uuid!; tenant_id uuid!; image_digest character varying(100); image_reference text; state character varying(50); created_at timestamp with time zone; started_at timestamp with time zone; completed_at timestamp with time zone; metadata jsonb'),
    ('scanner.artifacts', 'artifact_id character varying(100)!; scan_id uuid; format character varying(50); created_at timestamp with time zone; rekor_proof jsonb'),
    ('scanner.images', 'image_digest character varying(100)!; repository text; tag text; architecture character varying(50); os character varying(50); created_at timestamp with time zone'),
    ('scanner.layers', 'layer_digest character varying(100)!; media_type character varying(255); size bigint; created_at timestamp with time zone'),
    ('scanner.scan_artifacts', 'scan_id uuid!; artifact_id character varying(100)!'),
    ('vuln.advisory_raw', 'raw_id uuid!; advisory_id character varying(100); source character varying(50); raw_document jsonb!; published_at timestamp with time zone; revision integer; created_at timestamp with time zone'),
    ('vuln.linksets', 'linkset_id uuid!; advisory_id character varying(100); purl text; version_range jsonb; created_at timestamp with time zone'),
    ('vuln.observations', 'observation_id uuid!; advisory_id character varying(100); severity_cvss3 jsonb; severity_cvss4 jsonb; description text; references jsonb; created_at timestamp with time zone'),
    ('vex.vex_raw', 'raw_id uuid!; issuer_id character varying(255); component_purl text; vulnerability_id character varying(100); status character varying(50); justification character varying(100); raw_statement jsonb!; published_at timestamp with time zone; signature jsonb; created_at timestamp with time zone'),
    ('vex.consensus', 'consensus_id uuid!; component_purl text; vulnerability_id character varying(100); resolved_status character varying(50); conflict_detected boolean; contributing_vex_ids uuid[]; computed_at timestamp with time zone'),
    ('vex.issuer_trust', 'issuer_id character varying(255)!; trust_score numeric(3,2); priority integer; issuer_type character varying(50); updated_at timestamp with time zone')) AS t (tab, columns)
CROSS JOIN unnest(string_to_array(columns, '; ')) WITH ORDINALITY AS u (told, n)
UNION ALL
SELECT schema || '.schema_migrations', n, split_part(told, ' ', 1), rtrim(substr(told, strpos(told, ' ') + 1), ' !'), told LIKE '%!'
FROM unnest('{authority,registry,scanner,vuln,vex,symbols,unknowns}'::text[]) AS schema
CROSS JOIN unnest('{"version integer!",description text,applied_at timestamp with time zone,checksum character varying(64)}'::text[]) WITH ORDINALITY AS u (told, n);

CREATE TEMP VIEW there AS
SELECT c.oid::regclass::text AS tab, a.attname::text AS col, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
       a.attgenerated <> '' AS generated, a.attnum
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace::regnamespace::text IN ('authority', 'registry', 'scanner', 'vuln', 'vex', 'symbols', 'unknowns')
  AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND c.relname NOT LIKE 'proof\_%';

\echo tables that are named without columns
SELECT name FROM unnest('{registry.tokens,registry.repositories,symbols.symbols,symbols.debug_info,unknowns.unknown_components,unknowns.tracking}'::text[]) AS name
WHERE to_regclass(name) IS NULL;
\echo columns
SELECT format('%s.%s: %s, not %s', t.tab, t.col, coalesce(h.type || CASE WHEN h.required THEN ' required' ELSE '' END || CASE WHEN h.generated THEN ' generated' ELSE '' END, 'missing'),
              t.type || CASE WHEN t.required THEN ' required' ELSE '' END)
FROM told AS t LEFT JOIN there AS h USING (tab, col)
WHERE (h.type, h.required, h.generated) IS DISTINCT FROM (t.type, t.required, false) ORDER BY t.tab, t.n;
\echo columns in another order
SELECT tab FROM told JOIN there AS h USING (tab, col) GROUP BY tab HAVING array_agg(col ORDER BY n) <> array_agg(col ORDER BY h.attnum);
\echo columns besides, which an INSERT would have to give
SELECT h.tab || '.' || h.col FROM there AS h
LEFT JOIN told AS t USING (tab, col) LEFT JOIN pg_attribute AS a ON a.attrelid = h.tab::regclass AND a.attnum = h.attnum
WHERE t.col IS NULL AND h.required AND NOT a.atthasdef AND a.attidentity = '' AND h.tab <> 'scanner.image_layers';

\echo columns besides that make a name of the document ambiguous in a join
SELECT h.tab || '.' || h.col FROM there AS h LEFT JOIN told AS t USING (tab, col)
WHERE t.col IS NULL AND h.tab <> 'scanner.image_layers'
  AND h.col IN (SELECT col FROM told WHERE split_part(told.tab, '.', 1) = split_part(h.tab, '.', 1) AND told.tab NOT LIKE '%.schema\_migrations');
\echo keys and references
CREATE TEMP TABLE keyed (tab text, definition text);
INSERT INTO keyed SELECT tab, definition FROM (VALUES
    ('authority.clients', 'PRIMARY KEY (client_id)'), ('authority.keys', 'PRIMARY KEY (key_id)'), ('authority.tokens', 'PRIMARY KEY (token_id)'),
    ('authority.audit_trail', 'PRIMARY KEY (audit_id)'), ('scanner.scans', 'PRIMARY KEY (scan_id)'), ('scanner.artifacts', 'PRIMARY KEY (artifact_id)'),
    ('scanner.images', 'PRIMARY KEY (image_digest)'), ('scanner.layers', 'PRIMARY KEY (layer_digest)'),
    ('scanner.scan_artifacts', 'PRIMARY KEY (scan_id, artifact_id)'), ('vuln.advisory_raw', 'PRIMARY KEY (raw_id)'),
    ('vuln.advisory_raw', 'UNIQUE (advisory_id, source, revision)'), ('vuln.linksets', 'PRIMARY KEY (linkset_id)'),
    ('vuln.observations', 'PRIMARY KEY (observation_id)'), ('vex.vex_raw', 'PRIMARY KEY (raw_id)'), ('vex.consensus', 'PRIMARY KEY (consensus_id)'),
    ('vex.issuer_trust', 'PRIMARY KEY (issuer_id)'),
    ('authority.keys', 'FOREIGN KEY (client_id) REFERENCES authority.clients(client_id)'),
    ('authority.tokens', 'FOREIGN KEY (client_id) REFERENCES authority.clients(client_id)'),
    ('scanner.artifacts', 'FOREIGN KEY (scan_id) REFERENCES scanner.scans(scan_id)'),
    ('scanner.scan_artifacts', 'FOREIGN KEY (scan_id) REFERENCES scanner.scans(scan_id)'),
    ('scanner.scan_artifacts', 'FOREIGN KEY (artifact_id) REFERENCES scanner.artifacts(artifact_id)')) AS k (tab, definition)
UNION ALL SELECT tab, 'PRIMARY KEY (version)' FROM told WHERE tab LIKE '%.schema\_migrations' AND col = 'version';
SELECT tab || ': ' || definition FROM keyed
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = tab::regclass AND pg_get_constraintdef(oid) = definition);
\echo keys and references on columns of the document that it does not have
SELECT h.conrelid::regclass || ': ' || pg_get_constraintdef(h.oid) FROM pg_constraint AS h
WHERE h.contype IN ('p', 'u', 'f', 'x') AND h.conrelid::regclass::text IN (SELECT tab FROM told)
  AND NOT EXISTS (SELECT FROM keyed WHERE tab = h.conrelid::regclass::text AND definition = pg_get_constraintdef(h.oid))
  AND NOT EXISTS (SELECT FROM unnest(h.conkey) AS k (attnum) JOIN pg_attribute AS a ON a.attrelid = h.conrelid AND a.attnum = k.attnum
                  WHERE NOT EXISTS (SELECT FROM told WHERE tab = h.conrelid::regclass::text AND col = a.attname));

-- Values: what the check on the column names. + is one of ours.
\echo values
CREATE TEMP TABLE valued (tab text, col text, list text);
INSERT INTO valued VALUES
    ('authority.clients', 'client_type', 'confidential, public, service'), ('authority.keys', 'algorithm', 'ES256, EdDSA, RS256'),
    ('scanner.scans', 'state', 'acquired, completed, failed, pending, running'), ('scanner.artifacts', 'format', 'cdx-json, cdx-pb, spdx-json'),
    ('vex.vex_raw', 'status', 'affected, fixed+, not_affected, under_investigation'),
    ('vex.consensus', 'resolved_status', 'affected, fixed+, not_affected, under_investigation'),
    ('vex.issuer_trust', 'issuer_type', 'community, distro, researcher, vendor');
SELECT v.tab || '.' || v.col || ': ' || coalesce(c.list, 'all') FROM valued AS v
LEFT JOIN LATERAL (
    SELECT string_agg(DISTINCT m[1], ', ' ORDER BY m[1]) AS list
    FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attname = v.col
    CROSS JOIN LATERAL regexp_matches(pg_get_constraintdef(k.oid), '''([^'']*)''', 'g') AS m
    WHERE k.conrelid = v.tab::regclass AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]) AS c ON true
WHERE c.list IS DISTINCT FROM replace(v.list, '+', '');
CREATE FUNCTION pg_temp.runs(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN true;
EXCEPTION WHEN check_violation THEN
    RETURN false;
END $$;
-- The score goes from 0.00 to 1.00; the source is a name such as the document has.
\echo values that are refused, or should be
SELECT v.what FROM (VALUES
    ('trust_score', $$INSERT INTO vex.issuer_trust (issuer_id, trust_score) VALUES ('a', 0.00), ('b', 1.00)$$, true),
    ('trust_score below', $$INSERT INTO vex.issuer_trust (issuer_id, trust_score) VALUES ('a', -0.01)$$, false),
    ('trust_score above', $$INSERT INTO vex.issuer_trust (issuer_id, trust_score) VALUES ('a', 1.01)$$, false),
    ('source', $$INSERT INTO vuln.advisory_raw (source, raw_document) VALUES ('NVD', '{}'), ('RED_HAT', '{}'), ('OSV', '{}'), ('GHSA', '{}')$$, true)) AS v (what, statement, good)
WHERE pg_temp.runs(v.statement) <> v.good;

\echo functions: arguments and results
CREATE TEMP TABLE called (name text, arguments text, result text);
INSERT INTO called VALUES
    ('authority.digest', 'document jsonb', 'text'),
    ('authority.record_migration', 'schema text, version integer, description text, checksum text', 'boolean'),
    ('authority.apply_migration', 'schema text, version integer, description text, body text', 'boolean'),
    ('authority.schema_checksum', 'schema text', 'text'),
    ('scanner.blob_path', 'digest text, file text', 'text'),
    ('scanner.image_path', 'image_digest text, file text', 'text'),
    ('scanner.evidence_path', 'bundle_id text, file text', 'text'),
    ('scanner.offline_kit_path', 'kit_id text, file text', 'text'),
    ('scanner.content_type', 'file text', 'text'),
    ('scanner.sbom_envelope', 'artifact_id text, image_digest text, format text, layers text[], created timestamp with time zone, partial boolean, provenance_id text', 'jsonb'),
    ('scanner.check_sbom_envelope', 'envelope jsonb', 'jsonb'),
    ('scanner.sbom_envelope_findings', 'envelope jsonb', 'SETOF text'),
    ('scanner.add_sbom', 'scan_id uuid, sbom text, format text, layers text[], partial boolean, provenance_id text, view text', 'TABLE(artifact_id text, added boolean, blob_path text, envelope jsonb)'),
    ('vuln.add_advisory', 'source text, raw_document jsonb, advisory_id text, published_at timestamp with time zone, fetched_from text', 'TABLE(raw_id uuid, revision integer, added boolean)'),
    ('vex.add_statement', 'issuer_id text, raw_statement jsonb, statement_id text, published_at timestamp with time zone, signature jsonb', 'TABLE(id text, revision integer, added boolean)'),
    ('vex.add_openvex', 'document jsonb, issuer_id text, signature jsonb', 'TABLE(component_purl text, vulnerability_id text, status text, statement_id text, revision integer, added boolean)'),
    ('vex.consensus_of', 'component_purl text, vulnerability_id text', 'SETOF vex.consensus'),
    ('vex.recompute_consensus', 'component_purl text, vulnerability_id text', 'vex.consensus');
SELECT c.name || coalesce(': ' || pg_get_function_identity_arguments(p.oid) || ' → ' || pg_get_function_result(p.oid), ' is missing')
FROM called AS c LEFT JOIN pg_proc AS p ON p.pronamespace::regnamespace || '.' || p.proname = c.name
WHERE (pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid)) IS DISTINCT FROM (c.arguments, c.result);
\echo views
CREATE TEMP TABLE viewed (name text, columns text);
INSERT INTO viewed VALUES
    ('vuln.advisory', 'raw_id, advisory_id, source, raw_document, published_at, revision, created_at, content_hash, withdrawn, fetched_from'),
    ('vex.consensus_statement', 'component_purl, vulnerability_id, place, part, issuer_id, statement_id, revision, status, priority, trust_score');
SELECT v.name || ': ' || coalesce(c.list, 'missing') FROM viewed AS v
LEFT JOIN LATERAL (SELECT string_agg(attname, ', ' ORDER BY attnum) AS list FROM pg_attribute WHERE attrelid = to_regclass(v.name) AND attnum > 0) AS c ON true
WHERE c.list IS DISTINCT FROM v.columns;
\echo names that were held: tables, columns, keys and references, lists of values, functions, views
SELECT (SELECT count(DISTINCT tab) FROM told) + 6, (SELECT count(*) FROM told), (SELECT count(*) FROM keyed), (SELECT count(*) FROM valued),
       (SELECT count(*) FROM called), (SELECT count(*) FROM viewed);
