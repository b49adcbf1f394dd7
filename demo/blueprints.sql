-- All blueprints in one database; files of scanners loaded into one; then scanners' findings of three companies, each on
-- a chain of its own.
SET client_min_messages = warning;
SELECT name, install_blueprint(name) AS answer, cardinality(schemas) AS schemas, cardinality(tables) AS tables
FROM auditspine.blueprint ORDER BY name;

\echo Files as scanners and FIRST write them become rows of the blueprint findings:
\set semgrep `cat findings/semgrep.sarif`
\set codeql `cat findings/codeql.sarif`
\set trivy `cat findings/trivy.sarif`
\set epss `cat findings/epss_scores-2026-01-03.csv`
SELECT findings.start_scan('shop', 'a1b2c3d', source_platform => 'github', branch => 'main') AS scan \gset
SELECT * FROM findings.load_sarif(:scan, :'semgrep')
UNION ALL SELECT * FROM findings.load_sarif(:scan, :'codeql')
UNION ALL SELECT * FROM findings.load_sarif(:scan, :'trivy');
SELECT score_date, rows FROM findings.load_epss_csv(NULL, :'epss');
SELECT findings.finish_scan(:scan, build_duration_seconds => 61.5, num_changed_files => 4) AS findings;
SELECT f.severity, f.tool, f.file, f.line, e.probability AS epss
FROM findings.findings AS f LEFT JOIN findings.epss_data AS e USING (cve_id) ORDER BY f.id;

CREATE TEMP TABLE company AS SELECT md5('company ' || g)::uuid AS id, g AS number FROM generate_series(1, 3) AS g;
INSERT INTO zerotrace.vulnerabilities_v2 (company_id, agent_id, title, severity, category, risk_score, metadata)
SELECT c.id, md5('agent ' || c.number)::uuid, 'finding ' || g, (ARRAY['critical', 'high', 'medium', 'low'])[1 + g % 4], 'application',
       9.5 - g % 10 * 0.5, jsonb_build_object('cve_id', 'CVE-2026-' || 10000 + g)
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
