-- One table does not hide another: what is wrong with one, or holds it, ends the verification of that one alone.
CREATE ROLE regress_auditspine_owner;
GRANT CREATE, USAGE ON SCHEMA public TO regress_auditspine_owner;
CREATE TABLE payroll (id integer PRIMARY KEY, salary integer);
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (id integer PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE b1 PARTITION OF b FOR VALUES FROM (0) TO (10);
CREATE TABLE old (seq bigint PRIMARY KEY, event_kind text, event_pk text, event_hash bytea, prev_hash bytea, chain_hash bytea, appended_at timestamptz);
INSERT INTO old SELECT 1, 'k', '1', sha256('a'), decode(repeat('00', 32), 'hex'), sha256(decode(repeat('00', 32), 'hex') || sha256('a') || int8send(1)), now();
CREATE TABLE older (LIKE old INCLUDING ALL);
INSERT INTO older TABLE old;
SELECT audit_attach(t) FROM unnest('{payroll,a,b}'::regclass[]) t;
SELECT outcome FROM adopt_chain('old');
SELECT outcome FROM adopt_chain('older');
INSERT INTO payroll VALUES (1, 100);
INSERT INTO a VALUES (1);
INSERT INTO b VALUES (1);
UPDATE older SET event_hash = sha256('b');
ALTER TABLE payroll DISABLE TRIGGER auditspine_audit;
UPDATE payroll SET salary = 999;
ALTER TABLE payroll ENABLE ALWAYS TRIGGER auditspine_audit;

-- Errors of a cast, which rows of 0.4 were hashed by, whatever their SQLSTATE: P0001, and one that a deadlock has.
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
CREATE TYPE angry;
CREATE FUNCTION angry_in(cstring) RETURNS angry LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION angry_out(angry) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE angry (INPUT = angry_in, OUTPUT = angry_out, LIKE = int4);
CREATE FUNCTION angry_json(angry) RETURNS json LANGUAGE sql AS $$ SELECT '7'::json $$;
CREATE CAST (angry AS json) WITH FUNCTION angry_json(angry);
CREATE TABLE diary (id integer PRIMARY KEY, mood angry);
INSERT INTO diary VALUES (1, '7');
SELECT audit_attach('diary');
SELECT as_before('diary');
CREATE OR REPLACE FUNCTION angry_json(angry) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
SELECT layer, subject, ok, detail FROM verify_all() WHERE layer <> 'links';
CREATE OR REPLACE FUNCTION angry_json(angry) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '40P01'; END $$;
SELECT subject, ok FROM verify_all() WHERE layer = 'rows';
CREATE OR REPLACE FUNCTION angry_json(angry) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '53200'; END $$;
SELECT subject, ok FROM verify_all() WHERE layer = 'rows';
-- A run that was cancelled, or is to be repeated, is none.
CREATE OR REPLACE FUNCTION angry_json(angry) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE 'cancelled' USING ERRCODE = '57014'; END $$;
SELECT subject, ok FROM verify_all() WHERE layer = 'rows';
SELECT table_name, finding, occurrence FROM auditspine.alert ORDER BY alert_id;
SELECT count(*), bool_or(ok) FROM auditspine.verification;
CREATE OR REPLACE FUNCTION angry_json(angry) RETURNS json LANGUAGE sql AS $$ SELECT '7'::json $$;

-- Locks: of a whole table, of a partition, of an adopted chain.
BEGIN;
LOCK TABLE a IN ACCESS EXCLUSIVE MODE;
LOCK TABLE ONLY b1 IN ACCESS EXCLUSIVE MODE;
LOCK TABLE old IN ACCESS EXCLUSIVE MODE;
SELECT pg_current_xact_id() IS NOT NULL AS begun;
PREPARE TRANSACTION 'locks';
SET auditspine.verify_lock_timeout = 200;
SET statement_timeout = '60s';
SELECT layer, subject, ok, detail FROM verify_all() WHERE layer <> 'links';
SHOW lock_timeout;
-- What is asked of one table asks nothing of the others.
SET lock_timeout = '1s';
SELECT ok FROM verify_table('diary');
SELECT finding FROM verify_table_findings('payroll');
SELECT ok FROM verify_table('a');
RESET lock_timeout;
-- A shorter lock_timeout stays in force, and ends no more than that table.
SET auditspine.verify_lock_timeout = 0;
SET lock_timeout = '100ms';
SELECT subject, ok FROM verify_all() WHERE layer = 'rows';
RESET lock_timeout;
RESET auditspine.verify_lock_timeout;
ROLLBACK PREPARED 'locks';
SELECT layer, subject, ok FROM verify_all() WHERE layer <> 'links';
SET auditspine.verify_lock_timeout = -1;
DROP OWNED BY regress_auditspine_owner;
DROP ROLE regress_auditspine_owner;
