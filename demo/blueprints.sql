-- All blueprints in one database; then scanners' findings of three companies, each on a chain of its own.
SET client_min_messages = warning;
SELECT name, install_blueprint(name) AS answer, cardinality(schemas) AS schemas, cardinality(tables) AS tables
FROM auditspine.blueprint ORDER BY name;

CREATE TEMP TABLE company AS SELECT md5('company ' || g)::uuid AS id, g AS number FROM generate_series(1, 3) AS g;
INSERT INTO zerotrace.vulnerabilities_v2 (company_id, title, severity, category, risk_score, vulnerability_type, cve_id)
SELECT c.id, 'finding ' || g, (ARRAY['critical', 'high', 'medium', 'low'])[1 + g % 4], 'memory_safety', 9.5 - g % 10 * 0.5, 'dependency',
       'CVE-2026-' || 10000 + g
FROM company AS c CROSS JOIN generate_series(1, 1000) AS g;

\echo Each company verifies its own chain and rows. Now one finding of the second is turned down, with all triggers off:
ALTER TABLE zerotrace.vulnerabilities_v2 DISABLE TRIGGER USER;
UPDATE zerotrace.vulnerabilities_v2 SET severity = 'low'
WHERE company_id = md5('company 2')::uuid AND title = 'finding 44';
ALTER TABLE zerotrace.vulnerabilities_v2 ENABLE TRIGGER USER;
ALTER TABLE zerotrace.vulnerabilities_v2 ENABLE ALWAYS TRIGGER auditspine_audit;
ALTER TABLE zerotrace.vulnerabilities_v2 ENABLE ALWAYS TRIGGER auditspine_truncate;
SELECT 'company ' || c.number AS company, v.ok AS links, r.ok AS rows_ok, r.rows, r.edited
FROM company AS c, verify_chain(c.id::text) AS v, verify_table('zerotrace.vulnerabilities_v2', chain => c.id::text) AS r
ORDER BY c.number;
SELECT finding, detail FROM verify_table_findings('zerotrace.vulnerabilities_v2', chain => md5('company 2')::uuid::text);
