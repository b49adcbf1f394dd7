-- Entries of a row stand in the order in which its versions came to be, whatever order triggers fire in.
CREATE FUNCTION entries(kind text) RETURNS TABLE (key text, op text, payload jsonb) LANGUAGE sql AS $$
    SELECT event_pk, op::text, payload FROM auditspine.audit_chain WHERE event_kind = kind AND op <> 'S' ORDER BY seq
$$;

\echo -- a trigger that sorts ahead of ours changes the row again
CREATE TABLE node (id integer PRIMARY KEY, path text);
CREATE FUNCTION set_path() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE node SET path = '/' || NEW.id WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER a_set_path AFTER INSERT ON node FOR EACH ROW EXECUTE FUNCTION set_path();
SELECT audit_attach('node', payload => 'full');
INSERT INTO node VALUES (1), (2);
SELECT op, payload FROM audit_history('node', '1');
SELECT * FROM entries('node');
SELECT ok FROM verify_table('node');

\echo -- a soft delete: the row is put back
CREATE TABLE doc (id integer PRIMARY KEY, deleted boolean DEFAULT false);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NOT OLD.deleted THEN INSERT INTO doc VALUES (OLD.id, true); END IF; RETURN NULL; END $$;
CREATE TRIGGER a_soft_delete AFTER DELETE ON doc FOR EACH ROW EXECUTE FUNCTION keep();
SELECT audit_attach('doc', payload => 'full');
INSERT INTO doc VALUES (1);
DELETE FROM doc;
SELECT * FROM entries('doc');
SELECT ok FROM verify_table('doc');

\echo -- a row makes room for one of the same key, before that is inserted
CREATE TABLE place (id integer PRIMARY KEY, who text);
CREATE FUNCTION make_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN DELETE FROM place WHERE id = NEW.id; RETURN NEW; END $$;
CREATE TRIGGER a_make_room BEFORE INSERT ON place FOR EACH ROW EXECUTE FUNCTION make_room();
SELECT audit_attach('place', payload => 'full');
INSERT INTO place VALUES (1, 'first');
INSERT INTO place VALUES (1, 'second'), (1, 'third');
SELECT * FROM entries('place');
SELECT ok FROM verify_table('place');

\echo -- a function that an UPDATE calls changes a row that it has changed before
CREATE TABLE tally (id integer PRIMARY KEY, n integer);
SELECT audit_attach('tally', payload => 'full');
INSERT INTO tally VALUES (1, 0), (2, 0);
CREATE FUNCTION bump(id integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF id = 2 THEN UPDATE tally SET n = n + 100 WHERE tally.id = 1; END IF;
    RETURN id;
END $$;
UPDATE tally SET n = bump(id);
SELECT * FROM tally ORDER BY id;
SELECT * FROM entries('tally');
SELECT ok FROM verify_table('tally');

\echo -- the same within savepoints, of which one is rolled back, with a flush that is rolled back, and prepared
BEGIN;
SAVEPOINT a;
INSERT INTO node VALUES (3);
SAVEPOINT b;
INSERT INTO node VALUES (4);
SELECT audit_flush() > 0 AS flushed;
ROLLBACK TO b;
INSERT INTO node VALUES (5);
COMMIT;
BEGIN;
INSERT INTO node VALUES (6);
PREPARE TRANSACTION 'order';
COMMIT PREPARED 'order';
SELECT key, string_agg(op, '') FROM entries('node') GROUP BY key ORDER BY key;
SELECT ok FROM verify_table('node');

\echo -- an UPDATE that changes nothing is no entry, but what comes behind it is known to come behind
CREATE TABLE same (id integer PRIMARY KEY, v integer);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE same SET v = v WHERE id = NEW.id;
    DELETE FROM same WHERE id = NEW.id;
    INSERT INTO same VALUES (NEW.id, 7);
    RETURN NULL;
END $$;
CREATE TRIGGER a_touch AFTER INSERT ON same FOR EACH ROW WHEN (NEW.v = 1) EXECUTE FUNCTION touch();
SELECT audit_attach('same', payload => 'full', skip_unchanged => true);
INSERT INTO same VALUES (1, 1);
SELECT * FROM entries('same');
SELECT ok FROM verify_table('same');

\echo -- seeds that a trigger inserts behind a TRUNCATE, and ahead of it
CREATE TABLE seed (id integer PRIMARY KEY, v integer);
CREATE FUNCTION sow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO seed VALUES (TG_ARGV[0]::integer, 0); RETURN NULL; END $$;
CREATE TRIGGER a_before BEFORE TRUNCATE ON seed EXECUTE FUNCTION sow(1);
CREATE TRIGGER a_after AFTER TRUNCATE ON seed EXECUTE FUNCTION sow(2);
SELECT audit_attach('seed', payload => 'full');
TRUNCATE seed;
SELECT * FROM entries('seed');
SELECT ok, rows FROM verify_table('seed');
BEGIN;
-- The second is done in place: the table's file is new already.
TRUNCATE seed;
TRUNCATE seed;
COMMIT;
SELECT string_agg(op || coalesce(nullif(key, 'public.seed'), ''), ' ') FROM entries('seed');
SELECT ok, rows FROM verify_table('seed');

CREATE OR REPLACE FUNCTION sow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO seed VALUES (TG_ARGV[0]::integer, 0);
    PERFORM audit_flush();
    INSERT INTO seed VALUES (TG_ARGV[0]::integer + 2, 0);
    RETURN NULL;
END $$;
TRUNCATE seed;
SELECT string_agg(op || coalesce(nullif(key, 'public.seed'), ''), ' ') FROM entries('seed');
SELECT ok, rows FROM verify_table('seed');

\echo -- an event that a trigger appends by hand
CREATE TABLE paper (id integer PRIMARY KEY, state text);
CREATE FUNCTION stamp_paper() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE paper SET state = 'stamped' WHERE id = NEW.id;
    PERFORM audit_chain_append('stamp', NEW.id::text, '{"by": "hand"}');
    RETURN NULL;
END $$;
CREATE TRIGGER a_stamp AFTER INSERT ON paper FOR EACH ROW EXECUTE FUNCTION stamp_paper();
SELECT audit_attach('paper', payload => 'full');
INSERT INTO paper VALUES (1, 'new');
SELECT * FROM entries('paper');
SELECT * FROM entries('stamp');
SELECT ok FROM verify_table('paper');

\echo -- what comes too late, because a function flushed: the row as it is, is told again
CREATE OR REPLACE FUNCTION stamp_paper() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE paper SET state = 'stamped' WHERE id = NEW.id;
    IF NEW.id = 3 THEN DELETE FROM paper WHERE id = 3; END IF;
    PERFORM audit_flush();
    RETURN NULL;
END $$;
INSERT INTO paper VALUES (2, 'new'), (3, 'new');
SELECT key, op, payload ->> 'state' AS state FROM entries('paper') WHERE key > '1';
SELECT ok, rows FROM verify_table('paper');

\echo -- cascades and partitions
CREATE TABLE parent (id integer PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parent_low PARTITION OF parent FOR VALUES FROM (0) TO (10);
CREATE TABLE parent_high PARTITION OF parent FOR VALUES FROM (10) TO (20);
CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent ON UPDATE CASCADE ON DELETE CASCADE);
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE parent SET id = NEW.id + 10 WHERE id = NEW.id AND id < 10; RETURN NULL; END $$;
CREATE TRIGGER a_follow AFTER INSERT ON parent FOR EACH ROW EXECUTE FUNCTION follow();
SELECT audit_attach('parent', payload => 'full');
SELECT audit_attach('child', payload => 'full');
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (1, 11);
UPDATE parent SET id = 12;
DELETE FROM parent;
SELECT * FROM entries('parent');
SELECT * FROM entries('child');
SELECT ok, rows FROM verify_table('parent');
SELECT ok, rows FROM verify_table('child');

\echo -- one command takes a key over and removes the row that had it, with no index that keeps keys apart
CREATE TABLE loose (id integer NOT NULL, v text);
SELECT audit_attach('loose', pk => '{id}', payload => 'full');
INSERT INTO loose VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd');
WITH gone AS (DELETE FROM loose WHERE id = 2) UPDATE loose SET id = 2 WHERE id = 1;
WITH taken AS (UPDATE loose SET id = 4 WHERE id = 3) DELETE FROM loose WHERE id = 4;
SELECT * FROM entries('loose');
SELECT ok, rows FROM verify_table('loose');
