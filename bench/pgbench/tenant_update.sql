\set n random(1, 1000)
\set finding random(0, 19)
\set count random(0, 100)
BEGIN;
SELECT zerotrace.set_company_context(md5('company ' || :n::int)::uuid, true);
UPDATE zerotrace.network_findings SET status = 'in_progress', vulnerability_count = :count::int WHERE id = md5(:n::int || ' ' || :finding::int)::uuid;
COMMIT;
