-- The trigger's argument unchanged=skip: an UPDATE that leaves the recorded columns as they were is no event.
CREATE TABLE item (id integer PRIMARY KEY, v text, seen timestamptz, n numeric);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'exclude=seen', 'payload=full', 'unchanged=skip');
CREATE TABLE plain (id integer PRIMARY KEY, v text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON plain
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('plain', 'unchanged=record');
INSERT INTO item VALUES (1, 'a', now(), 1), (2, 'b', now(), 2), (3, NULL, NULL, NULL);
INSERT INTO plain VALUES (1, 'a');
UPDATE item SET seen = now();
UPDATE item SET v = v, n = n + 0;
UPDATE item SET n = 1.0 WHERE id = 1;
UPDATE plain SET v = v;
UPDATE item SET v = 'c' WHERE id = 2;
UPDATE item SET v = '' WHERE id = 3;
UPDATE item SET v = 'x' WHERE id = 1;
UPDATE item SET v = 'a' WHERE id = 1;
UPDATE item SET id = 4 WHERE id = 3;
DELETE FROM item WHERE id = 2;
SELECT event_kind, op, event_pk, payload FROM auditspine.audit_chain WHERE op <> 'S' ORDER BY seq;
SELECT table_name, ok, rows, entries, findings FROM verify_table('item');
-- Whoever writes an excluded column does not have the chain take over what was done behind its back.
ALTER TABLE item DISABLE TRIGGER audit;
UPDATE item SET v = 'forged' WHERE id = 4;
ALTER TABLE item ENABLE TRIGGER audit;
UPDATE item SET seen = now();
SELECT finding, key, recorded ->> 'v' AS recorded, current ->> 'v' AS current FROM verify_table_findings('item');
CREATE TRIGGER wrong AFTER UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION audit_chain_append('plain', 'unchanged=maybe');
UPDATE plain SET v = 'b';
-- The same by audit_attach(), and what it says of it.
CREATE TABLE attached (id integer PRIMARY KEY, v text, seen timestamptz);
SELECT audit_attach('attached', exclude => '{seen}', skip_unchanged => true);
SELECT audit_attach('attached', exclude => '{seen}', skip_unchanged => true) AS again;
SELECT table_name, exclude, skip_unchanged, problem FROM auditspine.audited_table WHERE kind IN ('attached', 'item') ORDER BY kind;
INSERT INTO attached VALUES (1, 'a', now());
UPDATE attached SET seen = now();
UPDATE attached SET v = 'b';
SELECT op, event_pk FROM auditspine.audit_chain WHERE event_kind = 'attached' ORDER BY seq;
SELECT payload ->> 'unchanged' AS unchanged FROM auditspine.audit_chain WHERE event_kind = 'auditspine.attach' AND event_pk = 'attached';
SELECT audit_attach('attached', exclude => '{seen}');
SELECT skip_unchanged FROM auditspine.audited_table WHERE kind = 'attached';

DROP TRIGGER wrong ON plain;
-- Whatever a value's type, and however it is stored: only what it says counts.
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE mood AS ENUM ('calm', 'wild');
CREATE TABLE stored (
    id integer PRIMARY KEY, i smallint, f float8, u uuid, n numeric, name name, c char(4), t text, j jsonb, js json, iv interval,
    a integer[], p pair, m mood, at timestamptz, seen integer
);
ALTER TABLE stored ALTER COLUMN t SET STORAGE EXTERNAL;
SELECT audit_attach('stored', exclude => '{seen}', skip_unchanged => true);
CREATE FUNCTION events(command text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := (SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'stored');
BEGIN
    EXECUTE command;
    PERFORM audit_flush();
    RETURN (SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'stored') - before;
END $$;
INSERT INTO stored VALUES
    (1, 1, 0, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1, 'n', 'c', repeat('0123456789', 1000), '{"a": 1}', '{"a": 1}', '1 day',
     '{1,2}', '(1,x)', 'calm', '2026-01-01 00:00:00Z', 0),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0);
SELECT set, events('UPDATE stored SET ' || set || ' WHERE id = 1')
FROM unnest(ARRAY[
    -- The same, written anew or stored otherwise.
    'id = id', 'seen = 1', 'seen = NULL', 't = t, seen = 2', 't = t || '''', seen = 3', 'n = round(1.2)', 'c = ''c   ''', 'js = js::text::json',
    'a = ARRAY[1, 2], p = ROW(1, ''x'')', 'f = ''0e0'', u = upper(u::text)::uuid', 'j = j || ''{"a": 1}''',
    'at = at AT TIME ZONE ''UTC'' AT TIME ZONE ''UTC''',
    -- Others.
    'n = 1.000', 'js = ''{"a":1}''', 'i = 2', 'f = 1e-300', 'u = ''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12''', 'n = 1.0001', 'name = ''m''', 'c = ''d''', 't = t || ''x''',
    'j = ''{"a": 2}''', 'js = ''{"a": 2}''', 'iv = ''24 hours''', 'a = ''{2,1}''', 'p = ''(1,y)''', 'm = ''wild''',
    'at = at + interval ''1 us''', 'i = NULL', 't = NULL', 'j = NULL', 'm = NULL',
    -- The null of JSON is none of SQL's.
    'j = ''null''', 'j = NULL', 'j = ''{}'''
]) WITH ORDINALITY AS u (set, n) ORDER BY n;
SELECT events('UPDATE stored SET id = id, seen = seen'), events('UPDATE stored SET i = 5');
-- A column that has come since: its default is not in the old row, and yet its value.
ALTER TABLE stored ADD COLUMN later integer DEFAULT 7, ADD COLUMN never integer;
SELECT events('UPDATE stored SET later = 7, never = NULL'), events('UPDATE stored SET later = 8 WHERE id = 2');
SELECT ok, rows, edited FROM verify_table('stored');
