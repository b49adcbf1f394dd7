-- Blueprint stellaops: advisories and VEX statements by revision, and the consensus of issuers.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset format unaligned
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text; state text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, state = RETURNED_SQLSTATE;
    RETURN state || ' ' || message || CASE WHEN hint <> '' THEN E'\n  ' || hint ELSE '' END;
END $$;
-- What somebody does who owns the database: with the triggers off, which are on again afterwards as they were.
CREATE FUNCTION tamper(tab regclass, command text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE t name; always name[] := ARRAY(SELECT tgname FROM pg_trigger WHERE tgrelid = tab AND tgenabled = 'A');
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', tab);
    EXECUTE command;
    EXECUTE format('ALTER TABLE %s ENABLE TRIGGER ALL', tab);
    FOREACH t IN ARRAY always LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', tab, t);
    END LOOP;
END $$;
SELECT install_blueprint('stellaops', 'e');

-- Advisories: the same content is no revision, whatever it looks like; other content is.
SELECT * FROM e_vuln.add_advisory('osv', '{"id": "A-1", "severity": 7.0, "aliases": ["CVE-1"]}', fetched_from => 'https://osv.example/A-1');
SELECT * FROM e_vuln.add_advisory('osv', '{"aliases": ["CVE-1"], "severity": 7, "id": "A-1"}');
SELECT * FROM e_vuln.add_advisory('osv', '{"id": "A-1", "severity": 7.5, "aliases": ["CVE-1"]}');
SELECT * FROM e_vuln.add_advisory('osv', '{"id": "A-1", "severity": 7, "aliases": ["CVE-1"]}');
SELECT * FROM e_vuln.add_advisory('nvd', '{"id": "A-1", "severity": 7, "aliases": ["CVE-1"]}');
SELECT * FROM e_vuln.add_advisory('nvd', '{"score": 1, "withdrawn": "2026-01-01"}', advisory_id => 'A-2');
SELECT advisory_id, source, revision, document ->> 'severity' AS severity, withdrawn, fetched_from,
       content_hash = 'sha256:' || encode(canonical_json_hash(document), 'hex') AS hashed,
       content_hash = 'sha256:' || encode(sha256(convert_to(canonical_json(document), 'UTF8')), 'hex') AS hashed_by_hand
FROM e_vuln.advisory_raw ORDER BY advisory_id, source, revision;
SELECT advisory_id, source, revision FROM e_vuln.advisory ORDER BY advisory_id, source;
-- By hand: revision and hash are filled, or must be right.
INSERT INTO e_vuln.advisory_raw (advisory_id, source, document) VALUES ('A-3', 'osv', '{"n": 1}'), ('A-3', 'osv', '{"n": 2}'), ('A-3', 'ghsa', '{"n": 1}');
INSERT INTO e_vuln.advisory_raw (advisory_id, source, revision, document, content_hash)
SELECT 'A-3', 'osv', 3, d, e_authority.digest(d) FROM (VALUES ('{"n": 3}'::jsonb)) AS v (d);
SELECT source, revision, document FROM e_vuln.advisory_raw WHERE advisory_id = 'A-3' ORDER BY source, revision;
\pset tuples_only on
SELECT attempt(statement) FROM (VALUES
    ($$INSERT INTO e_vuln.advisory_raw (advisory_id, source, revision, document) VALUES ('A-3', 'osv', 5, '{"n": 5}')$$),
    ($$INSERT INTO e_vuln.advisory_raw (advisory_id, source, revision, document) VALUES ('A-3', 'osv', 2, '{"n": 2}')$$),
    ($$INSERT INTO e_vuln.advisory_raw (advisory_id, source, revision, document) VALUES ('A-4', 'osv', 0, '{"n": 2}')$$),
    ($$INSERT INTO e_vuln.advisory_raw (advisory_id, source, document, content_hash) VALUES ('A-4', 'osv', '{"n": 1}', 'sha256:' || repeat('0', 64))$$),
    ($$INSERT INTO e_vuln.advisory_raw (advisory_id, source, document) VALUES ('A-4', 'osv', '[]')$$),
    ($$INSERT INTO e_vuln.advisory_raw (advisory_id, source, document) VALUES ('A-4', 'osv', NULL)$$),
    ($$SELECT e_vuln.add_advisory('OSV!', '{"id": "A-4"}')$$),
    ($$SELECT e_vuln.add_advisory('osv', '{"name": "A-4"}')$$),
    ($$SELECT e_vuln.add_advisory('osv', NULL, 'A-4')$$),
    ($$UPDATE e_vuln.advisory_raw SET document = '{"n": 9}' WHERE advisory_id = 'A-3'$$),
    ($$DELETE FROM e_vuln.advisory_raw$$),
    ($$TRUNCATE e_vuln.advisory_raw CASCADE$$)) AS v (statement);
\pset tuples_only off

-- Statements: read from the document; only the newest revision counts.
CREATE FUNCTION say(issuer text, status text, id text DEFAULT 's', vuln text DEFAULT 'CVE-1', product text DEFAULT 'pkg:golang/x', more jsonb DEFAULT '{}')
RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', revision, CASE WHEN added THEN 'added' ELSE 'there' END)
    FROM e_vex.add_statement(issuer, jsonb_build_object('@id', id, 'vulnerability', jsonb_build_object('name', vuln), 'products',
        jsonb_build_array(jsonb_build_object('@id', product)), 'status', status, 'impact_statement', 'none') || more)
$$;
SELECT say('vendor', 'affected');
SELECT say('vendor', 'affected');
SELECT say('vendor', 'not_affected', more => '{"justification": "component_not_present"}');
SELECT say('vendor', 'fixed', more => '{"products": ["pkg:golang/y", {"@id": "pkg:golang/x"}, "pkg:golang/y"], "vulnerability": "CVE-2"}');
SELECT revision, vulnerability_id, products, status, justification, withdrawn FROM e_vex.vex_raw ORDER BY revision;
SELECT id = e_authority.digest('["CVE-9", ["pkg:a/b", "pkg:c/d"]]') AS known_by_subject, revision, added
FROM e_vex.add_statement('vendor', '{"vulnerability": "CVE-9", "products": ["pkg:c/d", "pkg:a/b"], "status": "fixed"}');
SELECT revision, added FROM e_vex.add_statement('vendor', '{"vulnerability": "CVE-9", "products": ["pkg:a/b", "pkg:c/d"], "status": "affected"}');
\pset tuples_only on
SELECT attempt(format('SELECT say(%L, %L, %L, more => %L)', issuer, status, id, more)) FROM (VALUES
    ('vendor', 'unaffected', 'bad', '{}'), ('vendor', NULL, 'bad', '{}'), ('vendor', 'affected', 'bad', '{"products": []}'), ('vendor', 'affected', 'bad', '{"products": "pkg:x"}'),
    ('vendor', 'affected', 'bad', '{"products": [{"id": "x"}]}'), ('vendor', 'affected', 'bad', '{"vulnerability": ""}'), ('vendor', 'affected', 'bad', '{"vulnerability": null}'), ('vendor', 'affected', 'bad', '{"vulnerability": {"id": "x"}}'),
    ('vendor', 'not_affected', 'bad', '{"impact_statement": null}'), ('vendor', 'not_affected', 'bad', '{"justification": "trust_me"}'), ('', 'affected', 'bad', '{}'), ('vendor', 'affected', '', '{}')) AS v (issuer, status, id, more);
SELECT attempt(statement) FROM (VALUES
    ($$INSERT INTO e_vex.vex_raw (issuer, statement_id, document, status) VALUES ('vendor', 'bad', '{"status": "affected"}', 'fixed')$$),
    ($$INSERT INTO e_vex.vex_raw (issuer, statement_id, document, content_hash) SELECT 'vendor', 'bad', document, 'sha256:' || repeat('0', 64) FROM e_vex.vex_raw LIMIT 1$$),
    ($$INSERT INTO e_vex.vex_raw (issuer, statement_id, revision, document) SELECT 'vendor', 's', 9, document FROM e_vex.vex_raw LIMIT 1$$),
    ($$UPDATE e_vex.vex_raw SET received_at = now()$$),
    ($$DELETE FROM e_vex.vex_raw$$),
    ($$SELECT e_vex.add_statement('vendor', NULL)$$)) AS v (statement);
\pset tuples_only off

-- Consensus. Nobody is trusted yet; then priority, then weight, then caution.
CREATE VIEW verdict AS SELECT component, vulnerability_id, status, deciding_priority AS priority, weight, conflict, disagreement FROM e_vex.consensus;
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-2') IS NULL AS unheard;
INSERT INTO e_vex.issuer_trust (issuer, priority, score) VALUES ('vendor', 1, 0.90), ('cert', 1, 0.50), ('forum', 1, 0.50), ('scanner', 2, 1.00), ('rumour', 1, 0.00);
SELECT (e_vex.recompute_consensus('pkg:golang/x', 'CVE-2')).status;
-- Revision 3 of the vendor's statement is about CVE-2, so none of it is about CVE-1 any more.
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-1') IS NULL AS unheard;
SELECT say('vendor', 'not_affected', 'v'), say('cert', 'affected', 'c'), say('scanner', 'affected', 'n'), say('rumour', 'fixed', 'r'), say('stranger', 'fixed', 'x');
SELECT status, weight, conflict FROM e_vex.recompute_consensus('pkg:golang/x', 'CVE-1');
SELECT part, issuer, statement_id, revision, status, priority, score FROM e_vex.consensus_statement WHERE vulnerability_id = 'CVE-1' ORDER BY place;
-- Two of 0.50 outweigh one of 0.90; who speaks twice counts once.
SELECT say('forum', 'affected', 'f'), say('vendor', 'not_affected', 'v2');
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-1') IS NOT NULL AS heard;
SELECT * FROM verdict ORDER BY component, vulnerability_id;
-- A tie: the more cautious.
UPDATE e_vex.issuer_trust SET score = 1.00 WHERE issuer = 'vendor';
SELECT (e_vex.recompute_consensus('pkg:golang/x', 'CVE-1')).status;
-- A statement withdrawn, a trust withdrawn: conflict at the deciding priority goes, disagreement stays.
SELECT say('vendor', 'not_affected', 'v', more => '{"withdrawn": "2026-01-01"}'), say('vendor', 'not_affected', 'v2', more => '{"withdrawn": "2026-01-01"}');
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-1') IS NOT NULL AS heard;
SELECT say('scanner', 'fixed', 'n');
SELECT status, conflict, disagreement FROM e_vex.recompute_consensus('pkg:golang/x', 'CVE-1');
DELETE FROM e_vex.issuer_trust WHERE issuer IN ('cert', 'forum');
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-1') IS NOT NULL AS heard;
SELECT * FROM verdict WHERE vulnerability_id = 'CVE-1';
DELETE FROM e_vex.issuer_trust WHERE issuer = 'scanner';
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-1') IS NULL AS unheard;
SELECT count(*) FROM e_vex.consensus WHERE vulnerability_id = 'CVE-1';
INSERT INTO e_vex.issuer_trust (issuer, priority, score) VALUES ('cert', 1, 0.50), ('forum', 1, 0.50), ('scanner', 2, 1.00);
SELECT count(*) FROM (SELECT e_vex.recompute_consensus(component, vulnerability_id) FROM e_vex.consensus) AS c;
-- Nothing has changed: no event, and the same hash. The audit has each answer.
SELECT (e_vex.recompute_consensus('pkg:golang/x', 'CVE-1')).inputs_hash AS first \gset
SELECT :'first' = (e_vex.recompute_consensus('pkg:golang/x', 'CVE-1')).inputs_hash AS same, :'first' = inputs_hash AS same_unwritten FROM e_vex.consensus_of('pkg:golang/x', 'CVE-1');
SELECT op, payload ->> 'status' AS status, payload ->> 'weight' AS weight, payload ? 'computed_at' AS with_time
FROM audit_history('e_vex.consensus', 'pkg:golang/x', 'CVE-1');
-- Whatever is inserted first, and whatever the plan: all orders of four statements.
CREATE TABLE outcome (place text, hash text);
DO $$
DECLARE o record; place text;
BEGIN
    FOR o IN SELECT ARRAY[a, b, c, d] AS places FROM generate_series(1, 4) a, generate_series(1, 4) b, generate_series(1, 4) c, generate_series(1, 4) d
             WHERE (SELECT count(DISTINCT x) FROM unnest(ARRAY[a, b, c, d]) x) = 4 LOOP
        place := 'pkg:golang/' || array_to_string(o.places, '');
        PERFORM public.say((ARRAY['vendor', 'cert', 'forum', 'scanner'])[p], (ARRAY['not_affected', 'affected', 'affected', 'fixed'])[p], p || place, product => place)
        FROM unnest(o.places) WITH ORDINALITY AS u (p, n) ORDER BY n;
        PERFORM set_config('enable_hashjoin', (o.places[1] % 2 = 0)::text, true), set_config('enable_nestloop', (o.places[2] % 2 = 0)::text, true),
                set_config('enable_sort', (o.places[3] > 2)::text, true), set_config('enable_hashagg', (o.places[1] > 2)::text, true);
        -- The answer without what differs on purpose: ids and the digests of the documents.
        INSERT INTO public.outcome
        SELECT place, md5(row(c.status, c.weight, c.conflict, c.disagreement, (SELECT jsonb_agg(s - 'statement' - 'content_hash' ORDER BY n) FROM jsonb_array_elements(c.statements) WITH ORDINALITY AS j (s, n)))::text)
        FROM e_vex.recompute_consensus(place, 'CVE-1') AS c;
    END LOOP;
END $$;
SELECT count(*), count(DISTINCT hash) AS answers FROM outcome;
-- Against a plain query, for all there is.
WITH newest AS (SELECT *, row_number() OVER (PARTITION BY issuer, statement_id ORDER BY revision DESC) AS age FROM e_vex.vex_raw),
heard AS (SELECT p.component, n.vulnerability_id, n.status, n.issuer, t.priority, t.score FROM newest n CROSS JOIN unnest(n.products) AS p (component) JOIN e_vex.issuer_trust t USING (issuer) WHERE age = 1 AND NOT withdrawn AND score > 0),
sums AS (SELECT component, vulnerability_id, status, sum(score) AS weight FROM (SELECT DISTINCT * FROM heard h WHERE priority = (SELECT min(priority) FROM heard i WHERE (i.component, i.vulnerability_id) = (h.component, h.vulnerability_id))) d GROUP BY 1, 2, 3),
best AS (SELECT DISTINCT ON (component, vulnerability_id) * FROM sums ORDER BY component, vulnerability_id, weight DESC, CASE status WHEN 'affected' THEN 1 WHEN 'under_investigation' THEN 2 WHEN 'fixed' THEN 3 ELSE 4 END)
SELECT count(*), count(*) FILTER (WHERE (b.status, b.weight) = (c.status, c.weight)) AS same
FROM best AS b CROSS JOIN LATERAL e_vex.consensus_of(b.component, b.vulnerability_id) AS c;

-- Tampering.
SELECT count(*) FROM verify_all() WHERE NOT ok;
SELECT tamper('e_vuln.advisory_raw', $$UPDATE e_vuln.advisory_raw SET document = '{"id": "A-1", "severity": 0}', content_hash = e_authority.digest('{"id": "A-1", "severity": 0}') WHERE (advisory_id, source, revision) = ('A-1', 'osv', 2)$$);
SELECT tamper('e_vex.vex_raw', $$DELETE FROM e_vex.vex_raw WHERE issuer = 'cert' AND statement_id = 'c'$$);
SELECT tamper('e_vex.consensus', $$UPDATE e_vex.consensus SET status = 'not_affected' WHERE component = 'pkg:golang/x' AND vulnerability_id = 'CVE-1'$$);
SELECT tamper('e_vex.issuer_trust', $$UPDATE e_vex.issuer_trust SET score = 1 WHERE issuer = 'rumour'$$);
SELECT subject, findings FROM verify_all() WHERE NOT ok ORDER BY subject COLLATE "C";
SELECT finding, key, recorded, current ->> 'document' AS current FROM verify_table_findings('e_vuln.advisory_raw');
SELECT finding, key, recorded #>> '{document,status}' AS recorded FROM verify_table_findings('e_vex.vex_raw');
SELECT finding, key, recorded ->> 'status' AS recorded, current ->> 'status' AS current FROM verify_table_findings('e_vex.consensus');
SELECT finding, key, recorded ->> 'score' AS recorded, current ->> 'score' AS current FROM verify_table_findings('e_vex.issuer_trust');
-- Which consensus is not what its statements come to.
SELECT c.component, c.vulnerability_id, c.status, n.status AS should_be FROM e_vex.consensus AS c
LEFT JOIN LATERAL e_vex.consensus_of(c.component, c.vulnerability_id) AS n ON true
WHERE c.component = 'pkg:golang/x' AND (c.inputs_hash, c.status) IS DISTINCT FROM (n.inputs_hash, n.status);
