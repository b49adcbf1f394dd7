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
CREATE FUNCTION bring(source text, document jsonb, advisory_id text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', revision, CASE WHEN added THEN 'added' ELSE 'there' END, CASE WHEN (SELECT a.revision FROM e_vuln.advisory_raw AS a WHERE a.raw_id = r.raw_id) = revision THEN 'by its id' END)
    FROM e_vuln.add_advisory(source, document, advisory_id, fetched_from => 'https://advisories.example') AS r
$$;
SELECT bring('OSV', '{"id": "A-1", "severity": 7.0, "aliases": ["CVE-1"]}');
SELECT bring('OSV', '{"aliases": ["CVE-1"], "severity": 7, "id": "A-1"}');
SELECT bring('OSV', '{"id": "A-1", "severity": 7.5, "aliases": ["CVE-1"]}');
SELECT bring('OSV', '{"id": "A-1", "severity": 7, "aliases": ["CVE-1"]}');
SELECT bring('NVD', '{"id": "A-1", "severity": 7, "aliases": ["CVE-1"]}');
SELECT bring('NVD', '{"score": 1, "withdrawn": "2026-01-01"}', advisory_id => 'A-2');
SELECT advisory_id, source, revision, raw_document ->> 'severity' AS severity, withdrawn, fetched_from,
       content_hash = 'sha256:' || encode(canonical_json_hash(raw_document), 'hex') AS hashed,
       content_hash = 'sha256:' || encode(sha256(convert_to(canonical_json(raw_document), 'UTF8')), 'hex') AS hashed_by_hand
FROM e_vuln.advisory_raw ORDER BY advisory_id, source, revision;
SELECT advisory_id, source, revision FROM e_vuln.advisory ORDER BY advisory_id, source;
-- By hand: revision and hash are filled, or as they are given.
INSERT INTO e_vuln.advisory_raw (advisory_id, source, raw_document) VALUES ('A-3', 'OSV', '{"n": 1}'), ('A-3', 'OSV', '{"n": 2}'), ('A-3', 'GHSA', '{"n": 1}');
INSERT INTO e_vuln.advisory_raw (advisory_id, source, revision, raw_document, content_hash)
SELECT 'A-3', 'OSV', 5, d, e_authority.digest(d) FROM (VALUES ('{"n": 5}'::jsonb)) AS v (d);
SELECT bring('OSV', '{"id": "A-3", "n": 6}');
SELECT source, revision, raw_document FROM e_vuln.advisory_raw WHERE advisory_id = 'A-3' ORDER BY source, revision;
-- Id and time, as each source has them; a time that is none, or that could be another, is left out.
SELECT e_vuln.advisory_id_of(d), e_vuln.published_at_of(d) AT TIME ZONE 'UTC' AS published_at FROM (VALUES
    ('{"id": "GO-1", "published": "2026-01-02T03:04:05Z"}'::jsonb), ('{"cve": {"id": "CVE-1", "published": "2026-01-02T03:04:05.678"}}'),
    ('{"document": {"tracking": {"id": "RHSA-1", "initial_release_date": "2026-01-02T03:04:05+02:00"}}}'), ('{"ghsa_id": "GHSA-1", "published_at": "2026-01-02T03:04:05Z"}'),
    ('{"id": "X", "published": "yesterday"}'), ('{"id": "X", "published": "2026-13-02T03:04:05Z"}'), ('{"id": "X", "published": "01/02/2026"}'), ('{}'), ('[]'), ('{"cve": "CVE-1", "document": 1}')) AS v (d);
\pset tuples_only on
SELECT attempt(statement) FROM (VALUES
    ($$INSERT INTO e_vuln.advisory_raw (advisory_id, source, revision, raw_document) VALUES ('A-3', 'OSV', 2, '{"n": 2}')$$),
    ($$INSERT INTO e_vuln.advisory_raw (advisory_id, source, raw_document, content_hash) VALUES ('A-4', 'OSV', '{"n": 1}', 'sha256:' || repeat('0', 64))$$),
    ($$INSERT INTO e_vuln.advisory_raw (advisory_id, source, raw_document) VALUES ('A-4', 'OSV', NULL)$$),
    ($$SELECT e_vuln.add_advisory('osv', '{"id": "A-4"}')$$),
    ($$SELECT e_vuln.add_advisory(NULL, '{"id": "A-4"}')$$),
    ($$SELECT e_vuln.add_advisory('OSV', '{"name": "A-4"}')$$),
    ($$SELECT e_vuln.add_advisory('OSV', NULL, 'A-4')$$),
    ($$UPDATE e_vuln.advisory_raw SET raw_document = '{"n": 9}' WHERE advisory_id = 'A-3'$$),
    ($$DELETE FROM e_vuln.advisory_raw$$),
    ($$TRUNCATE e_vuln.advisory_raw CASCADE$$)) AS v (statement);
\pset tuples_only off

-- Statements: what a row leaves out is read from the statement; only the newest revision counts.
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
SELECT statement_revision, product_no, vulnerability_id, component_purl, status, justification, withdrawn FROM e_vex.vex_raw ORDER BY statement_revision, product_no;
SELECT id = e_authority.digest('["CVE-9", ["pkg:a/b", "pkg:c/d"]]') AS known_by_subject, revision, added
FROM e_vex.add_statement('vendor', '{"vulnerability": "CVE-9", "products": ["pkg:c/d", "pkg:a/b"], "status": "fixed"}');
SELECT revision, added FROM e_vex.add_statement('vendor', '{"vulnerability": "CVE-9", "products": ["pkg:a/b", "pkg:c/d"], "status": "affected"}');
\pset tuples_only on
SELECT attempt(format('SELECT say(%L, %L, %L, more => %L)', issuer, status, id, more)) FROM (VALUES
    ('vendor', 'unaffected', 'bad', '{}'), ('vendor', NULL, 'bad', '{}'), ('vendor', 'affected', 'bad', '{"products": []}'), ('vendor', 'affected', 'bad', '{"products": "pkg:x"}'),
    ('vendor', 'affected', 'bad', '{"products": [{"id": "x"}]}'), ('vendor', 'affected', 'bad', '{"vulnerability": ""}'), ('vendor', 'affected', 'bad', '{"vulnerability": null}'), ('vendor', 'affected', 'bad', '{"vulnerability": {"id": "x"}}'),
    ('vendor', 'not_affected', 'bad', '{"impact_statement": null}'), ('vendor', 'not_affected', 'bad', '{"justification": "trust_me"}'), ('', 'affected', 'bad', '{}'), ('vendor', 'affected', '', '{}')) AS v (issuer, status, id, more);
SELECT attempt(statement) FROM (VALUES
    ($$INSERT INTO e_vex.vex_raw (issuer_id, raw_statement, status) VALUES ('vendor', '{"status": "affected"}', 'fixed')$$),
    ($$INSERT INTO e_vex.vex_raw (issuer_id, statement_id, raw_statement, content_hash) SELECT 'vendor', 'bad', raw_statement, 'sha256:' || repeat('0', 64) FROM e_vex.vex_raw LIMIT 1$$),
    ($$UPDATE e_vex.vex_raw SET created_at = now()$$),
    ($$DELETE FROM e_vex.vex_raw$$),
    ($$SELECT e_vex.add_statement('vendor', NULL)$$),
    ($$SELECT e_vex.add_statement('vendor', '"x"')$$),
    ($$SELECT e_vex.add_openvex('{"author": "vendor"}')$$),
    ($$SELECT e_vex.add_openvex('{"statements": [{"vulnerability": "CVE-1", "products": ["pkg:a/b"], "status": "fixed"}]}')$$)) AS v (statement);
\pset tuples_only off
-- Rows by hand, without an id: the same statement about another component is of the same revision, another one is the next.
INSERT INTO e_vex.vex_raw (issuer_id, component_purl, vulnerability_id, status, raw_statement) VALUES
    ('hand', 'pkg:a/b', 'CVE-3', 'affected', '{"n": 1}'), ('hand', 'pkg:c/d', 'CVE-3', 'affected', '{"n": 1}'), ('hand', 'pkg:a/b', 'CVE-3', 'fixed', '{"n": 2}'),
    ('hand', 'pkg:a/b', 'CVE-4', NULL, '{"@id": "two", "status": "affected"}'), ('hand', 'pkg:c/d', 'CVE-4', NULL, '{"@id": "two", "status": "affected"}'),
    ('hand', 'pkg:a/b', 'CVE-4', NULL, '{"@id": "two", "status": "affected"}'), ('hand', NULL, 'CVE-5', 'affected', '{}'), (NULL, 'pkg:a/b', NULL, NULL, '[]');
SELECT vulnerability_id, component_purl, status, left(statement_id, 7) AS statement, statement_revision, product_no FROM e_vex.vex_raw WHERE issuer_id = 'hand' OR issuer_id IS NULL
ORDER BY vulnerability_id, statement_id, statement_revision, product_no;
-- A document of several statements, in the form of OpenVEX 0.2.0.
SELECT component_purl, vulnerability_id, status, left(statement_id, 7) AS statement, revision, added FROM e_vex.add_openvex('{
    "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://vex.example/2026-1", "author": "maker", "timestamp": "2026-01-02T03:04:05Z", "version": 1, "statements": [
    {"vulnerability": {"@id": "https://cve.example/CVE-8", "name": "CVE-8", "aliases": ["GHSA-8"]}, "products": [
        {"@id": "shop", "identifiers": {"purl": "pkg:oci/shop@sha256%3A1"}, "subcomponents": [{"@id": "pkg:deb/debian/zlib1g@1.2"}]}, {"@id": "pkg:oci/till"}],
     "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path", "timestamp": "2026-01-01T00:00:00Z"},
    {"@id": "https://vex.example/2026-1/2", "vulnerability": {"name": "CVE-9"}, "products": [{"@id": "pkg:oci/till"}], "status": "affected", "action_statement": "update"}]}');
SELECT component_purl, vulnerability_id, published_at AT TIME ZONE 'UTC' AS published_at, raw_statement ? 'status' AS word_for_word FROM e_vex.vex_raw WHERE issuer_id = 'maker' ORDER BY 2, 1;

-- Consensus. Nobody is trusted yet; then priority, then weight, then caution.
CREATE VIEW verdict AS SELECT component_purl, vulnerability_id, resolved_status, deciding_priority AS priority, weight, conflict_detected, disagreement FROM e_vex.consensus;
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-2') IS NULL AS unheard;
INSERT INTO e_vex.issuer_trust (issuer_id, priority, trust_score) VALUES ('vendor', 1, 0.90), ('cert', 1, 0.50), ('forum', 1, 0.50), ('scanner', 2, 1.00), ('rumour', 1, 0.00);
SELECT (e_vex.recompute_consensus('pkg:golang/x', 'CVE-2')).resolved_status;
-- Revision 3 of the vendor's statement is about CVE-2, so none of it is about CVE-1 any more.
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-1') IS NULL AS unheard;
SELECT say('vendor', 'not_affected', 'v'), say('cert', 'affected', 'c'), say('scanner', 'affected', 'n'), say('rumour', 'fixed', 'r'), say('stranger', 'fixed', 'x');
SELECT resolved_status, weight, conflict_detected, cardinality(contributing_vex_ids) AS contributing FROM e_vex.recompute_consensus('pkg:golang/x', 'CVE-1');
SELECT part, issuer_id, statement_id, revision, status, priority, trust_score FROM e_vex.consensus_statement WHERE vulnerability_id = 'CVE-1' ORDER BY place;
-- Two of 0.50 outweigh one of 0.90; who speaks twice counts once.
SELECT say('forum', 'affected', 'f'), say('vendor', 'not_affected', 'v2');
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-1') IS NOT NULL AS heard;
SELECT * FROM verdict ORDER BY component_purl, vulnerability_id;
-- What contributed are the rows that decided so.
SELECT r.issuer_id, r.status FROM e_vex.consensus AS c CROSS JOIN unnest(contributing_vex_ids) WITH ORDINALITY AS u (raw_id, n) JOIN e_vex.vex_raw AS r USING (raw_id)
WHERE c.vulnerability_id = 'CVE-1' ORDER BY n;
-- A tie: the more cautious.
UPDATE e_vex.issuer_trust SET trust_score = 1.00 WHERE issuer_id = 'vendor';
SELECT (e_vex.recompute_consensus('pkg:golang/x', 'CVE-1')).resolved_status;
-- A statement withdrawn, a trust withdrawn: conflict at the deciding priority goes, disagreement stays.
SELECT say('vendor', 'not_affected', 'v', more => '{"withdrawn": "2026-01-01"}'), say('vendor', 'not_affected', 'v2', more => '{"withdrawn": "2026-01-01"}');
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-1') IS NOT NULL AS heard;
SELECT say('scanner', 'fixed', 'n');
SELECT resolved_status, conflict_detected, disagreement FROM e_vex.recompute_consensus('pkg:golang/x', 'CVE-1');
DELETE FROM e_vex.issuer_trust WHERE issuer_id IN ('cert', 'forum');
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-1') IS NOT NULL AS heard;
SELECT * FROM verdict WHERE vulnerability_id = 'CVE-1';
DELETE FROM e_vex.issuer_trust WHERE issuer_id = 'scanner';
SELECT e_vex.recompute_consensus('pkg:golang/x', 'CVE-1') IS NULL AS unheard;
SELECT count(*) FROM e_vex.consensus WHERE vulnerability_id = 'CVE-1';
INSERT INTO e_vex.issuer_trust (issuer_id, priority, trust_score) VALUES ('cert', 1, 0.50), ('forum', 1, 0.50), ('scanner', 2, 1.00);
SELECT count(*) FROM (SELECT e_vex.recompute_consensus(component_purl, vulnerability_id) FROM e_vex.consensus) AS c;
-- Nothing has changed: no event, and the same hash. The audit has each answer.
SELECT (e_vex.recompute_consensus('pkg:golang/x', 'CVE-1')).inputs_hash AS first \gset
SELECT :'first' = (e_vex.recompute_consensus('pkg:golang/x', 'CVE-1')).inputs_hash AS same, :'first' = inputs_hash AS same_unwritten FROM e_vex.consensus_of('pkg:golang/x', 'CVE-1');
SELECT op, payload ->> 'resolved_status' AS resolved_status, payload ->> 'weight' AS weight, payload ? 'computed_at' AS with_time
FROM audit_history('e_vex.consensus', e_vex.consensus_id('pkg:golang/x', 'CVE-1')::text);
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
        SELECT place, md5(row(c.resolved_status, c.weight, c.conflict_detected, c.disagreement, cardinality(c.contributing_vex_ids), (SELECT jsonb_agg(s - 'statement_id' - 'content_hash' ORDER BY n) FROM jsonb_array_elements(c.statements) WITH ORDINALITY AS j (s, n)))::text)
        FROM e_vex.recompute_consensus(place, 'CVE-1') AS c;
    END LOOP;
END $$;
SELECT count(*), count(DISTINCT hash) AS answers FROM outcome;
-- Against a plain query, for all there is.
WITH newest AS (SELECT *, rank() OVER (PARTITION BY issuer_id, statement_id ORDER BY statement_revision DESC) AS age FROM e_vex.vex_raw),
heard AS (SELECT n.component_purl AS component, n.vulnerability_id, n.status, issuer_id, t.priority, t.trust_score AS score FROM newest n JOIN e_vex.issuer_trust t USING (issuer_id) WHERE age = 1 AND NOT withdrawn AND trust_score > 0),
sums AS (SELECT component, vulnerability_id, status, sum(score) AS weight FROM (SELECT DISTINCT * FROM heard h WHERE priority = (SELECT min(priority) FROM heard i WHERE (i.component, i.vulnerability_id) = (h.component, h.vulnerability_id))) d GROUP BY 1, 2, 3),
best AS (SELECT DISTINCT ON (component, vulnerability_id) * FROM sums ORDER BY component, vulnerability_id, weight DESC, CASE status WHEN 'affected' THEN 1 WHEN 'under_investigation' THEN 2 WHEN 'fixed' THEN 3 ELSE 4 END)
SELECT count(*), count(*) FILTER (WHERE (b.status, b.weight) = (c.resolved_status, c.weight)) AS same
FROM best AS b CROSS JOIN LATERAL e_vex.consensus_of(b.component, b.vulnerability_id) AS c;

-- Tampering.
SELECT count(*) FROM verify_all() WHERE NOT ok;
SELECT tamper('e_vuln.advisory_raw', $$UPDATE e_vuln.advisory_raw SET raw_document = '{"id": "A-1", "severity": 0}', content_hash = e_authority.digest('{"id": "A-1", "severity": 0}') WHERE (advisory_id, source, revision) = ('A-1', 'OSV', 2)$$);
SELECT tamper('e_vex.vex_raw', $$DELETE FROM e_vex.vex_raw WHERE issuer_id = 'cert' AND statement_id = 'c'$$);
SELECT tamper('e_vex.consensus', $$UPDATE e_vex.consensus SET resolved_status = 'not_affected' WHERE component_purl = 'pkg:golang/x' AND vulnerability_id = 'CVE-1'$$);
SELECT tamper('e_vex.issuer_trust', $$UPDATE e_vex.issuer_trust SET trust_score = 1 WHERE issuer_id = 'rumour'$$);
SELECT subject, findings FROM verify_all() WHERE NOT ok ORDER BY subject COLLATE "C";
SELECT finding, key = (SELECT raw_id::text FROM e_vuln.advisory_raw WHERE (advisory_id, source, revision) = ('A-1', 'OSV', 2)) AS key, recorded, current ->> 'raw_document' AS current FROM verify_table_findings('e_vuln.advisory_raw');
SELECT finding, recorded ->> 'issuer_id' AS issuer_id, recorded #>> '{raw_statement,status}' AS recorded FROM verify_table_findings('e_vex.vex_raw');
SELECT finding, current ->> 'component_purl' AS component_purl, recorded ->> 'resolved_status' AS recorded, current ->> 'resolved_status' AS current FROM verify_table_findings('e_vex.consensus');
SELECT finding, key, recorded ->> 'trust_score' AS recorded, current ->> 'trust_score' AS current FROM verify_table_findings('e_vex.issuer_trust');
-- Which consensus is not what its statements come to.
SELECT c.component_purl, c.vulnerability_id, c.resolved_status, n.resolved_status AS should_be FROM e_vex.consensus AS c
LEFT JOIN LATERAL e_vex.consensus_of(c.component_purl, c.vulnerability_id) AS n ON true
WHERE c.component_purl = 'pkg:golang/x' AND (c.inputs_hash, c.resolved_status) IS DISTINCT FROM (n.inputs_hash, n.resolved_status);
