-- Dropping the extension in a transaction that has written to audited tables.
CREATE TABLE t (id integer PRIMARY KEY);
SELECT audit_attach('t');
\set SHOW_CONTEXT never
-- Refused while changes are to be recorded, by whatever command; what was refused has dropped nothing.
SET client_min_messages = warning;
BEGIN;
INSERT INTO t VALUES (1);
SAVEPOINT before;
DROP EXTENSION auditspine CASCADE;
\echo :LAST_ERROR_MESSAGE (:LAST_ERROR_SQLSTATE)
ROLLBACK TO before;
INSERT INTO t VALUES (2);
DROP EXTENSION auditspine CASCADE;
\echo :LAST_ERROR_MESSAGE (:LAST_ERROR_SQLSTATE)
ROLLBACK TO before;
COMMIT;
SELECT event_kind, op, event_pk FROM auditspine.audit_chain WHERE event_kind = 't' ORDER BY seq;
-- Extensions are dropped with their schema, and with what their owner owns.
BEGIN;
DROP EXTENSION auditspine CASCADE;
CREATE SCHEMA verbs;
CREATE EXTENSION auditspine SCHEMA verbs;
SELECT verbs.audit_attach('t', backfill => true);
COMMIT;
BEGIN;
UPDATE t SET id = 11 WHERE id = 1;
DROP SCHEMA verbs CASCADE;
\echo :LAST_ERROR_MESSAGE (:LAST_ERROR_SQLSTATE)
ROLLBACK;
CREATE ROLE regress_auditspine_dropped SUPERUSER;
SET SESSION AUTHORIZATION regress_auditspine_dropped;
BEGIN;
DROP EXTENSION auditspine CASCADE;
CREATE EXTENSION auditspine SCHEMA verbs;
SELECT verbs.audit_attach('t', backfill => true);
COMMIT;
RESET SESSION AUTHORIZATION;
BEGIN;
UPDATE t SET id = 12 WHERE id = 1;
DROP OWNED BY regress_auditspine_dropped CASCADE;
\echo :LAST_ERROR_MESSAGE (:LAST_ERROR_SQLSTATE)
ROLLBACK;

-- Who owns the schema, or the database, may not drop the extension with it.
CREATE ROLE regress_auditspine_landlord;
ALTER SCHEMA verbs OWNER TO regress_auditspine_landlord;
\connect -
SET client_min_messages = warning;
SET SESSION AUTHORIZATION regress_auditspine_landlord;
DROP SCHEMA verbs CASCADE;
\echo :LAST_ERROR_MESSAGE (:LAST_ERROR_SQLSTATE)
DROP OWNED BY regress_auditspine_landlord CASCADE;
\echo :LAST_ERROR_MESSAGE (:LAST_ERROR_SQLSTATE)
ALTER SCHEMA verbs RENAME TO elsewhere;
\echo :LAST_ERROR_MESSAGE (:LAST_ERROR_SQLSTATE)
CREATE FUNCTION verbs.own() RETURNS integer LANGUAGE sql RETURN 1;
DROP FUNCTION verbs.own();
DROP FUNCTION verbs.audit_flush();
RESET SESSION AUTHORIZATION;
ALTER SCHEMA verbs RENAME TO elsewhere;
ALTER SCHEMA elsewhere RENAME TO verbs;
ALTER SCHEMA verbs OWNER TO CURRENT_USER;
-- What is not in its way goes as ever.
CREATE SCHEMA other AUTHORIZATION regress_auditspine_landlord;
CREATE SCHEMA another AUTHORIZATION regress_auditspine_landlord;
SET SESSION AUTHORIZATION regress_auditspine_landlord;
DROP SCHEMA other CASCADE;
DROP OWNED BY regress_auditspine_landlord;
RESET SESSION AUTHORIZATION;
DROP ROLE regress_auditspine_landlord;

-- A function that catches the error goes on, and its changes are recorded.
DO $$
BEGIN
    INSERT INTO t VALUES (3);
    BEGIN
        DROP EXTENSION auditspine CASCADE;
    EXCEPTION WHEN object_in_use THEN
        RAISE WARNING '% (%)', SQLERRM, SQLSTATE;
    END;
END $$;
SELECT op, event_pk FROM auditspine.audit_chain WHERE event_kind = 't' ORDER BY seq;

-- Other extensions may be dropped.
BEGIN;
INSERT INTO t VALUES (4);
DROP EXTENSION plpgsql CASCADE;
ROLLBACK;

-- With nothing pending it goes, and the transaction commits: changes that were rolled back, and those that were
-- recorded early.
BEGIN;
SAVEPOINT s;
INSERT INTO t VALUES (5);
ROLLBACK TO s;
DROP EXTENSION auditspine CASCADE;
ROLLBACK;
BEGIN;
INSERT INTO t VALUES (6);
SAVEPOINT s;
SELECT verbs.audit_flush();
DROP EXTENSION auditspine CASCADE;
-- Neither the flush nor the drop has happened: the change is pending again.
ROLLBACK TO s;
DROP EXTENSION auditspine CASCADE;
\echo :LAST_ERROR_MESSAGE (:LAST_ERROR_SQLSTATE)
ROLLBACK TO s;
SELECT verbs.audit_flush();
DROP EXTENSION auditspine CASCADE;
INSERT INTO t VALUES (7);
COMMIT;
SELECT id FROM t ORDER BY id;
SELECT count(*) AS left_behind FROM pg_trigger WHERE tgrelid = 't'::regclass;

-- Made again in the same session.
CREATE EXTENSION auditspine SCHEMA verbs;
SELECT verbs.audit_attach('t', backfill => true);
INSERT INTO t VALUES (8);
SELECT chain, ok, entries FROM verbs.verify_chain();
SELECT table_name, ok, rows FROM verbs.verify_table('t');
DROP EXTENSION auditspine CASCADE;
DROP ROLE regress_auditspine_dropped;
