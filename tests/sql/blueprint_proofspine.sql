-- Blueprint proofspine: installing it, in any order with the tables of spines; its routine, alerts and views.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_proofspine_auditor;
RESET client_min_messages;
CREATE FUNCTION ed25519() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT E'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAeGVygzLgOmO2RCtC75jusdS+/R6cUDK4PXD2Tl9VGlA=\n-----END PUBLIC KEY-----\n' $$;
CREATE FUNCTION p256() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT E'-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdmDA4af603LDsEc0vD8uHSrUHRPR\nj2JKiHVqAW9Bdxd+QRocSnmHyFC5KpKA+3y7kzOPgFKDHEAnLuF6Zu47ow==\n-----END PUBLIC KEY-----\n' $$;
-- Six pieces of evidence: the third a Statement whose subject is the result, the last signed by another key.
CREATE TABLE evidence (idx integer, segment_type text, input_hash text, result_hash text, envelope jsonb);
INSERT INTO evidence VALUES
    (0, 'SbomSlice', '4f8b13d23ecb835d852b0c4bc706c0fc315fe3f3827d321c99666d8376d8635a', 'c673456e647856533c449fa3e2c031327d5308ec7cdb4b762967aa7950960da8', '{"payload":"eyJzZWdtZW50IjoiU2JvbVNsaWNlIiwidG9vbCI6InNjYW4ifQ==","payloadType":"application/vnd.example+json","signatures":[{"keyid":"5b30a97b14a044d2e1c2d0e5653347697fa2cd1cc3e6bf924028548254206725","sig":"rfUlVscDnK0IzL2GCiDHRi81P30AlKu+XRXX66jeFIowHrj7+S0JqbJCV7kT5fsLySr5HVoJ2QWBxHzh94+2CQ=="}]}'),
    (1, 'Match', '46c512fb0105403d4b76a9203df509cbfd01aa29ba6b8eba843505f42a82eceb', 'b52a6fb411f17107171867698b857031b57d97a0ff3032f59224237741022fff', '{"payload":"eyJzZWdtZW50IjoiTWF0Y2giLCJ0b29sIjoic2NhbiJ9","payloadType":"application/vnd.example+json","signatures":[{"keyid":"5b30a97b14a044d2e1c2d0e5653347697fa2cd1cc3e6bf924028548254206725","sig":"nKv2u+4d9B4FBnWkoN+CZbTTXsilDia8w08ZPB7mDfmRR5sckNR2NMNcz8hKhQCblEG3HAPdi9Oc/05kOD4fAQ=="}]}'),
    (2, 'Reachability', '786eba7fe92bed599723f81f2c4fdfe34e63bb69fff369ace875c155fbf8bf92', '21ea0f42e3ae64d4bf35f2903679711f808f7a4ad027650198013ec8688b67e1', '{"payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJzdWJqZWN0IjpbeyJuYW1lIjoiZ3JhcGguanNvbiIsImRpZ2VzdCI6eyJzaGEyNTYiOiIyMWVhMGY0MmUzYWU2NGQ0YmYzNWYyOTAzNjc5NzExZjgwOGY3YTRhZDAyNzY1MDE5ODAxM2VjODY4OGI2N2UxIn19XSwicHJlZGljYXRlVHlwZSI6Imh0dHBzOi8vZXhhbXBsZS5vcmcvcmVhY2hhYmlsaXR5IiwicHJlZGljYXRlIjp7InJlYWNoYWJsZSI6ZmFsc2V9fQ==","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"5b30a97b14a044d2e1c2d0e5653347697fa2cd1cc3e6bf924028548254206725","sig":"04IVzJgw56AY3mfWZguHXGjP043449tpeGE4ewfshyS1r0SrLnI10qXA2EpitJgTBexJAPfaSSl7LC6wK9jdBQ=="}]}'),
    (3, 'GuardAnalysis', '68310110d8473fe6c6462adc219ec3a4dc970d7b41d99e6d8231457940bf47c3', 'b85fca3603d2bf2a85c2f701231e73808b0fa78d605c35d60d0c499492dce909', '{"payload":"eyJzZWdtZW50IjoiR3VhcmRBbmFseXNpcyIsInRvb2wiOiJzY2FuIn0=","payloadType":"application/vnd.example+json","signatures":[{"keyid":"5b30a97b14a044d2e1c2d0e5653347697fa2cd1cc3e6bf924028548254206725","sig":"oaVm81oCvq6sZvwx8B/FQpFeUMFGUmPzxgXmzXSJsOFw+M8WWqc/G1bhnwkU//zWaJEiJPb5Ac/rkN3Tb2pxBw=="}]}'),
    (4, 'RuntimeObservation', 'fa6a5c1dc5a08cf10f38832cd0a211bf8378bb6868ddac1fcb6b0a480feeb0ef', '6a0fab8b94e69d1bfe35733edb0f95f83c62bb64f1357913618e4e3d27f11684', '{"payload":"eyJzZWdtZW50IjoiUnVudGltZU9ic2VydmF0aW9uIiwidG9vbCI6InNjYW4ifQ==","payloadType":"application/vnd.example+json","signatures":[{"keyid":"5b30a97b14a044d2e1c2d0e5653347697fa2cd1cc3e6bf924028548254206725","sig":"E53HykyVV4jfVHKddQq7MDBT4CLQcI7KjA+0QXbiPMIvlnTcZEpZKWVMZYRH7BmmW2n+X5vUwJwHdxUaGtc5Cw=="}]}'),
    (5, 'PolicyEval', 'a4496686340e5303bcbb749bb951141b74f920c5920e690d8cdbe1dca760aba9', '6a79a0d72c7f26f6964c7e2c414153dfc1921f5bae37e485f12b5cbe14207733', '{"payload":"eyJzZWdtZW50IjoiUG9saWN5RXZhbCIsInRvb2wiOiJzY2FuIn0=","payloadType":"application/vnd.example+json","signatures":[{"keyid":"04caa272871827bc294cab354682806102ea886bd9669afdb42ea4eda4ccd2bc","sig":"UUtlUiRJee1XL2plroZFZd53j4n1AneQW4elzm7bX5Xo1McBuNoWjMUCY9khHpa10hWU+YxP1MA1CE3lVpOSrQ=="}]}');
CREATE FUNCTION build(vuln text) RETURNS text LANGUAGE sql AS $$
    SELECT create_spine('pkg:deb/debian/zlib@1.2', vuln, 'strict', 'not_affected', 'run 1',
        (SELECT jsonb_agg(jsonb_build_object('segment_type', segment_type, 'input_hash', input_hash, 'result_hash', result_hash, 'envelope_json', envelope,
                                             'tool_id', 'scan', 'tool_version', '1') ORDER BY idx) FROM evidence), 'not reachable') $$;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ': ' || message || CASE WHEN hint = '' THEN '' ELSE ' (' || hint || ')' END;
END $$;

-- The tables of spines may be there, or be asked for afterwards.
BEGIN;
SELECT create_proof_spine_schema();
SELECT install_blueprint('proofspine');
SELECT install_blueprint('proofspine');
SELECT count(*) FROM auditspine.audited_table WHERE table_name::text LIKE 'scanner.%';
ROLLBACK;
SELECT install_blueprint('proofspine');
SELECT create_proof_spine_schema();
SELECT install_blueprint('proofspine', 'second');
SELECT install_blueprint('proofspine', 'user');
SELECT "user".proof_spine_concerns('rows', '"user".proof_spines') AS mine, "user".proof_spine_concerns('rows', 'scanner.proof_spines') AS others;
SET client_min_messages = warning;
DROP SCHEMA second CASCADE;
DROP SCHEMA "user" CASCADE;
RESET client_min_messages;
SELECT count(audit_detach_kind(kind)) FROM (SELECT DISTINCT event_pk AS kind FROM auditspine.audit_chain
    WHERE event_kind = 'auditspine.attach' AND event_pk NOT LIKE 'scanner.%') AS k;
SELECT table_name, payload, append_only, enabled FROM auditspine.audited_table ORDER BY table_name::text COLLATE "C";
SELECT c.relname FROM pg_class AS c WHERE relnamespace = 'scanner'::regnamespace AND relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT p.oid::regprocedure FROM pg_proc AS p WHERE pronamespace = 'scanner'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;
BEGIN;
DROP TABLE scanner.proof_spine_runs CASCADE;
SELECT attempt($$SELECT install_blueprint('proofspine')$$);
ROLLBACK;

-- Decisions. Until keys are trusted nobody's signature counts.
CREATE TABLE spine AS SELECT name, build('CVE-2026-' || name) AS id FROM unnest('{a,b,c,d}'::text[]) AS name;
CREATE VIEW alerts AS
SELECT kind, severity, regexp_replace(subject, '[0-9a-f]{64}', '<key>') AS subject, name, idx, finding, occurrence, resolved_at IS NULL AS open, left(detail, 60) AS detail
FROM scanner.proof_spine_alerts LEFT JOIN spine ON id = spine_id ORDER BY kind, finding, name, subject, seq, occurrence;
SELECT vuln_id, verdict, status, verified_at_utc IS NULL AS never, segment_count, open_alerts FROM scanner.proof_spine_decisions ORDER BY vuln_id;
SELECT trust_key(ed25519(), 'scanner') IS NOT NULL AS trusted;
SELECT layer, subject, ok, checked, findings, detail FROM scanner.verify_proof_spines();
SELECT kind, severity, finding, idx, detail, count(*) FROM alerts GROUP BY 1, 2, 3, 4, 5;
SELECT trust_key(p256(), 'policy engine') IS NOT NULL AS trusted;
SELECT layer, subject, ok, checked, findings, detail FROM scanner.verify_proof_spines();
SELECT vuln_id, status, verified_at_utc IS NULL AS never, open_alerts FROM scanner.proof_spine_decisions ORDER BY vuln_id;
UPDATE scanner.proof_spine_alerts SET resolved_at = now(), resolved_by = 'me';
SELECT which, spines, verified, partial, untrusted, invalid, not_ok, audit_findings, alerts, ok, finished_at >= started_at AS in_time FROM scanner.proof_spine_runs ORDER BY run_id;
SELECT comment, algorithm, state, decisions FROM scanner.proof_spine_keys ORDER BY comment;
SELECT idx, segment_type, tool, left(result_hash, 8) AS result, payload_type, payload, findings FROM scanner.proof_spine_evidence('pkg:deb/debian/zlib@1.2', 'CVE-2026-a', 'strict');
SELECT attempt($$SELECT scanner.proof_spine_evidence('x', 'y', 'z')$$);

-- Tampered with; a row of long ago is found by an incremental run, too, once its spine is looked at.
CREATE PROCEDURE tamper(target regclass, what text) LANGUAGE plpgsql AS $$
DECLARE
    states text[] := ARRAY(SELECT format('ENABLE %s TRIGGER %I', CASE tgenabled WHEN 'A' THEN 'ALWAYS' END, tgname) FROM pg_trigger WHERE tgrelid = target AND NOT tgisinternal);
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', target);
    PERFORM set_config('session_replication_role', 'replica', false);
    EXECUTE what;
    PERFORM set_config('session_replication_role', 'origin', false);
    EXECUTE format('ALTER TABLE %s %s', target, array_to_string(states, ', '));
END $$;
CALL tamper('scanner.proof_segments', $$UPDATE scanner.proof_segments SET envelope_json = jsonb_set(envelope_json::jsonb, '{payload}', '"eyJhIjoxfQ=="')::text FROM spine WHERE spine_id = id AND name = 'b' AND idx IN (1, 3)$$);
CALL tamper('scanner.proof_spines', $$UPDATE scanner.proof_spines SET verdict = 'affected' FROM spine WHERE spine_id = id AND name = 'c'$$);
SELECT layer, subject, ok, checked, findings, detail FROM scanner.verify_proof_spines('last', $$vuln_id = 'CVE-2026-d'$$);
SELECT layer, ok, checked, findings, detail FROM scanner.verify_proof_spines('last') WHERE NOT ok OR layer = 'spines';
SELECT * FROM alerts WHERE open;
SELECT scope, findings, alerts FROM auditspine.verification ORDER BY verification_id DESC LIMIT 3;
SELECT layer, ok, findings FROM scanner.verify_proof_spines('last') WHERE layer IN ('spines', 'alerts');
SELECT layer, ok, findings FROM scanner.verify_proof_spines() WHERE layer IN ('spines', 'alerts');
SELECT vuln_id, verdict, status, open_alerts FROM scanner.proof_spine_decisions ORDER BY vuln_id;
SELECT idx, payload, findings FROM scanner.proof_spine_evidence('pkg:deb/debian/zlib@1.2', 'CVE-2026-b', 'strict');
-- A spine that is gone is missed by a whole run; a key that somebody has written over is told.
CALL tamper('scanner.proof_segments', $$DELETE FROM scanner.proof_segments USING spine WHERE spine_id = id AND name = 'd'$$);
CALL tamper('scanner.proof_spine_verification_cache', $$DELETE FROM scanner.proof_spine_verification_cache USING spine WHERE spine_id = id AND name = 'd'$$);
CALL tamper('scanner.proof_spines', $$DELETE FROM scanner.proof_spines USING spine WHERE spine_id = id AND name = 'd'$$);
CALL tamper('auditspine.trusted_key', $$UPDATE auditspine.trusted_key SET comment = 'mine' WHERE comment = 'scanner'$$);
SELECT layer, ok, findings FROM scanner.verify_proof_spines() WHERE layer IN ('keys', 'spines', 'alerts');
SELECT kind, severity, subject, name, finding, idx FROM alerts WHERE open AND finding IN ('row_deleted', 'key_edited', 'key_unknown');
CALL tamper('auditspine.trusted_key', $$UPDATE auditspine.trusted_key SET comment = 'scanner' WHERE comment = 'mine'$$);
-- Resolved, and still there: told again. A key that is lost speaks against all that it signed.
UPDATE scanner.proof_spine_alerts SET resolved_at = now(), resolved_by = 'me' WHERE resolved_at IS NULL AND kind = 'proof_spine_break';
SELECT revoke_key(key_fingerprint(p256()), 'lost');
SELECT layer, ok, findings, detail FROM scanner.verify_proof_spines() WHERE layer IN ('spines', 'alerts');
SELECT * FROM alerts WHERE open AND kind = 'proof_spine_break';
SELECT comment, state, decisions FROM scanner.proof_spine_keys ORDER BY comment;

-- The trigger of the alerts is off: there are not more of them every time.
ALTER TABLE scanner.proof_spine_alerts DISABLE TRIGGER auditspine_audit;
UPDATE scanner.proof_spine_alerts SET resolved_at = now(), resolved_by = 'me' WHERE resolved_at IS NULL AND kind = 'proof_spine_break';
SELECT findings FROM scanner.verify_proof_spines() WHERE layer = 'alerts';
SELECT findings FROM scanner.verify_proof_spines() WHERE layer = 'alerts';
SELECT findings FROM scanner.verify_proof_spines() WHERE layer = 'alerts';

-- An auditor looks.
CREATE ROLE regress_proofspine_auditor;
SELECT grant_auditor('regress_proofspine_auditor');
GRANT SELECT ON scanner.proof_spine_decisions, scanner.proof_spine_keys TO regress_proofspine_auditor;
SET ROLE regress_proofspine_auditor;
SELECT count(*) AS decisions, count(*) FILTER (WHERE status = 'Verified') AS verified FROM scanner.proof_spine_decisions;
SELECT count(*) AS keys FROM scanner.proof_spine_keys;
SELECT count(*) AS spines, count(*) FILTER (WHERE ok) AS ok FROM verify_spines();
SELECT count(*) AS segments FROM scanner.proof_spine_evidence('pkg:deb/debian/zlib@1.2', 'CVE-2026-a', 'strict');
SELECT count(*) > 0 AS alerts FROM scanner.proof_spine_alerts;
SELECT attempt('SELECT scanner.verify_proof_spines()'), attempt('SELECT scanner.schedule_proof_spines()'), attempt('DELETE FROM scanner.proof_spine_alerts'),
       attempt('UPDATE scanner.proof_spines SET verdict = verdict'), attempt('SELECT count(*) FROM verify_spines(record => true)') \gx
RESET ROLE;
SELECT attempt('DELETE FROM scanner.proof_spine_runs');
SELECT * FROM scanner.schedule_proof_spines();
DROP OWNED BY regress_proofspine_auditor;
DROP ROLE regress_proofspine_auditor;
