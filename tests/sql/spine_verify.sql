-- Spines verified: what is wrong, where, and what the keys are worth.
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
-- Does something behind everybody's back.
CREATE TABLE trigger_state (relation regclass, name text, state "char");
CREATE PROCEDURE tamper(command text) LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    INSERT INTO trigger_state SELECT tgrelid, tgname, tgenabled FROM pg_trigger
    WHERE tgrelid IN ('scanner.proof_spines'::regclass, 'scanner.proof_segments'::regclass);
    ALTER TABLE scanner.proof_spines DISABLE TRIGGER ALL;
    ALTER TABLE scanner.proof_segments DISABLE TRIGGER ALL;
    EXECUTE command;
    FOR statement IN SELECT format('ALTER TABLE %s ENABLE %s TRIGGER %I', relation, CASE state WHEN 'A' THEN 'ALWAYS' END, name) FROM trigger_state LOOP
        EXECUTE statement;
    END LOOP;
    DELETE FROM trigger_state;
END $$;
SELECT create_proof_spine_schema();
CREATE TABLE spine (name text PRIMARY KEY, id text);
INSERT INTO spine SELECT name, build('CVE-2026-' || name)
FROM unnest('{good,payload,result,verdict,signature,tail,middle,row,gone,count,prev,swapped}'::text[]) AS name;
CREATE VIEW verdicts AS
    SELECT name, ok, status, root_ok AS root, ids_ok AS ids, links_ok AS links, rows_ok AS rows, all_segments_valid AS valid, v.segments AS n,
           (SELECT string_agg(idx::text, ',' ORDER BY idx) FROM scanner.proof_segments g WHERE g.segment_id = ANY (v.invalid_segment_ids)) AS invalid, findings, cache
    FROM spine, LATERAL verify_spine(id) v ORDER BY name;
CREATE FUNCTION told(of text) RETURNS TABLE (idx integer, finding text, recorded boolean, expected text, found text, detail text) LANGUAGE sql AS $$
    SELECT f.idx, f.finding, f.seq IS NOT NULL, CASE WHEN f.finding IN ('row_edited', 'row_deleted', 'key_edited') THEN '…' ELSE left(f.expected, 8) END,
           CASE WHEN f.finding IN ('row_edited', 'key_edited') THEN '…' ELSE left(f.found, 8) END, regexp_replace(f.detail, '[0-9a-f]{64}', '<digest>', 'g')
    FROM spine, LATERAL spine_findings(id) f WHERE name = of $$;

-- Nobody is trusted; then only one of the two keys; then both.
SELECT * FROM verdicts WHERE name = 'good';
SELECT trust_key(ed25519()) IS NOT NULL AS trusted;
SELECT * FROM verdicts WHERE name = 'good';
SELECT * FROM told('good');
SELECT trust_key(p256(), 'policy engine') IS NOT NULL AS trusted;
SELECT * FROM verdicts WHERE name = 'good';
SELECT * FROM told('good');
SELECT count(*), bool_and(ok) AS ok, min(status) AS status FROM verify_spines();

-- Tampered with, each in one way; the last: the evidence of one segment under the name of another.
CALL tamper($$UPDATE scanner.proof_segments SET envelope_json = jsonb_set(envelope_json::jsonb, '{payload}', '"eyJhIjoxfQ=="')::text FROM spine WHERE spine_id = id AND name = 'payload' AND idx = 1$$);
CALL tamper($$UPDATE scanner.proof_segments SET result_hash = repeat('0', 64) FROM spine WHERE spine_id = id AND name = 'result' AND idx = 1$$);
CALL tamper($$UPDATE scanner.proof_spines SET verdict = 'affected' FROM spine WHERE spine_id = id AND name = 'verdict'$$);
CALL tamper($$UPDATE scanner.proof_segments SET envelope_json = jsonb_set(envelope_json::jsonb, '{signatures,0,sig}', (SELECT to_jsonb(translate(envelope_json::jsonb #>> '{signatures,0,sig}', 'ABCabc123', 'BCAbca231'))))::text FROM spine WHERE spine_id = id AND name = 'signature' AND idx = 5$$);
CALL tamper($$DELETE FROM scanner.proof_segments USING spine WHERE spine_id = id AND name = 'tail' AND idx = 5$$);
CALL tamper($$DELETE FROM scanner.proof_segments USING spine WHERE spine_id = id AND name = 'middle' AND idx = 2$$);
CALL tamper($$UPDATE scanner.proof_segments SET tool_version = '2' FROM spine WHERE spine_id = id AND name = 'row' AND idx = 3$$);
CALL tamper($$DELETE FROM scanner.proof_spines USING spine WHERE spine_id = id AND name = 'gone'$$);
CALL tamper($$UPDATE scanner.proof_spines SET segment_count = 7 FROM spine WHERE spine_id = id AND name = 'count'$$);
CALL tamper($$UPDATE scanner.proof_segments SET prev_segment_hash = NULL FROM spine WHERE spine_id = id AND name = 'prev' AND idx = 4$$);
CALL tamper($$UPDATE scanner.proof_segments g SET envelope_json = e.envelope FROM spine, evidence e WHERE spine_id = id AND name = 'swapped' AND g.idx = 3 AND e.idx = 4$$);
SELECT * FROM verdicts;
SELECT name, t.* FROM spine, LATERAL told(name) t WHERE name <> 'good' ORDER BY name, idx, finding;
-- All at once, or some of them.
SELECT s.name, v.ok, v.status, v.findings FROM verify_spines() v LEFT JOIN spine s ON id = spine_id WHERE NOT ok ORDER BY name;
SELECT count(*), count(*) FILTER (WHERE ok) AS ok FROM verify_spines('vuln_id IN (''CVE-2026-good'', ''CVE-2026-row'')');
SELECT count(*) FROM verify_spines($$verdict = 'affected'$$);
SELECT count(*) FROM verify_spines('false -- nothing');
SELECT * FROM verify_spines('garbage');
SELECT * FROM verify_spines(schema => 'nowhere');
SELECT * FROM verify_spine('no such spine');
SELECT * FROM verify_spine(NULL);
SELECT * FROM verify_spine('x', NULL);

-- What is found is kept only if that is asked for.
SELECT count(*) FROM scanner.proof_spine_verification_cache;
SELECT name, status, cache FROM spine, LATERAL verify_spine(id, record => true) WHERE name IN ('good', 'payload', 'tail') ORDER BY name;
SELECT name, c.status, all_segments_valid AS valid, cardinality(invalid_segment_ids) AS invalid, signature_algorithm, key_fingerprint = string_agg(key, ',' ORDER BY key) AS keys
FROM spine JOIN scanner.proof_spine_verification_cache c ON id = spine_id, unnest(ARRAY[key_fingerprint(ed25519()), key_fingerprint(p256())]) key
GROUP BY name, c.spine_id ORDER BY name;
SELECT name, string_agg(idx || ' ' || status, ', ' ORDER BY idx) FROM spine JOIN scanner.proof_segments ON id = spine_id WHERE name IN ('good', 'payload') GROUP BY name ORDER BY name;
SELECT name, action FROM spine JOIN scanner.proof_spine_history ON id = spine_id WHERE name IN ('good', 'payload', 'tail') ORDER BY name, occurred_at_utc;
SELECT name, ok, status, cache FROM verdicts WHERE name IN ('good', 'payload', 'tail');
-- Again: nothing new in the history.
SELECT count(*) FROM spine, LATERAL verify_spine(id, record => true) WHERE name IN ('good', 'payload', 'tail');
SELECT name, action FROM spine JOIN scanner.proof_spine_history ON id = spine_id WHERE name IN ('good', 'payload', 'tail') ORDER BY name, occurred_at_utc;
BEGIN READ ONLY;
SELECT ok, status FROM verdicts WHERE name = 'good';
SELECT status FROM spine, LATERAL verify_spine(id, record => true) WHERE name = 'good';
ROLLBACK;

-- A cache that says otherwise makes nothing good, and nothing bad.
UPDATE scanner.proof_spine_verification_cache SET all_segments_valid = NOT all_segments_valid, invalid_segment_ids = '{}', status = 'Verified' FROM spine WHERE id = spine_id;
SELECT name, ok, status, valid, cache FROM verdicts WHERE name IN ('good', 'payload', 'tail');
SELECT * FROM told('good');

-- A key that is revoked counts for nothing, whenever it has signed; one that somebody has un-revoked neither.
SELECT revoke_key(key_fingerprint(p256()), 'lost');
SELECT name, ok, status, valid, invalid, cache FROM verdicts WHERE name = 'good';
SELECT * FROM told('good');
UPDATE auditspine.trusted_key SET revoked_at = NULL, revoke_reason = NULL;
SELECT name, ok, status, valid, cache FROM verdicts WHERE name = 'good';
SELECT * FROM told('good');

-- A trigger that is off makes no spine bad, but nothing is ok any more.
ALTER TABLE scanner.proof_segments DISABLE TRIGGER auditspine_audit;
SELECT name, ok, status, rows, findings FROM verdicts WHERE name = 'good';
SELECT * FROM told('good');
ALTER TABLE scanner.proof_segments ENABLE ALWAYS TRIGGER auditspine_audit;

-- An auditor verifies, and changes nothing.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_spines;
CREATE ROLE regress_auditspine_spines;
SELECT grant_auditor('regress_auditspine_spines');
GRANT SELECT ON spine TO regress_auditspine_spines;
SET ROLE regress_auditspine_spines;
SELECT count(*), count(*) FILTER (WHERE status = 'Invalid') AS invalid FROM verify_spines();
SELECT count(*) > 0 AS told FROM spine, LATERAL spine_findings(id);
SELECT status FROM spine, LATERAL verify_spine(id, record => true) WHERE name = 'good';
RESET ROLE;
DROP OWNED BY regress_auditspine_spines;
DROP ROLE regress_auditspine_spines;
