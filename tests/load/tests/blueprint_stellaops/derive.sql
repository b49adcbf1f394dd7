-- What the advisories say, and what issuers say of that: about half of them of each of a tenth of the pairs, a quarter of
-- these twice.
INSERT INTO vuln.linksets (vulnerability_id, aliases)
SELECT min(v.name), array_agg(DISTINCT a.advisory_id ORDER BY a.advisory_id) FROM vuln.advisory AS a
CROSS JOIN LATERAL (SELECT coalesce(min(alias) FILTER (WHERE alias LIKE 'CVE-%'), a.advisory_id) AS name
                    FROM jsonb_array_elements_text(coalesce(a.document -> 'aliases', '[]')) AS alias) AS v GROUP BY v.name;
INSERT INTO vuln.observations (linkset_id, advisory_id, source, revision, component, introduced, fixed)
SELECT DISTINCT ON (a.advisory_id, component, introduced) l.linkset_id, a.advisory_id, a.source, a.revision, component, introduced, fixed
FROM vuln.advisory AS a JOIN vuln.linksets AS l ON l.aliases @> ARRAY[a.advisory_id]
CROSS JOIN jsonb_array_elements(a.document -> 'affected') AS f
CROSS JOIN LATERAL (SELECT 'pkg:golang/' || (f #>> '{package,name}') AS component,
    coalesce(f #>> '{ranges,0,events,0,introduced}', '0') AS introduced, f #>> '{ranges,0,events,1,fixed}' AS fixed) AS o
ORDER BY a.advisory_id, component, introduced, fixed;
INSERT INTO vex.issuer_trust (issuer, priority, score) VALUES
    ('vendor', 1, 0.90), ('cert', 1, 0.60), ('distro', 1, 0.60), ('scanner', 2, 1.00), ('muted', 1, 0.00);
CREATE TABLE said AS
SELECT row_number() OVER (ORDER BY round, sha256(convert_to(issuer || component || vulnerability_id, 'UTF8')))::integer - 1 AS n, round, issuer, component, vulnerability_id,
    jsonb_build_object('@id', component || ' ' || vulnerability_id, 'vulnerability', jsonb_build_object('name', vulnerability_id),
        'products', jsonb_build_array(jsonb_build_object('@id', component)), 'impact_statement', 'looked at', 'round', round,
        'status', (ARRAY['not_affected', 'affected', 'fixed', 'under_investigation'])[1 + get_byte(digest, round) % 4]) AS document
FROM (SELECT DISTINCT component, vulnerability_id FROM vuln.observations JOIN vuln.linksets USING (linkset_id)) AS p
CROSS JOIN unnest('{vendor,cert,distro,scanner,muted,stranger}'::text[]) AS issuer
CROSS JOIN LATERAL (SELECT sha256(convert_to(issuer || component || vulnerability_id, 'UTF8')) AS digest) AS d
CROSS JOIN generate_series(1, 2) AS round
WHERE get_byte(sha256(convert_to(component || vulnerability_id, 'UTF8')), 0) < 25 AND get_byte(digest, 5) < 128 AND (round = 1 OR get_byte(digest, 6) < 64);
