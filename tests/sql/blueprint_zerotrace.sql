-- Blueprint zerotrace: what is installed, what its tables take, and updated_at.
\set SHOW_CONTEXT never
SELECT name, purpose, schemas, cardinality(tables) FROM auditspine.blueprint WHERE name = 'zerotrace';

-- Installed once; in another schema once more; not beside what is in the way.
SELECT install_blueprint('zerotrace');
SELECT install_blueprint('zerotrace');
SELECT install_blueprint('zerotrace', 'second');
CREATE SCHEMA part;
CREATE TABLE part.agents (id integer);
CREATE VIEW part.web3_findings AS SELECT 1;
\set VERBOSITY sqlstate
SELECT install_blueprint('zerotrace', 'part');
\set VERBOSITY default
SELECT count(*) FROM pg_class WHERE relnamespace = 'part'::regnamespace;
SELECT table_name, kind, pk, chain_by, exclude, skip_unchanged, enabled, truncate_covered, partitions, problem
FROM auditspine.audited_table WHERE kind LIKE 'zerotrace.%' ORDER BY kind COLLATE "C";
SELECT count(*) FROM auditspine.audited_table WHERE kind LIKE 'second.%' AND enabled AND truncate_covered AND problem IS NULL;

-- Each table is hash-partitioned by company in four, and each relation that holds rows is bound by the policy, its owner too.
SELECT count(*) AS tables, bool_and(pg_get_partkeydef(c.oid) = 'HASH (company_id)') AS by_company,
       bool_and((SELECT string_agg(p.relname || ' ' || pg_get_expr(p.relpartbound, p.oid), ', ' ORDER BY p.relname COLLATE "C")
                 FROM pg_inherits JOIN pg_class p ON p.oid = inhrelid WHERE inhparent = c.oid)
                = (SELECT string_agg(format('%s_p%s FOR VALUES WITH (modulus 4, remainder %2$s)', c.relname, n), ', ' ORDER BY n)
                   FROM generate_series(0, 3) n)) AS in_four
FROM pg_class c WHERE relnamespace = 'zerotrace'::regnamespace AND relkind = 'p';
SELECT count(*) AS relations, count(*) FILTER (WHERE relrowsecurity AND relforcerowsecurity) AS forced,
       count(*) FILTER (WHERE (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid AND polcmd = '*' AND polpermissive AND polroles = '{0}') = 1) AS with_policy,
       count(*) FILTER (WHERE EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = 'require_company' AND tgenabled = 'O')) AS with_trigger
FROM pg_class c WHERE relnamespace = 'zerotrace'::regnamespace AND relkind IN ('r', 'p');
SELECT pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS with_check, count(*)
FROM pg_policy WHERE polrelid::regclass::text LIKE 'zerotrace.%' GROUP BY 1, 2;
-- All that there is has a comment.
SELECT 'relation' AS without_comment, oid::regclass::text FROM pg_class
WHERE relnamespace = 'zerotrace'::regnamespace AND (relkind IN ('p', 'v')) AND obj_description(oid, 'pg_class') IS NULL
UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc
WHERE pronamespace = 'zerotrace'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL;
-- The same columns in all twelve, indexes by company, and a key to the agents.
SELECT column_name, data_type, is_nullable, column_default, generation_expression, count(*) FROM information_schema.columns
WHERE table_schema = 'zerotrace' AND table_name IN (SELECT relname FROM pg_class WHERE relnamespace = 'zerotrace'::regnamespace AND relkind = 'p')
GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > 9 ORDER BY min(ordinal_position), 6 DESC;
SELECT definition, count(*) FROM (
    SELECT replace(pg_get_indexdef(indexrelid), c.relname, '*') AS definition FROM pg_index JOIN pg_class c ON c.oid = indrelid
    WHERE relnamespace = 'zerotrace'::regnamespace AND relkind = 'p') i GROUP BY 1 ORDER BY 2 DESC, definition COLLATE "C";
SELECT pg_get_constraintdef(oid) AS definition, count(*) FROM pg_constraint
WHERE connamespace = 'zerotrace'::regnamespace AND contype = 'f' AND conparentid = 0 GROUP BY 1;

-- What each table takes: a good row, and what is wrong with others.
CREATE TABLE good (tbl text PRIMARY KEY, sample jsonb);
INSERT INTO good SELECT tbl, sample || '{"company_id": "00000000-0000-4000-8000-00000000000a", "title": "t"}'
       || CASE tbl WHEN 'agents' THEN '{}' ELSE '{"severity": "low", "risk_score": 1}' END::jsonb
       || CASE WHEN tbl IN ('agents', 'compliance_checks') THEN '{}' ELSE '{"status": "open"}' END::jsonb
FROM (VALUES
    ('agents', '{"name": "a", "agent_type": "host", "version": "1", "status": "active", "configuration": {}}'::jsonb),
    ('vulnerabilities_v2', '{"category": "injection", "vulnerability_type": "code", "exploit_available": true, "references": ["https://example.com"]}'),
    ('system_vulnerabilities', '{"category": "malware", "hostname": "h", "os_type": "linux", "patch_available": true, "references": []}'),
    ('network_findings', '{"category": "dns", "finding_type": "open_port", "host": "h", "port": 53, "protocol": "udp", "internet_facing": true}'),
    ('container_findings', '{"category": "secret", "image": "i", "runtime_type": "docker", "privileged": false}'),
    ('auth_findings', '{"category": "token_leak", "auth_type": "oidc", "failed_attempts": 0}'),
    ('database_findings', '{"category": "backup", "database_type": "redis", "host": "h", "user": "root"}'),
    ('api_findings', '{"category": "ssrf", "api_type": "rest", "endpoint": "/"}'),
    ('ai_ml_findings', '{"category": "bias", "model_name": "m", "model_type": "llm", "framework": "onnx"}'),
    ('compliance_checks', '{"category": "logging", "status": "pass", "framework": "CIS", "control_id": "1.1", "check_type": "manual", "evidence": {}}'),
    ('privacy_findings', '{"category": "data_breach", "framework": "GDPR", "data_type": "pii", "data_location": "l"}'),
    ('iot_ot_findings', '{"category": "physical", "device_type": "plc", "protocol": "modbus", "safety_impact": true}'),
    ('web3_findings', '{"category": "logic", "chain_type": "ethereum", "contract_type": "dex", "contract_address": "0x00000000000000000000000000000000000000aF"}'))
    v (tbl, sample);
UPDATE good SET sample = sample - 'title' WHERE tbl = 'agents';
-- Stores a row with what is in "row", and whatever defaults say for the rest, and takes it back.
CREATE FUNCTION put(tbl text, "row" jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    columns text := (SELECT string_agg(quote_ident(k), ', ') FROM jsonb_object_keys("row") k);
    broken text;
BEGIN
    EXECUTE format('INSERT INTO zerotrace.%1$I (%2$s) SELECT %2$s FROM jsonb_populate_record(NULL::zerotrace.%1$I, $1)', tbl, columns) USING "row";
    RAISE SQLSTATE 'ZZ000';
EXCEPTION
    WHEN SQLSTATE 'ZZ000' THEN RETURN 'stored';
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
        RETURN concat_ws(' ', sqlstate, nullif(broken, ''));
END $$;
SELECT tbl, put(tbl, sample) FROM good ORDER BY tbl COLLATE "C";
-- Lists: each word in them is taken, no other is.
CREATE TABLE list AS
SELECT conrelid::regclass::text AS tbl, conname::text, m[1] AS column_name, m[2] AS words
FROM pg_constraint, regexp_match(pg_get_constraintdef(oid), '^CHECK \(\((\w+) = ANY \(ARRAY\[(.*)\]\)\)\)$') m
WHERE connamespace = 'zerotrace'::regnamespace AND contype = 'c' AND conparentid = 0 AND conrelid::regclass::text !~ '_p[0-3]$'
  AND m IS NOT NULL AND m[2] LIKE '%::text%';
SELECT replace(tbl, 'zerotrace.', '') AS tbl, column_name, regexp_replace(words, '''([^'']*)''::text', '\1', 'g') AS words FROM list
ORDER BY tbl COLLATE "C", column_name COLLATE "C";
SELECT count(*) AS words, count(*) FILTER (WHERE put(g.tbl, g.sample || fits || jsonb_build_object(column_name, w[1])) <> 'stored') AS refused
FROM list l JOIN good g ON l.tbl = 'zerotrace.' || g.tbl CROSS JOIN regexp_matches(words, '''([^'']*)''::text', 'g') w
CROSS JOIN LATERAL (SELECT CASE w[1] WHEN 'solana' THEN '{"contract_address": "4Nd1mYQmXzXvTJtnXhG3oyVQZ8JXnq1CJwq6pJd1cVtF"}' ELSE '{}' END::jsonb) f (fits);
SELECT count(*) AS lists, count(*) FILTER (WHERE put(g.tbl, g.sample || jsonb_build_object(column_name, 'Nonsense')) = '23514 ' || conname) AS refuse_others
FROM list l JOIN good g ON l.tbl = 'zerotrace.' || g.tbl;
-- Everything else.
CREATE TABLE bad AS
SELECT g.tbl, wrong, put(g.tbl, sample || wrong) AS answer FROM good g JOIN (VALUES
    ('agents', '{"name": ""}'::jsonb), ('agents', '{"version": ""}'), ('agents', '{"configuration": []}'), ('agents', '{"address": "300.1.1.1"}'),
    ('vulnerabilities_v2', '{"cve_id": "CVE-24-1"}'), ('vulnerabilities_v2', '{"cve_id": "CVE-2026-12345"}'), ('vulnerabilities_v2', '{"cwe_id": "79"}'),
    ('vulnerabilities_v2', '{"cvss": 10.1}'), ('vulnerabilities_v2', '{"cvss": -1}'), ('vulnerabilities_v2', '{"cvss_vector": "high"}'),
    ('vulnerabilities_v2', '{"cvss_vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}'), ('vulnerabilities_v2', '{"references": {"url": "x"}}'),
    ('system_vulnerabilities', '{"hostname": ""}'), ('system_vulnerabilities', '{"cve_id": "cve-2026-1234"}'), ('system_vulnerabilities', '{"references": "x"}'),
    ('network_findings', '{"host": ""}'), ('network_findings', '{"port": 0}'), ('network_findings', '{"port": 65535}'), ('network_findings', '{"port": 65536}'),
    ('container_findings', '{"image": ""}'), ('container_findings', '{"image_digest": "sha256:12"}'),
    ('auth_findings', '{"failed_attempts": -1}'), ('database_findings', '{"host": ""}'), ('database_findings', '{"port": -1}'),
    ('api_findings', '{"endpoint": ""}'), ('api_findings', '{"owasp_id": "API11:2023"}'), ('api_findings', '{"owasp_id": "API10:2023"}'), ('api_findings', '{"response_status": 99}'),
    ('ai_ml_findings', '{"model_name": ""}'), ('ai_ml_findings', '{"atlas_id": "T0051"}'), ('ai_ml_findings', '{"atlas_id": "AML.T0051.000"}'), ('ai_ml_findings', '{"success_rate": 1.5}'),
    ('compliance_checks', '{"control_id": ""}'), ('compliance_checks', '{"evidence": []}'), ('compliance_checks', '{"status": "open"}'),
    ('privacy_findings', '{"data_location": ""}'), ('privacy_findings', '{"data_subjects": -1}'),
    ('iot_ot_findings', '{"purdue_level": 3.5}'), ('iot_ot_findings', '{"purdue_level": 2.5}'),
    ('web3_findings', '{"contract_address": "0x12"}'), ('web3_findings', '{"chain_type": "solana"}'), ('web3_findings', '{"chain_type": "other", "contract_address": ""}'),
    ('web3_findings', '{"swc_id": "107"}'), ('web3_findings', '{"value_at_risk_usd": -0.01}')) w (tbl, wrong) USING (tbl);
INSERT INTO bad SELECT tbl, wrong, put(tbl, sample || wrong) FROM good, (VALUES
    ('{"risk_score": 0.0}'::jsonb), ('{"risk_score": 10.0}'), ('{"risk_score": 10.1}'), ('{"risk_score": -0.1}'), ('{"risk_score": 100}'), ('{"risk_score": "NaN"}'),
    ('{"title": ""}'), ('{"detected_at": "2026-01-02", "resolved_at": "2026-01-01"}'), ('{"risk_score": null}'), ('{"severity": null}'), ('{"company_id": null}'),
    ('{"agent_id": "00000000-0000-4000-8000-000000000001"}')) w (wrong) WHERE tbl <> 'agents';
SELECT tbl, wrong, answer FROM bad WHERE wrong ->> 'title' IS NULL AND NOT wrong ?| '{risk_score,severity,company_id,agent_id,resolved_at}' ORDER BY tbl COLLATE "C", wrong;
SELECT wrong, replace(answer, tbl, '*') AS answer, count(*) FROM bad
WHERE wrong ?| '{risk_score,severity,company_id,agent_id,resolved_at,title}' GROUP BY 1, 2 ORDER BY 1, 2;
-- No check is left that nothing was refused by.
SELECT conname AS never_broken FROM pg_constraint WHERE connamespace = 'zerotrace'::regnamespace AND contype = 'c' AND conparentid = 0
  AND conrelid::regclass::text !~ '_p[0-3]$' AND conname NOT IN (SELECT split_part(answer, ' ', 2) FROM bad) AND conname NOT IN (SELECT conname FROM list);

-- updated_at: the last change's time, whatever is written there. What changes nothing leaves it, and is no event.
INSERT INTO zerotrace.agents (company_id, id, name, agent_type, version, updated_at)
VALUES ('00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-000000000001', 'a', 'host', '1', '2026-01-01Z');
INSERT INTO zerotrace.api_findings (company_id, id, title, severity, category, risk_score, api_type, endpoint, request, updated_at)
VALUES ('00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-000000000002', 't', 'low', 'ssrf', 1, 'rest', '/', '{"a": 1.0}', '2026-01-01Z');
CREATE VIEW times AS SELECT (SELECT updated_at = '2026-01-01Z' FROM zerotrace.agents) AS agent_as_before, (SELECT updated_at = '2026-01-01Z' FROM zerotrace.api_findings) AS finding_as_before,
    (SELECT updated_at > now() - interval '1 hour' AND updated_at < now() FROM zerotrace.agents) AS agent_kept, (SELECT updated_at > now() - interval '1 hour' AND updated_at < now() FROM zerotrace.api_findings) AS finding_kept,
    (SELECT string_agg(op, '' ORDER BY seq) FROM auditspine.audit_chain WHERE event_kind = 'zerotrace.agents') AS agent_events,
    (SELECT string_agg(op, '' ORDER BY seq) FROM auditspine.audit_chain WHERE event_kind = 'zerotrace.api_findings') AS finding_events;
SELECT * FROM times;
UPDATE zerotrace.agents SET name = name, last_seen_at = now(), updated_at = now();
UPDATE zerotrace.api_findings SET severity = 'low', risk_score = 1.0, request = '{"a": 1.0}', updated_at = '2000-01-01';
INSERT INTO zerotrace.api_findings AS f (company_id, id, title, severity, category, risk_score, api_type, endpoint)
VALUES ('00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-000000000002', 't', 'low', 'ssrf', 1, 'rest', '/')
ON CONFLICT (company_id, id) DO UPDATE SET title = excluded.title, severity = excluded.severity, risk_score = excluded.risk_score;
SELECT * FROM times;
SELECT last_seen_at IS NOT NULL AS seen FROM zerotrace.agents;
UPDATE zerotrace.agents SET version = '2', updated_at = '2000-01-01';
UPDATE zerotrace.api_findings SET severity = 'high';
SELECT * FROM times;
UPDATE zerotrace.api_findings SET updated_at = '2000-01-01', description = 'The server fetches addresses that the caller chooses';
SELECT * FROM times;
SELECT search FROM zerotrace.api_findings;
SELECT count(*) FROM zerotrace.api_findings WHERE search @@ websearch_to_tsquery('english', 'fetching choose');
-- An agent with findings is retired, not deleted; a text beyond what a tsvector takes is no error.
UPDATE zerotrace.api_findings SET agent_id = '00000000-0000-4000-8000-000000000001';
\set VERBOSITY sqlstate
DELETE FROM zerotrace.agents;
\set VERBOSITY default
UPDATE zerotrace.api_findings SET description = (SELECT string_agg('wort' || g, ' ') FROM generate_series(1, 300000) g);
SELECT length(description) > 3000000 AS long, length(search) BETWEEN 10000 AND 20000 AS searchable FROM zerotrace.api_findings;
SELECT v.table_name, ok, rows, findings FROM auditspine.audited_table t, verify_table(t.table_name) v WHERE rows > 0 ORDER BY 1;
