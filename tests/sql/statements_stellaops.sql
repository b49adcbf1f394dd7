-- Blueprint stellaops: what somebody writes who has only the document of that system: rows with all its columns, with
-- those alone that must be given, and what becomes of them. First as a superuser, names with their schemas; then as each
-- module's application, in its own schema, with the rights that the page on the blueprint tells, and no others.
\set SHOW_CONTEXT never
\pset format unaligned
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_module;
CREATE ROLE regress_auditspine_module;
SELECT install_blueprint('stellaops');
RESET client_min_messages;
CREATE FUNCTION public.attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; state text; changed bigint;
BEGIN
    EXECUTE command;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
    RETURN state || ' ' || message;
END $$;
CREATE TABLE public.statement (n integer GENERATED ALWAYS AS IDENTITY, module text, command text);
GRANT SELECT ON public.statement TO regress_auditspine_module;
-- One statement a line; a module's tables are named without their schema. ~ stands for a digit of one's own, so that the
-- same can be written again by somebody else.
INSERT INTO public.statement (module, command) VALUES
('authority', $$INSERT INTO clients (client_id, tenant_id, name, client_type, redirect_uris, scopes, created_at, updated_at) VALUES ('00000000-0000-4000-8000-0000000000~1', '00000000-0000-4000-8000-000000000aaa', 'portal', 'confidential', ARRAY['https://portal.example/callback'], ARRAY['scan:read', 'scan:write'], '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')$$),
('authority', $$INSERT INTO clients (client_id, tenant_id) VALUES ('00000000-0000-4000-8000-0000000000~2', '00000000-0000-4000-8000-000000000aaa')$$),
('authority', $$INSERT INTO clients (client_id, tenant_id, name, client_type) VALUES ('00000000-0000-4000-8000-0000000000~3', '00000000-0000-4000-8000-000000000aaa', 'app', 'public'), ('00000000-0000-4000-8000-0000000000~4', '00000000-0000-4000-8000-000000000bbb', 'worker', 'service'), ('00000000-0000-4000-8000-0000000000~5', '00000000-0000-4000-8000-000000000bbb', NULL, NULL)$$),
('authority', $$UPDATE clients SET name = 'portal 2', scopes = ARRAY['scan:read'], updated_at = now() WHERE client_id = '00000000-0000-4000-8000-0000000000~1'$$),
('authority', $$INSERT INTO keys (key_id, client_id, algorithm, public_key, created_at, expires_at) VALUES ('00000000-0000-4000-8000-0000000001~1', '00000000-0000-4000-8000-0000000000~1', 'ES256', '{"kty": "EC", "crv": "P-256"}', '2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z'), ('00000000-0000-4000-8000-0000000001~2', NULL, 'RS256', '-----BEGIN PUBLIC KEY-----', now(), NULL), ('00000000-0000-4000-8000-0000000001~3', NULL, 'EdDSA', NULL, NULL, '2020-01-01T00:00:00Z')$$),
('authority', $$INSERT INTO keys (key_id) VALUES ('00000000-0000-4000-8000-0000000001~4')$$),
('authority', $$UPDATE keys SET expires_at = now() WHERE key_id = '00000000-0000-4000-8000-0000000001~2'$$),
('authority', $$INSERT INTO tokens (token_id, client_id, subject, scopes, issued_at, expires_at, revoked_at) VALUES ('00000000-0000-4000-8000-0000000002~1', '00000000-0000-4000-8000-0000000000~1', 'somebody', ARRAY['scan:read'], now(), now() + interval '1 hour', NULL)$$),
('authority', $$INSERT INTO tokens (token_id) VALUES ('00000000-0000-4000-8000-0000000002~2')$$),
('authority', $$INSERT INTO tokens (token_id, client_id, expires_at) VALUES ('00000000-0000-4000-8000-0000000002~3', '00000000-0000-4000-8000-0000000000~1', '2020-01-01T00:00:00Z')$$),
('authority', $$UPDATE tokens SET revoked_at = now() WHERE token_id = '00000000-0000-4000-8000-0000000002~1'$$),
('authority', $$DELETE FROM tokens WHERE expires_at < now() AND token_id = '00000000-0000-4000-8000-0000000002~3'$$),
('authority', $$INSERT INTO audit_trail (audit_id, action, actor_id, resource_type, resource_id, occurred_at, metadata) VALUES ('00000000-0000-4000-8000-0000000003~1', 'token.issued', 'somebody', 'token', '00000000-0000-4000-8000-0000000002~1', now(), '{"ip": "192.0.2.1"}')$$),
('authority', $$INSERT INTO audit_trail (audit_id) VALUES ('00000000-0000-4000-8000-0000000003~2')$$),
('scanner', $$INSERT INTO scans (scan_id, tenant_id, image_digest, image_reference, state, created_at, started_at, completed_at, metadata) VALUES ('00000000-0000-4000-8000-0000000004~1', '00000000-0000-4000-8000-000000000aaa', 'sha256:e2b9', 'registry.example/shop:1.0', 'pending', now(), NULL, NULL, '{"priority": "high"}')$$),
('scanner', $$INSERT INTO scans (scan_id, tenant_id) VALUES ('00000000-0000-4000-8000-0000000004~2', '00000000-0000-4000-8000-000000000aaa'), ('00000000-0000-4000-8000-0000000004~3', '00000000-0000-4000-8000-000000000aaa'), ('00000000-0000-4000-8000-0000000004~4', '00000000-0000-4000-8000-000000000bbb')$$),
('scanner', $$INSERT INTO scans (scan_id, tenant_id, state, created_at, started_at, completed_at) VALUES ('00000000-0000-4000-8000-0000000004~5', '00000000-0000-4000-8000-000000000bbb', 'completed', '2020-01-01T00:00:00Z', '2020-01-01T00:01:00Z', '2020-01-01T00:02:00Z'), ('00000000-0000-4000-8000-0000000004~6', '00000000-0000-4000-8000-000000000bbb', 'failed', NULL, NULL, NULL)$$),
('scanner', $$UPDATE scans SET state = 'acquired' WHERE scan_id = '00000000-0000-4000-8000-0000000004~1'$$),
('scanner', $$UPDATE scans SET state = 'running', started_at = now() WHERE scan_id = '00000000-0000-4000-8000-0000000004~1'$$),
('scanner', $$UPDATE scans SET state = 'completed', completed_at = now() WHERE scan_id = '00000000-0000-4000-8000-0000000004~1'$$),
('scanner', $$UPDATE scans SET state = 'running' WHERE scan_id = '00000000-0000-4000-8000-0000000004~2'$$),
('scanner', $$UPDATE scans SET state = 'failed' WHERE scan_id = '00000000-0000-4000-8000-0000000004~2'$$),
('scanner', $$UPDATE scans SET state = 'failed', completed_at = now(), metadata = '{"error": "no such image"}' WHERE scan_id = '00000000-0000-4000-8000-0000000004~3'$$),
('scanner', $$INSERT INTO artifacts (artifact_id, scan_id, format, created_at, rekor_proof) VALUES ('sha256:417f~1', '00000000-0000-4000-8000-0000000004~1', 'cdx-json', now(), '{"logIndex": 7}')$$),
('scanner', $$INSERT INTO artifacts (artifact_id) VALUES ('sha256:417f~2')$$),
('scanner', $$INSERT INTO artifacts (artifact_id, scan_id, format) VALUES ('sha256:' || repeat('~', 64), '00000000-0000-4000-8000-0000000004~1', 'spdx-json'), ('sha256:417f~3', '00000000-0000-4000-8000-0000000004~1', 'cdx-pb')$$),
('scanner', $$UPDATE artifacts SET rekor_proof = '{"logIndex": 8}' WHERE artifact_id = 'sha256:417f~2'$$),
('scanner', $$INSERT INTO images (image_digest, repository, tag, architecture, os, created_at) VALUES ('sha256:e2b9~', 'shop', '1.0', 'amd64', 'linux', now())$$),
('scanner', $$INSERT INTO images (image_digest) VALUES ('sha256:e2ba~')$$),
('scanner', $$INSERT INTO layers (layer_digest, media_type, size, created_at) VALUES ('sha256:d38b~', 'application/vnd.oci.image.layer.v1.tar+gzip', 31457280, now())$$),
('scanner', $$INSERT INTO layers (layer_digest) VALUES ('sha256:af45~')$$),
('scanner', $$INSERT INTO scan_artifacts (scan_id, artifact_id) VALUES ('00000000-0000-4000-8000-0000000004~1', 'sha256:417f~1'), ('00000000-0000-4000-8000-0000000004~2', 'sha256:417f~1')$$),
('scanner', $$DELETE FROM scan_artifacts WHERE scan_id = '00000000-0000-4000-8000-0000000004~2'$$),
('vuln', $$INSERT INTO advisory_raw (raw_id, advisory_id, source, raw_document, published_at, revision, created_at) VALUES ('00000000-0000-4000-8000-0000000005~1', 'CVE-2026-000~', 'NVD', '{"id": "CVE-2026-000~", "metrics": {}}', '2026-01-02T03:04:05Z', 1, now())$$),
('vuln', $$INSERT INTO advisory_raw (raw_id, advisory_id, source, raw_document, published_at, revision, created_at) VALUES ('00000000-0000-4000-8000-0000000005~2', 'CVE-2026-000~', 'NVD', '{"id": "CVE-2026-000~", "metrics": {"score": 9.8}}', '2026-01-03T03:04:05Z', 2, now()), ('00000000-0000-4000-8000-0000000005~3', 'CVE-2026-000~', 'RED_HAT', '{}', NULL, 1, NULL), ('00000000-0000-4000-8000-0000000005~4', 'CVE-2026-000~', 'GHSA', '{}', NULL, 7, NULL), ('00000000-0000-4000-8000-0000000005~5', 'CVE-2026-000~', 'OSV', '{}', NULL, NULL, NULL)$$),
('vuln', $$INSERT INTO advisory_raw (raw_id, raw_document) VALUES ('00000000-0000-4000-8000-0000000005~6', '["as", "received"]')$$),
('vuln', $$INSERT INTO advisory_raw (raw_id, advisory_id, source, raw_document, revision) VALUES (gen_random_uuid(), 'CVE-2026-000~', 'NVD', '{}', 2) ON CONFLICT (advisory_id, source, revision) DO NOTHING$$),
('vuln', $$INSERT INTO linksets (linkset_id, advisory_id, purl, version_range, created_at) VALUES ('00000000-0000-4000-8000-0000000006~1', 'CVE-2026-000~', 'pkg:npm/left-pad', '{"introduced": "0", "fixed": "1.3.1"}', now())$$),
('vuln', $$INSERT INTO linksets (linkset_id) VALUES ('00000000-0000-4000-8000-0000000006~2')$$),
('vuln', $$INSERT INTO observations (observation_id, advisory_id, severity_cvss3, severity_cvss4, description, "references", created_at) VALUES ('00000000-0000-4000-8000-0000000007~1', 'CVE-2026-000~', '{"baseScore": 9.8, "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}', NULL, 'pads too far', '["https://advisories.example/1"]', now())$$),
('vuln', $$INSERT INTO observations (observation_id) VALUES ('00000000-0000-4000-8000-0000000007~2')$$),
('vuln', $$UPDATE observations SET severity_cvss4 = '{"baseScore": 9.3}' WHERE observation_id = '00000000-0000-4000-8000-0000000007~1'$$),
('vex', $$INSERT INTO vex_raw (raw_id, issuer_id, component_purl, vulnerability_id, status, justification, raw_statement, published_at, signature, created_at) VALUES ('00000000-0000-4000-8000-0000000008~1', 'vendor~', 'pkg:npm/left-pad@1.3.0', 'CVE-2026-000~', 'not_affected', 'vulnerable_code_not_in_execute_path', '{"status": "not_affected"}', '2026-01-02T03:04:05Z', '{"payloadType": "application/vnd.openvex+json", "payload": "", "signatures": []}', now())$$),
('vex', $$INSERT INTO vex_raw (raw_id, issuer_id, component_purl, vulnerability_id, status, raw_statement) VALUES ('00000000-0000-4000-8000-0000000008~2', 'distro~', 'pkg:npm/left-pad@1.3.0', 'CVE-2026-000~', 'affected', '{}'), ('00000000-0000-4000-8000-0000000008~3', 'cert~', 'pkg:npm/left-pad@1.3.0', 'CVE-2026-000~', 'under_investigation', '{}'), ('00000000-0000-4000-8000-0000000008~4', 'vendor~', 'pkg:npm/left-pad@1.3.0', 'CVE-2026-000~', 'not_affected', '{}')$$),
('vex', $$INSERT INTO vex_raw (raw_id, raw_statement) VALUES ('00000000-0000-4000-8000-0000000008~5', '{}')$$),
('vex', $$INSERT INTO issuer_trust (issuer_id, trust_score, priority, issuer_type, updated_at) VALUES ('vendor~', 0.95, 1, 'vendor', now()), ('distro~', 1.00, 2, 'distro', now()), ('cert~', 0.00, 3, 'researcher', now()), ('list~', 0.50, 100, 'community', now())$$),
('vex', $$INSERT INTO issuer_trust (issuer_id) VALUES ('new~')$$),
('vex', $$UPDATE issuer_trust SET trust_score = 0.90, priority = 0, updated_at = now() WHERE issuer_id = 'vendor~'$$),
('vex', $$INSERT INTO consensus (consensus_id, component_purl, vulnerability_id, resolved_status, conflict_detected, contributing_vex_ids, computed_at) VALUES ('00000000-0000-4000-8000-0000000009~1', 'pkg:npm/left-pad@1.3.0', 'CVE-2026-000~', 'affected', true, ARRAY['00000000-0000-4000-8000-0000000008~1', '00000000-0000-4000-8000-0000000008~2']::uuid[], now()), ('00000000-0000-4000-8000-0000000009~2', 'pkg:npm/left-pad@1.3.0', 'CVE-2026-000~', 'under_investigation', false, '{}', now())$$),
('vex', $$INSERT INTO consensus (consensus_id) VALUES ('00000000-0000-4000-8000-0000000009~3')$$),
('vex', $$UPDATE consensus SET resolved_status = 'not_affected', conflict_detected = false, computed_at = now() WHERE consensus_id = '00000000-0000-4000-8000-0000000009~1'$$),
('vex', $$SELECT count(*) FROM recompute_consensus('pkg:npm/left-pad@1.3.0', 'CVE-2026-000~')$$);
INSERT INTO public.statement (module, command) SELECT schema, command FROM unnest('{authority,registry,scanner,vuln,vex,symbols,unknowns}'::text[]) AS schema
CROSS JOIN (VALUES ($$INSERT INTO schema_migrations (version, description, applied_at, checksum) VALUES (~1, 'first', now(), repeat('a~', 32))$$),
                   ($$INSERT INTO schema_migrations (version) VALUES (~2)$$)) AS m (command);
INSERT INTO public.statement (module, command) SELECT split_part(tab, '.', 1), 'INSERT INTO ' || split_part(tab, '.', 2) || ' DEFAULT VALUES'
FROM unnest('{registry.tokens,registry.repositories,symbols.symbols,symbols.debug_info,unknowns.unknown_components,unknowns.tracking}'::text[]) AS tab;

-- Runs a module's statements: as a superuser, or as an application, in its own schema.
CREATE FUNCTION public.run(module text, digit text, as_role name) RETURNS TABLE (outcome text, command text) LANGUAGE plpgsql AS $$
DECLARE s record;
BEGIN
    PERFORM set_config('search_path', module, true), set_config('role', as_role, true);
    FOR s IN SELECT t.command FROM public.statement AS t WHERE t.module = run.module ORDER BY t.n LOOP
        command := replace(s.command, '~', digit);
        outcome := public.attempt(command);
        RETURN NEXT;
    END LOOP;
    PERFORM set_config('role', 'none', true);
END $$;

\pset tuples_only on
\echo as a superuser: rows, and the beginning of the statement
SELECT m || ' ' || outcome || ' ' || left(command, 60) FROM unnest('{authority,registry,scanner,vuln,vex,symbols,unknowns}'::text[]) AS m, public.run(m, '1', current_user::name);

-- What a page can ask a DBA to grant: the module's own schema, and no other.
DO $$ DECLARE s text; t record; BEGIN
    FOREACH s IN ARRAY '{authority,registry,scanner,vuln,vex,symbols,unknowns}'::text[] LOOP
        FOR t IN SELECT table_name AS name, append_only FROM auditspine.audited_table WHERE kind LIKE s || '.%' AND kind NOT LIKE '%.proof%' LOOP
            EXECUTE format('GRANT SELECT, INSERT%s ON %s TO regress_auditspine_module', CASE WHEN t.append_only THEN '' ELSE ', UPDATE, DELETE' END, t.name);
        END LOOP;
    END LOOP;
END $$;
CREATE FUNCTION public.run_as_module(module text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO regress_auditspine_module', module);
    RETURN QUERY SELECT format('%s: %s of %s statements done', module, count(*) FILTER (WHERE outcome ~ '^\d+$'), count(*)) FROM public.run(module, '2', 'regress_auditspine_module')
        UNION ALL SELECT outcome || ' ' || command FROM public.run(module, '3', 'regress_auditspine_module') WHERE outcome !~ '^\d+$';
    EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM regress_auditspine_module', module);
END $$;
\echo as the applications of the modules, twice: how many are done, and those that are not
SELECT public.run_as_module(m) FROM unnest('{authority,registry,scanner,vuln,vex,symbols,unknowns}'::text[]) AS m;
\pset tuples_only off

-- What is there then, by the document's columns.
SELECT client_id, tenant_id, name, client_type, redirect_uris, scopes FROM authority.clients WHERE client_id::text LIKE '%00001_' ORDER BY client_id;
SELECT scan_id, tenant_id, image_digest, image_reference, state, started_at IS NOT NULL AS started, completed_at IS NOT NULL AS completed, metadata
FROM scanner.scans WHERE scan_id::text LIKE '%0000041_' ORDER BY scan_id;
SELECT artifact_id, scan_id, format, rekor_proof FROM scanner.artifacts WHERE artifact_id LIKE '%17f1_' ORDER BY 1;
SELECT raw_id, advisory_id, source, raw_document, published_at AT TIME ZONE 'UTC' AS published_at, revision FROM vuln.advisory_raw WHERE raw_id::text LIKE '%0000051_' ORDER BY raw_id;
SELECT advisory_id, purl, version_range FROM vuln.linksets WHERE linkset_id::text LIKE '%0000061_' ORDER BY linkset_id;
SELECT advisory_id, severity_cvss3 -> 'baseScore' AS cvss3, severity_cvss4 -> 'baseScore' AS cvss4, description, "references" FROM vuln.observations WHERE observation_id::text LIKE '%0000071_' ORDER BY observation_id;
SELECT raw_id, issuer_id, component_purl, vulnerability_id, status, justification, raw_statement, signature IS NOT NULL AS signed, statement_revision FROM vex.vex_raw WHERE raw_id::text LIKE '%0000081_' ORDER BY raw_id;
SELECT issuer_id, trust_score, priority, issuer_type FROM vex.issuer_trust WHERE issuer_id LIKE '%1' ORDER BY issuer_id;
SELECT component_purl, vulnerability_id, resolved_status, conflict_detected, contributing_vex_ids, statements IS NOT NULL AS recomputed FROM vex.consensus WHERE vulnerability_id LIKE '%1' ORDER BY resolved_status, 6;
SELECT version, description, checksum FROM vuln.schema_migrations WHERE version > 0 ORDER BY version;

-- Evidence is append-only, values are those of the document, a scan that is done stays so.
\pset tuples_only on
SELECT attempt(command) FROM (VALUES
    ($$UPDATE vuln.advisory_raw SET raw_document = '{}'$$), ($$DELETE FROM vex.vex_raw$$), ($$DELETE FROM authority.audit_trail$$), ($$TRUNCATE vuln.schema_migrations$$),
    ($$INSERT INTO scanner.scans (tenant_id, state) VALUES (gen_random_uuid(), 'queued')$$), ($$INSERT INTO scanner.artifacts (artifact_id, format) VALUES ('sha256:1', 'spdx-tv')$$),
    ($$INSERT INTO authority.clients (tenant_id, client_type) VALUES (gen_random_uuid(), 'person')$$), ($$INSERT INTO authority.clients (name) VALUES ('x')$$),
    ($$INSERT INTO vex.vex_raw (status, raw_statement) VALUES ('unaffected', '{}')$$), ($$INSERT INTO vex.issuer_trust (issuer_id, trust_score) VALUES ('x', 1.01)$$),
    ($$INSERT INTO vex.vex_raw (status, raw_statement) VALUES ('affected', '{"status": "not_affected"}')$$),
    ($$INSERT INTO vuln.advisory_raw (raw_document) VALUES (NULL)$$), ($$INSERT INTO vuln.advisory_raw (advisory_id, source, revision, raw_document) VALUES ('CVE-2026-0001', 'NVD', 1, '{}')$$),
    ($$UPDATE scanner.scans SET state = 'running' WHERE state = 'completed'$$),
    ($$INSERT INTO scanner.artifacts (artifact_id, scan_id) VALUES ('sha256:2', gen_random_uuid())$$)) AS v (command);
\pset tuples_only off

-- All of it is recorded. Somebody who owns the database makes a scan of the past a failed one, with the triggers off.
SELECT layer, count(*) > 0 AS verified, bool_and(ok) AS ok FROM verify_all() GROUP BY layer ORDER BY layer;
ALTER TABLE scanner.scans DISABLE TRIGGER USER;
UPDATE scanner.scans SET state = 'failed' WHERE scan_id = '00000000-0000-4000-8000-000000000411';
ALTER TABLE scanner.scans ENABLE TRIGGER USER;
ALTER TABLE scanner.scans ENABLE ALWAYS TRIGGER auditspine_audit, ENABLE ALWAYS TRIGGER auditspine_truncate;
SELECT subject, findings FROM verify_all() WHERE NOT ok;
SELECT finding, key, recorded ->> 'state' AS recorded, current ->> 'state' AS current FROM verify_table_findings('scanner.scans');
DROP OWNED BY regress_auditspine_module;
DROP ROLE regress_auditspine_module;
