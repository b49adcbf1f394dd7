-- 200 documents in the shape of the OSV format, for a machine that has no real ones.
INSERT INTO vuln.advisory_raw (advisory_id, source, revision, doc)
SELECT id, 'made-up', 1, jsonb_build_object(
    'schema_version', '1.3.1',
    'id', id,
    'modified', to_char(timestamp '2026-01-01' + n * interval '7 hours', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'aliases', jsonb_build_array(format('CVE-2026-%s', 10000 + n)),
    'summary', (ARRAY['Path traversal', 'Denial of service', 'Injection', 'Missing authentication'])[1 + n % 4]
               || ' in example.org/library-' || n % 40,
    'details', repeat('An attacker may send a crafted request. ', 1 + n % 9),
    'severity', jsonb_build_array(jsonb_build_object('type', 'CVSS_V3', 'score', round(n * 97 % 100 / 10.0, 1))),
    'affected', jsonb_build_array(jsonb_build_object(
        'package', jsonb_build_object('name', 'example.org/library-' || n % 40, 'ecosystem', 'Go'),
        'ranges', jsonb_build_array(jsonb_build_object('type', 'SEMVER', 'events', jsonb_build_array(
            jsonb_build_object('introduced', '0'), jsonb_build_object('fixed', format('1.%s.%s', n % 7, n % 11))))))))
FROM generate_series(1, 200) AS n, format('DEMO-2026-%s', lpad(n::text, 4, '0')) AS id;
