-- Rows held against their entries: what is clean, and every way past the triggers.

CREATE FUNCTION verdict(target regclass)
    RETURNS TABLE (ok boolean, rows bigint, entries bigint, edited bigint, deleted bigint, unrecorded bigint, unverifiable bigint)
    LANGUAGE sql AS 'SELECT ok, rows, entries, edited, deleted, unrecorded, unverifiable FROM verify_table(target)';
CREATE FUNCTION findings(target regclass)
    RETURNS TABLE (tab text, key text, finding text, detail text, differs boolean, recorded jsonb, current jsonb)
    LANGUAGE sql AS $$
    SELECT table_name, key, finding, detail, expected IS DISTINCT FROM found, recorded, current
    FROM verify_table_findings(target) ORDER BY table_name COLLATE "C", finding, key COLLATE "C", detail COLLATE "C" $$;

-- A table that is not audited.
CREATE TABLE plain (id integer PRIMARY KEY);
\set VERBOSITY default
SELECT * FROM verify_table('plain');
SELECT * FROM verify_table(NULL);
CREATE VIEW looks AS SELECT * FROM plain;
SELECT * FROM verify_table('looks');

-- Clean.
CREATE TABLE product (id bigint PRIMARY KEY, name text, price numeric, seen timestamptz, tags text[]);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON product FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON product FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append();
SELECT * FROM verify_table('product');
INSERT INTO product SELECT i, 'p' || i, i * 1.5, '2026-01-01Z', ARRAY['a', 'b'] FROM generate_series(1, 20) AS i;
UPDATE product SET price = price + 1 WHERE id % 3 = 0;
DELETE FROM product WHERE id = 20;
UPDATE product SET id = 120 WHERE id = 19;
SELECT table_name, kind, ok, rows, entries, findings, first_bad_seq FROM verify_table('product');
SELECT * FROM findings('product');

-- This transaction's own changes count.
BEGIN;
INSERT INTO product VALUES (200, 'mine');
SELECT * FROM verdict('product');
ROLLBACK;

-- Behind the triggers' back: edited by one bit, deleted, inserted, a key changed.
SET session_replication_role = replica;
UPDATE product SET price = price + 0.0000001 WHERE id = 3;
DELETE FROM product WHERE id = 4;
INSERT INTO product VALUES (21, 'slipped in');
UPDATE product SET id = 55 WHERE id = 5;
RESET session_replication_role;
SELECT * FROM verdict('product');
SELECT * FROM findings('product');
SELECT count(*) FILTER (WHERE seq IS NOT NULL), min(seq) = (SELECT first_bad_seq FROM verify_table('product'))
FROM verify_table_findings('product') WHERE finding IN ('row_edited', 'row_deleted');

-- Truncated, and filled again.
TRUNCATE product;
SELECT * FROM verdict('product');
INSERT INTO product VALUES (1, 'again');
SELECT * FROM verdict('product');
SET session_replication_role = replica;
INSERT INTO product VALUES (2, 'back from the dead');
RESET session_replication_role;
SELECT * FROM findings('product');
DELETE FROM product WHERE id = 2;

-- Triggers disabled.
ALTER TABLE product DISABLE TRIGGER audit;
ALTER TABLE product DISABLE TRIGGER audit_truncate;
INSERT INTO product VALUES (3, 'unseen');
SELECT * FROM findings('product');
ALTER TABLE product ENABLE REPLICA TRIGGER audit;
ALTER TABLE product ENABLE ALWAYS TRIGGER audit_truncate;
SELECT * FROM findings('product');
ALTER TABLE product ENABLE ALWAYS TRIGGER audit;
DELETE FROM product WHERE id = 3;
SELECT * FROM verdict('product');

-- The trigger dropped: entries still know the table.
DROP TRIGGER audit ON product;
INSERT INTO product VALUES (4, 'unseen');
SELECT * FROM findings('product');
DELETE FROM product WHERE id = 4;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON product FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
SELECT * FROM verdict('product');

-- Another table swapped in, with and without its trigger.
CREATE TABLE forged (LIKE product INCLUDING ALL);
INSERT INTO forged SELECT id, 'forged' FROM product;
ALTER TABLE product RENAME TO product_hidden;
ALTER TABLE forged RENAME TO product;
SELECT * FROM findings('product');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON product FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
SELECT * FROM findings('product');
-- The true one is known as itself, under the kind that it had by its name before.
SELECT * FROM verdict('product_hidden');
INSERT INTO product_hidden VALUES (7, 'seven');
TRUNCATE product;
SELECT * FROM verdict('product_hidden');
SELECT * FROM verdict('product');
DROP TABLE product_hidden;
SELECT * FROM findings('product');
DROP TABLE product;

-- Attached: the kind stays with the table, whatever its name. A table in its place is not it.
CREATE TABLE ledger (id integer PRIMARY KEY, amount numeric);
SELECT audit_attach('ledger');
INSERT INTO ledger SELECT i, i FROM generate_series(1, 4) AS i;
CREATE TABLE ledger_copy AS SELECT * FROM ledger;
ALTER TABLE ledger RENAME TO ledger_true;
SELECT * FROM findings('ledger_true');
ALTER TABLE ledger_copy RENAME TO ledger;
ALTER TABLE ledger ADD PRIMARY KEY (id);
UPDATE ledger SET amount = 1000000 WHERE id = 2;
SELECT * FROM findings('ledger');
SELECT tab, key, finding, detail FROM findings('ledger_true');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION audit_chain_append('ledger');
SELECT tab, key, finding, detail FROM findings('ledger');
SELECT tab, key, finding, detail FROM findings('ledger_true');
DROP TABLE ledger_true;
SELECT tab, key, finding, detail FROM findings('ledger');
DROP TABLE ledger;

-- An old copy of the table restored over it.
CREATE TABLE ledger (id integer PRIMARY KEY, amount numeric);
SELECT audit_attach('ledger', 'ledger 2');
INSERT INTO ledger SELECT i, i FROM generate_series(1, 4) AS i;
CREATE TABLE old AS SELECT * FROM ledger;
UPDATE ledger SET amount = 0 WHERE id = 1;
DELETE FROM ledger WHERE id = 2;
INSERT INTO ledger VALUES (5, 5);
SET session_replication_role = replica;
ALTER TABLE ledger DISABLE TRIGGER USER;
TRUNCATE ledger;
INSERT INTO ledger SELECT * FROM old;
ALTER TABLE ledger ENABLE ALWAYS TRIGGER auditspine_audit;
ALTER TABLE ledger ENABLE ALWAYS TRIGGER auditspine_truncate;
RESET session_replication_role;
SELECT tab, key, finding, detail, current FROM findings('ledger');

-- Triggers that see less than they did.
CREATE OR REPLACE TRIGGER auditspine_audit AFTER INSERT OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION audit_chain_append('ledger 2');
DROP TRIGGER auditspine_truncate ON ledger;
SELECT tab, key, finding, detail FROM findings('ledger') WHERE finding LIKE 'trigger%';

-- payload=full: what was recorded is shown beside what is there. Composite keys; names that need quotes.
CREATE SCHEMA "Odd schema";
CREATE TABLE "Odd schema"."Finding ""1""" (scan integer, line text, severity numeric, secret text, PRIMARY KEY (scan, line));
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON "Odd schema"."Finding ""1""" FOR EACH ROW
    EXECUTE FUNCTION audit_chain_append('finding', 'payload=full', 'exclude=secret');
INSERT INTO "Odd schema"."Finding ""1""" VALUES (1, 'a"b', 7.5, 'x'), (1, '[1,2]', 8, 'y'), (2, '', 9, NULL), (3, E'new\nline', 1, 'z');
UPDATE "Odd schema"."Finding ""1""" SET secret = 'other' WHERE scan = 1;
SELECT * FROM verdict('"Odd schema"."Finding ""1"""');
SET session_replication_role = replica;
UPDATE "Odd schema"."Finding ""1""" SET severity = 0, secret = 'hidden' WHERE scan = 1 AND line = 'a"b';
UPDATE "Odd schema"."Finding ""1""" SET secret = 'hidden' WHERE scan = 1;
DELETE FROM "Odd schema"."Finding ""1""" WHERE scan = 3;
RESET session_replication_role;
SELECT * FROM findings('"Odd schema"."Finding ""1"""');

-- Chains by tenant; a row that moves from one to the other.
CREATE TABLE ticket (id integer PRIMARY KEY, company text, title text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON ticket FOR EACH ROW EXECUTE FUNCTION audit_chain_append('ticket', 'chain_by=company');
INSERT INTO ticket VALUES (1, 'acme', 'a'), (2, 'bolt', 'b'), (3, NULL, 'c');
UPDATE ticket SET company = 'bolt' WHERE id = 1;
UPDATE ticket SET company = 'acme' WHERE id = 1;
DELETE FROM ticket WHERE id = 2;
SELECT * FROM verdict('ticket');
SET session_replication_role = replica;
UPDATE ticket SET company = 'bolt' WHERE id = 1;
RESET session_replication_role;
SELECT * FROM findings('ticket');

-- A key that does not name one row, and one that is null.
CREATE TABLE loose (a integer, b text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON loose FOR EACH ROW EXECUTE FUNCTION audit_chain_append('loose', 'pk=a');
INSERT INTO loose VALUES (1, 'one');
SET session_replication_role = replica;
INSERT INTO loose VALUES (1, 'two'), (NULL, 'none');
RESET session_replication_role;
SELECT * FROM findings('loose');

-- Keys of many types come back as the same text.
CREATE TABLE keys (i int8, t text, v varchar(9), c char(5), n numeric, b boolean, u uuid, y bytea, d date, ts timestamp,
    tz timestamptz, iv interval, f float8, j jsonb, ar int4[], r int4range, ip inet,
    PRIMARY KEY (i, t, v, c, n, b, u, y, d, ts, tz, iv, f, j, ar, r, ip));
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON keys FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
INSERT INTO keys SELECT i, 't' || i, 'v' || i, 'c' || i, i / 7.0, i % 2 = 0, ('00000000-0000-0000-0000-00000000000' || i)::uuid,
    ('\x0' || i)::bytea, '2026-01-01'::date + i, '2026-01-01'::timestamp + i * interval '1.5 s', '2026-01-01Z'::timestamptz + i * interval '1.5 s',
    i * interval '1 day 2 s', i / 3.0, jsonb_build_object('i', i), ARRAY[i, NULL], int4range(i, i + 5), ('10.0.0.' || i)::inet
FROM generate_series(1, 9) AS i;
SET TimeZone = 'Asia/Tokyo';
SET IntervalStyle = sql_standard;
SET DateStyle = german;
UPDATE keys SET n = n + 1 WHERE i > 5;
SELECT * FROM verdict('keys');
RESET TimeZone;
RESET IntervalStyle;
RESET DateStyle;

-- Partitions whose columns are numbered in other orders; rows that move between them.
CREATE TABLE event (id integer, day date, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE event_2 (junk text, what text, day date NOT NULL, id integer NOT NULL);
ALTER TABLE event_2 DROP COLUMN junk;
ALTER TABLE event ATTACH PARTITION event_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
INSERT INTO event SELECT i, '2026-01-01'::date + i, 'e' || i FROM generate_series(0, 50) AS i;
UPDATE event SET day = '2026-02-20' WHERE id < 5;
UPDATE event SET what = 'x' WHERE id % 2 = 0;
DELETE FROM event WHERE id = 50;
SELECT * FROM verdict('event');
SELECT table_name, ok FROM verify_table('event_2');
ALTER TABLE event_2 DISABLE TRIGGER audit;
UPDATE event_2 SET what = 'y' WHERE id = 4;
INSERT INTO event_2 (id, day, what) VALUES (99, '2026-02-01', 'direct');
DELETE FROM event_2 WHERE id = 40;
SELECT * FROM findings('event');

-- Only the rows that entries from a number on tell of: looked up by key.
SELECT max(seq) + 1 AS next FROM auditspine.audit_chain \gset
CREATE FUNCTION verdict_since(target regclass, since bigint)
    RETURNS TABLE (ok boolean, rows bigint, entries bigint, edited bigint, deleted bigint, unrecorded bigint, unverifiable bigint)
    LANGUAGE sql AS 'SELECT ok, rows, entries, edited, deleted, unrecorded, unverifiable FROM verify_table(target, since)';
ALTER TABLE event_2 ENABLE TRIGGER audit;
SELECT * FROM verdict_since('event', :next);
INSERT INTO event VALUES (100, '2026-01-05', 'new'), (101, '2026-02-05', 'new'), (102, '2026-02-06', 'new'), (103, '2026-02-07', 'new');
DELETE FROM event WHERE id = 102;
UPDATE event SET day = '2026-02-08' WHERE id = 100;
SELECT * FROM verdict_since('event', :next);
SET session_replication_role = replica;
UPDATE event SET what = 'NEW' WHERE id = 101;
DELETE FROM event WHERE id = 103;
INSERT INTO event VALUES (100, '2026-01-05', 'back'), (102, '2026-02-06', 'new');
RESET session_replication_role;
SELECT * FROM verdict_since('event', :next);
SELECT key, finding, detail FROM verify_table_findings('event', :next) ORDER BY key COLLATE "C", finding;
-- Other types of keys, each looked up or read with all others; the verdict is the same.
SELECT seq AS some_seq FROM auditspine.audit_chain WHERE event_kind = 'keys' ORDER BY seq DESC LIMIT 1 \gset
SELECT * FROM verdict_since('keys', :some_seq);
CREATE TABLE lookup (i int2, b int8, t text COLLATE "C", c char(6), v varchar, n numeric(9,2), f boolean, u uuid, y bytea, d date, ts timestamp, tz timestamptz,
    rest text, PRIMARY KEY (tz, ts, i, b, t, c, v, n, f, u, y, d));
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON lookup FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
INSERT INTO lookup SELECT i, -i, E'a"\\b' || i, 'c' || i, '', i / 8.0, i % 2 = 0, ('00000000-0000-0000-0000-00000000000' || i)::uuid,
    ('\x0' || i)::bytea, '2024-02-26'::date + i, '1999-12-31 23:59:59'::timestamp + i * interval '0.5 s', '2026-01-01Z'::timestamptz + i * interval '1.000001 s', 'x'
FROM generate_series(0, 9) AS i;
SELECT * FROM verdict_since('lookup', :some_seq);
SET session_replication_role = replica;
UPDATE lookup SET rest = 'y' WHERE i = 7;
UPDATE lookup SET n = n + 0.01 WHERE i = 8;
INSERT INTO lookup SELECT 11, b, t, c, v, n, f, u, y, d, ts, tz, rest FROM lookup WHERE i = 1;
RESET session_replication_role;
SELECT * FROM verdict_since('lookup', :some_seq);
SELECT * FROM verdict('lookup');
-- An infinite key is not looked up, so the table is read: the row that no entry tells of is found.
INSERT INTO lookup VALUES (20, 1, '', '', '', 1, true, '00000000-0000-0000-0000-000000000000', '', 'infinity', '-infinity', '0044-03-15 12:00Z BC', 'x');
SELECT * FROM verdict_since('lookup', :some_seq);

-- The system's own entries: a layout that was tampered with is not used.
CREATE TABLE lay (id integer PRIMARY KEY, a text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON lay FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
INSERT INTO lay VALUES (1, 'one'), (2, 'two');
ALTER TABLE lay RENAME COLUMN a TO b;
UPDATE lay SET b = 'TWO' WHERE id = 2;
SELECT * FROM verdict('lay');
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE auditspine.audit_chain SET payload = jsonb_set(payload, '{columns,1,name}', '"c"')
WHERE event_kind = 'auditspine.layout' AND payload->>'kind' = 'lay' AND payload->'columns'->1->>'name' = 'a';
SELECT regexp_replace(finding || ': ' || detail, '\d+', 'N', 'g') FROM findings('lay');
ROLLBACK;
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM auditspine.audit_chain
WHERE event_kind = 'auditspine.layout' AND payload->>'kind' = 'lay' AND payload->'columns'->1->>'name' = 'a';
SELECT regexp_replace(finding || ': ' || detail, '\d+', 'N', 'g') FROM findings('lay');
ROLLBACK;

-- Read-only, and with nothing but SELECT on the entries; content is for those who may see it.
CREATE ROLE auditspine_rows_auditor;
GRANT USAGE ON SCHEMA auditspine, "Odd schema" TO auditspine_rows_auditor;
SET ROLE auditspine_rows_auditor;
\set VERBOSITY sqlstate
SELECT * FROM verify_table('loose');
RESET ROLE;
GRANT SELECT ON auditspine.audit_chain TO auditspine_rows_auditor;
SET ROLE auditspine_rows_auditor;
BEGIN READ ONLY;
SELECT * FROM verdict('loose');
SELECT key, finding, recorded, current FROM findings('"Odd schema"."Finding ""1"""');
COMMIT;
RESET ROLE;
GRANT SELECT ON "Odd schema"."Finding ""1""" TO auditspine_rows_auditor;
SET ROLE auditspine_rows_auditor;
SELECT key, finding, recorded, current FROM findings('"Odd schema"."Finding ""1"""');
RESET ROLE;
ALTER TABLE "Odd schema"."Finding ""1""" ENABLE ROW LEVEL SECURITY;
SET ROLE auditspine_rows_auditor;
SELECT key, finding, recorded, current FROM findings('"Odd schema"."Finding ""1"""');
RESET ROLE;
DROP OWNED BY auditspine_rows_auditor;
DROP ROLE auditspine_rows_auditor;

-- A trigger elsewhere that is not understood keeps nobody else from being verified, and is told of.
CREATE TABLE misdeclared (id integer PRIMARY KEY);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON misdeclared
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('misdeclared', 'nosuch=argument');
CREATE TABLE well_declared (id integer PRIMARY KEY);
SELECT audit_attach('well_declared');
INSERT INTO well_declared VALUES (1);
SELECT ok, rows, findings FROM verify_table('well_declared');
SELECT ok, detail FROM verify_all() WHERE subject IN ('public.well_declared', 'public.misdeclared') ORDER BY subject;
