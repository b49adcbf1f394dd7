-- Blueprint findings: files as scanners and FIRST write them.
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

-- Rules with levels, and a result that is suppressed; rules in a pack, with scores, and a file that is named once; CVEs.
\set semgrep `cat "${PG_ABS_SRCDIR:-tests}/../demo/findings/semgrep.sarif"`
\set codeql `cat "${PG_ABS_SRCDIR:-tests}/../demo/findings/codeql.sarif"`
\set trivy `cat "${PG_ABS_SRCDIR:-tests}/../demo/findings/trivy.sarif"`
\set epss `cat "${PG_ABS_SRCDIR:-tests}/../demo/findings/epss_scores-2026-01-03.csv"`
SELECT findings.start_scan('shop') AS scan \gset
SELECT * FROM findings.load_sarif(:scan, :'semgrep');
SELECT * FROM findings.load_sarif(:scan, :'codeql');
SELECT * FROM findings.load_sarif(:scan, :'trivy');
SELECT l.score_date, l.model_version, l.rows FROM findings.load_epss_csv(NULL, :'epss') AS l;
SELECT f.id, tool, regexp_replace(rule_id, '^.*\.', '') AS rule, file, line, severity, cve_id, probability
FROM findings.findings AS f LEFT JOIN findings.epss_data USING (cve_id) ORDER BY f.id;
SELECT op, count(*) FROM auditspine.audit_chain WHERE event_kind = 'findings.findings' GROUP BY op;
SELECT findings.finish_scan(:scan, 61.5);

-- All that a result may leave out, and where what it leaves out is found. One row a case.
CREATE TABLE made (number integer GENERATED ALWAYS AS IDENTITY, name text, result jsonb);
INSERT INTO made (name, result) VALUES
    ('nothing', '{}'),
    ('rule by index', '{"ruleIndex": 1}'),
    ('rule by reference', '{"rule": {"id": "R2"}}'),
    ('rule by index of a pack', '{"ruleId": "P1", "rule": {"index": 0, "toolComponent": {"index": 0}}}'),
    ('rule of a pack by name', '{"ruleId": "P1"}'),
    ('part of a rule', '{"ruleId": "R1/part"}'),
    ('rule that nobody describes', '{"ruleId": "R9"}'),
    ('index out of range', '{"ruleId": "R2", "ruleIndex": 77}'),
    ('index -1', '{"ruleId": "R2", "ruleIndex": -1}'),
    ('own level', '{"ruleId": "R1", "level": "note"}'),
    ('own level none', '{"ruleId": "R1", "level": "none"}'),
    ('own score', '{"ruleId": "R1", "properties": {"security-severity": "9.8"}}'),
    ('score as a number', '{"ruleId": "R1", "properties": {"security-severity": 4}}'),
    ('score 0', '{"ruleId": "R1", "properties": {"security-severity": "0.0"}}'),
    ('score that is none', '{"ruleId": "R1", "properties": {"security-severity": "high"}}'),
    ('to be reviewed', '{"ruleId": "R1", "kind": "review"}'),
    ('passed', '{"ruleId": "R1", "kind": "pass"}'),
    ('not applicable', '{"ruleId": "R1", "kind": "notApplicable"}'),
    ('informational', '{"ruleId": "R1", "kind": "informational"}'),
    ('gone since', '{"ruleId": "R1", "baselineState": "absent"}'),
    ('there before', '{"ruleId": "R1", "baselineState": "unchanged"}'),
    ('suppressed', '{"ruleId": "R1", "suppressions": [{"kind": "external", "status": "accepted"}]}'),
    ('suppression under review', '{"ruleId": "R1", "suppressions": [{"kind": "external", "status": "underReview"}]}'),
    ('no suppression', '{"ruleId": "R1", "suppressions": []}'),
    ('URI', '{"ruleId": "R1", "locations": [{"physicalLocation": {"artifactLocation": {"uri": "file:///home/build/a%20b/%C3%A9.c"}, "region": {"startLine": 3}}}, {"physicalLocation": {"artifactLocation": {"uri": "second"}}}]}'),
    ('URI that is no UTF-8', '{"ruleId": "R1", "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a%ff%zz%"}}}]}'),
    ('file by index', '{"ruleId": "R1", "locations": [{"physicalLocation": {"artifactLocation": {"index": 0}, "region": {"startLine": 1.0}}}]}'),
    ('no file', '{"ruleId": "R1", "locations": [{"logicalLocations": [{"name": "f"}]}]}'),
    ('CVE within', '{"ruleId": "CVE-2024-3094-xz-utils"}');
CREATE FUNCTION file(results jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('version', '2.1.0', 'runs', jsonb_build_array(jsonb_build_object(
        'tool', '{"driver": {"name": "made", "rules": [{"id": "R1", "defaultConfiguration": {"level": "error"}}, {"id": "R2", "defaultConfiguration": {"level": "note"}, "properties": {"security-severity": "8.1"}}]},
                  "extensions": [{"name": "pack", "rules": [{"id": "P1", "properties": {"security-severity": "5.5"}}]}]}'::jsonb,
        'artifacts', '[{"location": {"uri": "src/one.c"}}]'::jsonb, 'results', results)))
$$;
SELECT findings.start_scan('made') AS scan \gset
-- Each by itself, and all at once.
DO $$
DECLARE
    scan integer := (SELECT max(id) FROM findings.scans);
    made record;
    sum bigint := 0;
    n bigint;
BEGIN
    FOR made IN TABLE made ORDER BY number LOOP
        SELECT findings INTO n FROM findings.load_sarif(scan, file(jsonb_build_array(made.result)));
        UPDATE findings.findings SET ai_reasoning = made.name WHERE scan_id = scan AND ai_reasoning IS NULL;
        sum := sum + n;
    END LOOP;
    RAISE NOTICE '% loaded', sum;
END $$;
SELECT m.name, f.id IS NULL AS skipped, f.tool, f.rule_id, f.severity, f.file, f.line, f.cve_id
FROM made AS m LEFT JOIN findings.findings AS f ON f.ai_reasoning = m.name AND f.scan_id = :scan ORDER BY m.number;
SELECT * FROM findings.load_sarif(:scan, file((SELECT jsonb_agg(result ORDER BY number) FROM made)));
-- Runs without results, and several of them.
SELECT * FROM findings.load_sarif(:scan, '{"version": "2.1.0", "runs": []}');
SELECT * FROM findings.load_sarif(:scan, '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "first"}}, "results": null}, {"tool": {"driver": {"name": "second"}}},
    {"tool": {"driver": {"name": "third"}}, "results": [{"message": {"text": "m"}}, 7]}]}');

-- What is refused. Nothing of it is loaded.
SELECT count(*) AS before FROM findings.findings \gset
SELECT command, attempt(format('SELECT findings.load_sarif(%s)', command)) FROM unnest(ARRAY[
    $$NULL, '{"version": "2.1.0", "runs": []}'$$, $$9999, '{"version": "2.1.0", "runs": []}'$$, $$1, NULL$$, $$1, '{}'$$, $$1, '[]'$$, $$1, '"2.1.0"'$$,
    $$1, '{"version": "2.0.0", "runs": []}'$$, $$1, '{"version": "2.1.0"}'$$, $$1, '{"version": "2.1.0", "runs": {}}'$$,
    $$1, file('[{}, {"locations": [{"physicalLocation": {"region": {"startLine": -4}}}]}]')$$,
    $$1, file('[{}, {"locations": [{"physicalLocation": {"region": {"startLine": "x"}}}]}]')$$,
    $$1, file('[{}, {"locations": [{"physicalLocation": {"region": {"startLine": 5000000000}}}]}]')$$
]) AS command;
SELECT count(*) - :before AS loaded FROM findings.findings;

-- A file of 2,000 rules and 5,000 results.
SELECT findings, skipped FROM findings.load_sarif(:scan, (
    SELECT jsonb_build_object('version', '2.1.0', 'runs', jsonb_build_array(jsonb_build_object(
        'tool', jsonb_build_object('driver', jsonb_build_object('name', 'large', 'rules',
            (SELECT jsonb_agg(jsonb_build_object('id', 'L' || n, 'help', repeat('h', 500), 'properties', jsonb_build_object('security-severity', (n % 100 / 10.0)::text)) ORDER BY n)
             FROM generate_series(0, 1999) AS n))),
        'results', (SELECT jsonb_agg(jsonb_build_object('ruleId', 'L' || n % 2000) ORDER BY n) FROM generate_series(0, 4999) AS n))))));
SELECT severity, count(*), count(*) FILTER (WHERE severity IS DISTINCT FROM CASE WHEN s >= 90 THEN 'Critical' WHEN s >= 70 THEN 'High' WHEN s >= 40 THEN 'Medium' WHEN s > 0 THEN 'Low' ELSE 'Medium' END) AS wrong
FROM findings.findings CROSS JOIN LATERAL (SELECT substr(rule_id, 2)::integer % 100) AS r (s) WHERE tool = 'large' GROUP BY severity ORDER BY severity;
SELECT layer, subject, ok FROM verify_all() WHERE NOT ok OR subject = 'findings.findings';
