-- Five spines, each tampered with in one way, with all triggers off.
CREATE TABLE tampered AS
SELECT spine_id, (ARRAY['payload', 'result hash', 'verdict', 'signature', 'last segment deleted'])[row_number() OVER (ORDER BY vuln_id)] AS what
FROM scanner.proof_spines WHERE superseded_by_spine_id IS NULL ORDER BY vuln_id LIMIT 5;
SET session_replication_role = replica;
ALTER TABLE scanner.proof_spines DISABLE TRIGGER USER;
ALTER TABLE scanner.proof_segments DISABLE TRIGGER USER;
UPDATE scanner.proof_segments SET envelope_json = jsonb_set(envelope_json::jsonb, '{payload}', to_jsonb(encode('{"guards":["waf"]}', 'base64')))::text
WHERE spine_id = (SELECT spine_id FROM tampered WHERE what = 'payload') AND idx = 3;
UPDATE scanner.proof_segments SET result_hash = encode(sha256('something else'), 'hex')
WHERE spine_id = (SELECT spine_id FROM tampered WHERE what = 'result hash') AND idx = 2;
UPDATE scanner.proof_spines SET verdict = CASE verdict WHEN 'affected' THEN 'not_affected' ELSE 'affected' END
WHERE spine_id = (SELECT spine_id FROM tampered WHERE what = 'verdict');
UPDATE scanner.proof_segments SET envelope_json = jsonb_set(envelope_json::jsonb, '{signatures,0,sig}', to_jsonb(translate(envelope_json::jsonb #>> '{signatures,0,sig}', 'bcde', 'cdeb')))::text
WHERE spine_id = (SELECT spine_id FROM tampered WHERE what = 'signature') AND idx = 0;
DELETE FROM scanner.proof_segments WHERE spine_id = (SELECT spine_id FROM tampered WHERE what = 'last segment deleted') AND idx = 5;
DO $$
DECLARE statement text;
BEGIN
    FOR statement IN SELECT format('ALTER TABLE %s ENABLE %s TRIGGER %I', tgrelid::regclass, CASE WHEN tgname LIKE 'auditspine\_%' THEN 'ALWAYS' END, tgname)
                     FROM pg_trigger WHERE tgrelid IN ('scanner.proof_spines'::regclass, 'scanner.proof_segments'::regclass) AND NOT tgisinternal LOOP
        EXECUTE statement;
    END LOOP;
END $$;
RESET session_replication_role;

\echo 'verify_spines():'
SELECT count(*) AS spines, count(*) FILTER (WHERE ok) AS ok, count(*) FILTER (WHERE NOT ok) AS not_ok FROM verify_spines();
SELECT what, ok, status, root_ok, ids_ok, links_ok, rows_ok, all_segments_valid AS segments_valid FROM tampered JOIN verify_spines() USING (spine_id) ORDER BY what;
\echo 'spine_findings():'
SELECT what, idx, finding, seq FROM tampered, LATERAL spine_findings(spine_id) ORDER BY what, idx NULLS FIRST, finding;

SELECT NOT coalesce((SELECT bool_and(NOT ok) AND count(*) = 5 FROM tampered JOIN verify_spines() USING (spine_id)), false)
    OR EXISTS (SELECT FROM verify_spines() WHERE NOT ok AND spine_id NOT IN (SELECT spine_id FROM tampered)) AS missed \gset
\if :missed
    DO $$ BEGIN RAISE EXCEPTION 'the verdicts are not those of the five spines that were tampered with'; END $$;
\endif
