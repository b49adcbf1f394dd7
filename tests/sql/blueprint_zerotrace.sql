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

-- Each table is hash-partitioned by company in four, under its second name, and each relation that holds rows is bound by
-- the policy, its owner too.
SELECT count(*) AS tables, bool_and(pg_get_partkeydef(c.oid) = 'HASH (company_id)') AS by_company,
       bool_and((SELECT string_agg(p.relname || ' ' || pg_get_expr(p.relpartbound, p.oid), ', ' ORDER BY p.relname COLLATE "C")
                 FROM pg_inherits JOIN pg_class p ON p.oid = inhrelid WHERE inhparent = c.oid)
                = CASE WHEN c.relispartition
                  THEN (SELECT string_agg(format('%s_partition_%s FOR VALUES WITH (modulus 4, remainder %2$s)', replace(c.relname, '_partitioned', ''), n), ', ' ORDER BY n)
                        FROM generate_series(0, 3) n)
                  ELSE c.relname || '_partitioned FOR VALUES WITH (modulus 1, remainder 0)' END) AS in_four
FROM pg_class c WHERE relnamespace = 'zerotrace'::regnamespace AND relkind = 'p';
SELECT count(*) AS relations, count(*) FILTER (WHERE relrowsecurity AND relforcerowsecurity) AS forced,
       count(*) FILTER (WHERE (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid AND polcmd = '*' AND polpermissive AND polroles = '{0}') = 1) AS with_policy,
       count(*) FILTER (WHERE EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = 'require_company' AND tgenabled = 'O')) AS with_trigger
FROM pg_class c WHERE relnamespace = 'zerotrace'::regnamespace AND relkind IN ('r', 'p');
SELECT pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS with_check, polcmd AS command, count(*)
FROM pg_policy WHERE polrelid::regclass::text LIKE 'zerotrace.%' GROUP BY 1, 2, 3 ORDER BY 4;
-- All that there is has a comment.
SELECT 'relation' AS without_comment, oid::regclass::text FROM pg_class
WHERE relnamespace = 'zerotrace'::regnamespace AND (relkind IN ('p', 'v') OR relname = 'agents') AND obj_description(oid, 'pg_class') IS NULL
UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc
WHERE pronamespace = 'zerotrace'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL;
-- What is ours in them stands behind what applications know, and none of it is required; indexes besides those that
-- names_zerotrace holds.
SELECT column_name, CASE WHEN data_type = 'character varying' THEN 'varchar(' || character_maximum_length || ')' WHEN data_type = 'numeric' THEN 'numeric(' || numeric_precision || ',' || numeric_scale || ')' ELSE data_type END AS type,
       is_nullable, column_default, generation_expression, count(*) AS tables, min(table_name COLLATE "C") AS first
FROM information_schema.columns c
WHERE table_schema = 'zerotrace' AND table_name !~ '_partition|_summary'
  AND (table_name = 'agents' AND ordinal_position > 4 OR table_name <> 'agents' AND ordinal_position > (SELECT ordinal_position FROM information_schema.columns u WHERE u.table_schema = c.table_schema AND u.table_name = c.table_name AND u.column_name = 'updated_at'))
GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, column_name COLLATE "C", 5;
SELECT definition, count(*) FROM (
    SELECT replace(pg_get_indexdef(indexrelid), replace(c.relname, '_partitioned', ''), '*') AS definition FROM pg_index JOIN pg_class c ON c.oid = indrelid
    WHERE relnamespace = 'zerotrace'::regnamespace AND (relkind = 'p' AND relispartition OR relname = 'agents')) i GROUP BY 1 ORDER BY 2 DESC, definition COLLATE "C";

-- What each table takes: a good row, and what is wrong with others.
CREATE TABLE good (tbl text PRIMARY KEY, sample jsonb);
INSERT INTO good SELECT tbl, sample || '{"company_id": "00000000-0000-4000-8000-00000000000a"}'
       || CASE WHEN tbl = 'agents' THEN '{}' ELSE '{"agent_id": "00000000-0000-4000-8000-00000000000c", "severity": "low"}' END::jsonb
       || CASE WHEN tbl IN ('agents', 'network_findings', 'compliance_checks') THEN '{}' ELSE '{"title": "t"}' END::jsonb
FROM (VALUES
    ('agents', '{"hostname": "h"}'::jsonb),
    ('vulnerabilities_v2', '{"category": "application"}'),
    ('system_vulnerabilities', '{"vulnerability_type": "kernel"}'),
    ('network_findings', '{"host": "h", "port": 53, "protocol": "udp"}'),
    ('container_findings', '{"finding_type": "secret"}'),
    ('auth_findings', '{"finding_type": "auth_bypass"}'),
    ('database_findings', '{"database_type": "redis", "host": "h", "finding_type": "backup"}'),
    ('api_findings', '{"api_type": "REST", "endpoint": "/", "finding_type": "ssrf"}'),
    ('ai_ml_findings', '{"finding_type": "llm_security"}'),
    ('compliance_checks', '{"framework": "CIS", "category": "c", "requirement": "1.1", "status": "pass"}'),
    ('privacy_findings', '{"finding_type": "pii_detection"}'),
    ('iot_ot_findings', '{"device_type": "plc", "finding_type": "physical"}'),
    ('web3_findings', '{"finding_type": "defi_risks"}'))
    v (tbl, sample);
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
SELECT relname::text AS tbl, conname::text, m[1] AS column_name, m[2] AS words
FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid, regexp_match(pg_get_constraintdef(k.oid), '^CHECK \(\(\((\w+)\)::text = ANY (.*)\)\)$') m
WHERE connamespace = 'zerotrace'::regnamespace AND contype = 'c' AND NOT relispartition AND m IS NOT NULL;
SELECT count(*) AS words, count(*) FILTER (WHERE put(tbl, sample || jsonb_build_object(column_name, w[1])) <> 'stored') AS refused
FROM list JOIN good USING (tbl) CROSS JOIN regexp_matches(words, '''([^'']*)''::', 'g') w;
SELECT count(*) AS lists, count(*) FILTER (WHERE put(tbl, sample || jsonb_build_object(column_name, 'Nonsense')) = '23514 ' || conname) AS refuse_others
FROM list JOIN good USING (tbl);
-- What a table requires, one column after the other; a risk from 0 to 10; texts as long as their columns; and nothing else.
SELECT tbl, string_agg(k, ', ' ORDER BY k) AS required, count(*) FILTER (WHERE put(tbl, sample - k) = '23502') AS refused_without, count(*) FILTER (WHERE put(tbl, sample || jsonb_build_object(k, NULL)) = '23502') AS refused_null
FROM good CROSS JOIN jsonb_object_keys(sample) k WHERE NOT (tbl = 'agents' OR tbl IN ('compliance_checks', 'network_findings') AND k = 'severity') GROUP BY 1 ORDER BY tbl COLLATE "C";
SELECT risk, answer, count(*) FROM good CROSS JOIN unnest('{0,0.0,9.99,10,10.0,10.004,10.01,-0.01,100,NaN,none}'::text[]) risk
CROSS JOIN LATERAL replace(put(tbl, sample || jsonb_build_object('risk_score', nullif(risk, 'none'))), tbl, '*') answer WHERE tbl <> 'agents' GROUP BY 1, 2 ORDER BY risk COLLATE "C";
SELECT type, answer, count(*) FROM good JOIN information_schema.columns c ON table_schema = 'zerotrace' AND table_name = tbl AND character_maximum_length IS NOT NULL AND tbl || column_name NOT IN (SELECT list.tbl || list.column_name FROM list)
CROSS JOIN LATERAL (VALUES ('as long as the column', put(tbl, sample || jsonb_build_object(column_name, repeat('x', character_maximum_length)))),
                           ('empty', put(tbl, sample || jsonb_build_object(column_name, ''))), ('longer', put(tbl, sample || jsonb_build_object(column_name, repeat('x', character_maximum_length + 1))))) v (type, answer)
GROUP BY 1, 2 ORDER BY 1;
SELECT count(*) AS json_columns, count(*) FILTER (WHERE put(tbl, sample || jsonb_build_object(column_name, '7'::jsonb)) <> 'stored') AS refused
FROM good JOIN information_schema.columns ON table_schema = 'zerotrace' AND table_name = tbl AND data_type = 'jsonb';
-- No check is there besides.
SELECT conname FROM pg_constraint WHERE connamespace = 'zerotrace'::regnamespace AND contype = 'c' AND conrelid::regclass::text !~ '_partition' AND conname NOT IN (SELECT conname FROM list) AND conname !~ '_risk_score_check$';

-- updated_at: the last change's time, whatever is written there. What changes nothing leaves it, and is no event.
\set company '''00000000-0000-4000-8000-00000000000a'''
\set agent '''00000000-0000-4000-8000-000000000001'''
\set finding '''00000000-0000-4000-8000-000000000002'''
INSERT INTO zerotrace.agents (company_id, id, hostname, updated_at) VALUES (:company, :agent, 'a', '2026-01-01Z');
INSERT INTO zerotrace.api_findings (company_id, id, agent_id, title, severity, api_type, endpoint, finding_type, metadata, updated_at)
VALUES (:company, :finding, :agent, 't', 'low', 'REST', '/', 'ssrf', '{"a": 1.0}', '2026-01-01Z');
CREATE VIEW times AS SELECT (SELECT updated_at = '2026-01-01Z' FROM zerotrace.agents) AS agent_as_before, (SELECT updated_at = '2026-01-01Z' FROM zerotrace.api_findings) AS finding_as_before,
    (SELECT updated_at > now() - interval '1 hour' AND updated_at < now() FROM zerotrace.agents) AS agent_kept, (SELECT updated_at > now() - interval '1 hour' AND updated_at < now() FROM zerotrace.api_findings) AS finding_kept,
    (SELECT string_agg(op, '' ORDER BY seq) FROM auditspine.audit_chain WHERE event_kind = 'zerotrace.agents') AS agent_events,
    (SELECT string_agg(op, '' ORDER BY seq) FROM auditspine.audit_chain WHERE event_kind = 'zerotrace.api_findings') AS finding_events;
SELECT * FROM times;
UPDATE zerotrace.agents SET hostname = hostname, last_seen = now(), updated_at = now();
UPDATE zerotrace.api_findings SET severity = 'low', metadata = '{"a": 1.0}', updated_at = '2000-01-01';
INSERT INTO zerotrace.api_findings (company_id, id, agent_id, title, severity, api_type, endpoint, finding_type) VALUES (:company, :finding, :agent, 't', 'low', 'REST', '/', 'ssrf')
ON CONFLICT (company_id, id) DO UPDATE SET title = excluded.title, severity = excluded.severity;
INSERT INTO zerotrace.api_findings_partitioned (company_id, id, agent_id, title, severity, api_type, endpoint, finding_type) VALUES (:company, :finding, :agent, 't', 'low', 'REST', '/', 'ssrf')
ON CONFLICT (company_id, id) DO UPDATE SET title = excluded.title, severity = excluded.severity;
SELECT * FROM times;
SELECT last_seen IS NOT NULL AS seen FROM zerotrace.agents;
UPDATE zerotrace.agents SET os_version = '2', updated_at = '2000-01-01';
UPDATE zerotrace.api_findings_partitioned SET severity = 'high';
SELECT * FROM times;
UPDATE zerotrace.api_findings SET updated_at = '2000-01-01', description = 'The server fetches addresses that the caller chooses';
SELECT * FROM times;
SELECT search FROM zerotrace.api_findings;
SELECT count(*) FROM zerotrace.api_findings WHERE search @@ websearch_to_tsquery('english', 'fetching choose');
INSERT INTO zerotrace.network_findings (company_id, agent_id, host, port, protocol, service_name, banner) VALUES (:company, :agent, 'mail.example.com', 25, 'tcp', 'smtp', 'Postfix is waiting') RETURNING search;
-- When a vulnerability was seen last is what its scanner says of it: each new time is a change, and an event.
INSERT INTO zerotrace.vulnerabilities_v2 (company_id, agent_id, title, severity, category) VALUES (:company, :agent, 't', 'low', 'ai');
UPDATE zerotrace.vulnerabilities_v2 SET last_seen = last_seen;
UPDATE zerotrace.vulnerabilities_v2 SET last_seen = '2026-01-01';
SELECT string_agg(op, '' ORDER BY seq) AS events FROM auditspine.audit_chain WHERE event_kind = 'zerotrace.vulnerabilities_v2';
-- A text with more words than a tsvector takes is no error; but in vulnerabilities_v2, where the index for its documented
-- search holds the whole text.
UPDATE zerotrace.api_findings SET description = (SELECT string_agg('wort' || g, ' ') FROM generate_series(1, 300000) g);
SELECT length(description) > 3000000 AS long, length(search) BETWEEN 10000 AND 20000 AS searchable FROM zerotrace.api_findings;
\set VERBOSITY sqlstate
UPDATE zerotrace.vulnerabilities_v2 SET description = (SELECT string_agg('wort' || g, ' ') FROM generate_series(1, 300000) g);
\set VERBOSITY default
UPDATE zerotrace.vulnerabilities_v2 SET description = repeat('the same words again ', 300000);
-- An agent that findings name can be deleted: that is recorded, and the findings stay.
DELETE FROM zerotrace.agents;
SELECT v.table_name, ok, rows, findings FROM auditspine.audited_table t, verify_table(t.table_name) v WHERE rows > 0 ORDER BY 1;
