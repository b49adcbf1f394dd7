-- All blueprints: what install_blueprint() takes and refuses, and that each is what the catalogue says.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_builder;
CREATE ROLE regress_auditspine_builder;
RESET client_min_messages;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ': ' || message || CASE WHEN hint = '' THEN '' ELSE ' (' || hint || ')' END;
END $$;
SELECT name, purpose, schemas, cardinality(tables) AS tables FROM auditspine.blueprint ORDER BY name;

-- What cannot be installed.
SELECT attempt(format('SELECT install_blueprint(%L, %L)', name, schema))
FROM (VALUES (NULL, NULL), ('', NULL), ('nosuch', NULL), ('Findings', NULL), ('findings', ''), ('findings', 'Findings'), ('findings', 'a b'),
      ('findings', '1st'), ('findings', 'a''b'), ('findings', 'auditspine'), ('findings', 'pg_findings'), ('findings', repeat('a', 64)),
      ('stellaops', repeat('a', 52))) v (name, schema);
-- Some of it is there: nothing is made.
CREATE SCHEMA occupied;
CREATE VIEW occupied.scans AS SELECT 1;
SELECT attempt('SELECT install_blueprint(''findings'', ''occupied'')');
SELECT count(*) FROM pg_class WHERE relnamespace = 'occupied'::regnamespace;
DROP SCHEMA occupied CASCADE;
SELECT count(*) AS schemas FROM pg_namespace WHERE nspname = ANY (SELECT unnest(schemas) FROM auditspine.blueprint);

-- An installation that fails leaves nothing.
CREATE SCHEMA IF NOT EXISTS zerotrace;
CREATE FUNCTION zerotrace.get_security_statistics(a uuid, b timestamptz, c timestamptz) RETURNS integer LANGUAGE sql AS 'SELECT 1';
SELECT left(attempt('SELECT install_blueprint(''zerotrace'')'), 5) AS sqlstate;
SELECT count(*) FROM pg_class WHERE relnamespace = 'zerotrace'::regnamespace;
DROP SCHEMA zerotrace CASCADE;

-- By a role that is no superuser.
SELECT format('GRANT CREATE ON DATABASE %I TO regress_auditspine_builder', current_database()) \gexec
GRANT CREATE ON SCHEMA public TO regress_auditspine_builder;
GRANT USAGE ON SCHEMA auditspine TO regress_auditspine_builder;
SELECT attempt('SET LOCAL ROLE regress_auditspine_builder; SELECT install_blueprint(''findings'')');
GRANT EXECUTE ON FUNCTION install_blueprint(text, text), create_proof_spine_schema(text), create_chain(text, integer),
    audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean, boolean),
    audit_chain_append(), audit_refuse_change() TO regress_auditspine_builder;
SET ROLE regress_auditspine_builder;
SET client_min_messages = warning;
SELECT name, install_blueprint(name) FROM auditspine.blueprint ORDER BY name;
RESET client_min_messages;
SELECT name, install_blueprint(name) FROM auditspine.blueprint ORDER BY name;
RESET ROLE;

-- The catalogue names each table that is there, and no other; all are the caller's, commented and audited.
CREATE VIEW there AS
SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, n.nspname, c.relowner
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND nspname IN (SELECT unnest(schemas) FROM auditspine.blueprint);
SELECT coalesce(t.name, c.name) AS differs, t.name IS NULL AS is_missing
FROM there t FULL JOIN (SELECT DISTINCT unnest(tables) AS name FROM auditspine.blueprint) c ON c.name = t.name
WHERE t.name IS NULL OR c.name IS NULL ORDER BY 1;
SELECT name FROM there WHERE relowner <> 'regress_auditspine_builder'::regrole ORDER BY 1;
SELECT name FROM there WHERE coalesce(obj_description(oid, 'pg_class'), '') = '' ORDER BY 1;
SELECT nspname FROM pg_namespace WHERE nspname IN (SELECT unnest(schemas) FROM auditspine.blueprint)
    AND obj_description(oid, 'pg_namespace') NOT LIKE 'auditspine blueprint %';
SELECT t.name AS not_audited FROM there t LEFT JOIN auditspine.audited_table a ON a.table_name = t.oid
WHERE a.table_name IS NULL OR NOT a.enabled OR NOT a.truncate_covered OR a.problem IS NOT NULL ORDER BY 1;
SELECT proname AS not_commented FROM pg_proc
WHERE pronamespace::regnamespace::text IN (SELECT unnest(schemas) FROM auditspine.blueprint) AND obj_description(oid, 'pg_proc') IS NULL ORDER BY 1;
SELECT relname AS not_commented FROM pg_class
WHERE relnamespace::regnamespace::text IN (SELECT unnest(schemas) FROM auditspine.blueprint) AND relkind = 'v' AND obj_description(oid, 'pg_class') IS NULL ORDER BY 1;
SELECT bool_and(ok) AS clean, count(*) FILTER (WHERE layer = 'rows') >= (SELECT count(*) FROM there) AS all_tables FROM verify_all();

-- Each once more, under another name.
SET ROLE regress_auditspine_builder;
SET client_min_messages = warning;
SELECT name, install_blueprint(name, 'second_' || name) FROM auditspine.blueprint ORDER BY name;
RESET client_min_messages;
RESET ROLE;
SELECT count(*) AS kinds, count(DISTINCT kind) AS different FROM auditspine.audited_table;
SELECT bool_and(ok) AS clean FROM verify_all();

SET client_min_messages = warning;
DROP OWNED BY regress_auditspine_builder CASCADE;
DROP ROLE regress_auditspine_builder;
