-- The tamper matrix: what a superuser with triggers off does to stored entries, and what is found of it.
-- Every attempt is undone. A result reads finding@seq; the entries of chain c are seq 1 to 10, those of
-- chain other 11 to 13, and nothing is found where nothing is named.
SELECT create_chain('c', 1) AS c, create_chain('other', 1) AS other;
CREATE TABLE item (id integer PRIMARY KEY, note text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'chain=c', 'payload=full');
-- The table's layout is recorded ahead, and its entry taken out: the entries below are all there is.
INSERT INTO item VALUES (0);
SET session_replication_role = replica;
TRUNCATE auditspine.audit_chain, item;
SET session_replication_role = origin;
ALTER SEQUENCE auditspine.audit_seq RESTART;
SET auditspine.actor = 'alice';
SET auditspine.context = '{"request": 7}';
INSERT INTO item SELECT g, 'note ' || g FROM generate_series(1, 3) g;
INSERT INTO item SELECT g, 'note ' || g FROM generate_series(4, 6) g;
UPDATE item SET note = 'changed' WHERE id = 2;
DELETE FROM item WHERE id = 3;
INSERT INTO item VALUES (7, 'note 7');
INSERT INTO item VALUES (8, 'note 8');
DO $$ BEGIN PERFORM audit_chain_append('hand', g::text, to_jsonb(g), 'other') FROM generate_series(1, 3) g; END $$;
SELECT seq, chain_id, lane, pos, op, event_kind, event_pk FROM auditspine.audit_chain ORDER BY seq;
SELECT * FROM verify_chain() ORDER BY chain COLLATE "C";

-- Tools: the findings after a command, which is undone; an entry's hashes computed anew.
CREATE FUNCTION tamper(command text, chain text DEFAULT NULL, start_seq bigint DEFAULT 1, end_seq bigint DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
    counted text;
BEGIN
    BEGIN
        SET LOCAL session_replication_role = replica;
        EXECUTE command;
        SET LOCAL session_replication_role = origin;
        SELECT coalesce(string_agg(finding || '@' || seq, ', ' ORDER BY seq, finding), 'nothing') INTO found
        FROM chain_findings(chain, start_seq, end_seq);
        -- The verdicts must say the same.
        SELECT CASE WHEN v.findings = f.findings AND v.first_bad_seq IS NOT DISTINCT FROM f.first_bad_seq AND v.ok = (f.findings = 0)
                    THEN '' ELSE ' BUT verify_chain disagrees' END
        INTO counted
        FROM (SELECT coalesce(sum(findings), 0) AS findings, min(first_bad_seq) AS first_bad_seq, coalesce(bool_and(ok), true) AS ok
              FROM verify_chain(chain, start_seq, end_seq)) v,
             (SELECT count(*) AS findings, min(seq) AS first_bad_seq FROM chain_findings(chain, start_seq, end_seq)) f;
        RAISE 'undo' USING ERRCODE = 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
        RETURN found || counted;
    END;
END $$;
CREATE FUNCTION event_hash_of(e auditspine.audit_chain) RETURNS bytea LANGUAGE sql AS $$
    SELECT sha256(convert_to(format('{"actor":%s,"appended_at":"%s","chain":%s,"context":%s,"db_user":%s,"kind":%s,"lane":%s,"layout":%s,'
               '"op":"%s","payload_hash":"%s","pk":%s,"pos":"%s","v":%s,"xid":"%s"}',
               coalesce(to_json(e.actor)::text, 'null'),
               to_char(e.appended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), to_json(name),
               coalesce(canonical_json(e.context), 'null'), to_json(e.db_user), to_json(e.event_kind), e.lane,
               coalesce(e.layout::text, 'null'), e.op, encode(e.payload_hash, 'hex'), coalesce(to_json(e.event_pk)::text, 'null'),
               e.pos, e.version, e.xid), 'UTF8'))
    FROM auditspine.chain WHERE chain_id = e.chain_id
$$;
CREATE PROCEDURE rehash(at bigint) LANGUAGE sql AS $$
    UPDATE auditspine.audit_chain a SET event_hash = event_hash_of(a) WHERE seq = at;
    UPDATE auditspine.audit_chain SET chain_hash = sha256(prev_hash || event_hash || int8send(seq)) WHERE seq = at
$$;
-- Links the entries from this position on anew, each to the one before.
CREATE PROCEDURE relink(first bigint) LANGUAGE plpgsql AS $$
DECLARE
    at bigint;
BEGIN
    FOR at IN SELECT seq FROM auditspine.audit_chain WHERE pos >= first AND chain_id = 2 ORDER BY pos LOOP
        UPDATE auditspine.audit_chain a
        SET prev_hash = (SELECT chain_hash FROM auditspine.audit_chain b WHERE b.chain_id = 2 AND b.pos = a.pos - 1)
        WHERE seq = at AND pos > 1;
        CALL rehash(at);
    END LOOP;
END $$;
SELECT count(*) AS formula_holds FROM auditspine.audit_chain a
WHERE event_hash = event_hash_of(a) AND chain_hash = sha256(prev_hash || event_hash || int8send(seq));
SELECT tamper('SELECT') AS untouched;

-- Each column of an entry, changed by one bit or character: of one in the middle, the first and the last.
SELECT attribute, to_value,
       tamper(format('UPDATE auditspine.audit_chain SET %I = %s WHERE seq = 5', attribute, to_value)) AS in_the_middle,
       tamper(format('UPDATE auditspine.audit_chain SET %I = %s WHERE seq = 1', attribute, to_value)) AS first,
       tamper(format('UPDATE auditspine.audit_chain SET %I = %s WHERE seq = 10', attribute, to_value)) AS last
FROM (VALUES
    ('seq', 'seq + 64'), ('seq', '-seq'),
    ('chain_id', '1'), ('chain_id', '99'),
    ('lane', '1'), ('lane', '-1'),
    ('pos', 'pos + 64'), ('pos', '-pos'), ('pos', '0'),
    ('version', 'version + 1'), ('version', '0'),
    ('op', '''J'''), ('op', '''i'''), ('op', '''\303'''),
    ('event_kind', '''itel'''), ('event_kind', ''''''),
    ('event_pk', 'event_pk || '' '''), ('event_pk', 'NULL'),
    ('xid', '(xid::text::bigint + 1)::text::xid8'),
    ('appended_at', 'appended_at + interval ''1 microsecond'''), ('appended_at', '''infinity'''),
    ('db_user', 'db_user || ''x'''),
    ('actor', '''alicf'''), ('actor', 'NULL'),
    ('context', '''{"request": 6}'''), ('context', 'NULL'),
    ('layout', '0'),
    ('payload', 'jsonb_set(payload, ''{note}'', ''"noue"'')'), ('payload', 'payload || ''{"x": null}'''), ('payload', '''null'''),
    ('payload_hash', 'set_bit(payload_hash, 0, 1 - get_bit(payload_hash, 0))'), ('payload_hash', '''\x00'''),
    ('event_hash', 'set_bit(event_hash, 255, 1 - get_bit(event_hash, 255))'), ('event_hash', 'event_hash || ''\x00'''),
    ('prev_hash', 'set_bit(prev_hash, 100, 1 - get_bit(prev_hash, 100))'), ('prev_hash', ''''''),
    ('chain_hash', 'set_bit(chain_hash, 9, 1 - get_bit(chain_hash, 9))'), ('chain_hash', '''''')
) v(attribute, to_value);
-- Every column is in that list.
SELECT attname AS not_tried FROM pg_attribute
WHERE attrelid = 'auditspine.audit_chain'::regclass AND attnum > 0 AND NOT attisdropped
  AND attname NOT IN ('seq', 'chain_id', 'lane', 'pos', 'version', 'op', 'event_kind', 'event_pk', 'xid', 'appended_at', 'db_user',
                      'actor', 'context', 'layout', 'payload', 'payload_hash', 'event_hash', 'prev_hash', 'chain_hash');

-- Entries removed, added, exchanged, rewritten.
\pset format wrapped
\pset columns 150
SELECT what, tamper(command) AS found FROM (VALUES
    ('one removed', 'DELETE FROM auditspine.audit_chain WHERE seq = 5'),
    ('a run removed', 'DELETE FROM auditspine.audit_chain WHERE seq BETWEEN 4 AND 7'),
    ('two runs removed', 'DELETE FROM auditspine.audit_chain WHERE seq IN (2, 3, 7)'),
    ('the first removed', 'DELETE FROM auditspine.audit_chain WHERE seq = 1'),
    ('the first three removed', 'DELETE FROM auditspine.audit_chain WHERE seq <= 3'),
    ('all but one removed', 'DELETE FROM auditspine.audit_chain WHERE seq <> 5 AND chain_id = 2'),
    ('two swapped', 'UPDATE auditspine.audit_chain SET pos = -pos WHERE seq IN (4, 6);
        UPDATE auditspine.audit_chain SET pos = CASE seq WHEN 4 THEN 6 ELSE 4 END WHERE pos < 0'),
    ('two swapped, numbers too', 'UPDATE auditspine.audit_chain SET pos = -pos WHERE seq IN (4, 6);
        UPDATE auditspine.audit_chain SET pos = CASE seq WHEN 4 THEN 6 ELSE 4 END, seq = 10 - seq WHERE pos < 0'),
    ('what two say exchanged', 'UPDATE auditspine.audit_chain a SET event_pk = b.event_pk, payload = b.payload, payload_hash = b.payload_hash
        FROM auditspine.audit_chain b WHERE a.seq IN (4, 6) AND b.seq = 10 - a.seq'),
    ('one edited, its hashes recomputed', 'UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 5; CALL rehash(5)'),
    ('the first edited, its hashes recomputed', 'UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 1; CALL rehash(1)'),
    ('two neighbours edited, recomputed and linked', 'UPDATE auditspine.audit_chain SET actor = ''mallory'' WHERE seq IN (5, 6);
        CALL rehash(5); UPDATE auditspine.audit_chain SET prev_hash = (SELECT chain_hash FROM auditspine.audit_chain WHERE seq = 5) WHERE seq = 6; CALL rehash(6)'),
    ('payload and its hash edited alone', 'UPDATE auditspine.audit_chain SET payload = ''{"id":9}'', payload_hash = canonical_json_hash(''{"id":9}''::jsonb) WHERE seq = 5'),
    ('a forged one between two', 'INSERT INTO auditspine.audit_chain SELECT 100, chain_id, lane, 100, version, op, event_kind, ''99'', xid, appended_at,
        db_user, actor, context, layout, payload, payload_hash, event_hash, chain_hash, chain_hash FROM auditspine.audit_chain WHERE seq = 5; CALL rehash(100)'),
    ('a forged one before the first', 'INSERT INTO auditspine.audit_chain SELECT -1, chain_id, lane, 0, version, op, event_kind, ''99'', xid, appended_at,
        db_user, actor, context, layout, payload, payload_hash, event_hash, prev_hash, chain_hash FROM auditspine.audit_chain WHERE seq = 1; CALL rehash(-1)'),
    ('one duplicated', 'ALTER TABLE auditspine.audit_chain DROP CONSTRAINT audit_chain_pkey;
        INSERT INTO auditspine.audit_chain SELECT * FROM auditspine.audit_chain WHERE seq = 5'),
    ('a fork', 'ALTER TABLE auditspine.audit_chain DROP CONSTRAINT audit_chain_pkey;
        INSERT INTO auditspine.audit_chain SELECT 100, chain_id, lane, pos, version, op, event_kind, ''99'', xid, appended_at,
        db_user, actor, context, layout, payload, payload_hash, event_hash, prev_hash, chain_hash FROM auditspine.audit_chain WHERE seq = 5; CALL rehash(100)'),
    ('a fork of the last', 'ALTER TABLE auditspine.audit_chain DROP CONSTRAINT audit_chain_pkey;
        INSERT INTO auditspine.audit_chain SELECT 100, chain_id, lane, pos, version, op, event_kind, ''99'', xid, appended_at,
        db_user, actor, context, layout, payload, payload_hash, event_hash, prev_hash, chain_hash FROM auditspine.audit_chain WHERE seq = 10; CALL rehash(100)'),
    ('numbers exchanged and all linked anew', 'UPDATE auditspine.audit_chain SET seq = 11 - seq WHERE seq IN (5, 6); CALL relink(5)'),
    ('a chain renamed', 'UPDATE auditspine.chain SET name = ''d'' WHERE name = ''other'''),
    ('a chain removed', 'DELETE FROM auditspine.chain WHERE name = ''other'''),
    ('damage in two chains and three places', 'DELETE FROM auditspine.audit_chain WHERE seq IN (3, 12);
        UPDATE auditspine.audit_chain SET db_user = ''x'' WHERE seq = 6; UPDATE auditspine.audit_chain SET chain_hash = event_hash WHERE seq = 9'),
    ('every entry edited', 'UPDATE auditspine.audit_chain SET db_user = ''x'''),
    ('every entry moved to another place in the heap', 'CREATE TEMP TABLE all_of_it AS SELECT * FROM auditspine.audit_chain ORDER BY md5(seq::text);
        DELETE FROM auditspine.audit_chain; INSERT INTO auditspine.audit_chain SELECT * FROM all_of_it')
) v(what, command);
\pset format aligned

-- One removed and those behind it moved up: neither the entries before it nor any other is blamed.
SELECT found LIKE '%@6%' AS found, found !~ '@[1234]\M' AS untouched_not_blamed
FROM tamper('DELETE FROM auditspine.audit_chain WHERE seq = 5;
        UPDATE auditspine.audit_chain SET pos = pos - 100 WHERE seq BETWEEN 6 AND 10; UPDATE auditspine.audit_chain SET pos = pos + 99 WHERE pos < 0') found;
-- A whole and well linked lane that the chain does not have.
SELECT found LIKE '%@100' AS found
FROM tamper('INSERT INTO auditspine.audit_chain SELECT 100, chain_id, 7, 1, version, op, event_kind, ''99'', xid, appended_at,
        db_user, actor, context, layout, payload, payload_hash, event_hash, decode(repeat(''00'', 32), ''hex''), chain_hash FROM auditspine.audit_chain WHERE seq = 5; CALL rehash(100)') found;

-- What links alone cannot show, and what was published outside must: the tail cut off, the last one
-- rewritten, everything from an entry on rewritten and linked anew, a payload erased.
SELECT what, tamper(command) AS found FROM (VALUES
    ('the last removed', 'DELETE FROM auditspine.audit_chain WHERE seq = 10'),
    ('the last three removed', 'DELETE FROM auditspine.audit_chain WHERE seq BETWEEN 8 AND 10'),
    ('all removed', 'TRUNCATE auditspine.audit_chain'),
    ('the last rewritten', 'UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 10; CALL rehash(10)'),
    ('a forged one behind the last', 'INSERT INTO auditspine.audit_chain SELECT 100, chain_id, lane, 11, version, op, event_kind, ''99'', xid, appended_at,
        db_user, actor, context, layout, payload, payload_hash, event_hash, chain_hash, chain_hash FROM auditspine.audit_chain WHERE seq = 10; CALL rehash(100)'),
    ('the history from 5 on rewritten', 'UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 5; CALL relink(5)'),
    ('a payload erased', 'UPDATE auditspine.audit_chain SET payload = NULL WHERE seq = 5')
) v(what, command);

-- Evidence: the hashes that should and do stand there, what the entry speaks of, and its neighbours.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE auditspine.audit_chain SET event_pk = '99' WHERE seq = 5;
SELECT f.chain, f.lane, f.pos, f.seq, finding, f.event_kind, f.event_pk, expected = a.event_hash AS expected_as_recorded,
       found = event_hash_of(a) AS found_as_stored, jsonb_typeof(evidence) AS evidence,
       length(detail) > 10 AS detailed
FROM chain_findings() f JOIN auditspine.audit_chain a USING (seq);
SELECT key AS evidence_of FROM chain_findings(), jsonb_object_keys(evidence) key ORDER BY key;
SELECT chain, ok, entries, lanes, first_bad_seq, findings, first_seq, head_seq FROM verify_chain() ORDER BY chain COLLATE "C";
ROLLBACK;

-- Windows of seq: only what is inside is looked at; a window that begins or ends inside a lane is no finding.
SELECT chain, ok, entries, lanes, findings, first_seq, head_seq FROM verify_chain('c', 3, 7);
SELECT chain, ok, entries, lanes, findings, first_seq, head_seq FROM verify_chain('c', 8);
SELECT chain, ok, entries, lanes, findings, first_seq, head_seq FROM verify_chain('c', 1, 1);
SELECT chain, ok, entries, lanes, findings, first_seq, head_seq FROM verify_chain('c', 100, 200);
SELECT chain, ok, entries, findings, first_seq, head_seq FROM verify_chain(NULL, 9, 12) ORDER BY chain COLLATE "C";
SELECT chain, ok, entries FROM verify_chain('c', -9223372036854775808, 9223372036854775807);
SELECT "window",
       tamper('UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 5', 'c', lower("window"), upper("window") - 1) AS edited,
       tamper('DELETE FROM auditspine.audit_chain WHERE seq = 5', 'c', lower("window"), upper("window") - 1) AS removed,
       tamper('UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 5; CALL rehash(5)', 'c', lower("window"), upper("window") - 1) AS rewritten,
       tamper('UPDATE auditspine.audit_chain SET chain_hash = event_hash WHERE seq = 5', 'c', lower("window"), upper("window") - 1) AS chain_hash
FROM unnest(ARRAY['[1,11)', '[1,5)', '[1,6)', '[5,6)', '[5,11)', '[6,11)', '[4,7)']::int8range[]) "window";

-- One chain's damage is not another's.
SELECT tamper('UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 5', 'c') AS c,
       tamper('UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 5', 'other') AS other,
       tamper('UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 5', 'main') AS main;

-- Without indexes, and whatever the planner is told, the result is the same.
SET enable_seqscan = off;
SELECT tamper('UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 5') AS no_seqscan;
RESET enable_seqscan;
SELECT tamper('ALTER TABLE auditspine.audit_chain DROP CONSTRAINT audit_chain_pkey; DROP INDEX auditspine.audit_chain_system_idx, auditspine.audit_chain_seq_idx;
               UPDATE auditspine.audit_chain SET event_pk = ''99'' WHERE seq = 5; DELETE FROM auditspine.audit_chain WHERE seq = 7') AS no_index;
SET work_mem = '64kB';
SET auditspine.buffer_size = '64kB';
SELECT bool_and(ok) AS ok, sum(entries) AS entries FROM verify_chain();
