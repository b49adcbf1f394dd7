-- What the advisories say, and what issuers say of that: about half of them of each of a tenth of the pairs, a quarter of
-- these twice.
INSERT INTO vuln.linksets (advisory_id, purl, version_range, advisory_raw_id, canonical_id, aliases)
SELECT DISTINCT ON (a.advisory_id, purl) a.advisory_id, purl, f -> 'ranges', a.raw_id, v.name, ARRAY[a.advisory_id]
FROM vuln.advisory AS a
CROSS JOIN LATERAL (SELECT coalesce(min(alias) FILTER (WHERE alias LIKE 'CVE-%'), a.advisory_id) AS name
                    FROM jsonb_array_elements_text(coalesce(a.raw_document -> 'aliases', '[]')) AS alias) AS v
CROSS JOIN jsonb_array_elements(a.raw_document -> 'affected') AS f
CROSS JOIN LATERAL (SELECT 'pkg:golang/' || (f #>> '{package,name}') AS purl) AS p
ORDER BY a.advisory_id, purl, (f -> 'ranges')::text;
INSERT INTO vuln.observations (advisory_id, description, "references", advisory_raw_id)
SELECT a.advisory_id, a.raw_document ->> 'details', a.raw_document -> 'references', a.raw_id FROM vuln.advisory AS a;
INSERT INTO vex.issuer_trust (issuer_id, priority, trust_score) VALUES
    ('vendor', 1, 0.90), ('cert', 1, 0.60), ('distro', 1, 0.60), ('scanner', 2, 1.00), ('muted', 1, 0.00);
CREATE TABLE said AS
SELECT row_number() OVER (ORDER BY round, sha256(convert_to(issuer_id || component_purl || vulnerability_id, 'UTF8')))::integer - 1 AS n, round, issuer_id, component_purl, vulnerability_id,
    jsonb_build_object('@id', component_purl || ' ' || vulnerability_id, 'vulnerability', jsonb_build_object('name', vulnerability_id),
        'products', jsonb_build_array(jsonb_build_object('@id', component_purl)), 'impact_statement', 'looked at', 'round', round,
        'status', (ARRAY['not_affected', 'affected', 'fixed', 'under_investigation'])[1 + get_byte(digest, round) % 4]) AS document
FROM (SELECT DISTINCT purl AS component_purl, canonical_id AS vulnerability_id FROM vuln.linksets) AS p
CROSS JOIN unnest('{vendor,cert,distro,scanner,muted,stranger}'::text[]) AS issuer_id
CROSS JOIN LATERAL (SELECT sha256(convert_to(issuer_id || component_purl || vulnerability_id, 'UTF8')) AS digest) AS d
CROSS JOIN generate_series(1, 2) AS round
WHERE get_byte(sha256(convert_to(component_purl || vulnerability_id, 'UTF8')), 0) < 25 AND get_byte(digest, 5) < 128 AND (round = 1 OR get_byte(digest, 6) < 64);
