-- Keys that change, and rows that do not. After each change rows verify, tampering is found, and what is written
-- legitimately verifies; so it is again once the table began anew.
\set VERBOSITY terse
SET client_min_messages = error;
CREATE FUNCTION verdict(target regclass) RETURNS text LANGUAGE sql AS $$
    SELECT format('ok=%s rows=%s edited=%s deleted=%s unrecorded=%s unverifiable=%s', ok, rows, edited, deleted, unrecorded, unverifiable)
    FROM verify_table(target) $$;
-- Runs a statement behind the trigger's back, tells what is found, and takes it back.
CREATE FUNCTION tampered(target regclass, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    EXECUTE format('ALTER TABLE %s DISABLE TRIGGER auditspine_audit', target);
    EXECUTE statement;
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER auditspine_audit', target);
    SELECT string_agg(f, ' ') INTO found FROM (
        SELECT finding || ' ' || count(*) AS f FROM verify_table_findings(target)
        WHERE finding NOT LIKE 'trigger%' GROUP BY finding ORDER BY finding) AS g;
    RAISE EXCEPTION USING message = coalesce(found, 'NOTHING FOUND'), errcode = 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
    RETURN sqlerrm;
END $$;
-- Each sort of tampering. Column v is no column of any key.
CREATE FUNCTION all_tampered(target regclass, columns text, new text) RETURNS TABLE (what text, found text) LANGUAGE sql AS $$
    VALUES ('edit', tampered(target, format('UPDATE %s SET v = ''x'' WHERE v = ''b''', target))),
           ('delete', tampered(target, format('DELETE FROM %s WHERE v = ''b''', target))),
           ('insert', tampered(target, format('INSERT INTO %s (%s) VALUES (%s)', target, columns, new)))
$$;
-- What applications do.
CREATE PROCEDURE use_it(target regclass, columns text, new text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('UPDATE %s SET v = ''a2'' WHERE v = ''a''', target);
    EXECUTE format('DELETE FROM %s WHERE v = ''c''', target);
    EXECUTE format('INSERT INTO %s (%s) VALUES (%s)', target, columns, new);
END $$;

-- Widened.
CREATE TABLE widened (id integer PRIMARY KEY, tenant integer NOT NULL DEFAULT 1, v text);
SELECT audit_attach('widened');
INSERT INTO widened VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 1, 'c'), (4, 1, 'd');
ALTER TABLE widened DROP CONSTRAINT widened_pkey, ADD PRIMARY KEY (tenant, id);
SELECT verdict('widened');
SELECT * FROM all_tampered('widened', 'id, v', '9, ''y''');
CALL use_it('widened', 'id, v', '9, ''y''');
SELECT verdict('widened');
SELECT * FROM all_tampered('widened', 'id, v', '10, ''y''');
SELECT audit_attach('widened', backfill => true);
SELECT verdict('widened');
CALL audit_backfill('widened');
SELECT verdict('widened');
SELECT audit_rebaseline('widened');
SELECT verdict('widened');
SELECT * FROM all_tampered('widened', 'id, v', '10, ''y''');

-- Narrowed, in two commands.
CREATE TABLE narrowed (tenant integer, id integer, v text, PRIMARY KEY (tenant, id));
SELECT audit_attach('narrowed');
INSERT INTO narrowed VALUES (1, 1, 'a'), (1, 2, 'b'), (1, 3, 'c'), (2, 4, 'd');
DELETE FROM narrowed WHERE id = 4;
INSERT INTO narrowed VALUES (3, 4, 'd');
ALTER TABLE narrowed DROP CONSTRAINT narrowed_pkey;
ALTER TABLE narrowed ADD PRIMARY KEY (id);
SELECT verdict('narrowed');
SELECT * FROM all_tampered('narrowed', 'tenant, id, v', '1, 9, ''y''');
CALL use_it('narrowed', 'tenant, id, v', '1, 9, ''y''');
SELECT verdict('narrowed');
SELECT * FROM all_tampered('narrowed', 'tenant, id, v', '1, 10, ''y''');

-- Reordered, by attaching again.
CREATE TABLE reordered (a integer, b integer, v text, PRIMARY KEY (a, b));
SELECT audit_attach('reordered');
INSERT INTO reordered VALUES (1, 2, 'a'), (2, 1, 'b'), (3, 4, 'c');
SELECT audit_attach('reordered', pk => '{b,a}');
SELECT verdict('reordered');
SELECT * FROM all_tampered('reordered', 'a, b, v', '9, 9, ''y''');
CALL use_it('reordered', 'a, b, v', '9, 9, ''y''');
SELECT verdict('reordered');

-- Another column, which has the same values in other rows.
CREATE TABLE swapped (id integer PRIMARY KEY, other integer NOT NULL UNIQUE, v text);
SELECT audit_attach('swapped');
INSERT INTO swapped VALUES (1, 2, 'a'), (2, 3, 'b'), (3, 1, 'c');
SELECT audit_attach('swapped', pk => '{other}');
SELECT verdict('swapped');
SELECT * FROM all_tampered('swapped', 'id, other, v', '9, 9, ''y''');
CALL use_it('swapped', 'id, other, v', '9, 9, ''y''');
SELECT verdict('swapped');
-- And back.
SELECT audit_attach('swapped');
SELECT verdict('swapped');
SELECT * FROM all_tampered('swapped', 'id, other, v', '10, 10, ''y''');

-- Replaced: the old column is gone, and what it held lies in rows that were not written since.
CREATE TABLE replaced (id integer PRIMARY KEY, u uuid NOT NULL DEFAULT gen_random_uuid(), v text);
SELECT audit_attach('replaced');
INSERT INTO replaced (id, v) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd');
ALTER TABLE replaced DROP COLUMN id, ADD PRIMARY KEY (u);
SELECT verdict('replaced');
SELECT * FROM all_tampered('replaced', 'v', '''y''');
CALL use_it('replaced', 'v', '''y''');
SELECT verdict('replaced');
SELECT * FROM all_tampered('replaced', 'v', '''z''');
-- Nothing of it is left: rows are found by what they contain.
VACUUM FULL replaced;
SELECT verdict('replaced');
SELECT * FROM all_tampered('replaced', 'v', '''z''');
SELECT audit_rebaseline('replaced');
SELECT verdict('replaced');

-- The same with the payload kept, and the new column made later.
CREATE TABLE kept (id integer PRIMARY KEY, code text NOT NULL, v text);
SELECT audit_attach('kept', payload => 'full');
INSERT INTO kept VALUES (1, 'k1', 'a'), (2, 'k2', 'b'), (3, 'k3', 'c');
ALTER TABLE kept DROP COLUMN id;
VACUUM FULL kept;
ALTER TABLE kept ADD PRIMARY KEY (code);
SELECT verdict('kept');
SELECT * FROM all_tampered('kept', 'code, v', '''k9'', ''y''');
CALL use_it('kept', 'code, v', '''k9'', ''y''');
SELECT verdict('kept');

-- Retyped, so that the text stays, and so that it does not.
CREATE TABLE retyped (id integer PRIMARY KEY, v text);
SELECT audit_attach('retyped');
INSERT INTO retyped VALUES (1, 'a'), (2, 'b'), (3, 'c');
ALTER TABLE retyped ALTER COLUMN id TYPE bigint;
SELECT verdict('retyped');
SELECT * FROM all_tampered('retyped', 'id, v', '9, ''y''');
CALL use_it('retyped', 'id, v', '9, ''y''');
SELECT verdict('retyped');
ALTER TABLE retyped ALTER COLUMN id TYPE bigint USING id + 100;
SELECT verdict('retyped');
SELECT * FROM all_tampered('retyped', 'id, v', '9, ''y''');
CREATE TABLE token (id text PRIMARY KEY, v text);
SELECT audit_attach('token');
INSERT INTO token VALUES ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a'), ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12', 'b'),
    ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A13', 'c');
ALTER TABLE token ALTER id TYPE uuid USING id::uuid;
SELECT verdict('token');
SELECT * FROM all_tampered('token', 'id, v', 'gen_random_uuid(), ''y''');
CALL use_it('token', 'id, v', 'gen_random_uuid(), ''y''');
SELECT verdict('token');
SELECT audit_rebaseline('token');
SELECT verdict('token');

-- A label renamed, alone and as a part.
CREATE TYPE state AS ENUM ('new', 'done', 'old');
CREATE TABLE setting (state state PRIMARY KEY, v text);
CREATE TABLE part (state state, n integer, v text, PRIMARY KEY (state, n));
SELECT audit_attach('setting'), audit_attach('part');
INSERT INTO setting VALUES ('new', 'a'), ('done', 'b'), ('old', 'c');
INSERT INTO part VALUES ('new', 1, 'a'), ('done', 1, 'b'), ('new', 2, 'c');
ALTER TYPE state RENAME VALUE 'done' TO 'finished';
ALTER TYPE state RENAME VALUE 'new' TO 'done';
ALTER TYPE state ADD VALUE 'later';
SELECT verdict('setting'), verdict('part');
SELECT * FROM all_tampered('setting', 'state, v', '''later'', ''y''');
CALL use_it('setting', 'state, v', '''later'', ''y''');
CALL use_it('part', 'state, n, v', '''later'', 1, ''y''');
SELECT verdict('setting'), verdict('part');
SELECT * FROM all_tampered('part', 'state, n, v', '''later'', 2, ''y''');

-- Partitioned, with rows that move.
CREATE TABLE parted (id integer, tenant integer NOT NULL, v text, PRIMARY KEY (id, tenant)) PARTITION BY LIST (tenant);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 (v text, tenant integer NOT NULL, gone integer, id integer NOT NULL);
ALTER TABLE parted_2 DROP COLUMN gone;
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES IN (2);
SELECT audit_attach('parted');
INSERT INTO parted VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, 2, 'd');
ALTER TABLE parted DROP CONSTRAINT parted_pkey, ADD PRIMARY KEY (tenant, id);
SELECT verdict('parted');
SELECT * FROM all_tampered('parted', 'id, tenant, v', '9, 2, ''y''');
CALL use_it('parted', 'id, tenant, v', '9, 2, ''y''');
UPDATE parted SET tenant = 2 WHERE id = 2;
CREATE TABLE parted_3 PARTITION OF parted FOR VALUES IN (3);
UPDATE parted SET tenant = 3 WHERE id = 4;
SELECT verdict('parted');
SELECT * FROM all_tampered('parted', 'id, tenant, v', '10, 3, ''y''');
TRUNCATE parted_2;
SELECT verdict('parted');
SELECT audit_rebaseline('parted');
SELECT verdict('parted');
ALTER TABLE parted DETACH PARTITION parted_1;
SELECT verdict('parted');

-- Since an entry, and by the routine.
SELECT max(seq) AS last FROM auditspine.audit_chain \gset
UPDATE widened SET v = 'again' WHERE id = 4;
ALTER TABLE widened DROP CONSTRAINT widened_pkey, ADD PRIMARY KEY (id);
SELECT ok, rows FROM verify_table('widened', :last);
UPDATE widened SET v = 'later' WHERE id = 1;
SELECT ok, rows FROM verify_table('widened', (SELECT max(seq) FROM auditspine.audit_chain));
SELECT layer, subject, ok, detail FROM verify_all('last') WHERE NOT ok;
SELECT layer, subject, ok, detail FROM verify_all() WHERE NOT ok;

-- Beginning anew is refused while something is wrong, and is for the owner of the table.
SET client_min_messages = notice;
ALTER TABLE widened DISABLE TRIGGER auditspine_audit;
DELETE FROM widened WHERE id = 4;
ALTER TABLE widened ENABLE ALWAYS TRIGGER auditspine_audit;
DO $$ BEGIN PERFORM audit_rebaseline('widened'); EXCEPTION WHEN restrict_violation THEN RAISE NOTICE '%', split_part(sqlerrm, ' (entry', 1); END $$;
CREATE ROLE ident_other;
GRANT EXECUTE ON FUNCTION audit_rebaseline TO ident_other;
SET ROLE ident_other;
DO $$ BEGIN PERFORM audit_rebaseline('widened'); EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE '%', sqlerrm; END $$;
RESET ROLE;
DROP OWNED BY ident_other;
DROP ROLE ident_other;
CREATE TABLE unaudited (id integer PRIMARY KEY);
DO $$ BEGIN PERFORM audit_rebaseline('unaudited'); EXCEPTION WHEN undefined_object THEN RAISE NOTICE '%', sqlerrm; END $$;
-- The entry tells what was verified.
SELECT event_pk, payload FROM auditspine.audit_chain WHERE event_kind = 'auditspine.baseline' ORDER BY event_pk;

-- What was edited before the key changed does not become right by a backfill.
CREATE TABLE retyped_edited (k inet PRIMARY KEY, v integer);
SELECT audit_attach('retyped_edited', payload => 'full');
INSERT INTO retyped_edited VALUES ('10.0.0.6', 6), ('10.0.0.8', 8), ('10.0.0.14', 14);
ALTER TABLE retyped_edited DISABLE TRIGGER auditspine_audit;
UPDATE retyped_edited SET v = 80 WHERE k = '10.0.0.8';
ALTER TABLE retyped_edited ENABLE ALWAYS TRIGGER auditspine_audit;
ALTER TABLE retyped_edited ALTER COLUMN k TYPE text USING k::text;
SELECT finding, key FROM verify_table_findings('retyped_edited');
CALL audit_backfill('retyped_edited');
SELECT finding, key FROM verify_table_findings('retyped_edited');
