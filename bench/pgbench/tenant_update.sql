\set n random(1, 1000)
\set finding random(0, 19)
\set tenths random(0, 100)
BEGIN;
SELECT zerotrace.set_company_context(md5('company ' || :n::int)::uuid, true);
UPDATE zerotrace.network_findings SET status = 'in_progress', risk_score = :tenths::int / 10.0 WHERE id = md5(:n::int || ' ' || :finding::int)::uuid;
COMMIT;
