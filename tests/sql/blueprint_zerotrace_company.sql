-- Blueprint zerotrace: companies kept apart, summaries and statistics, a chain for each company. Installed by an
-- ordinary role, used by another.
\set SHOW_CONTEXT never
SET TimeZone = 'America/St_Johns';
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_owner, regress_auditspine_app, regress_auditspine_other;
RESET client_min_messages;
CREATE ROLE regress_auditspine_owner;
CREATE ROLE regress_auditspine_app;
CREATE ROLE regress_auditspine_other BYPASSRLS;
DO $$ BEGIN
    EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_auditspine_owner', current_database());
    EXECUTE (SELECT string_agg(format('GRANT EXECUTE ON FUNCTION %s TO regress_auditspine_owner', oid::regprocedure), ';') FROM pg_proc
             WHERE proname IN ('install_blueprint', 'audit_attach', 'audit_refuse_change') OR proname = 'audit_chain_append' AND prorettype = 'trigger'::regtype);
END $$;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text; n bigint;
BEGIN
    EXECUTE command;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN 'allowed: ' || n;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ': ' || message || CASE WHEN hint = '' THEN '' ELSE ' (' || hint || ')' END;
END $$;

SET SESSION AUTHORIZATION regress_auditspine_owner;
SELECT install_blueprint('zerotrace');
SELECT zerotrace.grant_application('regress_auditspine_app');
SELECT zerotrace.grant_application('regress_auditspine_app');
SELECT regexp_replace(attempt(command), 'role \w*postgres\w*', 'role …') AS refused FROM (VALUES
    ('SELECT zerotrace.grant_application(NULL)'), ('SELECT zerotrace.grant_application(''0'')'),
    ('SELECT zerotrace.grant_application(''regress_auditspine_other'')')) v (command);
RESET SESSION AUTHORIZATION;
SELECT regexp_replace(attempt('SELECT zerotrace.grant_application(session_user::regrole)'), 'role \S+,', 'role …,') AS refused;
SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'zerotrace'::regnamespace;

-- Two companies, in two partitions of each table: rows of every table, severity and status, over four days.
CREATE FUNCTION company(name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-4000-8000-00000000000' || name)::uuid $$;
CREATE FUNCTION fill(tbl text, company uuid, n integer, sample jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    columns text := (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = format('zerotrace.%I', tbl)::regclass AND attnum > 0
                     AND (sample ? attname::text OR attname IN ('company_id', 'id', 'agent_id', 'title', 'severity', 'status', 'risk_score', 'discovered_at', 'created_at')));
BEGIN
    EXECUTE format('INSERT INTO zerotrace.%1$I (%2$s) SELECT %2$s FROM generate_series(1, $3) g, jsonb_populate_record(NULL::zerotrace.%1$I, $1 || jsonb_build_object(
        ''company_id'', $2, ''id'', md5($2 || %1$L || g)::uuid, ''agent_id'', company(''1''), ''title'', %1$L || '' '' || g || '' of '' || right($2::text, 1),
        ''severity'', (''{critical,high,medium,low,info}''::text[])[1 + g * 7 %% 5],
        ''status'', coalesce($1 ->> ''status'', (''{open,open,in_progress,resolved,accepted,false_positive}''::text[])[1 + g * 5 %% 6]),
        ''category'', CASE g %% 3 WHEN 0 THEN ''ai'' ELSE $1 ->> ''category'' END,
        ''risk_score'', (g * 37 %% 101) / 10.0, ''discovered_at'', timestamptz ''2026-03-01 21:00Z'' + g * interval ''7 hours 13 minutes'',
        ''created_at'', timestamptz ''2026-03-01 21:00Z'' + g * interval ''7 hours 13 minutes''))',
        tbl, columns) USING sample, company, n;
END $$;
INSERT INTO zerotrace.agents (company_id, id, hostname, os) SELECT company(c), company('1'), 'host of ' || c, 'Debian' FROM unnest('{a,b}'::text[]) c;
INSERT INTO zerotrace.agents (company_id, id, hostname) VALUES (company('b'), company('2'), 'second');
SELECT count(fill(tbl, company(c), n * CASE c WHEN 'a' THEN 2 ELSE 1 END, sample)) AS tables FROM unnest('{a,b}'::text[]) c, (VALUES
    ('vulnerabilities_v2', 6, '{"category": "application"}'::jsonb),
    ('system_vulnerabilities', 4, '{"vulnerability_type": "kernel"}'),
    ('network_findings', 3, '{"host": "h1", "port": 53, "protocol": "udp", "ssl_enabled": false}'),
    ('container_findings', 2, '{"finding_type": "secret"}'),
    ('auth_findings', 1, '{"finding_type": "auth_bypass"}'),
    ('database_findings', 2, '{"database_type": "redis", "host": "h", "finding_type": "backup"}'),
    ('api_findings', 3, '{"api_type": "REST", "endpoint": "/", "finding_type": "ssrf"}'),
    ('ai_ml_findings', 4, '{"finding_type": "llm_security"}'),
    ('compliance_checks', 7, '{"framework": "CIS", "category": "logging", "requirement": "1.1", "status": "pass"}'),
    ('privacy_findings', 5, '{"finding_type": "pii_detection"}'),
    ('iot_ot_findings', 6, '{"device_type": "plc", "finding_type": "physical"}'),
    ('web3_findings', 1, '{"finding_type": "smart_contract"}'))
    v (tbl, n, sample);
INSERT INTO zerotrace.vulnerabilities_v2 (company_id, agent_id, title, severity, category, risk_score, discovered_at) VALUES (company('a'), company('3'), 'of an agent that is none', 'low', 'ai', NULL, NULL);
INSERT INTO zerotrace.compliance_checks (company_id, agent_id, category, requirement, status, framework, created_at)
SELECT company(c), company('1'), 'network', 'c' || g % 2, status, framework, timestamptz '2026-03-03 12:00Z' + g * interval '1 hour'
FROM unnest('{a,b}'::text[]) c, generate_series(1, 3) g, (VALUES ('pass', 'PCI-DSS'), ('fail', 'PCI-DSS'), ('error', 'PCI-DSS'), ('fail', 'HIPAA'), ('not_applicable', 'SOC2')) v (status, framework)
WHERE g > 1 OR status <> 'fail';
INSERT INTO zerotrace.network_findings (company_id, agent_id, host, port, protocol, ssl_enabled, vulnerability_count)
SELECT company(c), company(agent), host, port, protocol, ssl, n
FROM unnest('{a,b}'::text[]) c, (VALUES ('1', 'h1', 53, 'tcp', true, 2), ('1', 'h1', 53, 'udp', NULL, NULL), ('2', 'h2', 443, 'tcp', true, 0)) v (agent, host, port, protocol, ssl, n);
ANALYZE;
SELECT tableoid::regclass AS partition, right(company_id::text, 1) AS company, count(*) FROM zerotrace.vulnerabilities_v2 GROUP BY 1, 2 ORDER BY 2;
CREATE TABLE kept AS SELECT row_to_json(v)::text AS r FROM zerotrace.vulnerabilities_v2 v;
CREATE FUNCTION seen() RETURNS TABLE (rows bigint, companies text) LANGUAGE plpgsql AS $$
DECLARE tbl regclass; found text;
BEGIN
    rows := 0;
    FOR tbl IN SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'zerotrace'::regnamespace AND (relkind = 'p' AND NOT relispartition OR relname = 'agents') ORDER BY 1 LOOP
        EXECUTE format('SELECT $1 + count(*), string_agg(DISTINCT right(company_id::text, 1), '','') FROM %s', tbl) INTO rows, found USING rows;
        companies := (SELECT string_agg(DISTINCT c, ',' ORDER BY c) FROM unnest(string_to_array(concat_ws(',', companies, found), ',')) c);
    END LOOP;
    RETURN NEXT;
END $$;
SELECT * FROM seen();
CREATE FUNCTION seen_with(setting text) RETURNS TABLE (rows bigint, companies text, company uuid, insert text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.current_company_id', setting, false);
    SELECT * FROM seen() INTO rows, companies;
    company := zerotrace.current_company_id();
    IF company IS NULL THEN
        insert := attempt('INSERT INTO zerotrace.auth_findings (agent_id, title, severity, finding_type) VALUES (company(''1''), ''t'', ''low'', ''auth_bypass'')');
    END IF;
    RETURN NEXT;
END $$;

-- Without a company: the owner, and the application whatever the setting holds, see nothing, and nothing fails but INSERT.
SET SESSION AUTHORIZATION regress_auditspine_owner;
SELECT * FROM seen();
SET SESSION AUTHORIZATION regress_auditspine_app;
\set insert 'INSERT INTO zerotrace.auth_findings (agent_id, title, severity, finding_type) VALUES (company(''1''), ''t'', ''low'', ''auth_bypass'')'
SELECT * FROM seen();
SELECT setting, s.* FROM (VALUES (''), (' '), ('acme'), ('00000000-0000-4000-8000-00000000000'), ('00000000-0000-4000-8000-00000000000g'), ('{00000000-0000-4000-8000-00000000000a'), ('00000000-0000-4000-8000-00000000000a}'),
             (E'00000000-0000-4000-8000-00000000000a\n'), (' 00000000-0000-4000-8000-00000000000a'), ('00000000--0000-4000-8000-00000000000a'), ('0-0000000-0000-4000-8000-00000000000a'), (''' OR true --')) v (setting) CROSS JOIN LATERAL seen_with(setting) s;
-- Any way of writing a uuid that PostgreSQL takes names the company.
SELECT setting, s.rows, s.companies, s.company = setting::uuid AS that_one FROM (VALUES ('00000000-0000-4000-8000-00000000000a'), ('00000000-0000-4000-8000-00000000000A'), ('{00000000-0000-4000-8000-00000000000a}'),
             ('0000000000004000800000000000000B'), ('0000-0000-0000-4000-8000-0000-0000-000b'), ('{0000000000004000800000000000000B}')) v (setting) CROSS JOIN LATERAL seen_with(setting) s;
RESET app.current_company_id;
SELECT attempt('UPDATE zerotrace.auth_findings SET title = ''x'''), attempt('DELETE FROM zerotrace.auth_findings'), attempt(:'insert');
SELECT count(*) FROM zerotrace.vulnerability_summary_v2 UNION ALL SELECT count(*) FROM zerotrace.compliance_summary UNION ALL SELECT count(*) FROM zerotrace.network_security_summary;
SELECT * FROM zerotrace.get_security_statistics(company('a'));
SELECT count(*) FROM zerotrace.get_risk_heatmap_data(company('a'));
SELECT table_name, total, by_status FROM zerotrace.get_table_statistics(company('a'));
SELECT count(*) FROM zerotrace.get_risk_trend_data(company('a'));

-- With one: that one's rows, and no others.
SELECT zerotrace.set_company_context(company('a'));
SELECT * FROM seen();
BEGIN;
SELECT zerotrace.set_company_context(company('b'), local => true);
SELECT * FROM seen();
COMMIT;
SELECT * FROM seen();
BEGIN;
SELECT zerotrace.set_company_context(company('b'));
ROLLBACK;
SELECT zerotrace.current_company_id() = company('a') AS as_before;
SELECT attempt(:'insert') AS into_own, attempt('INSERT INTO zerotrace.agents (hostname) VALUES (''new'')') AS agent;
SELECT command, attempt(command) FROM (VALUES
    ('INSERT INTO zerotrace.auth_findings (company_id, agent_id, title, severity, finding_type) VALUES (company(''b''), company(''1''), ''t'', ''low'', ''auth_bypass'')'),
    ('UPDATE zerotrace.auth_findings SET company_id = company(''b'')'),
    ('UPDATE zerotrace.auth_findings SET title = ''x'' WHERE company_id = company(''b'')'),
    ('DELETE FROM zerotrace.auth_findings WHERE company_id <> company(''a'')'),
    -- What another has is no other than what nobody has: the same answers.
    ('INSERT INTO zerotrace.auth_findings (agent_id, title, severity, finding_type) VALUES (company(''2''), ''t'', ''low'', ''auth_bypass'')'),
    ('INSERT INTO zerotrace.auth_findings (agent_id, title, severity, finding_type) VALUES (company(''3''), ''t'', ''low'', ''auth_bypass'')'),
    ('INSERT INTO zerotrace.agents (id, hostname) VALUES (company(''2''), ''second'')'),
    ('SELECT FROM zerotrace.auth_findings_partition_0'),
    ('TRUNCATE zerotrace.auth_findings'),
    ('ALTER TABLE zerotrace.auth_findings DISABLE ROW LEVEL SECURITY'),
    ('DROP POLICY auth_findings_isolation ON zerotrace.auth_findings'),
    ('SET row_security = off; SELECT FROM zerotrace.auth_findings'),
    ('SELECT zerotrace.grant_application(''regress_auditspine_app'')')) v (command);
RESET row_security;
-- A function of the reader's own is not shown rows of others, however cheap it says it is.
CREATE TEMP TABLE leaked (company text);
CREATE FUNCTION pg_temp.leak(company uuid) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN INSERT INTO leaked VALUES (right(company::text, 1)); RETURN true; END $$;
SELECT count(*) FROM zerotrace.vulnerabilities_v2 WHERE pg_temp.leak(company_id);
SELECT company, count(*) FROM leaked GROUP BY 1;
RESET SESSION AUTHORIZATION;
-- Rights to the partitions, by mistake, make no difference.
GRANT ALL ON ALL TABLES IN SCHEMA zerotrace TO regress_auditspine_app;
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT attempt(format('SELECT FROM zerotrace.vulnerabilities_v2_partition_%s', n)) FROM generate_series(0, 3) n;
SELECT attempt(format('INSERT INTO zerotrace.auth_findings_partition_%s (company_id, agent_id, title, severity, finding_type) VALUES (company(''b''), company(''1''), ''t'', ''low'', ''auth_bypass'')', n)) FROM generate_series(0, 3) n;
RESET app.current_company_id;
SELECT attempt(format('INSERT INTO zerotrace.auth_findings_partition_%s (agent_id, title, severity, finding_type) VALUES (company(''1''), ''t'', ''low'', ''auth_bypass'')', 0));
RESET SESSION AUTHORIZATION;
SELECT count(*) AS changed FROM zerotrace.vulnerabilities_v2 v WHERE row_to_json(v)::text NOT IN (SELECT r FROM kept);

-- One partition is read.
CREATE FUNCTION scanned(query text) RETURNS TABLE (relation text, index text) LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT json) ' || query INTO plan;
    RETURN QUERY SELECT p ->> 'Relation Name', p ->> 'Index Name' FROM jsonb_path_query(plan, '$.** ? (@."Actual Loops" > 0 && @."Node Type" != "ModifyTable" && (exists(@."Relation Name") || exists(@."Index Name")))') p;
END $$;
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT zerotrace.set_company_context(company('a'));
SELECT DISTINCT query, relation FROM (VALUES ('SELECT FROM zerotrace.vulnerabilities_v2'), ('SELECT FROM zerotrace.vulnerabilities_v2 WHERE severity = ''high'''), ('UPDATE zerotrace.vulnerabilities_v2 SET status = status'),
    ('DELETE FROM zerotrace.vulnerabilities_v2 WHERE severity = ''none'''), ('SELECT * FROM zerotrace.vulnerability_summary_v2'), ('SELECT FROM zerotrace.vulnerabilities_v2 WHERE search @@ to_tsquery(''english'', ''vulnerabilities'')'), ('SELECT FROM zerotrace.vulnerabilities_v2_partitioned WHERE status = ''open''')) v (query), scanned(query) ORDER BY 1, 2;
SELECT count(*) AS found FROM zerotrace.vulnerabilities_v2 WHERE search @@ websearch_to_tsquery('english', 'vulnerabilities_v2 7');
RESET SESSION AUTHORIZATION;
SET enable_seqscan = off;
SELECT DISTINCT index FROM scanned('SELECT * FROM zerotrace.network_findings WHERE search @@ to_tsquery(''english'', ''nonesuch'')') WHERE index IS NOT NULL ORDER BY 1;
RESET enable_seqscan;

-- Summaries, held against plain queries.
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT title, severity, category, status, risk_score, discovered_at AT TIME ZONE 'UTC' AS discovered_at, hostname, os, os_version FROM zerotrace.vulnerability_summary_v2 ORDER BY title;
SELECT count(*) AS different FROM (
    (SELECT id, agent_id, company_id, title, severity, category, status, risk_score, discovered_at, last_seen FROM zerotrace.vulnerability_summary_v2
     EXCEPT ALL SELECT id, agent_id, company_id, title, severity, category, status, risk_score, discovered_at, last_seen FROM zerotrace.vulnerabilities_v2 WHERE company_id = company('a'))
    UNION ALL
    (SELECT id, agent_id, company_id, title, severity, category, status, risk_score, discovered_at, last_seen FROM zerotrace.vulnerabilities_v2 WHERE company_id = company('a')
     EXCEPT ALL SELECT id, agent_id, company_id, title, severity, category, status, risk_score, discovered_at, last_seen FROM zerotrace.vulnerability_summary_v2)) d;
SELECT framework, total_checks, passed_checks, failed_checks, not_applicable_checks, compliance_score FROM zerotrace.compliance_summary ORDER BY 1;
SELECT framework, status, count(*) FROM zerotrace.compliance_checks GROUP BY 1, 2 ORDER BY 1, 2;
SELECT right(agent_id::text, 1) AS agent, total_findings, non_ssl_services, vulnerable_services, unique_hosts, unique_ports FROM zerotrace.network_security_summary ORDER BY 1;
-- Against plain queries: nothing differs.
SELECT framework, v.*, p.* FROM zerotrace.compliance_summary v
FULL JOIN (SELECT framework, sum(1) AS checks, sum((status = 'pass')::int) AS pass, sum((status = 'fail')::int) AS fail, sum((status = 'not_applicable')::int) AS none
           FROM zerotrace.compliance_checks WHERE company_id = zerotrace.current_company_id() GROUP BY framework) p USING (framework)
WHERE (v.total_checks, v.passed_checks, v.failed_checks, v.not_applicable_checks) IS DISTINCT FROM (p.checks, p.pass, p.fail, p.none)
   OR v.compliance_score IS DISTINCT FROM CASE WHEN p.pass + p.fail > 0 THEN round(100.0 * p.pass / (p.pass + p.fail), 2) END;
SELECT v.*, p.* FROM zerotrace.network_security_summary v
FULL JOIN (SELECT agent_id, sum(1) AS total, sum((ssl_enabled = false)::int) AS plain, sum((coalesce(vulnerability_count, 0) > 0)::int) AS vulnerable,
                  cardinality(array(SELECT DISTINCT host FROM zerotrace.network_findings h WHERE h.agent_id = n.agent_id)) AS hosts, cardinality(array(SELECT DISTINCT port FROM zerotrace.network_findings h WHERE h.agent_id = n.agent_id)) AS ports
           FROM zerotrace.network_findings n WHERE company_id = zerotrace.current_company_id() GROUP BY agent_id) p USING (agent_id)
WHERE (v.company_id, v.total_findings, v.non_ssl_services, v.vulnerable_services, v.unique_hosts, v.unique_ports) IS DISTINCT FROM (company('a'), p.total, coalesce(p.plain, 0), p.vulnerable, p.hosts, p.ports);
SELECT count(*) > 1 AS frameworks, (SELECT count(*) FROM zerotrace.network_security_summary) AS agents FROM zerotrace.compliance_summary;
-- An agent of the operator is shown where the company has none of that id, and no agent of another company is.
RESET SESSION AUTHORIZATION;
SELECT zerotrace.set_company_context(NULL);
INSERT INTO zerotrace.agents (id, hostname) VALUES (company('1'), 'not shown'), (company('3'), 'operator');
UPDATE zerotrace.vulnerabilities_v2 SET agent_id = company('2') WHERE company_id = company('a') AND title LIKE '% 1 of a';
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT zerotrace.set_company_context(company('a'));
SELECT hostname, count(*), min(title) FROM zerotrace.vulnerability_summary_v2 GROUP BY 1 ORDER BY 1;
SELECT right(company_id::text, 1) AS company, hostname FROM zerotrace.agents ORDER BY 1, 2;
SELECT attempt('UPDATE zerotrace.agents SET hostname = ''mine'' WHERE hostname = ''operator'''), attempt('DELETE FROM zerotrace.agents WHERE hostname = ''operator'''),
       attempt('INSERT INTO zerotrace.agents (company_id, hostname) VALUES (''00000000-0000-0000-0000-000000000000'', ''x'')') AS insert;
RESET app.current_company_id;
SELECT count(*) FROM zerotrace.agents;
RESET SESSION AUTHORIZATION;
-- Those whom no policy binds see each company, whatever the setting.
SELECT zerotrace.set_company_context(company('b'));
SELECT right(company_id::text, 1) AS company, count(*), count(hostname) AS hosts FROM zerotrace.vulnerability_summary_v2 GROUP BY 1 ORDER BY 1;
SELECT zerotrace.set_company_context(NULL);
SELECT right(company_id::text, 1) AS company, sum(total_checks) FROM zerotrace.compliance_summary GROUP BY 1 ORDER BY 1;
SELECT right(company_id::text, 1) AS company, sum(total_findings) FROM zerotrace.network_security_summary GROUP BY 1 ORDER BY 1;
SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'zerotrace'::regnamespace AND relkind = 'v' ORDER BY 1;
-- PostgreSQL 14 reads a view with its owner's rights, a superuser's here: the view's own condition keeps companies apart.
BEGIN;
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY '{vulnerability_summary_v2,compliance_summary,network_security_summary}'::text[] LOOP
        IF current_setting('server_version_num')::integer >= 150000 THEN EXECUTE format('ALTER VIEW zerotrace.%I RESET (security_invoker)', name); END IF;
        EXECUTE format('ALTER VIEW zerotrace.%I OWNER TO %s', name, session_user::regrole);
    END LOOP;
END $$;
CREATE VIEW summaries AS SELECT (SELECT string_agg(DISTINCT right(company_id::text, 1), ',') FROM zerotrace.vulnerability_summary_v2) AS vulnerabilities, (SELECT count(*) FROM zerotrace.vulnerability_summary_v2 WHERE hostname = 'second') AS second,
    (SELECT string_agg(DISTINCT right(company_id::text, 1), ',') FROM zerotrace.compliance_summary) AS compliance, (SELECT string_agg(DISTINCT right(company_id::text, 1), ',') FROM zerotrace.network_security_summary) AS network;
GRANT SELECT ON summaries TO PUBLIC;
SELECT * FROM summaries;
SET LOCAL SESSION AUTHORIZATION regress_auditspine_app;
SELECT * FROM summaries;
SELECT set_config('app.current_company_id', company('a')::text, true) IS NOT NULL AS set;
SELECT * FROM summaries;
SELECT set_config('app.current_company_id', company('c')::text, true) IS NOT NULL AS set;
SELECT * FROM summaries;
ROLLBACK;

-- Statistics: every figure against one query each, over periods that are open, or begin behind a change of the clocks.
CREATE TABLE everything (table_name text, company_id uuid, severity text, status text, finding_type text, category text, risk_score numeric, found_at timestamptz);
DO $$ BEGIN
    EXECUTE (SELECT string_agg(format('INSERT INTO everything SELECT %1$L, company_id, severity, status, %2$s, %3$s, risk_score, %4$s FROM zerotrace.%1$I', tbl, type, category, at), ';')
             FROM (VALUES ('vulnerabilities_v2', 'category', 'category', 'discovered_at'), ('system_vulnerabilities', 'vulnerability_type', '''system''', 'created_at'), ('network_findings', 'protocol', '''network''', 'created_at'),
                          ('compliance_checks', 'category', '''configuration''', 'created_at'), ('container_findings', 'finding_type', '''container''', 'created_at'), ('auth_findings', 'finding_type', '''auth''', 'created_at'),
                          ('database_findings', 'finding_type', '''database''', 'created_at'), ('api_findings', 'finding_type', '''api''', 'created_at'), ('ai_ml_findings', 'finding_type', '''ai''', 'created_at'),
                          ('privacy_findings', 'finding_type', '''privacy''', 'created_at'), ('iot_ot_findings', 'finding_type', '''iot''', 'created_at'), ('web3_findings', 'finding_type', '''web3''', 'created_at')) v (tbl, type, category, at));
END $$;
SELECT count(DISTINCT table_name) AS tables, count(*) AS rows FROM everything;
SELECT category, count(*), count(DISTINCT table_name) AS tables FROM zerotrace.company_findings(company('a')) GROUP BY 1 ORDER BY 1;
SELECT count(*) AS different FROM unnest(ARRAY[company('a'), company('b'), company('c')]) c, LATERAL (
    (SELECT table_name, severity, category, finding_type, status, risk_score, found_at FROM zerotrace.company_findings(c) EXCEPT ALL SELECT table_name, severity, category, finding_type, status, risk_score, found_at FROM everything WHERE company_id = c)
    UNION ALL (SELECT table_name, severity, category, finding_type, status, risk_score, found_at FROM everything WHERE company_id = c EXCEPT ALL SELECT table_name, severity, category, finding_type, status, risk_score, found_at FROM zerotrace.company_findings(c))) d;
CREATE TABLE period ("from" timestamptz, "to" timestamptz);
INSERT INTO period VALUES ('2026-03-02 04:13Z', '2026-03-04 00:00Z'), ('2026-03-04 00:00Z', '2026-03-05 00:00Z'), ('2026-03-06Z', '2026-03-08Z'), ('2026-01-01', '2026-03-31'), ('2026-03-09 06:40Z', '2026-03-14 06:40Z'),
    (NULL, NULL), ('2026-03-04Z', NULL), (NULL, '2026-03-04Z'), ('-infinity', '2026-03-04Z'), ('2026-03-04Z', 'infinity');
CREATE FUNCTION during("at" timestamptz, "from" timestamptz, "to" timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce("at" >= "from", "from" IS NULL) AND coalesce("at" < "to", "to" IS NULL) $$;
CREATE FUNCTION statistics_differ(c uuid, "from" timestamptz, "to" timestamptz) RETURNS boolean LANGUAGE sql AS $$
    WITH e AS (SELECT * FROM everything WHERE company_id = c AND during(found_at, "from", "to")),
         v AS (SELECT * FROM e WHERE table_name = 'vulnerabilities_v2'),
         plain AS (SELECT (SELECT count(*) FROM v), (SELECT coalesce(jsonb_object_agg(category, n), '{}') FROM (SELECT category, count(*) AS n FROM v GROUP BY 1) x),
                          (SELECT coalesce(jsonb_object_agg(severity, n), '{}') FROM (SELECT severity, count(*) AS n FROM v GROUP BY 1) x),
                          (SELECT coalesce(jsonb_object_agg(framework, CASE WHEN p + f > 0 THEN round(100.0 * p / (p + f), 2) END), '{}') FROM (
                              SELECT framework, count(*) FILTER (WHERE status = 'pass') AS p, count(*) FILTER (WHERE status = 'fail') AS f FROM zerotrace.compliance_checks WHERE company_id = c AND during(created_at, "from", "to") GROUP BY 1) x),
                          (SELECT count(*) FROM e WHERE table_name = 'network_findings'), (SELECT count(*) FROM e WHERE table_name = 'system_vulnerabilities'), (SELECT count(*) FROM e WHERE table_name = 'auth_findings'),
                          (SELECT count(*) FROM e WHERE table_name = 'database_findings'), (SELECT count(*) FROM e WHERE table_name = 'api_findings'), (SELECT count(*) FROM e WHERE table_name = 'container_findings'),
                          (SELECT count(*) FROM e WHERE table_name = 'ai_ml_findings'), (SELECT count(*) FROM e WHERE table_name = 'iot_ot_findings'), (SELECT count(*) FROM e WHERE table_name = 'privacy_findings'), (SELECT count(*) FROM e WHERE table_name = 'web3_findings'))
    SELECT (SELECT s FROM zerotrace.get_security_statistics(c, "from", "to") s)::text IS DISTINCT FROM (SELECT p FROM plain p)::text
$$;
SELECT right(c::text, 1) AS company, count(*) AS periods, count(*) FILTER (WHERE statistics_differ(c, "from", "to")) AS different, sum((SELECT total_vulnerabilities + api_findings_count FROM zerotrace.get_security_statistics(c, "from", "to"))) AS counted
FROM unnest(ARRAY[company('a'), company('b'), company('c')]) c, period GROUP BY c ORDER BY 1;
\x on
SELECT * FROM zerotrace.get_security_statistics(company('a'), '2026-03-02Z', '2026-03-05Z');
\x off
-- The heat map.
SELECT * FROM zerotrace.get_risk_heatmap_data(company('a'));
SELECT right(c::text, 1) AS company, sum((SELECT count(*) FROM zerotrace.get_risk_heatmap_data(c, "from", "to"))) AS cells, count(x.*) AS different
FROM unnest(ARRAY[company('a'), company('b'), company('c')]) c CROSS JOIN period LEFT JOIN LATERAL (
    (SELECT category, severity, count, risk_score FROM zerotrace.get_risk_heatmap_data(c, "from", "to")
     EXCEPT ALL SELECT category, severity, count(*), round(avg(risk_score), 2) FROM everything WHERE table_name = 'vulnerabilities_v2' AND company_id = c AND during(found_at, "from", "to") GROUP BY 1, 2)
    UNION ALL
    (SELECT category, severity, count(*), round(avg(risk_score), 2) FROM everything WHERE table_name = 'vulnerabilities_v2' AND company_id = c AND during(found_at, "from", "to") GROUP BY 1, 2
     EXCEPT ALL SELECT category, severity, count, risk_score FROM zerotrace.get_risk_heatmap_data(c, "from", "to"))) x ON true GROUP BY c ORDER BY 1;

-- Beyond what applications know: by table, against the period before.
CREATE FUNCTION differences(c uuid, "from" timestamptz, "to" timestamptz) RETURNS TABLE (compared bigint, different bigint) LANGUAGE sql AS $$
    WITH s AS (SELECT * FROM zerotrace.get_table_statistics(c, "from", "to")),
         e AS (SELECT * FROM everything WHERE company_id = c AND during(found_at, "from", "to")),
         bounded AS (SELECT coalesce(isfinite("from") AND isfinite("to"), false) AS b),
         before AS (SELECT everything.* FROM everything, bounded WHERE b AND company_id = c AND found_at < "from" AND extract(epoch FROM found_at) >= 2 * extract(epoch FROM "from") - extract(epoch FROM "to")),
         name (table_name) AS (SELECT 'all' UNION SELECT table_name FROM e UNION SELECT table_name FROM before)
    SELECT count(*), count(*) FILTER (WHERE s IS NULL OR n IS NULL OR row(total, critical, high, medium, low, info, s.open, by_status, by_type, mean_risk, max_risk, previous_total, change_percent) IS DISTINCT FROM row(
        (SELECT count(*) FROM e WHERE n.table_name IN ('all', e.table_name)),
        (SELECT count(*) FROM e WHERE n.table_name IN ('all', e.table_name) AND severity = 'critical'),
        (SELECT count(*) FROM e WHERE n.table_name IN ('all', e.table_name) AND severity = 'high'),
        (SELECT count(*) FROM e WHERE n.table_name IN ('all', e.table_name) AND severity = 'medium'),
        (SELECT count(*) FROM e WHERE n.table_name IN ('all', e.table_name) AND severity = 'low'),
        (SELECT count(*) FROM e WHERE n.table_name IN ('all', e.table_name) AND severity = 'info'),
        (SELECT count(*) FROM e WHERE n.table_name IN ('all', e.table_name) AND status IN ('open', 'in_progress', 'fail')),
        (SELECT coalesce(jsonb_object_agg(status, k), '{}') FROM (SELECT status, count(*) AS k FROM e WHERE n.table_name IN ('all', e.table_name) GROUP BY 1) x),
        (SELECT coalesce(jsonb_object_agg(finding_type, k), '{}') FROM (SELECT finding_type, count(*) AS k FROM e WHERE n.table_name IN ('all', e.table_name) GROUP BY 1) x),
        (SELECT round(avg(risk_score), 2) FROM e WHERE n.table_name IN ('all', e.table_name)),
        (SELECT max(risk_score) FROM e WHERE n.table_name IN ('all', e.table_name)),
        (SELECT CASE WHEN b THEN (SELECT count(*) FROM before WHERE n.table_name IN ('all', before.table_name)) END FROM bounded),
        (SELECT CASE WHEN b > 0 THEN round(100.0 * ((SELECT count(*) FROM e WHERE n.table_name IN ('all', e.table_name)) - b) / b, 1) END FROM (SELECT count(*) AS b FROM before WHERE n.table_name IN ('all', before.table_name)) x)))
    FROM s FULL JOIN name n USING (table_name)
$$;
SELECT right(c::text, 1) AS company, p.*, d.* FROM unnest(ARRAY[company('a'), company('b'), company('c')]) c, period p, differences(c, p."from", p."to") d;
SELECT table_name, total, critical, open, mean_risk, max_risk, previous_total, change_percent FROM zerotrace.get_table_statistics(company('a'), '2026-03-04Z', '2026-03-05Z');
SELECT by_status, by_type FROM zerotrace.get_table_statistics(company('a'), '2026-03-04Z', '2026-03-05Z') LIMIT 1;
-- Over time likewise, in buckets that do not go by the session's time zone.
SELECT table_name, severity, bucket_at AT TIME ZONE 'UTC' AS bucket, count, open, total_risk, mean_risk, max_risk FROM zerotrace.get_risk_trend_data(company('b'), '2026-03-02Z', '2026-03-04Z') ORDER BY 1, 3, 2;
SELECT bucket, right(c::text, 1) AS company, sum((SELECT count(*) FROM zerotrace.get_risk_trend_data(c, "from", "to", bucket))) AS cells, count(x.*) AS different
FROM unnest('{hour,day,week,month}'::text[]) bucket CROSS JOIN unnest(ARRAY[company('a'), company('b'), company('c')]) c CROSS JOIN period LEFT JOIN LATERAL (
    (SELECT table_name, severity, bucket_at, count, open, total_risk, mean_risk, max_risk FROM zerotrace.get_risk_trend_data(c, "from", "to", bucket)
     EXCEPT ALL SELECT table_name, severity, date_trunc(bucket, found_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', count(*), count(*) FILTER (WHERE status IN ('open', 'in_progress', 'fail')), sum(risk_score), round(avg(risk_score), 2), max(risk_score)
                FROM everything WHERE company_id = c AND during(found_at, "from", "to") GROUP BY 1, 2, 3)
    UNION ALL
    (SELECT table_name, severity, date_trunc(bucket, found_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', count(*), count(*) FILTER (WHERE status IN ('open', 'in_progress', 'fail')), sum(risk_score), round(avg(risk_score), 2), max(risk_score)
                FROM everything WHERE company_id = c AND during(found_at, "from", "to") GROUP BY 1, 2, 3
     EXCEPT ALL SELECT table_name, severity, bucket_at, count, open, total_risk, mean_risk, max_risk FROM zerotrace.get_risk_trend_data(c, "from", "to", bucket))) x ON true
GROUP BY c, bucket ORDER BY bucket, c;
SELECT command, attempt(command) FROM (VALUES
    ('SELECT * FROM zerotrace.get_security_statistics(NULL)'), ('SELECT * FROM zerotrace.get_security_statistics(company(''a''), ''2026-01-02Z'', ''2026-01-02Z'')'),
    ('SELECT * FROM zerotrace.get_risk_heatmap_data(NULL, ''2026-01-01Z'', ''2026-01-02Z'')'), ('SELECT * FROM zerotrace.get_risk_heatmap_data(company(''a''), ''2026-01-02Z'', ''2026-01-01Z'')'),
    ('SELECT * FROM zerotrace.get_table_statistics(NULL)'), ('SELECT * FROM zerotrace.get_table_statistics(company(''a''), ''infinity'', ''-infinity'')'),
    ('SELECT * FROM zerotrace.get_risk_trend_data(company(''a''), p_bucket => ''eon'')'), ('SELECT * FROM zerotrace.get_risk_trend_data(company(''a''), p_bucket => NULL)')) v (command);
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT zerotrace.set_company_context(company('b'));
SELECT table_name, total, previous_total FROM zerotrace.get_table_statistics(company('a'), '2026-03-04Z', '2026-03-05Z');
SELECT table_name, total, previous_total FROM zerotrace.get_table_statistics(company('b'), '2026-03-04Z', '2026-03-05Z');
SELECT total_vulnerabilities, compliance_scores, iot_ot_findings_count FROM zerotrace.get_security_statistics(company('a'));
SELECT total_vulnerabilities, compliance_scores, iot_ot_findings_count FROM zerotrace.get_security_statistics(company('b'));
SELECT count(*) FROM zerotrace.get_risk_heatmap_data(company('a'));
RESET SESSION AUTHORIZATION;

-- A chain for each company, named by it; one that is tampered with leaves the other's as it was.
SELECT right(name, 1) AS chain, count(*) AS entries, count(DISTINCT event_kind) AS kinds, string_agg(DISTINCT op, '' ORDER BY op) AS ops
FROM auditspine.chain JOIN auditspine.audit_chain USING (chain_id) WHERE op <> 'S' GROUP BY 1 ORDER BY 1;
SELECT count(*) AS in_the_wrong_chain FROM auditspine.chain JOIN auditspine.audit_chain USING (chain_id) WHERE op <> 'S' AND event_pk NOT LIKE '["' || name || '",%';
SELECT right(chain, 4) AS chain, ok, findings FROM verify_chain() ORDER BY 1;
SELECT layer, count(*), bool_and(ok) AS ok, sum(findings) FROM verify_all() GROUP BY 1 ORDER BY 1;
ALTER TABLE zerotrace.web3_findings DISABLE TRIGGER auditspine_audit;
UPDATE zerotrace.web3_findings SET severity = 'info' WHERE company_id = company('b');
ALTER TABLE zerotrace.web3_findings ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT table_name, key = format('["%s","%s"]', company('b'), md5(company('b') || 'web3_findings1')::uuid) AS that_row, finding, current ->> 'severity' AS severity FROM verify_table_findings('zerotrace.web3_findings');
ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
UPDATE auditspine.audit_chain SET db_user = 'nobody' WHERE event_kind = 'zerotrace.auth_findings' AND event_pk LIKE '["' || company('a') || '"%' AND op = 'I' AND event_pk LIKE '%' || md5(company('a') || 'auth_findings1')::uuid || '%';
ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only;
SELECT right(chain, 4) AS chain, ok, findings FROM verify_chain() ORDER BY 1;
SELECT layer, right(subject, 13) AS subject, findings FROM verify_all() WHERE NOT ok ORDER BY 1;
-- The owner, who is bound by the policies too, verifies without seeing what is in the rows.
GRANT USAGE ON SCHEMA auditspine TO regress_auditspine_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA auditspine TO regress_auditspine_owner;
SET SESSION AUTHORIZATION regress_auditspine_owner;
SELECT table_name, ok, rows, edited FROM verify_table('zerotrace.web3_findings');
SELECT finding, current FROM verify_table_findings('zerotrace.web3_findings');
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
DROP SCHEMA zerotrace CASCADE;
DROP OWNED BY regress_auditspine_owner, regress_auditspine_app, regress_auditspine_other;
DROP ROLE regress_auditspine_owner, regress_auditspine_app, regress_auditspine_other;
