-- Columns that triggers name, renamed and dropped by whatever command: the arguments follow, and writes go on.
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN state || ': ' || message || CASE WHEN hint <> '' THEN E'\n  hint: ' || hint ELSE '' END;
END $$;
SET client_min_messages = warning;
CREATE VIEW declared AS
    SELECT table_name, pk, chain_by, exclude, problem FROM auditspine.audited_table ORDER BY table_name::text COLLATE "C";
\pset null '·'

-- DROP … CASCADE of what a column is made of.
CREATE TYPE mood AS ENUM ('ok');
CREATE DOMAIN phone AS text;
CREATE TYPE pair AS (a integer, b integer);
CREATE TYPE span AS RANGE (subtype = integer);
CREATE SCHEMA types;
CREATE DOMAIN types.inner_type AS text;
CREATE ROLE regress_auditspine_typist;
CREATE DOMAIN owned AS text;
ALTER DOMAIN owned OWNER TO regress_auditspine_typist;
CREATE FUNCTION twice(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
CREATE COLLATION mine FROM "C";
CREATE TABLE client (
    id integer PRIMARY KEY, tenant text DEFAULT 't',
    mood mood, moods mood[], phone phone, pair pair, span span, inner_type types.inner_type, owned owned,
    doubled integer GENERATED ALWAYS AS (twice(id)) STORED, name text COLLATE mine, kept text
);
SELECT audit_attach('client', chain_by => '{tenant}', exclude => '{mood,moods,phone,pair,span,inner_type,owned,doubled,name,kept}');
INSERT INTO client VALUES (1);
DROP TYPE mood CASCADE;
INSERT INTO client VALUES (2);
DROP DOMAIN phone CASCADE;
DROP TYPE pair, span CASCADE;
INSERT INTO client VALUES (3);
DROP SCHEMA types CASCADE;
SELECT count(*) FROM declared WHERE exclude::text ~ 'owned';
SET ROLE regress_auditspine_typist;
DROP OWNED BY regress_auditspine_typist CASCADE;
RESET ROLE;
DROP ROLE regress_auditspine_typist;
INSERT INTO client VALUES (4);
DROP FUNCTION twice CASCADE;
DROP COLLATION mine CASCADE;
INSERT INTO client VALUES (5);
TABLE declared;
SELECT ok, rows, edited, unverifiable FROM verify_table('client');
-- One more by its own name, together with one that comes.
ALTER TABLE client DROP COLUMN kept, ADD COLUMN kept integer;
INSERT INTO client VALUES (6);
TABLE declared;
SELECT ok, rows, edited FROM verify_table('client');

-- Tables that are of a type.
CREATE TYPE person AS (id integer, secret text, tenant text, other text);
CREATE TABLE person_1 OF person (PRIMARY KEY (id));
CREATE TABLE person_2 OF person (PRIMARY KEY (id)) PARTITION BY LIST (id);
CREATE TABLE person_2_rest PARTITION OF person_2 DEFAULT;
SELECT audit_attach('person_1', pk => '{id}', exclude => '{secret,other}', chain_by => '{tenant}');
SELECT audit_attach('person_2', pk => '{id}', exclude => '{secret,other}', chain_by => '{tenant}');
INSERT INTO person_1 VALUES (1, 'x', 't');
INSERT INTO person_2 VALUES (1, 'x', 't');
ALTER TYPE person RENAME ATTRIBUTE id TO number CASCADE;
ALTER TYPE person RENAME ATTRIBUTE secret TO hidden CASCADE;
ALTER TYPE person RENAME ATTRIBUTE tenant TO client CASCADE;
ALTER TYPE person DROP ATTRIBUTE other CASCADE, ADD ATTRIBUTE more integer CASCADE;
SELECT attempt('INSERT INTO person_1 VALUES (2, ''y'', ''u'', 3)'), attempt('INSERT INTO person_2 VALUES (2, ''y'', ''u'', 3)');
SELECT * FROM declared WHERE table_name::text ~ 'person';
SELECT table_name, ok, rows, edited FROM verify_table('person_1') UNION ALL SELECT table_name, ok, rows, edited FROM verify_table('person_2');
-- The last layout is recorded by the command, not by the next writer.
SELECT payload ->> 'table' AS layout_of, (SELECT string_agg(c ->> 'name', ' ' ORDER BY o) FROM jsonb_array_elements(payload -> 'columns') WITH ORDINALITY AS x (c, o))
FROM auditspine.audit_chain WHERE event_kind = 'auditspine.layout' AND payload ->> 'table' ~ 'person' ORDER BY seq DESC LIMIT 2;
DROP TYPE person CASCADE;
SELECT audit_detach_kind('person_1'), audit_detach_kind('person_2');

-- Columns of a parent, which is audited or not; heirs at two levels, of two parents.
CREATE TABLE parent (id integer NOT NULL, secret text, extra text);
CREATE TABLE aunt (secret text);
CREATE TABLE child (PRIMARY KEY (id), tenant text) INHERITS (parent);
CREATE TABLE grandchild (PRIMARY KEY (id)) INHERITS (child);
CREATE TABLE nephew (PRIMARY KEY (id)) INHERITS (parent);
SELECT audit_attach('child', exclude => '{secret,extra}', chain_by => '{tenant}'),
       audit_attach('grandchild', pk => '{id}', exclude => '{secret}', chain_by => '{tenant}'),
       audit_attach('nephew', exclude => '{extra}');
INSERT INTO child VALUES (1, 's', 'e', 't');
INSERT INTO grandchild VALUES (1, 's', 'e', 't');
INSERT INTO nephew VALUES (1, 's', 'e');
ALTER TABLE parent RENAME COLUMN secret TO hidden;
ALTER TABLE parent RENAME COLUMN id TO number;
ALTER TABLE child RENAME COLUMN tenant TO client;
SELECT attempt('INSERT INTO child VALUES (2)'), attempt('INSERT INTO grandchild VALUES (2)'), attempt('INSERT INTO nephew VALUES (2)');
SELECT * FROM declared WHERE table_name::text ~ 'child|nephew';
ALTER TABLE parent DROP COLUMN hidden, DROP COLUMN extra;
SELECT attempt('INSERT INTO child VALUES (3)'), attempt('INSERT INTO grandchild VALUES (3)'), attempt('INSERT INTO nephew VALUES (3)');
SELECT * FROM declared WHERE table_name::text ~ 'child|nephew';
SELECT table_name, ok, rows, edited FROM verify_table('child') UNION ALL SELECT table_name, ok, rows, edited FROM verify_table('grandchild');

-- Whatever sort of relation the command names, PostgreSQL renames the column.
CREATE TABLE plain (id integer PRIMARY KEY, a text);
SELECT audit_attach('plain', pk => '{id}', exclude => '{a}');
ALTER VIEW plain RENAME COLUMN a TO b;
ALTER MATERIALIZED VIEW plain RENAME COLUMN b TO c;
ALTER FOREIGN TABLE plain RENAME COLUMN c TO d;
ALTER TYPE plain RENAME ATTRIBUTE d TO e;
SELECT attempt('INSERT INTO plain VALUES (1)');
SELECT * FROM declared WHERE table_name = 'plain'::regclass;
-- Names that need quotes, and swapped ones.
CREATE TABLE quoted (id integer PRIMARY KEY, "a,b" text, " ""c""" text, "Ünï" text);
SELECT audit_attach('quoted', exclude => ARRAY['a,b', ' "c"']);
ALTER TABLE quoted RENAME "a,b" TO between;
ALTER TABLE quoted RENAME "Ünï" TO "a,b";
ALTER TABLE quoted RENAME between TO "Ünï";
ALTER TABLE quoted DROP COLUMN " ""c""";
SELECT attempt('INSERT INTO quoted VALUES (1)');
SELECT * FROM declared WHERE table_name = 'quoted'::regclass;
-- In blocks, functions, and rolled back.
DO $$ BEGIN ALTER TABLE quoted RENAME "Ünï" TO plain; END $$;
BEGIN;
SAVEPOINT s;
ALTER TABLE quoted RENAME plain TO never;
INSERT INTO quoted VALUES (2);
ROLLBACK TO s;
INSERT INTO quoted VALUES (2);
COMMIT;
SELECT * FROM declared WHERE table_name = 'quoted'::regclass;
SELECT ok, rows, edited FROM verify_table('quoted');

-- A key or chain column that is gone: PostgreSQL is obeyed, and both the command and the writers are told the table,
-- the column, the argument and the way out.
CREATE DOMAIN code AS text;
CREATE TABLE lost (id code PRIMARY KEY, tenant code);
SELECT audit_attach('lost', chain_by => '{tenant}');
INSERT INTO lost VALUES ('a', 't');
DROP DOMAIN code CASCADE;
SELECT attempt('INSERT INTO lost DEFAULT VALUES');
SELECT * FROM declared WHERE table_name = 'lost'::regclass;
ALTER TABLE lost ADD COLUMN tenant text;
SELECT attempt('INSERT INTO lost DEFAULT VALUES');
ALTER TABLE lost ADD COLUMN id serial PRIMARY KEY;
SELECT attempt('INSERT INTO lost DEFAULT VALUES');
