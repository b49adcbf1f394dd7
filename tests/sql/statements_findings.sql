-- Blueprint findings: the statements of an application that knows the tables and columns, and nothing of auditspine.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_pipeline;
CREATE ROLE regress_auditspine_pipeline;
SELECT install_blueprint('findings');
GRANT USAGE ON SCHEMA findings TO regress_auditspine_pipeline;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA findings TO regress_auditspine_pipeline;
SET TimeZone = 'Asia/Kolkata';
SET ROLE regress_auditspine_pipeline;
SET search_path = findings;

-- Every column of every table.
INSERT INTO scans (id, project_name, commit_sha, timestamp, reference_id, status, source_platform, repo_url, branch)
VALUES (1, 'user/repo', '3f2a9c1d7b60e4858a1c2d3e4f5a6b7c8d9e0f12', '2026-01-05 09:30:00', '8f14e45f-ceea-467f-a83b-5f8d6e3c1a2b', 'pending',
        'github', 'https://github.example/user/repo', 'main');
INSERT INTO findings (id, scan_id, tool, rule_id, file, line, severity, triage_decision, ai_verdict, ai_confidence, ai_reasoning,
                      remediation_patch, red_team_success)
VALUES (1, 1, 'Semgrep', 'sql-injection', 'src/db.py', 42, 'Critical', 'TP', 'TP', 0.93, 'Input reaches the query.', '--- a/src/db.py', true);
INSERT INTO feedbacks (id, finding_id, user_verdict, comments, timestamp) VALUES (1, 1, 'TP', 'Seen in the logs.', '2026-01-05 11:00:00');
INSERT INTO pipeline_metrics (id, scan_id, build_duration_seconds, artifact_size_bytes, num_changed_files) VALUES (1, 1, 61.5, 5368709120, 4);
INSERT INTO epss_data (cve_id, probability, percentile) VALUES ('CVE-2021-44228', 0.94358, 0.99964);

-- Ids that the database gives. It has given none of those above, as with any serial column.
RESET ROLE;
SELECT setval(pg_get_serial_sequence(t, 'id'), 1) FROM unnest('{scans,findings,feedbacks,pipeline_metrics}'::text[]) AS t;
SET ROLE regress_auditspine_pipeline;
INSERT INTO scans (project_name, commit_sha, reference_id, source_platform, repo_url, branch)
VALUES ('user/repo', 'b2c3d4e', 'c9f0f895-fb98-4b91-99f1-7a2d3e4c5b6a', 'gitlab', 'https://gitlab.example/user/repo', 'dev') RETURNING id, status;
SELECT (now() AT TIME ZONE 'UTC') - timestamp < interval '10 min' AS in_utc FROM scans WHERE id = 2;
INSERT INTO findings (scan_id, tool, rule_id, file, line, severity) VALUES
    (2, 'Semgrep', 'weak-hash', 'src/auth.py', 7, 'Medium'), (2, 'Bandit', 'B105', 'src/auth.py', 0, 'Low'),
    (2, 'Trivy', 'CVE-2021-44228', 'pom.xml', 1, 'High') RETURNING id;
-- The least there is: the keys alone, or nothing, as an ORM writes what it was not told.
INSERT INTO scans DEFAULT VALUES RETURNING id, project_name, status;
INSERT INTO findings DEFAULT VALUES RETURNING id;
INSERT INTO feedbacks DEFAULT VALUES RETURNING id;
INSERT INTO pipeline_metrics DEFAULT VALUES RETURNING id;
INSERT INTO epss_data (cve_id) VALUES ('CVE-2024-3094');
INSERT INTO scans (project_name, commit_sha, timestamp, reference_id, status, source_platform, repo_url, branch)
VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) RETURNING id;
INSERT INTO findings (scan_id, tool, rule_id, file, line, severity, triage_decision, ai_verdict, ai_confidence, ai_reasoning, remediation_patch, red_team_success)
VALUES (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) RETURNING id;
INSERT INTO feedbacks (finding_id, user_verdict, comments, timestamp) VALUES (NULL, NULL, NULL, NULL) RETURNING id;

-- The life of a scan: asked for by its UUID; found, triaged, tried, mended; metrics after it, twice for a second build.
UPDATE scans SET status = 'processing' WHERE reference_id = 'c9f0f895-fb98-4b91-99f1-7a2d3e4c5b6a';
UPDATE findings SET ai_verdict = 'False Positive', ai_confidence = 0.64, ai_reasoning = 'It is a checksum.' WHERE id = 2;
UPDATE findings SET ai_confidence = 0.99 WHERE id = 3;
UPDATE findings SET ai_verdict = 'TP', ai_confidence = 1.0, remediation_patch = '--- a/pom.xml', red_team_success = false WHERE id = 4;
UPDATE findings SET triage_decision = CASE WHEN severity IN ('Critical', 'High') THEN 'TP' ELSE 'FP' END WHERE scan_id = 2;
INSERT INTO feedbacks (finding_id, user_verdict, comments) VALUES (4, 'TP', 'Urgent.'), (4, 'FP', NULL), (4, 'TP', NULL), (2, 'FP', 'Not a secret.');
UPDATE feedbacks SET user_verdict = 'TP', comments = 'On second thought.' WHERE finding_id = 2;
UPDATE scans SET status = 'completed' WHERE id = 2;
INSERT INTO pipeline_metrics (scan_id, build_duration_seconds, artifact_size_bytes, num_changed_files) VALUES (2, 58.25, 1048576, 2);
INSERT INTO pipeline_metrics (scan_id, build_duration_seconds) VALUES (2, 57);
UPDATE pipeline_metrics SET num_changed_files = 3 WHERE scan_id = 2;
UPDATE scans SET status = 'failed' WHERE id = 3;
INSERT INTO epss_data (cve_id, probability, percentile) VALUES ('CVE-2021-44228', 0.95, 99.97)
ON CONFLICT (cve_id) DO UPDATE SET probability = EXCLUDED.probability, percentile = EXCLUDED.percentile;

-- What it asks for.
SELECT status FROM scans WHERE reference_id = 'c9f0f895-fb98-4b91-99f1-7a2d3e4c5b6a';
SELECT s.project_name, s.branch, s.timestamp, f.severity, count(*) FROM scans s JOIN findings f ON f.scan_id = s.id
WHERE s.id = 1 GROUP BY s.project_name, s.branch, s.timestamp, f.severity;
SELECT f.id, f.tool, f.rule_id, f.file, f.line, f.severity, f.triage_decision, f.ai_verdict, f.ai_confidence, f.red_team_success, e.probability, e.percentile
FROM findings f LEFT JOIN epss_data e ON e.cve_id = f.rule_id WHERE f.scan_id = 2 ORDER BY f.id;
SELECT f.id, b.user_verdict, b.comments FROM findings f JOIN feedbacks b ON b.finding_id = f.id ORDER BY b.id;
SELECT s.id, m.build_duration_seconds, m.artifact_size_bytes, m.num_changed_files FROM scans s LEFT JOIN pipeline_metrics m ON m.scan_id = s.id ORDER BY s.id, m.id;
SELECT count(*) FILTER (WHERE f.ai_verdict = b.user_verdict) AS agreed, count(*) FROM findings f JOIN feedbacks b ON b.finding_id = f.id;

-- What an ORM does before it deletes a parent; and what the references do by themselves.
UPDATE feedbacks SET finding_id = NULL WHERE finding_id = 2;
DELETE FROM findings WHERE id = 2;
UPDATE findings SET scan_id = NULL WHERE scan_id = 3;
DELETE FROM scans WHERE id = 3;
DELETE FROM scans WHERE id = 1;
DELETE FROM epss_data WHERE cve_id = 'CVE-2024-3094';
SELECT (SELECT count(*) FROM scans) AS scans, (SELECT count(*) FROM findings) AS findings, (SELECT count(*) FROM feedbacks) AS feedbacks,
       (SELECT count(*) FROM pipeline_metrics) AS metrics, (SELECT count(*) FROM epss_data) AS scores;
SELECT id, finding_id, user_verdict, comments FROM feedbacks ORDER BY id;

-- What is beyond the tables: views and functions, for the same role.
SELECT start_scan('user/repo', commit_sha => 'c3d4e5f', source_platform => 'github', repo_url => 'https://github.example/user/repo', branch => 'main') AS scan \gset
\set sarif `cat "${PG_ABS_SRCDIR:-tests}/../demo/findings/trivy.sarif"`
SELECT tool, findings, skipped FROM load_sarif(:scan, :'sarif');
\set epss `cat "${PG_ABS_SRCDIR:-tests}/../demo/findings/epss_scores-2026-01-03.csv"`
SELECT rows, inserted, changed, deleted FROM load_epss_csv(NULL, :'epss');
SELECT max(id) AS finding FROM findings \gset
SELECT record_ai_verdict(finding_id => :finding, ai_verdict => 'TP', ai_confidence => 0.9, ai_reasoning => 'Linked in.', model => 'sorter-2.1', remediation_patch => '--- a/Dockerfile');
SELECT record_feedback(finding_id => :finding, user_verdict => 'TP', comments => 'Agreed.', user_name => 'u-117') AS id;
SELECT triage(finding_id => :finding, triage_decision => 'TP', user_name => 'u-204');
SELECT finish_scan(scan_id => :scan, build_duration_seconds => 60, artifact_size_bytes => 1048576, num_changed_files => 1) AS findings;
SELECT finding_id, tp, fp, user_verdict FROM finding_consensus ORDER BY finding_id;
SELECT tool, severity, findings, tied, other, ai_tp_user_tp, agreement FROM verdict_agreement ORDER BY tool, severity;
SELECT scan_id, project_name, metric, value, previous FROM run_scores('user/repo') ORDER BY scan_id, metric;
SELECT scan_id, project_name, timestamp, metric, value, score FROM deviating_runs;
RESET ROLE;
RESET search_path;

-- All of it is recorded, each verdict with its history; then one row is tampered with.
SELECT what, old, new FROM findings.verdict_history(2);
SELECT what, old, new, by FROM findings.verdict_history(4);
SELECT layer, subject, ok, checked FROM verify_all() ORDER BY layer, subject;
ALTER TABLE findings.feedbacks DISABLE TRIGGER auditspine_audit;
UPDATE findings.feedbacks SET comments = 'Not urgent.' WHERE comments = 'Urgent.';
ALTER TABLE findings.feedbacks ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT layer, subject, findings FROM verify_all() WHERE NOT ok;
SELECT finding, key, current ->> 'comments' AS comments FROM verify_table_findings('findings.feedbacks');

SET client_min_messages = error;
DROP OWNED BY regress_auditspine_pipeline;
DROP ROLE regress_auditspine_pipeline;
