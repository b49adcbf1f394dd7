-- The blueprint findings, audited or not, with the EPSS file of a first day loaded, and those of two later days: one in
-- which the scores of :changing rows differ from the first day's, one in which those of all rows do.
SET client_min_messages = warning;
\o /dev/null
DROP SCHEMA IF EXISTS bench_findings CASCADE;
SELECT install_blueprint('findings', 'bench_findings');
SELECT audit_detach('bench_findings.epss_data') WHERE NOT :audited;

-- Uncompressed: unpacking the array is no part of loading it.
CREATE TABLE bench_findings.file (name text PRIMARY KEY, rows bench_findings.epss_row[]);
ALTER TABLE bench_findings.file ALTER COLUMN rows SET STORAGE EXTERNAL;
INSERT INTO bench_findings.file
SELECT name, array_agg(ROW(format('CVE-%s-%s', 1999 + n % 27, 10000 + n / 27),
                           round((n * 7919 + moved) % 99991 / 100000.0, 5),
                           round((n * 104729 + moved) % 99991 / 100000.0, 5))::bench_findings.epss_row ORDER BY n)
FROM generate_series(1, :rows::bigint) AS n
CROSS JOIN (VALUES ('first', 0), ('few', :rows / :changing), ('all', 1)) AS f (name, every)
CROSS JOIN LATERAL (SELECT CASE WHEN every = 0 THEN 0 WHEN n % every = 0 THEN 13 ELSE 0 END) AS m (moved)
GROUP BY name;

SELECT bench_findings.load_epss('2026-01-01', rows) FROM bench_findings.file WHERE name = 'first';
VACUUM (ANALYZE) bench_findings.epss_data;
VACUUM (ANALYZE) auditspine.audit_chain;
CHECKPOINT;
