-- The history of one row: every version, who made it on whose behalf, and what changed.
SET TimeZone = 'UTC';
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ': ' || sqlerrm;
END $$;

-- Full payloads: what changed against the version before.
CREATE TABLE product (id integer PRIMARY KEY, name text, price numeric, tags jsonb);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON product
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('product', 'payload=full');
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON product
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append('product');
INSERT INTO product VALUES (1, 'bolt', 1.50, '["m4"]'), (2, 'nut', 0.2, NULL);
UPDATE product SET price = 1.75, tags = '["m4", "steel"]' WHERE id = 1;
UPDATE product SET price = 1.750 WHERE id = 1;
UPDATE product SET name = NULL WHERE id = 1;
ALTER TABLE product ADD COLUMN stock integer;
UPDATE product SET stock = 7 WHERE id = 1;
ALTER TABLE product DROP COLUMN tags;
UPDATE product SET stock = 8 WHERE id = 1;
DELETE FROM product WHERE id = 1;
INSERT INTO product VALUES (1, 'bolt again', 2);
SELECT op, db_user = session_user AS by_me, actor, context, chain, payload, changed FROM audit_history('product', '1');
SELECT op, changed, payload_hash = canonical_json_hash(payload) AS hash_of_payload, layout IS NOT NULL AS layout,
       appended_at = (SELECT appended_at FROM auditspine.audit_chain a WHERE a.seq = h.seq) AS appended,
       xid = (SELECT xid FROM auditspine.audit_chain a WHERE a.seq = h.seq) AS xid
FROM audit_history('product', '2') h;
-- One row only, in the order of seq; a row that was never there has none.
SELECT string_agg(op::text, '' ORDER BY n) AS ops, bool_and(seq > coalesce(before, 0)) AS oldest_first
FROM (SELECT op, seq, n, lag(seq) OVER (ORDER BY n) AS before
      FROM audit_history('product', '1') WITH ORDINALITY h(seq, op, a, b, c, d, e, f, g, i, j, k, n)) h;
SELECT count(*) FROM audit_history('product', '3');
-- Events that a program appended for the key are part of it.
SELECT (audit_chain_append('product', '2', '{"why": "recall"}')).op;
SELECT op, payload, changed FROM audit_history('product', '2');

-- A key that changes: the old one's history ends, the new one's begins.
UPDATE product SET id = 20 WHERE id = 2;
SELECT op FROM audit_history('product', '2');
SELECT op, changed FROM audit_history('product', '20');

-- TRUNCATE ends the history of what was there, once.
TRUNCATE product;
TRUNCATE product;
INSERT INTO product VALUES (20, 'nut', 1);
SELECT op, payload, changed FROM audit_history('product', '20');
SELECT op FROM audit_history('product', '2');
-- Also under another name and in another schema: whatever the table was called then.
CREATE SCHEMA "odd.schema";
ALTER TABLE product SET SCHEMA "odd.schema";
ALTER TABLE "odd.schema".product RENAME TO "Product";
TRUNCATE "odd.schema"."Product";
ALTER TABLE "odd.schema"."Product" RENAME TO product;
ALTER TABLE "odd.schema".product SET SCHEMA public;
SELECT op FROM audit_history('product', '20');

-- Hashes only: no payload, nothing to compare. A row that moves between chains.
CREATE TABLE line (doc text, no integer, company text, v text, PRIMARY KEY (doc, no));
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON line
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('line', 'chain_by=company');
INSERT INTO line VALUES ('a "b"', 1, 'acme', 'x'), ('a "b"', 2, 'acme', 'y');
UPDATE line SET v = 'z' WHERE no = 1;
UPDATE line SET company = 'zeta' WHERE no = 1;
SELECT op, chain, payload, changed FROM audit_history('line', 'a "b"', '1');
-- Several texts, an array of them, or the JSON that entries have, however it is written.
SELECT (SELECT count(*) FROM audit_history('line', VARIADIC ARRAY['a "b"', '1'])) AS variadic,
       (SELECT count(*) FROM audit_history('line', '["a \"b\"","1"]')) AS composed,
       (SELECT count(*) FROM audit_history('line', '[ "a \u0022b\"" , "1" ]')) AS spaced,
       (SELECT count(*) FROM audit_history('line', '["a \"b\"","3"]')) AS other;
CREATE TABLE moved (id integer PRIMARY KEY, tenant text, v integer);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON moved
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('moved', 'chain_by=tenant', 'payload=full');
INSERT INTO moved VALUES (1, 'acme', 1);
UPDATE moved SET tenant = 'zeta', v = 2;
SELECT op, chain, changed FROM audit_history('moved', '1');
-- A text key that looks like JSON, or like the table's name, is a text all the same.
CREATE TABLE word (w text PRIMARY KEY);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON word FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON word FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append();
INSERT INTO word VALUES ('["a"]'), ('public.word'), ('');
TRUNCATE word;
SELECT w, (SELECT string_agg(op::text, '') FROM audit_history('word', w)) AS ops
FROM unnest(ARRAY['["a"]', 'public.word', '', 'public.wor']) w;

-- Partitions: a TRUNCATE of one ends the rows that lived in it.
CREATE TABLE reading (at integer, sensor text, v integer, PRIMARY KEY (at, sensor)) PARTITION BY RANGE (at);
CREATE TABLE reading_low PARTITION OF reading FOR VALUES FROM (0) TO (100);
CREATE TABLE reading_high PARTITION OF reading FOR VALUES FROM (100) TO (200);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON reading
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('reading', 'payload=full');
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON reading_low
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append('reading');
INSERT INTO reading VALUES (1, 's', 1), (101, 's', 1), (2, 's', 1);
UPDATE reading SET at = 102 WHERE at = 2;
TRUNCATE reading_low;
SELECT k, (SELECT string_agg(op::text, '') FROM audit_history('reading', k::text, 's')) AS by_root,
       (SELECT string_agg(op::text, '') FROM audit_history('reading_low', k::text, 's')) AS by_partition
FROM unnest(ARRAY[1, 2, 101, 102]) k;

-- What the transaction itself did, linked or not.
BEGIN;
INSERT INTO product VALUES (30, 'washer', 3);
SELECT op, payload FROM audit_history('product', '30');
UPDATE product SET price = 4 WHERE id = 30;
SELECT op, changed FROM audit_history('product', '30');
ROLLBACK;
SELECT count(*) FROM audit_history('product', '30');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) > 0 AS snapshot_taken FROM product;
INSERT INTO product VALUES (30, 'washer', 3);
SELECT op, payload FROM audit_history('product', '30');
ROLLBACK;
BEGIN READ ONLY;
SELECT op FROM audit_history('line', 'a "b"', '2');
COMMIT;

-- An erased payload says nothing of what changed; one that is no object neither.
SET session_replication_role = replica;
ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
INSERT INTO product VALUES (40, 'a', 1);
UPDATE auditspine.audit_chain SET payload = NULL WHERE event_kind = 'moved' AND op = 'D';
UPDATE auditspine.audit_chain SET payload = '[1]' WHERE event_kind = 'reading' AND op = 'I' AND event_pk = '["1","s"]';
ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only;
RESET session_replication_role;
SELECT op, changed FROM audit_history('moved', '1');
SELECT op, payload = '[1]' AS altered, changed FROM audit_history('reading', '1', 's');
UPDATE reading SET v = 5 WHERE at = 101;

-- Errors: no audited table, another number of key columns, nulls.
CREATE TABLE bare (id integer PRIMARY KEY);
CREATE VIEW bare_view AS SELECT * FROM bare;
SELECT command, attempt('SELECT count(*) FROM audit_history(' || command || ')')
FROM unnest(ARRAY[$$'bare', '1'$$, $$'bare_view', '1'$$, $$'nowhere', '1'$$, $$'product', '1', '2'$$,
                  $$'line', 'a'$$, $$'line', '{"a":1}'$$, $$'line', 'a', '1', '2'$$,
                  $$'product', NULL::text$$, $$'line', 'a', NULL$$,
                  $$'product', VARIADIC '{}'$$, $$NULL, '1'$$, $$'product', VARIADIC NULL::text[]$$]) command;
\set VERBOSITY default
SELECT * FROM audit_history('bare', '1');
SELECT * FROM audit_history('line', 'a');

-- A table that is attached no more: what it was attached as last still tells. Its history goes on when it is attached again.
CREATE TABLE stock (depot text, item integer, n integer, PRIMARY KEY (depot, item));
SELECT audit_attach('stock', kind => 'in_stock', payload => 'full');
INSERT INTO stock VALUES ('north', 1, 10);
SELECT audit_detach('stock');
SELECT op, payload FROM audit_history('stock', 'north', '1');
SELECT attempt($$SELECT audit_history('stock', 'north')$$);
ALTER TABLE stock RENAME TO shelf;
SELECT attempt($$SELECT audit_history('shelf', 'north', '1')$$) AS never_attached_as_such;
SELECT audit_attach('shelf', kind => 'in_stock', payload => 'full');
UPDATE shelf SET n = 11;
TRUNCATE shelf;
SELECT op, changed FROM audit_history('shelf', 'north', '1');
-- A partition that is detached takes its rows along; the others stay.
CREATE TABLE log (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);
CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20);
SELECT audit_attach('log');
INSERT INTO log VALUES (1, 'a'), (11, 'b');
ALTER TABLE log DETACH PARTITION log_1;
SELECT k, (SELECT string_agg(op::text, ' ') FROM audit_history('log', k::text)) AS ops FROM unnest(ARRAY[1, 11]) k;
ALTER TABLE log ATTACH PARTITION log_1 FOR VALUES FROM (0) TO (10);
SELECT k, (SELECT string_agg(op::text, ' ') FROM audit_history('log', k::text)) AS ops FROM unnest(ARRAY[1, 11]) k;

-- Who may not read the chain may not read it here.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_history;
RESET client_min_messages;
CREATE ROLE regress_auditspine_history;
GRANT ALL ON line TO regress_auditspine_history;
SET ROLE regress_auditspine_history;
SELECT audit_history('line', 'a', '1');
RESET ROLE;
GRANT USAGE ON SCHEMA auditspine TO regress_auditspine_history;
GRANT SELECT ON auditspine.audit_chain, auditspine.chain TO regress_auditspine_history;
-- Names planted in the path of the reader are not used.
CREATE SCHEMA evil;
CREATE FUNCTION evil.jsonb_object_keys(jsonb) RETURNS SETOF text LANGUAGE sql AS $$ SELECT 'evil' $$;
GRANT USAGE ON SCHEMA evil TO regress_auditspine_history;
SET ROLE regress_auditspine_history;
SET search_path = evil, pg_catalog, public;
SELECT op, changed FROM audit_history('reading', '101', 's');
RESET search_path;
RESET ROLE;
DROP OWNED BY regress_auditspine_history;
DROP ROLE regress_auditspine_history;
