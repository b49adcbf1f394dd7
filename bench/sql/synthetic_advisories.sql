-- Documents of the size and shape of advisories in the OSV format, for machines without real ones.
INSERT INTO line
SELECT jsonb_build_object(
    'schema_version', '1.3.1',
    'id', 'SYN-2026-' || n,
    'published', '2026-01-01T00:00:00Z',
    'aliases', jsonb_build_array('CVE-2026-' || n, 'GHSA-xxxx-' || n),
    'summary', 'Improper validation in example.com/module' || n,
    'details', repeat('A crafted request leads to a "panic" when it is parsed.' || chr(10), 4 + n % 8),
    'affected', (SELECT jsonb_agg(jsonb_build_object(
        'package', jsonb_build_object('name', 'example.com/module' || n, 'ecosystem', 'Go'),
        'ranges', jsonb_build_array(jsonb_build_object('type', 'SEMVER', 'events', jsonb_build_array(
            jsonb_build_object('introduced', '0'), jsonb_build_object('fixed', '1.' || m || '.0')))),
        'ecosystem_specific', jsonb_build_object('imports', jsonb_build_array(jsonb_build_object(
            'path', 'example.com/module' || n || '/v' || m, 'symbols', jsonb_build_array('Parse', 'Decode', 'Reader.Next'))))))
        FROM generate_series(1, 1 + n % 3) AS m),
    'references', jsonb_build_array(
        jsonb_build_object('type', 'FIX', 'url', 'https://example.com/module' || n || '/pull/' || n),
        jsonb_build_object('type', 'WEB', 'url', 'https://example.com/module' || n || '/commit/0123456789abcdef')))
FROM generate_series(1, 2000) AS n;
