-- What the trigger records, for every way in which a row can come, change and go.
CREATE EXTENSION auditspine;
SET TimeZone = 'UTC';
CREATE VIEW entry AS
SELECT c.name AS chain, a.op, a.event_kind AS kind, a.event_pk AS pk, a.payload, a.payload_hash, a.actor,
       a.context, a.db_user = session_user AS by_me, a.seq
FROM auditspine.audit_chain a JOIN auditspine.chain c USING (chain_id);
-- The entries since the last look, in order of linking.
CREATE TEMP TABLE seen AS SELECT 0::bigint AS seq;
CREATE FUNCTION news() RETURNS TABLE (chain text, op "char", kind text, pk text) LANGUAGE sql AS $$
    WITH fresh AS (SELECT * FROM entry WHERE seq > (SELECT seq FROM seen) ORDER BY seq),
         moved AS (UPDATE seen SET seq = greatest(seen.seq, (SELECT max(fresh.seq) FROM fresh)))
    SELECT chain, op, kind, pk FROM fresh
$$;

-- Insert, update, delete: the new row's hash, for a deletion the old row's.
CREATE TABLE finding (id integer PRIMARY KEY, note text, score numeric(4, 1));
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON finding
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON finding
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append();
INSERT INTO finding VALUES (1, 'one', 1.50), (2, 'two', NULL), (3, NULL, 3);
UPDATE finding SET note = 'uno' WHERE id = 1;
DELETE FROM finding WHERE id = 2;
SELECT op, pk, by_me,
       payload_hash = sha256(CASE op || pk
           WHEN 'I1' THEN '{"id":1,"note":"one","score":1.5}'
           WHEN 'I2' THEN '{"id":2,"note":"two","score":null}'
           WHEN 'I3' THEN '{"id":3,"note":null,"score":3}'
           WHEN 'U1' THEN '{"id":1,"note":"uno","score":1.5}'
           WHEN 'D2' THEN '{"id":2,"note":"two","score":null}' END::bytea) AS hash_of_row,
       payload IS NULL AS only_hash
FROM (SELECT op::text, pk, by_me, payload, payload_hash, seq FROM entry) e ORDER BY seq;
SELECT * FROM news();
-- An update that changes nothing is one all the same; a statement that touches no row is none.
UPDATE finding SET note = note WHERE id = 1;
UPDATE finding SET note = 'x' WHERE false;
DELETE FROM finding WHERE false;
-- A key that changes is a row that goes and a row that comes.
UPDATE finding SET id = 30 WHERE id = 3;
INSERT INTO finding VALUES (1, 'upsert'), (4, 'upsert') ON CONFLICT (id) DO UPDATE SET note = excluded.note;
INSERT INTO finding VALUES (1, 'ignored') ON CONFLICT DO NOTHING;
COPY finding FROM stdin;
5	copied	5.5
6	\N	\N
\.
WITH gone AS (DELETE FROM finding WHERE id > 4 RETURNING id) INSERT INTO finding SELECT id + 100 FROM gone WHERE id < 10;
TRUNCATE finding;
SELECT * FROM news();
SELECT payload_hash = sha256('null') AS truncation FROM entry WHERE op = 'T';

-- Kept and dropped with the transaction and its parts.
BEGIN;
INSERT INTO finding VALUES (1);
SAVEPOINT a;
INSERT INTO finding VALUES (2);
SAVEPOINT b;
INSERT INTO finding VALUES (3);
ROLLBACK TO b;
INSERT INTO finding VALUES (4);
RELEASE a;
SAVEPOINT c;
INSERT INTO finding VALUES (5);
SELECT audit_flush();
ROLLBACK TO c;
SELECT audit_flush() AS nothing_new;
INSERT INTO finding VALUES (6);
SELECT count(*) AS before_commit FROM entry WHERE seq > (SELECT seq FROM seen);
COMMIT;
BEGIN;
INSERT INTO finding VALUES (7);
SELECT audit_flush();
ROLLBACK;
DO $$ BEGIN
    INSERT INTO finding VALUES (8);
    BEGIN
        INSERT INTO finding VALUES (9);
        INSERT INTO finding VALUES (9);
    EXCEPTION WHEN unique_violation THEN
        INSERT INTO finding VALUES (10);
    END;
    COMMIT;
    INSERT INTO finding VALUES (11);
    ROLLBACK;
    INSERT INTO finding VALUES (12);
END $$;
SELECT * FROM news();
SELECT array_agg(id ORDER BY id) AS rows FROM finding;

-- A small buffer is linked early, to the same effect.
SET auditspine.buffer_size = '64kB';
BEGIN;
INSERT INTO finding SELECT g FROM generate_series(1001, 4000) g;
SELECT count(*) BETWEEN 1 AND 2999 AS early FROM entry WHERE length(pk) = 4;
SAVEPOINT s;
DELETE FROM finding WHERE id > 1000;
ROLLBACK TO s;
COMMIT;
RESET auditspine.buffer_size;
SELECT count(*), count(DISTINCT pk), string_agg(DISTINCT op::text, '') AS ops FROM entry WHERE length(pk) = 4;
SELECT count(*) AS skipped FROM news();

-- Arguments: kind, key, payload, exclusion.
CREATE TABLE item (scan integer, "line, no" integer, "Tag" text NOT NULL, secret text, PRIMARY KEY (scan, "line, no"));
CREATE TRIGGER t1 AFTER INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
CREATE TRIGGER t2 AFTER INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION audit_chain_append('composite', 'pk=scan,"line, no"');
CREATE TRIGGER t3 AFTER INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION audit_chain_append('pk=Tag', 'payload=full');
CREATE TRIGGER t4 AFTER INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION audit_chain_append('safe', 'payload=full', 'exclude=secret,Tag');
CREATE TRIGGER t5 AFTER INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION audit_chain_append('hashed', 'payload=hash', 'exclude=secret');
INSERT INTO item VALUES (1, 2, 'a"b\c', 's3cret');
SELECT kind, pk, payload, payload_hash = canonical_json_hash(coalesce(payload, CASE kind WHEN 'hashed'
           THEN to_jsonb(i) - 'secret' ELSE to_jsonb(i) END)) AS hash_of_payload
FROM entry, item i WHERE kind IN ('item', 'composite', 'safe', 'hashed') ORDER BY seq;
SELECT count(*) AS skipped FROM news();
-- A change of what is excluded is still an update; of what is part of one trigger's key, D and I for that one.
UPDATE item SET secret = 'other';
UPDATE item SET "Tag" = 'new';
SELECT * FROM news();

-- Actor and context are those in force when the change is made.
SET auditspine.actor = 'alice@example.com';
SET auditspine.context = '{"request": 1.0, "a": null}';
BEGIN;
INSERT INTO finding VALUES (20);
SET LOCAL auditspine.actor = 'bob';
SET LOCAL auditspine.context = '"text"';
INSERT INTO finding VALUES (21);
SET LOCAL auditspine.actor = '';
SET LOCAL auditspine.context = '';
COMMIT;
INSERT INTO finding VALUES (22);
RESET auditspine.actor;
RESET auditspine.context;
INSERT INTO finding VALUES (23);
SELECT pk, actor, context FROM entry WHERE pk IN ('20', '21', '22', '23') AND kind = 'finding' ORDER BY seq;
SELECT count(*) AS skipped FROM news();

-- Chains: one that was made, and one for each tenant, made by its first event.
SELECT create_chain('ledger', 1) > 1 AS made;
CREATE TABLE tenant_row (id integer PRIMARY KEY, tenant text, region text);
CREATE TRIGGER named AFTER INSERT OR UPDATE OR DELETE ON tenant_row
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('named', 'chain=ledger');
CREATE TRIGGER one AFTER INSERT OR UPDATE OR DELETE ON tenant_row
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('one', 'chain_by=tenant');
CREATE TRIGGER two AFTER INSERT OR UPDATE OR DELETE ON tenant_row
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('two', 'chain_by=tenant,region');
CREATE TRIGGER whole AFTER TRUNCATE ON tenant_row
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append('one', 'chain_by=tenant');
INSERT INTO tenant_row VALUES (1, 'acme', 'eu'), (2, 'zeta', 'us'), (3, NULL, 'us');
UPDATE tenant_row SET region = 'us' WHERE id = 1;
UPDATE tenant_row SET tenant = 'acme' WHERE id = 2;
TRUNCATE tenant_row;
SELECT * FROM news();
SELECT name, lanes FROM auditspine.chain ORDER BY name;
-- A chain made by a transaction that is rolled back is not there.
BEGIN;
INSERT INTO tenant_row VALUES (4, 'ghost', 'eu');
SELECT audit_flush();
ROLLBACK;
BEGIN;
SAVEPOINT s;
INSERT INTO tenant_row VALUES (4, 'ghost', 'eu');
SELECT audit_flush();
ROLLBACK TO s;
INSERT INTO tenant_row VALUES (5, 'acme', 'eu');
COMMIT;
SELECT count(*) AS ghosts FROM auditspine.chain WHERE name LIKE '%ghost%';
INSERT INTO tenant_row VALUES (4, 'ghost', 'eu');
SELECT * FROM news();

-- Partitions: the kind is the whole table's name, through the parent or directly; a row that moves
-- goes and comes.
CREATE TABLE part (id integer, at date, v integer, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part_2025 PARTITION OF part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE part_2026 (v integer, gone text, at date NOT NULL, id integer NOT NULL);
ALTER TABLE part_2026 DROP COLUMN gone;
ALTER TABLE part ATTACH PARTITION part_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON part
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON part
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append();
INSERT INTO part VALUES (1, '2025-05-05', 1), (2, '2026-06-06', 2);
INSERT INTO part_2026 (id, at, v) VALUES (3, '2026-07-07', 3);
SELECT pk, e.payload_hash = sha256(convert_to(format('{"at":"%s","id":%s,"v":%s}', to_char(at, 'YYYY-MM-DD'), id, v), 'UTF8')) AS same_shape
FROM entry e JOIN part p ON e.pk = format('["%s","%s"]', id, to_char(at, 'YYYY-MM-DD')) WHERE e.kind = 'part' ORDER BY seq;
UPDATE part SET v = 10 WHERE id = 1;
UPDATE part SET at = '2026-01-31' WHERE id = 1;
DELETE FROM part_2026 WHERE id = 3;
TRUNCATE part;
SELECT * FROM news();
-- A statement trigger is not passed on to partitions: truncating one needs a trigger on it.
TRUNCATE part_2026;
SELECT * FROM news();
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON part_2026
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append();
TRUNCATE part_2026;
SELECT * FROM news();

-- Foreign keys that cascade, and constraints checked at the end.
CREATE TABLE parent (id integer PRIMARY KEY);
CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE loose (id integer PRIMARY KEY, parent integer REFERENCES parent ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON parent FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON loose FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (11, 1), (12, 2);
INSERT INTO loose VALUES (21, 2);
UPDATE parent SET id = 3 WHERE id = 1;
DELETE FROM parent WHERE id = 2;
SELECT * FROM news();
BEGIN;
INSERT INTO loose VALUES (22, 99);
INSERT INTO parent VALUES (98);
\set VERBOSITY sqlstate
COMMIT;
\set VERBOSITY default
SELECT * FROM news();
BEGIN;
INSERT INTO loose VALUES (22, 99);
INSERT INTO parent VALUES (99);
COMMIT;
SELECT * FROM news();
-- An audit trigger that itself is deferred, and a deferred trigger that writes an audited table.
CREATE TABLE late (id integer PRIMARY KEY);
CREATE CONSTRAINT TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON late DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
CREATE FUNCTION write_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO late VALUES (new.id + 1000);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON parent DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION write_late();
BEGIN;
INSERT INTO late VALUES (1);
INSERT INTO parent VALUES (50);
SELECT audit_flush();
COMMIT;
SELECT * FROM news();

-- session_replication_role: what is ENABLE ALWAYS fires all the same.
ALTER TABLE late ENABLE ALWAYS TRIGGER audit;
SET session_replication_role = replica;
INSERT INTO late VALUES (2);
INSERT INTO parent VALUES (60);
RESET session_replication_role;
SELECT * FROM news();

-- The table changes shape under its trigger.
CREATE TABLE shape (id integer PRIMARY KEY, a text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON shape FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
INSERT INTO shape VALUES (1, 'a');
ALTER TABLE shape ADD COLUMN b integer DEFAULT 7;
INSERT INTO shape VALUES (2, 'a');
ALTER TABLE shape DROP COLUMN a;
INSERT INTO shape VALUES (3, 8);
ALTER TABLE shape RENAME COLUMN b TO c;
UPDATE shape SET c = 9 WHERE id = 1;
ALTER TABLE shape ALTER COLUMN c TYPE text;
UPDATE shape SET c = 'z' WHERE id = 1;
ALTER TABLE shape RENAME TO form;
INSERT INTO form VALUES (4, 'y');
CREATE OR REPLACE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON form FOR EACH ROW EXECUTE FUNCTION audit_chain_append('renamed', 'payload=full');
INSERT INTO form VALUES (5, 'x');
SELECT op, kind, pk, payload, payload_hash = sha256(CASE pk || op::text || kind
    WHEN '1Ishape' THEN '{"a":"a","id":1}'
    WHEN '2Ishape' THEN '{"a":"a","b":7,"id":2}'
    WHEN '3Ishape' THEN '{"b":8,"id":3}'
    WHEN '4Iform' THEN '{"c":"y","id":4}'
    WHEN '5Irenamed' THEN '{"c":"x","id":5}' END::bytea) AS hash_of_row
FROM entry WHERE kind IN ('shape', 'form', 'renamed') AND op = 'I' ORDER BY seq;
SELECT bool_and(payload_hash IN (sha256('{"c":9,"id":1}'), sha256('{"c":"z","id":1}'))) AS updates, count(*)
FROM entry WHERE kind = 'shape' AND op = 'U';
SELECT count(*) AS skipped FROM news();

-- Table made, filled and dropped in one transaction; a temporary table; UNLOGGED; WITH HOLD; a MERGE-like CTE.
BEGIN;
CREATE TABLE brief (id integer PRIMARY KEY);
CREATE TRIGGER audit AFTER INSERT ON brief FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
INSERT INTO brief VALUES (1);
DROP TABLE brief;
CREATE TEMP TABLE tempo (id integer PRIMARY KEY) ON COMMIT DROP;
CREATE TRIGGER audit AFTER INSERT ON tempo FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
INSERT INTO tempo VALUES (1);
DECLARE held CURSOR WITH HOLD FOR SELECT id FROM finding ORDER BY id LIMIT 1;
COMMIT;
CLOSE held;
SELECT * FROM news();

-- By hand: at once, with its payload, and as a row of the chain.
BEGIN;
INSERT INTO finding VALUES (70);
SELECT op, event_kind, event_pk, payload, payload_hash = canonical_json_hash(payload) AS hash_of_payload, chain_id, version
FROM audit_chain_append('release', 'v1.2', '{"b": 1.0, "a": [1e2]}');
SELECT * FROM news();
COMMIT;
SELECT event_pk, payload, encode(payload_hash, 'hex') = encode(sha256('null'), 'hex') AS hash_of_null FROM audit_chain_append('note', NULL, NULL, 'ledger');
SELECT pos FROM audit_chain_append(pk => '1', kind => 'note', chain => 'ledger', payload => '"x"');
SELECT * FROM news();

-- Every chain is whole; every payload that was kept is the one that was hashed.
SELECT chain, ok, entries, findings FROM verify_chain() ORDER BY chain COLLATE "C";
SELECT count(*) AS wrong FROM entry WHERE payload IS NOT NULL AND payload_hash <> canonical_json_hash(payload);

DROP TABLE finding, item, tenant_row, part, parent, child, loose, late, form CASCADE;
DROP FUNCTION news, write_late;
DROP VIEW entry;
DROP EXTENSION auditspine;
