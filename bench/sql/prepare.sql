-- What all sections share: pgcrypto, and ready-made rows, so that making them is not measured.
CREATE EXTENSION pgcrypto SCHEMA public;

CREATE UNLOGGED TABLE public.ready_rows AS
SELECT n::bigint AS id,
       1 + n / 1000 AS scan_id,
       (ARRAY['low', 'medium', 'high', 'critical'])[1 + n % 4] AS severity,
       'CVE-2026-' || 10000 + n % 90000 || ' in library-' || n % 1000 AS title,
       (n % 101 / 10.0)::numeric(3, 1) AS score,
       timestamptz '2026-01-01 00:00:00.123456Z' + n * interval '1.000001 s' AS created_at
FROM generate_series(1, :rows) AS n;

VACUUM (ANALYZE) public.ready_rows;
SELECT count(*) FROM public.ready_rows \g /dev/null
