-- Blueprint findings: EPSS files, and what an insider does to scores and verdicts.
SET TimeZone = 'UTC';
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE command;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ': ' || sqlerrm || coalesce(' (' || nullif(hint, '') || ')', '');
END $$;
SELECT install_blueprint('findings');

-- Entries about scores since the last call.
CREATE TABLE looked (seq bigint);
INSERT INTO looked SELECT max(seq) FROM auditspine.audit_chain;
CREATE FUNCTION new_entries() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    since bigint;
    told text;
BEGIN
    PERFORM audit_flush();
    SELECT max(seq) INTO since FROM looked;
    INSERT INTO looked SELECT max(seq) FROM auditspine.audit_chain;
    SELECT string_agg(op::text || ' ' || n, ', ' ORDER BY op) INTO told FROM (
        SELECT op, count(*) AS n FROM auditspine.audit_chain WHERE seq > since AND event_kind = 'findings.epss_data' GROUP BY op) AS e;
    RETURN coalesce(told, 'none');
END $$;
CREATE VIEW scores AS SELECT string_agg(format('%s %s %s', cve_id, probability, percentile), '; ' ORDER BY cve_id) FROM findings.epss_data;
CREATE VIEW loads AS SELECT score_date, model_version, rows, inserted, changed, deleted, loaded_by = session_user AS by_me FROM findings.epss_loads ORDER BY load_id;

-- A first day; the same again; a day on which something changes, comes and goes; the same day once more, corrected.
SELECT l.rows, l.inserted FROM findings.load_epss('2026-01-01', '{"(CVE-2024-0001,0.1,0.2)","(CVE-2024-0002,0.3,0.4)","(CVE-2024-0003,0,1)"}', 'v2025.03.14') AS l;
SELECT new_entries(), scores.* FROM scores;
SELECT l.rows, l.inserted, l.changed, l.deleted FROM findings.load_epss('2026-01-02', '{"(CVE-2024-0003,0.0,1.00)","(CVE-2024-0002,0.3,0.40)","(CVE-2024-0001,0.10000,0.2)"}') AS l;
SELECT new_entries(), scores.* FROM scores;
SELECT l.rows, l.inserted, l.changed, l.deleted FROM findings.load_epss('2026-01-03', ARRAY[
    ROW('CVE-2024-0002', 0.3, 0.4), ROW('CVE-2024-0003', 0, 0.99), ROW('CVE-2025-12345678', 1, 1)]::findings.epss_row[]) AS l;
SELECT new_entries(), scores.* FROM scores;
SELECT l.changed FROM findings.load_epss('2026-01-03', (SELECT array_agg(ROW(cve_id, probability, 0.5)::findings.epss_row) FROM findings.epss_data)) AS l;
SELECT new_entries(), scores.* FROM scores;
TABLE loads;
-- Overwriting rows with what they say is no event; with something else it is.
UPDATE findings.epss_data SET probability = probability + 0, percentile = percentile;
SELECT new_entries();
INSERT INTO findings.epss_data SELECT cve_id, probability, percentile + CASE WHEN cve_id = 'CVE-2024-0002' THEN 0.1 ELSE 0 END FROM findings.epss_data
ON CONFLICT (cve_id) DO UPDATE SET probability = excluded.probability, percentile = excluded.percentile;
SELECT new_entries();

-- What is refused. Nothing of it is loaded.
SELECT command, attempt(format('SELECT findings.load_epss(%s)', command)) FROM unnest(ARRAY[
    $$'2026-01-02', '{"(CVE-2024-0002,0.3,0.4)"}'$$, $$'2126-01-01', '{"(CVE-2024-0002,0.3,0.4)"}'$$, $$'infinity', '{"(CVE-2024-0002,0.3,0.4)"}'$$,
    $$'2026-01-04', '{}'$$, $$'2026-01-04', NULL$$, $$NULL, '{"(CVE-2024-0002,0.3,0.4)"}'$$,
    $$'2026-01-04', '{"(CVE-2024-0002,0.3,0.4)","(CVE-2024-0009,1.00001,0.4)"}'$$, $$'2026-01-04', '{"(CVE-2024-0009,-0.1,0.4)"}'$$,
    $$'2026-01-04', '{"(CVE-2024-0009,0.1,1.5)"}'$$, $$'2026-01-04', '{"(CVE-2024-0009,NaN,0.4)"}'$$, $$'2026-01-04', '{"(CVE-2024-0009,0.1,Infinity)"}'$$,
    $$'2026-01-04', '{"(CVE-2024-0002,2,0.4)"}'$$, $$'2026-01-04', '{"(CVE-2024-0002,,0.4)"}'$$, $$'2026-01-04', '{"(CVE-2024-0009,0.1,)"}'$$,
    $$'2026-01-04', '{"(CVE-24-1,0.1,0.2)"}'$$, $$'2026-01-04', '{"(cve-2024-0009,0.1,0.2)"}'$$, $$'2026-01-04', '{"(GHSA-x,0.1,0.2)"}'$$,
    $$'2026-01-04', '{"(,0.1,0.2)"}'$$, $$'2026-01-04', '{"(CVE-2024-0002,0.3,0.4)",NULL}'$$,
    $$'2026-01-04', '{"(CVE-2024-0009,0.1,0.2)","(CVE-2024-0009,0.1,0.2)"}'$$, $$'2026-01-04', '{"(CVE-2024-0002,0.1,0.2)","(CVE-2024-0008,0,0)","(CVE-2024-0002,0.3,0.2)"}'$$,
    $$'2026-01-04', (SELECT array_agg(ROW(cve_id, probability, percentile)::findings.epss_row) FROM (TABLE findings.epss_data UNION ALL TABLE findings.epss_data) AS d)$$
]) AS command;
SELECT attempt($$INSERT INTO findings.epss_data VALUES ('CVE-1', 0, 0)$$), attempt($$UPDATE findings.epss_data SET percentile = 101$$), attempt($$UPDATE findings.epss_data SET probability = 1.1$$);
SELECT attempt($$UPDATE findings.epss_loads SET score_date = '2025-01-01'$$);
SELECT attempt($$DELETE FROM findings.epss_loads$$);
SELECT new_entries(), scores.*, (SELECT count(*) FROM loads) AS loads FROM scores;

BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT findings.load_epss('2026-01-04', '{"(CVE-2024-0002,0.3,0.4)"}');
ROLLBACK;

-- The file as it is published.
SELECT l.score_date, l.model_version, l.rows, l.inserted, l.changed, l.deleted FROM findings.load_epss_csv('2026-01-05',
E'#model_version:v2025.03.14,score_date:2026-01-05T00:00:00+0000
cve,epss,percentile
CVE-1999-0001,0.01025,0.75983
CVE-1999-0002,1.5e-3,0.9
') AS l;
SELECT l.score_date, l.model_version, l.changed FROM findings.load_epss_csv(NULL,
E'#model_version:v2026.01.01,score_date:2026-01-06T12:55:00Z\r\ncve,epss,percentile\r\nCVE-1999-0001,0.01025,0.75983\r\nCVE-1999-0002,0.0015,0.91') AS l;
SELECT l.score_date, l.model_version, l.changed FROM findings.load_epss_csv('2026-01-07', E'cve,epss,percentile\nCVE-1999-0001,0.01025,0.75983\nCVE-1999-0002,0.0015,0.91') AS l;
SELECT new_entries(), scores.* FROM scores;
SELECT csv, attempt(format('SELECT findings.load_epss_csv(%L, %L)', CASE WHEN csv LIKE '#%' THEN '2026-01-08'::date END, replace(csv, '/', E'\n'))) FROM unnest(ARRAY[
    '', '#score_date:2026-01-08T00:00:00+0000', 'cve,epss', '#score_date:2026-01-07T00:00:00+0000/cve,epss,percentile/CVE-1999-0001,0,0',
    'cve,epss,percentile/CVE-1999-0001,0,0', '#/cve,epss,percentile', '#/cve,epss,percentile/CVE-1999-0001,0,0//CVE-1999-0002,0,0',
    '#/cve,epss,percentile/CVE-1999-0001,0,0/CVE-1999-0002,0', '#/cve,epss,percentile/CVE-1999-0001,0,0,0', '#/cve,epss,percentile/CVE-1999-0001,a,0',
    '#/cve,epss,percentile/CVE-1999-0001,0,', '#/cve,epss,percentile/CVE-1999-0001,0,1.1', '#/cve,epss,percentile/CVE-1999-0001,0,1/CVE-1999-0001,0,1', NULL]) AS csv;
SELECT new_entries(), (SELECT count(*) FROM loads) AS loads;

SELECT layer, subject, ok, checked FROM verify_all() WHERE subject LIKE 'findings.%' ORDER BY subject;

-- An insider: a score, a verdict, a metric, a comment, a feedback and a whole scan, behind the triggers.
SELECT findings.start_scan('shop', 'v1') AS scan, findings.start_scan('shop', 'v2') AS other;
INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity) SELECT 1 + n % 2, 'semgrep', 'r' || n, 'f', 'Low' FROM generate_series(0, 3) AS n;
SELECT findings.record_ai_verdict(1, 'TP', 0.9, 'reachable', 'm-1'), findings.record_feedback(1, 'TP', 'seen it', 'ada'), findings.record_feedback(3, 'FP', NULL, 'bob');
SELECT bool_and(ok) AS clean FROM verify_all();
SET session_replication_role = replica;
UPDATE findings.findings SET ai_verdict = 'FP' WHERE id = 1;
SELECT 'always' AS trigger_fires_all_the_same, count(*) FROM audit_history('findings.findings', '1') WHERE changed ? 'ai_verdict' AND op = 'U';
ALTER TABLE findings.findings DISABLE TRIGGER auditspine_audit;
ALTER TABLE findings.feedbacks DISABLE TRIGGER auditspine_audit;
ALTER TABLE findings.epss_data DISABLE TRIGGER auditspine_audit;
ALTER TABLE findings.epss_loads DISABLE TRIGGER ALL;
UPDATE findings.findings SET ai_verdict = 'TP' WHERE id = 1;
UPDATE findings.findings SET remediation_patch = 'rm -rf /' WHERE id = 3;
UPDATE findings.feedbacks SET comments = 'not seen it' WHERE user_name = 'ada';
DELETE FROM findings.feedbacks WHERE user_name = 'bob';
UPDATE findings.epss_data SET probability = 0 WHERE cve_id = 'CVE-1999-0001';
DELETE FROM findings.epss_loads WHERE load_id = (SELECT max(load_id) FROM findings.epss_loads);
ALTER TABLE findings.findings ENABLE ALWAYS TRIGGER auditspine_audit;
ALTER TABLE findings.feedbacks ENABLE ALWAYS TRIGGER auditspine_audit;
ALTER TABLE findings.epss_data ENABLE ALWAYS TRIGGER auditspine_audit;
ALTER TABLE findings.epss_loads ENABLE TRIGGER ALL, ENABLE ALWAYS TRIGGER auditspine_audit, ENABLE ALWAYS TRIGGER auditspine_truncate,
    ENABLE ALWAYS TRIGGER auditspine_append_only, ENABLE ALWAYS TRIGGER auditspine_append_only_truncate;
ALTER TABLE findings.epss_loads ENABLE ALWAYS TRIGGER auditspine_audit;
RESET session_replication_role;
SELECT layer, subject, ok, findings FROM verify_all() WHERE NOT ok ORDER BY subject;
SELECT f.finding, f.key, f.recorded ->> 'ai_verdict' AS recorded, f.current ->> 'ai_verdict' AS current, f.current ->> 'remediation_patch' AS patch
FROM verify_table_findings('findings.findings') AS f ORDER BY key;
SELECT finding, key FROM verify_table_findings('findings.feedbacks') ORDER BY key;
SELECT finding, key, current ->> 'probability' AS now FROM verify_table_findings('findings.epss_data');
SELECT finding, recorded ->> 'score_date' AS of FROM verify_table_findings('findings.epss_loads');
-- Today's file puts the score right; its entry is that of a change, which it is.
SELECT l.changed FROM findings.load_epss_csv('2026-01-09', E'cve,epss,percentile\nCVE-1999-0001,0.01025,0.75983\nCVE-1999-0002,0.0015,0.91') AS l;
SELECT new_entries();
SELECT ok FROM verify_table('findings.epss_data');
