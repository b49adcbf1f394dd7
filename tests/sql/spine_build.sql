-- create_spine(): a whole spine in one call.
\set SHOW_CONTEXT never
SELECT create_proof_spine_schema();
CREATE FUNCTION digest(t text) RETURNS text LANGUAGE sql IMMUTABLE RETURN encode(sha256(convert_to(t, 'UTF8')), 'hex');
-- Envelopes are read, but no signature is checked when a spine is built.
CREATE FUNCTION segment(n integer, result text, extra jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
        'segment_type', (ARRAY['SbomSlice', 'Match', 'Reachability', 'GuardAnalysis', 'RuntimeObservation', 'PolicyEval'])[1 + n % 6],
        'input_hash', 'sha256:' || digest('in ' || n), 'result_hash', digest(result), 'tool_id', 'tool', 'tool_version', '1.' || n,
        'envelope_json', jsonb_build_object('payloadType', 'application/vnd.in-toto+json', 'payload', encode(convert_to(result, 'UTF8'), 'base64'),
                                       'signatures', '[{"keyid": "k", "sig": "AAAA"}]'::jsonb)) || extra $$;
CREATE FUNCTION segments(name text, count integer DEFAULT 6) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(segment(n, name || n) ORDER BY n) FROM generate_series(0, count - 1) n $$;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text; state text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, state = RETURNED_SQLSTATE;
    RETURN state || ' ' || message || CASE WHEN hint <> '' THEN E'\n  ' || hint ELSE '' END;
END $$;
CREATE VIEW short AS
    SELECT artifact_id, verdict, verdict_reason, scan_run_id, segment_count,
           (SELECT verdict FROM scanner.proof_spines o WHERE o.spine_id = s.superseded_by_spine_id) AS superseded_by
    FROM scanner.proof_spines s ORDER BY artifact_id COLLATE "C", superseded_by_spine_id IS NULL, scan_run_id, verdict;

-- What is derived is what the formulas say.
SELECT create_spine('pkg:deb/é"x', 'CVE-1', 'strict', 'not_affected', 'run 1', segments('one'), 'guarded') AS spine \gset
SELECT :'spine' = spine_id(artifact_id, vuln_id, policy_profile_id, root_hash) AS id,
       root_hash = (SELECT spine_root_hash(result_hash ORDER BY idx) FROM scanner.proof_segments) AS root,
       spine_id = :'spine' AS answered, segment_count, verdict, verdict_reason, scan_run_id, superseded_by_spine_id
FROM scanner.proof_spines;
SELECT idx, segment_type, segment_id = segment_id(spine_id, idx, segment_type, input_hash, result_hash) AS id, input_hash = 'sha256:' || digest('in ' || idx) AS input,
       result_hash = digest('one' || idx) AS result, prev_segment_hash IS NOT DISTINCT FROM digest('one' || nullif(idx, 0) - 1) AS prev,
       envelope_json::jsonb = segment(idx, 'one' || idx) -> 'envelope_json' AS envelope, tool_id, tool_version, status
FROM scanner.proof_segments ORDER BY idx;

-- The same evidence again: the same spine, and no second row, whichever scan it is of.
SELECT create_spine('pkg:deb/é"x', 'CVE-1', 'strict', 'not_affected', 'run 2', segments('one'), 'guarded') = :'spine' AS same;
SELECT * FROM short;
SELECT count(*) FROM scanner.proof_segments;

-- Other evidence takes its place; what was superseded does not come back.
SELECT create_spine('pkg:deb/é"x', 'CVE-1', 'strict', 'affected', 'run 3', segments('two', 2)) AS second \gset
SELECT create_spine('pkg:deb/é"x', 'CVE-1', 'strict', 'not_affected', 'run 4', segments('one'), 'guarded') = :'spine' AS same;
SELECT create_spine('pkg:deb/é"x', 'CVE-1', 'strict', 'fixed', 'run 5', segments('three', 1)) <> :'second' AS third;
SELECT * FROM short;
-- Other artifacts, vulnerabilities and policies are other decisions.
SELECT count(DISTINCT create_spine(a, v, p, 'affected', 'run 1', segments('one', 1))) FROM (VALUES ('a', 'b', 'c'), ('ab', 'b', 'c'), ('a', 'bc', 'c'), ('a', 'b', 'cc')) d (a, v, p);
SELECT action, count(*) FROM scanner.proof_spine_history GROUP BY action ORDER BY action;

-- The same results with another verdict, reason, input or type are a contradiction.
\pset format unaligned
\pset tuples_only on
SELECT attempt($$ SELECT create_spine('a', 'b', 'c', 'fixed', 'run 1', segments('one', 1)) $$);
SELECT attempt($$ SELECT create_spine('a', 'b', 'c', 'affected', 'run 1', segments('one', 1), 'a reason') $$);
SELECT attempt($$ SELECT create_spine('a', 'b', 'c', 'affected', 'run 1', jsonb_set(segments('one', 1), '{0,input_hash}', to_jsonb(digest('other')))) $$);
SELECT attempt($$ SELECT create_spine('pkg:deb/é"x', 'CVE-1', 'strict', 'affected', 'run 1', segments('one'), 'guarded') $$);
-- Another signature of the same payload is not.
SELECT attempt($$ SELECT create_spine('a', 'b', 'c', 'affected', 'run 1', jsonb_set(segments('one', 1), '{0,envelope_json,signatures,0,sig}', '"BBBB"')) $$);

-- Constraints that are set to be immediate see a whole spine as well; an aborted one leaves nothing.
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT create_spine('immediate', 'b', 'c', 'affected', 'run 1', segments('one')) IS NOT NULL;
SELECT create_spine('immediate', 'b', 'c', 'fixed', 'run 1', segments('two')) IS NOT NULL;
SAVEPOINT s;
SELECT create_spine('immediate', 'b', 'c', 'affected', 'run 1', segments('three')) IS NOT NULL;
ROLLBACK TO s;
SELECT * FROM short WHERE artifact_id = 'immediate';
COMMIT;
-- Many in one statement, twice of one decision.
SELECT count(create_spine('many ' || n % 50, 'b', 'c', 'affected', 'run 1', segments('s' || n, 3))) FROM generate_series(1, 100) n;
SELECT count(*), count(superseded_by_spine_id), min(segment_count), max(segment_count) FROM scanner.proof_spines WHERE artifact_id LIKE 'many %';
-- 1,000 segments.
SELECT create_spine('long', 'b', 'c', 'affected', 'run 1', segments('long', 1000)) IS NOT NULL;
SELECT segment_count FROM scanner.proof_spines WHERE artifact_id = 'long';
SELECT layer, subject, ok, findings FROM verify_all();

-- Each argument that cannot be, by its place.
SELECT attempt('SELECT create_spine(' || arguments || ')') FROM (VALUES
    ('NULL, ''v'', ''p'', ''affected'', ''r'', segments(''x'')'),
    ('''a'', '''', ''p'', ''affected'', ''r'', segments(''x'')'),
    ('''a'', ''v'', NULL, ''affected'', ''r'', segments(''x'')'),
    ('''a'', ''v'', ''p'', ''Affected'', ''r'', segments(''x'')'),
    ('''a'', ''v'', ''p'', NULL, ''r'', segments(''x'')'),
    ('''a'', ''v'', ''p'', ''affected'', '''', segments(''x'')'),
    ('''a'', ''v'', ''p'', ''affected'', ''r'', NULL'),
    ('''a'', ''v'', ''p'', ''affected'', ''r'', segments(''x''), NULL, NULL'),
    ('''a'', ''v'', ''p'', ''affected'', ''r'', segments(''x''), NULL, ''nowhere'''),
    ('''a'', ''v'', ''p'', ''affected'', ''r'', segments(''x''), NULL, ''public''')) v (arguments);
-- And each value in the segments.
SELECT attempt(format('SELECT create_spine(''a'', ''v'', ''p'', ''affected'', ''r'', %L)', segments)) FROM (
    SELECT 1 AS n, v.json::jsonb AS segments FROM (VALUES ('{}'), ('"x"'), ('7'), ('null'), ('true'), ('[]'), ('[7]'), ('[[]]'), ('[{}]')) v (json)
    UNION ALL
    SELECT 2, jsonb_build_array(segment(0, 'x'), segment(1, 'y') - name) FROM unnest(ARRAY['segment_type', 'input_hash', 'result_hash', 'envelope_json', 'tool_id', 'tool_version']) name
    UNION ALL
    SELECT 3, jsonb_build_array(segment(0, 'x'), segment(1, 'y', v.extra::jsonb)) FROM (VALUES
        ('{"Result_hash": "x"}'), ('{"segment_type": 1}'), ('{"segment_type": "sbomslice"}'), ('{"segment_type": ""}'), ('{"input_hash": null}'),
        ('{"input_hash": "abc"}'), ('{"result_hash": "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"}'),
        ('{"result_hash": "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}'), ('{"result_hash": ["x"]}'),
        ('{"tool_id": ""}'), ('{"tool_version": 1.5}'), ('{"envelope_json": "{}"}'), ('{"envelope_json": []}'), ('{"envelope_json": {}}'),
        ('{"envelope_json": {"payload": "!", "payloadType": "t", "signatures": [{"sig": ""}]}}'),
        ('{"envelope_json": {"payload": "", "payloadType": "", "signatures": [{"sig": ""}]}}'),
        ('{"envelope_json": {"payload": "", "payloadType": "t", "signatures": []}}'),
        ('{"envelope_json": {"payload": "", "payloadType": "t", "signatures": [{"sig": 5}]}}')) v (extra)) s
ORDER BY n;
SELECT count(*) FROM scanner.proof_spines WHERE vuln_id = 'v';

-- Large documents are refused, not swallowed.
CREATE FUNCTION large(document text) RETURNS text LANGUAGE sql AS $$
    SELECT attempt('SELECT create_spine(''a'', ''v'', ''p'', ''affected'', ''r'', ' || document || ')') $$;
SELECT large($$ jsonb_build_array(segment(0, 'x', jsonb_build_object('tool_id', repeat('x', 260000000)))) || '[7]' $$);
SELECT large($$ jsonb_build_array(jsonb_build_object('segment_type', repeat('x', 260000000))) $$);
SELECT large($$ jsonb_build_array(segment(0, 'x', jsonb_build_object('envelope_json', jsonb_build_object('payload', repeat('A', 80000000), 'payloadType', 't', 'signatures', '[{"sig": ""}]'::jsonb)))) $$);
SELECT large($$ jsonb_build_array(segment(0, 'x', jsonb_build_object('envelope_json', jsonb_build_object('n', (SELECT jsonb_agg('1e131000'::jsonb) FROM generate_series(1, 600)))))) $$);
SELECT large($$ jsonb_build_array(segment(0, 'x', jsonb_build_object('envelope_json', (repeat('[', 5000) || repeat(']', 5000))::jsonb))) $$);
SELECT large($$ jsonb_build_array(segment(0, 'x', jsonb_build_object('envelope_json', jsonb_build_object('x', (repeat('[', 5000) || repeat(']', 5000))::jsonb)))) $$);
SELECT large($$ (SELECT jsonb_object_agg(n, n) FROM generate_series(1, 1000000) n) $$);
SELECT large($$ jsonb_build_array((SELECT jsonb_object_agg(n, n) FROM generate_series(1, 1000000) n)) $$);
SELECT create_spine('large', 'v', 'p', 'affected', 'r', jsonb_build_array(segment(0, 'x', jsonb_build_object('envelope_json', jsonb_build_object(
    'payload', repeat('A', 10000000), 'payloadType', 't', 'signatures', '[{"sig": ""}]'::jsonb))))) IS NOT NULL;
SELECT length(envelope_json::jsonb ->> 'payload') FROM scanner.proof_segments JOIN scanner.proof_spines USING (spine_id) WHERE artifact_id = 'large';
