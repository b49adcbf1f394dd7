-- Rows that earlier releases recorded stay verifiable: their layouts are of encoding 1, and so are the hashes and keys of the
-- entries that name them. Here both are written as 0.4 wrote them.
CREATE FUNCTION as_before(target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id integer := nextval('auditspine.layout_id_seq');
    kind text := (SELECT relname FROM pg_class WHERE oid = target);
    key text := (SELECT attname FROM pg_attribute WHERE attrelid = target AND attnum = 1);
    described jsonb := jsonb_build_object('kind', kind, 'table', 'public.' || kind, 'oid', target::oid::text,
        'system', (SELECT system_identifier::text FROM pg_control_system()),
        'columns', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('attnum', attnum, 'name', attname, 'type', CASE WHEN typnamespace = 'pg_catalog'::regnamespace THEN format_type(atttypid, atttypmod) ELSE 'public.' || format_type(atttypid, atttypmod) END,
            'shape', (SELECT jsonb_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = atttypid))) ORDER BY attnum)
            FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE attrelid = target AND attnum > 0 AND NOT attisdropped));
    append text := $q$INSERT INTO auditspine.audit_chain (seq, chain_id, lane, pos, version, op, event_kind, event_pk, xid, appended_at, db_user, layout, payload, payload_hash, event_hash, prev_hash, chain_hash)
        SELECT nextval('auditspine.audit_seq'), 1, 0, (SELECT coalesce(max(pos), 0) + 1 FROM auditspine.audit_chain WHERE chain_id = 1 AND lane = 0), 1, $1, $2, $3, '7', now(), 'alice', $4, $5, $6, sha256(''), sha256(''), sha256('')$q$;
    row_key text;
    row_hash bytea;
BEGIN
    INSERT INTO auditspine.layout (layout_id, relation, digest, kind, created_at) VALUES (id, target, canonical_json_hash(described - 'table'), kind, now());
    EXECUTE append USING 'S'::"char", 'auditspine.layout', id::text, NULL::integer, described, canonical_json_hash(described);
    FOR row_key, row_hash IN EXECUTE format('SELECT %I::text, canonical_row_hash(t) FROM %s t', key, target) LOOP
        EXECUTE append USING 'I'::"char", kind, row_key, id, NULL::jsonb, row_hash;
    END LOOP;
END $$;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE thing (id integer PRIMARY KEY, n numeric, f float8, j json, b jsonb, a integer[], r regclass, m mood, i interval);
INSERT INTO thing VALUES (1, 7.50, '-0', '{"b": 1.0, "a": 2}', '[1.50]', '[0:1]={1,2}', 'pg_class', 'sad', '1 day'), (2, 1, 0.1, NULL, 'null', '{{1}}', NULL, 'ok', NULL);
SELECT audit_attach('thing');
SELECT as_before('thing');
SELECT ok, rows, entries, unverifiable FROM verify_table('thing');
SELECT payload ? 'encoding' AS encoding, payload_hash = canonical_json_hash(payload) AS hashed FROM auditspine.audit_chain WHERE op = 'S' AND payload ->> 'kind' = 'thing' ORDER BY seq;
-- What encoding 1 tells is told still, beside rows of encoding 2.
INSERT INTO thing VALUES (3, 7.50);
ALTER TABLE thing DISABLE TRIGGER auditspine_audit;
UPDATE thing SET i = '2 days' WHERE id = 1;
UPDATE thing SET n = 2 WHERE id = 2;
UPDATE thing SET n = 7.5 WHERE id = 3;
ALTER TABLE thing ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT finding, key FROM verify_table_findings('thing') ORDER BY key;
-- A row that is written again is of encoding 2 from then on.
UPDATE thing SET i = NULL;
SELECT ok, rows, unverifiable FROM verify_table('thing');
SELECT a.event_pk, l.payload ->> 'encoding' AS encoding FROM auditspine.audit_chain a JOIN auditspine.audit_chain l ON l.event_kind = 'auditspine.layout' AND l.event_pk = a.layout::text
WHERE a.event_kind = 'thing' ORDER BY a.seq;

-- Casts to json count in encoding 1, and in no other: one that raises is not met by rows that are written now.
CREATE TYPE angry;
CREATE FUNCTION angry_in(cstring) RETURNS angry LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION angry_out(angry) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE angry (INPUT = angry_in, OUTPUT = angry_out, LIKE = int4);
CREATE FUNCTION angry_json(angry) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN '{"angry": 1}'; END $$;
CREATE CAST (angry AS json) WITH FUNCTION angry_json(angry);
CREATE TABLE diary (id integer PRIMARY KEY, mood angry);
INSERT INTO diary VALUES (1, '7');
SELECT audit_attach('diary');
SELECT as_before('diary');
SELECT ok, rows FROM verify_table('diary');
CREATE OR REPLACE FUNCTION angry_json(angry) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
SELECT ok, rows FROM verify_table('diary');
UPDATE diary SET mood = '8';
SELECT ok, rows FROM verify_table('diary');
