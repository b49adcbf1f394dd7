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
    columns text := (SELECT string_agg(quote_ident(k), ', ') FROM jsonb_object_keys(
        sample || '{"company_id": 1, "id": 1, "title": 1, "severity": 1, "category": 1, "status": 1, "risk_score": 1, "detected_at": 1}') k);
BEGIN
    EXECUTE format('INSERT INTO zerotrace.%1$I (%2$s) SELECT %2$s FROM generate_series(1, $3) g, jsonb_populate_record(NULL::zerotrace.%1$I, $1 || jsonb_build_object(
        ''company_id'', $2, ''id'', md5($2 || %1$L || g)::uuid, ''title'', %1$L || '' '' || g || '' of '' || right($2::text, 1),
        ''severity'', (''{critical,high,medium,low,info}''::text[])[1 + g * 7 %% 5],
        ''status'', coalesce($1 ->> ''status'', (''{open,open,in_progress,resolved,accepted,false_positive}''::text[])[1 + g * 5 %% 6]),
        ''category'', CASE g %% 3 WHEN 0 THEN ''other'' ELSE $1 ->> ''category'' END,
        ''risk_score'', (g * 37 %% 101) / 10.0, ''detected_at'', timestamptz ''2026-03-01 21:00Z'' + g * interval ''7 hours 13 minutes''))',
        tbl, columns) USING sample, company, n;
END $$;
INSERT INTO zerotrace.agents (company_id, id, name, agent_type, version) SELECT company(c), company('1'), 'agent of ' || c, 'host', '1' FROM unnest('{a,b}'::text[]) c;
INSERT INTO zerotrace.agents (company_id, id, name, agent_type, version) VALUES (company('b'), company('2'), 'second', 'host', '1');
SELECT count(fill(tbl, company(c), n * CASE c WHEN 'a' THEN 2 ELSE 1 END, sample)) AS tables FROM unnest('{a,b}'::text[]) c, (VALUES
    ('vulnerabilities_v2', 6, '{"category": "injection", "vulnerability_type": "code", "exploit_available": true, "references": [], "cve_id": "CVE-2026-10001", "cvss": 9.8}'::jsonb),
    ('system_vulnerabilities', 4, '{"category": "malware", "hostname": "h", "os_type": "linux", "patch_available": true, "references": []}'),
    ('network_findings', 3, '{"category": "dns", "finding_type": "open_port", "host": "h1", "port": 53, "protocol": "udp", "internet_facing": true, "encrypted": false}'),
    ('container_findings', 2, '{"category": "secret", "image": "i", "runtime_type": "docker", "privileged": false}'),
    ('auth_findings', 1, '{"category": "token_leak", "auth_type": "oidc", "failed_attempts": 0}'),
    ('database_findings', 2, '{"category": "backup", "database_type": "redis", "host": "h", "user": "root"}'),
    ('api_findings', 3, '{"category": "ssrf", "api_type": "rest", "endpoint": "/"}'),
    ('ai_ml_findings', 4, '{"category": "bias", "model_name": "m", "model_type": "llm", "framework": "onnx"}'),
    ('compliance_checks', 7, '{"category": "logging", "status": "pass", "framework": "CIS", "control_id": "1.1", "check_type": "manual", "evidence": {}}'),
    ('privacy_findings', 5, '{"category": "data_breach", "framework": "GDPR", "data_type": "pii", "data_location": "l"}'),
    ('iot_ot_findings', 6, '{"category": "physical", "device_type": "plc", "protocol": "modbus", "safety_impact": true}'),
    ('web3_findings', 1, '{"category": "logic", "chain_type": "ethereum", "contract_type": "dex", "contract_address": "0x00000000000000000000000000000000000000aF"}'))
    v (tbl, n, sample);
UPDATE zerotrace.vulnerabilities_v2 SET exploit_available = false, cvss = 5.1, fixed_version = '2', package_name = 'zlib', cve_id = NULL WHERE risk_score > 4;
INSERT INTO zerotrace.compliance_checks (company_id, title, severity, category, status, risk_score, framework, control_id, check_type, detected_at)
SELECT company(c), 'check ' || g, 'high', 'network', status, g, framework, 'c' || g % 2, 'automated', timestamptz '2026-03-03 12:00Z' + g * interval '1 hour'
FROM unnest('{a,b}'::text[]) c, generate_series(1, 3) g, (VALUES ('pass', 'PCI-DSS'), ('fail', 'PCI-DSS'), ('error', 'PCI-DSS'), ('fail', 'HIPAA'), ('not_applicable', 'SOC2')) v (status, framework)
WHERE g > 1 OR status <> 'fail';
INSERT INTO zerotrace.network_findings (company_id, title, severity, category, status, risk_score, finding_type, host, port, protocol)
SELECT company(c), 'n', 'info', 'other', 'open', 0.5, 'rogue_device', host, port, protocol
FROM unnest('{a,b}'::text[]) c, (VALUES ('h1', 53, 'tcp'), ('h1', 53, 'udp'), ('h2', NULL, 'icmp')) v (host, port, protocol);
ANALYZE;
SELECT tableoid::regclass AS partition, right(company_id::text, 1) AS company, count(*) FROM zerotrace.vulnerabilities_v2 GROUP BY 1, 2 ORDER BY 2;
CREATE TABLE kept AS SELECT row_to_json(v)::text AS r FROM zerotrace.vulnerabilities_v2 v;
CREATE FUNCTION seen() RETURNS TABLE (rows bigint, companies text) LANGUAGE plpgsql AS $$
DECLARE tbl regclass; found text;
BEGIN
    rows := 0;
    FOR tbl IN SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'zerotrace'::regnamespace AND relkind = 'p' ORDER BY 1 LOOP
        EXECUTE format('SELECT $1 + count(*), string_agg(DISTINCT right(company_id::text, 1), '','') FROM %s', tbl) INTO rows, found USING rows;
        companies := (SELECT string_agg(DISTINCT c, ',' ORDER BY c) FROM unnest(string_to_array(concat_ws(',', companies, found), ',')) c);
    END LOOP;
    RETURN NEXT;
END $$;
SELECT * FROM seen();

-- Without a company: the owner, and the application whatever the setting holds, see nothing, and nothing fails but INSERT.
SET SESSION AUTHORIZATION regress_auditspine_owner;
SELECT * FROM seen();
SET SESSION AUTHORIZATION regress_auditspine_app;
\set insert 'INSERT INTO zerotrace.auth_findings (title, severity, category, risk_score, auth_type) VALUES (''t'', ''low'', ''other'', 1, ''mfa'')'
SELECT * FROM seen();
SELECT setting, set_config('app.current_company_id', setting, false) = setting AS set, zerotrace.current_company_id() AS company, s.*, attempt(:'insert') AS insert
FROM (VALUES (''), (' '), ('acme'), ('00000000-0000-4000-8000-00000000000'), ('00000000-0000-4000-8000-00000000000A'), ('{00000000-0000-4000-8000-00000000000a}'),
             ('0000000000004000800000000000000a'), (E'00000000-0000-4000-8000-00000000000a\n'), (''' OR true --')) v (setting) CROSS JOIN LATERAL seen() s;
RESET app.current_company_id;
SELECT attempt('UPDATE zerotrace.auth_findings SET title = ''x'''), attempt('DELETE FROM zerotrace.auth_findings'), attempt(:'insert');
SELECT count(*) FROM zerotrace.vulnerability_summary_v2 UNION ALL SELECT count(*) FROM zerotrace.compliance_summary UNION ALL SELECT count(*) FROM zerotrace.network_security_summary;
SELECT source, total, by_status FROM zerotrace.get_security_statistics(company('a'), '2026-01-01', '2027-01-01');
SELECT count(*) FROM zerotrace.get_risk_heatmap_data(company('a'), '2026-01-01', '2027-01-01');

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
SELECT attempt(:'insert') AS into_own, attempt('INSERT INTO zerotrace.agents (name, agent_type, version) VALUES (''new'', ''host'', ''1'')') AS agent;
SELECT command, attempt(command) FROM (VALUES
    ('INSERT INTO zerotrace.auth_findings (company_id, title, severity, category, risk_score, auth_type) VALUES (company(''b''), ''t'', ''low'', ''other'', 1, ''mfa'')'),
    ('UPDATE zerotrace.auth_findings SET company_id = company(''b'')'),
    ('UPDATE zerotrace.auth_findings SET title = ''x'' WHERE company_id = company(''b'')'),
    ('DELETE FROM zerotrace.auth_findings WHERE company_id <> company(''a'')'),
    -- What another has is no other than what nobody has: the same answers.
    ('INSERT INTO zerotrace.auth_findings (agent_id, title, severity, category, risk_score, auth_type) VALUES (company(''2''), ''t'', ''low'', ''other'', 1, ''mfa'')'),
    ('INSERT INTO zerotrace.auth_findings (agent_id, title, severity, category, risk_score, auth_type) VALUES (company(''3''), ''t'', ''low'', ''other'', 1, ''mfa'')'),
    ('INSERT INTO zerotrace.agents (id, name, agent_type, version) VALUES (company(''2''), ''second'', ''host'', ''1'')'),
    ('SELECT FROM zerotrace.auth_findings_p0'),
    ('TRUNCATE zerotrace.auth_findings'),
    ('ALTER TABLE zerotrace.auth_findings DISABLE ROW LEVEL SECURITY'),
    ('DROP POLICY company ON zerotrace.auth_findings'),
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
SELECT attempt(format('SELECT FROM zerotrace.vulnerabilities_v2_p%s', n)) FROM generate_series(0, 3) n;
SELECT attempt(format('INSERT INTO zerotrace.auth_findings_p%s (company_id, title, severity, category, risk_score, auth_type) VALUES (company(''b''), ''t'', ''low'', ''other'', 1, ''mfa'')', n)) FROM generate_series(0, 3) n;
RESET app.current_company_id;
SELECT attempt(format('INSERT INTO zerotrace.auth_findings_p%s (title, severity, category, risk_score, auth_type) VALUES (''t'', ''low'', ''other'', 1, ''mfa'')', 0));
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
    ('DELETE FROM zerotrace.vulnerabilities_v2 WHERE severity = ''none'''), ('SELECT * FROM zerotrace.vulnerability_summary_v2'), ('SELECT FROM zerotrace.vulnerabilities_v2 WHERE search @@ to_tsquery(''english'', ''vulnerabilities'')')) v (query), scanned(query) ORDER BY 1, 2;
SELECT count(*) AS found FROM zerotrace.vulnerabilities_v2 WHERE search @@ websearch_to_tsquery('english', 'vulnerabilities_v2 7');
RESET SESSION AUTHORIZATION;
SET enable_seqscan = off;
SELECT DISTINCT index FROM scanned('SELECT * FROM zerotrace.vulnerabilities_v2 WHERE search @@ to_tsquery(''english'', ''nonesuch'')') WHERE index IS NOT NULL ORDER BY 1;
RESET enable_seqscan;

-- Summaries, held against plain queries; and for a company that has nothing.
CREATE FUNCTION plain_vulnerabilities(c uuid) RETURNS SETOF zerotrace.vulnerability_summary_v2 LANGUAGE plpgsql AS $$
DECLARE r zerotrace.vulnerability_summary_v2; f record; cves text[] := '{}'; packages text[] := '{}'; cvss numeric[] := '{}';
BEGIN
    r := (c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL);
    FOR f IN SELECT * FROM zerotrace.vulnerabilities_v2 v WHERE v.company_id = c LOOP
        r.total := r.total + 1;
        r.critical := r.critical + (f.severity = 'critical')::int;
        r.high := r.high + (f.severity = 'high')::int;
        r.medium := r.medium + (f.severity = 'medium')::int;
        r.low := r.low + (f.severity = 'low')::int;
        r.info := r.info + (f.severity = 'info')::int;
        r.resolved := r.resolved + (f.status = 'resolved')::int;
        IF f.status IN ('open', 'in_progress') THEN
            r.open := r.open + 1;
            r.open_exploitable := r.open_exploitable + f.exploit_available::int;
            r.open_fixable := r.open_fixable + (f.fixed_version IS NOT NULL)::int;
            r.max_open_risk := greatest(r.max_open_risk, f.risk_score);
            r.oldest_open := least(r.oldest_open, f.detected_at);
        END IF;
        IF f.cve_id <> ALL (cves) THEN cves := cves || f.cve_id; END IF;
        IF f.package_name <> ALL (packages) THEN packages := packages || f.package_name; END IF;
        cvss := cvss || f.cvss;
    END LOOP;
    r.cves := cardinality(cves);
    r.packages := cardinality(packages);
    r.mean_cvss := round((SELECT sum(x) / count(x) FROM unnest(cvss) x), 2);
    RETURN NEXT r;
END $$;
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT total, critical, high, medium, low, info, open, resolved, open_exploitable, open_fixable, cves, packages, mean_cvss, max_open_risk, oldest_open AT TIME ZONE 'UTC' AS oldest_open
FROM zerotrace.vulnerability_summary_v2;
SELECT * FROM plain_vulnerabilities(company('a')) EXCEPT SELECT * FROM zerotrace.vulnerability_summary_v2;
SELECT framework, checks, pass, fail, other, score, severe_fail, controls, last_check AT TIME ZONE 'UTC' AS last_check FROM zerotrace.compliance_summary ORDER BY 1;
SELECT framework, status, count(*) FROM zerotrace.compliance_checks GROUP BY 1, 2 ORDER BY 1, 2;
SELECT total, critical, high, medium, low, info, open, resolved, open_hosts, open_ports, open_internet_facing, open_unencrypted, mean_open_risk, max_open_risk FROM zerotrace.network_security_summary;
-- Against plain queries: nothing differs.
SELECT framework, v.*, p.* FROM zerotrace.compliance_summary v
FULL JOIN (SELECT framework, sum(1) AS checks, sum((status = 'pass')::int) AS pass, sum((status = 'fail')::int) AS fail,
                  sum((status = 'fail' AND severity = ANY ('{critical,high}'))::int) AS severe, max(detected_at) AS last
           FROM zerotrace.compliance_checks WHERE company_id = zerotrace.current_company_id() GROUP BY framework) p USING (framework)
WHERE (v.checks, v.pass, v.fail, v.other, v.severe_fail, v.last_check) IS DISTINCT FROM (p.checks, p.pass, p.fail, p.checks - p.pass - p.fail, p.severe, p.last)
   OR v.score IS DISTINCT FROM CASE WHEN p.pass + p.fail > 0 THEN round(100.0 * p.pass / (p.pass + p.fail), 2) END;
SELECT v.*, p.* FROM zerotrace.network_security_summary v
FULL JOIN (SELECT company_id, sum(1) AS total, sum((severity = 'high')::int) AS high, sum((severity = 'critical')::int) AS critical,
                  sum((status = ANY ('{open,in_progress}'))::int) AS open, sum((status = 'resolved')::int) AS resolved,
                  round(sum(risk_score) FILTER (WHERE status = ANY ('{open,in_progress}')) / nullif(sum((status = ANY ('{open,in_progress}'))::int), 0), 2) AS mean
           FROM zerotrace.network_findings WHERE company_id = zerotrace.current_company_id() GROUP BY company_id) p USING (company_id)
WHERE (v.total, v.high, v.critical, v.open, v.resolved, v.mean_open_risk) IS DISTINCT FROM (p.total, p.high, p.critical, p.open, p.resolved, p.mean);
SELECT count(*) > 1 AS frameworks, (SELECT count(*) FROM zerotrace.network_security_summary) AS companies FROM zerotrace.compliance_summary;
SELECT severity, status, host, protocol, port, internet_facing, encrypted, risk_score FROM zerotrace.network_findings ORDER BY 1, 2, 3, 4, 5, 6, 8;
RESET SESSION AUTHORIZATION;
-- To those whom no policy binds they speak of the session's company too.
SELECT zerotrace.set_company_context(company('b'));
SELECT * FROM zerotrace.vulnerability_summary_v2 EXCEPT SELECT * FROM plain_vulnerabilities(company('b'));
SELECT sum(total) FROM zerotrace.vulnerability_summary_v2;
SELECT zerotrace.set_company_context(NULL);
SELECT count(*) FROM zerotrace.vulnerability_summary_v2;
SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'zerotrace'::regnamespace AND relkind = 'v' ORDER BY 1;

-- Statistics: every figure against one query each, over five periods, one of which begins behind a change of the clocks.
CREATE TABLE everything AS
SELECT 'agents' AS source, company_id, '' AS severity, '' AS status, '' AS category, 0.0 AS risk_score, now() AS detected_at FROM zerotrace.agents LIMIT 0;
DO $$ BEGIN
    EXECUTE (SELECT string_agg(format('INSERT INTO everything SELECT %1$L, company_id, severity, status, category, risk_score, detected_at FROM zerotrace.%1$I', relname), ';')
             FROM pg_class WHERE relnamespace = 'zerotrace'::regnamespace AND relkind = 'p' AND relname <> 'agents');
END $$;
SELECT count(DISTINCT source) AS tables, count(*) AS rows FROM everything;
CREATE FUNCTION differences(c uuid, "from" timestamptz, "to" timestamptz) RETURNS TABLE (compared bigint, different bigint) LANGUAGE sql AS $$
    WITH s AS (SELECT * FROM zerotrace.get_security_statistics(c, "from", "to")),
         e AS (SELECT * FROM everything WHERE company_id = c AND detected_at >= "from" AND detected_at < "to"),
         before AS (SELECT * FROM everything WHERE company_id = c AND detected_at < "from" AND extract(epoch FROM detected_at) >= 2 * extract(epoch FROM "from") - extract(epoch FROM "to")),
         name (source) AS (SELECT 'all' UNION SELECT source FROM e UNION SELECT source FROM before)
    SELECT count(*), count(*) FILTER (WHERE s IS NULL OR n IS NULL OR row(total, critical, high, medium, low, info, s.open, by_status, by_category, mean_risk, max_risk, previous_total, change_percent) IS DISTINCT FROM row(
        (SELECT count(*) FROM e WHERE n.source IN ('all', e.source)),
        (SELECT count(*) FROM e WHERE n.source IN ('all', e.source) AND severity = 'critical'),
        (SELECT count(*) FROM e WHERE n.source IN ('all', e.source) AND severity = 'high'),
        (SELECT count(*) FROM e WHERE n.source IN ('all', e.source) AND severity = 'medium'),
        (SELECT count(*) FROM e WHERE n.source IN ('all', e.source) AND severity = 'low'),
        (SELECT count(*) FROM e WHERE n.source IN ('all', e.source) AND severity = 'info'),
        (SELECT count(*) FROM e WHERE n.source IN ('all', e.source) AND status IN ('open', 'in_progress', 'fail')),
        (SELECT coalesce(jsonb_object_agg(status, k), '{}') FROM (SELECT status, count(*) AS k FROM e WHERE n.source IN ('all', e.source) GROUP BY 1) x),
        (SELECT coalesce(jsonb_object_agg(category, k), '{}') FROM (SELECT category, count(*) AS k FROM e WHERE n.source IN ('all', e.source) GROUP BY 1) x),
        (SELECT round(avg(risk_score), 2) FROM e WHERE n.source IN ('all', e.source)),
        (SELECT max(risk_score) FROM e WHERE n.source IN ('all', e.source)),
        (SELECT count(*) FROM before WHERE n.source IN ('all', before.source)),
        (SELECT CASE WHEN b > 0 THEN round(100.0 * ((SELECT count(*) FROM e WHERE n.source IN ('all', e.source)) - b) / b, 1) END FROM (SELECT count(*) AS b FROM before WHERE n.source IN ('all', before.source)) x)))
    FROM s FULL JOIN name n USING (source)
$$;
SELECT right(c::text, 1) AS company, p.*, d.* FROM unnest(ARRAY[company('a'), company('b'), company('c')]) c,
    (VALUES ('2026-03-02 04:13Z'::timestamptz, '2026-03-04 00:00Z'::timestamptz), ('2026-03-04 00:00Z', '2026-03-05 00:00Z'), ('2026-03-06Z', '2026-03-08Z'), ('2026-01-01', '2026-03-31'), ('2026-03-09 06:40Z', '2026-03-14 06:40Z')) p ("from", "to"),
    differences(c, p."from", p."to") d;
SELECT source, total, critical, open, mean_risk, max_risk, previous_total, change_percent FROM zerotrace.get_security_statistics(company('a'), '2026-03-04Z', '2026-03-05Z');
SELECT by_status, by_category FROM zerotrace.get_security_statistics(company('a'), '2026-03-04Z', '2026-03-05Z') LIMIT 1;
-- The heat map likewise, in buckets that do not go by the session's time zone.
SELECT source, severity, bucket_at AT TIME ZONE 'UTC' AS bucket, findings, open, total_risk, mean_risk, max_risk FROM zerotrace.get_risk_heatmap_data(company('b'), '2026-03-02Z', '2026-03-04Z') ORDER BY 1, 3, 2;
SELECT bucket, (SELECT count(*) FROM zerotrace.get_risk_heatmap_data(c, '2026-03-02Z', '2026-03-31Z', bucket)) AS cells, count(x.*) AS different
FROM unnest('{hour,day,week,month}'::text[]) bucket CROSS JOIN unnest(ARRAY[company('a'), company('b'), company('c')]) c LEFT JOIN LATERAL (
    (SELECT source, severity, bucket_at, findings, open, total_risk, mean_risk, max_risk FROM zerotrace.get_risk_heatmap_data(c, '2026-03-02Z', '2026-03-31Z', bucket)
     EXCEPT ALL SELECT source, severity, date_trunc(bucket, detected_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', count(*), count(*) FILTER (WHERE status IN ('open', 'in_progress', 'fail')), sum(risk_score), round(avg(risk_score), 2), max(risk_score)
                FROM everything WHERE company_id = c AND detected_at >= '2026-03-02Z' AND detected_at < '2026-03-31Z' GROUP BY 1, 2, 3)
    UNION ALL
    (SELECT source, severity, date_trunc(bucket, detected_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', count(*), count(*) FILTER (WHERE status IN ('open', 'in_progress', 'fail')), sum(risk_score), round(avg(risk_score), 2), max(risk_score)
                FROM everything WHERE company_id = c AND detected_at >= '2026-03-02Z' AND detected_at < '2026-03-31Z' GROUP BY 1, 2, 3
     EXCEPT ALL SELECT source, severity, bucket_at, findings, open, total_risk, mean_risk, max_risk FROM zerotrace.get_risk_heatmap_data(c, '2026-03-02Z', '2026-03-31Z', bucket))) x ON true
GROUP BY c, bucket ORDER BY bucket, c;
SELECT sum(findings) = (SELECT count(*) FROM everything WHERE company_id = company('a') AND detected_at < '2026-04-01Z') AS all_of_them FROM zerotrace.get_risk_heatmap_data(company('a'), '2026-01-01Z', '2026-04-01Z', 'week');
SELECT command, attempt(command) FROM (VALUES
    ('SELECT * FROM zerotrace.get_security_statistics(NULL, ''2026-01-01Z'', ''2026-01-02Z'')'), ('SELECT * FROM zerotrace.get_security_statistics(company(''a''), NULL, ''2026-01-02Z'')'),
    ('SELECT * FROM zerotrace.get_security_statistics(company(''a''), ''2026-01-02Z'', ''2026-01-02Z'')'), ('SELECT * FROM zerotrace.get_security_statistics(company(''a''), ''-infinity'', ''2026-01-02Z'')'),
    ('SELECT * FROM zerotrace.get_risk_heatmap_data(company(''a''), ''2026-01-02Z'', ''2026-01-01Z'')'), ('SELECT * FROM zerotrace.get_risk_heatmap_data(company(''a''), ''2026-01-01Z'', ''2026-01-02Z'', ''eon'')'),
    ('SELECT * FROM zerotrace.get_risk_heatmap_data(company(''a''), ''2026-01-01Z'', ''2026-01-02Z'', NULL)')) v (command);
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT zerotrace.set_company_context(company('b'));
SELECT source, total, previous_total FROM zerotrace.get_security_statistics(company('a'), '2026-03-04Z', '2026-03-05Z');
SELECT source, total, previous_total FROM zerotrace.get_security_statistics(company('b'), '2026-03-04Z', '2026-03-05Z');
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
