-- An auditor reads and verifies everything, and changes nothing.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_auditor, regress_auditspine_owner, regress_auditspine_writer;
RESET client_min_messages;
CREATE ROLE regress_auditspine_auditor;
CREATE ROLE regress_auditspine_owner;
CREATE ROLE regress_auditspine_writer;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ': ' || message || CASE WHEN hint = '' THEN '' ELSE ' (' || hint || ')' END;
END $$;
CREATE FUNCTION refused(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'ALLOWED';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END $$;

-- Audited tables in schemas of their own, one of them partitioned.
CREATE SCHEMA "Sales" AUTHORIZATION regress_auditspine_owner;
CREATE TABLE "Sales"."Order" (id integer PRIMARY KEY, total numeric);
CREATE TABLE "Sales".line (id integer, part integer, PRIMARY KEY (id, part)) PARTITION BY RANGE (id);
CREATE TABLE "Sales".line_1 PARTITION OF "Sales".line FOR VALUES FROM (1) TO (100);
CREATE TABLE "Sales".secret (id integer);
SELECT audit_attach('"Sales"."Order"'), audit_attach('"Sales".line');
INSERT INTO "Sales"."Order" SELECT g, g * 1.5 FROM generate_series(1, 5) g;
INSERT INTO "Sales".line SELECT g, 1 FROM generate_series(1, 5) g;

-- Who cannot be an auditor, and what is no role.
SELECT attempt('SELECT grant_auditor(session_user::regrole)') ~ '^0LP01: role .* is a superuser, who can change anything \(' AS superuser;
SELECT attempt('SELECT grant_auditor(NULL)'), attempt('SELECT grant_auditor(''-'')'), attempt('SELECT grant_auditor(''nosuch'')'),
       attempt('SELECT grant_auditor(4294967295)');
-- Whoever may not grant is told what is lacking, and nothing is granted.
GRANT EXECUTE ON FUNCTION grant_auditor(regrole, text, text) TO regress_auditspine_owner;
SET ROLE regress_auditspine_owner;
SELECT left(attempt('SELECT grant_auditor(''regress_auditspine_auditor'')'), 60);
RESET ROLE;
GRANT USAGE ON SCHEMA auditspine TO regress_auditspine_owner;
GRANT SELECT ON auditspine.audit_chain TO regress_auditspine_owner;
SET ROLE regress_auditspine_owner;
SET client_min_messages = error;
SELECT regexp_replace(attempt('SELECT grant_auditor(''regress_auditspine_auditor'')'), 'lacks .* \(', 'lacks … (');
RESET client_min_messages;
RESET ROLE;
SELECT has_schema_privilege('regress_auditspine_auditor', 'Sales', 'USAGE') AS granted;
REVOKE ALL ON SCHEMA auditspine FROM regress_auditspine_owner;
REVOKE ALL ON auditspine.audit_chain FROM regress_auditspine_owner;

-- Granted, also where PUBLIC has no rights any more; again changes nothing.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refused(text), attempt(text) TO PUBLIC;
SELECT grant_auditor('regress_auditspine_auditor');
CREATE TABLE first AS
SELECT oid::regclass AS object, relacl AS acl FROM pg_class UNION ALL SELECT oid::regnamespace::oid, nspacl FROM pg_namespace
UNION ALL SELECT oid, proacl FROM pg_proc;
SELECT grant_auditor('regress_auditspine_auditor');
SELECT count(*) AS changed FROM (
    SELECT oid, relacl FROM pg_class UNION ALL SELECT oid, nspacl FROM pg_namespace UNION ALL SELECT oid, proacl FROM pg_proc) now
JOIN first ON oid = object WHERE relacl IS DISTINCT FROM acl;
DROP TABLE first;

-- What it may call, of all that the extension has.
SELECT p.oid::regprocedure AS may_call FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'auditspine')
  AND has_function_privilege('regress_auditspine_auditor', p.oid, 'EXECUTE') AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- It reads and verifies everything.
SET SESSION AUTHORIZATION regress_auditspine_auditor;
SELECT bool_and(refused(format('SELECT FROM %s', c.oid::regclass)) = 'ALLOWED') AS reads_all_state
FROM pg_class c WHERE relnamespace = 'auditspine'::regnamespace AND relkind IN ('r', 'v');
SELECT count(*) FROM "Sales"."Order";
SELECT count(*) FROM "Sales".line;
SELECT chain, ok, findings FROM verify_chain();
SELECT count(*) FROM chain_findings();
SELECT v.table_name, ok, rows, findings FROM auditspine.audited_table t, verify_table(t.table_name) v ORDER BY 1;
SELECT count(f.*) FROM auditspine.audited_table t, verify_table_findings(t.table_name) f;
SELECT count(*) > 0 AS heads FROM chain_heads();
SELECT h.op, event_kind FROM (SELECT * FROM audit_history('"Sales"."Order"', '3')) h, auditspine.audit_chain a WHERE a.seq = h.seq;
SELECT layer, ok FROM verify_all() ORDER BY 1, subject;
SELECT ok, heads FROM verify_publication('');
SELECT count(*) FROM publication_findings('');
SELECT canonical_row_hash(o) = payload_hash AS by_hand FROM "Sales"."Order" o, auditspine.audit_chain WHERE event_kind = 'Order' AND event_pk = id::text AND id = 1;

-- It changes nothing: each statement on each table, each function that writes, each sequence.
SELECT count(*) > 20 AS tried, count(*) FILTER (WHERE refused(command) <> '42501') AS let_through
FROM pg_class c CROSS JOIN LATERAL (VALUES
    (format('INSERT INTO %s DEFAULT VALUES', c.oid::regclass)),
    (format('DELETE FROM %s', c.oid::regclass)),
    (format('TRUNCATE %s', c.oid::regclass)),
    (format('UPDATE %s SET %I = NULL', c.oid::regclass, (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = 1))),
    (format('DROP TABLE %s', c.oid::regclass)),
    (format('ALTER TABLE %s DISABLE TRIGGER ALL', c.oid::regclass)),
    (format('LOCK TABLE %s IN EXCLUSIVE MODE', c.oid::regclass))) v (command)
WHERE relkind IN ('r', 'p') AND relnamespace IN ('auditspine'::regnamespace, '"Sales"'::regnamespace);
SELECT refused('SELECT FROM "Sales".secret') AS not_audited;
SELECT count(*) > 2 AS tried, count(*) FILTER (WHERE refused(command) <> '42501') AS let_through
FROM pg_class c CROSS JOIN LATERAL (VALUES
    (format('SELECT nextval(%L)', c.oid::regclass)), (format('SELECT setval(%L, 1)', c.oid::regclass))) v (command)
WHERE relkind = 'S' AND relnamespace = 'auditspine'::regnamespace;
SELECT command, refused(command) FROM unnest(ARRAY[
    'SELECT audit_chain_append(''k'', ''1'', ''{}'')',
    'SELECT create_chain(''mine'')',
    'SELECT publish_head()',
    'SELECT audit_attach(''"Sales"."Order"'', payload => ''full'')',
    'SELECT audit_detach(''"Sales"."Order"'')',
    'SELECT audit_detach_kind(''Order'')',
    'SELECT grant_auditor(''regress_auditspine_writer'')',
    'SELECT revoke_auditor(''regress_auditspine_auditor'')',
    'SET auditspine.publish_file = ''/tmp/heads''',
    'SET session_replication_role = replica',
    'CREATE TABLE auditspine.mine (id integer)',
    'CREATE FUNCTION auditspine.mine() RETURNS integer LANGUAGE sql AS ''SELECT 1''',
    'DROP EXTENSION auditspine',
    'ALTER EXTENSION auditspine UPDATE'
]) command;
RESET SESSION AUTHORIZATION;
SELECT bool_and(ok) AS untouched FROM verify_chain();
SELECT count(*) AS entries_of_auditor FROM auditspine.audit_chain WHERE db_user = 'regress_auditspine_auditor';

-- A role that could change things nevertheless is named, with what.
GRANT regress_auditspine_owner TO regress_auditspine_writer;
ALTER TABLE "Sales".line OWNER TO regress_auditspine_owner;
GRANT INSERT, UPDATE (total) ON "Sales"."Order" TO regress_auditspine_writer;
GRANT EXECUTE ON FUNCTION publish_head(text) TO regress_auditspine_writer;
GRANT USAGE ON SEQUENCE auditspine.audit_seq TO regress_auditspine_writer;
GRANT pg_execute_server_program TO regress_auditspine_writer;
ALTER ROLE regress_auditspine_writer CREATEROLE;
SELECT grant_auditor('regress_auditspine_writer');

-- A table attached later takes another call.
CREATE TABLE "Sales".later (id integer PRIMARY KEY);
SELECT audit_attach('"Sales".later');
SELECT has_table_privilege('regress_auditspine_auditor', '"Sales".later', 'SELECT') AS before;
SELECT grant_auditor('regress_auditspine_auditor');
SELECT has_table_privilege('regress_auditspine_auditor', '"Sales".later', 'SELECT') AS after;

-- Taken away again: nothing of it is left.
SELECT revoke_auditor('regress_auditspine_auditor');
SELECT revoke_auditor('regress_auditspine_auditor');
SELECT count(*) AS left_over FROM pg_shdepend WHERE refobjid = 'regress_auditspine_auditor'::regrole AND deptype = 'a';
SET ROLE regress_auditspine_auditor;
SELECT attempt('SELECT verify_chain()'), attempt('SELECT FROM "Sales"."Order"');
RESET ROLE;

DROP SCHEMA "Sales" CASCADE;
DROP OWNED BY regress_auditspine_writer, regress_auditspine_owner;
DROP ROLE regress_auditspine_auditor, regress_auditspine_owner, regress_auditspine_writer;
