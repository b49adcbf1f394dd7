-- create_proof_spine_schema(): the tables of ProofSpines, and what their triggers see to.
\set SHOW_CONTEXT never
CREATE ROLE regress_auditspine_scanner;
CREATE ROLE regress_auditspine_builder;

-- Ids are digests of canonical JSON arrays.
SELECT spine_id('pkg:deb/x', 'CVE-1', 'strict', '00')
       = encode(sha256('["pkg:deb/x","CVE-1","strict","00"]'), 'hex') AS of_spine,
       segment_id('5a', 12, 'Match', '01', '02') = encode(sha256('["5a",12,"Match","01","02"]'), 'hex') AS of_segment,
       spine_id('ab', 'c', '', '') <> spine_id('a', 'bc', '', '') AS unambiguous,
       spine_id(NULL, '', '', '') IS NULL AS of_null;

-- Created once.
SELECT create_proof_spine_schema();
SELECT create_proof_spine_schema('scanner');
SELECT relname, relkind, relowner::regrole,
       EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e') AS of_the_extension,
       obj_description(c.oid, 'pg_class') IS NOT NULL AS commented,
       (SELECT count(*) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND col_description(attrelid, attnum) IS NULL) AS uncommented_columns
FROM pg_class c WHERE relnamespace = 'scanner'::regnamespace AND relkind = 'r' ORDER BY relname COLLATE "C";
SELECT conrelid::regclass AS table_name, contype, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE connamespace = 'scanner'::regnamespace AND contype NOT IN ('t', 'n')
ORDER BY conrelid::regclass::text COLLATE "C", contype, pg_get_constraintdef(oid) COLLATE "C";
SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index JOIN pg_class c ON c.oid = indexrelid
WHERE relnamespace = 'scanner'::regnamespace ORDER BY relname COLLATE "C";
SELECT tgrelid::regclass AS table_name, tgname, tgenabled, pg_get_triggerdef(oid) AS definition FROM pg_trigger
WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'scanner.%'
ORDER BY tgrelid::regclass::text COLLATE "C", tgname COLLATE "C";
SELECT table_name, kind, payload, append_only, enabled FROM auditspine.audited_table ORDER BY kind COLLATE "C";

-- Schemas of other names do not collide; some of the tables are not enough.
SELECT create_proof_spine_schema('Odd; "schema''s" @verbs@ $$ $1');
SELECT "Odd; ""schema's"" @verbs@ $$ $1".enforce_spine_rules();
SELECT kind FROM auditspine.audited_table WHERE kind LIKE 'Odd%' ORDER BY kind COLLATE "C";
CREATE SCHEMA partial;
CREATE TABLE partial.proof_segments (id integer);
CREATE VIEW partial.proof_spine_history AS SELECT 1;
CREATE SCHEMA taken;
CREATE TABLE taken.proof_segments (id integer);
CREATE TABLE taken.proof_spines (id integer);
CREATE TABLE taken.proof_spine_verification_cache (id integer);
CREATE VIEW taken.proof_spine_history AS SELECT 1;
CREATE SCHEMA there;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text; state text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, state = RETURNED_SQLSTATE;
    RETURN state || ' ' || message || CASE WHEN hint <> '' THEN E'\n  ' || hint ELSE '' END;
END $$;
\pset format unaligned
\pset tuples_only on
SELECT attempt(format('SELECT create_proof_spine_schema(%L)', name))
FROM (VALUES ('partial'), ('taken'), (''), (repeat('x', 64)), ('auditspine'), ('auditspine.x'), ('pg_mine'), ('a$spine$b')) v (name);
SELECT attempt('SELECT create_proof_spine_schema(NULL)');
SELECT attempt('SELECT create_proof_spine_schema(''there'')');
SELECT count(*) FROM pg_class WHERE relnamespace = 'there'::regnamespace AND relkind = 'r';

-- A row of a decision with segments, by hand.
CREATE FUNCTION digest(t text) RETURNS text LANGUAGE sql IMMUTABLE RETURN encode(sha256(convert_to(t, 'UTF8')), 'hex');
CREATE FUNCTION root(artifact text, segments integer) RETURNS text LANGUAGE sql
    RETURN (SELECT spine_root_hash(digest(artifact || i) ORDER BY i) FROM generate_series(0, segments - 1) i);
CREATE FUNCTION id(artifact text, segments integer) RETURNS text LANGUAGE sql
    RETURN spine_id(split_part(artifact, '/', 1), 'CVE-1', 'strict', root(artifact, segments));
CREATE FUNCTION put_spine(artifact text, segments integer, by text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO scanner.proof_spines (spine_id, artifact_id, vuln_id, policy_profile_id, verdict, root_hash, scan_run_id, superseded_by_spine_id)
    VALUES (id(artifact, segments), split_part(artifact, '/', 1), 'CVE-1', 'strict', 'affected', root(artifact, segments), 'run 1', by) $$;
CREATE FUNCTION put_segments(artifact text, segments integer, first integer, last integer, descending boolean DEFAULT false) RETURNS void LANGUAGE sql AS $$
    INSERT INTO scanner.proof_segments (segment_id, spine_id, idx, segment_type, input_hash, result_hash, prev_segment_hash, envelope_json, tool_id, tool_version)
    SELECT segment_id(id(artifact, segments), i, 'Match', digest('in'), digest(artifact || i)), id(artifact, segments), i, 'Match', digest('in'), digest(artifact || i),
           CASE WHEN i > 0 THEN digest(artifact || (i - 1)) END, '{}', 'tool', '1'
    FROM generate_series(first, last) i ORDER BY CASE WHEN descending THEN -i ELSE i END $$;
CREATE VIEW short AS
    SELECT artifact_id, verdict, segment_count, (SELECT count(*) FROM scanner.proof_segments g WHERE g.spine_id = s.spine_id) AS segments,
           (SELECT artifact_id FROM scanner.proof_spines o WHERE o.spine_id = s.superseded_by_spine_id) AS superseded_by
    FROM scanner.proof_spines s ORDER BY artifact_id COLLATE "C", superseded_by_spine_id;

-- A spine that has a history stays; who has it forgotten leaves entries that say so.
CREATE FUNCTION forget(artifact text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    ALTER TABLE scanner.proof_spine_history DISABLE TRIGGER auditspine_append_only;
    DELETE FROM scanner.proof_spine_history h USING scanner.proof_spines s WHERE h.spine_id = s.spine_id AND s.artifact_id = artifact;
    ALTER TABLE scanner.proof_spine_history ENABLE ALWAYS TRIGGER auditspine_append_only;
    DELETE FROM scanner.proof_spines WHERE artifact_id = artifact;
END $$;

-- The tables take what their document takes (statements_proofspine), and refuse what is not whole where they are asked to:
-- from here on.
SELECT scanner.enforce_spine_rules(false);
SELECT put_spine('loose', 2);
SELECT put_segments('loose', 2, 1, 1);
SELECT v.status, f.idx, f.finding FROM verify_spine(id('loose', 2)) v, spine_findings(id('loose', 2)) f WHERE finding NOT LIKE 'envelope%' ORDER BY 2, 3;
SELECT forget('loose');
SELECT scanner.enforce_spine_rules();
SELECT scanner.enforce_spine_rules();
SELECT tgrelid::regclass AS table_name, tgname, pg_get_triggerdef(oid) AS definition FROM pg_trigger
WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'scanner.%' AND tgname LIKE 'trg\_spine%'
ORDER BY tgrelid::regclass::text COLLATE "C", tgname COLLATE "C";

-- Links: whatever the order of rows, in one statement or several.
BEGIN; SELECT put_spine('a', 4); SELECT put_segments('a', 4, 0, 3, true); COMMIT;
BEGIN; SELECT put_spine('b', 3); SELECT put_segments('b', 3, 0, 0); SELECT put_segments('b', 3, 1, 2, true); COMMIT;
SELECT * FROM short;
SELECT attempt($$ SELECT put_segments('b', 3, 4, 4) $$);
SELECT attempt($$ SELECT put_segments('b', 3, 5, 6, true) $$);
SELECT attempt(format($$ INSERT INTO scanner.proof_segments (segment_id, spine_id, idx, segment_type, input_hash, result_hash, prev_segment_hash, envelope_json, tool_id, tool_version)
    SELECT digest('x' || idx), id('b', 3), idx, 'Match', digest('in'), digest('out'), prev, '{}', 'tool', '1' FROM (VALUES %s) v (idx, prev) $$, v))
FROM (VALUES ('(3, NULL)'), ('(3, digest(''other''))'), ('(3, digest(''b2'')), (4, digest(''b2''))'), ('(0, NULL)'),
             ('(3, ''sha256:'' || digest(''b2''))')) w (v);
DELETE FROM scanner.proof_segments WHERE spine_id = id('b', 3) AND idx = 0;
SELECT attempt($$ INSERT INTO scanner.proof_segments (segment_id, spine_id, idx, segment_type, input_hash, result_hash, prev_segment_hash, envelope_json, tool_id, tool_version)
    SELECT digest('x'), id('b', 3), 0, 'Match', digest('in'), digest('b0'), digest('b'), '{}', 'tool', '1' $$);

-- The count follows: segments deleted, put back, moved, of several spines at once, cascaded, truncated.
SELECT * FROM short;
SELECT put_segments('b', 3, 0, 0);
SELECT * FROM short;
DELETE FROM scanner.proof_segments WHERE idx > 0;
SELECT * FROM short;
BEGIN;
SELECT put_segments('a', 4, 1, 3); SELECT put_segments('b', 3, 1, 2);
UPDATE scanner.proof_segments SET status = 'Invalid';
UPDATE scanner.proof_segments SET spine_id = id('a', 4), idx = idx + 10 WHERE spine_id = id('b', 3) AND idx > 0;
SELECT * FROM short;
UPDATE scanner.proof_segments SET spine_id = id('b', 3), idx = idx - 10 WHERE idx > 10;
SELECT * FROM short;
COMMIT;
BEGIN; SELECT put_spine('c', 2); SELECT put_segments('c', 2, 0, 1); COMMIT;
SELECT attempt('DELETE FROM scanner.proof_spines WHERE artifact_id = ''b''');
SELECT forget('b'); SELECT forget('c');
SELECT * FROM short;
BEGIN; TRUNCATE scanner.proof_segments; SELECT * FROM short; ROLLBACK;

-- Root and id are checked at the end, or where constraints are set to be immediate.
BEGIN; SELECT put_spine('d', 2); SELECT put_segments('d', 2, 0, 0); COMMIT;
BEGIN; SELECT put_spine('d', 2); COMMIT;
BEGIN; SELECT put_spine('d', 2); SELECT put_segments('d', 2, 0, 1);
UPDATE scanner.proof_spines SET artifact_id = 'D' WHERE artifact_id = 'd'; COMMIT;
UPDATE scanner.proof_spines SET root_hash = digest('other') WHERE artifact_id = 'a';
UPDATE scanner.proof_segments SET result_hash = digest('other') WHERE spine_id = id('a', 4) AND idx = 3;
BEGIN; SELECT put_spine('d', 2); SELECT put_segments('d', 2, 0, 1);
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE scanner.proof_segments SET result_hash = digest('other') WHERE spine_id = id('d', 2) AND idx = 1;
ROLLBACK;
-- A check that was rolled back is made again, one that passed is not held against later rows.
BEGIN; SELECT put_spine('d', 2); SELECT put_segments('d', 2, 0, 0);
SAVEPOINT s;
SELECT put_segments('d', 2, 1, 1);
SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;
ROLLBACK TO s;
COMMIT;
BEGIN; SELECT put_spine('d', 2); SELECT put_segments('d', 2, 0, 1);
SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;
UPDATE scanner.proof_segments SET idx = idx + 1 WHERE spine_id = id('d', 2) AND idx = 1;
UPDATE scanner.proof_segments SET idx = idx + 1 WHERE spine_id = id('d', 2) AND idx = 0;
UPDATE scanner.proof_segments SET idx = 0 WHERE spine_id = id('d', 2) AND idx = 2;
COMMIT;
-- A spine that is gone at the end is none of it.
BEGIN; SELECT put_spine('d', 2); SELECT forget('d'); COMMIT;
SELECT * FROM short;

-- Supersession: once, within a decision, never in a circle.
BEGIN; SELECT put_spine('e/1', 1); SELECT put_segments('e/1', 1, 0, 0); COMMIT;
-- Two spines of a decision may be current while they are written by hand.
BEGIN; SELECT put_spine('e/2', 1); SELECT put_segments('e/2', 1, 0, 0); SET CONSTRAINTS ALL IMMEDIATE; SELECT * FROM short; ROLLBACK;
BEGIN;
UPDATE scanner.proof_spines SET superseded_by_spine_id = id('e/2', 1) WHERE spine_id = id('e/1', 1);
SELECT put_spine('e/2', 1); SELECT put_segments('e/2', 1, 0, 0);
COMMIT;
BEGIN;
UPDATE scanner.proof_spines SET superseded_by_spine_id = id('e/3', 1) WHERE spine_id = id('e/2', 1);
SELECT put_spine('e/3', 1); SELECT put_segments('e/3', 1, 0, 0);
COMMIT;
SELECT attempt($$ UPDATE scanner.proof_spines SET superseded_by_spine_id = id('e/3', 1) WHERE spine_id = id('e/1', 1) $$);
SELECT attempt($$ UPDATE scanner.proof_spines SET superseded_by_spine_id = NULL WHERE spine_id = id('e/1', 1) $$);
SELECT attempt($$ UPDATE scanner.proof_spines SET superseded_by_spine_id = digest('another') WHERE spine_id = id('e/1', 1) $$);
SELECT attempt($$ UPDATE scanner.proof_spines SET superseded_by_spine_id = id('e/1', 1) WHERE spine_id = id('e/3', 1) $$);
SELECT attempt($$ UPDATE scanner.proof_spines SET superseded_by_spine_id = id('e/2', 1) WHERE spine_id = id('e/3', 1) $$);
SELECT attempt($$ UPDATE scanner.proof_spines SET superseded_by_spine_id = spine_id WHERE spine_id = id('e/3', 1) $$);
SELECT attempt($$ UPDATE scanner.proof_spines SET superseded_by_spine_id = id('a', 4) WHERE spine_id = id('e/3', 1) $$);
-- What comes later is held against it at the end.
BEGIN;
UPDATE scanner.proof_spines SET superseded_by_spine_id = id('f', 1) WHERE spine_id = id('e/3', 1);
SELECT put_spine('f', 1); SELECT put_segments('f', 1, 0, 0);
COMMIT;
BEGIN; SELECT put_spine('e/4', 1, id('e/1', 1)); SELECT put_segments('e/4', 1, 0, 0); COMMIT;
DELETE FROM scanner.proof_spines WHERE artifact_id = 'e' AND superseded_by_spine_id IS NULL;
BEGIN;
UPDATE scanner.proof_spines SET superseded_by_spine_id = id('e/5', 1) WHERE spine_id = id('e/3', 1);
SELECT put_spine('e/5', 1, id('e/4', 1)); SELECT put_segments('e/5', 1, 0, 0);
COMMIT;
BEGIN; UPDATE scanner.proof_spines SET superseded_by_spine_id = digest('nowhere') WHERE spine_id = id('e/3', 1); COMMIT;
SELECT * FROM short;

-- History: written by triggers, and append-only.
INSERT INTO scanner.proof_spine_verification_cache (spine_id, verified_at_utc, verifier_version, status, all_segments_valid, signature_algorithm, key_fingerprint, evidence_digest)
VALUES (id('a', 4), now(), '0', 'Verified', true, 'a', 'k', ''), (id('e/3', 1), now(), '0', 'Invalid', true, 'a', 'k', '');
UPDATE scanner.proof_spine_verification_cache SET verified_at_utc = now(), verifier_version = '1';
UPDATE scanner.proof_spine_verification_cache SET status = 'Partial', all_segments_valid = false, invalid_segment_ids = ARRAY['x']
WHERE spine_id = id('a', 4);
INSERT INTO scanner.proof_spine_verification_cache AS c (spine_id, verified_at_utc, verifier_version, status, all_segments_valid, signature_algorithm, key_fingerprint, evidence_digest)
VALUES (id('a', 4), now(), '2', 'Verified', true, 'a', 'k', '')
ON CONFLICT (spine_id) DO UPDATE SET status = excluded.status, all_segments_valid = true, invalid_segment_ids = '{}', verifier_version = excluded.verifier_version;
SELECT action, actor = session_user AS mine, regexp_replace(reason, '[0-9a-f]{64}', '<id>') AS reason, detail - 'root_hash' FROM scanner.proof_spine_history ORDER BY occurred_at_utc;
SELECT count(*) FROM scanner.proof_spine_history WHERE action = 'superseded' AND spine_id = id('e/1', 1) AND detail ->> 'superseded_by' = id('e/2', 1);
SELECT attempt('DELETE FROM scanner.proof_spine_history');
SELECT count(*) FROM scanner.proof_spine_verification_cache;

-- Words are those that there are, and nothing that must be there is missing.
SELECT attempt('UPDATE scanner.proof_spines SET ' || change) FROM (VALUES
    ('vuln_id = NULL'), ('verdict = ''Affected'''), ('scan_run_id = NULL')) v (change);
SELECT attempt('UPDATE scanner.proof_segments SET ' || change) FROM (VALUES
    ('segment_type = ''match'''), ('result_hash = NULL'), ('envelope_json = NULL'), ('status = ''verified'''), ('tool_version = NULL')) v (change);
SELECT attempt('UPDATE scanner.proof_spine_verification_cache SET key_fingerprint = NULL');

-- Everything is recorded, and nothing is amiss.
SELECT layer, subject, ok, findings FROM verify_all();

-- The triggers find their tables whatever search_path says, and are good for nothing elsewhere.
CREATE SCHEMA decoy;
CREATE TABLE decoy.proof_spines (LIKE scanner.proof_spines);
CREATE FUNCTION decoy.never(text, text) RETURNS boolean LANGUAGE sql RETURN false;
CREATE OPERATOR decoy.= (FUNCTION = decoy.never, LEFTARG = text, RIGHTARG = text);
BEGIN;
SELECT put_spine('g', 2);
SET LOCAL search_path = decoy, public, pg_catalog;
SELECT put_segments('g', 2, 0, 1);
SET LOCAL search_path = public;
SELECT segment_count FROM scanner.proof_spines WHERE artifact_id = 'g';
COMMIT;
SELECT attempt('SELECT ' || f || '()') FROM unnest(ARRAY['proof_segment_links', 'proof_segment_count', 'proof_spine_root',
    'proof_spine_supersession', 'proof_spine_history']) f;
CREATE TABLE elsewhere (spine_id text, other text);
CREATE TRIGGER t AFTER INSERT ON elsewhere FOR EACH STATEMENT EXECUTE FUNCTION proof_segment_links();
SELECT attempt('INSERT INTO elsewhere VALUES (''x'')');
DROP TRIGGER t ON elsewhere;
CREATE TRIGGER t BEFORE INSERT ON elsewhere FOR EACH ROW EXECUTE FUNCTION proof_spine_root();
SELECT attempt('INSERT INTO elsewhere VALUES (''x'')');
DROP TRIGGER t ON elsewhere;
CREATE TRIGGER t AFTER INSERT ON elsewhere FOR EACH ROW EXECUTE FUNCTION proof_spine_supersession();
SELECT attempt('INSERT INTO elsewhere VALUES (''x'')');
DROP TRIGGER t ON elsewhere;
CREATE TRIGGER t AFTER INSERT ON elsewhere FOR EACH ROW EXECUTE FUNCTION proof_spine_history('made up');
SELECT attempt('INSERT INTO elsewhere VALUES (''x'')');

-- What a role needs that is no superuser: to create the tables, and to write to them.
SELECT attempt('SET ROLE regress_auditspine_scanner; SELECT create_proof_spine_schema(''theirs'')');
GRANT EXECUTE ON FUNCTION create_proof_spine_schema, audit_chain_append(), audit_refuse_change TO regress_auditspine_scanner;
SELECT attempt('SET ROLE regress_auditspine_scanner; SELECT create_proof_spine_schema(''theirs'')');
CREATE SCHEMA theirs AUTHORIZATION regress_auditspine_scanner;
SET ROLE regress_auditspine_scanner;
SELECT create_proof_spine_schema('theirs');
GRANT USAGE ON SCHEMA theirs TO regress_auditspine_builder;
GRANT SELECT, INSERT ON theirs.proof_spines, theirs.proof_segments TO regress_auditspine_builder;
RESET ROLE;
SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'theirs'::regnamespace;
GRANT EXECUTE ON FUNCTION attempt, digest, root, id TO regress_auditspine_builder;
SET ROLE regress_auditspine_builder;
BEGIN;
INSERT INTO theirs.proof_spines (spine_id, artifact_id, vuln_id, policy_profile_id, verdict, root_hash, scan_run_id)
VALUES (id('h', 1), 'h', 'CVE-1', 'strict', 'affected', root('h', 1), 'run 1');
INSERT INTO theirs.proof_segments (segment_id, spine_id, idx, segment_type, input_hash, result_hash, envelope_json, tool_id, tool_version)
VALUES (segment_id(id('h', 1), 0, 'Match', digest('in'), digest('h0')), id('h', 1), 0, 'Match', digest('in'), digest('h0'), '{}', 'tool', '1');
COMMIT;
SELECT segment_count FROM theirs.proof_spines;
SELECT attempt('INSERT INTO theirs.proof_spine_history (spine_id, action) VALUES (''x'', ''verified'')');
SELECT attempt('UPDATE theirs.proof_spines SET verdict = ''fixed''');
SELECT attempt(format('SELECT create_spine(%L, %L, %L, %L, %L, %L, NULL, %L)', 'h', 'CVE-1', 'strict', 'fixed', 'run 2',
    jsonb_build_array(jsonb_build_object('segment_type', 'Match', 'input_hash', digest('in'), 'result_hash', digest('new'), 'tool_id', 't', 'tool_version', '1',
        'envelope_json', '{"payloadType": "t", "payload": "", "signatures": [{"sig": ""}]}'::jsonb)), 'theirs'));
RESET ROLE;
GRANT UPDATE (superseded_by_spine_id) ON theirs.proof_spines TO regress_auditspine_builder;
SET ROLE regress_auditspine_builder;
SELECT create_spine('h', 'CVE-1', 'strict', 'fixed', 'run 2',
    jsonb_build_array(jsonb_build_object('segment_type', 'Match', 'input_hash', digest('in'), 'result_hash', digest('new'), 'tool_id', 't', 'tool_version', '1',
        'envelope_json', '{"payloadType": "t", "payload": "", "signatures": [{"sig": ""}]}'::jsonb)), NULL, 'theirs') IS NOT NULL AS built;
SELECT verdict, segment_count, superseded_by_spine_id IS NULL AS current FROM theirs.proof_spines ORDER BY verdict;
RESET ROLE;
SELECT action, actor = session_user AS by_session_user FROM theirs.proof_spine_history ORDER BY occurred_at_utc;
SELECT kind, enabled FROM auditspine.audited_table WHERE kind LIKE 'theirs.%' ORDER BY kind COLLATE "C";

-- Without the schema nothing is left, and it can be made again.
\set VERBOSITY terse
DROP SCHEMA scanner CASCADE;
SELECT create_proof_spine_schema();
DROP OWNED BY regress_auditspine_scanner, regress_auditspine_builder;
DROP ROLE regress_auditspine_scanner, regress_auditspine_builder;

-- Written by hand, with its count, a spine is counted like any other.
SELECT create_proof_spine_schema('by_hand');
BEGIN;
INSERT INTO by_hand.proof_spines (spine_id, artifact_id, vuln_id, policy_profile_id, verdict, root_hash, scan_run_id, segment_count)
SELECT spine_id('a', 'v', 'p', spine_root_hash(ARRAY[repeat('1', 64), repeat('2', 64)])), 'a', 'v', 'p', 'fixed', spine_root_hash(ARRAY[repeat('1', 64), repeat('2', 64)]), 'r', 2;
INSERT INTO by_hand.proof_segments (segment_id, spine_id, idx, segment_type, input_hash, result_hash, prev_segment_hash, envelope_json, tool_id, tool_version)
SELECT segment_id(spine_id, i, 'Match', repeat('0', 64), repeat((i + 1)::text, 64)), spine_id, i, 'Match', repeat('0', 64), repeat((i + 1)::text, 64),
       CASE WHEN i = 1 THEN repeat('1', 64) END, '{}', 't', '1'
FROM by_hand.proof_spines, generate_series(0, 1) AS i;
COMMIT;
SELECT segment_count FROM by_hand.proof_spines;
DELETE FROM by_hand.proof_segments WHERE idx = 1;
SELECT segment_count FROM by_hand.proof_spines;
INSERT INTO by_hand.proof_spine_verification_cache (spine_id, verifier_version, all_segments_valid, signature_algorithm, key_fingerprint) SELECT spine_id, 'mine', true, 'mine', 'mine' FROM by_hand.proof_spines;
SELECT v.ok, v.status, v.all_segments_valid AS valid, v.cache FROM by_hand.proof_spines s, LATERAL verify_spine(s.spine_id, 'by_hand') v;
