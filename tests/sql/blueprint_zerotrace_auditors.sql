-- Blueprint zerotrace: each company reads and verifies its own chain, and learns nothing of another's; an auditor of one
-- company, and the application, whose pooled connections say which company they work for.
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_fixed, regress_auditspine_app;
RESET client_min_messages;
CREATE ROLE regress_auditspine_fixed;
CREATE ROLE regress_auditspine_app;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text; n bigint;
BEGIN
    EXECUTE command;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN 'rows: ' || n;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ': ' || message || CASE WHEN hint = '' THEN '' ELSE ' (' || hint || ')' END;
END $$;
CREATE FUNCTION company(name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-4000-8000-00000000000' || name)::uuid $$;
CREATE FUNCTION finding(company text, tbl text, n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5(company || tbl || n)::uuid $$;

-- Three companies with 3, 2 and 1 rows in each of the thirteen tables.
SELECT install_blueprint('zerotrace');
CREATE TABLE sample (tbl text PRIMARY KEY, "row" jsonb);
INSERT INTO sample VALUES
    ('agents', '{"hostname": "h", "os": "Debian", "status": "active"}'),
    ('vulnerabilities_v2', '{"category": "application", "references": []}'),
    ('system_vulnerabilities', '{"vulnerability_type": "kernel", "patch_available": true}'),
    ('network_findings', '{"host": "h", "port": 53, "protocol": "udp", "ssl_enabled": true}'),
    ('container_findings', '{"finding_type": "secret"}'),
    ('auth_findings', '{"finding_type": "auth_bypass", "user_account": "root"}'),
    ('database_findings', '{"database_type": "redis", "host": "h", "finding_type": "backup"}'),
    ('api_findings', '{"api_type": "REST", "endpoint": "/", "finding_type": "ssrf"}'),
    ('ai_ml_findings', '{"finding_type": "llm_security", "model_name": "m"}'),
    ('compliance_checks', '{"framework": "CIS", "category": "logging", "requirement": "1.1", "status": "pass", "evidence": {}}'),
    ('privacy_findings', '{"finding_type": "pii_detection", "data_type": "email"}'),
    ('iot_ot_findings', '{"device_type": "plc", "finding_type": "physical", "protocol": "modbus"}'),
    ('web3_findings', '{"finding_type": "smart_contract", "contract_address": "0xaF"}');
CREATE FUNCTION put(tbl text, company text, n integer, "row" jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    whole jsonb := '{"severity": "low", "status": "open", "risk_score": 1}'::jsonb || "row"
        || jsonb_build_object('company_id', company(company), 'id', finding(company, tbl, n), 'agent_id', finding(company, 'agents', 1), 'title', 't' || n, 'name', 'a' || n);
BEGIN
    EXECUTE (SELECT format('INSERT INTO zerotrace.%1$I (%2$s) SELECT %2$s FROM jsonb_populate_record(NULL::zerotrace.%1$I, $1)', tbl, string_agg(quote_ident(attname), ', '))
             FROM pg_attribute WHERE attrelid = format('zerotrace.%I', tbl)::regclass AND whole ? attname::text) USING whole;
END $$;
SELECT count(put(tbl, c, n, "row")) FROM sample, (VALUES ('a', 3), ('b', 2), ('c', 1)) v (c, rows), generate_series(1, rows) n;
UPDATE zerotrace.network_findings SET severity = 'high' WHERE id IN (finding('a', 'network_findings', 1), finding('b', 'network_findings', 1));
DELETE FROM zerotrace.web3_findings WHERE id = finding('b', 'web3_findings', 2);

-- The application's own rights stay what they were; that it may write is nothing to be warned of.
SELECT zerotrace.grant_application('regress_auditspine_app');
CREATE TABLE before AS SELECT oid::regclass AS relation, relacl AS acl FROM pg_class WHERE relnamespace = 'zerotrace'::regnamespace;
SELECT grant_auditor('regress_auditspine_fixed', chain => company('a')::text);
SELECT grant_auditor('regress_auditspine_app', chain_setting => 'app.current_company_id');
SELECT attempt(format('SELECT grant_auditor(''regress_auditspine_fixed'', chain => %L)', company('d')));
SELECT count(*) AS changed FROM pg_class JOIN before ON oid = relation WHERE relacl IS DISTINCT FROM acl;
SELECT count(*) AS tables_of_the_auditor FROM pg_class WHERE relnamespace = 'zerotrace'::regnamespace AND has_table_privilege('regress_auditspine_fixed', oid, 'SELECT');

-- What a role sees of the chains, in one row.
CREATE FUNCTION sight() RETURNS TABLE (entries bigint, chains text, verified text, tables bigint, tables_ok bigint, rows bigint, row_entries bigint) LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM auditspine.audit_chain), (SELECT string_agg(right(name, 1), ',' ORDER BY name) FROM auditspine.chain),
           (SELECT string_agg(format('%s %s %s', right(v.chain, 1), v.ok, v.entries), ',' ORDER BY v.chain) FROM verify_chain() v),
           count(*), count(*) FILTER (WHERE t.ok), sum(t.rows), sum(t.entries)
    FROM sample, verify_table(format('zerotrace.%I', tbl)::regclass) t $$;
CREATE FUNCTION sight_with(setting text) RETURNS TABLE (entries bigint, chains text, verified text, tables bigint, tables_ok bigint, rows bigint, row_entries bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.current_company_id', setting, false);
    RETURN QUERY SELECT * FROM sight();
END $$;
CREATE FUNCTION told_to(setting text) RETURNS TABLE (table_name text, finding text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.current_company_id', setting, false);
    RETURN QUERY SELECT f.table_name, f.finding FROM sample, verify_table_findings(format('zerotrace.%I', tbl)::regclass) f;
END $$;
GRANT SELECT ON sample TO PUBLIC;

-- The auditor of company a: that company's, whatever the setting holds.
SET SESSION AUTHORIZATION regress_auditspine_fixed;
SELECT * FROM sight();
SELECT setting, s.* FROM (VALUES (company('b')::text), ('x')) v (setting), sight_with(setting) s;
RESET app.current_company_id;
SELECT op, right(event_pk, 39) = format('"%s"]', finding('a', 'network_findings', 1)) AS that_row FROM auditspine.audit_chain WHERE event_kind = 'zerotrace.network_findings' ORDER BY seq;
SELECT op, right(chain, 1) AS chain FROM audit_history('zerotrace.network_findings', company('a')::text, finding('a', 'network_findings', 1)::text);
SELECT attempt('SELECT FROM zerotrace.network_findings');
RESET SESSION AUTHORIZATION;

-- The application: the company that it works for; nothing without one, or with what is none.
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT * FROM sight();
CREATE TEMP TABLE seen (company text, LIKE sample);
DO $$ BEGIN PERFORM zerotrace.set_company_context(company('a')); END $$;
SELECT * FROM sight();
SELECT right(v.chain, 1) AS chain, v.ok, entries, findings FROM verify_chain() v;
SELECT t.table_name, t.ok, rows, entries, findings FROM sample, verify_table(format('zerotrace.%I', tbl)::regclass) t ORDER BY table_name COLLATE "C";
SELECT op, right(chain, 1) AS chain FROM audit_history('zerotrace.network_findings', company('a')::text, finding('a', 'network_findings', 1)::text);
SELECT event_kind, op, count(*) FROM auditspine.audit_chain WHERE op <> 'I' GROUP BY 1, 2;
-- Switched for a transaction, and back.
BEGIN;
SELECT zerotrace.set_company_context(company('b'), local => true);
SELECT * FROM sight();
SELECT op, right(chain, 1) AS chain FROM audit_history('zerotrace.web3_findings', company('b')::text, finding('b', 'web3_findings', 2)::text);
SELECT count(*) AS of_the_company_before FROM audit_history('zerotrace.network_findings', company('a')::text, finding('a', 'network_findings', 1)::text);
-- A row just written is verified before the commit.
UPDATE zerotrace.auth_findings SET status = 'resolved';
SELECT right(v.chain, 1) AS chain, v.ok, entries FROM verify_chain() v;
ROLLBACK;
SELECT * FROM sight();
SELECT setting, s.* FROM (VALUES (''), (' '), ('acme'), ('main'), ('%'), ('00000000-0000-4000-8000-00000000000'), ('00000000-0000-4000-8000-00000000000A'), ('{00000000-0000-4000-8000-00000000000a}'),
                                 ('0000000000004000800000000000000a'), (E'00000000-0000-4000-8000-00000000000a\n'), (''' OR true --'), (company('d')::text)) v (setting),
    sight_with(setting) s;
SELECT attempt(format('SELECT verify_chain(%L)', company('a'))), attempt(format('SELECT audit_history(''zerotrace.agents'', %L, %L)', company('a'), finding('a', 'agents', 1)));
RESET SESSION AUTHORIZATION;

-- Every function that the extension has and such a role may call, with another company's chain, one that is not, and
-- what a row of another's is called. A function that is missing here fails the test.
CREATE TABLE call (function text PRIMARY KEY, command text);
INSERT INTO call VALUES
    ('verify_chain', 'SELECT * FROM verify_chain(%1$L)'), ('chain_findings', 'SELECT * FROM chain_findings(%1$L)'),
    ('verify_table', 'SELECT * FROM verify_table(''zerotrace.agents'', chain => %1$L)'), ('verify_table_findings', 'SELECT * FROM verify_table_findings(''zerotrace.agents'', chain => %1$L)'),
    ('chain_heads', 'SELECT * FROM chain_heads(%1$L)'),
    ('audit_history', 'SELECT * FROM audit_history(''zerotrace.agents'', %1$L, %2$L)'),
    ('verify_publication', 'SELECT * FROM verify_publication(''{"chain":"%1$s","chain_hash":"0000000000000000000000000000000000000000000000000000000000000000","lane":0,"pos":"1","published_at":"2026-11-20T23:58:01.000000Z","seq":"1","v":1}'')'),
    ('publication_findings', 'SELECT * FROM publication_findings(''{"chain":"%1$s","chain_hash":"0000000000000000000000000000000000000000000000000000000000000000","lane":0,"pos":"1","published_at":"2026-11-20T23:58:01.000000Z","seq":"1","v":1}'')'),
    ('auditspine.removals', 'SELECT * FROM auditspine.removals(''zerotrace.agents'')');
CREATE VIEW may_call AS
SELECT DISTINCT p.oid::regproc::text AS function, r.rolname
FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid, pg_roles r
WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'auditspine')
  AND rolname IN ('regress_auditspine_fixed', 'regress_auditspine_app')
  AND has_schema_privilege(r.oid, pronamespace, 'USAGE') AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
  AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype);
SELECT function, count(*) AS roles, command IS NOT NULL AS asks_for_a_chain FROM may_call LEFT JOIN call USING (function) GROUP BY 1, 3 ORDER BY function COLLATE "C";
SELECT function AS not_called FROM call WHERE function NOT IN (SELECT function FROM may_call);
GRANT SELECT ON call TO PUBLIC;
GRANT USAGE ON SCHEMA zerotrace TO PUBLIC;
CREATE VIEW answers AS
SELECT function, name, replace(replace(attempt(format(command, name, finding(c, 'agents', 1))), name, '…'), 'zerotrace.', '') AS answer
FROM call, unnest('{b,c,d,main}'::text[]) c, LATERAL (SELECT CASE c WHEN 'main' THEN 'main' ELSE company(c)::text END) n (name);
GRANT SELECT ON answers TO PUBLIC;
ALTER VIEW answers SET (security_invoker = true);
SET SESSION AUTHORIZATION regress_auditspine_fixed;
SELECT function, count(DISTINCT answer) AS answers, min(answer) AS answer FROM answers GROUP BY 1 ORDER BY function COLLATE "C";
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT zerotrace.set_company_context(company('a'));
SELECT function, count(DISTINCT answer) AS answers, min(answer) AS answer FROM answers GROUP BY 1 ORDER BY function COLLATE "C";
-- What is of all companies is refused to both.
SELECT command, attempt(command) FROM (VALUES ('SELECT verify_all()'), ('SELECT FROM auditspine.audited_table'), ('SELECT FROM auditspine.alert'), ('SELECT FROM auditspine.auditor'),
    ('SELECT FROM auditspine.publication'), ('SELECT publish_head()'), ('SET row_security = off; SELECT FROM auditspine.audit_chain'), ('DELETE FROM auditspine.audit_chain'), ('ALTER TABLE auditspine.audit_chain DISABLE ROW LEVEL SECURITY'),
    ('SELECT grant_auditor(''regress_auditspine_app'')'), ('SELECT audit_chain_append(''k'', ''1'', ''{}'')')) v (command);
RESET row_security;
RESET SESSION AUTHORIZATION;

-- Behind the triggers' backs: a row of a edited, one of b deleted, one slipped in with c; a row of each in the chain of nobody.
SELECT format('ALTER TABLE zerotrace.%s %s TRIGGER auditspine_audit', tbl, how) AS command FROM (VALUES ('network_findings'), ('agents'), ('api_findings')) t (tbl), (VALUES ('DISABLE'), ('ENABLE ALWAYS')) h (how) WHERE how = 'DISABLE' \gexec
UPDATE zerotrace.network_findings SET severity = 'info' WHERE id = finding('a', 'network_findings', 2);
DELETE FROM zerotrace.agents WHERE id = finding('b', 'agents', 2);
SELECT put('api_findings', 'c', 9, "row") FROM sample WHERE tbl = 'api_findings';
SELECT format('ALTER TABLE zerotrace.%s ENABLE ALWAYS TRIGGER auditspine_audit', tbl) AS command FROM (VALUES ('network_findings'), ('agents'), ('api_findings')) t (tbl) \gexec
SELECT c AS company, tbl, t.ok, rows, edited, deleted, unrecorded FROM unnest('{a,b,c}'::text[]) c, sample, verify_table(format('zerotrace.%I', tbl)::regclass, chain => company(c)::text) t
WHERE NOT t.ok OR tbl IN ('network_findings', 'agents', 'api_findings') ORDER BY 1, 2;
SELECT t.table_name, edited, deleted, unrecorded FROM sample, verify_table(format('zerotrace.%I', tbl)::regclass) t WHERE NOT ok ORDER BY 1;
SET SESSION AUTHORIZATION regress_auditspine_fixed;
SELECT tables, tables_ok, verified FROM sight();
SELECT table_name, finding, key = format('["%s","%s"]', company('a'), finding('a', 'network_findings', 2)) AS that_row, current, row_seq IS NOT NULL AS entry
FROM sample, LATERAL (SELECT *, seq AS row_seq FROM verify_table_findings(format('zerotrace.%I', tbl)::regclass)) f;
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT c AS company, s.tables, s.tables_ok, s.verified FROM unnest('{a,b,c}'::text[]) c, sight_with(company(c)::text) s;
SELECT c AS company, table_name, finding FROM unnest('{a,b,c}'::text[]) c, told_to(company(c)::text) f ORDER BY 1, 2;
RESET SESSION AUTHORIZATION;
-- An entry of b edited: only b is told.
ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
UPDATE auditspine.audit_chain SET actor = 'nobody' WHERE event_kind = 'zerotrace.agents' AND event_pk LIKE '%' || finding('b', 'agents', 1) || '%';
ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only;
SET SESSION AUTHORIZATION regress_auditspine_fixed;
SELECT right(v.chain, 1) AS chain, v.ok, findings FROM verify_chain() v;
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT c AS company, s.verified FROM unnest('{a,b,c}'::text[]) c, sight_with(company(c)::text) s;
RESET SESSION AUTHORIZATION;

-- No auditor any more, the application works on.
SELECT revoke_auditor('regress_auditspine_app');
SELECT count(*) AS changed FROM pg_class JOIN before ON oid = relation WHERE relacl IS DISTINCT FROM acl;
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT zerotrace.set_company_context(company('c'));
SELECT count(*) FROM zerotrace.api_findings;
SELECT attempt('SELECT verify_chain()'), attempt('SELECT FROM auditspine.audit_chain');
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
DROP SCHEMA zerotrace CASCADE;
DROP OWNED BY regress_auditspine_fixed, regress_auditspine_app;
DROP ROLE regress_auditspine_fixed, regress_auditspine_app;
