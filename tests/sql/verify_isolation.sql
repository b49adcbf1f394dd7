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

-- Errors of a type, whatever their SQLSTATE: P0001, and one that a deadlock has.
CREATE TYPE angry;
CREATE FUNCTION angry_in(cstring) RETURNS angry LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION angry_out(angry) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE angry (INPUT = angry_in, OUTPUT = angry_out, LIKE = int4);
CREATE TABLE diary (id integer PRIMARY KEY, mood angry);
SELECT audit_attach('diary');
INSERT INTO diary VALUES (1, '7');
CREATE FUNCTION angry_json(angry) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
CREATE CAST (angry AS json) WITH FUNCTION angry_json(angry);
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
DROP CAST (angry AS json);

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
