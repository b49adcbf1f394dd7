-- Keys that are unique only at the end of the statement, or of the transaction.
CREATE FUNCTION entries(kind text) RETURNS TABLE (key text, op text, payload jsonb) LANGUAGE sql AS $$
    SELECT event_pk, op::text, payload FROM auditspine.audit_chain WHERE event_kind = kind AND op <> 'S' ORDER BY seq
$$;
CREATE TABLE item (id integer PRIMARY KEY DEFERRABLE, name text);
SELECT audit_attach('item', payload => 'full');
INSERT INTO item VALUES (1, 'a'), (2, 'b'), (3, 'c');

\echo -- keys shifted, and keys swapped, by one UPDATE
UPDATE item SET id = id % 3 + 1;
SELECT key, string_agg(op || ' ' || (payload ->> 'name'), ', ') FROM entries('item') GROUP BY key ORDER BY key;
SELECT ok, rows FROM verify_table('item');
UPDATE item SET id = 3 - id WHERE id < 3;
SELECT ok, rows FROM verify_table('item');
SELECT id, name, (SELECT payload ->> 'name' FROM entries('item') WITH ORDINALITY WHERE key = id::text ORDER BY ordinality DESC LIMIT 1) AS last
FROM item ORDER BY id;

\echo -- a unique key that is named
CREATE TABLE ranked (list integer NOT NULL, pos integer NOT NULL, name text, UNIQUE (list, pos) DEFERRABLE);
SELECT audit_attach('ranked', pk => '{list,pos}');
INSERT INTO ranked VALUES (1, 1, 'a'), (1, 2, 'b'), (1, 3, 'c');
UPDATE ranked SET pos = CASE pos WHEN 3 THEN 1 ELSE pos + 1 END WHERE list = 1;
SELECT ok, rows FROM verify_table('ranked');

\echo -- a key has two rows for a while: the new one stays
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO item VALUES (1, 'new');
DELETE FROM item WHERE id = 1 AND name <> 'new';
COMMIT;
SELECT op, payload ->> 'name' AS name FROM audit_history('item', '1');
SELECT ok, rows FROM verify_table('item');

\echo -- the new one goes, and the old one, of which nothing was told, is told again
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
UPDATE item SET id = 2 WHERE id = 3;
UPDATE item SET name = 'moved' WHERE ctid = (SELECT max(ctid) FROM item);
UPDATE item SET id = 3 WHERE name = 'moved';
COMMIT;
SELECT op, payload ->> 'name' AS name FROM audit_history('item', '2');
SELECT ok, rows FROM verify_table('item');

\echo -- with entries that are linked in between
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO item VALUES (2, 'twin');
SELECT audit_flush() > 0 AS flushed;
DELETE FROM item WHERE id = 2 AND name <> 'twin';
COMMIT;
SELECT id, name FROM item ORDER BY id;
SELECT ok, rows FROM verify_table('item');
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO item VALUES (2, 'triplet');
SELECT audit_flush() > 0 AS flushed;
DELETE FROM item WHERE id = 2 AND name = 'triplet';
COMMIT;
SELECT ok, rows FROM verify_table('item');
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO item VALUES (2, 'rolled back');
SAVEPOINT s;
DELETE FROM item WHERE id = 2 AND name = 'rolled back';
SELECT audit_flush() > 0 AS flushed;
ROLLBACK TO s;
DELETE FROM item WHERE id = 2;
COMMIT;
SELECT ok, rows FROM verify_table('item');

\echo -- rows that are inserted and deleted by one transaction
BEGIN;
INSERT INTO item VALUES (9, 'short');
DELETE FROM item WHERE id = 9;
COMMIT;
SELECT op FROM audit_history('item', '9');
SELECT ok, rows FROM verify_table('item');

\echo -- partitions, backfill, and what was done with triggers off
CREATE TABLE part (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v integer) PARTITION BY RANGE (id);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (5);
CREATE TABLE part_high PARTITION OF part FOR VALUES FROM (5) TO (10);
INSERT INTO part VALUES (1, 1), (2, 2), (6, 6);
SELECT audit_attach('part');
SET client_min_messages = warning;
CALL audit_backfill('part');
RESET client_min_messages;
UPDATE part SET id = 8 - id WHERE id <> 1;
SELECT ok, rows FROM verify_table('part');
BEGIN;
ALTER TABLE part DISABLE TRIGGER USER;
ALTER TABLE item DISABLE TRIGGER USER;
UPDATE part SET v = 7 WHERE id = 6;
UPDATE item SET id = 4 - id WHERE id IN (1, 3);
ALTER TABLE part ENABLE ALWAYS TRIGGER auditspine_audit;
ALTER TABLE part ENABLE ALWAYS TRIGGER auditspine_truncate;
ALTER TABLE item ENABLE ALWAYS TRIGGER auditspine_audit;
ALTER TABLE item ENABLE ALWAYS TRIGGER auditspine_truncate;
COMMIT;
SELECT key, finding FROM verify_table_findings('part') ORDER BY key;
SELECT key, finding FROM verify_table_findings('item') ORDER BY key;

\echo -- a primary key that is not there
CREATE TABLE keyless (id integer UNIQUE DEFERRABLE);
SELECT audit_attach('keyless');
