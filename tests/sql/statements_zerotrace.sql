-- Blueprint zerotrace: what a user types who knows the tables, views and functions by their documented names, and
-- nothing of auditspine. First as a superuser, then as the application's role. All of it succeeds but what says it fails.
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_app, regress_auditspine_plain;
RESET client_min_messages;
CREATE ROLE regress_auditspine_app;
CREATE ROLE regress_auditspine_plain;
SELECT install_blueprint('zerotrace');
SET search_path = zerotrace, public;
\set a '''a0000000-0000-4000-8000-000000000001'''
\set b '''b0000000-0000-4000-8000-000000000002'''
\set agent '''c0000000-0000-4000-8000-000000000003'''

-- A superuser, with no company: each table with the columns that it requires, and what the others become.
INSERT INTO agents (id, hostname, os, os_version) VALUES (:agent, 'edge-1', 'Debian', '12');
INSERT INTO vulnerabilities_v2 (agent_id, company_id, title, severity, category) VALUES (:agent, :a, 'SQL injection', 'critical', 'application')
RETURNING id IS NOT NULL AS id, status, risk_score, compliance_frameworks, "references", tags, metadata, enrichment_data, discovered_at = last_seen AS seen, created_at = updated_at AS created;
INSERT INTO network_findings (agent_id, company_id, host, port, protocol) VALUES (:agent, :a, '198.51.100.7', 22, 'tcp')
RETURNING id IS NOT NULL AS id, ssl_enabled, vulnerability_count, status, metadata, created_at = updated_at AS created;
INSERT INTO compliance_checks (agent_id, company_id, framework, category, requirement, status) VALUES (:agent, :a, 'PCI-DSS', 'Access control', '8.3.6 Passwords have twelve characters', 'pass')
RETURNING id IS NOT NULL AS id, severity, evidence, metadata, created_at = updated_at AS created;
INSERT INTO system_vulnerabilities (agent_id, company_id, vulnerability_type, severity, title) VALUES (:agent, :a, 'kernel', 'high', 'Kernel without a fix') RETURNING id IS NOT NULL AS id, patch_available, metadata;
INSERT INTO auth_findings (agent_id, company_id, finding_type, severity, title) VALUES (:agent, :a, 'password_policy', 'medium', 'Short passwords') RETURNING id IS NOT NULL AS id, risk_score, metadata;
INSERT INTO database_findings (agent_id, company_id, database_type, host, finding_type, severity, title) VALUES (:agent, :a, 'postgresql', 'db-1', 'weak_auth', 'high', 'Trust in pg_hba.conf');
INSERT INTO api_findings (agent_id, company_id, api_type, endpoint, finding_type, severity, title) VALUES (:agent, :a, 'GraphQL', '/graphql', 'introspection', 'low', 'Introspection is on');
INSERT INTO container_findings (agent_id, company_id, finding_type, severity, title) VALUES (:agent, :a, 'privileged', 'high', 'Privileged container');
INSERT INTO ai_ml_findings (agent_id, company_id, finding_type, severity, title) VALUES (:agent, :a, 'llm_security', 'high', 'Prompt injection');
INSERT INTO iot_ot_findings (agent_id, company_id, device_type, finding_type, severity, title) VALUES (:agent, :a, 'PLC', 'default_credentials', 'critical', 'Factory password');
INSERT INTO privacy_findings (agent_id, company_id, finding_type, severity, title) VALUES (:agent, :a, 'pii_detection', 'high', 'Names in a log');
INSERT INTO web3_findings (agent_id, company_id, finding_type, severity, title) VALUES (:agent, :a, 'smart_contract', 'critical', 'Reentrancy');

-- With all columns, in the order of the tables and without their names.
INSERT INTO agents VALUES (gen_random_uuid(), 'edge-2', 'Windows', '11');
INSERT INTO vulnerabilities_v2 VALUES ('d0000000-0000-4000-8000-000000000004', :agent, :b, gen_random_uuid(), 'Weak cipher', 'TLS accepts RC4', 'high', 'network', 'open', now(), now(), 10.0, 'low', 'network', '["PCI-DSS"]',
    'Turn RC4 off', '["https://example.com/rc4"]', '["tls"]', '{"port": 443}', '{"epss": 0.4}', now(), now());
INSERT INTO network_findings VALUES (gen_random_uuid(), :agent, :b, gen_random_uuid(), 'mail', 443, 'tcp', 'https', '1.2', 'nginx', true, 'TLSv1.3', 'TLS_AES_256_GCM_SHA384', 'CN=Example', '2027-01-01', 3, 'open', '{}', now(), now());
INSERT INTO compliance_checks VALUES (gen_random_uuid(), :agent, :b, 'CIS', 'Logging', '8.2', 'fail', 'Critical', 'No audit log', 'Turn it on', '{"setting": "off"}', '{}', now(), now());
INSERT INTO system_vulnerabilities VALUES (gen_random_uuid(), :agent, :b, 'eol_software', 'Debian', '9', 'openssl', '1.1.0', 'CVE-2026-10001', 'Critical', 'OpenSSL is past its end', 'd', 'Upgrade', true, 'https://example.com/patch', '2022-06-30', '{}', now(), now());
INSERT INTO auth_findings VALUES (gen_random_uuid(), :agent, :b, 'auth_bypass', 'svc-1', 'high', 't', 'd', 9.99, 'r', '{}', now(), now());
INSERT INTO database_findings VALUES (gen_random_uuid(), :agent, :b, 'sqlserver', 'db-2', 1433, 'sales', 'backup', 'low', 't', 'd', 'r', '{}', now(), now());
INSERT INTO api_findings VALUES (gen_random_uuid(), :agent, :b, 'gRPC', 'pkg.Service/Call', 'POST', 'authentication', 'low', 't', 'd', 'r', '{}', now(), now());
INSERT INTO container_findings VALUES (gen_random_uuid(), :agent, :b, '4f5e', 'registry/app', '1.2', 'vulnerable_package', 'low', 't', 'd', 'r', '{}', now(), now());
INSERT INTO ai_ml_findings VALUES (gen_random_uuid(), :agent, :b, 'bias_fairness', 'scorer', '3', 'pytorch', 'low', 't', 'd', 'r', '{}', now(), now());
INSERT INTO iot_ot_findings VALUES (gen_random_uuid(), :agent, :b, 'Camera', 'cam-7', 'rtsp', 'firmware', 'low', 't', 'd', 'r', '{}', now(), now());
INSERT INTO privacy_findings VALUES (gen_random_uuid(), :agent, :b, 'data_retention', 'email', 's3://bucket', 'low', 't', 'd', 'r', '{}', now(), now());
INSERT INTO web3_findings VALUES (gen_random_uuid(), :agent, :b, 'defi_risks', '0xAb', 'ethereum', 'low', 't', 'd', 'r', '{}', now(), now());

-- Every word of every list; nulls where a column may be null, though it has a default.
INSERT INTO vulnerabilities_v2 (agent_id, company_id, title, severity, category) SELECT :agent, :b, 'word', s, c
FROM unnest('{critical,high,medium,low,info}'::text[]) s, unnest('{application,network,configuration,system,auth,database,api,container,ai,iot,privacy,web3}'::text[]) c;
INSERT INTO compliance_checks (agent_id, company_id, framework, category, requirement, status) SELECT :agent, :b, f, 'c', 'word', s
FROM unnest('{CIS,PCI-DSS,HIPAA,GDPR,SOC2,ISO27001}'::text[]) f, unnest('{pass,fail,not_applicable,error}'::text[]) s;
INSERT INTO system_vulnerabilities (agent_id, company_id, vulnerability_type, severity, title) SELECT :agent, :b, w, 'low', 'word' FROM unnest('{os_patch,kernel,driver,eol_software}'::text[]) w;
INSERT INTO auth_findings (agent_id, company_id, finding_type, severity, title) SELECT :agent, :b, w, 'low', 'word' FROM unnest('{password_policy,account_security,privilege_escalation,auth_bypass}'::text[]) w;
INSERT INTO database_findings (agent_id, company_id, database_type, host, finding_type, severity, title) SELECT :agent, :b, w, 'h', 'f', 'low', 'word' FROM unnest('{postgresql,mysql,mongodb,redis,sqlserver,oracle}'::text[]) w;
INSERT INTO api_findings (agent_id, company_id, api_type, endpoint, finding_type, severity, title) SELECT :agent, :b, w, '/', 'f', 'low', 'word' FROM unnest('{REST,GraphQL,SOAP,gRPC}'::text[]) w;
INSERT INTO ai_ml_findings (agent_id, company_id, finding_type, severity, title) SELECT :agent, :b, w, 'low', 'word' FROM unnest('{model_vulnerability,training_data,llm_security,bias_fairness}'::text[]) w;
INSERT INTO privacy_findings (agent_id, company_id, finding_type, severity, title) SELECT :agent, :b, w, 'low', 'word' FROM unnest('{pii_detection,gdpr_compliance,ccpa_compliance,data_retention}'::text[]) w;
INSERT INTO web3_findings (agent_id, company_id, finding_type, severity, title) SELECT :agent, :b, w, 'low', 'word' FROM unnest('{smart_contract,wallet_security,dapp_security,defi_risks}'::text[]) w;
INSERT INTO vulnerabilities_v2 (agent_id, company_id, title, severity, category, status, discovered_at, last_seen, risk_score, compliance_frameworks, "references", tags, metadata, enrichment_data, created_at, updated_at)
VALUES (:agent, :b, '', 'info', 'web3', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO network_findings (agent_id, company_id, host, port, protocol, ssl_enabled, vulnerability_count, status, metadata, created_at, updated_at) VALUES (:agent, :b, '', 0, 'icmp', NULL, NULL, NULL, NULL, NULL, NULL);
-- By the other name of a table, and a text that is no list of anything.
INSERT INTO vulnerabilities_v2_partitioned (agent_id, company_id, title, severity, category, status, risk_score, metadata, tags)
VALUES (:agent, :a, 'Old library', 'low', 'application', 'Awaiting vendor', 0.1, '"text"', '{"a": 1}');
INSERT INTO compliance_checks_partitioned (agent_id, company_id, framework, category, requirement, status) VALUES (:agent, :a, 'PCI-DSS', 'Logging', '10.5.1', 'fail'), (:agent, :a, 'PCI-DSS', 'Keys', '3.7.4', 'pass'), (:agent, :a, 'SOC2', 'Keys', 'CC6.1', 'not_applicable');
INSERT INTO network_findings_partitioned (agent_id, company_id, host, port, protocol, ssl_enabled, vulnerability_count) VALUES (:agent, :a, '198.51.100.7', 443, 'tcp', true, 2), (:agent, :a, '198.51.100.8', 443, 'tcp', NULL, 0);
SELECT count(*) AS rows, count(DISTINCT company_id) AS companies, (SELECT count(*) FROM vulnerabilities_v2_partitioned) AS by_the_other_name FROM vulnerabilities_v2;

-- Reported again; in work; solved; withdrawn.
INSERT INTO vulnerabilities_v2 (id, agent_id, company_id, title, severity, category, last_seen) VALUES ('d0000000-0000-4000-8000-000000000004', :agent, :b, 'Weak cipher', 'high', 'network', now())
ON CONFLICT (company_id, id) DO UPDATE SET last_seen = excluded.last_seen;
UPDATE vulnerabilities_v2 SET status = 'in_progress', updated_at = NOW() WHERE id = 'd0000000-0000-4000-8000-000000000004';
UPDATE vulnerabilities_v2_partitioned SET status = 'resolved', risk_score = 0.0, enrichment_data = enrichment_data || '{"fixed_in": "2.0"}', tags = tags || '"fixed"' WHERE id = 'd0000000-0000-4000-8000-000000000004';
SELECT status, risk_score, enrichment_data, tags, "references" FROM vulnerabilities_v2 WHERE id = 'd0000000-0000-4000-8000-000000000004';
UPDATE network_findings SET status = 'closed', vulnerability_count = 0, ssl_enabled = true, updated_at = NOW() WHERE company_id = :b AND host = 'mail';
UPDATE compliance_checks SET status = 'pass', evidence = '{"setting": "on"}' WHERE company_id = :b AND requirement = '8.2';
UPDATE system_vulnerabilities SET patch_available = true, patch_url = 'https://example.com/patch' WHERE company_id = :a;
UPDATE agents SET os_version = '12.1' WHERE id = :agent;
DELETE FROM web3_findings WHERE company_id = :b AND contract_address = '0xAb';
-- Whom no policy binds sees all companies.
SELECT company_id, count(*), count(hostname) FROM vulnerability_summary_v2 GROUP BY company_id ORDER BY company_id;
SELECT * FROM compliance_summary WHERE company_id = :a ORDER BY framework;
SELECT * FROM network_security_summary WHERE company_id = :a;
-- A search by the documented expression goes by the documented index.
SET enable_seqscan = off;
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
SELECT DISTINCT (regexp_match(plan, 'on (\S+idx\d*)'))[1] FROM plan('SELECT title FROM vulnerabilities_v2_partitioned WHERE to_tsvector(''english'', title || '' '' || COALESCE(description, '''')) @@ plainto_tsquery(''english'', ''cipher'')') plan WHERE plan ~ 'Index Scan' ORDER BY 1;
RESET enable_seqscan;
SELECT title FROM vulnerabilities_v2_partitioned WHERE to_tsvector('english', title || ' ' || COALESCE(description, '')) @@ plainto_tsquery('english', 'cipher');

-- The application's role, in one way or the other.
SELECT grant_application('regress_auditspine_app');
GRANT USAGE ON SCHEMA zerotrace TO regress_auditspine_plain;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA zerotrace TO regress_auditspine_plain;
SET SESSION AUTHORIZATION regress_auditspine_app;
SELECT count(*) AS without_a_company FROM vulnerabilities_v2;
SELECT set_company_context(:a);
SELECT set_company_context(company_id => :a);
SELECT current_setting('app.current_company_id');
SELECT title, severity, category, status, risk_score, hostname, os, os_version FROM vulnerability_summary_v2 ORDER BY title;
SELECT framework, total_checks, passed_checks, failed_checks, not_applicable_checks, compliance_score FROM compliance_summary ORDER BY framework;
SELECT company_id, agent_id, total_findings, non_ssl_services, vulnerable_services, unique_hosts, unique_ports FROM network_security_summary;
\x on
SELECT * FROM get_security_statistics(:a);
SELECT * FROM get_security_statistics(p_company_id => :a, p_date_from => NOW() - INTERVAL '30 days', p_date_to => NOW() + INTERVAL '1 day');
SELECT * FROM get_security_statistics(:a, '2020-01-01');
SELECT * FROM get_security_statistics(:a, p_date_to => '2020-01-01');
\x off
SELECT category, severity, count, risk_score FROM get_risk_heatmap_data(:a);
SELECT * FROM get_risk_heatmap_data(:a, NOW() - INTERVAL '7 days', NOW() + INTERVAL '1 day');
SELECT count(*) AS of_another_company FROM get_risk_heatmap_data(:b);
INSERT INTO agents (id, hostname, os, os_version) VALUES ('e0000000-0000-4000-8000-000000000005', 'laptop', 'macOS', '15');
INSERT INTO vulnerabilities_v2 (agent_id, company_id, title, severity, category) VALUES ('e0000000-0000-4000-8000-000000000005', :a, 'No disk encryption', 'high', 'configuration');
INSERT INTO vulnerabilities_v2_partitioned (agent_id, company_id, title, severity, category) VALUES (:agent, :a, 'Debug mode', 'medium', 'configuration');
UPDATE vulnerabilities_v2 SET status = 'resolved' WHERE title = 'SQL injection';
DELETE FROM vulnerabilities_v2_partitioned WHERE title = 'Old library';
SELECT v.title, v.status, a.hostname FROM vulnerabilities_v2 v LEFT JOIN agents a ON v.agent_id = a.id ORDER BY v.title;
SELECT hostname, os, os_version FROM vulnerability_summary_v2 WHERE title = 'No disk encryption';
SELECT title FROM vulnerabilities_v2 WHERE to_tsvector('english', title || ' ' || COALESCE(description, '')) @@ to_tsquery('english', 'disk & encrypt');
-- An agent that no company has is the operator's: all see it, and none changes it.
UPDATE agents SET hostname = 'mine' WHERE id = :agent RETURNING hostname;
SELECT hostname FROM agents ORDER BY 1;
-- Fails: another company's row.
INSERT INTO vulnerabilities_v2 (agent_id, company_id, title, severity, category) VALUES (:agent, :b, 't', 'low', 'ai');
-- The setting, set without the function, in any way of writing a uuid.
SET app.current_company_id = 'B0000000-0000-4000-8000-000000000002';
SELECT count(*), count(DISTINCT company_id) FROM vulnerabilities_v2;
SET SESSION AUTHORIZATION regress_auditspine_plain;
SELECT set_company_context(:b);
INSERT INTO vulnerabilities_v2 (agent_id, company_id, title, severity, category) VALUES (:agent, :b, 'Shadow IT', 'low', 'ai');
SELECT category, count FROM get_risk_heatmap_data(:b) WHERE severity = 'low' ORDER BY count DESC, category LIMIT 2;
SELECT total_vulnerabilities, compliance_scores, network_findings_count, web3_findings_count FROM get_security_statistics(:b);
SELECT vulnerabilities_by_severity FROM get_security_statistics(:b);
SELECT framework, total_checks, compliance_score FROM compliance_summary ORDER BY framework;
SELECT count(*) FROM vulnerabilities_v2_partition_0;
RESET SESSION AUTHORIZATION;

-- All of it is recorded, in a chain for each company, and in order; then a row is made to look harmless, and found.
RESET search_path;
SELECT name AS chain, count(*) AS entries FROM auditspine.chain JOIN auditspine.audit_chain USING (chain_id) WHERE op <> 'S' GROUP BY name ORDER BY name;
SELECT layer, count(*) AS parts, bool_and(ok) AS ok, sum(findings) AS findings FROM verify_all() GROUP BY layer ORDER BY layer;
ALTER TABLE zerotrace.vulnerabilities_v2 DISABLE TRIGGER auditspine_audit;
UPDATE zerotrace.vulnerabilities_v2_partitioned SET last_seen = '2020-01-01' WHERE title = 'No disk encryption';
ALTER TABLE zerotrace.vulnerabilities_v2 ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT finding, current ->> 'title' AS title, current ->> 'last_seen' AS last_seen FROM verify_table_findings('zerotrace.vulnerabilities_v2');
SELECT layer, subject, findings FROM verify_all() WHERE NOT ok;

SET client_min_messages = warning;
DROP SCHEMA zerotrace CASCADE;
DROP OWNED BY regress_auditspine_app, regress_auditspine_plain;
DROP ROLE regress_auditspine_app, regress_auditspine_plain;
