-- What a user writes who knows the document of blueprint proofspine and nothing else; each statement succeeds, verdicts are
-- right afterwards, and what is tampered with is found.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_proofspine_scanner;
RESET client_min_messages;
SELECT install_blueprint('proofspine');
CREATE ROLE regress_proofspine_scanner;
GRANT USAGE ON SCHEMA scanner TO regress_proofspine_scanner;
GRANT SELECT, INSERT, UPDATE ON scanner.proof_spines, scanner.proof_segments, scanner.proof_spine_history, scanner.proof_spine_verification_cache
    TO regress_proofspine_scanner;

-- The scanner, with names unqualified.
SET ROLE regress_proofspine_scanner;
SET search_path = scanner;
-- Only what is required; and segments in transactions of their own, in any order.
INSERT INTO proof_spines (spine_id, artifact_id, vuln_id, policy_profile_id, verdict, root_hash, scan_run_id)
VALUES ('spine-1', 'sha256:artifact', 'CVE-2026-1', 'default', 'under_investigation', 'root-1', 'scan-1') RETURNING segment_count, superseded_by_spine_id;
INSERT INTO proof_segments (segment_id, spine_id, idx, segment_type, input_hash, result_hash, prev_segment_hash, envelope_json, tool_id, tool_version)
VALUES ('segment-2', 'spine-1', 1, 'Match', 'in', 'out', 'before', '{"payload": ""}', 'matcher', '1');
INSERT INTO proof_segments (segment_id, spine_id, idx, segment_type, input_hash, result_hash, envelope_json, tool_id, tool_version)
VALUES ('segment-1', 'spine-1', 0, 'SbomSlice', 'in', 'before', 'not JSON at all', 'sbom', '2.0') RETURNING status;
SELECT segment_count FROM proof_spines WHERE spine_id = 'spine-1';
-- All columns; without their names, too.
INSERT INTO proof_spines (spine_id, artifact_id, vuln_id, policy_profile_id, verdict, verdict_reason, root_hash, scan_run_id, segment_count, created_at_utc, superseded_by_spine_id)
VALUES ('spine-2', 'sha256:artifact', 'CVE-2026-1', 'default', 'affected', 'reachable', 'root-2', 'scan-2', 0, '2026-03-01 12:00+00', NULL);
INSERT INTO proof_spines VALUES ('spine-3', 'sha256:artifact', 'CVE-2026-2', 'default', 'fixed', 'updated', 'root-3', 'scan-2', 0, now(), NULL);
INSERT INTO proof_segments (segment_id, spine_id, idx, segment_type, input_hash, result_hash, prev_segment_hash, envelope_json, tool_id, tool_version, status, created_at_utc)
SELECT 'all-' || n, 'spine-2', n, (ARRAY['SbomSlice', 'Match', 'Reachability', 'GuardAnalysis', 'RuntimeObservation', 'PolicyEval'])[n + 1], 'in', 'out ' || n, 'out ' || n - 1, '{}', 'tool', '1',
       (ARRAY['Pending', 'Verified', 'Partial', 'Invalid', 'Untrusted', 'Pending'])[n + 1], now()
FROM generate_series(0, 5) AS n;
SELECT segment_count FROM proof_spines WHERE spine_id = 'spine-2';
-- The life of a spine: superseded once, by whom it was superseded is corrected, and everything older in one statement.
UPDATE proof_spines SET superseded_by_spine_id = 'spine-2' WHERE spine_id = 'spine-1' AND superseded_by_spine_id IS NULL;
UPDATE proof_spines SET superseded_by_spine_id = 'spine-2'
WHERE (artifact_id, vuln_id, policy_profile_id) = ('sha256:artifact', 'CVE-2026-1', 'default') AND spine_id <> 'spine-2';
UPDATE proof_spines SET verdict = 'not_affected', verdict_reason = 'not loaded' WHERE spine_id = 'spine-3';
UPDATE proof_segments SET status = 'Verified' WHERE spine_id = 'spine-1';
INSERT INTO proof_spine_verification_cache (spine_id, verifier_version, all_segments_valid, signature_algorithm, key_fingerprint)
VALUES ('spine-1', '1.0', true, 'ecdsa-p256', 'abc') RETURNING verified_at_utc = now() AS now;
INSERT INTO proof_spine_verification_cache (spine_id, verified_at_utc, verifier_version, all_segments_valid, invalid_segment_ids, signature_algorithm, key_fingerprint)
VALUES ('spine-1', now(), '1.1', false, ARRAY['segment-1'], 'ecdsa-p256', 'abc')
ON CONFLICT (spine_id) DO UPDATE SET verified_at_utc = excluded.verified_at_utc, verifier_version = excluded.verifier_version,
    all_segments_valid = excluded.all_segments_valid, invalid_segment_ids = excluded.invalid_segment_ids;
INSERT INTO proof_spine_history (spine_id, action) VALUES ('spine-1', 'verified') RETURNING history_id IS NOT NULL AS numbered, actor, reason;
INSERT INTO proof_spine_history (history_id, spine_id, action, actor, reason, occurred_at_utc)
VALUES ('6f2c7a52-0000-4000-8000-000000000001', 'spine-1', 'invalidated', 'verifier', 'segment-1 is unsigned', now());
SELECT spine_id, action, actor = session_user AS by_trigger, reason FROM proof_spine_history ORDER BY occurred_at_utc, action;
-- Looked up as its indexes are made for.
SELECT spine_id, verdict FROM proof_spines WHERE artifact_id = 'sha256:artifact' AND vuln_id = 'CVE-2026-1' AND policy_profile_id = 'default' AND superseded_by_spine_id IS NULL;
SELECT s.spine_id, g.idx, g.segment_type, g.status FROM proof_spines AS s JOIN proof_segments AS g USING (spine_id) WHERE s.scan_run_id = 'scan-1' ORDER BY g.idx;
SELECT spine_id, all_segments_valid, invalid_segment_ids FROM proof_spine_verification_cache ORDER BY verified_at_utc DESC;
-- What the document refuses is refused: another verdict, type, status, action; a second spine of the same root; a segment of none.
\set VERBOSITY sqlstate
INSERT INTO proof_spines VALUES ('x', 'a', 'v', 'p', 'Affected', NULL, 'r', 's');
INSERT INTO proof_spines VALUES ('x', 'sha256:artifact', 'CVE-2026-1', 'default', 'affected', NULL, 'root-2', 's');
INSERT INTO proof_segments VALUES ('x', 'spine-1', 7, 'Guess', 'i', 'r', NULL, '{}', 't', '1');
INSERT INTO proof_segments VALUES ('x', 'spine-1', 7, 'Match', 'i', 'r', NULL, '{}', 't', '1', 'Good');
INSERT INTO proof_segments VALUES ('x', 'spine-1', 1, 'Match', 'i', 'r', NULL, '{}', 't', '1');
INSERT INTO proof_segments VALUES ('x', 'nowhere', 1, 'Match', 'i', 'r', NULL, '{}', 't', '1');
INSERT INTO proof_spine_history (spine_id, action) VALUES ('spine-1', 'forgotten');
\set VERBOSITY default
RESET search_path;
RESET ROLE;
-- Its triggers, made under other names, tell and count nothing twice; in the place of ours they do the same.
CREATE TRIGGER mine AFTER INSERT OR DELETE ON scanner.proof_segments FOR EACH ROW EXECUTE FUNCTION scanner.update_spine_segment_count();
CREATE TRIGGER mine AFTER INSERT OR UPDATE ON scanner.proof_spines FOR EACH ROW EXECUTE FUNCTION scanner.record_spine_history();
INSERT INTO scanner.proof_spines VALUES ('spine-4', 'a', 'v', 'p', 'fixed', NULL, 'r', 's');
INSERT INTO scanner.proof_segments SELECT 's4-' || n, 'spine-4', n, 'Match', 'i', 'r', NULL, '{}', 't', '1' FROM generate_series(0, 2) AS n;
DELETE FROM scanner.proof_segments WHERE segment_id = 's4-2';
SELECT segment_count, (SELECT count(*) FROM scanner.proof_spine_history AS h WHERE h.spine_id = s.spine_id) AS told FROM scanner.proof_spines AS s WHERE spine_id = 'spine-4';
BEGIN;
ALTER TABLE scanner.proof_segments DISABLE TRIGGER trg_update_segment_count, DISABLE TRIGGER trg_update_segment_count_delete, DISABLE TRIGGER trg_update_segment_count_update, DISABLE TRIGGER trg_update_segment_count_truncate;
ALTER TABLE scanner.proof_spines DISABLE TRIGGER trg_record_spine_history;
INSERT INTO scanner.proof_spines VALUES ('spine-5', 'a', 'v', 'p', 'fixed', NULL, 'r2', 's');
UPDATE scanner.proof_spines SET superseded_by_spine_id = 'spine-5' WHERE spine_id = 'spine-4';
INSERT INTO scanner.proof_segments SELECT 's5-' || n, 'spine-5', n, 'Match', 'i', 'r', NULL, '{}', 't', '1' FROM generate_series(0, 2) AS n;
DELETE FROM scanner.proof_segments WHERE segment_id = 's5-2';
SELECT spine_id, segment_count, (SELECT string_agg(action, ' ' ORDER BY occurred_at_utc) FROM scanner.proof_spine_history AS h WHERE h.spine_id = s.spine_id) AS told
FROM scanner.proof_spines AS s WHERE spine_id IN ('spine-4', 'spine-5') ORDER BY spine_id;
ROLLBACK;
DROP TRIGGER mine ON scanner.proof_segments;
DROP TRIGGER mine ON scanner.proof_spines;
-- What these spines are worth, the verifier tells: ids and hashes that are none.
SELECT v.spine_id, v.status, v.rows_ok, v.superseded_by FROM verify_spines() AS v ORDER BY 1;
SELECT idx, finding FROM spine_findings('spine-1') ORDER BY idx NULLS FIRST, finding;

-- A spine as the document has it made, of what tools write: an SBOM and a VEX document, each attested and signed in a DSSE
-- envelope. root_hash is SHA-256 of the result hashes put together, spine_id SHA-256 of the four texts put together; segments
-- are called and counted as one likes.
\set sbom `cat "$PG_ABS_SRCDIR/data/spines/api.cdx.dsse.json"`
\set vex `cat "$PG_ABS_SRCDIR/data/spines/api.openvex.dsse.json"`
\set key `cat "$PG_ABS_SRCDIR/data/spines/cosign.pub"`
SELECT trust_key(:'key', 'cosign key of the shop') IS NOT NULL AS trusted;
CREATE TABLE received (n integer, segment_type text, tool_id text, envelope text);
INSERT INTO received VALUES (1, 'SbomSlice', 'syft', :'sbom'), (2, 'PolicyEval', 'vexctl', E'\n  ' || replace(:'vex', ',', E' ,\t'));
CREATE VIEW hashed AS
SELECT n, segment_type, tool_id, envelope, encode(sha256(decode(envelope::jsonb ->> 'payload', 'base64')), 'hex') AS result FROM received;
CREATE FUNCTION joined(text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT encode(sha256(convert_to(array_to_string($1, ''), 'UTF8')), 'hex') $$;
GRANT SELECT ON hashed TO regress_proofspine_scanner;
SET ROLE regress_proofspine_scanner;
BEGIN;
INSERT INTO scanner.proof_spines (spine_id, artifact_id, vuln_id, policy_profile_id, verdict, verdict_reason, root_hash, scan_run_id)
SELECT public.joined(ARRAY['pkg:oci/api', 'CVE-2026-1234', 'strict', root]), 'pkg:oci/api', 'CVE-2026-1234', 'strict', 'not_affected', 'vulnerable_code_not_in_execute_path', root, 'scan-9'
FROM (SELECT public.joined(array_agg(result ORDER BY n)) FROM public.hashed) AS r (root);
INSERT INTO scanner.proof_segments (segment_id, spine_id, idx, segment_type, input_hash, result_hash, prev_segment_hash, envelope_json, tool_id, tool_version)
SELECT 'api-' || n, spine_id, n, segment_type, 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', result, lag(result) OVER (ORDER BY n), envelope, tool_id, '1'
FROM public.hashed, scanner.proof_spines WHERE artifact_id = 'pkg:oci/api';
COMMIT;
RESET ROLE;
CREATE VIEW api AS SELECT v.* FROM scanner.proof_spines AS s, LATERAL verify_spine(s.spine_id) AS v WHERE s.artifact_id = 'pkg:oci/api' AND s.verdict_reason = 'vulnerable_code_not_in_execute_path';
SELECT ok, status, root_ok, ids_ok, links_ok, rows_ok, all_segments_valid, segments FROM api;
-- To the byte.
SELECT idx, envelope_json = envelope AS as_received FROM scanner.proof_segments JOIN received ON n = idx WHERE segment_id LIKE 'api-%' ORDER BY idx;
SELECT idx, segment_type, tool, payload_type, payload::jsonb ->> 'predicateType' AS predicate, payload::jsonb #>> '{predicate,statements,0,status}' AS status, findings
FROM scanner.proof_spine_evidence('pkg:oci/api', 'CVE-2026-1234', 'strict');
-- create_spine() knows the evidence again; other evidence, given as text, takes the place of the spine above and of one beside it.
CREATE FUNCTION build(last integer, verdict text, reason text) RETURNS text LANGUAGE sql AS $$
    SELECT create_spine('pkg:oci/api', 'CVE-2026-1234', 'strict', verdict, 'scan-10', (SELECT jsonb_agg(jsonb_build_object('segment_type', segment_type, 'input_hash', result, 'result_hash', result,
        'envelope_json', envelope, 'tool_id', tool_id, 'tool_version', '1') ORDER BY n) FROM hashed WHERE n <= last), reason) $$;
SELECT build(2, 'not_affected', 'vulnerable_code_not_in_execute_path') = spine_id AS same FROM api;
INSERT INTO scanner.proof_spines VALUES ('beside', 'pkg:oci/api', 'CVE-2026-1234', 'strict', 'affected', NULL, 'r', 's');
SELECT count(*) AS current FROM scanner.proof_spine_decisions WHERE artifact_id = 'pkg:oci/api';
SELECT build(1, 'under_investigation', NULL) IS NOT NULL AS built;
SELECT verdict, managed, envelope_json = :'sbom' AS as_received FROM scanner.proof_spines JOIN scanner.proof_segments USING (spine_id)
WHERE artifact_id = 'pkg:oci/api' AND superseded_by_spine_id IS NULL;
SELECT verdict, superseded_by_spine_id IS NULL AS current FROM scanner.proof_spines WHERE artifact_id = 'pkg:oci/api' ORDER BY verdict;
SELECT ok, status FROM api;
-- Supersession that hides a decision: by another, in a circle.
UPDATE scanner.proof_spines SET superseded_by_spine_id = 'spine-3' WHERE spine_id = 'spine-4';
UPDATE scanner.proof_spines SET superseded_by_spine_id = 'spine-1' WHERE spine_id = 'spine-2';
SELECT spine_id, finding, found, detail FROM unnest('{spine-1,spine-2,spine-4}'::text[]) AS s, spine_findings(s) WHERE finding ~ 'supersed|current' ORDER BY 1, 2;
UPDATE scanner.proof_spines SET superseded_by_spine_id = NULL WHERE spine_id IN ('spine-2', 'spine-4');
SELECT layer, subject, ok, findings FROM verify_all();

-- One byte of an envelope, behind the triggers: white space that no signature covers, and no JSON parser would tell.
SET session_replication_role = replica;
ALTER TABLE scanner.proof_segments DISABLE TRIGGER auditspine_audit;
UPDATE scanner.proof_segments SET envelope_json = ' ' || envelope_json WHERE segment_id = 'api-1';
ALTER TABLE scanner.proof_segments ENABLE ALWAYS TRIGGER auditspine_audit;
RESET session_replication_role;
SELECT ok, status, rows_ok, first_finding FROM api;
SELECT table_name, finding, key FROM verify_table_findings('scanner.proof_segments');
SELECT layer, subject, ok, findings FROM verify_all() WHERE NOT ok;
DROP OWNED BY regress_proofspine_scanner;
DROP ROLE regress_proofspine_scanner;
