-- Blueprint findings: scans, their findings, verdicts by AI and people, EPSS scores.
SET TimeZone = 'UTC';
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    -- What is checked at commit.
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ': ' || sqlerrm;
END $$;
-- Entries of a kind that a command makes.
CREATE FUNCTION entries(command text, kinds text DEFAULT 'findings.%') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
BEGIN
    PERFORM audit_flush();
    before := (SELECT coalesce(max(seq), 0) FROM auditspine.audit_chain);
    EXECUTE command;
    PERFORM audit_flush();
    RETURN (SELECT string_agg(what, ', ' ORDER BY what) FROM (
        SELECT format('%s %s %s', event_kind, op, count(*)) AS what FROM auditspine.audit_chain
        WHERE seq > before AND event_kind LIKE kinds GROUP BY event_kind, op) AS n);
END $$;

-- Installed, again, elsewhere, and where something of it is already.
SELECT install_blueprint('findings');
SELECT install_blueprint('findings');
SELECT table_name, kind, pk, payload, exclude, append_only, skip_unchanged, enabled, problem FROM auditspine.audited_table ORDER BY kind COLLATE "C";
SELECT count(*) AS tables, count(obj_description(oid)) AS commented FROM pg_class WHERE relnamespace = 'findings'::regnamespace AND relkind = 'r';
SELECT name, tables FROM auditspine.blueprint WHERE name = 'findings';
SELECT install_blueprint('findings', 'user');
SELECT kind FROM auditspine.audited_table WHERE kind NOT LIKE 'findings.%' ORDER BY kind COLLATE "C";
CREATE SCHEMA partly;
CREATE TABLE partly.epss_data (cve_id text);
SELECT attempt($$SELECT install_blueprint('findings', 'partly')$$);
-- The one in the other schema works on its own tables.
SELECT "user".start_scan('other');
INSERT INTO "user".findings (scan_id, tool, rule_id, file, severity) VALUES (1, 'semgrep', 'r', 'f', 'Low');
SELECT "user".record_ai_verdict(1, 'FP', 1, 'why', 'm-1'), "user".record_feedback(1, 'TP', user_name => 'ada');
SELECT what, old, new, by FROM "user".verdict_history(1);
SELECT (l).rows, (l).inserted FROM (SELECT "user".load_epss('2026-01-01', '{"(CVE-2024-0001,0.5,0.5)"}') AS l) AS l;
SELECT (SELECT count(*) FROM findings.scans), (SELECT count(*) FROM findings.epss_data), (SELECT count(*) FROM "user".epss_data);

-- Scans and their metrics: none, one or more rows, written when they are known.
SELECT findings.start_scan('shop', 'v1') AS scan;
INSERT INTO findings.findings (scan_id, tool, rule_id, file, line, severity, cve_id) VALUES
    (1, 'semgrep', 'sql-injection', 'src/db.py', 42, 'Critical', NULL),
    (1, 'trivy', 'CVE-2024-0001', 'poetry.lock', NULL, 'High', 'CVE-2024-0001'),
    (1, 'semgrep', 'weak-hash', 'src/auth.py', 7, 'Medium', NULL);
SELECT findings.finish_scan(1, 61.5, 230000000, 4, 18500, 0.42) AS findings;
SELECT status, finished_at IS NOT NULL AS finished, reference_id ~ '^[0-9a-f-]{36}$' AS has_reference, m.* FROM findings.scans JOIN findings.pipeline_metrics m ON m.scan_id = scans.id;
-- The pipeline wrote some before: it stays, and the last row is the one that is completed.
SELECT findings.start_scan('build', 'v1', 'github', 'https://github.example/o/build', 'main', '8f14e45f-ceea-467f-a83b-5f8d6e3c1a2b') AS scan \gset
INSERT INTO findings.pipeline_metrics (scan_id, build_duration_seconds, num_changed_files) VALUES (:scan, 1, 1), (:scan, 2, 7);
SELECT findings.finish_scan(:scan, build_duration_seconds => 3, status => 'failed');
SELECT status, source_platform, repo_url, branch, reference_id, build_duration_seconds, num_changed_files, findings_total
FROM findings.scans JOIN findings.pipeline_metrics m ON m.scan_id = scans.id WHERE scans.id = :scan ORDER BY m.id;
DELETE FROM findings.scans WHERE id = :scan;
SELECT command, attempt(command) FROM unnest(ARRAY[
    $$INSERT INTO findings.pipeline_metrics (scan_id) VALUES (99)$$,
    $$SELECT findings.finish_scan(1, 1)$$, $$SELECT findings.finish_scan(NULL, 1)$$, $$SELECT findings.start_scan(NULL)$$, $$SELECT findings.start_scan('')$$,
    $$SELECT findings.finish_scan(findings.start_scan('s'), status => 'pending')$$, $$SELECT findings.finish_scan(findings.start_scan('s'), status => NULL)$$,
    $$UPDATE findings.scans SET status = 'done'$$, $$UPDATE findings.scans SET status = 'Completed'$$,
    $$UPDATE findings.pipeline_metrics SET build_duration_seconds = -1$$, $$UPDATE findings.pipeline_metrics SET build_duration_seconds = 'NaN'$$,
    $$UPDATE findings.pipeline_metrics SET artifact_size_bytes = -1$$, $$UPDATE findings.pipeline_metrics SET num_changed_files = -1$$,
    $$UPDATE findings.pipeline_metrics SET ai_cost_usd = 'NaN'$$,
    $$INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity) VALUES (99, 't', 'r', 'f', 'Low')$$,
    $$INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity) VALUES (1, 't', 'r', 'f', 'Urgent')$$,
    $$INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity) VALUES (1, 't', 'r', 'f', 'low')$$,
    $$INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity, line) VALUES (1, 't', 'r', 'f', 'Low', -1)$$,
    $$INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity, cve_id) VALUES (1, 't', 'r', 'f', 'Low', 'CVE-1')$$,
    $$UPDATE findings.findings SET triage_decision = 'maybe'$$, $$UPDATE findings.findings SET triage_decision = 'tp'$$,
    $$UPDATE findings.findings SET ai_confidence = 1.01$$,
    $$UPDATE findings.findings SET ai_confidence = -0.01$$, $$UPDATE findings.findings SET ai_confidence = 'NaN'$$,
    $$INSERT INTO findings.feedbacks (finding_id, user_verdict) VALUES (99, 'TP')$$,
    $$INSERT INTO findings.feedbacks (finding_id, user_verdict) VALUES (1, 'no')$$,
    $$SELECT findings.record_ai_verdict(99, 'TP', 1, 'why', 'm-1')$$, $$SELECT findings.record_ai_verdict(1, 'TP', 1, 'why', NULL)$$,
    $$SELECT findings.record_ai_verdict(1, 'TP', 2, 'why', 'm-1')$$,
    $$SELECT findings.triage(NULL, 'TP')$$, $$SELECT findings.triage(1, 'tp')$$, $$SELECT findings.record_feedback(99, 'TP')$$,
    $$SELECT findings.record_feedback(1, NULL)$$
]) AS command;

-- Verdicts, each by who gave it; what else the transaction does is the session's own.
SET auditspine.actor = 'pipeline';
SET auditspine.context = '{"request": "r-1"}';
BEGIN;
SELECT findings.record_ai_verdict(1, 'TP', 0.93, 'input reaches the query', 'm-1', '--- a/src/db.py');
UPDATE findings.findings SET red_team_success = true WHERE id = 1;
SELECT current_setting('auditspine.actor') AS actor, current_setting('auditspine.context') AS context;
SELECT findings.triage(1, 'TP', 'ada');
SELECT findings.record_feedback(1, 'FP', 'it is quoted', 'bob') AS feedback;
COMMIT;
-- An error, caught or not, leaves the session's own as well.
SELECT attempt($$SELECT findings.record_ai_verdict(1, 'TP', 7, 'why', 'm-1')$$);
SELECT current_setting('auditspine.actor') AS actor, current_setting('auditspine.context') AS context;
RESET auditspine.actor;
RESET auditspine.context;
SELECT findings.record_ai_verdict(1, 'FP', 0.6, 'the driver quotes it', 'm-2');
SELECT findings.record_ai_verdict(1, 'FP', 0.7, 'surer of it', 'm-2');
SELECT findings.triage(1, NULL);
SELECT findings.record_feedback(1, 'TP', 'it is not', 'ada') AS feedback;
SELECT findings.triage(1, 'FP', 'carl');
UPDATE findings.findings SET triage_decision = 'TP' WHERE id = 1;
UPDATE findings.feedbacks SET user_verdict = 'TP' WHERE user_name = 'bob';
UPDATE findings.feedbacks SET comments = 'never mind' WHERE user_name = 'bob';
SELECT what, old, new, by, model, CASE actor WHEN session_user THEN 'me' ELSE actor END AS actor, db_user = session_user AS by_me
FROM findings.verdict_history(1);
-- The same, from the entries themselves.
SELECT op, CASE actor WHEN session_user THEN 'me' ELSE actor END AS actor, context, payload ->> 'ai_verdict' AS ai, payload ->> 'triage_decision' AS triage,
       payload ->> 'remediation_patch' AS patch, changed ? 'red_team_success' AS red_team
FROM audit_history('findings.findings', '1');
SELECT op, event_pk, payload FROM auditspine.audit_chain WHERE event_kind = 'findings.feedbacks' ORDER BY seq;
-- One that is not there, and one that nobody has judged.
SELECT count(*) FROM findings.verdict_history(2);
SELECT count(*) FROM findings.verdict_history(99);
-- A finding that came with its verdict; one whose payload was erased.
INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity, ai_verdict, ai_confidence) VALUES (1, 'codeql', 'xss', 'a.js', 'Low', 'TP', 0.5);
SELECT findings.record_ai_verdict(max(id), 'FP', 0.5, NULL, 'm-2') FROM findings.findings;
SELECT findings.record_ai_verdict(max(id), 'TP', 0.5, NULL, 'm-3') FROM findings.findings;
ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
UPDATE auditspine.audit_chain SET payload = NULL WHERE event_kind = 'findings.findings' AND payload ->> 'tool' = 'codeql' AND payload ->> 'ai_verdict' = 'FP';
ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only;
SELECT what, old, new, by FROM findings.verdict_history((SELECT max(id) FROM findings.findings));
DELETE FROM findings.findings WHERE tool = 'codeql';

-- Deleting a scan takes along all that belongs to it; each row has its entry, and can be told from it.
SELECT findings.start_scan('shop', 'v2') AS scan \gset
INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity) SELECT :scan, 'semgrep', 'r' || n, 'f', 'Low' FROM generate_series(1, 5) n;
SELECT count(findings.record_feedback(id, 'FP', 'noise', 'u' || n)) AS feedbacks FROM findings.findings, generate_series(1, 2) n WHERE scan_id = :scan;
SELECT findings.finish_scan(:scan, 1);
SELECT max(id) AS finding FROM findings.findings \gset
SELECT entries(format('DELETE FROM findings.scans WHERE id = %s', :scan));
SELECT what, old, new, by FROM findings.verdict_history(:finding);
SELECT op, payload ->> 'rule_id' AS rule FROM audit_history('findings.findings', :'finding');
SELECT op, payload ->> 'commit_sha' AS commit FROM audit_history('findings.scans', :'scan');
SELECT (SELECT count(*) FROM findings.findings WHERE scan_id = :scan), (SELECT count(*) FROM findings.pipeline_metrics WHERE scan_id = :scan);
SELECT layer, subject, ok, checked FROM verify_all() WHERE subject LIKE 'findings.%' ORDER BY subject;

-- Agreement, by hand: of 10 findings 4 TP/TP, 1 TP/FP, 2 FP/TP, 3 FP/FP: 0.7 observed, (5*6 + 5*4)/100 = 0.5 by chance.
SELECT findings.start_scan('agreement') AS scan \gset
INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity, ai_verdict, ai_confidence)
SELECT :scan, 'hand', left(pair, 2) || n, 'f', 'High', split_part(pair, '/', 1), 0.5
FROM unnest(ARRAY['TP/TP', 'TP/FP', 'FP/TP', 'FP/FP'], ARRAY[4, 1, 2, 3]) AS p (pair, many), generate_series(1, many) AS n;
INSERT INTO findings.feedbacks (finding_id, user_name, user_verdict)
SELECT id, 'ada', (ARRAY['TP', 'TP', 'TP', 'TP', 'FP', 'TP', 'TP', 'FP', 'FP', 'FP'])[row_number() OVER (ORDER BY id)]
FROM findings.findings WHERE tool = 'hand';
-- Both always say the same one thing; people divided; no verdict of the AI; a person's last word counts, and once; the
-- AI says neither; people without a name count one by one; a comment alone takes no verdict back.
INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity, ai_verdict, ai_confidence)
SELECT :scan, tool, rule, 'f', 'Low', ai, 0.5
FROM (VALUES ('same', '1', 'FP'), ('same', '2', 'FP'), ('tied', '1', 'TP'), ('none', '1', NULL), ('last', '1', 'TP'), ('last', '2', 'FP'), ('own words', '1', 'likely TP'),
             ('nameless', '1', 'TP'), ('nameless', '2', 'FP'), ('comment', '1', 'FP')) AS v (tool, rule, ai)
WHERE ai IS NOT NULL;
INSERT INTO findings.feedbacks (finding_id, user_name, user_verdict)
SELECT id, u, v FROM findings.findings JOIN (VALUES
    ('same', '1', 'ada', 'FP'), ('same', '2', 'bob', 'FP'), ('tied', '1', 'ada', 'TP'), ('tied', '1', 'bob', 'FP'),
    ('last', '1', 'ada', 'FP'), ('last', '1', 'ada', 'TP'), ('last', '2', 'ada', 'FP'), ('last', '2', 'bob', 'FP'), ('last', '2', 'carl', 'TP'),
    ('last', '2', 'carl', 'TP'), ('last', '2', 'carl', 'TP'), ('own words', '1', 'ada', 'TP'),
    ('nameless', '1', NULL, 'TP'), ('nameless', '1', NULL, 'TP'), ('nameless', '1', NULL, 'FP'), ('nameless', '2', NULL, 'FP'), ('nameless', '2', NULL, 'TP'),
    ('comment', '1', 'ada', 'FP'), ('comment', '1', 'ada', NULL)) AS f (tool, rule_id, u, v) USING (tool, rule_id);
SELECT * FROM findings.verdict_agreement WHERE tool NOT IN ('semgrep', 'trivy') ORDER BY tool;
-- Against a plain query, over made-up verdicts.
INSERT INTO findings.findings (scan_id, tool, rule_id, file, severity, ai_verdict, ai_confidence)
SELECT :scan, 'made-' || n % 3, n::text, 'f', (ARRAY['Critical', 'High', 'Medium', 'Low'])[1 + n % 4],
       CASE WHEN n % 7 = 0 THEN NULL WHEN (n * n) % 11 < 5 THEN 'TP' ELSE 'FP' END, CASE WHEN n % 7 = 0 THEN NULL ELSE 0.5 END
FROM generate_series(1, 600) AS n;
INSERT INTO findings.feedbacks (finding_id, user_name, user_verdict)
SELECT id, 'u' || u, CASE WHEN (id * u * u + id / 3) % 13 < 6 THEN 'TP' ELSE 'FP' END
FROM findings.findings, generate_series(1, 3) AS u WHERE tool LIKE 'made-%' AND (id + u) % 4 > 0;
CREATE VIEW plain_agreement AS
WITH votes AS (
    SELECT f.id, f.tool, f.severity, f.ai_verdict, sum(CASE b.user_verdict WHEN 'TP' THEN 1 ELSE -1 END) AS balance
    FROM findings.findings f JOIN findings.feedbacks b ON b.finding_id = f.id
    WHERE f.tool LIKE 'made-%' AND f.ai_verdict IS NOT NULL GROUP BY f.id
), pairs AS (
    SELECT tool, severity, ai_verdict AS ai, CASE WHEN balance > 0 THEN 'TP' ELSE 'FP' END AS person FROM votes WHERE balance <> 0
), marginals AS (
    SELECT tool, severity, avg((ai = person)::int) AS po, avg((ai = 'TP')::int) AS ai_tp, avg((person = 'TP')::int) AS person_tp, count(*) AS n
    FROM pairs GROUP BY tool, severity
)
SELECT tool, severity, n, po, (po - (ai_tp * person_tp + (1 - ai_tp) * (1 - person_tp))) / (1 - (ai_tp * person_tp + (1 - ai_tp) * (1 - person_tp))) AS kappa
FROM marginals;
SELECT count(*) AS groups, sum(findings) AS findings, sum(tied) AS tied, bool_and(v.findings = p.n) AS counts, bool_and(v.agreement = round(p.po, 4)) AS agreement,
       bool_and(abs(v.kappa - p.kappa) < 0.0001) AS kappa,
       bool_and(ai_tp_user_tp + ai_tp_user_fp + ai_fp_user_tp + ai_fp_user_fp = v.findings) AS adds_up
FROM findings.verdict_agreement v JOIN plain_agreement p USING (tool, severity);
SELECT count(*) AS groups_missed FROM findings.verdict_agreement v FULL JOIN plain_agreement p USING (tool, severity)
WHERE tool LIKE 'made-%' AND (v.findings IS NULL OR p.n IS NULL);

-- Runs that deviate, by hand. Durations 100, 110, 90, 105, 95: median 100, MAD 5; 200 scores 0.6745 * 100 / 5 = 13.49.
-- Findings 3, 3, 3, 3, 8: MAD 0, mean deviation 1; 5 scores 2 / 1.253314. Cost always 1, then 2: infinite.
CREATE FUNCTION made_run(p text, started timestamptz, d float8, f bigint, tokens bigint, cost numeric, s text DEFAULT 'completed') RETURNS bigint LANGUAGE sql AS $$
    WITH scan AS (INSERT INTO findings.scans (project_name, status, "timestamp") VALUES (p, s, started AT TIME ZONE 'UTC') RETURNING id)
    INSERT INTO findings.pipeline_metrics (scan_id, build_duration_seconds, findings_total, ai_tokens, ai_cost_usd) SELECT id, d, f, tokens, cost FROM scan RETURNING scan_id
$$;
SELECT count(made_run('hand', timestamptz '2026-01-01Z' + n * interval '1 day', d, f, NULL, c, s))
FROM unnest(ARRAY[100, 110, 90, 105, 95, 200, 5000, 101], ARRAY[3, 3, 3, 3, 8, 5, 3, 3], ARRAY[1, 1, 1, 1, 1, 2, 1, 1],
            ARRAY['completed', 'completed', 'completed', 'completed', 'completed', 'completed', 'failed', 'completed'])
     WITH ORDINALITY AS r (d, f, c, s, n);
-- Another project, and a run that is later: neither counts.
SELECT count(made_run('other', timestamptz '2025-01-01Z' + n * interval '1 day', 7, 7, 7, 7)) FROM generate_series(1, 9) AS n;
SELECT row_number() OVER w AS run, metric, value, previous, median, mad, round(score::numeric, 4) AS score FROM (
    SELECT * FROM findings.run_scores('hand') WHERE score <> 'Infinity') AS r WINDOW w AS (PARTITION BY metric ORDER BY "timestamp") ORDER BY metric, run;
SELECT project_name, metric, value, previous, score = 'Infinity' AS infinite, round(nullif(score, 'Infinity')::numeric, 4) AS score FROM findings.deviating_runs ORDER BY metric;
SELECT count(*) AS fewer, count(score) AS scored FROM findings.run_scores('hand', min_runs => 3) WHERE metric = 'build_duration_seconds';
SELECT previous, median, mad FROM findings.run_scores('hand', previous_runs => 5) WHERE metric = 'build_duration_seconds' ORDER BY "timestamp" DESC LIMIT 1;
-- Against a plain loop, over made-up runs of three projects.
SELECT count(made_run('p' || n % 3, timestamptz '2026-02-01Z' + (n * 7919 % 1000) * interval '1 h', n * 31 % 97, n * 17 % 5, CASE WHEN n % 4 > 0 THEN n * n % 50 END, n % 2,
                      CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'completed' END)) FROM generate_series(1, 120) AS n;
CREATE FUNCTION middle(v float8[]) RETURNS float8 LANGUAGE sql AS $$
    SELECT (s[(n + 1) / 2] + s[n / 2 + 1]) / 2 FROM (SELECT array_agg(x ORDER BY x) AS s, count(*)::int AS n FROM unnest(v) AS x) AS a
$$;
CREATE FUNCTION plain_scores() RETURNS TABLE (scan_id integer, metric text, previous bigint, score float8) LANGUAGE plpgsql AS $$
DECLARE
    r record;
    before float8[];
    m float8;
    mad float8;
    mean float8;
BEGIN
    FOR r IN SELECT s.*, key, val::float8 AS x FROM findings.scans s JOIN findings.pipeline_metrics p ON p.scan_id = s.id, jsonb_each_text(to_jsonb(p) - '{id,scan_id}'::text[]) AS e (key, val)
             WHERE s.project_name IN ('p0', 'p1', 'p2') AND s.status = 'completed' AND val IS NOT NULL LOOP
        before := ARRAY(SELECT (to_jsonb(p) ->> r.key)::float8 FROM findings.scans s JOIN findings.pipeline_metrics p ON p.scan_id = s.id
                        WHERE s.project_name = r.project_name AND s.status = 'completed' AND to_jsonb(p) ->> r.key IS NOT NULL
                          AND (s."timestamp" < r."timestamp" OR s."timestamp" = r."timestamp" AND s.id < r.id));
        scan_id := r.id; metric := r.key; previous := cardinality(before); score := NULL;
        IF previous >= 5 THEN
            m := middle(before);
            mad := middle(ARRAY(SELECT abs(v - m) FROM unnest(before) AS v));
            mean := (SELECT avg(abs(v - m)) FROM unnest(before) AS v);
            score := CASE WHEN mad <> 0 THEN 0.6745 * (r.x - m) / mad WHEN mean <> 0 THEN (r.x - m) / (1.253314 * mean)
                          WHEN r.x > m THEN 'Infinity' WHEN r.x < m THEN '-Infinity' ELSE 0 END;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT count(*) AS runs, count(p.score) AS scored, count(*) FILTER (WHERE v.mad = 0) AS mad_zero, bool_and(v.score IS NOT DISTINCT FROM p.score OR abs(v.score - p.score) < 1e-9) AS same,
       bool_and(v.previous = p.previous) AS same_previous
FROM (SELECT * FROM findings.run_scores() WHERE project_name IN ('p0', 'p1', 'p2')) AS v FULL JOIN plain_scores() AS p USING (scan_id, metric);
